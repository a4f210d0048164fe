"""Graph attention with self-loops (Velickovic et al., 2018)."""

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
    name="gat",
    kind="convolution",
    module="GAT",
    doc="attention-weighted neighbour average with self-loops",
    source="Velickovic et al., 2018",
    card="gat",
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
    ),
    uses_edge_attr=True,
)


class GAT(nn.Module):
    """Neighbours weighed by a softmax of LeakyReLU(a_source x_j + a_target x_i [+ a_edge e_ij])."""

    takes_sparse = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        heads: int = 8,
        attention_dropout: float = 0.0,
        join: str = "concat",
        edge_channels: int = 0,
    ) -> None:
        super().__init__()
        self.mean = join == "mean" or out_channels % heads != 0
        width = out_channels if self.mean else out_channels // heads
        self.heads, self.attention_dropout = heads, attention_dropout
        self.lin = Linear(in_channels, heads * width, bias=False)
        self.att_source = nn.Parameter(torch.empty(heads, width))
        self.att_target = nn.Parameter(torch.empty(heads, width))
        glorot(self.att_source)
        glorot(self.att_target)
        self.lin_edge = Linear(edge_channels, heads * width, bias=False) if edge_channels else None
        self.att_edge = nn.Parameter(torch.empty(heads, width)) if edge_channels else None
        if self.att_edge is not None:
            glorot(self.att_edge)
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def forward(self, x: Features, graph: Graph) -> Tensor:
        graph = graph.looped
        h = split_heads(self.lin(x), self.heads)  # [N, heads, width]
        shares = row_softmax(graph.pattern, leaky_relu(self._scores(h, graph), 0.2))
        out = spmm_heads(graph.pattern, drop_dense(shares, self.attention_dropout, self.training), h)
        return (out.mean(1) if self.mean else out.flatten(1)) + self.bias

    def _scores(self, h: Tensor, graph: Graph) -> Tensor:
        scores = gather_columns(graph.pattern, (h * self.att_source).sum(2))
        scores = scores + gather_rows(graph.pattern, (h * self.att_target).sum(2))
        if self.lin_edge is None or self.att_edge is None or graph.edge_attr is None:
            return scores
        edges = split_heads(self.lin_edge(graph.edge_attr), self.heads)
        return scores + (edges * self.att_edge).sum(2)
