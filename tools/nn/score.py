"""Scores in percent, as tensors: what an exported model prints about itself. Equal to the metrics of the same name in ``tools.metrics``."""

from __future__ import annotations

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
