"""Pieces of a graph for training steps on nodes: the whole, sampled neighbourhoods, or clusters. Neither needs compiled extensions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import scipy.sparse as sp
import torch
from scipy.sparse.csgraph import reverse_cuthill_mckee
from torch import Tensor

from agentnas.tools.nn.graph import Graph
from agentnas.tools.nn.network import Network
from agentnas.tools.nn.ranges import ragged_ranges
from agentnas.tools.train.data import Prepared, PreparedTask

# Each hop multiplies a batch by the fan-out; deeper networks see no further than this in neighbour batches.
MOST_SAMPLED_HOPS = 4
MOST_DRAWN_ONE_BY_ONE = 64  # edges a node; beyond, shuffling all of its edges is the faster way to draw some


@dataclass(frozen=True)
class Batch:
    """A piece of the graph: ``index`` (long) are its labelled rows of outputs, ``y`` their labels.

    ``graph_of``: the graph of each node, where graphs have outputs; ``pairs``: long [2, n], where pairs of nodes have.
    ``known``: values of body nodes that were computed before, [n, columns] by id. ``passing``: whether its sizes hardly come again.
    """

    data: Prepared
    graph: Graph
    index: Tensor
    y: Tensor
    graph_of: Tensor | None = None
    pairs: Tensor | None = None
    known: Mapping[str, Tensor] = field(default_factory=dict)
    passing: bool = False


class Batches:
    """Batches of an epoch, as the recipe says. ``set_labels`` says which nodes carry labels in training, and may be called again."""

    def __init__(self, network: Network, prepared: PreparedTask) -> None:
        self._recipe, self._prepared = network.spec.recipe, prepared
        self._whole = prepared.features(network.spec.input)
        self._graph = prepared.messages(0, network.spec.input.edges)
        self._hops = receptive_hops(network, prepared.device) if self._recipe.batching == "neighbour" else 0
        self._known = prepared.propagated(network)
        self._pieces: dict[int, tuple[Prepared, Graph]] = {}

    def set_labels(self, index: Tensor, y: Tensor) -> None:
        """Labelled nodes (long [n]) and their labels."""
        self._index, self._y = index, y
        self._row_of = torch.full((self._prepared.num_nodes,), -1, device=index.device)  # of a node's label in y
        self._row_of[index] = torch.arange(index.numel(), device=index.device)

    def __iter__(self) -> Iterator[Batch]:
        """The batches of one epoch; draws from torch's global generator."""
        match self._recipe.batching:
            case "full":
                yield Batch(self._whole, self._graph, self._index, self._y, known=self._known)
            case "neighbour":
                yield from self._neighbourhoods()
            case "cluster":
                yield from self._clusters()

    def _neighbourhoods(self) -> Iterator[Batch]:
        order = torch.randperm(self._index.numel(), device=self._index.device)
        for seeds in torch.split(order, self._recipe.batch_size):
            nodes, graph = sample_neighbours(self._graph, self._index[seeds], self._hops, self._recipe.fanout)
            index = torch.arange(seeds.numel(), device=seeds.device)
            yield Batch(self._whole.rows(nodes), graph, index, self._y[seeds], passing=True)

    def _clusters(self) -> Iterator[Batch]:
        parts = self._prepared.clusters(self._recipe.clusters)
        for number in torch.randperm(len(parts)).tolist():
            rows = self._row_of[parts[number]]
            index = (rows >= 0).nonzero().squeeze(1)
            # Without labels a cluster teaches only where several passes must agree.
            if index.numel() or self._recipe.consistency_samples > 1:
                yield Batch(*self._piece(number, parts[number]), index, self._y[rows[index]])

    def _piece(self, number: int, nodes: Tensor) -> tuple[Prepared, Graph]:
        if number not in self._pieces:
            self._pieces[number] = self._whole.rows(nodes), self._graph.subgraph(nodes)
        return self._pieces[number]


def receptive_hops(network: Network, device: torch.device) -> int:
    """How many hops away a node's prediction can see, at most ``MOST_SAMPLED_HOPS``.

    Measured on a path graph as the farthest node with a gradient, so that it holds for any operator.
    """
    size, layout = MOST_SAMPLED_HOPS + 1, network.layout
    steps = torch.arange(size - 1, device=device)
    graph = Graph(torch.stack([torch.cat([steps, steps + 1]), torch.cat([steps + 1, steps])]), size)
    x = torch.rand(size, layout.in_channels, device=device, requires_grad=True)
    encodings = torch.rand(size, layout.encoding_channels, device=device) if layout.encoding_channels else None
    network.eval()
    (gradient,) = torch.autograd.grad(network(x, graph, encodings)[0].square().sum(), x)
    return int(gradient.abs().sum(1).nonzero().max()) if gradient.any() else 0


def most_sampled(seeds: int, hops: int, fanout: int) -> int:
    """Nodes of a neighbour batch, at most; it has fewer edges than nodes that were drawn."""
    return int(seeds * sum(float(fanout) ** hop for hop in range(hops + 1)))


def sample_neighbours(graph: Graph, seeds: Tensor, hops: int, fanout: int) -> tuple[Tensor, Graph]:
    """Nodes (long, the distinct ``seeds`` first, in their order) and the graph of the edges drawn to them.

    At each hop every new node draws at most ``fanout`` of its incoming edges, without replacement (Hamilton et al., 2017). Edge weights and
    attributes go along.
    """
    pointers, sources = graph.pattern.pointers, graph.pattern.column
    number = torch.full((graph.num_nodes,), -1, device=seeds.device)
    number[seeds] = torch.arange(seeds.numel(), device=seeds.device)
    layers, drawn, front = [seeds], [], seeds
    known = seeds.numel()
    for _ in range(hops):
        edges = _draw_edges(pointers, front, fanout)
        drawn.append(edges)
        reached = torch.unique(sources[edges])
        front = reached[number[reached] < 0]
        number[front] = known + torch.arange(front.numel(), device=seeds.device)
        known += front.numel()
        layers.append(front)
    nodes = torch.cat(layers)
    return nodes, _relabelled(graph, torch.cat(drawn) if drawn else seeds[:0], number, nodes)


def _draw_edges(pointers: Tensor, nodes: Tensor, fanout: int) -> Tensor:
    """Ids of at most ``fanout`` random incoming edges of each node; the work does not grow with the edges of hubs."""
    counts = pointers[nodes + 1] - pointers[nodes]
    many = counts > fanout
    few = ragged_ranges(pointers[nodes[~many]], counts[~many])
    draw = _draw_one_by_one if fanout <= MOST_DRAWN_ONE_BY_ONE else _draw_from_shuffled
    return torch.cat([few, draw(pointers[nodes[many]], counts[many], fanout)])


def _draw_one_by_one(starts: Tensor, counts: Tensor, fanout: int) -> Tensor:
    """``fanout`` different edges of each node, which has more, by Floyd's algorithm (Bentley and Floyd, 1987); long [nodes x fanout]."""
    drawn = torch.full((fanout, counts.numel()), -1, device=counts.device)
    for step in range(fanout):
        last = counts - fanout + step
        place = (torch.rand(counts.numel(), device=counts.device, dtype=torch.double) * (last + 1)).long()
        taken = (drawn[:step] == place).any(0)
        drawn[step] = torch.where(taken, last, place)
    return (drawn + starts).flatten()


def _draw_from_shuffled(starts: Tensor, counts: Tensor, fanout: int) -> Tensor:
    """The same: the first of a random order within each node."""
    edges = ragged_ranges(starts, counts)
    owner = torch.repeat_interleave(torch.arange(counts.numel(), device=counts.device), counts)
    # Sorting owner + a draw from [0, 1) shuffles within each owner and keeps owners in order.
    order = torch.argsort(owner.double() + torch.rand(owner.numel(), device=counts.device, dtype=torch.double))
    rank = torch.arange(owner.numel(), device=counts.device) - (counts.cumsum(0) - counts)[owner]
    return edges[order][rank < fanout]


def _relabelled(graph: Graph, edges: Tensor, number: Tensor, nodes: Tensor) -> Graph:
    index = torch.stack([number[graph.pattern.column[edges]], number[graph.pattern.row[edges]]])
    return Graph(index, nodes.numel(), *graph.of_edges(edges), graph.types_of(nodes))


def partition(graph: Graph, parts: int) -> list[Tensor]:
    """Nodes in ``parts`` pieces of near-equal size (fewer where there are fewer nodes), each along a breadth-first order.

    The reverse Cuthill-McKee order keeps neighbours near each other, so cutting it into equal runs cuts few edges; it takes milliseconds
    where a multilevel partition needs a compiled library.
    """
    source, target = graph.edge_index.cpu().numpy()
    ones = np.ones(len(source), dtype=np.int8)
    matrix = sp.csr_matrix((ones, (source, target)), shape=(graph.num_nodes, graph.num_nodes))
    order = reverse_cuthill_mckee((matrix + matrix.T).tocsr(), symmetric_mode=True)
    pieces = np.array_split(order.astype(np.int64), min(parts, graph.num_nodes))
    return [torch.from_numpy(np.sort(piece)) for piece in pieces]
