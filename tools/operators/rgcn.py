"""Graph convolution with a weight matrix for each type of edge (Schlichtkrull et al., 2018)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from agentnas.tools.nn.graph import Graph
from agentnas.tools.nn.layers import Linear, glorot
from agentnas.tools.nn.sparse import Features, SparseFeatures
from agentnas.tools.operators.base import Operator, Param

OPERATOR = Operator(
    name="rgcn",
    kind="convolution",
    module="RGCN",
    doc="neighbours averaged and transformed by the type of the edge, plus the node itself",
    source="Schlichtkrull et al., 2018",
    card="rgcn",
    params=(
        Param("aggregation", "mean", ("mean", "sum"), "how neighbours of one type of edge are joined"),
        Param("bases", 0, (0, 2, 4), "matrices that those of all types are mixed from; 0: each type has its own", 0, 64),
        Param("inverse", False, (False, True), "also against the edges, with weights of their own"),
    ),
    uses_types=True,
    needs="types",
)


class RGCN(nn.Module):
    """W_self x_i + b + sum over types r of W_r aggregate(x_j, j a neighbour by an edge of type r); W_r may be a mixture of ``bases``.

    Without types of edges it is a convolution with one matrix for neighbours and one for the node itself.
    """

    takes_sparse = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        aggregation: str = "mean",
        bases: int = 0,
        inverse: bool = False,
        node_types: int = 1,
        edge_types: int = 1,
    ) -> None:
        super().__init__()
        self.norm, self.edge_types, self.inverse = "row" if aggregation == "mean" else "sum", edge_types, inverse
        relations = edge_types * (2 if inverse else 1)
        mixed = 0 < bases < relations
        self.weight = nn.Parameter(torch.empty(bases if mixed else relations, in_channels, out_channels))
        self.shares = nn.Parameter(torch.empty(relations, bases)) if mixed else None
        glorot(self.weight)
        if self.shares is not None:
            glorot(self.shares)
        self.lin_self = Linear(in_channels, out_channels)

    def forward(self, x: Features, graph: Graph) -> Tensor:
        weight = self.weight if self.shares is None else torch.einsum("rb,bio->rio", self.shares, self.weight)
        out = self._added(self.lin_self(x), x, graph, weight[: self.edge_types])
        return self._added(out, x, graph.reversed, weight[self.edge_types :]) if self.inverse else out

    def _added(self, out: Tensor, x: Features, graph: Graph, weight: Tensor) -> Tensor:
        """``out`` and what neighbours say; ``weight``: [types, in, out]."""
        types, channels, width = weight.shape
        every = weight.transpose(0, 1).reshape(channels, types * width)
        said = x @ every if isinstance(x, SparseFeatures) else torch.mm(x, every)  # [N, types * out]
        return graph.relational(types, self.norm).mix(out, said.view(-1, width), 1.0)
