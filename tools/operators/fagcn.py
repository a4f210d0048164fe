"""Frequency-adaptive propagation with signed attention (Bo et al., 2021)."""

from __future__ import annotations

from torch import Tensor, nn

from agentnas.tools.nn.graph import Graph
from agentnas.tools.nn.layers import Linear, drop_dense
from agentnas.tools.nn.segments import gather_columns, gather_rows
from agentnas.tools.nn.sparse import spmm
from agentnas.tools.operators.base import Operator, Param

OPERATOR = Operator(
    name="fagcn",
    kind="propagation",
    module="FAGCN",
    doc="hops whose edges may attract or repel, plus a share of the start",
    source="Bo et al., 2021",
    card="fagcn",
    params=(
        Param("hops", 2, (1, 2, 3, 4, 6), "hops", 1, 32),
        Param("eps", 0.1, (0.1, 0.2, 0.3, 0.5), "share of the start added at each hop", 0, 1),
        Param("attention_dropout", 0.0, (0.0, 0.2, 0.4, 0.6), "dropout of attention weights", 0, 0.95),
    ),
    has_width=False,
)


class FAGCN(nn.Module):
    """H <- sum of tanh(a h_j + b h_i) S_ij h_j + eps X, ``hops`` times, each with its own a and b."""

    def __init__(self, in_channels: int, out_channels: int, hops: int = 2, eps: float = 0.1, attention_dropout: float = 0.0) -> None:
        super().__init__()
        self.eps, self.attention_dropout = eps, attention_dropout
        self.sources = nn.ModuleList(Linear(in_channels, 1, bias=False) for _ in range(hops))
        self.targets = nn.ModuleList(Linear(in_channels, 1, bias=False) for _ in range(hops))

    def forward(self, x: Tensor, graph: Graph) -> Tensor:
        adjacency = graph.adjacency("sym", loops=True)
        start = self.eps * x
        for source, target in zip(self.sources, self.targets, strict=True):
            sign = (gather_columns(adjacency.pattern, source(x)) + gather_rows(adjacency.pattern, target(x))).tanh()
            sign = drop_dense(sign.squeeze(1), self.attention_dropout, self.training)
            x = spmm(adjacency.pattern, sign * adjacency.values, x) + start
        return x
