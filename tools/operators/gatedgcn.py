"""Gated graph convolution whose edges have a state that layers update (Bresson and Laurent, 2017)."""

from __future__ import annotations

from torch import Tensor, nn

from agentnas.tools.nn.graph import Graph
from agentnas.tools.nn.layers import Linear, relu_drop
from agentnas.tools.nn.segments import collect, gather_columns, gather_rows
from agentnas.tools.nn.sparse import Features, as_dense
from agentnas.tools.operators.base import Operator, Param

OPERATOR = Operator(
    name="gatedgcn",
    kind="convolution",
    module="GatedGCN",
    doc="neighbours gated channel by channel; nodes and edges have states that are updated in turn",
    source="Bresson and Laurent, 2017",
    card="gatedgcn",
    params=(
        Param("layers", 2, (1, 2, 3, 4), "layers, each of which updates nodes and edges", 1, 32),
        Param("dropout", 0.0, (0.0, 0.1, 0.3), "dropout of nodes between layers", 0, 0.95, off_while=("layers", (1,))),
    ),
    uses_edge_attr=True,
)


class GatedLayer(nn.Module):
    """Edge j -> i: e' = A h_i + B h_j + C e; node i: U h_i + sum of s(e') V h_j over the sum of s(e'), s the logistic function.

    ``edges`` says whether edges have a state before this layer.
    """

    def __init__(self, width: int, edges: bool) -> None:
        super().__init__()
        self.lin_target, self.lin_own = Linear(width, width), Linear(width, width)
        self.lin_source, self.lin_value = Linear(width, width, bias=False), Linear(width, width, bias=False)
        self.lin_edge = Linear(width, width, bias=False) if edges else None

    def forward(self, h: Tensor, edge: Tensor | None, graph: Graph) -> tuple[Tensor, Tensor]:
        pattern = graph.pattern
        mixed = gather_rows(pattern, self.lin_target(h)) + gather_columns(pattern, self.lin_source(h))
        if self.lin_edge is not None and edge is not None:
            mixed = mixed + self.lin_edge(edge)
        gate = mixed.sigmoid()
        total = collect(pattern, gate * gather_columns(pattern, self.lin_value(h)))
        return self.lin_own(h) + total / (collect(pattern, gate) + 1e-6), mixed


class GatedGCN(nn.Module):
    """Between layers both states become h + ReLU(norm(h')), normalised node by node and edge by edge.

    Edges begin as a projection of their attributes; without attributes, as what the first layer makes of their ends. States live within
    the operator: what comes after it sees nodes only.
    """

    takes_sparse = True

    def __init__(self, in_channels: int, out_channels: int, layers: int = 2, dropout: float = 0.0, edge_channels: int = 0) -> None:
        super().__init__()
        self.dropout = dropout
        self.lin_in = None if in_channels == out_channels else Linear(in_channels, out_channels)
        self.encoder = Linear(edge_channels, out_channels) if edge_channels else None
        self.layers = nn.ModuleList(GatedLayer(out_channels, bool(edge_channels) or number > 0) for number in range(layers))
        self.node_norms = nn.ModuleList(nn.LayerNorm(out_channels) for _ in range(layers - 1))
        self.edge_norms = nn.ModuleList(nn.LayerNorm(out_channels) for _ in range(layers - 1))

    def forward(self, x: Features, graph: Graph) -> Tensor:
        h = as_dense(x) if self.lin_in is None else self.lin_in(x)
        edge = None if self.encoder is None or graph.edge_attr is None else self.encoder(graph.edge_attr)
        for number, layer in enumerate(self.layers):
            new, mixed = layer(h, edge, graph)
            if number == len(self.layers) - 1:
                h = new
                break
            risen = self.edge_norms[number](mixed).relu()
            edge = risen if edge is None else edge + risen
            h = h + relu_drop(self.node_norms[number](new), self.dropout, self.training)
        return h
