"""Personalised PageRank propagation (Gasteiger et al., 2019)."""

from __future__ import annotations

from torch import Tensor, nn

from agentnas.tools.nn.graph import Graph
from agentnas.tools.operators.base import Operator, Param

OPERATOR = Operator(
    name="appnp",
    kind="propagation",
    module="APPNP",
    doc="hops that keep returning to the start with probability alpha",
    source="Gasteiger et al., 2019",
    card="appnp",
    params=(
        Param("hops", 10, (2, 5, 10, 20), "hops", 1, 128),
        Param("alpha", 0.1, (0.05, 0.1, 0.15, 0.2, 0.3, 0.5), "probability of returning to the start", 0, 1),
    ),
    has_width=False,
    weights=False,
)


class APPNP(nn.Module):
    """H <- (1 - alpha) S H + alpha X, ``hops`` times."""

    def __init__(self, in_channels: int, out_channels: int, hops: int = 10, alpha: float = 0.1) -> None:
        super().__init__()
        self.hops, self.alpha = hops, alpha

    def forward(self, x: Tensor, graph: Graph) -> Tensor:
        adjacency = graph.adjacency("sym", loops=True)
        start = self.alpha * x
        for _ in range(self.hops):
            x = adjacency.mix(start, x, 1 - self.alpha)
        return x
