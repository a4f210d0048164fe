"""Heterogeneous graph transformer: attention with projections by the types of nodes and edges (Hu et al., 2020)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from agentnas.tools.nn.graph import Graph
from agentnas.tools.nn.layers import Linear, drop_dense, glorot
from agentnas.tools.nn.segments import gather_columns, gather_rows, row_softmax
from agentnas.tools.nn.sparse import Features, as_dense, split_heads, spmm_heads
from agentnas.tools.operators.base import Operator, Param

OPERATOR = Operator(
    name="hgt",
    kind="convolution",
    module="HGT",
    doc="attention whose keys, queries and values depend on the types of nodes and edges",
    source="Hu et al., 2020",
    card="hgt",
    params=(
        Param("heads", 4, (1, 2, 4, 8), "attention heads", 1, 32),
        Param("attention_dropout", 0.0, (0.0, 0.2, 0.4, 0.6), "dropout of attention weights", 0, 0.95),
    ),
    uses_types=True,
    needs="types",
)


class LinearOfType(Linear):
    """An affine map for each type of node; [N, in] and types long [N] -> [N, width]."""

    def __init__(self, in_channels: int, width: int, types: int) -> None:
        super().__init__(in_channels, types * width)
        self.types = types
        with torch.no_grad():
            for weight in self.weight.view(types, width, in_channels):
                glorot(weight)

    def of(self, x: Features, node_type: Tensor | None) -> Tensor:
        every = self(x).view(x.shape[0], self.types, -1)
        if node_type is None:
            return every[:, 0]
        return every.gather(1, node_type[:, None, None].expand(-1, 1, every.shape[2])).squeeze(1)


class HGT(nn.Module):
    """Softmax over neighbours of q_i (k_j A_r) p_r / sqrt(d), times v_j M_r; GELU and a projection by the node's type.

    Keys, queries and values are projected by node type, A, M and p belong to the edge's type r. Where the width stays, a gate of the node's
    type mixes the result with x_i. Heads that do not divide the width are made wider inside. Without types there is one of each.
    """

    takes_sparse = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        heads: int = 4,
        attention_dropout: float = 0.0,
        node_types: int = 1,
        edge_types: int = 1,
    ) -> None:
        super().__init__()
        self.heads, self.attention_dropout, self.edge_types = heads, attention_dropout, edge_types
        width = -(-out_channels // heads)
        self.lin_key, self.lin_query, self.lin_value = (LinearOfType(in_channels, heads * width, node_types) for _ in range(3))
        self.key_of_edge, self.value_of_edge = (nn.Parameter(torch.empty(edge_types, heads, width, width)) for _ in range(2))
        glorot(self.key_of_edge)
        glorot(self.value_of_edge)
        self.prior = nn.Parameter(torch.ones(edge_types, heads))
        self.lin_out = LinearOfType(heads * width, out_channels, node_types)
        self.skip = nn.Parameter(torch.ones(node_types)) if in_channels == out_channels else None

    def forward(self, x: Features, graph: Graph) -> Tensor:
        kinds = graph.node_type
        out = self.lin_out.of(gelu(self._attend(x, graph).flatten(1)), kinds)
        if self.skip is None:
            return out
        gate = self.skip.sigmoid()[0 if kinds is None else kinds].view(-1, 1)
        return gate * out + (1 - gate) * as_dense(x)

    def _attend(self, x: Features, graph: Graph) -> Tensor:
        """[N, heads, width]"""
        kinds, pattern = graph.node_type, graph.relational(self.edge_types).pattern
        key, query, value = (split_heads(lin.of(x, kinds), self.heads) for lin in (self.lin_key, self.lin_query, self.lin_value))
        scores = (gather_rows(pattern, query) * gather_columns(pattern, self._by_edge(key, self.key_of_edge))).sum(2)
        prior = self.prior[0] if graph.edge_type is None else self.prior[graph.edge_type]
        shares = row_softmax(pattern, scores * prior / math.sqrt(query.shape[2]))
        shares = drop_dense(shares, self.attention_dropout, self.training)
        return spmm_heads(pattern, shares, self._by_edge(value, self.value_of_edge))

    def _by_edge(self, h: Tensor, weight: Tensor) -> Tensor:
        """What each node says along edges of each type: [N, heads, width] -> [N * types, heads, width]."""
        return torch.einsum("nhd,rhde->nrhe", h, weight).flatten(0, 1)
