"""Outputs of nodes layer by layer, each in pieces of rows, so that no pass holds what all nodes and edges make at once.

A step of the network is computed for the nodes that later steps ask for and for no others: where few outputs are wanted, that is their
neighbourhood. Nothing is sampled; what comes out is what a pass over the whole graph gives, to rounding.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

import torch
from torch import Tensor

from agentnas.tools.nn.graph import Graph
from agentnas.tools.nn.layers import RawFeatures
from agentnas.tools.nn.layout import ONE_TYPE, Layout, Make, Step, Types
from agentnas.tools.nn.network import Network, build
from agentnas.tools.nn.sparse import Features, Pattern, SparseFeatures, SparseMatrix
from agentnas.tools.operators.base import operator

PIECE_ROWS, PIECE_EDGES = 2**15, 2**18  # of a piece, at most; a node with more edges is a piece of its own
PROBE_NODES, PROBE_CLOSE = 12, 1e-4
# What a value at a node depends on. ``rows``: that node alone; ``edges``: the edges to it; ``matrix``: the same, weighed by a matrix of the
# whole graph; ``whole``: anything else.
Reach = Literal["rows", "edges", "matrix", "whole"]


def in_pieces(num_nodes: int, num_edges: int) -> bool:
    """Whether a graph is larger than a piece."""
    return num_nodes > PIECE_ROWS or num_edges > PIECE_EDGES


class Piece(Graph):
    """Some nodes of a graph and all edges to ``targets`` (long, rising) among them; what is said of other nodes is not true.

    Its adjacencies hold rows of the whole graph's, so that sources weigh what they weigh there.
    """

    def __init__(self, whole: Graph, targets: Tensor, number: Tensor) -> None:
        edges, counts = whole.pattern.entries_of(targets)
        source = whole.pattern.column[edges]
        self.nodes = torch.unique(torch.cat([source, targets]))
        number[self.nodes] = torch.arange(self.nodes.numel(), device=number.device)
        self._whole, self._targets, self._number = whole, targets, number
        self.places = number[targets]
        size = (self.nodes.numel(), self.nodes.numel())
        pattern = Pattern(self.places.repeat_interleave(counts), number[source], size)
        self._fill(pattern, *whole.of_edges(edges), whole.types_of(self.nodes))
        self.asked_for_matrix = False

    @property
    def mean_log_degree(self) -> Tensor:
        """Of the whole graph: the unit that training had."""
        return self._whole.mean_log_degree

    def adjacency(self, norm: str = "sum", loops: bool = False) -> SparseMatrix:
        self.asked_for_matrix = True
        matrix = self._whole.adjacency(norm, loops)
        entries, counts = matrix.pattern.entries_of(self._targets)
        pattern = Pattern(self.places.repeat_interleave(counts), self._number[matrix.pattern.column[entries]], self.pattern.shape)
        return SparseMatrix(pattern, matrix.values[entries])


def reach_of(layout: Layout, step: Step) -> Reach:
    """What the values of a step at a node depend on."""
    make = layout.modules[step.module]
    if make.cls != "Block":
        return "rows"
    norm = make.keywords.get("norm")
    if isinstance(norm, Make) and norm.cls in {"PairNorm", "GraphNorm"}:
        return "whole"
    inner = make.args[0]
    assert isinstance(inner, Make)
    return "rows" if operator(inner.operator).kind == "pointwise" else _measured(_Operator(inner, layout.edge_channels, layout.types))


@dataclass(frozen=True)
class _Operator:
    """An operator that is probed; equal ones are probed once."""

    make: Make
    edge_channels: int
    types: Types

    def __hash__(self) -> int:
        return hash(self.make.source())


@lru_cache(maxsize=256)
def _measured(probed: _Operator) -> Reach:
    """Found by an operator with random weights on a small random graph, so that it holds for any."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        graph = _small(probed.edge_channels, probed.types)  # the same one for each width
        try:
            return _tried(probed.make, graph)
        except Exception:  # noqa: BLE001
            # An operator's file holds anybody's code, which may ask more of a graph than a piece can say.
            return "whole"


def _tried(make: Make, graph: Graph) -> Reach:
    module, width = build(make).eval(), make.args[0]
    for weight in module.parameters():
        weight.normal_()
    assert isinstance(width, int), "an operator is called with its widths"
    x, targets = torch.randn(PROBE_NODES, width), torch.arange(0, PROBE_NODES, 3)
    piece = Piece(graph, targets, torch.full((PROBE_NODES,), -1))
    found, wanted = module(x[piece.nodes], piece)[piece.places], module(x, graph)[targets]
    if not torch.allclose(found, wanted, rtol=PROBE_CLOSE, atol=PROBE_CLOSE * float(wanted.abs().max())):
        return "whole"
    return "matrix" if piece.asked_for_matrix else "edges"


def _small(edge_channels: int, types: Types) -> Graph:
    """A random directed graph with what an operator may ask for of edges and nodes; every type is there."""
    index = (torch.rand(PROBE_NODES, PROBE_NODES) < 0.5).nonzero().t()
    node_types, edge_types = types
    attr = torch.rand(index.shape[1], edge_channels) if edge_channels else None
    typed = types != ONE_TYPE
    kinds = torch.arange(index.shape[1]) % edge_types if typed else None
    return Graph(index, PROBE_NODES, None, attr, kinds, torch.arange(PROBE_NODES) % node_types if typed else None)


@dataclass
class _Value:
    """Values of a step for some nodes (``rows``, long, rising; None: all)."""

    rows: Tensor | None
    values: Tensor

    def at(self, nodes: Tensor | None) -> Tensor:
        if nodes is None or self.rows is None:
            return self.values if nodes is None else self.values[nodes]
        return self.values[torch.searchsorted(self.rows, nodes)]


@dataclass
class _Task:
    """A step, the places of the tasks whose values it reads, what it depends on, the steps that follow on each of its pieces, and the nodes
    that are asked for (None: all)."""

    step: Step
    reads: tuple[int, ...]
    reach: Reach
    then: tuple[Step, ...] = ()
    wanted: Tensor | None = None
    asked: bool = False


def state_columns(network: Network) -> int:
    """Most columns of all nodes' values that a pass layer by layer holds at one time; of no one layer's own work."""
    layout = network.layout
    encodings = torch.zeros(PROBE_NODES, layout.encoding_channels) if layout.encoding_channels else None
    graph = _small(layout.edge_channels, layout.types)
    by_layers = Layerwise(network, torch.zeros(PROBE_NODES, layout.in_channels), graph, encodings)
    by_layers.outputs(network.eval())
    return by_layers.most_columns


class Layerwise:
    """A node network's outputs on one graph, in pieces. The network may be trained on between calls.

    ``most_columns``: of the values that were held at one time so far.
    """

    def __init__(self, network: Network, x: Features, graph: Graph, encodings: Tensor | None) -> None:
        self._x, self._graph, self._encodings = x, graph, encodings
        self._tasks = _tasks(network.layout)
        self._number = torch.empty(graph.num_nodes, dtype=torch.long, device=graph.device)
        self._planned: tuple[Tensor | None, list[_Task]] | None = None
        self.most_columns = 0

    @torch.no_grad()
    def outputs(self, network: Network, items: Tensor | None = None) -> Tensor:
        """Outputs [n, columns] of some nodes (long [n]; None: all); ``network`` is in evaluation mode and of the layout that was given."""
        tasks = self._plan(items)
        values: dict[int, _Value] = {}
        last = {place: at for at, task in enumerate(tasks) for place in task.reads}
        for at, task in enumerate(tasks):
            if not self._is_raw(network, task):
                values[at] = _Value(task.wanted, self._computed(network, task, values))
            self.most_columns = max(self.most_columns, sum(value.values.shape[1] for value in values.values()))
            for place in task.reads:
                if last[place] == at:
                    values.pop(place, None)
        return values[len(tasks) - 1].at(items)

    def _plan(self, items: Tensor | None) -> list[_Task]:
        """The steps with the nodes that each is asked for; kept, because validation asks for the same ones after each epoch."""
        if self._planned is None or self._planned[0] is not items:
            tasks = [replace(task) for task in self._tasks]
            tasks[-1].wanted, tasks[-1].asked = None if items is None else torch.unique(items), True
            for task in reversed(tasks):
                task.wanted = None if task.reach == "whole" else task.wanted
                read = self._read_for(task)
                for place in task.reads:
                    _ask(tasks[place], read)
            self._planned = items, tasks
        return self._planned[1]

    def _read_for(self, task: _Task) -> Tensor | None:
        """The nodes whose values a step reads."""
        if task.wanted is None or task.reach == "rows":
            return task.wanted
        edges, _ = self._graph.pattern.entries_of(task.wanted)
        read: Tensor = torch.unique(torch.cat([self._graph.pattern.column[edges], task.wanted]))
        return read

    def _is_raw(self, network: Network, task: _Task) -> bool:
        """Whether a step is the raw features, which are read where they lie."""
        return isinstance(network.get_submodule(task.step.module), RawFeatures)

    def _computed(self, network: Network, task: _Task, values: dict[int, _Value]) -> Tensor:
        module = network.get_submodule(task.step.module)
        if task.reach == "whole":
            return _applied(module, task.step, [self._fetch(network, place, values, None) for place in task.reads], self._graph)
        out: Tensor | None = None
        done = 0
        for targets in self._pieces(task):
            found = self._of_piece(network, module, task, values, targets)
            for step in task.then:
                found = _applied(network.get_submodule(step.module), step, [found], _no_edges(targets))
            if out is None:
                count = self._graph.num_nodes if task.wanted is None else task.wanted.numel()
                out = found.new_empty(count, *found.shape[1:])
            out[done : done + targets.numel()] = found
            done += targets.numel()
        assert out is not None
        return out

    def _of_piece(self, network: Network, module: torch.nn.Module, task: _Task, values: dict[int, _Value], targets: Tensor) -> Tensor:
        if task.reach == "rows":
            if not task.reads:
                made: Tensor = self._read_raw(module, targets)
                return made
            read = [self._fetch(network, place, values, targets) for place in task.reads]
            return _applied(module, task.step, read, _no_edges(targets))
        piece = Piece(self._graph, targets, self._number)
        read = [self._fetch(network, place, values, piece.nodes) for place in task.reads]
        return _applied(module, task.step, read, piece)[piece.places]

    def _fetch(self, network: Network, place: int, values: dict[int, _Value], nodes: Tensor | None) -> Any:
        if place in values:
            return values[place].at(nodes)
        return self._read_raw(network.get_submodule(self._tasks[place].step.module), nodes)

    def _read_raw(self, module: torch.nn.Module, nodes: Tensor | None) -> Any:
        """What the input makes of the features of some nodes."""
        x, encodings = self._x, self._encodings
        if nodes is not None:
            x = x.rows(nodes) if isinstance(x, SparseFeatures) else x[nodes]
            encodings = None if encodings is None else encodings[nodes]
        return module(x) if encodings is None else module(x, encodings)

    def _pieces(self, task: _Task) -> Iterator[Tensor]:
        """The nodes that are asked for, in runs that are no larger than a piece."""
        nodes = torch.arange(self._graph.num_nodes, device=self._graph.device) if task.wanted is None else task.wanted
        if task.reach == "rows" or not nodes.numel():
            yield from torch.split(nodes, PIECE_ROWS)
            return
        pointers = self._graph.pattern.pointers
        ends = (pointers[nodes + 1] - pointers[nodes]).cumsum(0)
        first = 0
        while first < nodes.numel():
            before = int(ends[first - 1]) if first else 0
            by_edges = int(torch.searchsorted(ends, before + PIECE_EDGES, right=True))
            last = max(first + 1, min(by_edges, first + PIECE_ROWS))
            yield nodes[first:last]
            first = last


def _applied(module: torch.nn.Module, step: Step, read: Sequence[Features], graph: Graph) -> Tensor:
    found: Tensor = module(graph, *read) if "graph" in step.args else module(*read)
    return found


def _ask(task: _Task, nodes: Tensor | None) -> None:
    """Ask a step for some more nodes."""
    if not task.asked:
        task.wanted, task.asked = nodes, True
    elif task.wanted is not None:
        task.wanted = None if nodes is None else torch.unique(torch.cat([task.wanted, nodes]))


def _tasks(layout: Layout) -> list[_Task]:
    """The steps up to the result; a name may be written several times, a place is not. What alone reads a step's values, node by node,
    follows on its pieces, so that these values are never held for all nodes."""
    uses = Counter(name for step in layout.steps for name in step.args)
    written: dict[str, int] = {}
    tasks: list[_Task] = []
    for step in layout.steps:
        reads = tuple(written[name] for name in step.args if name in written)
        reach = reach_of(layout, step)
        alone = reach == "rows" and len(reads) == 1 and all(uses[name] == 1 for name in step.args if name in written)
        before = tasks[reads[0]] if alone else None
        if before is not None and before.reach != "whole" and layout.modules[before.step.module].cls != "RawFeatures":
            before.then += (step,)
            written[step.target] = reads[0]
        else:
            tasks.append(_Task(step, reads, reach))
            written[step.target] = len(tasks) - 1
    return tasks


def _no_edges(nodes: Tensor) -> Graph:
    none = nodes[:0]
    return Graph.of_sorted(Pattern(none, none, (nodes.numel(), nodes.numel())))
