"""Auto-regressive moving average filter (Bianchi et al., 2021)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from agentnas.tools.nn.graph import Graph
from agentnas.tools.nn.layers import Linear, drop, glorot
from agentnas.tools.nn.sparse import Features, split_heads
from agentnas.tools.operators.base import Operator, Param

OPERATOR = Operator(
    name="arma",
    kind="convolution",
    module="ARMA",
    doc="stacks of recursive filters that keep adding the input",
    source="Bianchi et al., 2021",
    card="arma",
    params=(
        Param("stacks", 1, (1, 2, 3), "parallel stacks", 1, 8),
        Param("layers", 1, (1, 2, 3), "recursions", 1, 8),
        Param("shared_weights", False, (False, True), "one set of weights for all recursions", off_while=("layers", (1,))),
        Param("dropout", 0.0, (0.0, 0.25, 0.5), "dropout of the input that each recursion adds", 0, 0.95),
    ),
)


class ARMA(nn.Module):
    """Mean over stacks of a recursion H <- ReLU(A H W + X V + b); stacks are computed side by side."""

    takes_sparse = True

    def __init__(
        self, in_channels: int, out_channels: int, stacks: int = 1, layers: int = 1, shared_weights: bool = False, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.stacks, self.dropout = stacks, dropout
        self.init = Linear(in_channels, stacks * out_channels, bias=False)
        distinct = 1 if shared_weights else layers
        self.roots = nn.ModuleList(Linear(in_channels, stacks * out_channels) for _ in range(distinct))
        between = min(distinct, layers - 1)
        self.weights = nn.ParameterList(torch.empty(stacks, out_channels, out_channels) for _ in range(between))
        for weight in self.weights:
            glorot(weight)
        self.layers = layers

    def forward(self, x: Features, graph: Graph) -> Tensor:
        adjacency = graph.adjacency("sym")
        out = self.init(x)  # [N, stacks * width]
        for layer in range(self.layers):
            if layer:
                out = self._transform(out, self.weights[min(layer, len(self.weights)) - 1])
            root = self.roots[min(layer, len(self.roots) - 1)]
            out = (adjacency @ out + root(drop(x, self.dropout, self.training))).relu()
        return split_heads(out, self.stacks).mean(1)

    def _transform(self, out: Tensor, weight: Tensor) -> Tensor:
        return torch.einsum("nki,kio->nko", split_heads(out, self.stacks), weight).flatten(1)
