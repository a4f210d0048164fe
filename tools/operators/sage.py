"""GraphSAGE: a node beside its aggregated neighbours (Hamilton et al., 2017)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import normalize

from agentnas.tools.nn.graph import Graph
from agentnas.tools.nn.layers import Linear
from agentnas.tools.nn.segments import row_max
from agentnas.tools.nn.sparse import Features
from agentnas.tools.operators.base import Operator, Param

OPERATOR = Operator(
    name="sage",
    kind="convolution",
    module="SAGE",
    doc="own features and the mean, sum or maximum of neighbours, transformed apart",
    source="Hamilton et al., 2017",
    card="graphsage",
    params=(
        Param("aggregation", "mean", ("mean", "max", "sum"), "how neighbours are joined"),
        Param("normalize", False, (False, True), "rows of the output to unit length"),
    ),
)


class SAGE(nn.Module):
    """W_neighbours aggregate(x_j) + b + W_self x_i; neighbours are projected before they are aggregated, for the maximum too."""

    takes_sparse = True

    def __init__(self, in_channels: int, out_channels: int, aggregation: str = "mean", normalize: bool = False) -> None:
        super().__init__()
        self.aggregation, self.normalize = aggregation, normalize
        self.lin_neighbours = Linear(in_channels, out_channels, bias=False)
        self.lin_self = Linear(in_channels, out_channels)

    def forward(self, x: Features, graph: Graph) -> Tensor:
        out = self._joined(self.lin_neighbours(x), self.lin_self(x), graph)
        return normalize(out) if self.normalize else out

    def _joined(self, neighbours: Tensor, own: Tensor, graph: Graph) -> Tensor:
        if self.aggregation == "max":
            return row_max(graph.pattern, neighbours) + own
        return graph.adjacency("row" if self.aggregation == "mean" else "sum").mix(own, neighbours, 1.0)
