"""How several values become one: merges of a node's inputs, and jumping knowledge over the body's outputs.

All but concatenation need equal widths: values of another width than ``width`` pass a bias-free Linear first. No merge depends on the
order of its inputs but for the layout of concatenated columns.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from agentnas.tools.nn.layers import Linear
from agentnas.tools.nn.sparse import Features, as_dense


class Merge(nn.Module):
    """Values [N, widths[i]], aligned to ``width``, then joined to [N, width] by a subclass."""

    def __init__(self, widths: list[int], width: int) -> None:
        super().__init__()
        self.align = nn.ModuleList(nn.Identity() if w == width else Linear(w, width, bias=False) for w in widths)

    def forward(self, *values: Features) -> Tensor:
        return self.join(torch.stack([as_dense(align(value)) for align, value in zip(self.align, values, strict=True)]))

    def join(self, stacked: Tensor) -> Tensor:
        """[inputs, N, width] -> [N, width]."""
        raise NotImplementedError


class SumMerge(Merge):
    def join(self, stacked: Tensor) -> Tensor:
        return stacked.sum(0)


class MeanMerge(Merge):
    def join(self, stacked: Tensor) -> Tensor:
        return stacked.mean(0)


class MaxMerge(Merge):
    def join(self, stacked: Tensor) -> Tensor:
        return stacked.amax(0)


class GateMerge(Merge):
    """Each channel a convex mix of the inputs, by a softmax over scores of one shared Linear."""

    def __init__(self, widths: list[int], width: int) -> None:
        super().__init__(widths, width)
        self.score = Linear(width, width)

    def join(self, stacked: Tensor) -> Tensor:
        return (self.score(stacked).softmax(0) * stacked).sum(0)


class AttentionMerge(Merge):
    """Each node a convex mix of the inputs, by one score an input (adaptive depth; Xu et al., 2018)."""

    def __init__(self, widths: list[int], width: int) -> None:
        super().__init__(widths, width)
        self.project, self.score = Linear(width, width), Linear(width, 1, bias=False)

    def join(self, stacked: Tensor) -> Tensor:
        return (self.score(self.project(stacked).tanh()).softmax(0) * stacked).sum(0)


class ConcatMerge(nn.Module):
    """Values side by side; [N, sum of widths]."""

    def forward(self, *values: Features) -> Tensor:
        return torch.cat([as_dense(value) for value in values], 1)
