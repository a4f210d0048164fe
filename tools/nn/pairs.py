"""What the edges around two nodes say of them: neighbours that both have, walks from one to the other, and their degrees."""

from __future__ import annotations

import torch
from torch import Tensor

from agentnas.tools.nn.graph import Graph
from agentnas.tools.nn.sparse import Pattern, SparseMatrix

MOST_SCORED = 2**16  # pairs at a time, and MOST_LOOKED_AT edges at their ends, where no derivatives are wanted
MOST_LOOKED_AT = 2**20
MOST_COUNTED = 2**22  # numbers of walks, of all nodes to some, at a time
LOOKING_UP = 100  # multiply-adds of a matrix product that take as long as looking up an edge
FEW = 2**16  # edges that are looked up whatever it takes
STRUCTURE = 6  # columns of ``pair_structure``


def pieces(pairs: Tensor, graph: Graph | None = None) -> tuple[Tensor, ...]:
    """Pairs [2, n], in pieces of bounded memory where no derivatives are wanted; with a graph also by the edges that are looked at."""
    traced = not isinstance(pairs.shape[1], int)  # by torch.export, where the number of pairs stays free
    if traced or torch.is_grad_enabled() or pairs.shape[1] == 0:
        return (pairs,)
    if graph is None:
        return torch.split(pairs, MOST_SCORED, 1)
    degree = graph.pattern.pointers.diff()
    looked_at = torch.minimum(degree[pairs[0]], degree[pairs[1]]) + MOST_LOOKED_AT // MOST_SCORED
    number = torch.div(looked_at.cumsum(0) - 1, MOST_LOOKED_AT, rounding_mode="floor")
    return torch.split(pairs, torch.unique_consecutive(number, return_counts=True)[1].tolist(), 1)


def common_neighbours(graph: Graph, pairs: Tensor) -> tuple[Tensor, Tensor]:
    """All (number of pair, node) where the node sends an edge to both ends of the pair, by number of pair; two long tensors of one length.

    The edges of the end that has fewer are looked up among those of the other.
    """
    pattern, (few, many) = graph.pattern, _by_degree(graph, pairs)
    entries, counts = pattern.entries_of(few)
    node = pattern.column[entries]
    pair = torch.arange(pairs.shape[1], device=pairs.device).repeat_interleave(counts)
    found, at = _edges_at(pattern, many[pair], node)
    if pattern.keep is not None and pattern.nnz:  # edges that were taken out and stay in their place
        found &= (pattern.keep[entries] * pattern.keep[at]) > 0
    return pair[found], node[found]


@torch.no_grad()
def pair_structure(graph: Graph, pairs: Tensor) -> Tensor:
    """What the edges around each pair say, whatever the order of its ends; float [pairs, STRUCTURE], without derivatives.

    log(1 + .) of the number of neighbours that both ends have; of the same weighed by one over the logarithm of their degree (Adamic and
    Adar, 2003), and by one over their degree (resource allocation; Zhou, Lu and Zhang, 2009); of the walks of three edges from one end to
    the other; and of the smaller and the larger degree of the ends. An edge between the ends themselves counts nowhere, so a pair that is
    known to be joined is seen as one that is to be found. The graph's edges go both ways.
    """
    return torch.cat([_structure(graph, some) for some in pieces(pairs, graph)]).log1p()


def _structure(graph: Graph, pairs: Tensor) -> Tensor:
    degree, own = graph.degree, _joined(graph, pairs)
    weights = torch.stack([torch.ones_like(degree), 1 / degree.clamp(min=2).log(), 1 / degree.clamp(min=1)], 1)
    pair, node = common_neighbours(graph, pairs)
    shared = SparseMatrix(Pattern(pair, node, (pairs.shape[1], graph.num_nodes)), torch.ones_like(pair, dtype=weights.dtype))
    ends = degree[pairs]
    # There and back along the pair's own edge, at either end: once for each edge of that end, the way along it three times twice.
    walks = _walks_of_three(graph, pairs) - own * (ends.sum(0) - 1)
    others = torch.stack([walks.clamp(min=0), *(ends - own).sort(0).values], 1)
    return torch.cat([shared @ weights, others], 1)


def _joined(graph: Graph, pairs: Tensor) -> Tensor:
    """1 where an edge joins the two ends, else 0; float [pairs]."""
    found, at = _edges_at(graph.pattern, pairs[0], pairs[1])
    keep = graph.pattern.keep
    return found.float() if keep is None or not graph.num_edges else found * keep[at]


def _edges_at(pattern: Pattern, row: Tensor, column: Tensor) -> tuple[Tensor, Tensor]:
    """Whether there is an entry at each row and column, bool [n], and its number, which means nothing where there is none; long [n]."""
    wanted = row * pattern.shape[1] + column
    if not pattern.nnz:
        return torch.zeros_like(wanted, dtype=torch.bool), torch.zeros_like(wanted)
    at = torch.searchsorted(pattern.keys, wanted).clamp(max=pattern.nnz - 1)
    return pattern.keys[at] == wanted, at


def _by_degree(graph: Graph, pairs: Tensor) -> tuple[Tensor, Tensor]:
    """Of each pair the end with fewer edges, and the other."""
    degree = graph.pattern.pointers.diff()
    turned = degree[pairs[0]] > degree[pairs[1]]
    return torch.where(turned, pairs[1], pairs[0]), torch.where(turned, pairs[0], pairs[1])


def _walks_of_three(graph: Graph, pairs: Tensor) -> Tensor:
    """Number of walks of three edges from one end to the other, by whichever way is shorter; float [pairs]."""
    few, many = _by_degree(graph, pairs)
    edges = SparseMatrix(graph.pattern, torch.ones(graph.num_edges, device=pairs.device))
    reached = edges.csr @ graph.pattern.pointers.diff().float()[:, None]
    looked_up = float(reached[few].sum())
    multiplied = 2 * graph.num_edges * min(graph.num_nodes, pairs.shape[1])
    looks_up = looked_up <= FEW or looked_up * LOOKING_UP <= multiplied
    return _walks_looked_up(graph, few, many) if looks_up else _walks_multiplied(graph, few, many)


def _walks_looked_up(graph: Graph, few: Tensor, many: Tensor) -> Tensor:
    """Neighbours that each neighbour of the end with fewer edges has in common with the other end."""
    pattern = graph.pattern
    entries, counts = pattern.entries_of(few)
    pair = torch.arange(few.numel(), device=few.device).repeat_interleave(counts)
    ends = torch.stack([pattern.column[entries], many[pair]])
    shared = torch.cat([torch.bincount(common_neighbours(graph, some)[0], minlength=some.shape[1]) for some in pieces(ends, graph)])
    counted = shared.float() if pattern.keep is None else shared * pattern.keep[entries]
    return torch.zeros(few.numel(), device=few.device).index_add_(0, pair, counted)


def _walks_multiplied(graph: Graph, few: Tensor, many: Tensor) -> Tensor:
    """Walks from all nodes to some at a time, by products with their columns of the adjacency."""
    nodes, column = torch.unique(few, return_inverse=True)
    walks = torch.empty(few.numel(), device=few.device)
    at_once = max(1, MOST_COUNTED // graph.num_nodes)
    for start in range(0, nodes.numel(), at_once):
        mine = ((column >= start) & (column < start + at_once)).nonzero().squeeze(1)
        walks[mine] = _walks_to(graph, nodes[start : start + at_once])[many[mine], column[mine] - start]
    return walks


def _walks_to(graph: Graph, nodes: Tensor) -> Tensor:
    """Walks of three edges from each node to some; [num_nodes, nodes]. Where an edge was dropped one way, these are the walks that are
    looked up: from a node that sends to both the other end and a neighbour of this one."""
    pattern, n = graph.pattern, graph.num_nodes
    edges = SparseMatrix(pattern, torch.ones(pattern.nnz, device=nodes.device) if pattern.keep is None else pattern.keep)
    entries, counts = pattern.entries_of(nodes)
    one = torch.zeros(n, nodes.numel(), device=nodes.device)
    one[pattern.column[entries], torch.arange(nodes.numel(), device=nodes.device).repeat_interleave(counts)] = edges.values[entries]
    walks: Tensor = edges.csr @ (edges.transposed_csr @ one)
    return walks
