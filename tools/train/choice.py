"""Which epoch is chosen, when to stop, and the curve that is kept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean

import torch
from torch import Tensor, nn

from agentnas.tools.metrics import Metric

CURVE_POINTS = 60
# Epochs over which scores of few validation items are averaged: of 19 items the best of a hundred epochs is the luckiest.
FEW_ITEMS_WINDOW = 5


@dataclass(frozen=True)
class Validation:
    """Validation score in percent and loss of one epoch."""

    score: float
    loss: float


@dataclass
class Choice:
    """Keeps the weights of the best epoch: best validation score, ties by lower validation loss.

    Score and loss of an epoch are means over the ``window`` epochs that end with it, fewer at the beginning; 1 is the epoch alone.
    ``waited`` counts epochs in which neither the score nor the loss was the best so far; on small validation sets the score stands still
    while the loss still falls, and the other way round at the end.
    """

    metric: Metric
    window: int = 1
    best: Validation | None = None
    best_epoch: int = 0
    state: dict[str, Tensor] = field(default_factory=dict)
    curve: list[tuple[int, float, float]] = field(default_factory=list)
    waited: int = 0
    _recent: list[Validation] = field(default_factory=list)
    _lowest: float = math.inf
    _highest: float | None = None

    def add(self, epoch: int, train_loss: float, seen: Validation, network: nn.Module) -> bool:
        """Record an epoch, and keep its weights if it is chosen; True where its score or its loss is the best so far."""
        better = self.note(epoch, train_loss, seen)
        if self.best_epoch == epoch:
            self._keep(network.state_dict())
        return better

    def _keep(self, state: dict[str, Tensor]) -> None:
        """Copy the weights to where the best before them lie."""
        if not self.state:
            self.state = {name: torch.empty_like(value) for name, value in state.items()}
        for name, value in state.items():
            self.state[name].copy_(value)

    def note(self, epoch: int, train_loss: float, seen: Validation) -> bool:
        """The same without the weights; ``best_epoch`` is ``epoch`` where they are to be kept as ``state``."""
        self.curve.append((epoch, train_loss, seen.score))
        higher = self._highest is None or self.metric.better(seen.score, self._highest)
        better = higher or seen.loss < self._lowest
        self._highest = seen.score if higher else self._highest
        self._lowest = min(self._lowest, seen.loss)
        self.waited = 0 if better else self.waited + 1
        self._recent = [*self._recent, seen][-self.window :]
        steady = mean_of(self._recent)
        if self._beats(steady):
            self.best, self.best_epoch = steady, epoch
        return better

    def restart(self) -> None:
        """Begin a new phase: patience counts anew and against the phase's own epochs; the best epoch stays."""
        self.waited, self._lowest, self._highest, self._recent = 0, math.inf, None, []

    def _beats(self, seen: Validation) -> bool:
        if self.best is None or seen.score == self.best.score:
            return self.best is None or seen.loss < self.best.loss
        return self.metric.better(seen.score, self.best.score)


def mean_of(seen: Sequence[Validation]) -> Validation:
    """Mean score and loss of some epochs."""
    return seen[0] if len(seen) == 1 else Validation(fmean(one.score for one in seen), fmean(one.loss for one in seen))


def thinned(curve: list[tuple[int, float, float]], best_epoch: int) -> list[tuple[int, float, float]]:
    """At most ``CURVE_POINTS`` evenly spaced points, with the first, the last and the best epoch among them."""
    stride = max(1, math.ceil(len(curve) / (CURVE_POINTS - 2)))
    last = len(curve) - 1
    kept = [point for i, point in enumerate(curve) if i % stride == 0 or i == last or point[0] == best_epoch]
    return [(epoch, round(loss, 5), round(val, 3)) for epoch, loss, val in kept]
