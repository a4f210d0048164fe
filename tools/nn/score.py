"""Scores as tensors: what an exported model prints about itself. Equal to the metrics of the same name in ``tools.metrics``.

All in percent but ``mae`` and ``rmse``, which are in the unit of the target.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def accuracy(y: Tensor, scores: Tensor) -> float:
    """Percent of rows of ``scores`` [n, classes] whose largest is the label; ``y``: long [n]."""
    return 100.0 * (scores.argmax(1) == y).double().mean().item()


def macro_f1(y: Tensor, scores: Tensor) -> float:
    """Mean F1 in percent over the classes that occur as a label or as a prediction."""
    predicted, classes = scores.argmax(1), scores.shape[1]
    hits = torch.bincount(y[y == predicted], minlength=classes).double()
    total = torch.bincount(y, minlength=classes) + torch.bincount(predicted, minlength=classes)
    return 100.0 * (2 * hits[total > 0] / total[total > 0]).mean().item()


def roc_auc(y: Tensor, scores: Tensor) -> float:
    """Percent of pairs (negative, positive) that ``scores`` [n, 2] put in order; ties count half."""
    _, inverse, counts = torch.unique(scores[:, 1] - scores[:, 0], return_inverse=True, return_counts=True)
    ranks = (counts.cumsum(0).double() - (counts.double() - 1) / 2)[inverse]
    positives = int((y == 1).sum())
    negatives = y.numel() - positives
    return 100.0 * (float(ranks[y == 1].sum()) - positives * (positives + 1) / 2) / (positives * negatives)


def ap(y: Tensor, scores: Tensor) -> float:
    """Average precision in percent of ``scores`` [n, 2]; equal scores are one step."""
    margin, order = (scores[:, 1] - scores[:, 0]).sort(descending=True, stable=True)
    positive = y[order] == 1
    end = torch.cat([margin.diff() != 0, margin.new_ones(1, dtype=torch.bool)]).nonzero().squeeze(1)
    hits = positive.cumsum(0)[end].double()
    return 100.0 * (hits.diff(prepend=hits.new_zeros(1)) * hits / (end + 1)).sum().item() / int(positive.sum())


def mrr(y: Tensor, scores: Tensor) -> float:
    """Mean over positives of 1 / rank among all negatives, in percent; of equal scores half count as above."""
    margin = scores[:, 1] - scores[:, 0]
    positives, negatives = margin[y == 1], margin[y != 1].sort().values
    below, reached = torch.searchsorted(negatives, positives), torch.searchsorted(negatives, positives, right=True)
    rank = 1 + negatives.numel() - reached + (reached - below) / 2
    return 100.0 * (1 / rank.double()).mean().item()


def hits(y: Tensor, scores: Tensor, k: int) -> float:
    """Percent of positives above the k-th best negative; all of them where there are fewer negatives."""
    margin = scores[:, 1] - scores[:, 0]
    negatives = margin[y != 1]
    return 100.0 if negatives.numel() < k else 100.0 * (margin[y == 1] > negatives.topk(k).values[-1]).double().mean().item()


def mae(y: Tensor, predicted: Tensor) -> float:
    """Mean absolute error of ``predicted`` [n, 1], in the unit of ``y`` [n]."""
    return (y - predicted[:, 0]).double().abs().mean().item()


def rmse(y: Tensor, predicted: Tensor) -> float:
    """Root of the mean squared error of ``predicted`` [n, 1], in the unit of ``y`` [n]."""
    return (y - predicted[:, 0]).double().pow(2).mean().sqrt().item()


def r2(y: Tensor, predicted: Tensor) -> float:
    """Percent of the variance of ``y`` [n] that ``predicted`` [n, 1] explains; without variance, 100 where all are met and 0 else."""
    spread, left = (y.double() - y.double().mean()).pow(2).sum().item(), (y - predicted[:, 0]).double().pow(2).sum().item()
    return 100.0 * (1 - left / spread) if spread else 100.0 * (left == 0)


def over_labels(metric: Callable[[Tensor, Tensor], float], y: Tensor, scores: Tensor) -> float:
    """Mean of a metric over labels [n, labels] of which both kinds are present; rows where a label is not known (NaN) do not count."""
    found = []
    for column, predicted in zip(y.unbind(1), scores.unbind(1), strict=True):
        known = column.isfinite()
        truth, share = column[known].long(), predicted[known]
        if bool((truth == 0).any()) and bool((truth == 1).any()):
            found.append(metric(truth, torch.stack([1 - share, share], 1)))
    return sum(found) / len(found)
