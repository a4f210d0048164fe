"""What a score is: a number in percent that knows which direction is better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from agentnas.tools.errors import UsageError, suggest

MetricName = Literal["accuracy", "macro_f1", "roc_auc"]
Labels = NDArray[np.int64]
Scores = NDArray[np.floating]


@dataclass(frozen=True)
class Metric:
    """A score in percent, 0..100."""

    name: MetricName
    higher_is_better: bool = True

    def score(self, y_true: Labels, scores: Scores) -> float:
        """Percent for labels ``[n]`` in 0..classes-1 and scores (logits or probabilities) ``[n, classes]``.

        Raises UsageError for shapes that do not fit, no rows, unlabelled rows, NaN, or (roc_auc) fewer than two classes present.
        """
        labels, table = _checked(self.name, y_true, scores)
        return 100.0 * _SCORERS[self.name](labels, table)

    def better(self, a: float, b: float) -> bool:
        """Whether ``a`` is strictly better than ``b``."""
        return a > b if self.higher_is_better else a < b


def metric(name: str) -> Metric:
    """The metric of that name; UsageError names the nearest ones."""
    if name not in METRICS:
        raise UsageError(f"metric {name!r} does not exist; {suggest(name, METRICS)}")
    return METRICS[name]


def _checked(name: str, y_true: Labels, scores: Scores) -> tuple[Labels, Scores]:
    labels, table = np.asarray(y_true), np.asarray(scores)
    if labels.ndim != 1 or table.ndim != 2 or len(labels) != len(table) or not len(labels):
        raise UsageError(f"{name} needs labels [n] and scores [n, classes] with n > 0; got {list(labels.shape)} and {list(table.shape)}")
    if labels.min() < 0 or labels.max() >= table.shape[1]:
        raise UsageError(f"{name} needs labels in 0..{table.shape[1] - 1}; got {labels.min()}..{labels.max()}")
    if np.isnan(table).any():
        raise UsageError(f"{name} cannot score predictions that hold NaN")
    return labels, table


def _accuracy(labels: Labels, scores: Scores) -> float:
    return float(np.mean(scores.argmax(axis=1) == labels))


def _macro_f1(labels: Labels, scores: Scores) -> float:
    # Over the classes that occur as a label or as a prediction, as scikit-learn does.
    predicted, classes = scores.argmax(axis=1), scores.shape[1]
    hits = np.bincount(labels[labels == predicted], minlength=classes)
    total = np.bincount(labels, minlength=classes) + np.bincount(predicted, minlength=classes)
    seen = total > 0
    return float(np.mean(2.0 * hits[seen] / total[seen]))


def _roc_auc(labels: Labels, scores: Scores) -> float:
    if scores.shape[1] != 2 or len(np.unique(labels)) != 2:
        raise UsageError(f"roc_auc needs two classes, both present; got {scores.shape[1]} columns and labels {np.unique(labels).tolist()}")
    # The difference orders logits and probabilities alike; ties share the mean of their ranks (Mann-Whitney).
    _, inverse, counts = np.unique(scores[:, 1] - scores[:, 0], return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2.0)[inverse]
    positive = labels == 1
    n_positive, n_negative = int(positive.sum()), int((~positive).sum())
    return float((ranks[positive].sum() - n_positive * (n_positive + 1) / 2.0) / (n_positive * n_negative))


_SCORERS = {"accuracy": _accuracy, "macro_f1": _macro_f1, "roc_auc": _roc_auc}
METRICS: dict[str, Metric] = {"accuracy": Metric("accuracy"), "macro_f1": Metric("macro_f1"), "roc_auc": Metric("roc_auc")}
