"""More than one number about predictions: what happens to each class, whether probabilities can be believed, how large errors are.

Counts and sums, so that those of several trainings add up, and short enough for a journal.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentnas.tools.metrics import target_of

BINS = 10
MOST_CLASSES = 200  # beyond, what happens to each class is left out
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def quality(y: NDArray[Any], predicted: NDArray[np.floating]) -> dict[str, Any]:
    """What is kept of predictions [n, columns] (probabilities, or values in the unit of the target) for labels ``y``.

    Classes and several labels: ``classes`` holds for each how many items got it rightly, got it, and have it; ``bins``, for each tenth of
    the probability of what was said (of several labels: of each label), the number of cases, the sum of their probabilities, and how many
    were so. Values: ``errors`` (predicted minus true): number, sum, sum of squares, sum of absolutes, largest, quantiles; and mean and sum
    of squares around it of ``y``.
    """
    target = target_of(y)
    if target == "value":
        return {"errors": _errors(y.astype(np.float64), predicted[:, 0].astype(np.float64))}
    if target == "labels":
        known = np.isfinite(y)
        classes = [[int((k & (p > 0.5) & (c == 1)).sum()), int((k & (p > 0.5)).sum()), int((k & (c == 1)).sum())]
                   for k, p, c in zip(known.T, predicted.T, y.T, strict=True)]  # fmt: skip
        return {**_kept(classes), "bins": _bins(predicted[known], y[known] == 1)}
    said, count = predicted.argmax(axis=1), predicted.shape[1]
    right = said == y
    parts = (np.bincount(part, minlength=count) for part in (y[right], said, y))
    return {**_kept(np.stack(list(parts), axis=1).tolist()), "bins": _bins(predicted.max(axis=1), right)}


def _kept(classes: list[list[int]]) -> dict[str, Any]:
    return {"classes": classes} if len(classes) <= MOST_CLASSES else {}


def _bins(probability: NDArray[np.floating], was_so: NDArray[np.bool_]) -> list[list[float]]:
    """For each tenth: number, sum of probabilities, number that was so."""
    place = np.clip((probability * BINS).astype(np.int64), 0, BINS - 1)
    sums = (np.bincount(place, weights=weights, minlength=BINS) for weights in (None, probability.astype(np.float64), was_so))
    numbers, total, so = sums
    return [[int(n), round(float(t), 4), int(s)] for n, t, s in zip(numbers, total, so, strict=True)]


def _errors(y: NDArray[np.float64], predicted: NDArray[np.float64]) -> dict[str, Any]:
    error = predicted - y
    worst = int(np.abs(error).argmax())
    return {
        "count": len(y), "sum": float(error.sum()), "squares": float((error**2).sum()), "absolute": float(np.abs(error).sum()),
        "largest": float(error[worst]), "quantiles": np.quantile(error, QUANTILES).tolist(),
        "mean": float(y.mean()), "around_mean": float(((y - y.mean()) ** 2).sum()),
    }  # fmt: skip
