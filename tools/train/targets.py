"""What is learned of an item: its class, several labels, or a value; each with its loss, its predictions, and the loss of these."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from agentnas.tools.metrics import Metric, Target

LEAST = 1e-12  # of a probability whose logarithm is taken


class Objective(Protocol):
    """Turns outputs of a network [n, outputs] into a loss, and into predictions [n, outputs] for the metric."""

    def loss(self, outputs: Tensor, y: Tensor, smoothing: float) -> Tensor:
        """Mean loss of rows that are all labelled; a scalar."""

    def predictions(self, outputs: Tensor) -> Tensor:
        """Probabilities, or values in the unit of the target."""

    def loss_of(self, predictions: Tensor, y: Tensor) -> Tensor:
        """The loss of predictions; a scalar."""


class Classes:
    """One of several classes: cross-entropy."""

    def loss(self, outputs: Tensor, y: Tensor, smoothing: float) -> Tensor:
        return F.cross_entropy(outputs, y, label_smoothing=smoothing)

    def predictions(self, outputs: Tensor) -> Tensor:
        return F.softmax(outputs, dim=1)

    def loss_of(self, predictions: Tensor, y: Tensor) -> Tensor:
        return F.nll_loss(predictions.clamp(min=LEAST).log(), y)


class ManyLabels:
    """Any of several labels, each 0, 1 or NaN for not known: binary cross-entropy of those that are known."""

    def loss(self, outputs: Tensor, y: Tensor, smoothing: float) -> Tensor:
        known = torch.isfinite(y)
        wanted = torch.where(known, y, 0.0) * (1.0 - smoothing) + smoothing / 2.0
        return _mean(F.binary_cross_entropy_with_logits(outputs, wanted, reduction="none"), known)

    def predictions(self, outputs: Tensor) -> Tensor:
        return outputs.sigmoid()

    def loss_of(self, predictions: Tensor, y: Tensor) -> Tensor:
        known = torch.isfinite(y)
        likely = predictions.clamp(LEAST, 1.0 - 1e-7)
        return _mean(F.binary_cross_entropy(likely, torch.where(known, y, 0.0), reduction="none"), known)


class Values:
    """A number: squared error, or absolute error where that is the metric, of the target with zero mean and unit variance in training."""

    def __init__(self, y_train: Tensor, metric: Metric) -> None:
        self.centre, spread = y_train.mean(), y_train.std(correction=0)
        self.spread = torch.where(spread > 0, spread, 1.0)
        self._absolute = metric.name == "mae"

    def loss(self, outputs: Tensor, y: Tensor, smoothing: float) -> Tensor:
        return self._error(outputs.squeeze(1), (y - self.centre) / self.spread)

    def predictions(self, outputs: Tensor) -> Tensor:
        return outputs * self.spread + self.centre

    def loss_of(self, predictions: Tensor, y: Tensor) -> Tensor:
        return self._error((predictions.squeeze(1) - self.centre) / self.spread, (y - self.centre) / self.spread)

    def _error(self, predicted: Tensor, y: Tensor) -> Tensor:
        return F.l1_loss(predicted, y) if self._absolute else F.mse_loss(predicted, y)


def objective_of(target: Target, y_train: Tensor, metric: Metric) -> Objective:
    """What is to be learned, from the labels of the training part."""
    if target == "value":
        return Values(y_train, metric)
    return ManyLabels() if target == "labels" else Classes()


def _mean(losses: Tensor, known: Tensor) -> Tensor:
    return (losses * known).sum() / known.sum().clamp(min=1)
