"""One earlier task's scores as normal scores, smoothed by boosted trees over structure."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

# Fewer trials than this are not smoothed: the trees would repeat their mean.
LEAST_TRIALS = 20
LARGEST_FIT = 8000


@dataclass(frozen=True)
class Smoother:
    """What a task's trees say of designs that it has not tried: the mean of both halves' models; 0, the average design, without models."""

    models: tuple[Any, ...]

    def predict(self, vectors: Array) -> Array:
        import numpy as np

        if not self.models or not len(vectors):
            return np.zeros(len(vectors))
        with _one_thread():
            return np.asarray(np.mean([model.predict(vectors) for model in self.models], axis=0))


def normal_scores(scores: Array) -> Array:
    """Quantiles of the normal distribution at the scores' ranks (van der Waerden), ties sharing theirs; NaN stays NaN."""
    import numpy as np
    from scipy.special import ndtri
    from scipy.stats import rankdata

    found = np.full(len(scores), np.nan)
    known = np.isfinite(scores)
    found[known] = ndtri((rankdata(scores[known]) - 0.5) / max(1, known.sum()))
    return found


def smoothed(vectors: Array, scores: Array, share: float) -> tuple[Array, Smoother]:
    """``share`` of the other half's trees + the rest of the own score, [designs]; the trees alone where a design was not tried."""
    import numpy as np

    known = np.flatnonzero(np.isfinite(scores))
    if share == 0.0 or len(known) < LEAST_TRIALS:
        return np.nan_to_num(scores), Smoother(())
    shuffled = np.random.default_rng(0).permutation(known)
    halves = shuffled[::2], shuffled[1::2]
    smoother = Smoother(tuple(_fitted(vectors[half[:LARGEST_FIT]], scores[half[:LARGEST_FIT]]) for half in halves))
    told = smoother.predict(vectors)
    with _one_thread():
        for half, other in zip(halves, reversed(smoother.models), strict=True):
            told[half] = share * other.predict(vectors[half]) + (1 - share) * scores[half]
    return told, smoother


def _fitted(vectors: Array, scores: Array) -> Any:
    from sklearn.ensemble import HistGradientBoostingRegressor

    least = max(2, min(20, len(scores) // 10))
    model = HistGradientBoostingRegressor(max_iter=100, max_leaf_nodes=15, max_bins=32, min_samples_leaf=least, early_stopping=False)
    with _one_thread():
        return model.fit(vectors, scores)


def _one_thread() -> AbstractContextManager[Any]:
    """Threads that wait for each other take ten times as long on a machine that does other work."""
    from threadpoolctl import threadpool_limits

    limits: AbstractContextManager[Any] = threadpool_limits(1, user_api="openmp")
    return limits
