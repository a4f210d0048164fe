"""What a split does to the scores of all designs alike, taken out: some parts of a data set are easier than others."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping


def split_offsets(trained: Iterable[Mapping[int, float]], first: int) -> dict[int, float]:
    """How much easier (in points) the split behind a seed is than the mean of the splits that were trained on so far, from the scores by
    seed of each design; the first ``first`` seeds, which every design has, share one figure. Empty before a design has more than those.

    Trials with more seeds saw other splits than trials with few: without this, a mean over easy splits would look like a better design.
    A design that has all seeds keeps its mean.
    """
    gaps: dict[int, list[float]] = {}
    for scores in trained:
        base = [scores[seed] for seed in range(first) if seed in scores]
        for seed in [seed for seed in scores if seed >= first and len(base) == first]:
            gaps.setdefault(seed, []).append(scores[seed] - sum(base) / first)
    if not gaps:
        return {}
    found = dict.fromkeys(range(first), 0.0) | {seed: sum(values) / len(values) for seed, values in gaps.items()}
    middle = sum(found.values()) / len(found)
    return {seed: offset - middle for seed, offset in found.items()}


def levelled(scores: Mapping[int, float], offsets: Mapping[int, float]) -> float:
    """Mean of the scores less what their splits make easier; a split of which that is not known is taken for one of the first."""
    known = offsets.get(0, 0.0)
    return math.fsum(score - offsets.get(seed, known) for seed, score in scores.items()) / len(scores)
