"""The benchmarks: on NAS-Bench-Graph, or on a table of anybody's; every data set in turn is new, the others are remembered."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path

from agentnas.bench.cells_problem import APART, cell_problems
from agentnas.bench.llm_agents import LLMPart, estimated, run_part
from agentnas.bench.measure import jobs, measure_all
from agentnas.bench.registry import ABLATIONS, AGENTS, LLM, SEARCHERS, searcher
from agentnas.bench.report import Outcome
from agentnas.bench.table_problem import table_problems
from agentnas.tools.errors import UsageError, suggest
from agentnas.tools.tasks.catalog import TABLES

REGIMES = ("strict", "published")
CARDS = "cards"


def run_nasbench(
    searchers: Sequence[str] = (), data_sets: Sequence[str] = (), *, seeds: int = 20, regime: str = "strict",
    without: Sequence[str] = (), workers: int = 2, done: Callable[[int, int], None] = lambda finished, all_: None,
    llm: LLMPart | None = None, tell: Callable[[str], None] = lambda line: None,
) -> Outcome:  # fmt: skip
    """Measure ``searchers`` (all where none is named) on ``data_sets`` (all); the memory is always that of all other ones but proteins.

    ``regime``: ``strict`` remembers validation scores alone, ``published`` test scores too. ``without`` adds the agents without a part of
    their memory. ``done`` hears how many jobs of how many are finished. ``llm`` are the language models, asked once all else is measured;
    ``tell`` hears a line on what they will take, and one a search. Raises UsageError for names that do not exist.
    """
    names, llm = _names(searchers, [what for what in without if what != CARDS], regime), _with_cards(llm, searchers, without)
    targets = [_checked(name, TABLES, "data set") for name in data_sets or TABLES]
    if llm is not None:
        tell(estimated(llm, targets))
    memory = [name for name in TABLES if name not in APART]
    problems = {problem.name: problem for problem in cell_problems([name for name in TABLES if name in {*memory, *targets}])}
    work = jobs(names, targets, memory, regime == "published", seeds)
    scores = measure_all(work, problems, workers, lambda finished: done(finished, len(work)))
    asked, account = run_part(llm, problems, targets, memory, regime == "published", tell) if llm else ([], None)
    averaged = tuple(name for name in targets if name not in APART) or tuple(targets)
    apart = tuple(name for name in targets if name not in averaged)
    ours = LLM if asked else AGENTS if AGENTS in names else None
    return Outcome((*scores, *asked), averaged, apart, ours, cited=len(averaged) == len(memory), llm=account)


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
    """The searchers asked for, but the language models, and the ablations; all known."""
    chosen = [name for name in searchers if name != LLM]
    names = [*(chosen if searchers else SEARCHERS), *(f"{AGENTS} without {_checked(what, ABLATIONS, 'ablation')}" for what in without)]
    for name in names:
        searcher(name)
    _checked(regime, REGIMES, "regime")
    return names


def _with_cards(llm: LLMPart | None, searchers: Sequence[str], without: Sequence[str]) -> LLMPart | None:
    """The language models' part, with its ablation where that is asked for."""
    if llm is None and LLM in searchers:
        raise UsageError(f"searcher {LLM!r} needs a language model; give --llm, for example --llm openai:gpt-5-mini")
    if llm is None and CARDS in without:
        raise UsageError("--without cards: rules read no paper cards; give --llm too, or leave it out")
    return replace(llm, without_cards=llm.without_cards or CARDS in without) if llm else None


def _checked(name: str, allowed: Collection[str], what: str) -> str:
    if name not in allowed:
        raise UsageError(f"{what} {name!r} does not exist; {suggest(name, allowed)}")
    return name
