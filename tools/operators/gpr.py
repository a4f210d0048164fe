"""Generalised PageRank with learned hop weights (Chien et al., 2021)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from agentnas.tools.nn.graph import Graph
from agentnas.tools.operators.base import Operator, Param

OPERATOR = Operator(
    name="gpr",
    kind="propagation",
    module="GPR",
    doc="a learned, possibly negative, weight for each hop",
    source="Chien et al., 2021",
    card="gpr-gnn",
    params=(
        Param("hops", 10, (2, 5, 10, 20), "hops", 1, 128),
        Param("alpha", 0.1, (0.1, 0.2, 0.5, 0.9), "return probability that the weights start from", 0, 1),
    ),
    has_width=False,
)


class GPR(nn.Module):
    """Sum over k of gamma_k S^k X; gamma starts as personalised PageRank with ``alpha`` and is learned."""

    def __init__(self, in_channels: int, out_channels: int, hops: int = 10, alpha: float = 0.1) -> None:
        super().__init__()
        gamma = alpha * (1 - alpha) ** torch.arange(hops + 1, dtype=torch.float)
        gamma[-1] = (1 - alpha) ** hops
        self.gamma = nn.Parameter(gamma)

    def forward(self, x: Tensor, graph: Graph) -> Tensor:
        adjacency = graph.adjacency("sym", loops=True)
        total = self.gamma[0] * x
        for gamma in self.gamma[1:]:
            x = adjacency @ x
            total = total + gamma * x
        return total
