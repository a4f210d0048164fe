"""Layers that look at each node alone."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from agentnas.tools.nn.graph import Graph
from agentnas.tools.nn.layers import Linear, relu_drop
from agentnas.tools.nn.sparse import Features
from agentnas.tools.operators.base import Operator, Param

OPERATOR = Operator(
    name="mlp",
    kind="pointwise",
    module="MLP",
    doc="linear layers with ReLU between them; one layer is a plain projection",
    source="Rumelhart et al., 1986",
    params=(
        Param("layers", 1, (1, 2, 3), "layers", 1, 16),
        Param("dropout", 0.0, (0.0, 0.3, 0.5, 0.7), "dropout between layers", 0, 0.95, off_while=("layers", (1,))),
    ),
)


class MLP(nn.Module):
    """Linear layers of the output's width, ReLU and dropout between them."""

    takes_sparse = True

    def __init__(self, in_channels: int, out_channels: int, layers: int = 1, dropout: float = 0.0) -> None:
        super().__init__()
        widths = [in_channels] + [out_channels] * layers
        self.lins = nn.ModuleList(Linear(a, b) for a, b in pairwise(widths))
        self.dropout = dropout

    def forward(self, x: Features, graph: Graph) -> Tensor:
        out: Tensor = self.lins[0](x)
        for lin in self.lins[1:]:
            out = lin(relu_drop(out, self.dropout, self.training))
        return out
