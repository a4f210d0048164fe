"""From scores to what is shown: means, standard errors, paired differences, and the published rows beside them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

from agentnas.agents.statistics import mean_and_sd, standard_error
from agentnas.bench.measure import Kind, Score


@dataclass(frozen=True)
class Mean:
    """A mean over data sets of the means over seeds. ``se``: of its search seeds alone; None where there is one seed."""

    searcher: str
    kind: Kind
    evaluations: int
    value: float
    se: float | None
    data_sets: int
    seeds: int


@dataclass(frozen=True)
class Difference:
    """A searcher minus another, paired over data sets (means over seeds): the standard error is over data sets, None for one alone."""

    searcher: str
    against: str
    kind: Kind
    evaluations: int
    value: float
    se: float | None


Table = dict[tuple[str, Kind, int], dict[str, list[float]]]


def by_target(scores: Iterable[Score]) -> Table:
    """(searcher, kind, evaluations) -> data set -> the scores of its seeds."""
    table: Table = {}
    for score in scores:
        table.setdefault((score.searcher, score.kind, score.evaluations), {}).setdefault(score.target, []).append(score.value)
    return table


def means(scores: Iterable[Score], targets: Sequence[str]) -> list[Mean]:
    """Over the data sets ``targets``; a searcher that lacks one of them at some number of evaluations is left out there."""
    found = []
    for (searcher, kind, count), values in by_target(scores).items():
        if all(target in values for target in targets):
            found.append(_mean(searcher, kind, count, [values[target] for target in targets]))
    return found


def _mean(searcher: str, kind: Kind, count: int, values: Sequence[Sequence[float]]) -> Mean:
    errors = [standard_error(seeds) for seeds in values]
    squares = [error**2 for error in errors if error is not None]
    se = sum(squares) ** 0.5 / len(values) if len(squares) == len(values) else None
    value = mean_and_sd([mean_and_sd(seeds)[0] for seeds in values])[0]
    return Mean(searcher, kind, count, value, se, len(values), min(len(seeds) for seeds in values))


def differences(scores: Iterable[Score], targets: Sequence[str], ours: str) -> list[Difference]:
    """``ours`` minus each of the other searchers."""
    table, found = by_target(scores), []
    for (searcher, kind, count), theirs in table.items():
        own = table.get((ours, kind, count), {})
        if searcher != ours and all(target in theirs and target in own for target in targets):
            gaps = [mean_and_sd(own[target])[0] - mean_and_sd(theirs[target])[0] for target in targets]
            found.append(Difference(ours, searcher, kind, count, mean_and_sd(gaps)[0], standard_error(gaps)))
    return found


@lru_cache(maxsize=1)
def published() -> dict[str, Any]:
    """The rows that others published: ``source``, ``note``, and per method the means by evaluations and the data sets at 30."""
    text = (resources.files("agentnas.bench") / "published.json").read_text(encoding="utf-8")
    rows: dict[str, Any] = json.loads(text)
    return rows
