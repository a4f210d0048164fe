"""Graph isomorphism network (Xu et al., 2019)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from agentnas.tools.nn.graph import Graph
from agentnas.tools.nn.layers import Linear
from agentnas.tools.nn.sparse import Features
from agentnas.tools.operators.base import Operator, Param

OPERATOR = Operator(
    name="gin",
    kind="convolution",
    module="GIN",
    doc="sum of the node and its neighbours, then a small MLP",
    source="Xu et al., 2019",
    card="gin",
    params=(
        Param("layers", 2, (1, 2, 3), "layers of the MLP", 1, 8),
        Param("train_eps", False, (False, True), "learn the weight of the node itself"),
        Param("batch_norm", False, (False, True), "batch norm inside the MLP", off_while=("layers", (1,))),
    ),
)


class GIN(nn.Module):
    """MLP((1 + eps) x_i + sum of x_j); the MLP's first layer is linear, so it is applied before the sum."""

    takes_sparse = True

    def __init__(self, in_channels: int, out_channels: int, layers: int = 2, train_eps: bool = False, batch_norm: bool = False) -> None:
        super().__init__()
        self.first = Linear(in_channels, out_channels, bias=False)
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.eps = nn.Parameter(torch.zeros(1), requires_grad=train_eps)
        rest: list[nn.Module] = []
        for _ in range(layers - 1):
            rest += [nn.BatchNorm1d(out_channels)] if batch_norm else []
            rest += [nn.ReLU(), Linear(out_channels, out_channels)]
        self.rest = nn.Sequential(*rest)

    def forward(self, x: Features, graph: Graph) -> Tensor:
        h = self.first(x)
        summed = (1 + self.eps) * h + graph.adjacency("sum") @ h + self.bias
        out: Tensor = self.rest(summed)
        return out
