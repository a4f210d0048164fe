"""An executor on a Ray cluster: trials run in actors (``ray_host.Host``) wherever the cluster has room, and outlive the loss of nodes.

A job whose actor or node is gone was not finished by anybody: it is handed out again, from the second loss on with its node for itself, and
after ``LOSSES`` it has failed. A candidate that brought its worker down, or was short of memory, gets one more try with a node for itself,
because on a shared machine the fault may have been a neighbour's. Each job has exactly one result.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from agentnas.tools import errors, packed
from agentnas.tools.errors import AgentNASError, ConfigError, RunError
from agentnas.tools.ray_cluster import Cluster, Node, connect
from agentnas.tools.ray_host import Host, version
from agentnas.tools.room import MIB
from agentnas.tools.tasks.base import Task
from agentnas.tools.whole_file import whole_file
from agentnas.tools.workers import POLL_S, START_ATTEMPTS, START_LIMIT_S, Failure, Job, JobResult

LOSSES = 3
# Beyond a job's own limit: the start of a fresh worker, and the way there and back.
SILENCE_S = START_LIMIT_S + 60.0
# Seconds between two looks at whether the cluster's head is there.
LOOK_S = 5.0
# After so many seconds without a place, the actor that times gets that of one who idles.
YIELD_S = 10.0
RETRIED = ("crashed", "memory")
# What a worker must know beside the task.
FORWARDED = ("AGENTNAS_OPERATORS",)


class RayPool:
    """Jobs of a task (``packed.arrays_of`` it), up to ``workers`` at a time (None: as many as the cluster has CPUs, or GPUs on CUDA).

    A trial gets one CPU and a share of a GPU. ``device`` is ``cpu``, ``cuda`` or ``auto`` (cuda where the cluster has a GPU); ``memory_mb``
    and ``grace_s`` are those of the local pool. What is timed (``profile``) is timed on one node: this machine's where that is a node with
    room for a trial, else the first by address, and another one only if that is lost. Closing the pool closes the cluster's connection.
    """

    def __init__(
        self, task: tuple[dict[str, Any], packed.Arrays], cluster: Cluster, workers: int | None = None, device: str = "auto",
        memory_mb: float | None = None,
        *, grace_s: float = 5.0,
    ) -> None:  # fmt: skip
        import ray

        nodes = cluster.nodes()
        self._cluster, self._memory_mb, self._grace_s = cluster, memory_mb, grace_s
        self.device = _device(device, nodes, cluster.name)
        self.workers = workers or _room(nodes, self.device)
        self._share = _share(self.workers, nodes) if self.device == "cuda" else 0.0
        self._task = ray.put(task)
        self._slots: list[_Seat | None] = [None] * self.workers
        self._failed_starts = 0
        self._looked = time.monotonic()

    def run(self, jobs: Iterable[Job | None], stop: Callable[[], bool] = lambda: False) -> Iterator[JobResult]:
        """See ``Executor.run``."""
        line = _Line(jobs, stop)
        try:
            while self._hand_out(line) or self._busy():
                yield from self._listen(line)
                self._complain(line)
        finally:
            for seat in self._busy():
                self._drop(seat)

    def close(self) -> None:
        """End the actors and leave the cluster; safe to call twice."""
        for seat in self._seats():
            self._drop(seat)
        self._task = None
        self._cluster.close()

    def __enter__(self) -> RayPool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _seats(self) -> list[_Seat]:
        return [seat for seat in self._slots if seat]

    def _busy(self) -> list[_Seat]:
        return [seat for seat in self._seats() if seat.ticket]

    def _hand_out(self, line: _Line) -> bool:
        """Give jobs to free actors, and start actors only while a job waits; whether one still waits, or may come."""
        for slot, seat in enumerate(self._slots):
            if seat and seat.ticket:
                continue
            if (ticket := line.next()) is None:
                return line.open
            if seat is None and _fits(slot, ticket):
                self._slots[slot] = self._open(anchored=slot == 0)
            elif seat and seat.ready and self._may(slot, seat, ticket):
                seat.give(line.take())
        return line.next() is not None or line.open

    def _may(self, slot: int, seat: _Seat, ticket: _Ticket) -> bool:
        """Whether this actor may do the job: timings are made by the first one, and who must be alone shares no node."""
        neighbours = [other.ticket for other in self._busy() if other.node == seat.node]
        if not _fits(slot, ticket):
            return False
        return not neighbours if ticket.alone else not any(other and other.alone for other in neighbours)

    def _anybody(self, ticket: _Ticket) -> bool:
        return any(seat and seat.ready and self._may(slot, seat, ticket) for slot, seat in enumerate(self._slots))

    def _open(self, anchored: bool) -> _Seat:
        """Ask the cluster for a place; the first one where timings are made."""
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        self._require_head()
        strategy: Any = "SPREAD"
        if anchored and (node := self._for_timing()) is not None:
            strategy = NodeAffinitySchedulingStrategy(node.id, soft=True)
        options = {"num_cpus": 1, "num_gpus": self._share, "max_restarts": 0, "max_task_retries": 0, "scheduling_strategy": strategy}
        environment = {name: os.environ[name] for name in FORWARDED if name in os.environ}
        actor = ray.remote(Host).options(**options).remote(self._task, self.device, self._memory_mb, self._grace_s, environment)
        return _Seat(actor, actor.about.remote(), time.monotonic())

    def _for_timing(self) -> Node | None:
        able = [node for node in self._cluster.nodes() if node.cpus >= 1 and node.gpus >= self._share]
        here = self._cluster.here()
        return next((node for node in able if node.id == here), able[0] if able else None)

    def _listen(self, line: _Line) -> Iterator[JobResult]:
        """Wait a moment for messages and deaths."""
        import ray

        waiting = {seat.answer: seat for seat in self._seats() if seat.answer is not None}
        if not waiting:
            time.sleep(POLL_S)
            return
        for answer in ray.wait(list(waiting), timeout=POLL_S)[0]:
            seat = waiting[answer]
            try:
                message = ray.get(answer)
            except ray.exceptions.RayError as error:
                yield from self._lost(seat, line, error)
            else:
                yield from self._heard(seat, line, message)

    def _heard(self, seat: _Seat, line: _Line, message: dict[str, Any]) -> Iterator[JobResult]:
        seat.answer = None
        if "broken" in message:
            where = "" if message["broken"]["error"] != "RunError" else f"node {seat.address}: "
            raise getattr(errors, message["broken"]["error"], AgentNASError)(where + message["broken"]["message"])
        if "version" in message:
            _same_version(message)
            seat.ready, seat.node, seat.address = True, message["node"], message["address"]
            self._failed_starts = 0
            return
        ticket = seat.ticket
        assert ticket is not None
        seat.ticket = None
        result = JobResult(**message["result"])
        if result.kind in RETRIED and not ticket.retried and not self._over_its_limit(result):
            ticket.retried = ticket.alone = True
            line.back(ticket)
            return
        if message["weights"] is not None:
            with whole_file(Path(str(ticket.job.save_weights))) as file:
                file.write(message["weights"])
        yield _placed(result, seat.address) if ticket.job.kind == "profile" else result

    def _over_its_limit(self, result: JobResult) -> bool:
        """Whether it was stopped for memory of its own, which no neighbour can have taken."""
        return self._memory_mb is not None and (result.peak_memory_mib or 0.0) > self._memory_mb

    def _lost(self, seat: _Seat, line: _Line, error: Exception) -> Iterator[JobResult]:
        """The actor is gone: its job goes to another one, unless too many have been lost with it."""
        ticket, elapsed = seat.ticket, time.monotonic() - seat.since
        self._require_head()
        self._drop(seat)
        if ticket is None:
            self._failed_starts += 1
            if _init_failed(error) or self._failed_starts >= START_ATTEMPTS * self.workers:
                raise RunError(f"workers do not start on the cluster at {self._cluster.name}: {_last_line(error)}")
            return
        ticket.losses += 1
        ticket.alone = ticket.losses > 1
        if ticket.losses < LOSSES:
            line.back(ticket)
            return
        kind: Failure = "memory" if "OutOfMemory" in type(error).__name__ else "crashed"
        reason = f"its worker was lost {LOSSES} times, the last time on node {seat.address}, alone there"
        yield JobResult(ticket.job.id, "failed", kind, reason, seconds=elapsed)

    def _complain(self, line: _Line) -> None:
        """Raise RunError where jobs wait and nobody will do them; end actors that have fallen silent."""
        now = time.monotonic()
        if now - self._looked > LOOK_S:
            self._require_head()
        for seat in self._busy():
            assert seat.ticket is not None
            if now - seat.since > seat.ticket.job.time_limit_s + self._grace_s + SILENCE_S:
                seat.end()  # then it is lost like any other
        if (first := self._slots[0]) and not first.ready and now - first.since > YIELD_S:
            self._make_room(line)
        slow = any(not seat.ready and now - seat.since > START_LIMIT_S for seat in self._seats())
        if slow and not self._busy() and (ticket := line.next()) and not self._anybody(ticket):
            raise RunError(f"the cluster at {self._cluster.name} had no room for a trial within {START_LIMIT_S:g} s; see ray status")

    def _make_room(self, line: _Line) -> None:
        """End idle actors where what waits must be timed by one that has no place: they may hold the last one, after the loss of a node."""
        if (ticket := line.next()) and not self._anybody(ticket):
            for seat in self._seats():
                if seat.ready and not seat.ticket:
                    self._drop(seat)

    def _require_head(self) -> None:
        """Raise RunError where the head is gone; to be asked before what would wait for it."""
        self._looked = time.monotonic()
        if not self._cluster.alive():
            self._slots = [None] * self.workers  # they die with their cluster
            raise RunError(f"the head of the cluster at {self._cluster.name} answers no more; resume the run when it is back")

    def _drop(self, seat: _Seat) -> None:
        self._slots[self._slots.index(seat)] = None
        seat.ticket = None
        seat.end()


def join(executor: str, task: Task, workers: int | None, device: str, memory_mb: float | None) -> RayPool:
    """A pool on the cluster that ``executor`` names; see ``connect`` and ``RayPool``."""
    facts, arrays = packed.arrays_of(task)
    cluster = connect(executor, workers, sum(array.nbytes for array in arrays.values()) / MIB)
    try:
        return RayPool((facts, arrays), cluster, workers, device, memory_mb)
    except AgentNASError:
        cluster.close()
        raise


@dataclass(eq=False)
class _Ticket:
    """A job on its way; ``alone``: it must have a node for itself."""

    job: Job
    losses: int = 0
    retried: bool = False
    alone: bool = False


def _fits(slot: int, ticket: _Ticket) -> bool:
    """Whether the job may be done in this slot: timings in the first one alone."""
    return slot == 0 or ticket.job.kind != "profile"


class _Line:
    """Jobs yet to be handed out, drawn one ahead at most; those that came back go first.

    ``open``: a job may still come, though none is due now.
    """

    def __init__(self, jobs: Iterable[Job | None], stop: Callable[[], bool]) -> None:
        self._jobs, self._stop, self._closed = iter(jobs), stop, False
        self._first: deque[_Ticket] = deque()

    def next(self) -> _Ticket | None:
        """The job whose turn it is, which stays in its place; None where none is due, or the caller wants no more."""
        self._closed = self._closed or self._stop()
        if self._closed and self._stop():
            self._first.clear()
        if not self._first and not self._closed:
            drawn = list(islice(self._jobs, 1))
            self._closed = not drawn
            self._first.extend(_Ticket(job) for job in drawn if job is not None)
        return self._first[0] if self._first else None

    @property
    def open(self) -> bool:
        return not self._closed

    def take(self) -> _Ticket:
        return self._first.popleft()

    def back(self, ticket: _Ticket) -> None:
        self._first.appendleft(ticket)


@dataclass(eq=False)
class _Seat:
    """An actor, what it was asked last (``answer`` is None where it has nothing to say), and since when."""

    actor: Any
    answer: Any
    since: float
    ready: bool = False
    node: str = ""
    address: str = ""
    ticket: _Ticket | None = None

    def give(self, ticket: _Ticket) -> None:
        self.ticket, self.since = ticket, time.monotonic()
        self.answer = self.actor.do.remote(asdict(ticket.job), _weights_for(ticket.job))

    def end(self) -> None:
        import ray

        with contextlib.suppress(ray.exceptions.RayError, ValueError):
            ray.kill(self.actor)


def _device(device: str, nodes: list[Node], name: str) -> str:
    gpus = any(node.gpus for node in nodes)
    if device == "cuda" and not gpus:
        raise ConfigError(f"--device cuda: no node of the cluster at {name} has a GPU; use --device cpu")
    return ("cuda" if gpus else "cpu") if device == "auto" else device


def _room(nodes: list[Node], device: str) -> int:
    """Trials that fit at a time: one a CPU, or one a GPU."""
    return max(1, int(sum(min(node.cpus, node.gpus) if device == "cuda" else node.cpus for node in nodes)))


def _share(workers: int, nodes: list[Node]) -> float:
    """The part of a GPU that a trial gets: whole ones, unless more trials at a time are asked for than there are."""
    gpus = max(1, int(sum(node.gpus for node in nodes)))
    return 1.0 / -(-workers // gpus)


def _same_version(about: dict[str, Any]) -> None:
    if about["version"] != version():
        raise ConfigError(f"node {about['address']} has agentnas {about['version']}, here is {version()}; install the same on all nodes")


def _init_failed(error: Exception) -> bool:
    """Whether the actor could not be made at all, which will be so again."""
    return bool(getattr(error, "actor_init_failed", False))


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1][:300] if lines else type(error).__name__


def _weights_for(job: Job) -> bytes | None:
    """What a test reads travels with the job; a missing file is told by who wants to read it."""
    if job.kind != "test" or job.save_weights is None:
        return None
    try:
        return Path(job.save_weights).read_bytes()
    except OSError:
        return None


def _placed(result: JobResult, address: str) -> JobResult:
    """A profile that says where it was timed."""
    return replace(result, details={**result.details, "measured_on": address}) if result.state == "done" else result
