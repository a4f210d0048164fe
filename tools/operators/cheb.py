"""Chebyshev spectral convolution (Defferrard et al., 2016)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from agentnas.tools.nn.graph import Graph
from agentnas.tools.nn.layers import Linear
from agentnas.tools.nn.sparse import Features
from agentnas.tools.operators.base import Operator, Param

OPERATOR = Operator(
    name="cheb",
    kind="convolution",
    module="Cheb",
    doc="a learned polynomial filter of the symmetric Laplacian",
    source="Defferrard et al., 2016",
    card="chebnet",
    params=(Param("order", 3, (2, 3, 4, 5), "terms of the polynomial", 1, 16),),
)


class Cheb(nn.Module):
    """Sum over k < order of T_k(L - I) X W_k + b, by Clenshaw's recurrence at the output's width, so that it projects first."""

    takes_sparse = True

    def __init__(self, in_channels: int, out_channels: int, order: int = 3) -> None:
        super().__init__()
        self.lins = nn.ModuleList(Linear(in_channels, out_channels, bias=False) for _ in range(order))
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def forward(self, x: Features, graph: Graph) -> Tensor:
        adjacency = graph.adjacency("laplacian")  # L - I is minus this
        terms: list[Tensor] = [lin(x) for lin in self.lins]
        ahead = after = torch.zeros_like(terms[0])
        for term in reversed(terms[1:]):
            ahead, after = term - 2 * (adjacency @ ahead) - after, ahead
        return terms[0] - adjacency @ ahead - after + self.bias
