"""The belief after a task's own scores: what to try next, and which trial to trust."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from agentnas.agents.transfer import NOISE_SD, OWN_SD, STRUCTURE_SD

if TYPE_CHECKING:
    import numpy as np

    from agentnas.agents.transfer import Belief, Points

    Array = np.ndarray[Any, Any]

# Trials of this task that weigh as much as the past in how many points a unit is.
SCALE_TRIALS = 10
# A score this many units below the median says no more than that: a design that diverged is no measure of the others.
LOWEST = 3.0


@dataclass
class Posterior:
    """``tried`` designs got ``scores`` (points, higher is better). Without any, the prior around level 0."""

    belief: Belief
    tried: Points
    scores: Array

    @cached_property
    def unit(self) -> float:
        """Points to one normal score: the past's, drawn to the spread of the own scores as these grow many."""
        import numpy as np

        past, count = self.belief.unit, len(self.scores)
        if count < 2:
            return past
        expected = OWN_SD**2 + NOISE_SD**2 + STRUCTURE_SD**2
        spread = float(np.var(np.maximum(self.scores, np.median(self.scores) - LOWEST * past), ddof=1)) / expected
        return float(np.sqrt((SCALE_TRIALS * past**2 + (count - 1) * spread) / (SCALE_TRIALS + count - 1)))

    @cached_property
    def smoothed(self) -> Array:
        """The true scores of the tried designs as far as they can be told, in points: [trials]."""
        explained = self.belief.kernel(self.tried, self.tried) @ self._pull + OWN_SD**2 * self._pull
        return self.unit * (self._level + self.belief.prior(self.tried) + explained)

    def predict(self, points: Points) -> tuple[Array, Array]:
        """Mean and standard deviation, in points, of the true scores of designs: [points] each."""
        import numpy as np

        covariance = self.belief.kernel(self.tried, points)
        variance = self.belief.variance(points) - (self._rooted(covariance) ** 2).sum(0)
        return self.unit * self._mean(points, covariance), self.unit * np.sqrt(np.maximum(variance, 0.0))

    def best(self, points: Points, count: int, optimism: float, without: Sequence[int] = ()) -> list[int]:
        """At most ``count`` points to try, most promising first, none of those ``without``. Each has the highest mean + ``optimism`` x
        standard deviation, given that those before it turn out as expected (batches by upper bounds: Desautels et al., 2014)."""
        import numpy as np

        covariance = self.belief.kernel(self.tried, points)
        mean, rooted = self._mean(points, covariance), self._rooted(covariance)
        variance = self.belief.variance(points) - (rooted**2).sum(0)
        mean[list(without)] = -np.inf
        picked: list[int] = []
        for _ in range(min(count, len(mean) - len(set(without)))):
            best = int(np.argmax(mean + optimism * np.sqrt(np.maximum(variance, 0.0))))
            picked.append(best)
            mean[best] = -np.inf
            row = self.belief.kernel(points.at([best]), points)[0] - rooted[:, best] @ rooted
            row /= np.sqrt(max(variance[best], 0.0) + NOISE_SD**2)
            rooted, variance = np.vstack([rooted, row]), variance - row**2
        return picked

    @cached_property
    def _factor(self) -> Array:
        """Lower Cholesky factor of the scores' covariance, [trials, trials]."""
        import numpy as np

        size = len(self.scores)
        return np.linalg.cholesky(self.belief.kernel(self.tried, self.tried) + (OWN_SD**2 + NOISE_SD**2) * np.eye(size))

    @cached_property
    def _residuals(self) -> Array:
        import numpy as np

        if not len(self.scores):
            return np.zeros(0)
        lifted = np.maximum(self.scores, np.median(self.scores) - LOWEST * self.unit)
        return np.asarray(lifted / self.unit - self.belief.prior(self.tried))

    @cached_property
    def _level(self) -> float:
        """The task's level in units, by generalised least squares; any is as likely as any other beforehand."""
        import numpy as np

        if not len(self.scores):
            return 0.0
        ones = self._solved(np.ones(len(self.scores)))
        return float(ones @ self._residuals / ones.sum())

    @cached_property
    def _pull(self) -> Array:
        return self._solved(self._residuals - self._level)

    def _solved(self, values: Array) -> Array:
        import numpy as np
        from scipy.linalg import cho_solve

        return np.asarray(cho_solve((self._factor, True), values)) if len(values) else values

    def _mean(self, points: Points, covariance: Array) -> Array:
        import numpy as np

        return np.asarray(self._level + self.belief.prior(points) + covariance.T @ self._pull)

    def _rooted(self, covariance: Array) -> Array:
        """The factor's inverse x the covariance with points, [trials, points]: its squares are the variance that the trials explain."""
        from scipy.linalg import solve_triangular

        return covariance if not len(self.scores) else solve_triangular(self._factor, covariance, lower=True)
