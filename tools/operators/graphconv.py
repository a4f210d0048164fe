"""k-GNN convolution: a node beside the sum of its neighbours (Morris et al., 2019)."""

from __future__ import annotations

from torch import Tensor, nn

from agentnas.tools.nn.graph import Graph
from agentnas.tools.nn.layers import Linear
from agentnas.tools.nn.sparse import Features
from agentnas.tools.operators.base import Operator, Param

OPERATOR = Operator(
    name="graphconv",
    kind="convolution",
    module="GraphConv",
    doc="own features and the sum or mean of neighbours, transformed apart",
    source="Morris et al., 2019",
    params=(Param("aggregation", "sum", ("sum", "mean"), "how neighbours are joined"),),
)


class GraphConv(nn.Module):
    """W_neighbours aggregate(x_j) + b + W_self x_i; projects first."""

    takes_sparse = True

    def __init__(self, in_channels: int, out_channels: int, aggregation: str = "sum") -> None:
        super().__init__()
        self.norm = "row" if aggregation == "mean" else "sum"
        self.lin_neighbours = Linear(in_channels, out_channels, bias=False)
        self.lin_self = Linear(in_channels, out_channels)

    def forward(self, x: Features, graph: Graph) -> Tensor:
        return graph.adjacency(self.norm).mix(self.lin_self(x), self.lin_neighbours(x), 1.0)
