"""Graph convolution with symmetric normalisation and self-loops (Kipf and Welling, 2017)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from agentnas.tools.nn.graph import Graph
from agentnas.tools.nn.layers import Linear
from agentnas.tools.nn.sparse import Features
from agentnas.tools.operators.base import Operator

OPERATOR = Operator(
    name="gcn",
    kind="convolution",
    module="GCN",
    doc="symmetric-normalised neighbour average with self-loops",
    source="Kipf and Welling, 2017",
    card="gcn",
)


class GCN(nn.Module):
    """D^-1/2 (A + I) D^-1/2 X W + b; projects first, then aggregates."""

    takes_sparse = True

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.lin = Linear(in_channels, out_channels, bias=False)
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def forward(self, x: Features, graph: Graph) -> Tensor:
        return graph.adjacency("sym", loops=True).mix(self.bias, self.lin(x), 1.0)
