"""What the numbers of a run say: noise floor, paired effects of changed factors, plateau. Computed by code, never by a model."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from agentnas.agents.situation import MANY, Record, Situation
from agentnas.tools.evaluate.base import Rung
from agentnas.tools.scale import EQUAL

# Standard errors that a difference of two scores must exceed to be decided; where the noise is unknown, points.
DECIDED_AT = 2.0
TIE = 1.0
# Below so many pairs nothing is decided: two differences are often near each other by luck, and their standard error says next to nothing.
FEWEST_PAIRS = 3


@dataclass(frozen=True)
class Effect:
    """Mean gain of children over their parents when one factor was changed, against the usual change (percentage points).

    ``raw`` is the mean gain over the parents themselves. An ``early`` one is of pairs that were compared before full training alone.
    Pairs are of trainings that both ended by themselves, or that the time limit of a training both ended.
    """

    factor: str
    trials: tuple[str, ...]
    mean: float
    se: float | None
    raw: float
    early: bool = False

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


def noise_floor(situation: Situation) -> float | None:
    """Pooled standard deviation between seeds of one spec at full fidelity; None where no spec has two seeds that differ. Of a long run
    that of its newest specs.

    Where seeds stand for splits, what a split does to all specs alike is taken out first (two-way residuals): it is no noise of a
    comparison on the same splits.
    """
    held = situation.repeated()
    table = [scores for record in held for scores in (record.full_scores(situation.rungs), record.confirmed()) if len(scores) > 1]
    residuals = [{seed: score - sum(scores.values()) / len(scores) for seed, score in scores.items()} for scores in table]
    freedom = sum(len(scores) - 1 for scores in residuals)
    if situation.num_splits > 1:
        by_seed = {seed: [r[seed] for r in residuals if seed in r] for seed in sorted({seed for r in residuals for seed in r})}
        means = {seed: sum(values) / len(values) for seed, values in by_seed.items()}
        residuals = [{seed: value - means[seed] for seed, value in r.items()} for r in residuals]
        freedom -= max(0, len(means) - 1)
    if freedom <= 0:
        return None
    noise = math.sqrt(sum(value**2 for r in residuals for value in r.values()) / freedom)
    return noise if noise > EQUAL else None  # a few seeds with one score show no noise, which is not to say that there is none


def standard_error_of_gap(situation: Situation, noise: float | None, *pair: Record) -> float | None:
    """Standard error of the difference of two mean scores at full fidelity; None where the noise is unknown."""
    return None if noise is None else noise * math.sqrt(sum(1 / len(record.full_scores(situation.rungs)) for record in pair))


def is_decided(gap: float, se: float | None) -> bool:
    """Whether two designs whose scores differ by this much differ beyond the noise."""
    return abs(gap) > (TIE if se is None else DECIDED_AT * se)


def paired_gain(child: Record, parent: Record, rungs: Sequence[Rung]) -> float | None:
    """Mean difference over the seeds that both have, at the highest rung at which both were trained alike."""
    found = gain_and_rung(child, parent, rungs)
    return None if found is None else found[0]


def gain_and_rung(child: Record, parent: Record, rungs: Sequence[Rung]) -> tuple[float, Rung] | None:
    """The paired gain, and the rung at which it was measured. A training that its time limit ended is paired with such a one alone."""
    for rung in reversed(rungs):
        ours, theirs = (record.scores.get(rung.name, {}) for record in (child, parent))
        if rung.epochs >= 1.0:
            ours, theirs = child.full_scores(rungs), parent.full_scores(rungs)
        names = [known.name for known in rungs if known.epochs >= 1.0] if rung.epochs >= 1.0 else [rung.name]
        unlike = child.cut_seeds(names) ^ parent.cut_seeds(names)
        common = sorted((set(ours) & set(theirs)) - unlike)
        if common:
            return sum(ours[seed] - theirs[seed] for seed in common) / len(common), rung
    return None


def effects(situation: Situation) -> list[Effect]:
    """Effect of each factor that was changed alone, largest mean first, against the usual change; of pairs that were trained in full.

    Parents were chosen for their score, part of which was luck, so most children lose; what is left after the median over the factors
    is taken out, on which one collapse has no hold, says which changes do better than others. A long run is asked about its newest trials:
    what paid at first need not pay among good designs (as sliding windows in bandits: Garivier and Moulines, 2011).
    """
    return _effects(situation.records[-MANY:], situation.find, situation.rungs)


def early_effects(situation: Situation) -> list[Effect]:
    """The same of children that a lower rung cut: their gaps are those of short trainings, which slow starters lose."""
    return _effects(situation.records[-MANY:], situation.find, situation.rungs, early=True)


def effects_of(records: Iterable[Record], rungs: Sequence[Rung], *, early: bool = False, higher_is_better: bool = True) -> list[Effect]:
    """``effects`` or ``early_effects`` of these records; where lower scores are better, a gain is a fall."""
    known = {record.trial: record for record in records}
    return _effects(known.values(), known.get, rungs, early=early, higher_is_better=higher_is_better)


def _effects(
    children: Iterable[Record], find: Callable[[str], Record | None], rungs: Sequence[Rung], *, early: bool = False,
    higher_is_better: bool = True,
) -> list[Effect]:  # fmt: skip
    gains: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for record in children:
        parent = find(record.proposal.parent or "")
        if parent is None or record.proposal.factor is None:
            continue
        measured = gain_and_rung(record, parent, rungs)
        if measured is not None and (measured[1].epochs < 1.0) == early:
            gains[record.proposal.factor].append((record.trial, measured[0] if higher_is_better else -measured[0]))
    usual = usual_gain(gains)
    found = [replace(_effect(factor, pairs, usual), early=early) for factor, pairs in gains.items()]
    return sorted(found, key=lambda effect: (-effect.mean, effect.factor))


def usual_gain(gains: Mapping[str, Sequence[tuple[str, float]]]) -> float:
    """Median over the factors of their mean gains; 0 where there is nothing to compare a factor with."""
    return median(sum(gain for _, gain in pairs) / len(pairs) for pairs in gains.values()) if len(gains) > 1 else 0.0


def _effect(factor: str, pairs: list[tuple[str, float]], usual: float) -> Effect:
    values = [gain for _, gain in pairs]
    raw = sum(values) / len(values)
    return Effect(factor, tuple(trial for trial, _ in pairs), raw - usual, standard_error(values), raw)


def rounds_without_progress(situation: Situation, noise: float) -> int:
    """Finished rounds since the best score last rose by more than its standard error."""
    best, since = -math.inf, 0
    for _, (score, seeds) in sorted(situation.best_by_round().items()):
        since = 0 if score > best + noise / math.sqrt(seeds) else since + 1
        best = max(best, score)
    return since


def beyond_noise(difference: float, se: float, count: int) -> bool:
    """Whether a mean of ``count`` differences leaves its 95 % interval around zero; never for fewer than ``FEWEST_PAIRS``."""
    return count >= FEWEST_PAIRS and probability(difference, se, count) < 0.05


def probability(difference: float, se: float, count: int) -> float:
    """Of a mean of ``count`` differences this far from zero or farther, where there is none (Student's t, two-sided).

    Differences that are all equal have no spread to reckon with: theirs is that of so many of one sign (the sign test, two-sided).
    """
    from scipy.special import stdtr

    if se <= EQUAL:
        return 1.0 if abs(difference) <= EQUAL else 2.0 ** (1 - count)
    return float(2.0 * stdtr(count - 1, -abs(difference) / se))


def paired_difference(ours: Mapping[int, float], theirs: Mapping[int, float], test_to_train: float = 0.0) -> dict[str, Any]:
    """Difference of two sets of scores over the seeds that both have: mean, standard error, two-sided ``p`` of Student's t, and whether
    it is inside the noise.

    ``inside_noise`` is true where zero lies in the 95 % interval, and of two pairs, which decide nothing and have no ``p``; it and ``p``
    are None where there is no standard error. ``held`` says it in words.
    ``test_to_train``: size of the tested part over that of the training part where seeds stand for splits whose training parts overlap.
    Scores of such splits are correlated, and the variance of their mean is larger than it looks: 1/n + test/train in place of 1/n (the
    corrected resampled t-test; Nadeau and Bengio, 2003).
    """
    differences = [ours[seed] - theirs[seed] for seed in sorted(set(ours) & set(theirs))]
    mean, se = sum(differences) / len(differences), standard_error(differences)
    if se is not None:
        se *= math.sqrt(1.0 + len(differences) * test_to_train)
    inside = None if se is None else not beyond_noise(mean, se, len(differences))
    found = {"difference": mean, "se": se, "seeds": len(differences), "inside_noise": inside}
    return found if se is None or is_few(found) else {**found, "p": probability(mean, se, len(differences))}


def is_few(found: Mapping[str, Any]) -> bool:
    """Whether a paired difference is of too few seeds to decide anything."""
    return bool(found["seeds"] < FEWEST_PAIRS)


def is_beyond(found: Mapping[str, Any]) -> bool:
    """Whether a paired difference is a gain or a loss; also of one that an older version journalled."""
    return found["inside_noise"] is False and not is_few(found)


def held(found: Mapping[str, Any]) -> str:
    """Whether a paired difference is noise, in words."""
    if found["se"] is None:
        return "noise unknown"
    if is_few(found):
        return f"{found['seeds']} pairs are too few to tell"
    return "inside the noise" if found["inside_noise"] else "beyond the noise"
