"""Deep adaptive propagation (Liu et al., 2020)."""

from __future__ import annotations

from torch import Tensor, nn

from agentnas.tools.nn.graph import Graph
from agentnas.tools.nn.layers import Linear
from agentnas.tools.operators.base import Operator, Param

OPERATOR = Operator(
    name="dagnn",
    kind="propagation",
    module="DAGNN",
    doc="each node chooses how much it takes from each number of hops",
    source="Liu et al., 2020",
    card="dagnn",
    params=(Param("hops", 10, (5, 10, 15, 20), "hops", 1, 128),),
    has_width=False,
)


class DAGNN(nn.Module):
    """Sum over k of sigmoid(s S^k x_i) S^k x_i, with one learned scoring vector s."""

    def __init__(self, in_channels: int, out_channels: int, hops: int = 10) -> None:
        super().__init__()
        self.hops = hops
        self.score = Linear(in_channels, 1)

    def forward(self, x: Tensor, graph: Graph) -> Tensor:
        adjacency = graph.adjacency("sym", loops=True)
        total = self.score(x).sigmoid() * x
        for _ in range(self.hops):
            x = adjacency @ x
            total = total + self.score(x).sigmoid() * x
        return total
