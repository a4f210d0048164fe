"""Readouts: scores of pairs of nodes, pooling of graphs, and the virtual node. Node heads are a plain ``Perceptron``."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from agentnas.tools.nn.graph import Graph
from agentnas.tools.nn.layers import Linear, Perceptron, per_graph
from agentnas.tools.nn.pairs import common_neighbours, pair_structure, pieces
from agentnas.tools.nn.sparse import Features, Pattern, SparseMatrix, as_dense


class DotHead(nn.Module):
    """Dot product of the two ends of each pair, scaled and shifted by two learned numbers; [pairs].

    Without them a pair can only be held for no edge by vectors that point apart, which a body that ends in a relu does not have.
    """

    def __init__(self) -> None:
        super().__init__()
        self.scale, self.offset = nn.Parameter(torch.ones(1)), nn.Parameter(torch.zeros(1))

    def forward(self, x: Features, graph: Graph, pairs: Tensor) -> Tensor:
        z = as_dense(x)
        products = [(z.index_select(0, some[0]) * z.index_select(0, some[1])).sum(1) for some in pieces(pairs)]
        return torch.cat(products) * self.scale + self.offset


class PairHead(nn.Module):
    """Perceptron on the product of the two ends, which does not depend on their order; [pairs], or [pairs, out] where out > 1."""

    def __init__(self, perceptron: Perceptron) -> None:
        super().__init__()
        self.perceptron = perceptron

    def forward(self, x: Features, graph: Graph, pairs: Tensor) -> Tensor:
        z = as_dense(x)
        scores = [self.perceptron(z.index_select(0, some[0]) * z.index_select(0, some[1])) for some in pieces(pairs)]
        return _one_column(torch.cat(scores))


class CommonNeighbourHead(nn.Module):
    """Perceptron on the product of the two ends beside the sum over their common neighbours (NCN; Wang et al., 2024)."""

    def __init__(self, perceptron: Perceptron) -> None:
        super().__init__()
        self.perceptron = perceptron

    def forward(self, x: Features, graph: Graph, pairs: Tensor) -> Tensor:
        z = as_dense(x)
        return _one_column(torch.cat([self._scores(z, graph, some) for some in pieces(pairs, graph)]))

    def _scores(self, z: Tensor, graph: Graph, pairs: Tensor) -> Tensor:
        pair, node = common_neighbours(graph, pairs)
        shared = SparseMatrix(Pattern(pair, node, (pairs.shape[1], z.shape[0])), torch.ones_like(pair, dtype=z.dtype))
        product = z.index_select(0, pairs[0]) * z.index_select(0, pairs[1])
        scores: Tensor = self.perceptron(torch.cat([product, shared @ z], 1))
        return scores


class StructureHead(nn.Module):
    """The scores of another head, and added to them those of a perceptron on ``pair_structure``; [pairs], or [pairs, out] where out > 1.

    What is learned by heart of single nodes leaves these numbers alone: they say the same of any two nodes.
    """

    def __init__(self, head: nn.Module, perceptron: Perceptron) -> None:
        super().__init__()
        self.head, self.perceptron = head, perceptron

    def forward(self, x: Features, graph: Graph, pairs: Tensor) -> Tensor:
        told = torch.cat([self.perceptron(pair_structure(graph, some)) for some in pieces(pairs)])
        scores: Tensor = self.head(x, graph, pairs) + _one_column(told)
        return scores


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
