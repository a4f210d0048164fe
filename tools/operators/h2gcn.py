"""Ego, neighbours and two-hop neighbours kept apart, for heterophily (Zhu et al., 2020)."""

from __future__ import annotations

from torch import Tensor, nn

from agentnas.tools.nn.graph import Graph
from agentnas.tools.nn.layers import Linear
from agentnas.tools.nn.sparse import Features
from agentnas.tools.operators.base import Operator

OPERATOR = Operator(
    name="h2gcn",
    kind="convolution",
    module="H2GCN",
    doc="own features, 1-hop and 2-hop averages, each with its own weights",
    source="Zhu et al., 2020",
    card="h2gcn",
)


class H2GCN(nn.Module):
    """X W_0 + A X W_1 + A2 X W_2 + b: the linear map of the concatenation of ego, 1-hop and 2-hop features, without self-loops.

    A is symmetrically normalised; A2 = A A without its diagonal: walks of two steps that do not return.
    """

    takes_sparse = True

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.lin_ego = Linear(in_channels, out_channels)
        self.lin_one = Linear(in_channels, out_channels, bias=False)
        self.lin_two = Linear(in_channels, out_channels, bias=False)

    def forward(self, x: Features, graph: Graph) -> Tensor:
        adjacency = graph.adjacency("sym")
        two = self.lin_two(x)
        returned = graph.two_walk_returns[:, None] * two
        return self.lin_ego(x) + adjacency @ (self.lin_one(x) + adjacency @ two) - returned
