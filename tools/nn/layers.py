"""Layers that every network uses: Linear, dropout, perceptron, norms, encoders, and the block around an operator."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from agentnas.tools.nn.dense import affine
from agentnas.tools.nn.dropout import dropped, relu_dropped
from agentnas.tools.nn.graph import Graph
from agentnas.tools.nn.sparse import Features, SparseFeatures, as_dense


class Linear(nn.Linear):
    """Affine map of dense or sparse features; Glorot-uniform weights [out, in], zero bias."""

    def __call__(self, x: Features) -> Tensor:
        out: Tensor = super().__call__(x)
        return out

    def reset_parameters(self) -> None:
        glorot(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, x: Features) -> Tensor:
        if isinstance(x, SparseFeatures):
            out = x @ self.weight.t()
            return out if self.bias is None else out + self.bias
        return affine(x, self.weight, self.bias)


def glorot(weight: Tensor) -> None:
    """Fill in place with Glorot-uniform values; the last two dimensions are fan-out and fan-in (Glorot and Bengio, 2010)."""
    bound = math.sqrt(6 / (weight.shape[-1] + weight.shape[-2]))
    nn.init.uniform_(weight, -bound, bound)


def drop(x: Features, p: float, training: bool) -> Features:
    """Dropout of dense features, or of the non-zeros of sparse ones."""
    if not training or p == 0.0:
        return x
    return x.dropout(p) if isinstance(x, SparseFeatures) else dropped(x, p)


def drop_dense(x: Tensor, p: float, training: bool) -> Tensor:
    """Dropout of a dense tensor."""
    return dropped(x, p) if training and p > 0.0 else x


def relu_drop(x: Tensor, p: float, training: bool) -> Tensor:
    """Dropout of the positive part of a dense tensor."""
    return relu_dropped(x, p) if training and p > 0.0 else x.relu()


class Perceptron(nn.Module):
    """Linear layers of ``widths``, dropout before each, ``activation`` between them (not after the last)."""

    def __init__(self, widths: list[int], dropout: float = 0.0, activation: nn.Module | None = None) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Linear(a, b) for a, b in pairwise(widths))
        self.dropout = dropout
        self.activation = nn.ReLU() if activation is None else activation

    def forward(self, x: Features) -> Tensor:
        for number, layer in enumerate(self.layers):
            if number:
                x = self.activation(x)
            x = layer(drop(x, self.dropout, self.training))
        return as_dense(x)


class Encoder(nn.Module):
    """Raw features [N, F] -> [N, width], with positional and structural encodings [N, k] appended."""

    def __init__(self, perceptron: Perceptron, activation: nn.Module | None = None) -> None:
        super().__init__()
        self.perceptron = perceptron
        self.activation = nn.Identity() if activation is None else activation

    def forward(self, x: Features, encodings: Tensor | None = None) -> Tensor:
        hidden: Tensor = self.activation(self.perceptron(x))
        return hidden if encodings is None else torch.cat([hidden, encodings], 1)


class RawFeatures(nn.Module):
    """Features as they are (sparse ones stay sparse), with dropout, and encodings [N, k] appended."""

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = dropout

    def forward(self, x: Features, encodings: Tensor | None = None) -> Features:
        x = drop(x, self.dropout, self.training)
        if encodings is None:
            return x
        return x.with_columns(encodings) if isinstance(x, SparseFeatures) else torch.cat([x, encodings], 1)


def per_graph(x: Tensor, batch: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Sum of ``x`` [N, C] in each graph [G, C], node counts [G, 1] (at least 1), and each node's graph; no batch is one graph."""
    if batch is None:  # no shape depends on what a tensor holds, so that this can be traced
        counts = x.new_ones(x.shape[0], 1).sum(0, keepdim=True).clamp(min=1)
        return x.sum(0, keepdim=True), counts, torch.zeros(x.shape[0], dtype=torch.long, device=x.device)
    graphs = int(batch.max()) + 1 if batch.numel() else 0
    total = x.new_zeros(graphs, x.shape[1]).index_add_(0, batch, x)
    counts = torch.bincount(batch, minlength=graphs).to(x.dtype).clamp(min=1)[:, None]
    return total, counts, batch


class BatchNorm(nn.BatchNorm1d):
    """Each channel to zero mean and unit variance over all nodes (Ioffe and Szegedy, 2015)."""

    def forward(self, x: Tensor, batch: Tensor | None = None) -> Tensor:
        return super().forward(x)


class LayerNorm(nn.LayerNorm):
    """Each node to zero mean and unit variance over its channels (Ba et al., 2016)."""

    def forward(self, x: Tensor, batch: Tensor | None = None) -> Tensor:
        return super().forward(x)


class PairNorm(nn.Module):
    """Each graph centred, and scaled to a mean squared row norm of 1 (Zhao and Akoglu, 2020)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, x: Tensor, batch: Tensor | None = None) -> Tensor:
        if batch is None:
            x = x - x.mean(0)
            return x / (1e-5 + x.pow(2).sum(1).mean()).sqrt()
        total, counts, batch = per_graph(x, batch)
        x = x - (total / counts)[batch]
        squares, _, _ = per_graph(x.pow(2).sum(1, keepdim=True), batch)
        return x / (1e-5 + squares / counts).sqrt()[batch]


class GraphNorm(nn.Module):
    """Each channel of each graph to unit variance after taking away a learned share of its mean (Cai et al., 2021)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))
        self.mean_scale = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor, batch: Tensor | None = None) -> Tensor:
        if batch is None:
            x = x - x.mean(0) * self.mean_scale
            return self.weight * x / (x.pow(2).mean(0) + 1e-5).sqrt() + self.bias
        total, counts, batch = per_graph(x, batch)
        x = x - (total / counts * self.mean_scale)[batch]
        squares, _, _ = per_graph(x.pow(2), batch)
        return self.weight * x / (squares / counts + 1e-5).sqrt()[batch] + self.bias


class Block(nn.Module):
    """Merge inputs -> dropout -> operator -> norm -> + residual -> activation.

    ``residual`` maps the merged input (before dropout) to the operator's width. Sparse features reach the operator only if its class says
    ``takes_sparse = True``.
    """

    def __init__(
        self,
        operator: nn.Module,
        merge: nn.Module | None = None,
        dropout: float = 0.0,
        norm: nn.Module | None = None,
        residual: nn.Module | None = None,
        activation: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.operator, self.merge, self.norm = operator, merge, norm
        self.residual, self.activation = residual, activation
        self.dropout = dropout

    def forward(self, graph: Graph, *inputs: Features, batch: Tensor | None = None) -> Tensor:
        merged: Features = inputs[0] if self.merge is None else self.merge(*inputs)
        x = drop(merged, self.dropout, self.training)
        out: Tensor = self.operator(x if getattr(self.operator, "takes_sparse", False) else as_dense(x), graph)
        if self.norm is not None:
            out = self.norm(out, batch)
        if self.residual is not None:
            out = out + as_dense(self.residual(merged))
        return out if self.activation is None else self.activation(out)
