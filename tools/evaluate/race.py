"""Racing: a candidate gets further seeds only while the decision needs them. Pure functions and one state machine over scores.

The rule, everywhere: over the seeds that both have trained, a candidate is behind its rival for good where the mean of the paired
differences lies below zero by more than ``CLEAR`` standard errors (``HOPELESS`` while they share a single seed). The standard error is
the larger of two: that of the differences themselves, and what the noise between seeds, pooled over all trials of the search, makes of a
difference of two means; with two or three seeds the first is often far too small by luck.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from agentnas.tools.evaluate.base import CONFIRM, CONFIRM_SEED, Request
from agentnas.tools.spec.model import ArchitectureSpec

CLEAR, HOPELESS = 2.5, 4.0


@dataclass(frozen=True)
class Climber:
    """A trial as ladder and race see it; ``anchor`` is its kind, ``seconds`` what one full training of it is expected to take. A
    ``reference`` lies outside of the space and cannot win: it trains after those that can, for time may end before it."""

    trial: str
    spec: ArchitectureSpec
    anchor: str | None = None
    seconds: float = 0.0
    reference: bool = False


@dataclass(frozen=True)
class Stopped:
    """Why a trial gets no more seeds: its mean paired difference to a rival over ``seeds`` shared seeds."""

    trial: str
    rung: str
    rival: str
    difference: float
    se: float
    seeds: int
    planned: int

    @property
    def reason(self) -> str:
        return behind(self.rival, f"{-self.difference:.2f} ± {self.se:.2f}", self.seeds)


def behind(rival: str, lead: str, seeds: int) -> str:
    """Why a race was ended, in words; ``lead`` as the metric is shown where that is known."""
    return f"behind {rival} by {lead} over {f'{seeds} shared seeds' if seeds > 1 else 'the first seed'}"


def gap(ours: Mapping[int, float], theirs: Mapping[int, float], noise: float) -> tuple[float, float, int] | None:
    """Mean paired difference over the shared seeds, its standard error by the module's rule, their number; None without a shared seed."""
    differences = [ours[seed] - theirs[seed] for seed in sorted(set(ours) & set(theirs))]
    if not differences:
        return None
    count = len(differences)
    mean = math.fsum(differences) / count
    own = math.sqrt(math.fsum((d - mean) ** 2 for d in differences) / (count - 1) / count) if count > 1 else 0.0
    return mean, max(own, noise * math.sqrt(2.0 / count)), count


def is_behind(found: tuple[float, float, int] | None) -> bool:
    """Whether a gap is decided: more seeds would not turn it."""
    if found is None:
        return False
    mean, se, count = found
    return mean + (CLEAR if count > 1 else HOPELESS) * se < 0


class Confirmation:
    """Fresh seeds for the finalists: results in (``tell``), the next request out (``next``).

    Seeds are trained level by level, the longest trainings of a level first, references last. Who still runs at level i is decided on all
    results of the levels below i - 1, whichever came first: the same for any number of workers, and one level of slack lets no worker wait
    for it.
    Anchors are compared with in the report and keep all their seeds; so does whoever leads.
    """

    def __init__(
        self, climbers: Sequence[Climber], seeds: int, num_splits: int, noise: float | None, weights: Callable[[str, int], str]
    ) -> None:  # fmt: skip
        self.stopped: dict[str, Stopped] = {}
        self._climbers = sorted(climbers, key=lambda climber: (climber.reference, -climber.seconds, climber.trial))
        self._seeds, self._num_splits, self._noise, self._weights = seeds, num_splits, noise, weights
        self._decided = [self._climbers]  # who runs, by level, as far as that is known
        self._results: dict[str, dict[int, float | None]] = {climber.trial: {} for climber in climbers}
        self._handed: set[tuple[str, int]] = set()

    def tell(self, trial: str, rung: str, seed: int, val: float | None) -> None:
        """A result; ``val`` is None where the training failed."""
        if rung == CONFIRM and trial in self._results:
            self._results[trial][seed - CONFIRM_SEED] = val
            self._handed.add((trial, seed - CONFIRM_SEED))

    def next(self) -> Request | None:
        """The next request that is due, now handed out; None where none is before further results."""
        for level in range(self._seeds):
            running = self._running(level)
            if running is None:
                return None
            for climber in running:
                if (climber.trial, level) not in self._handed:
                    self._handed.add((climber.trial, level))
                    return self._request(climber, level)
        return None

    @property
    def over(self) -> bool:
        """Nothing is due, and nothing that was handed out is still to come."""
        running = [self._running(level) for level in range(self._seeds)]
        return all(level is not None and self._known(level, i) for i, level in enumerate(running))

    def _request(self, climber: Climber, level: int) -> Request:
        seed, epochs = CONFIRM_SEED + level, climber.spec.recipe.epochs
        weights = self._weights(climber.trial, seed)
        return Request(climber.trial, climber.spec, CONFIRM, seed, level % self._num_splits, epochs, weights)

    def _running(self, level: int) -> list[Climber] | None:
        """Who trains this level's seed; None while that is not known. What the race stops is noted on the way."""
        while len(self._decided) <= level:
            now, running = len(self._decided), self._decided[-1]
            if not all(self._known(running, below) for below in range(now - 1)):
                return None
            out = self._behind(running, now - 1)
            self.stopped |= out
            self._decided.append([climber for climber in running if climber.trial not in out])
        return self._decided[level]

    def _known(self, climbers: Sequence[Climber], level: int) -> bool:
        return all(level in self._results[climber.trial] for climber in climbers)

    def _behind(self, running: Sequence[Climber], levels: int) -> dict[str, Stopped]:
        """Who is behind the leader for good after so many levels."""
        scores = {climber.trial: self._scores(climber.trial, levels) for climber in running}
        whole = {trial: found for trial, found in scores.items() if len(found) == levels}
        leader = max(sorted(whole), key=lambda trial: math.fsum(whole[trial].values()), default=None)
        if self._noise is None or leader is None or not levels:
            return {}
        gaps = {c.trial: gap(scores[c.trial], scores[leader], self._noise) for c in running if not c.anchor and c.trial != leader}
        found = {trial: pair for trial, pair in gaps.items() if pair is not None and is_behind(pair)}
        return {trial: Stopped(trial, CONFIRM, leader, *pair, planned=self._seeds) for trial, pair in found.items()}

    def _scores(self, trial: str, levels: int) -> dict[int, float]:
        return {level: val for level, val in self._results[trial].items() if level < levels and val is not None}
