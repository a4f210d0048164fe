"""Powers of the adjacency side by side (Abu-El-Haija et al., 2019)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from agentnas.tools.nn.graph import Graph
from agentnas.tools.nn.layers import Linear
from agentnas.tools.nn.sparse import Features
from agentnas.tools.operators.base import Operator, Param

OPERATOR = Operator(
    name="mixhop",
    kind="convolution",
    module="MixHop",
    doc="0 to K hops, each with its own weights, side by side",
    source="Abu-El-Haija et al., 2019",
    card="mixhop",
    params=(Param("hops", 2, (1, 2, 3), "largest power", 1, 16),),
)


class MixHop(nn.Module):
    """[X W_0, S X W_1, .., S^K X W_K] + b; the width is shared among the powers, the low ones get what is left over."""

    takes_sparse = True

    def __init__(self, in_channels: int, out_channels: int, hops: int = 2) -> None:
        super().__init__()
        share, left = divmod(out_channels, hops + 1)
        self.widths = [share + (power < left) for power in range(hops + 1)]
        self.lin = Linear(in_channels, out_channels, bias=False)
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def forward(self, x: Features, graph: Graph) -> Tensor:
        adjacency = graph.adjacency("sym", loops=True)
        done, *waiting = torch.split(self.lin(x), self.widths, 1)
        outs = [done]
        while waiting:
            done, *waiting = torch.split(adjacency @ torch.cat(waiting, 1), [w.shape[1] for w in waiting], 1)
            outs.append(done)
        return torch.cat(outs, 1) + self.bias
