"""One search after another, each a target left out of its own memory: what was found after so many evaluations, by the test score.

``oracle``: the search is rewarded by test scores, and the best of them counts, as published comparisons on NAS-Bench-Graph do.
``honest``: the search sees validation alone, chooses one of its rows by it, and the test score of that row counts.
"""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from typing import Literal

from agentnas.bench.problem import Lookup, Problem
from agentnas.bench.registry import DETERMINISTIC, searcher
from agentnas.bench.searchers import Choice, Memory, Searcher

CHECKPOINTS = (1, 10, 20, 30, 50, 100)
THREADS = "OMP_NUM_THREADS"
Kind = Literal["oracle", "honest"]


@dataclass(frozen=True)
class Job:
    """All searches of one searcher on one data set, by either reward."""

    searcher: str
    target: str
    sources: tuple[str, ...]
    published: bool
    seeds: int
    checkpoints: tuple[int, ...] = CHECKPOINTS


@dataclass(frozen=True)
class Score:
    """The test score (percent, or the table's own unit) of what a search had after ``evaluations``."""

    searcher: str
    target: str
    kind: Kind
    seed: int
    evaluations: int
    value: float


def jobs(searchers: Sequence[str], targets: Sequence[str], memory: Sequence[str], published: bool, seeds: int) -> list[Job]:
    """Every searcher on every data set, remembering the others of ``memory``; one seed for those that draw nothing."""
    return [
        Job(name, target, tuple(other for other in memory if other != target), published, 1 if name in DETERMINISTIC else seeds)
        for name in searchers
        for target in targets
    ]


def measure(job: Job, problems: Mapping[str, Problem]) -> list[Score]:
    """The scores of a job."""
    problem, search = problems[job.target], searcher(job.searcher)
    memory = Memory(tuple(problems[name] for name in job.sources), job.published)
    return [
        Score(job.searcher, job.target, kind, seed, count, value)
        for seed in range(job.seeds)
        for kind in ("oracle", "honest")
        for count, value in _search(search, problem, memory, kind, f"{job.searcher}:{job.target}:{kind}:{seed}", job.checkpoints)
    ]


def _search(
    search: Searcher, problem: Problem, memory: Memory, kind: Kind, seed: str, checkpoints: Sequence[int]
) -> Iterator[tuple[int, float]]:
    """The score at each checkpoint that the table is large enough for."""
    reward = problem.test if kind == "oracle" else problem.validation
    lookup = Lookup(reward, min(checkpoints[-1], len(reward)))
    choice = search(problem, memory, lookup, random.Random(seed))
    for count in [count for count in checkpoints if count <= len(lookup.order)]:
        yield count, float(problem.test[_found(lookup, choice, kind, count)])


def _found(lookup: Lookup, choice: Choice | None, kind: Kind, count: int) -> int:
    if choice is not None and kind == "honest":
        return choice(count)
    return max(lookup.order[:count], key=lookup.ask)


def measure_all(work: Sequence[Job], problems: Mapping[str, Problem], workers: int, done: Callable[[int], None]) -> list[Score]:
    """The scores of all jobs, in the order of the jobs for any number of ``workers``; ``done`` hears how many are finished."""
    if workers <= 1:
        found = {}
        for number, job in enumerate(work):
            found[number] = measure(job, problems)
            done(number + 1)
    else:
        found = _in_processes(work, problems, workers, done)
    return [score for number in range(len(work)) for score in found[number]]


def _in_processes(
    work: Sequence[Job], problems: Mapping[str, Problem], workers: int, done: Callable[[int], None]
) -> dict[int, list[Score]]:
    """Processes of one thread each: two of them finish before one with two threads."""
    found: dict[int, list[Score]] = {}
    with _one_thread(), ProcessPoolExecutor(workers, get_context("spawn"), _begin, (dict(problems),)) as pool:
        running = {pool.submit(_measure_here, job): number for number, job in enumerate(work)}
        for future in as_completed(running):
            found[running[future]] = future.result()
            done(len(found))
    return found


_problems: dict[str, Problem] = {}


def _begin(problems: dict[str, Problem]) -> None:
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    _problems.update(problems)


def _leave_with_parent() -> None:
    """Nobody reads what is measured once the parent was killed."""
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Processes that are started meanwhile compute with one thread; it has to be in their environment before they load anything."""
    before = os.environ.get(THREADS)
    os.environ[THREADS] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[THREADS]
        else:
            os.environ[THREADS] = before


def _measure_here(job: Job) -> list[Score]:
    return measure(job, _problems)
