"""Which jobs share a device, and what becomes of those that ran out of its memory; with workers that only answer."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from multiprocessing.connection import Pipe
from pathlib import Path
from typing import Any

import pytest

from agentnas.tools import placement, workers
from agentnas.tools.fork_server import ForkServer
from agentnas.tools.placement import CONTEXT_MIB, SHARE, Need, Placement
from agentnas.tools.workers import Job, JobResult, TaskRef, WorkerPool

CAPACITY = 10_000.0
Answer = Callable[[Job], JobResult]


@pytest.mark.parametrize(
    ("need", "running", "fits"),
    [
        (Need(1e9), [], True),  # alone everything may try
        (Need(3000), [Need(3000)], True),
        (Need(3000), [Need(5000)], False),
        (Need(None), [Need(5000)], True),
        (Need(1, alone=True), [Need(1)], False),
        (Need(1), [Need(1, alone=True)], False),
    ],
)
def test_what_fits_beside_what_runs(need: Need, running: list[Need], fits: bool) -> None:
    assert Placement({"cuda:0": CAPACITY}).fits("cuda:0", need, running, workers=2) is fits


def test_contexts_of_idle_workers_count_and_an_unknown_device_has_room() -> None:
    room = SHARE * CAPACITY - 2 * CONTEXT_MIB
    rules = Placement({"cuda:0": CAPACITY})
    assert rules.fits("cuda:0", Need(room - 10), [Need(10)], workers=2)
    assert not rules.fits("cuda:0", Need(room - 10), [Need(10)], workers=3)
    assert rules.fits("cuda:1", Need(1e9), [Need(10)], workers=3)


def test_the_driver_tells_the_smallest_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert placement.smallest_device_mib() is None
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 81559\necho 24576\n")
    program.chmod(0o755)
    assert placement.smallest_device_mib() == 24576
    program.write_text("#!/bin/sh\necho 'NVIDIA-SMI has failed'\nexit 9\n")
    assert placement.smallest_device_mib() is None


class Stub:
    """A worker on ``cuda:0`` that answers each job after a moment; it leaves after errors, as the real one does."""

    answer: Answer
    given: list[tuple[str, bool, bool, int]]  # id, alone, capture, which worker
    together: list[set[str]]
    running: set[str]

    def __init__(self, task: TaskRef, device: str, index: int, grace_s: float, server: ForkServer | None) -> None:
        self.job: Job | None = None
        self.ready, self.shared, self.device, self.left = False, False, "cuda:0", False
        self.since = time.monotonic()
        self.connection, self.theirs = Pipe()
        self._send({"ready": True, "device": "cuda:0", "capacity_mib": CAPACITY})

    def give(self, job: Job) -> None:
        self.job, self.shared, self.since = job, False, time.monotonic()
        Stub.given.append((job.id, job.alone, job.capture, id(self)))
        Stub.running.add(job.id)
        Stub.together.append(set(Stub.running))
        if self.left:
            self.theirs.close()
        else:
            threading.Timer(0.1, self._answer, [job]).start()

    def _answer(self, job: Job) -> None:
        result = Stub.answer(job)
        self.left = result.kind in ("memory", "error")
        Stub.running.discard(job.id)
        self._send({"result": asdict(result), "leaves": self.left})

    def _send(self, message: dict[str, Any]) -> None:
        self.theirs.send_bytes(json.dumps(message).encode())

    def resident_mib(self) -> float:
        return 0.0

    def failure(self, job: Job, kind: workers.Failure, reason: str) -> JobResult:
        return JobResult(job.id, "failed", kind, reason)

    def post_mortem(self) -> tuple[workers.Failure, str]:
        return "crashed", "worker process ended with exit code 0"

    def end(self, patience_s: float) -> None:
        self.connection.close()


@pytest.fixture
def stubs(monkeypatch: pytest.MonkeyPatch) -> type[Stub]:
    monkeypatch.setattr(workers, "_Worker", Stub)
    Stub.given, Stub.together, Stub.running = [], [], set()
    Stub.answer = staticmethod(lambda job: JobResult(job.id, "done", val=1.0))
    return Stub


def run(jobs: list[Job], count: int = 2) -> dict[str, JobResult]:
    with WorkerPool(TaskRef("digits"), count, "cuda:0") as pool:
        pool.start()
        list(pool._listen())  # both are ready
        return {result.id: result for result in pool.run(jobs)}


def without_memory(*ids: str) -> Answer:
    return staticmethod(lambda job: JobResult(job.id, "failed", "memory", "no room") if job.id in ids else JobResult(job.id, "done"))


def test_one_without_memory_is_tried_once_more_alone_and_its_neighbours_live(stubs: type[Stub]) -> None:
    stubs.answer = without_memory("bad")
    results = run([Job(name, {}) for name in ("a", "bad", "b", "c", "d")])
    assert (results["bad"].state, results["bad"].kind) == ("failed", "memory")
    assert {name for name, result in results.items() if result.state == "done"} == {"a", "b", "c", "d"}
    assert [alone for name, alone, _, _ in stubs.given if name == "bad"] == [False, True]
    assert {"bad"} in stubs.together


def test_one_that_was_alone_is_not_tried_again(stubs: type[Stub]) -> None:
    stubs.answer = without_memory("bad")
    results = run([Job("bad", {}), Job("a", {})], count=1)
    assert (results["bad"].kind, results["a"].state) == ("memory", "done")
    assert [name for name, *_ in stubs.given] == ["bad", "a"]


def test_no_job_goes_to_a_worker_that_leaves(stubs: type[Stub]) -> None:
    stubs.answer = without_memory("bad0", "bad1")
    run([Job(name, {}) for name in ("bad0", "a", "bad1", "b")], count=1)
    places = {name: worker for name, _, _, worker in stubs.given}
    assert places["a"] != places["bad0"]
    assert places["b"] != places["bad1"]


def test_a_recording_that_failed_is_done_without(stubs: type[Stub]) -> None:
    def answer(job: Job) -> JobResult:
        if job.capture:
            return JobResult(job.id, "failed", "error", "could not be recorded", details={"capture_failed": True})
        return JobResult(job.id, "done")

    stubs.answer = staticmethod(answer)
    assert run([Job("a", {})], count=1)["a"].state == "done"
    assert [capture for _, _, capture, _ in stubs.given] == [True, False]


def test_jobs_wait_for_room(stubs: type[Stub]) -> None:
    results = run([Job("small", {}, device_mib=2000), Job("large", {}, device_mib=9000), Job("last", {}, device_mib=2000)])
    assert all(result.state == "done" for result in results.values())
    assert [ids for ids in stubs.together if len(ids) > 1] == []
    stubs.together.clear()
    run([Job(name, {}, device_mib=2000) for name in "abcd"])
    assert {"a", "b"} in stubs.together
