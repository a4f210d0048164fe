"""Part ``list``: the same designs, the same stopping rule, two warm processes a side; rounds alternate between the sides.

The usual side gets the designs as PyG modules with dense features, ours as specs. Nothing is searched and nothing is stored: what is
compared is the cost of a full training alone. Starting processes and loading data is counted on neither side.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from statistics import fmean
from typing import Any

import torch

from agentnas.tools.tasks import load_task
from agentnas.tools.tasks.base import Task
from agentnas.tools.worker_main import _peak_mib, _reset_peak
from agentnas.tools.workers import Job, TaskRef, WorkerPool
from tests.benchmarks.usual_loop import Design, LoopData, spec_of, usual_training

WORKERS = 2
LIST = (
    Design("gcn"), Design("gcn", 128), Design("gcn", 64, 3), Design("sage"), Design("sage", 32), Design("sage", 64, 3), Design("gat"),
    Design("gat", 128), Design("appnp", 64, 10), Design("appnp", 128, 10), Design("gcnii", 64, 8), Design("gcnii", 64, 16),
)  # fmt: skip
Report = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Rule:
    """At most so many epochs; an epoch without a better validation score or loss counts against the patience."""

    epochs: int
    patience: int

    @property
    def text(self) -> str:
        return f"{self.epochs} epochs, patience {self.patience}"


@dataclass(frozen=True)
class Outcome:
    """One full training. ``peak_mib`` is the resident set size of its process."""

    design: str
    val: float
    epochs: int
    peak_mib: float


Side = Callable[[int], list[Outcome]]


def measure(task: str, rule: Rule, rounds: Iterable[int], designs: tuple[Design, ...], report: Report) -> None:
    """Time the list once in each round on both sides; ``report`` gets one row for each side and round, as they come."""
    sides: dict[str, Callable[[str, Rule, tuple[Design, ...]], AbstractContextManager[Side]]] = {"usual": _usual, "ours": _ours}
    with sides["usual"](task, rule, designs) as usual, sides["ours"](task, rule, designs) as ours:
        run = {"usual": usual, "ours": ours}
        for number in rounds:
            for name in sorted(run, reverse=number % 2 == 0):
                report({"part": "list", "task": task, "side": name, "round": number, "rule": rule.text, **_timed(run[name], number)})


def _timed(side: Side, number: int) -> dict[str, Any]:
    began = time.perf_counter()
    done = side(number)
    took = time.perf_counter() - began
    return {
        "trainings": len(done), "seconds": round(took, 3), "an_hour": round(3600 * len(done) / took, 1),
        "epochs_run": sum(one.epochs for one in done), "epochs_s": round(sum(one.epochs for one in done) / took, 2),
        "val": round(fmean(one.val for one in done), 3), "vals": {one.design: round(one.val, 2) for one in done},
        "peak_mib": round(max(one.peak_mib for one in done), 1),
    }  # fmt: skip


@contextmanager
def _ours(task: str, rule: Rule, designs: tuple[Design, ...]) -> Iterator[Side]:
    with WorkerPool(TaskRef(task), WORKERS) as pool:
        _warm_ours(pool)
        yield partial(_run_ours, pool, rule, designs)


def _warm_ours(pool: WorkerPool) -> None:
    """Both workers are up and have trained."""
    pool.start()
    spec = spec_of(Design("gcn"), 3).model_dump(mode="json")
    while sum(bool(worker and worker.ready) for worker in pool._slots) < WORKERS:
        list(pool.run([Job("warm", spec)]))
    list(pool.run(Job(f"warm{number}", spec) for number in range(4 * WORKERS)))


def _run_ours(pool: WorkerPool, rule: Rule, designs: tuple[Design, ...], number: int) -> list[Outcome]:
    jobs = []
    for design in designs:
        spec = spec_of(design, rule.epochs, patience=rule.patience).model_dump(mode="json")
        jobs.append(Job(design.name, spec, seed=number, split=number, time_limit_s=3600))
    done = []
    for result in pool.run(jobs):
        if result.val is None or result.epochs is None:
            raise RuntimeError(f"{result.id} failed: {result.reason}")
        done.append(Outcome(result.id, result.val, result.epochs, result.peak_memory_mib or 0.0))
    return done


@contextmanager
def _usual(task: str, rule: Rule, designs: tuple[Design, ...]) -> Iterator[Side]:
    with ProcessPoolExecutor(WORKERS, get_context("spawn"), _start, (task,)) as pool:
        pids = set[int]()
        while len(pids) < WORKERS:
            pids |= set(pool.map(_warm_usual, range(4 * WORKERS)))
        yield partial(_run_usual, pool, rule, designs)


def _run_usual(pool: ProcessPoolExecutor, rule: Rule, designs: tuple[Design, ...], number: int) -> list[Outcome]:
    return list(pool.map(partial(_train, rule=rule, number=number), designs))


_LOADED: dict[str, Any] = {}


def _start(name: str) -> None:
    """In a worker: one thread, the task in memory, PyG imported."""
    torch.set_num_threads(1)
    import torch_geometric.nn  # noqa: F401 - part of the start

    task = load_task(name)
    assert task.data is not None
    _LOADED.update(task=task, data=LoopData.of(task.data, task.split(0), "cpu"))


def _warm_usual(number: int) -> int:
    usual_training(Design("gcn"), _LOADED["data"], 3, number)
    return os.getpid()


def _train(design: Design, rule: Rule, number: int) -> Outcome:
    task: Task = _LOADED["task"]
    data: LoopData = _LOADED["data"].on(task.split(number))
    _reset_peak()
    trained = usual_training(design, data, rule.epochs, number, rule.patience)
    return Outcome(design.name, trained.val, trained.epochs, _peak_mib() or 0.0)
