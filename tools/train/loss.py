"""The training loss: that of labelled items, and the disagreement of several random passes."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from agentnas.tools.spec.model import Recipe
from agentnas.tools.train.targets import Classes, Objective


def sharpened(probabilities: Tensor, temperature: float) -> Tensor:
    """Rows of [N, classes] raised to 1 / temperature and normalised again; lower temperatures are nearer to one-hot."""
    # From the logarithm, so that small temperatures do not underflow to rows of zeros.
    return F.softmax(probabilities.clamp(min=1e-30).log() / temperature, dim=1)


def disagreement(passes: list[Tensor], temperature: float) -> Tensor:
    """Mean over passes and nodes of the squared distance to the sharpened mean prediction (Feng et al., 2020, GRAND).

    ``passes``: logits [N, classes] of each random pass. The target is a constant: no gradient flows through it.
    """
    shares = torch.stack([F.softmax(logits, dim=1) for logits in passes])
    target = sharpened(shares.detach().mean(0), temperature)
    return (shares - target).square().sum(-1).mean()


def training_loss(passes: list[Tensor], index: Tensor, y: Tensor, recipe: Recipe, objective: Objective | None = None) -> Tensor:
    """Loss of one step. ``index``, ``y``: labelled rows and their labels, may be empty where several passes must agree."""
    loss, learned = passes[0].new_zeros(()), objective or Classes()
    if index.numel():
        loss = torch.stack([learned.loss(outputs.index_select(0, index), y, recipe.label_smoothing) for outputs in passes]).mean()
    if len(passes) > 1:
        loss = loss + recipe.consistency_weight * disagreement(passes, recipe.consistency_temperature)
    return loss
