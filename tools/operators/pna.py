"""Principal neighbourhood aggregation (Corso et al., 2020)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from agentnas.tools.nn.graph import Graph
from agentnas.tools.nn.layers import Linear
from agentnas.tools.nn.segments import row_max
from agentnas.tools.nn.sparse import Features, as_dense
from agentnas.tools.operators.base import Operator

OPERATOR = Operator(
    name="pna",
    kind="convolution",
    module="PNA",
    doc="mean, minimum, maximum and deviation of neighbours, scaled by degree",
    source="Corso et al., 2020",
    card="pna",
)


class PNA(nn.Module):
    """Messages U x_i + V x_j, four aggregators times three degree scalers, beside x_i, through two Linears.

    Works at the output's width: where widths differ x is projected first. The messages' first part is constant in a neighbourhood, so only
    V x_j is aggregated.
    """

    takes_sparse = True

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.lin_in = None if in_channels == out_channels else Linear(in_channels, out_channels)
        self.lin_target = Linear(out_channels, out_channels)
        self.lin_source = Linear(out_channels, out_channels, bias=False)
        self.post = Linear(13 * out_channels, out_channels)
        self.lin_out = Linear(out_channels, out_channels)

    def forward(self, x: Features, graph: Graph) -> Tensor:
        h = as_dense(x) if self.lin_in is None else self.lin_in(x)
        joined = self._aggregate(self.lin_target(h), self.lin_source(h), graph)
        logs = (graph.degree.clamp(min=1) + 1).log()[:, None]
        mean = graph.mean_log_degree.clamp(min=1e-6)
        scaled = torch.cat([h, joined, joined * (logs / mean), joined * (mean / logs)], 1)
        return self.lin_out(self.post(scaled))

    def _aggregate(self, target: Tensor, source: Tensor, graph: Graph) -> Tensor:
        """Mean, minimum, maximum and standard deviation of the messages; [N, 4 * width], zeros (deviation 0) without neighbours."""
        pattern, average = graph.pattern, graph.adjacency("row")
        own = target * (graph.degree > 0)[:, None]
        mean = average @ source
        centre = source.detach().mean(0)  # keeps the difference of two squares exact; without neighbours it comes out negative
        variance = average @ (source - centre).pow(2) - (mean - centre).pow(2)
        deviation = variance.clamp(min=1e-5).sqrt()
        deviation = deviation.masked_fill(deviation <= math.sqrt(1e-5), 0.0)
        return torch.cat([own + mean, own - row_max(pattern, -source), own + row_max(pattern, source), deviation], 1)
