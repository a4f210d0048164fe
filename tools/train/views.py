"""What a network is shown of a task, by what its items are: nodes, graphs or pairs of nodes.

A view gives the batches of an epoch and the outputs of any items. Graphs outside of a batch are not part of it: no statistic of a
normalisation, and no message, comes from a graph that is not trained on. Pairs are judged by messages along other edges than theirs: those
of validation and test are never among the messages, and those of a training step are taken out for that step.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Protocol

import torch
from torch import Tensor

from agentnas.tools.nn.dense import for_passing_shapes
from agentnas.tools.nn.graph import Graph, among
from agentnas.tools.nn.network import Network
from agentnas.tools.nn.ranges import ragged_ranges
from agentnas.tools.nn.sparse import Features, Pattern
from agentnas.tools.train.batching import Batch, Batches
from agentnas.tools.train.data import Prepared, PreparedTask
from agentnas.tools.train.layerwise import Layerwise, in_pieces

MOST_NODES = 200_000  # of a pass over several graphs
MOST_ROWS = 2**16  # of a pass over nodes that need no neighbours
TRIES = 20  # draws of pairs until enough are no edges


class View(Protocol):
    """Batches to train on, and outputs of items."""

    def set_labels(self, index: Tensor, y: Tensor) -> None:
        """Items (long [n]) that are trained on, and their labels."""

    def __iter__(self) -> Iterator[Batch]:
        """The batches of one epoch; draws from torch's global generator."""

    def outputs(self, network: Network, items: Tensor | None = None) -> Tensor:
        """Outputs [n, columns] of some items (long [n]; None: all) with the network as it is."""


def outputs_of(network: Network, batch: Batch, x: Features, graph: Graph) -> Tensor:
    """Outputs [rows, columns] of a batch whose features and graph may have been perturbed; a pair has a column for each of two classes."""
    if batch.known:
        return network.after(batch.known, x, graph, batch.data.encodings)
    with for_passing_shapes() if batch.passing else nullcontext():
        outputs: Tensor = network(x, graph, batch.data.encodings, batch.graph_of, batch.pairs)
    return outputs if batch.pairs is None else torch.stack([torch.zeros_like(outputs), outputs], 1)


def view_of(network: Network, prepared: PreparedTask, split: int) -> View:
    """How the network of a spec sees a split of a task."""
    if prepared.kind == "node":
        return RowView(network, prepared) if network.spec.recipe.batching == "precomputed" else NodeView(network, prepared)
    return GraphView(network, prepared) if prepared.kind == "graph" else PairView(network, prepared, split)


class NodeView(Batches):
    """Nodes of one graph. Where steps see parts of it, so do passes: a large one is gone through layer by layer."""

    def __init__(self, network: Network, prepared: PreparedTask) -> None:
        super().__init__(network, prepared)
        parts = self._recipe.batching != "full" and in_pieces(self._graph.num_nodes, self._graph.num_edges)
        self._by_layers = Layerwise(network, self._whole.x, self._graph, self._whole.encodings) if parts else None

    def outputs(self, network: Network, items: Tensor | None = None) -> Tensor:
        if self._by_layers is not None:
            return self._by_layers.outputs(network, items)
        shown = (self._whole.x, self._graph, self._whole.encodings)
        outputs: Tensor = network.after(self._known, *shown) if self._known else network(*shown)
        return outputs if items is None else outputs.index_select(0, items)


class RowView:
    """Nodes that are looked at one by one: what neighbours say was propagated before, and steps see labelled rows alone."""

    def __init__(self, network: Network, prepared: PreparedTask) -> None:
        self._batch_size, self._whole = network.spec.recipe.batch_size, prepared.features(network.spec.input)
        self._known, self._num_nodes = prepared.propagated(network), prepared.num_nodes
        self._raw = any("x" in step.args for step in network.steps_after(frozenset(self._known)))

    def set_labels(self, index: Tensor, y: Tensor) -> None:
        self._index, self._y = index, y

    def __iter__(self) -> Iterator[Batch]:
        """Batches of near-equal size; one alone has its rows in the order of the labels."""
        count = self._index.numel()
        parts = -(-count // self._batch_size)
        order = torch.arange(count, device=self._index.device) if parts == 1 else torch.randperm(count, device=self._index.device)
        for chosen in order.tensor_split(parts):
            yield self._batch(self._index[chosen], self._y[chosen])

    def _batch(self, nodes: Tensor, y: Tensor) -> Batch:
        index = torch.arange(nodes.numel(), device=nodes.device)
        known = {name: values[nodes] for name, values in self._known.items()}
        data = self._whole.rows(nodes) if self._raw else Prepared(torch.empty(nodes.numel(), 0, device=nodes.device), None)
        return Batch(data, _without_edges(nodes), index, y, known=known)

    def outputs(self, network: Network, items: Tensor | None = None) -> Tensor:
        nodes = torch.arange(self._num_nodes, device=self._whole.x.device) if items is None else items
        batches = (self._batch(piece, piece) for piece in torch.split(nodes, MOST_ROWS))
        return torch.cat([outputs_of(network, batch, batch.data.x, batch.graph) for batch in batches])


def _without_edges(nodes: Tensor) -> Graph:
    """As many nodes as there are given, and no edge."""
    none = nodes[:0]
    return Graph.of_sorted(Pattern(none, none, (nodes.numel(), nodes.numel())))


class GraphView:
    """Whole graphs, some at a time."""

    def __init__(self, network: Network, prepared: PreparedTask) -> None:
        self._recipe, self._prepared = network.spec.recipe, prepared
        self._whole = prepared.features(network.spec.input)
        self._graph = prepared.messages(0, network.spec.input.edges)
        self._number = torch.empty(prepared.num_nodes, dtype=torch.long, device=prepared.device)
        self._kept: dict[int, tuple[Tensor, list[Batch]]] = {}

    def set_labels(self, index: Tensor, y: Tensor) -> None:
        self._index, self._y = index, y

    def __iter__(self) -> Iterator[Batch]:
        if self._recipe.batching == "full":
            yield self._labelled(torch.arange(self._index.numel(), device=self._index.device))
            return
        order = torch.randperm(self._index.numel(), device=self._index.device)
        for chosen in torch.split(order, self._recipe.batch_size):
            yield self._labelled(chosen.sort().values, passing=True)

    def _labelled(self, chosen: Tensor, *, passing: bool = False) -> Batch:
        rows = torch.arange(chosen.numel(), device=chosen.device)
        return self._batch(self._index[chosen], rows, self._y[chosen], passing=passing)

    def _batch(self, graphs: Tensor, index: Tensor, y: Tensor, *, passing: bool = False) -> Batch:
        """The union of some graphs (long, rising)."""
        starts = self._prepared.graph_starts
        counts = starts[graphs + 1] - starts[graphs]
        nodes = ragged_ranges(starts[graphs], counts)
        owner = torch.arange(graphs.numel(), device=graphs.device).repeat_interleave(counts)
        return Batch(self._whole.rows(nodes), self._union(nodes), index, y, owner, passing=passing)

    def _union(self, nodes: Tensor) -> Graph:
        """The graph among nodes (rising) of whole graphs: no edge leaves them, and their order stays."""
        whole, n = self._graph, nodes.numel()
        self._number[nodes] = torch.arange(n, device=nodes.device)
        edges, _ = whole.pattern.entries_of(nodes)
        row, column = self._number[whole.pattern.row[edges]], self._number[whole.pattern.column[edges]]
        _, attr, kind = whole.of_edges(edges)
        union = Graph.of_sorted(Pattern(row, column, (n, n)), attr, kind, whole.types_of(nodes))
        union.mean_log_degree = whole.mean_log_degree  # a unit of the data: what is said of a graph must not depend on its batch
        return union

    def outputs(self, network: Network, items: Tensor | None = None) -> Tensor:
        if items is None:
            pieces = self._pieces(torch.arange(self._prepared.num_items, device=self._prepared.device))
        else:
            pieces = self._kept_pieces(items)
        return torch.cat([outputs_of(network, batch, batch.data.x, batch.graph) for batch in pieces])

    def _pieces(self, items: Tensor) -> list[Batch]:
        """The items (rising) in as many pieces as memory asks for."""
        starts = self._prepared.graph_starts
        ends = (starts[items + 1] - starts[items]).cumsum(0)
        sizes = torch.unique(torch.div(ends - 1, MOST_NODES, rounding_mode="floor"), return_counts=True)[1].tolist()
        return [self._batch(group, group, group) for group in torch.split(items, sizes)]

    def _kept_pieces(self, items: Tensor) -> list[Batch]:
        """The same, made once: validation graphs are looked at in every epoch."""
        if id(items) not in self._kept:
            self._kept[id(items)] = items, self._pieces(items)
        return self._kept[id(items)][1]


class PairView:
    """Pairs of nodes of one graph."""

    def __init__(self, network: Network, prepared: PreparedTask, split: int) -> None:
        self._recipe, self._prepared = network.spec.recipe, prepared
        self._whole = prepared.features(network.spec.input, split)
        self._messages = prepared.messages(split, network.spec.input.edges)
        self._keys = self._messages.pattern.keys

    def set_labels(self, index: Tensor, y: Tensor) -> None:
        self._edges = self._prepared.pairs[:, index[y == 1]]

    def __iter__(self) -> Iterator[Batch]:
        """Batches of edges and as many pairs without one; a batch never takes more than half of the edges out of the messages."""
        count = self._edges.shape[1]
        half = max(1, (count + 1) // 2)
        size = half if self._recipe.batching == "full" else min(self._recipe.batch_size, half)
        for chosen in torch.split(torch.randperm(count, device=self._edges.device), size):
            edges = self._edges[:, chosen]
            others = self._without_edge(chosen.numel())
            y = torch.cat([torch.ones_like(edges[0]), torch.zeros_like(others[0])])
            rows = torch.arange(y.numel(), device=y.device)
            yield Batch(self._whole, self._without(edges), rows, y, None, torch.cat([edges, others], 1))

    def _without(self, edges: Tensor) -> Graph:
        """The messages without those along some edges, in both directions."""
        n = self._prepared.num_nodes
        keep = torch.ones(self._keys.numel(), dtype=torch.bool, device=edges.device)
        for source, target in (edges, edges.flip(0)):
            keep[torch.searchsorted(self._keys, target * n + source)] = False
        return self._messages.keeping(keep)

    def _without_edge(self, count: int) -> Tensor:
        """Long [2, count]: random pairs of different nodes that are no edges of the training part; known edges of other parts may be drawn,
        for a training must not know them."""
        n, device = self._prepared.num_nodes, self._edges.device
        found = torch.empty(2, 0, dtype=torch.long, device=device)
        for _ in range(TRIES):
            drawn = torch.randint(n, (2, 2 * count), device=device)
            free = (drawn[0] != drawn[1]) & ~among(drawn[1] * n + drawn[0], self._keys)
            found = torch.cat([found, drawn[:, free]], 1)[:, :count]
            if found.shape[1] == count:
                break
        return found

    def outputs(self, network: Network, items: Tensor | None = None) -> Tensor:
        pairs = self._prepared.pairs if items is None else self._prepared.pairs[:, items]
        batch = Batch(self._whole, self._messages, pairs[0], pairs[0], None, pairs)
        return outputs_of(network, batch, self._whole.x, self._messages)
