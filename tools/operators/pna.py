"""Principal neighbourhood aggregation (Corso et al., 2020)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from agentnas.tools.nn.graph import Graph
from agentnas.tools.nn.layers import Linear
from agentnas.tools.nn.segments import collect, entry_max, gather_columns, row_max
from agentnas.tools.nn.sparse import Features, as_dense
from agentnas.tools.operators.base import Operator

OPERATOR = Operator(
    name="pna",
    kind="convolution",
    module="PNA",
    doc="mean, minimum, maximum and deviation of neighbours, scaled by degree",
    source="Corso et al., 2020",
    card="pna",
    uses_edge_attr=True,
)


class PNA(nn.Module):
    """Messages U x_i + V x_j, four aggregators times three degree scalers, beside x_i, through two Linears.

    Works at the output's width: where widths differ x is projected first. The messages' first part is constant in a neighbourhood, so only
    V x_j is aggregated; edges with attributes add W e_ij to it.
    """

    takes_sparse = True

    def __init__(self, in_channels: int, out_channels: int, edge_channels: int = 0) -> None:
        super().__init__()
        self.lin_in = None if in_channels == out_channels else Linear(in_channels, out_channels)
        self.lin_target = Linear(out_channels, out_channels)
        self.lin_source = Linear(out_channels, out_channels, bias=False)
        self.lin_edge = Linear(edge_channels, out_channels, bias=False) if edge_channels else None
        self.post = Linear(13 * out_channels, out_channels)
        self.lin_out = Linear(out_channels, out_channels)

    def forward(self, x: Features, graph: Graph) -> Tensor:
        h = as_dense(x) if self.lin_in is None else self.lin_in(x)
        if self.lin_edge is None or graph.edge_attr is None:
            joined = self._aggregate(self.lin_target(h), self.lin_source(h), graph)
        else:
            messages = gather_columns(graph.pattern, self.lin_source(h)) + self.lin_edge(graph.edge_attr)
            joined = self._aggregate_edges(self.lin_target(h), messages, graph)
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
        return torch.cat([own + mean, own - row_max(pattern, -source), own + row_max(pattern, source), _deviation(variance)], 1)

    def _aggregate_edges(self, target: Tensor, messages: Tensor, graph: Graph) -> Tensor:
        """The same of messages that differ by edge; [E, width] -> [N, 4 * width]."""
        pattern, degree = graph.pattern, graph.degree.clamp(min=1)[:, None]
        own = target * (graph.degree > 0)[:, None]
        mean = collect(pattern, messages) / degree
        centre = messages.detach().mean(0) if messages.shape[0] else messages.sum(0)
        variance = collect(pattern, (messages - centre).pow(2)) / degree - (mean - centre).pow(2)
        return torch.cat([own + mean, own - entry_max(pattern, -messages), own + entry_max(pattern, messages), _deviation(variance)], 1)


def _deviation(variance: Tensor) -> Tensor:
    deviation = variance.clamp(min=1e-5).sqrt()
    return deviation.masked_fill(deviation <= math.sqrt(1e-5), 0.0)
