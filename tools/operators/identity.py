"""The input as it is."""

from __future__ import annotations

from torch import Tensor, nn

from agentnas.tools.nn.graph import Graph
from agentnas.tools.operators.base import Operator

OPERATOR = Operator(
    name="identity",
    kind="pointwise",
    module="Identity",
    doc="the input as it is (skip)",
    source="He et al., 2016",
    has_width=False,
    weights=False,
)


class Identity(nn.Module):
    """x"""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()

    def forward(self, x: Tensor, graph: Graph) -> Tensor:
        return x
