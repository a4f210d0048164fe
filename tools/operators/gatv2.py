"""Dynamic graph attention with self-loops (Brody et al., 2022)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from agentnas.tools.nn.graph import Graph
from agentnas.tools.nn.layers import Linear, drop_dense, glorot
from agentnas.tools.nn.segments import gather_columns, gather_rows, row_softmax
from agentnas.tools.nn.sparse import Features, split_heads, spmm_heads
from agentnas.tools.operators.base import Operator, Param

OPERATOR = Operator(
    name="gatv2",
    kind="convolution",
    module="GATv2",
    doc="attention that ranks neighbours differently for each node, with self-loops",
    source="Brody et al., 2022",
    card="gatv2",
    params=(
        Param("heads", 8, (1, 2, 4, 8), "attention heads", 1, 32),
        Param("attention_dropout", 0.0, (0.0, 0.2, 0.4, 0.6), "dropout of attention weights", 0, 0.95),
        Param(
            "join",
            "concat",
            ("concat", "mean"),
            "heads side by side (averaged if they do not divide the width), or averaged",
            off_while=("heads", (1,)),
        ),
        Param("share_weights", False, (False, True), "one projection for both ends of an edge"),
    ),
    uses_edge_attr=True,
)


class GATv2(nn.Module):
    """Neighbours weighed by a softmax of a LeakyReLU(W_source x_j + W_target x_i [+ W_edge e_ij])."""

    takes_sparse = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        heads: int = 8,
        attention_dropout: float = 0.0,
        join: str = "concat",
        share_weights: bool = False,
        edge_channels: int = 0,
    ) -> None:
        super().__init__()
        self.mean = join == "mean" or out_channels % heads != 0
        width = out_channels if self.mean else out_channels // heads
        self.heads, self.attention_dropout = heads, attention_dropout
        self.lin_source = Linear(in_channels, heads * width)
        self.lin_target = None if share_weights else Linear(in_channels, heads * width)
        self.lin_edge = Linear(edge_channels, heads * width, bias=False) if edge_channels else None
        self.att = nn.Parameter(torch.empty(heads, width))
        glorot(self.att)
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def forward(self, x: Features, graph: Graph) -> Tensor:
        graph = graph.looped
        source = self.lin_source(x)  # [N, heads * width]
        target = source if self.lin_target is None else self.lin_target(x)
        mixed = gather_columns(graph.pattern, source) + gather_rows(graph.pattern, target)
        if self.lin_edge is not None and graph.edge_attr is not None:
            mixed = mixed + self.lin_edge(graph.edge_attr)
        scores = (split_heads(leaky_relu(mixed, 0.2), self.heads) * self.att).sum(2)
        shares = drop_dense(row_softmax(graph.pattern, scores), self.attention_dropout, self.training)
        out = spmm_heads(graph.pattern, shares, split_heads(source, self.heads))
        return (out.mean(1) if self.mean else out.flatten(1)) + self.bias
