"""Deep graph convolution with initial residual and identity mapping (Chen et al., 2020)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from agentnas.tools.nn.dense import affine
from agentnas.tools.nn.graph import Graph
from agentnas.tools.nn.layers import Linear, glorot, relu_drop
from agentnas.tools.nn.sparse import Features, as_dense
from agentnas.tools.operators.base import Operator, Param

OPERATOR = Operator(
    name="gcnii",
    kind="convolution",
    module="GCNII",
    doc="many layers that keep a share of the start and stay close to identity",
    source="Chen et al., 2020",
    card="gcnii",
    params=(
        Param("layers", 8, (2, 4, 8, 16, 32, 64), "layers", 1, 128),
        Param("alpha", 0.1, (0.1, 0.2, 0.3, 0.5), "share of the start at each layer", 0, 1),
        Param("theta", 0.5, (0.5, 1.0, 1.5), "strength of the weights, fading with depth (lambda in the paper)", 0, 10),
        Param("dropout", 0.0, (0.0, 0.3, 0.5, 0.6), "dropout between layers", 0, 0.95),
    ),
)


class GCNII(nn.Module):
    """Layer l: ((1 - alpha) S H + alpha X) ((1 - beta) I + beta W_l), beta = log(theta / l + 1); ReLU and dropout between layers.

    Where widths differ, X is first projected and passed through ReLU.
    """

    takes_sparse = True

    def __init__(
        self, in_channels: int, out_channels: int, layers: int = 8, alpha: float = 0.1, theta: float = 0.5, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.alpha, self.theta, self.dropout = alpha, theta, dropout
        self.lin = None if in_channels == out_channels else Linear(in_channels, out_channels)
        self.weights = nn.ParameterList(torch.empty(out_channels, out_channels) for _ in range(layers))
        for weight in self.weights:
            glorot(weight)

    def forward(self, x: Features, graph: Graph) -> Tensor:
        adjacency = graph.adjacency("sym", loops=True)
        h = as_dense(x) if self.lin is None else self.lin(x).relu()
        start = self.alpha * h
        identity = torch.eye(h.shape[1], device=h.device)
        for number, weight in enumerate(self.weights, 1):
            if number > 1:
                h = relu_drop(h, self.dropout, self.training)
            beta = math.log(self.theta / number + 1)
            # The two products of a layer are one with (1 - beta) I + beta W, which is small.
            mapped = (1 - beta) * identity + beta * weight
            h = affine(adjacency.mix(start, h, 1 - self.alpha), mapped.t())
        return h
