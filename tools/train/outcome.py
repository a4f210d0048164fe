"""How a training ends: its result, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from agentnas.tools.errors import AgentNASError


class TrainingFailed(AgentNASError):
    """A candidate's training ended without a result; the candidate must change, or get more time."""


class Diverged(TrainingFailed):
    """The loss or the predictions are no longer finite."""


class TimedOut(TrainingFailed):
    """The deadline came before the end of the first epoch."""


@dataclass(frozen=True)
class TrainResult:
    """A finished training. Scores are in percent.

    ``val``: validation score of the chosen epoch, ``best_epoch`` (1 is the first); ``epochs``: epochs trained. ``curve``: at most 60 of
    (epoch, training loss, validation score). ``details`` holds ``PLANNED`` where the time limit ended the training. ``state_dict``: the
    chosen epoch's weights, on the CPU.
    """

    val: float
    best_epoch: int
    epochs: int
    seconds: float
    curve: list[tuple[int, float, float]]
    train_score: float
    details: dict[str, Any] = field(default_factory=dict)
    state_dict: dict[str, Tensor] = field(default_factory=dict)
