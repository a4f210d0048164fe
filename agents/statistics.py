"""What the numbers of a run say: noise floor, paired effects of changed factors, plateau. Computed by code, never by a model."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agentnas.agents.situation import Record, Situation
from agentnas.tools.evaluate.base import Rung


@dataclass(frozen=True)
class Effect:
    """Mean gain of children over their parents when one factor was changed, paired by rung and seed (percentage points)."""

    factor: str
    trials: tuple[str, ...]
    mean: float
    se: float | None
    best: float

    @property
    def count(self) -> int:
        return len(self.trials)


def mean_and_sd(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean and sample standard deviation; the latter is None for fewer than two values."""
    mean = sum(values) / len(values)
    if len(values) < 2:
        return mean, None
    return mean, math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))


def standard_error(values: Sequence[float]) -> float | None:
    """Standard error of the mean; None for fewer than two values."""
    _, sd = mean_and_sd(values)
    return None if sd is None else sd / math.sqrt(len(values))


def noise_floor(records: Sequence[Record], rungs: Sequence[Rung]) -> float | None:
    """Pooled standard deviation between seeds of one spec at full fidelity; None where no spec has two seeds."""
    squares, freedom = 0.0, 0
    for record in records:
        for values in (list(record.full_scores(rungs).values()), record.confirmed()):
            if len(values) > 1:
                mean = sum(values) / len(values)
                squares += sum((value - mean) ** 2 for value in values)
                freedom += len(values) - 1
    return math.sqrt(squares / freedom) if freedom else None


def paired_gain(child: Record, parent: Record, rungs: Sequence[Rung]) -> float | None:
    """Mean difference over the seeds that both have, at the highest rung that both reached."""
    for rung in reversed(rungs):
        ours, theirs = (record.scores.get(rung.name, {}) for record in (child, parent))
        if rung.epochs >= 1.0:
            ours, theirs = child.full_scores(rungs), parent.full_scores(rungs)
        common = sorted(set(ours) & set(theirs))
        if common:
            return sum(ours[seed] - theirs[seed] for seed in common) / len(common)
    return None


def effects(situation: Situation) -> list[Effect]:
    """Effect of each factor that was changed alone, largest mean first."""
    known = situation.by_trial()
    gains: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for record in situation.records:
        parent = known.get(record.proposal.parent or "")
        if parent is None or record.proposal.factor is None:
            continue
        gain = paired_gain(record, parent, situation.rungs)
        if gain is not None:
            gains[record.proposal.factor].append((record.trial, gain))
    found = [_effect(factor, pairs) for factor, pairs in gains.items()]
    return sorted(found, key=lambda effect: (-effect.mean, effect.factor))


def _effect(factor: str, pairs: list[tuple[str, float]]) -> Effect:
    values = [gain for _, gain in pairs]
    return Effect(factor, tuple(trial for trial, _ in pairs), sum(values) / len(values), standard_error(values), max(values))


def best_so_far(situation: Situation) -> list[tuple[str, float]]:
    """(trial, best score until then) in the order of the trials that reached full fidelity."""
    path: list[tuple[str, float]] = []
    for record in situation.records:
        score = record.score(situation.rungs)
        if score is not None:
            path.append((record.trial, max(score, path[-1][1]) if path else score))
    return path


def rounds_without_progress(situation: Situation, noise: float) -> int:
    """Finished rounds since the best score last rose by more than half the noise floor."""
    best_by_round: dict[int, float] = {}
    for record in situation.records:
        score = record.score(situation.rungs)
        if score is not None:
            best_by_round[record.round] = max(score, best_by_round.get(record.round, -math.inf))
    best, since = -math.inf, 0
    for round_ in sorted(best_by_round):
        since = 0 if best_by_round[round_] > best + noise / 2 else since + 1
        best = max(best, best_by_round[round_])
    return since


def paired_difference(ours: Sequence[float], theirs: Sequence[float]) -> dict[str, Any]:
    """Difference of two lists of scores that share their seeds and splits: mean, standard error, and whether it leaves the noise.

    ``inside_noise`` is true where the difference is smaller than two standard errors, None where there is no standard error.
    """
    differences = [a - b for a, b in zip(ours, theirs, strict=False)]
    mean, se = sum(differences) / len(differences), standard_error(differences)
    return {"difference": mean, "se": se, "seeds": len(differences), "inside_noise": None if se is None else abs(mean) <= 2 * se}
