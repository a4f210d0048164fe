"""What a score is: a number in percent of which higher is better, whatever the metric; errors are shown in their own unit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from agentnas.tools.errors import UsageError, suggest
from agentnas.tools.scale import ERRORS as ERRORS
from agentnas.tools.scale import Scale

MetricName = Literal["accuracy", "macro_f1", "roc_auc", "ap", "mrr", "hits@20", "hits@50", "hits@100", "mae", "rmse", "r2"]
Target = Literal["classes", "labels", "value"]
Labels = NDArray[Any]
Scores = NDArray[np.floating]
Scorer = Callable[[Labels, Scores], float]
PAIRS_ONLY = ("mrr", "hits@20", "hits@50", "hits@100")


@dataclass(frozen=True)
class Metric:
    """A score in percent, 0..100 but for errors and R2, which fall below 0 where predictions are worse than a constant.

    An error (``mae``, ``rmse``) is scored as what it takes away of ``unit``, the error of the best constant: 100 is no error, 0 that of
    the constant (a skill score; Murphy, 1988). So scores of all metrics are compared, averaged and searched alike; ``shown`` gives the
    error itself.
    """

    name: MetricName
    higher_is_better: bool = True
    unit: float = 1.0

    @property
    def is_error(self) -> bool:
        return self.name in ERRORS

    def score(self, y_true: Labels, scores: Scores) -> float:
        """Percent for what is true and what is predicted, row by row.

        Classes: labels ``[n]`` in 0..classes-1 and scores (logits or probabilities) ``[n, classes]``. Several labels: 0, 1 or NaN (not
        known) ``[n, labels]`` and scores of the same shape. Values: float ``[n]`` and predictions ``[n, 1]``. Raises UsageError for shapes
        that do not fit, no rows, unlabelled rows, NaN, or a metric that cannot be computed of these.
        """
        labels, table = np.asarray(y_true), np.asarray(scores)
        target = target_of(labels)
        _check_fit(self.name, target)
        _check_shapes(self.name, target, labels, table)
        if target == "labels":
            return 100.0 * _mean_over_labels(self.name, labels, table)
        found = _SCORERS[self.name](labels, table)
        return 100.0 * (1.0 - found / self.unit if self.is_error else found)

    def better(self, a: float, b: float) -> bool:
        """Whether score ``a`` is strictly better than ``b``."""
        return a > b if self.higher_is_better else a < b

    @property
    def scale(self) -> Scale:
        """How its scores are shown."""
        return Scale(self.name, self.unit)

    def natural(self, score: float) -> float:
        """A score as the metric is usually given: errors in the unit of the target, all others in percent."""
        return self.scale.natural(score)


def metric(name: str, unit: float = 1.0) -> Metric:
    """The metric of that name; UsageError names the nearest ones."""
    if name not in METRICS:
        raise UsageError(f"metric {name!r} does not exist; {suggest(name, METRICS)}")
    return Metric(METRICS[name].name, unit=unit)


def target_of(y: Labels) -> Target:
    """What labels of this shape and type are: integers are classes, a matrix several labels, other numbers values."""
    if y.ndim == 2:
        return "labels"
    return "classes" if y.dtype.kind in "iub" else "value"


def fitting(target: Target, pairs: bool = False) -> tuple[str, ...]:
    """Names of the metrics that fit a target; ``pairs``: whether pairs of nodes are scored."""
    return tuple(name for name in METRICS if target in _FITS[name] and (pairs or name not in PAIRS_ONLY))


def _check_fit(name: str, target: Target) -> None:
    if target not in _FITS[name]:
        raise UsageError(f"{name} does not fit {_WORDS[target]}; allowed: {', '.join(fitting(target))}")


def _check_shapes(name: str, target: Target, labels: Labels, table: Scores) -> None:
    if table.ndim != 2 or len(labels) != len(table) or not len(labels) or (target == "labels" and labels.shape != table.shape):
        wanted = {"classes": "labels [n] and scores [n, classes]", "labels": "labels [n, labels] and scores [n, labels]"}
        said = wanted.get(target, "values [n] and predictions [n, 1]")
        raise UsageError(f"{name} needs {said} with n > 0; got {list(labels.shape)} and {list(table.shape)}")
    if target == "classes" and (labels.min() < 0 or labels.max() >= table.shape[1]):
        raise UsageError(f"{name} needs labels in 0..{table.shape[1] - 1}; got {labels.min()}..{labels.max()}")
    if np.isnan(table).any():
        raise UsageError(f"{name} cannot score predictions that hold NaN")
    if target == "value" and not np.isfinite(labels).all():
        raise UsageError(f"{name} needs finite values; {int((~np.isfinite(labels)).sum())} of {len(labels)} are not")


def _mean_over_labels(name: str, labels: Labels, scores: Scores) -> float:
    """Mean of the metric over labels of which both kinds are present; rows where a label is not known do not count for it."""
    found = []
    for column, predicted in zip(labels.T, scores.T, strict=True):
        known = np.isfinite(column)
        y, p = column[known].astype(np.int64), predicted[known]
        if len(np.unique(y)) == 2:
            found.append(_SCORERS[name](y, np.stack([1.0 - p, p], axis=1)))
    if not found:
        raise UsageError(f"{name} needs a label of which both kinds are present; none of {labels.shape[1]} has")
    return float(np.mean(found))


def _accuracy(labels: Labels, scores: Scores) -> float:
    return float(np.mean(scores.argmax(axis=1) == labels))


def _macro_f1(labels: Labels, scores: Scores) -> float:
    # Over the classes that occur as a label or as a prediction, as scikit-learn does.
    predicted, classes = scores.argmax(axis=1), scores.shape[1]
    hits = np.bincount(labels[labels == predicted], minlength=classes)
    total = np.bincount(labels, minlength=classes) + np.bincount(predicted, minlength=classes)
    seen = total > 0
    return float(np.mean(2.0 * hits[seen] / total[seen]))


def _two_classes(name: str, labels: Labels, scores: Scores) -> tuple[NDArray[np.bool_], Scores]:
    """Which rows are positive, and how much each is held for it."""
    if scores.shape[1] != 2 or len(np.unique(labels)) != 2:
        raise UsageError(f"{name} needs two classes, both present; got {scores.shape[1]} columns and labels {np.unique(labels).tolist()}")
    # The difference orders logits and probabilities alike.
    return labels == 1, scores[:, 1] - scores[:, 0]


def _roc_auc(labels: Labels, scores: Scores) -> float:
    positive, margin = _two_classes("roc_auc", labels, scores)
    # Ties share the mean of their ranks (Mann-Whitney).
    _, inverse, counts = np.unique(margin, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2.0)[inverse]
    n_positive, n_negative = int(positive.sum()), int((~positive).sum())
    return float((ranks[positive].sum() - n_positive * (n_positive + 1) / 2.0) / (n_positive * n_negative))


def _ap(labels: Labels, scores: Scores) -> float:
    """Average precision: the area under steps of precision over recall; equal scores are one step, as in scikit-learn."""
    positive, margin = _two_classes("ap", labels, scores)
    order = np.argsort(-margin, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(margin[order]) != 0, True))
    hits = np.cumsum(positive[order])[ends]
    return float((np.diff(hits, prepend=0) * hits / (ends + 1)).sum() / positive.sum())


def _mrr(labels: Labels, scores: Scores) -> float:
    """Mean over positives of 1 / rank among all negatives; of equal scores half count as above."""
    positive, margin = _two_classes("mrr", labels, scores)
    negatives = np.sort(margin[~positive])
    below, not_above = (np.searchsorted(negatives, margin[positive], side=side) for side in ("left", "right"))
    return float(np.mean(1.0 / (1.0 + len(negatives) - not_above + (not_above - below) / 2.0)))


def _hits(k: int) -> Scorer:
    def hits(labels: Labels, scores: Scores) -> float:
        """Share of positives above the k-th best negative (Hu et al., 2020, OGB); all of them where there are fewer negatives."""
        positive, margin = _two_classes(f"hits@{k}", labels, scores)
        negatives = margin[~positive]
        return 1.0 if len(negatives) < k else float(np.mean(margin[positive] > np.partition(negatives, -k)[-k]))

    return hits


def _mae(y: Labels, predicted: Scores) -> float:
    return float(np.mean(np.abs(y - predicted[:, 0])))


def _rmse(y: Labels, predicted: Scores) -> float:
    return float(np.sqrt(np.mean((y - predicted[:, 0]) ** 2)))


def _r2(y: Labels, predicted: Scores) -> float:
    """Share of the variance that is explained; of rows without variance, 1 where all are met and 0 else."""
    spread, left = float(((y - y.mean()) ** 2).sum()), float(((y - predicted[:, 0]) ** 2).sum())
    return 1.0 - left / spread if spread else float(left == 0)


_SCORERS: dict[str, Scorer] = {
    "accuracy": _accuracy, "macro_f1": _macro_f1, "roc_auc": _roc_auc, "ap": _ap, "mrr": _mrr, "mae": _mae, "rmse": _rmse, "r2": _r2,
    **{f"hits@{k}": _hits(k) for k in (20, 50, 100)},
}  # fmt: skip
_FITS: dict[str, tuple[Target, ...]] = {
    "accuracy": ("classes", "labels"), "macro_f1": ("classes", "labels"), "roc_auc": ("classes", "labels"), "ap": ("classes", "labels"),
    "mrr": ("classes",), "hits@20": ("classes",), "hits@50": ("classes",), "hits@100": ("classes",),
    "mae": ("value",), "rmse": ("value",), "r2": ("value",),
}  # fmt: skip
_WORDS: dict[Target, str] = {"classes": "classes", "labels": "several labels an item", "value": "a target that is a number"}
METRICS: dict[str, Metric] = {name: Metric(name) for name in get_args(MetricName)}


def constant_error(name: str, y: Labels) -> float:
    """Error of the best constant prediction of these values, the ``unit`` of an error metric; 1 where it would be 0."""
    y = y[np.isfinite(y)]
    if not len(y):
        return 1.0
    best = np.median(y) if name == "mae" else y.mean()
    return _SCORERS[name](y, np.full((len(y), 1), best)) or 1.0
