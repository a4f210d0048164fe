"""Small graphs and features that tests of networks share."""

from __future__ import annotations

import torch
from torch import Tensor

from agentnas.tools.nn.graph import Graph
from agentnas.tools.nn.network import Network
from agentnas.tools.nn.sparse import Features, SparseFeatures

NODES = 24
FEATURES = 10


def edges(seed: int = 0, nodes: int = NODES, count: int = 70, loops: bool = False, undirected: bool = False) -> Tensor:
    """Distinct random edges [2, E]; the last two nodes have none."""
    generator = torch.Generator().manual_seed(seed)
    edge_index = torch.randint(nodes - 2, (2, count), generator=generator)
    if undirected:
        edge_index = torch.cat([edge_index, edge_index.flip(0)], 1)
    if not loops:
        edge_index = edge_index[:, edge_index[0] != edge_index[1]]
    distinct: Tensor = torch.unique(edge_index, dim=1)
    return distinct[:, torch.randperm(distinct.shape[1], generator=generator)]


def graph(seed: int = 0, weighted: bool = False, attributes: int = 0, loops: bool = False, undirected: bool = False) -> Graph:
    """A random graph of ``NODES`` nodes, two of them without edges."""
    edge_index = edges(seed, loops=loops, undirected=undirected)
    generator = torch.Generator().manual_seed(seed + 1)
    weight = torch.rand(edge_index.shape[1], generator=generator) + 0.1 if weighted else None
    attr = torch.randn(edge_index.shape[1], attributes, generator=generator) if attributes else None
    return Graph(edge_index, NODES, weight, attr)


def features(seed: int = 0, nodes: int = NODES, width: int = FEATURES, density: float = 0.4) -> Tensor:
    """Dense features with many zeros."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(nodes, width, generator=generator)
    return x * (torch.rand(nodes, width, generator=generator) < density)


def sparse(x: Tensor) -> SparseFeatures:
    """The same features as a sparse matrix."""
    row, column = x.nonzero(as_tuple=True)
    pointers = torch.cat([torch.zeros(1, dtype=torch.long), (x != 0).sum(1).cumsum(0)])
    return SparseFeatures.from_csr(pointers, column, x[row, column], (x.shape[0], x.shape[1]))


def dense_adjacency(g: Graph, loops: bool = False) -> Tensor:
    """[N, N]: entry (target, source) is the weight of that edge; with ``loops``, missing self-loops weigh 1."""
    matrix = torch.zeros(g.num_nodes, g.num_nodes)
    source, target = g.edge_index
    matrix[target, source] = torch.ones(g.num_edges) if g.edge_weight is None else g.edge_weight
    if loops:
        missing = matrix.diagonal() == 0
        matrix += torch.diag(missing.float())
    return matrix


def symmetric(matrix: Tensor) -> Tensor:
    """D^-1/2 A D^-1/2 with row sums as degrees; 0 where a degree is 0."""
    scale = matrix.sum(1).pow(-0.5).nan_to_num(posinf=0.0)
    return scale[:, None] * matrix * scale[None, :]


def scores_and_gradients(network: Network, x: Features, g: Graph, encodings: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """What a pass gives, and the gradients of all weights as one vector; each score weighs differently."""
    network.zero_grad()
    out = network(x, g, encodings)
    torch.autograd.backward((out * torch.linspace(-1, 1, out.numel()).view(out.shape).to(out.device)).sum())
    return out.detach(), torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None])
