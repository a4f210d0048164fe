"""Propagation without weights (Wu et al., 2019), or the mean of its powers (Zhu and Koniusz, 2021)."""

from __future__ import annotations

from torch import Tensor, nn

from agentnas.tools.nn.graph import Graph
from agentnas.tools.operators.base import Operator, Param

OPERATOR = Operator(
    name="sgc",
    kind="propagation",
    module="SGC",
    doc="several hops of symmetric-normalised averaging, without weights",
    source="Wu et al., 2019; Zhu and Koniusz, 2021",
    card="sgc",
    params=(
        Param("hops", 2, (1, 2, 3, 4, 6, 8, 12, 16), "hops", 1, 128),
        Param("average", False, (False, True), "mean of all powers instead of the last"),
    ),
    has_width=False,
    weights=False,
)


class SGC(nn.Module):
    """S^K X, or with ``average`` the mean of S^0 X .. S^K X, which keeps deep propagation from over-smoothing (S2GC, GRAND)."""

    def __init__(self, in_channels: int, out_channels: int, hops: int = 2, average: bool = False) -> None:
        super().__init__()
        self.hops, self.average = hops, average

    def forward(self, x: Tensor, graph: Graph) -> Tensor:
        adjacency = graph.adjacency("sym", loops=True)
        total = x
        for _ in range(self.hops):
            x = adjacency @ x
            total = total + x if self.average else x
        return total / (self.hops + 1) if self.average else total
