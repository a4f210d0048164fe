"""What other tasks teach about designs before this one has answered, and how this one's own trials correct it.

Scores of each earlier task become normal scores of their ranks, half of them smoothed by boosted trees over structure (fitted on the other
half of its trials, so that no trial smooths itself). The belief about this task is a Gaussian process: its mean is the tasks' average,
weighted by how near their cards are; its kernel lets each task's weight move (a task that ranks this one's trials as they came out gains:
the update of similarity), and lets near designs differ together from that average. The level is unknown. The posterior at trials that
were already scored is the smoothed estimate that the final choice is made by.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from agentnas.agents.transfer_smoothing import Smoother, normal_scores, smoothed
from agentnas.tools.spec.model import ArchitectureSpec

if TYPE_CHECKING:
    import numpy as np

    from agentnas.tools.spec.space import SearchSpace

    Array = np.ndarray[Any, Any]

# Standard deviations in units of normal scores, of the size at which the tables' validation scores are likely, each given the others.
WEIGHT_SD = 0.4
STRUCTURE_SD = 0.4
# What structure does not tell is half a design's own and half luck of the validation set: over a table, what is left of validation and of
# test scores when the trees are taken out correlates by 0.3 to 0.8.
OWN_SD = 0.42
NOISE_SD = 0.42
SMOOTHED_SHARE = 0.5
# Cards at this root mean square distance count e^-1/2 of an equal one.
CARD_WIDTH = 0.3


@dataclass(frozen=True)
class PastTask:
    """An earlier task: the vector of its card (empty if unknown), and scores [designs], higher is better, NaN where not tried."""

    name: str
    card: tuple[float, ...]
    scores: Array
    _fitted: dict[float, tuple[Array, Smoother]] = field(default_factory=dict, compare=False, repr=False)

    def told(self, vectors: Array, share: float) -> tuple[Array, Smoother]:
        """What the task says of its designs, whose vectors these are, and its trees; fitted once for each ``share`` of smoothing."""
        if share not in self._fitted:
            self._fitted[share] = smoothed(vectors, normal_scores(self.scores), share)
        return self._fitted[share]


@dataclass(frozen=True)
class Past:
    """Designs that earlier tasks tried, each once: ``vectors`` [designs, features] as the space makes them, ``spec(i)`` the i-th of them
    as a spec of this space (None where it cannot be said), ``evidence(i)`` ids to cite for it. ``complete``: the space holds no others."""

    vectors: Array
    spec: Callable[[int], ArchitectureSpec | None]
    tasks: tuple[PastTask, ...]
    evidence: Callable[[int], tuple[str, ...]]
    complete: bool = False


class PastTrials(Protocol):
    def past(self, space: SearchSpace) -> Past | None:
        """What earlier tasks tried that this space can express, without this task's own trials; None where there is nothing."""


@dataclass(frozen=True)
class Options:
    """What the transfer may use: all of it, but in ablations. Without ``similarity`` all tasks count alike, whatever this one answers."""

    similarity: bool = True
    smoothing: bool = True


@dataclass(frozen=True)
class Points:
    """Designs as the belief sees them: ``structure`` [points, features], scaled, and ``told`` [points, tasks], what each task says."""

    structure: Array
    told: Array

    def at(self, rows: Any) -> Points:
        return Points(self.structure[rows], self.told[rows])


@dataclass
class Belief:
    """The prior over designs. Making it fits the trees; what comes after takes milliseconds."""

    past: Past
    card: tuple[float, ...] = ()
    options: Options = field(default_factory=Options)

    @cached_property
    def designs(self) -> Points:
        """The past's designs."""
        import numpy as np

        return Points(self._scaled(self.past.vectors), np.stack([told for told, _ in self._smoothed], axis=1))

    def points(self, vectors: Array) -> Points:
        """Any designs of the space, [points, features]; what the past knows of them is looked up, the rest is what the trees say."""
        import numpy as np

        told = np.stack([smoother.predict(vectors) for _, smoother in self._smoothed], axis=1)
        for point, vector in enumerate(vectors):
            number = self.number(vector)
            if number is not None:
                told[point] = self.designs.told[number]
        return Points(self._scaled(vectors), told)

    @cached_property
    def weights(self) -> Array:
        """Each task's share in the mean before this task has answered: [tasks], sums to 1."""
        import numpy as np

        tasks = self.past.tasks
        if not self.options.similarity:
            return np.full(len(tasks), 1 / len(tasks))
        near = np.array([_nearness(self.card, task.card) for task in tasks])
        return np.asarray(near / near.sum())

    @cached_property
    def unit(self) -> float:
        """Points of score from one to two normal scores above the mean: the median over the tasks; 1 where they say nothing."""
        import numpy as np

        known = [task.scores[np.isfinite(task.scores)] for task in self.past.tasks]
        gaps = [float(np.quantile(scores, 0.977) - np.quantile(scores, 0.841)) for scores in known if len(scores)]
        return float(np.median(gaps)) or 1.0

    def prior(self, points: Points) -> Array:
        """The mean before this task has answered, in normal scores."""
        import numpy as np

        return np.asarray(points.told @ self.weights)

    def kernel(self, a: Points, b: Points) -> Array:
        """Covariance of the true scores of two sets of designs, [a, b]."""
        import numpy as np

        squares = (a.structure**2).sum(1)[:, None] + (b.structure**2).sum(1) - 2 * a.structure @ b.structure.T
        near = STRUCTURE_SD**2 * np.exp(-np.maximum(squares, 0.0) / 2)
        return np.asarray(near + self._moved * a.told @ b.told.T)

    def variance(self, points: Points) -> Array:
        """Variance of the true scores of designs beforehand, in normal scores: [points]."""
        import numpy as np

        return np.asarray(STRUCTURE_SD**2 + OWN_SD**2 + self._moved * (points.told**2).sum(1))

    def number(self, vector: Array) -> int | None:
        """Which of the past's designs has this vector; None where none has."""
        return self._numbers.get(_key(vector))

    @property
    def _moved(self) -> float:
        """Variance of one task's weight: of a design that all tasks rate alike, the mean moves as much for many tasks as for few."""
        return WEIGHT_SD**2 / len(self.past.tasks) if self.options.similarity else 0.0

    @cached_property
    def _numbers(self) -> dict[bytes, int]:
        return {_key(row): number for number, row in enumerate(self.past.vectors)}

    @cached_property
    def _smoothed(self) -> list[tuple[Array, Smoother]]:
        share = SMOOTHED_SHARE if self.options.smoothing else 0.0
        return [task.told(self.past.vectors, share) for task in self.past.tasks]

    def _scaled(self, vectors: Array) -> Array:
        """Features over their spread among the past's designs, so that two random ones are about one and a half apart."""
        import numpy as np

        spread = np.std(self.past.vectors, axis=0)
        varied = spread > 0
        return np.asarray(np.asarray(vectors, dtype=np.float32)[:, varied] / (spread[varied] * np.sqrt(max(1, varied.sum()))))


def _key(vector: Array) -> bytes:
    """Equal for vectors that were kept with fewer digits."""
    import numpy as np

    return bytes((np.round(np.asarray(vector, dtype=np.float64), 4) + 0.0).astype(np.float32).tobytes())


def _nearness(card: tuple[float, ...], other: tuple[float, ...]) -> float:
    """How much a task counts by its card's distance; a card that is unknown counts as one a width away."""
    if not card or len(card) != len(other):
        return math.exp(-0.5)
    return math.exp(-(math.dist(card, other) ** 2) / len(card) / CARD_WIDTH**2 / 2)
