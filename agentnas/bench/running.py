"""The benchmarks: on NAS-Bench-Graph, or on a table of anybody's; every data set in turn is new, the others are remembered."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path

from agentnas.bench.cells_problem import APART, cell_problems
from agentnas.bench.measure import jobs, measure_all
from agentnas.bench.registry import ABLATIONS, AGENTS, SEARCHERS, searcher
from agentnas.bench.report import Outcome
from agentnas.bench.table_problem import table_problems
from agentnas.tools.errors import UsageError, suggest
from agentnas.tools.tasks.catalog import TABLES

REGIMES = ("strict", "published")


def run_nasbench(
    searchers: Sequence[str] = (), data_sets: Sequence[str] = (), *, seeds: int = 20, regime: str = "strict",
    without: Sequence[str] = (), workers: int = 2, done: Callable[[int, int], None] = lambda finished, all_: None,
) -> Outcome:  # fmt: skip
    """Measure ``searchers`` (all where none is named) on ``data_sets`` (all); the memory is always that of all other ones but proteins.

    ``regime``: ``strict`` remembers validation scores alone, ``published`` test scores too. ``without`` adds the agents without a part of
    their memory. ``done`` hears how many jobs of how many are finished. Raises UsageError for names that do not exist.
    """
    names = _names(searchers, without, regime)
    targets = [_checked(name, TABLES, "data set") for name in data_sets or TABLES]
    memory = [name for name in TABLES if name not in APART]
    problems = {problem.name: problem for problem in cell_problems([name for name in TABLES if name in {*memory, *targets}])}
    work = jobs(names, targets, memory, regime == "published", seeds)
    scores = measure_all(work, problems, workers, lambda finished: done(finished, len(work)))
    averaged = tuple(name for name in targets if name not in APART) or tuple(targets)
    apart = tuple(name for name in targets if name not in averaged)
    return Outcome(tuple(scores), averaged, apart, AGENTS if AGENTS in names else None, cited=len(averaged) == len(memory))


def run_table(
    path: Path, searchers: Sequence[str] = (), *, seeds: int = 20, maximize: bool = True, regime: str = "strict",
    without: Sequence[str] = (), workers: int = 2, done: Callable[[int, int], None] = lambda finished, all_: None,
) -> Outcome:  # fmt: skip
    """The same on a CSV of trials; see ``table_problems`` for what it holds and what is raised. Values keep the file's sign."""
    names = _names(searchers, without, regime)
    problems = {problem.name: problem for problem in table_problems(path, maximize=maximize)}
    work = jobs(names, tuple(problems), tuple(problems), regime == "published", seeds)
    scores = measure_all(work, problems, workers, lambda finished: done(finished, len(work)))
    if not maximize:
        scores = [replace(score, value=-score.value) for score in scores]
    return Outcome(tuple(scores), tuple(problems), (), AGENTS if AGENTS in names else None)


def _names(searchers: Sequence[str], without: Sequence[str], regime: str) -> list[str]:
    """The searchers asked for and the ablations, all known."""
    names = [*(searchers or SEARCHERS), *(f"{AGENTS} without {_checked(what, ABLATIONS, 'ablation')}" for what in without)]
    for name in names:
        searcher(name)
    _checked(regime, REGIMES, "regime")
    return names


def _checked(name: str, allowed: Collection[str], what: str) -> str:
    if name not in allowed:
        raise UsageError(f"{what} {name!r} does not exist; {suggest(name, allowed)}")
    return name
