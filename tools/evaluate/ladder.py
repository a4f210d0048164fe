"""The ladder: which trials may climb to the next rung. Pure functions over scores, so that a resumed run climbs the same way."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from agentnas.tools.evaluate.base import Rung

# One fixed split: seeds differ only by initialisation, one seed screens well. Several splits: one split says little, so more of them.
ONE_SPLIT = (Rung("short", 0.25, 1, 1.0), Rung("full", 1.0, 1, 0.5), Rung("seeds", 1.0, 3, 0.25))
MANY_SPLITS = (Rung("short", 0.25, 1, 1.0), Rung("full", 1.0, 3, 0.5), Rung("seeds", 1.0, 6, 0.25))
TABLE = (Rung("table", 1.0, 1, 1.0),)


def rungs_for(num_splits: int) -> tuple[Rung, ...]:
    """The ladder of a task with so many splits."""
    return ONE_SPLIT if num_splits == 1 else MANY_SPLITS


def promoted(scores: Mapping[str, float], share: float) -> list[str]:
    """The best ``share`` of the trials (at least one), best first; ties go to the earlier trial."""
    ranked = sorted(scores, key=lambda trial: (-scores[trial], trial))
    return ranked[: max(1, math.ceil(share * len(ranked)))] if ranked else []


def spearman(pairs: Sequence[tuple[float, float]]) -> float | None:
    """Rank correlation with mean ranks for ties; None for fewer than three pairs or a constant side."""
    if len(pairs) < 3:
        return None
    first, second = _ranks([a for a, _ in pairs]), _ranks([b for _, b in pairs])
    return _pearson(first, second)


def _ranks(values: Sequence[float]) -> list[float]:
    order = sorted(range(len(values)), key=lambda i: values[i])
    ranks = [0.0] * len(values)
    start = 0
    while start < len(order):
        end = start
        while end + 1 < len(order) and values[order[end + 1]] == values[order[start]]:
            end += 1
        for i in order[start : end + 1]:
            ranks[i] = (start + end) / 2
        start = end + 1
    return ranks


def _pearson(a: Sequence[float], b: Sequence[float]) -> float | None:
    mean_a, mean_b = sum(a) / len(a), sum(b) / len(b)
    cov = sum((x - mean_a) * (y - mean_b) for x, y in zip(a, b, strict=True))
    var = sum((x - mean_a) ** 2 for x in a) * sum((y - mean_b) ** 2 for y in b)
    return None if var == 0 else cov / math.sqrt(var)
