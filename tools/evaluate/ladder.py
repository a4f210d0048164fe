"""The ladder: which trials may climb to the next rung, and which training comes next. Pure functions and one state machine over scores,
so that a resumed run climbs the same way.

Successive halving without barriers (ASHA: Li et al., 2020, "A System for Massively Parallel Hyperparameter Tuning"), decided differently:
there, a trial is promoted once it leads those whose results happen to be in, and some are promoted wrongly. Here, it is promoted once
nothing that is still open could push it out of its share: what climbs is what a barrier would let climb, whatever the order in which
results come in, the number of workers or of kills. A worker is without work only where more of them are free than a rung has places.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from agentnas.tools.evaluate.base import Request, Rung
from agentnas.tools.evaluate.race import Climber, Stopped, gap, is_behind

# One fixed split: seeds differ only by initialisation, one seed screens well. Several splits: one split says little, so more of them.
ONE_SPLIT = (Rung("short", 0.25, 1, 1.0), Rung("full", 1.0, 1, 0.5), Rung("seeds", 1.0, 3, 0.25))
MANY_SPLITS = (Rung("short", 0.25, 1, 1.0), Rung("full", 1.0, 3, 0.5), Rung("seeds", 1.0, 6, 0.25))
# Folds of some dozen items: with 19 of them one fold says next to nothing (a standard error of 8 points of accuracy), three say something,
# and trainings on so little take a second or two.
SMALL_FOLDS = (Rung("short", 0.25, 3, 1.0), Rung("full", 1.0, 5, 0.5), Rung("seeds", 1.0, 10, 0.25))
SMALL = 40  # items of the smallest validation part
TABLE = (Rung("table", 1.0, 1, 1.0),)


def rungs_for(num_splits: int, val_items: int | None = None) -> tuple[Rung, ...]:
    """The ladder of a task with so many splits; ``val_items``: items of its smallest validation part, where that is known."""
    if num_splits >= SMALL_FOLDS[-1].seeds and val_items is not None and val_items < SMALL:
        return SMALL_FOLDS
    return ONE_SPLIT if num_splits == 1 else MANY_SPLITS


def promoted(scores: Mapping[str, float], share: float) -> list[str]:
    """The best ``share`` of the trials (at least one), best first; ties go to the earlier trial."""
    ranked = by_score(scores)
    return ranked[: max(1, math.ceil(share * len(ranked)))] if ranked else []


def by_score(scores: Mapping[str, float]) -> list[str]:
    """The trials, best first; ties go to the earlier trial."""
    return sorted(scores, key=lambda trial: (-scores[trial], trial))


@dataclass(frozen=True)
class Before:
    """What a round begins from: scores of the best trials of the rounds before it (at least as many as the head holds, and the best anchor
    of each kind), the kinds of their anchors, the rival that newcomers race against, and the noise between seeds (None: no race)."""

    scores: Mapping[str, float] = field(default_factory=dict)
    anchors: Mapping[str, str] = field(default_factory=dict)
    rival: str = ""
    rival_scores: Mapping[int, float] = field(default_factory=dict)
    noise: float | None = None


@dataclass(frozen=True)
class _Level:
    """Who climbs to a rung for certain, most promising first, and how many more may."""

    certain: tuple[str, ...]
    possible: int


class Ladder:
    """One round on its way up: results in (``tell``), the next request out (``next``).

    Anchors always train in full. The last rung, seeds, is for the ``head`` best trials of the whole run and the best anchor of either kind.
    There a newcomer races the best trial of the rounds before and goes on only if it is not behind: by its first full training, and, with
    ``doubling``, after each doubling of its seeds. That spares more, but makes workers wait that have nothing else to do.
    """

    def __init__(
        self, climbers: Sequence[Climber], before: Before, rungs: Sequence[Rung], num_splits: int, head: int, *, doubling: bool = False
    ) -> None:  # fmt: skip
        self.stopped: dict[str, Stopped] = {}
        self._climbers = {climber.trial: climber for climber in climbers}
        self._before, self._rungs, self._num_splits, self._head, self._doubling = before, rungs, num_splits, head, doubling
        self._results: dict[tuple[str, str], dict[int, float | None]] = {}
        self._handed: set[tuple[str, str, int]] = set()

    def tell(self, trial: str, rung: str, seed: int, val: float | None) -> None:
        """A result; ``val`` is None where the training failed."""
        if trial in self._climbers and rung in {known.name for known in self._rungs}:
            self._results.setdefault((trial, rung), {})[seed] = val
            self._handed.add((trial, rung, seed))

    def next(self, eager: bool = False) -> Request | None:
        """The next request that is due, now handed out; None where none is before further results.

        Lower rungs first, on a rung what may win before references, and the most promising trial first: what is open below keeps others
        from being promoted, and with higher rungs first the workers run dry while one last short training decides what they may do.
        With ``eager``, what leads by the results that are in is due as well (Li et al.'s rule) where nothing else is.
        """
        request = next(self._due(eager=False), None) or (next(self._due(eager=True), None) if eager else None)
        if request is not None:
            self._handed.add((request.trial, request.rung, request.seed))
        return request

    @property
    def over(self) -> bool:
        """Nothing is due, and nothing that was handed out is still to come."""
        return self.pending == 0 and next(self._due(eager=False), None) is None

    @property
    def pending(self) -> int:
        """Requests that were handed out and have no result yet."""
        return sum(seed not in self._results.get((trial, rung), {}) for trial, rung, seed in self._handed)

    @property
    def screened(self) -> bool:
        """Whether each trial has its result on the first rung."""
        return all(self._settled(trial, self._rungs[0]) for trial in self._climbers)

    def due(self) -> int:
        """How many requests could be handed out now."""
        return sum(1 for _ in self._due(eager=False))

    def _due(self, eager: bool) -> Iterator[Request]:
        levels = self._levels(eager)
        for rung, level in zip(self._rungs, levels, strict=True):
            for trial in sorted(level.certain, key=lambda trial: self._climbers[trial].reference):
                for seed in self._seeds(trial, rung):
                    if (trial, rung.name, seed) not in self._handed:
                        yield self._request(self._climbers[trial], rung, seed)

    def _request(self, climber: Climber, rung: Rung, seed: int) -> Request:
        epochs = math.ceil(rung.epochs * climber.spec.recipe.epochs)
        return Request(climber.trial, climber.spec, rung.name, seed, seed % self._num_splits, epochs)

    def _levels(self, eager: bool) -> list[_Level]:
        levels = [_Level(tuple(self._climbers), 0)]
        for below, rung in zip(self._rungs, self._rungs[1:], strict=False):
            levels.append(self._above(levels[-1], below, rung, eager))
        return levels

    def _above(self, level: _Level, below: Rung, rung: Rung, eager: bool) -> _Level:
        """Who climbs from ``below`` to ``rung``, by the results that are in."""
        alive = [trial for trial in level.certain if not self._failed(trial, rung)]
        scores = {trial: self._score(trial, below) for trial in alive if self._settled(trial, below)}
        waiting = [trial for trial in alive if trial not in scores]
        still_open = 0 if eager else level.possible + len(waiting)
        choose = self._into_head if below.epochs >= 1.0 else self._into_share
        certain, possible = choose(scores, waiting, still_open, rung, eager)
        begun = {trial for trial in scores if any(trial == t and rung.name == name for t, name, _ in self._handed)}
        climbing = certain | begun
        return _Level(tuple(trial for trial in by_score(scores) if trial in climbing), possible)

    def _into_share(
        self, scores: Mapping[str, float], waiting: Sequence[str], still_open: int, rung: Rung, eager: bool
    ) -> tuple[set[str], int]:  # fmt: skip
        """The best share of the trials, and all anchors. ``still_open`` trials may yet come in, each of them better."""
        total = len(scores) + still_open
        places = math.floor(rung.promoted * total) if eager else max(1, math.ceil(rung.promoted * total))
        leading = set(by_score(scores)[: max(0, places - still_open)])
        anchors = {trial for trial in scores if self._climbers[trial].anchor}
        to_come = sum(self._climbers[trial].anchor is not None for trial in waiting)
        undecided = len(scores) - len(leading | anchors) + still_open
        return leading | anchors, min(undecided, places - len(leading) + to_come)

    def _into_head(
        self, scores: Mapping[str, float], waiting: Sequence[str], still_open: int, rung: Rung, eager: bool
    ) -> tuple[set[str], int]:  # fmt: skip
        """The head of the whole run, and the best anchor of either kind.

        Trials of earlier rounds count with all their seeds, so that a lucky one gives its place up; those of this round with what the rung
        below said, which no longer changes while they climb.
        """
        ranked = by_score({**self._before.scores, **scores})
        certain = set(ranked[: max(0, self._head - still_open)])
        kinds = {**self._before.anchors, **{trial: self._climbers[trial].anchor for trial in scores}}
        for kind in ("plain", "strong"):
            if not any(self._climbers[trial].anchor == kind for trial in self._maybe(waiting, still_open)):
                certain.add(next((trial for trial in ranked if kinds.get(trial) == kind), ""))
        mine = certain & set(scores)
        return mine, len(scores) - len(mine) + still_open if still_open else 0

    def _maybe(self, waiting: Sequence[str], still_open: int) -> Sequence[str]:
        """Trials that may still get a score on the rung below: those on it, or any that have not settled while more may climb to it."""
        return waiting if still_open <= len(waiting) else list(self._climbers)

    def _seeds(self, trial: str, rung: Rung) -> list[int]:
        """Seeds that the trial needs on a rung now; one that a lower full rung trained is not trained again."""
        done = self._full(trial) if rung.epochs >= 1.0 else {}
        first = next((known.seeds for known in self._rungs if known.epochs >= 1.0), rung.seeds)
        allowed = self._raced(trial, rung, first) if rung.epochs >= 1.0 and rung.seeds > first else rung.seeds
        return [seed for seed in range(allowed) if seed not in done]

    def _raced(self, trial: str, rung: Rung, first: int) -> int:
        """How many seeds a newcomer to the head may have by what it has shown so far."""
        before = self._before
        if before.noise is None or not before.rival_scores or self._climbers[trial].anchor:
            return rung.seeds
        known = {seed for name in self._rungs for seed in self._results.get((trial, name.name), {}) if name.epochs >= 1.0}
        looked = first
        while looked < rung.seeds and known >= set(range(looked)):
            ours = {seed: val for seed, val in self._full(trial).items() if seed < looked}
            found = gap(ours, before.rival_scores, before.noise)
            if found is not None and is_behind(found):
                self.stopped.setdefault(trial, Stopped(trial, rung.name, before.rival, *found, planned=rung.seeds))
                return looked
            looked = 2 * looked if self._doubling else rung.seeds
        return min(looked, rung.seeds)

    def _full(self, trial: str) -> dict[int, float]:
        names = [rung.name for rung in self._rungs if rung.epochs >= 1.0]
        return {seed: val for name in names for seed, val in self._results.get((trial, name), {}).items() if val is not None}

    def _failed(self, trial: str, rung: Rung) -> bool:
        """Whether it failed on a rung below this one."""
        lower = self._rungs[: self._rungs.index(rung)]
        return any(val is None for known in lower for val in self._results.get((trial, known.name), {}).values())

    def _settled(self, trial: str, rung: Rung) -> bool:
        return len(self._results.get((trial, rung.name), {})) >= rung.seeds

    def _score(self, trial: str, rung: Rung) -> float:
        values = [val for val in self._results[trial, rung.name].values() if val is not None]
        return sum(values) / len(values)


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
