"""A pool of worker processes that train, profile and test candidates, where a candidate that misbehaves fails alone.

Each worker is a process (``worker_main``) with one torch thread that stays warm; where the system allows, all are forked from one process
that has imported torch and loaded the task (``fork_server``). Parent and worker exchange JSON over a socket: nothing is pickled, and the
caller's ``__main__`` is not imported again. What is enforced from outside: the time limit (cooperatively in the worker first, then by
killing it), the memory limit (resident set size, sampled), and death of any kind. On a CUDA device several workers share its memory: jobs
run side by side as far as their predicted needs allow, and one that ran out of memory beside others is tried once more alone. What is not
enforced: a worker has the rights of the person who runs it; this is no sandbox against hostile code.
"""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from multiprocessing.connection import Pipe, wait
from pathlib import Path
from typing import Any, Literal

from agentnas.tools import errors
from agentnas.tools.errors import AgentNASError, RunError
from agentnas.tools.fork_server import Forked, ForkServer, Spawned, WorkerProcess
from agentnas.tools.placement import Need, Placement

JobKind = Literal["train", "profile", "test"]
Failure = Literal["timeout", "memory", "diverged", "crashed", "error"]

POLL_S = 0.1
START_LIMIT_S = 180.0
START_ATTEMPTS = 3


@dataclass(frozen=True)
class TaskRef:
    """What a worker needs to load the task by itself: the arguments of ``load_task``, or the file of a packed task."""

    name: str
    data_dir: str | Path | None = None
    split: str | None = None
    packed: str | None = None

    def message(self) -> dict[str, Any]:
        """As it is sent to a worker."""
        return {**asdict(self), "data_dir": None if self.data_dir is None else str(self.data_dir)}


@dataclass(frozen=True)
class Job:
    """One piece of work. ``train`` writes weights to ``save_weights`` (None: nowhere), ``test`` reads them from there.

    ``epochs`` caps the recipe's; ``time_limit_s`` counts from the moment a warm worker gets the job. A training that has an epoch by then
    ends with its best one, after ``cut_after_s`` already where that is given; one that has none fails. ``device_mib`` is the memory that it
    is predicted to need on a CUDA device, ``alone`` keeps others off the device meanwhile, ``capture`` allows it to record CUDA graphs.
    """

    id: str
    spec: dict[str, Any]
    seed: int = 0
    split: int = 0
    epochs: int | None = None
    time_limit_s: float = 600.0
    cut_after_s: float | None = None
    save_weights: str | None = None
    kind: JobKind = "train"
    device_mib: float | None = None
    alone: bool = False
    capture: bool = True

    @property
    def need(self) -> Need:
        return Need(self.device_mib, self.alone)


@dataclass(frozen=True)
class JobResult:
    """What became of a job. ``val`` is in percent; ``peak_memory_mib`` is the worker's resident set size, torch and task included.

    ``details``: for ``train`` the loss curve and train score, for ``profile`` the profile, for ``test`` the score under ``test``.
    """

    id: str
    state: Literal["done", "failed"]
    kind: Failure | None = None
    reason: str = ""
    val: float | None = None
    seconds: float = 0.0
    epochs: int | None = None
    best_epoch: int | None = None
    details: dict[str, Any] = field(default_factory=dict)
    peak_memory_mib: float | None = None


class WorkerPool:
    """``workers`` processes for one task; they start at ``start()`` or the first ``run``.

    ``server`` makes the workers (None: one is started where the system allows it); it ends with the pool.
    ``placement`` says which jobs may share a device (None: the usual one on CUDA, and all jobs side by side on the CPU).
    ``device``: ``cpu``, ``cuda`` (worker i takes device i, modulo their number) or ``cuda:N``. ``memory_mb`` limits the resident set size
    of each worker in MiB (None: no limit). A worker still busy ``grace_s`` after its job's time limit is killed. One ``run`` at a time.
    """

    def __init__(
        self, task: TaskRef, workers: int = 1, device: str = "cpu", memory_mb: float | None = None, *, grace_s: float = 5.0,
        placement: Placement | None = None, server: ForkServer | None = None,
    ) -> None:  # fmt: skip
        if workers < 1:
            raise errors.UsageError(f"workers is {workers}, allowed: 1 or more")
        self._task, self._device, self._memory_mb, self._grace_s = task, device, memory_mb, grace_s
        self._slots: list[_Worker | None] = [None] * workers
        self._placement = placement or (None if device == "cpu" else Placement())
        self._ended: dict[str, tuple[Job, bool]] = {}  # jobs whose results are not handed over yet, and whether they shared a device
        self._failed_starts = 0
        self._server = server

    @property
    def device(self) -> str:
        """``cpu``, ``cuda`` or ``cuda:N``."""
        return self._device

    def start(self) -> None:
        """Start the workers that do not run yet; returns at once, they warm up by themselves."""
        for slot, worker in enumerate(self._slots):
            if worker is None:
                self._slots[slot] = self._new(slot)

    def run(self, jobs: Iterable[Job | None], stop: Callable[[], bool] = lambda: False) -> Iterator[JobResult]:
        """Results as they finish, one for each job that was handed out.

        Jobs are drawn from ``jobs`` when a worker is free; None says that nothing is due now, and is asked again after the next result,
        or a moment later. Once ``stop()`` is true no further job is drawn, and the running ones are
        finished. Leaving the iterator early kills the running jobs. Raises what loading the task raises in a worker, or RunError where
        workers cannot start.
        """
        queue = _Queue(jobs, stop)
        try:
            while self._hand_out(queue) or self._busy():
                for result in (*self._listen(), *self._police()):
                    if again := self._second_try(result):
                        queue.put_back(again)
                    else:
                        yield result
        finally:
            for worker in self._busy():
                self._drop(worker)

    def close(self) -> None:
        """End all workers; safe to call twice, and the pool can be used again afterwards."""
        workers = [worker for worker in self._slots if worker]
        self._slots = [None] * len(self._slots)
        for worker in workers:
            worker.connection.close()  # an idle worker leaves when its parent hangs up
        for worker in workers:
            worker.end(patience_s=2.0)
        if self._server:
            self._server.close()
            self._server = None

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _new(self, slot: int) -> _Worker:
        """A worker, forked where that is possible."""
        if self._server and not self._server.alive:
            self._server.close()
            self._server = None
        if self._server is None and ForkServer.possible():
            self._server = ForkServer()
        if self._server:
            self._server.prepare(self._task.message(), self._device)
        return _Worker(self._task, self._device, slot, self._grace_s, self._server)

    def _busy(self) -> list[_Worker]:
        return [worker for worker in self._slots if worker and worker.job]

    def _hand_out(self, queue: _Queue) -> bool:
        """Give jobs to free workers, and start workers only while a job waits; whether one still waits, or may come."""
        for slot, worker in enumerate(self._slots):
            if worker and worker.job:
                continue
            if not queue.waiting():
                return queue.open
            if worker is None:
                self._slots[slot] = self._new(slot)
            elif worker.ready and not self._fits(worker, queue.next):
                break  # none overtakes a job that waits for room: it would wait for ever
            elif worker.ready:
                worker.give(queue.take())
                for one in self._beside(worker):
                    one.shared = worker.shared = True
        return True

    def _fits(self, worker: _Worker, job: Job) -> bool:
        """Whether there is room for a job on the worker's device."""
        if self._placement is None:
            return True
        workers = sum(one is not None and one.device == worker.device for one in self._slots)
        return self._placement.fits(worker.device, job.need, [one.job.need for one in self._beside(worker) if one.job], workers)

    def _beside(self, worker: _Worker) -> list[_Worker]:
        """Other workers that are busy on the same device."""
        return [one for one in self._busy() if one is not worker and one.device == worker.device]

    def _second_try(self, result: JobResult) -> Job | None:
        """The job once more: alone after it ran out of memory beside others, without CUDA graphs where recording one failed."""
        job, shared = self._ended.pop(result.id, (None, False))
        if self._placement is None or job is None or result.state == "done":
            return None
        if result.kind == "memory" and shared and not job.alone:
            return replace(job, alone=True)
        if result.details.get("capture_failed") and job.capture:
            return replace(job, capture=False)
        return None

    def _listen(self) -> Iterator[JobResult]:
        """Wait a moment for messages and deaths."""
        workers = [worker for worker in self._slots if worker]
        spoke = wait([worker.connection for worker in workers], POLL_S)
        for worker in workers:
            if worker.connection in spoke:
                try:
                    message = json.loads(worker.connection.recv_bytes())
                except (EOFError, OSError):
                    yield from self._lost(worker)
                else:
                    yield from self._heard(worker, message)

    def _heard(self, worker: _Worker, message: dict[str, Any]) -> Iterator[JobResult]:
        if "broken" in message:
            self._drop(worker)
            raise getattr(errors, message["broken"]["error"], AgentNASError)(message["broken"]["message"])
        if "ready" in message:
            worker.ready, worker.device = True, message.get("device", worker.device)
            self._failed_starts = 0
            if self._placement is not None and "capacity_mib" in message:
                self._placement.capacity_mib[worker.device] = message["capacity_mib"]
        else:
            self._finish(worker)
            if message.get("leaves"):  # it must not be given another job, which would be lost with it
                self._drop(worker)
            yield JobResult(**message["result"])

    def _lost(self, worker: _Worker) -> Iterator[JobResult]:
        """The worker is gone: its job failed, or it never started."""
        job = worker.job
        kind, reason = worker.post_mortem()
        self._finish(worker)
        self._drop(worker)
        if job:
            yield worker.failure(job, kind, reason)
        elif not worker.ready:
            self._failed_starts += 1
            if self._failed_starts >= START_ATTEMPTS:
                raise RunError(f"worker processes do not start: {reason}")

    def _police(self) -> Iterator[JobResult]:
        """Kill workers that are over a limit."""
        for worker in [worker for worker in self._slots if worker]:
            used = worker.resident_mib()
            if not worker.ready and time.monotonic() - worker.since > START_LIMIT_S:
                self._drop(worker)
                raise RunError(f"a worker did not start within {START_LIMIT_S:g} s; check the disk and the machine's load")
            if worker.job is None:
                continue
            if time.monotonic() - worker.since > worker.job.time_limit_s + self._grace_s:
                yield self._kill(worker, "timeout", f"did not end within {worker.job.time_limit_s:g} s and was stopped")
            elif self._memory_mb is not None and used > self._memory_mb:
                yield self._kill(worker, "memory", f"used {used:,.0f} MiB, limit {self._memory_mb:,.0f} MiB a worker")

    def _kill(self, worker: _Worker, kind: Failure, reason: str) -> JobResult:
        assert worker.job is not None
        result = worker.failure(worker.job, kind, reason)
        self._finish(worker)
        self._drop(worker)
        return result

    def _finish(self, worker: _Worker) -> None:
        """The worker's job has ended, one way or another."""
        if worker.job is not None:
            self._ended[worker.job.id] = (worker.job, worker.shared)
        worker.job = None

    def _drop(self, worker: _Worker) -> None:
        self._slots[self._slots.index(worker)] = None
        worker.job = None
        worker.end(patience_s=0.0)


class _Queue:
    """Jobs yet to be handed out, drawn one ahead at most. ``open``: a job may still come, though none is due now."""

    def __init__(self, jobs: Iterable[Job | None], stop: Callable[[], bool]) -> None:
        self._jobs, self._stop, self._closed = iter(jobs), stop, False
        self._held: list[Job] = []
        self._again: list[Job] = []

    def waiting(self) -> bool:
        """Whether a job waits; never again after the caller wanted no more or nothing was left, but for jobs that are put back."""
        if self._again:
            return True
        self._closed = self._closed or self._stop()
        if not self._closed and not self._held:
            drawn = list(islice(self._jobs, 1))
            self._closed = not drawn
            self._held = [job for job in drawn if job is not None]
        return not self._closed and bool(self._held)

    @property
    def open(self) -> bool:
        return not self._closed

    def put_back(self, job: Job) -> None:
        """A job that was taken is to be done once more, before all others."""
        self._again.append(job)

    @property
    def next(self) -> Job:
        """The job that ``take`` will return."""
        return (self._again or self._held)[0]

    def take(self) -> Job:
        return (self._again or self._held).pop(0)


class _Worker:
    """One process and our end of its socket. ``since`` is when it started, or when it got its job."""

    def __init__(self, task: TaskRef, device: str, index: int, grace_s: float, server: ForkServer | None) -> None:
        self.job: Job | None = None
        self.ready, self.shared, self.device = False, False, device
        self.peak_mib = 0.0
        self.since = time.monotonic()
        self.connection, theirs = Pipe()
        with theirs:
            self.process: WorkerProcess = Forked(server, theirs.fileno()) if server else Spawned(theirs.fileno())
        self._send({"task": task.message(), "device": device, "index": index, "grace_s": grace_s})

    def give(self, job: Job) -> None:
        self.job, self.since, self.peak_mib, self.shared = job, time.monotonic(), 0.0, False
        self._send(asdict(job))

    def _send(self, message: dict[str, Any]) -> None:
        # A worker that died is noticed when its end of the socket is read.
        with contextlib.suppress(OSError):
            self.connection.send_bytes(json.dumps(message).encode())

    def resident_mib(self) -> float:
        """Resident set size in MiB; 0 where the process is gone."""
        used = self.process.resident_mib()
        self.peak_mib = max(self.peak_mib, used)
        return used

    def failure(self, job: Job, kind: Failure, reason: str) -> JobResult:
        return JobResult(job.id, "failed", kind, reason, seconds=time.monotonic() - self.since, peak_memory_mib=round(self.peak_mib, 1))

    def end(self, patience_s: float) -> None:
        """Hang up, wait for the process to leave, then kill it."""
        self.connection.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(patience_s if self.process.began else 0.0)
        self.process.kill()
        self.process.wait()
        self.process.log.close()

    def post_mortem(self) -> tuple[Failure, str]:
        """Why the process died by itself."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(5.0)
        code = self.process.returncode
        if code == -signal.SIGALRM:
            return "timeout", "did not end within its time limit"
        if code == -signal.SIGKILL:
            return "memory", "was killed by the system (SIGKILL), most likely for want of memory"
        cause = "a closed connection" if code is None else signal.Signals(-code).name if code < 0 else f"exit code {code}"
        last = self.process.last_words()
        return "crashed", f"worker process ended with {cause}{f' ({last[:200]})' if last else ''}"
