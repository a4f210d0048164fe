"""GIN with edge features inside the sum (Hu et al., 2020)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from agentnas.tools.nn.graph import Graph
from agentnas.tools.nn.layers import Linear
from agentnas.tools.nn.segments import collect, gather_columns
from agentnas.tools.nn.sparse import Features, as_dense
from agentnas.tools.operators.base import Operator, Param

OPERATOR = Operator(
    name="gine",
    kind="convolution",
    module="GINE",
    doc="GIN whose messages are ReLU(neighbour + projected edge features)",
    source="Hu et al., 2020",
    card="gine",
    params=(
        Param("layers", 2, (1, 2, 3), "layers of the MLP", 1, 8),
        Param("train_eps", False, (False, True), "learn the weight of the node itself"),
    ),
    uses_edge_attr=True,
)


class GINE(nn.Module):
    """MLP((1 + eps) x_i + sum of ReLU(x_j + W_edge e_ij)); without edge features the MLP's first layer goes before the sum."""

    takes_sparse = True

    def __init__(self, in_channels: int, out_channels: int, layers: int = 2, train_eps: bool = False, edge_channels: int = 0) -> None:
        super().__init__()
        self.first = Linear(in_channels, out_channels, bias=False)
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.eps = nn.Parameter(torch.zeros(1), requires_grad=train_eps)
        self.lin_edge = Linear(edge_channels, in_channels) if edge_channels else None
        rest: list[nn.Module] = []
        for _ in range(layers - 1):
            rest += [nn.ReLU(), Linear(out_channels, out_channels)]
        self.rest = nn.Sequential(*rest)

    def forward(self, x: Features, graph: Graph) -> Tensor:
        summed = (1 + self.eps) * self.first(x) + self._neighbours(x, graph) + self.bias
        out: Tensor = self.rest(summed)
        return out

    def _neighbours(self, x: Features, graph: Graph) -> Tensor:
        if self.lin_edge is None or graph.edge_attr is None:
            return graph.adjacency("sum") @ self.first(x.relu())
        messages = gather_columns(graph.pattern, as_dense(x)) + self.lin_edge(graph.edge_attr)
        return self.first(collect(graph.pattern, messages.relu()))
