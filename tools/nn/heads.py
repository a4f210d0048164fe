"""Readouts: scores of pairs of nodes, pooling of graphs, and the virtual node. Node heads are a plain ``Perceptron``."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from agentnas.tools.nn.graph import Graph
from agentnas.tools.nn.layers import Linear, Perceptron, per_graph
from agentnas.tools.nn.sparse import Features, as_dense


class DotHead(nn.Module):
    """Dot product of the two ends of each pair; [pairs]."""

    def forward(self, x: Features, graph: Graph, pairs: Tensor) -> Tensor:
        z = as_dense(x)
        return (z.index_select(0, pairs[0]) * z.index_select(0, pairs[1])).sum(1)


class PairHead(nn.Module):
    """Perceptron on the product of the two ends, which does not depend on their order; [pairs], or [pairs, out] where out > 1."""

    def __init__(self, perceptron: Perceptron) -> None:
        super().__init__()
        self.perceptron = perceptron

    def forward(self, x: Features, graph: Graph, pairs: Tensor) -> Tensor:
        z = as_dense(x)
        return _one_column(self.perceptron(z.index_select(0, pairs[0]) * z.index_select(0, pairs[1])))


class CommonNeighbourHead(nn.Module):
    """Perceptron on the product of the two ends beside the sum over their common neighbours (NCN; Wang et al., 2024)."""

    def __init__(self, perceptron: Perceptron) -> None:
        super().__init__()
        self.perceptron = perceptron

    def forward(self, x: Features, graph: Graph, pairs: Tensor) -> Tensor:
        z = as_dense(x)
        pair, node = common_neighbours(graph, pairs)
        common = z.new_zeros(pairs.shape[1], z.shape[1]).index_add(0, pair, z.index_select(0, node))
        product = z.index_select(0, pairs[0]) * z.index_select(0, pairs[1])
        return _one_column(self.perceptron(torch.cat([product, common], 1)))


def common_neighbours(graph: Graph, pairs: Tensor) -> tuple[Tensor, Tensor]:
    """All (number of pair, node) where the node sends an edge to both ends of the pair; two long tensors of one length."""
    pattern, n = graph.pattern, graph.num_nodes
    entries, counts = pattern.entries_of(pairs[0])
    node = pattern.column[entries]
    pair = torch.arange(pairs.shape[1], device=pairs.device).repeat_interleave(counts)
    wanted = pairs[1][pair] * n + node
    keys = pattern.row * n + pattern.column
    found = torch.isin(wanted, keys)
    return pair[found], node[found]


def _one_column(scores: Tensor) -> Tensor:
    return scores.squeeze(1) if scores.shape[1] == 1 else scores


class MeanPool(nn.Module):
    """Mean of each graph's nodes; [graphs, width]."""

    def forward(self, x: Features, batch: Tensor | None = None) -> Tensor:
        total, counts, _ = per_graph(as_dense(x), batch)
        return total / counts


class SumPool(nn.Module):
    """Sum of each graph's nodes; [graphs, width]."""

    def forward(self, x: Features, batch: Tensor | None = None) -> Tensor:
        return per_graph(as_dense(x), batch)[0]


class MaxPool(nn.Module):
    """Channel-wise maximum of each graph's nodes; [graphs, width]."""

    def forward(self, x: Features, batch: Tensor | None = None) -> Tensor:
        z = as_dense(x)
        total, _, batch = per_graph(z, batch)
        index = batch[:, None].expand_as(z)
        return torch.zeros_like(total).scatter_reduce(0, index, z, "amax", include_self=False)


class AttentionPool(nn.Module):
    """Mean of each graph's nodes, weighted by a softmax over learned scores (Li et al., 2016)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.score = Linear(width, 1)

    def forward(self, x: Features, batch: Tensor | None = None) -> Tensor:
        z = as_dense(x)
        score = self.score(z)
        _, counts, batch = per_graph(score, batch)
        top = torch.full_like(counts, -torch.inf).scatter_reduce(0, batch[:, None], score.detach(), "amax")
        raised = (score - top[batch]).exp()
        return per_graph(raised * z, batch)[0] / per_graph(raised, batch)[0]


class VirtualNode(nn.Module):
    """A node that hears the mean of its graph and answers every node of it (Gilmer et al., 2017)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.answer = Perceptron([width, width, width])

    def forward(self, x: Features, batch: Tensor | None = None) -> Tensor:
        z = as_dense(x)
        total, counts, batch = per_graph(z, batch)
        answer: Tensor = self.answer(total / counts)
        return z + answer[batch]
