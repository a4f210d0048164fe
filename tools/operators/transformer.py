"""Scaled dot-product attention over neighbours (Shi et al., 2021)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from agentnas.tools.nn.graph import Graph
from agentnas.tools.nn.layers import Linear, drop_dense
from agentnas.tools.nn.segments import collect, gather_columns, gather_rows, row_softmax
from agentnas.tools.nn.sparse import Features, split_heads, spmm_heads
from agentnas.tools.operators.base import Operator, Param

OPERATOR = Operator(
    name="transformer",
    kind="convolution",
    module="Transformer",
    doc="query-key attention over neighbours, plus a skip projection",
    source="Shi et al., 2021",
    card="graphgps",
    params=(
        Param("heads", 4, (1, 2, 4, 8), "attention heads", 1, 32),
        Param("attention_dropout", 0.0, (0.0, 0.2, 0.4, 0.6), "dropout of attention weights", 0, 0.95),
        Param(
            "join",
            "concat",
            ("concat", "mean"),
            "heads side by side (averaged if they do not divide the width), or averaged",
            off_while=("heads", (1,)),
        ),
        Param("beta", False, (False, True), "learned gate between neighbours and the node itself"),
    ),
    uses_edge_attr=True,
)


class Transformer(nn.Module):
    """Softmax of q_i k_j / sqrt(d) over neighbours, times values, plus W x_i; ``beta`` mixes the two by a learned gate."""

    takes_sparse = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        heads: int = 4,
        attention_dropout: float = 0.0,
        join: str = "concat",
        beta: bool = False,
        edge_channels: int = 0,
    ) -> None:
        super().__init__()
        self.mean = join == "mean" or out_channels % heads != 0
        self.heads, self.attention_dropout = heads, attention_dropout
        width = heads * (out_channels if self.mean else out_channels // heads)
        self.lin_query, self.lin_key, self.lin_value = (Linear(in_channels, width) for _ in range(3))
        self.lin_edge = Linear(edge_channels, width, bias=False) if edge_channels else None
        self.lin_skip = Linear(in_channels, out_channels)
        self.lin_beta = Linear(3 * out_channels, 1, bias=False) if beta else None

    def forward(self, x: Features, graph: Graph) -> Tensor:
        out = self._attend(x, graph)
        out = out.mean(1) if self.mean else out.flatten(1)
        skip = self.lin_skip(x)
        if self.lin_beta is None:
            return out + skip
        beta = self.lin_beta(torch.cat([out, skip, out - skip], 1)).sigmoid()
        return beta * skip + (1 - beta) * out

    def _attend(self, x: Features, graph: Graph) -> Tensor:
        """[N, heads, width]"""
        query, key, value = (split_heads(lin(x), self.heads) for lin in (self.lin_query, self.lin_key, self.lin_value))
        keys, edges = gather_columns(graph.pattern, key), None
        if self.lin_edge is not None and graph.edge_attr is not None:
            edges = split_heads(self.lin_edge(graph.edge_attr), self.heads)
            keys = keys + edges
        scores = (gather_rows(graph.pattern, query) * keys).sum(2) / math.sqrt(query.shape[2])
        shares = drop_dense(row_softmax(graph.pattern, scores), self.attention_dropout, self.training)
        out = spmm_heads(graph.pattern, shares, value)
        return out if edges is None else out + collect(graph.pattern, shares[:, :, None] * edges)
