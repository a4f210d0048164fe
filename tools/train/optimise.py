"""Optimisers and learning-rate schedules of the recipe."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop

from agentnas.tools.nn.network import Network
from agentnas.tools.spec.model import Recipe
from agentnas.tools.train.eager import eager

STEPS = (0.5, 0.75)  # shares of the epochs after which the step schedule divides by STEP_FACTOR
STEP_FACTOR = 0.1
PLATEAU_FACTOR = 0.5
PLATEAU_EPOCHS = 20


def make_optimiser(network: Network, recipe: Recipe) -> Optimizer:
    """The recipe's optimiser over the network's weight-decay groups."""
    groups = network.parameter_groups(recipe)
    device = next((parameter.device for parameter in network.parameters()), torch.device("cpu"))
    on_device = device.type == "cuda"
    # On CUDA the rate is read by the device at each step, so that a recorded step follows the schedule.
    rate: Any = torch.full((), recipe.learning_rate, device=device) if on_device else recipe.learning_rate
    # One fused kernel a group: on CPU a third of the time of the loop over single operations.
    fused: dict[str, Any] = {"fused": True}
    capturable: dict[str, Any] = {"capturable": on_device}
    match recipe.optimiser:
        case "adam":
            return eager(Adam)(groups, lr=rate, **fused, **capturable)
        case "adamw":
            return eager(AdamW)(groups, lr=rate, **fused, **capturable)
        case "sgd":
            return eager(SGD)(groups, lr=rate, momentum=recipe.momentum, **fused)
        case "rmsprop":
            return eager(RMSprop)(groups, lr=rate, momentum=recipe.momentum, **capturable)


class LearningRate:
    """Sets the learning rate before each epoch: linear warm-up times the schedule.

    ``cosine`` ends at 0; ``step`` divides by 10 after half and after three quarters; ``plateau`` halves after 20 epochs without a better
    validation. ``epochs`` is the number that will be trained at most, so a shortened training runs through the whole schedule.
    """

    def __init__(self, optimiser: Optimizer, recipe: Recipe, epochs: int) -> None:
        self._optimiser, self._recipe, self._epochs = optimiser, recipe, epochs
        self._waited, self._halvings = 0, 0
        self._set: float | None = None

    def begin(self, epoch: int) -> float:
        """Set and return the rate of an epoch, the first being 1."""
        rate = self._recipe.learning_rate * self._warm_up(epoch) * self._factor(epoch)
        if rate != self._set:
            for group in self._optimiser.param_groups:
                if isinstance(group["lr"], torch.Tensor):
                    group["lr"].fill_(rate)
                else:
                    group["lr"] = rate
        self._set = rate
        return rate

    @property
    def foreseen(self) -> int | None:
        """For so many epochs the rate does not depend on how validation goes; None: never."""
        return PLATEAU_EPOCHS - self._waited if self._recipe.schedule == "plateau" else None

    def ended(self, better: bool) -> None:
        """Tell whether the epoch's validation was better than all before."""
        self._waited = 0 if better else self._waited + 1
        if self._waited >= PLATEAU_EPOCHS:
            self._halvings, self._waited = self._halvings + 1, 0

    def _warm_up(self, epoch: int) -> float:
        return min(1.0, epoch / (self._recipe.warmup + 1))

    def _factor(self, epoch: int) -> float:
        done = (epoch - 1) / self._epochs
        match self._recipe.schedule:
            case "none":
                return 1.0
            case "cosine":
                start = min(self._recipe.warmup, self._epochs - 1)
                return 0.5 * (1 + math.cos(math.pi * max(0, epoch - 1 - start) / (self._epochs - start)))
            case "step":
                return STEP_FACTOR ** sum(done >= share for share in STEPS)
            case "plateau":
                return PLATEAU_FACTOR**self._halvings


def clip(network: torch.nn.Module, largest: float) -> None:
    """Scale the gradient down to norm ``largest`` where it is longer; 0 leaves it."""
    if largest > 0:
        torch.nn.utils.clip_grad_norm_(network.parameters(), largest)
