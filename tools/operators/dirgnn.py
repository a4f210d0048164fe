"""Messages along and against directed edges, with weights of their own (Rossi et al., 2023)."""

from __future__ import annotations

from torch import Tensor, nn

from agentnas.tools.nn.graph import Graph
from agentnas.tools.nn.layers import Linear
from agentnas.tools.nn.segments import row_max
from agentnas.tools.nn.sparse import Features
from agentnas.tools.operators.base import Operator, Param

OPERATOR = Operator(
    name="dirgnn",
    kind="convolution",
    module="DirGNN",
    doc="in-neighbours, out-neighbours and the node itself, transformed apart",
    source="Rossi et al., 2023",
    card="dir-gnn",
    params=(
        Param("aggregation", "mean", ("mean", "sym", "max"), "how neighbours of one side are joined; sym by in- and out-degrees"),
        Param("alpha", 0.5, (0.0, 0.25, 0.5, 0.75, 1.0), "weight of out-neighbours; in-neighbours have the rest", 0, 1),
    ),
    needs="directions",
)


class DirGNN(nn.Module):
    """(1 - alpha) W_in aggregate(in-neighbours) + alpha W_out aggregate(out-neighbours) + W_self x_i + b; projects first."""

    takes_sparse = True

    def __init__(self, in_channels: int, out_channels: int, aggregation: str = "mean", alpha: float = 0.5) -> None:
        super().__init__()
        self.aggregation, self.alpha = aggregation, alpha
        self.lin_in = Linear(in_channels, out_channels, bias=False)
        self.lin_out = Linear(in_channels, out_channels, bias=False)
        self.lin_self = Linear(in_channels, out_channels)

    def forward(self, x: Features, graph: Graph) -> Tensor:
        out = self.lin_self(x)
        if self.alpha < 1:
            out = self._added(out, self.lin_in(x), graph, 1 - self.alpha)
        return self._added(out, self.lin_out(x), graph.reversed, self.alpha) if self.alpha > 0 else out

    def _added(self, out: Tensor, neighbours: Tensor, graph: Graph, share: float) -> Tensor:
        if self.aggregation == "max":
            return out + share * row_max(graph.pattern, neighbours)
        return graph.adjacency("row" if self.aggregation == "mean" else "directed").mix(out, neighbours, share)
