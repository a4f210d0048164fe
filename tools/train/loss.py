"""The training loss: cross-entropy of labelled nodes, and the disagreement of several random passes."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from agentnas.tools.spec.model import Recipe


def supervised(logits: Tensor, y: Tensor, smoothing: float) -> Tensor:
    """Mean cross-entropy of logits [n, classes] and labels long [n], with label smoothing."""
    return F.cross_entropy(logits, y, label_smoothing=smoothing)


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


def training_loss(passes: list[Tensor], index: Tensor, y: Tensor, recipe: Recipe) -> Tensor:
    """Loss of one step. ``index``, ``y``: labelled rows and their labels, may be empty where several passes must agree."""
    loss = passes[0].new_zeros(())
    if index.numel():
        loss = torch.stack([supervised(logits.index_select(0, index), y, recipe.label_smoothing) for logits in passes]).mean()
    if len(passes) > 1:
        loss = loss + recipe.consistency_weight * disagreement(passes, recipe.consistency_temperature)
    return loss
