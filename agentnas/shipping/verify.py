"""Comparing an exported program with the trained model, on the whole graph and on a changed one; and the small graph of its example."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agentnas.scores import item_of
from agentnas.shipping.graphs import NewGraph
from agentnas.shipping.trained import Labels, Trained
from agentnas.tools.errors import RunError

TOLERANCE = 1e-5  # of a probability
MOST_ENTRIES = 100_000_000  # features of a graph that is compared whole, 400 MB; larger ones by a part
SAMPLE = 40
MOST_GRAPHS = 50  # of a set of graphs that are compared, each alone
Inputs = dict[str, Tensor]


@dataclass(frozen=True)
class Deviation:
    """Largest absolute difference of a prediction from the trained model's (of values, as a share of their spread in training), and the
    numbers of nodes, graphs or pairs that were compared."""

    whole: float
    changed: float
    nodes: int
    changed_nodes: int
    item: str = "node"

    def text(self) -> str:
        what = {"node": ("the graph", "a changed one"), "graph": ("graphs", "changed ones"), "pair": ("the graph", "a changed one")}
        own, other = what[self.item]
        return (
            f"largest difference from the trained model: {self.whole:.1e} on {own} of the run ({self.nodes:,} {self.item}s), "
            f"{self.changed:.1e} on {other} ({self.changed_nodes:,} {self.item}s)"
        )


@dataclass(frozen=True)
class Piece:
    """A graph with raw features, and which of its nodes have a known label; one graph of a set of them."""

    graph: NewGraph
    known: Labels | None = None

    @property
    def items(self) -> int:
        """Nodes, pairs, or the one graph."""
        return len(self.graph.x) if self.graph.pairs is None else self.graph.pairs.shape[1]

    def expected(self, trained: Trained) -> Tensor:
        return trained.predictions(self.graph, self.known)

    def inputs(self, trained: Trained) -> Inputs:
        """What the exported program takes, by name."""
        graph = self.graph
        given = {"x": _tensor(graph.x), "edge_index": _tensor(graph.edge_index)}
        if trained.edge_channels and graph.edge_attr is not None:
            given["edge_attr"] = _tensor(graph.edge_attr)
        encodings = trained.encodings(trained.graph(graph))
        if encodings is not None:
            given["encodings"] = encodings
        if graph.pairs is not None:
            given["pairs"] = _tensor(graph.pairs)
        if trained.posted and self.known is not None:
            given |= {"y_train": self.known[0], "train_index": self.known[1]}
        return given


def _tensor(array: NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array))


def whole(trained: Trained) -> list[Piece]:
    """The graph of the run, or some of its graphs one by one; a part of it where its features would not fit in memory."""
    data = trained.task.data
    assert data is not None
    own = trained.own()
    if own.graph_of is not None:
        return [one_graph(own, number) for number in range(min(MOST_GRAPHS, data.num_items))]
    most = max(SAMPLE, MOST_ENTRIES // data.num_features)
    return [among(trained, own, np.arange(most))] if data.num_nodes > most else [Piece(own, _known(trained))]


def changed(trained: Trained) -> list[Piece]:
    """Half of the graph (or other graphs), a tenth of its edges left out, the others in another order, and one self-loop added."""
    data = trained.task.data
    assert data is not None
    rng, own = np.random.default_rng(0), trained.own()
    if own.graph_of is not None:
        chosen = rng.permutation(data.num_items)[:MOST_GRAPHS].tolist()
        return [Piece(_disturbed(one_graph(own, number).graph, rng)) for number in chosen]
    nodes = rng.permutation(min(data.num_nodes, MOST_ENTRIES // trained.num_features))
    half = among(trained, own, nodes[: max(2, len(nodes) // 2)])
    return [Piece(_disturbed(half.graph, rng), half.known)]


def _disturbed(graph: NewGraph, rng: np.random.Generator) -> NewGraph:
    edges = graph.edge_index.shape[1]
    kept = rng.permutation(edges)[: int(0.9 * edges)]
    loop = np.zeros((2, 1), dtype=np.int64)
    attr = None if graph.edge_attr is None else np.concatenate([graph.edge_attr[kept], np.ones((1, graph.edge_attr.shape[1]), np.float32)])
    return replace(graph, edge_index=np.concatenate([graph.edge_index[:, kept], loop], 1), edge_attr=attr)


def sample(trained: Trained) -> Piece:
    """A small part for the example: a few training and validation nodes and their neighbours; the first training graph; or some pairs that
    training did not know. No node whose label is kept for the test is chosen for itself."""
    data = trained.task.data
    assert data is not None
    own = trained.own()
    if own.graph_of is not None:
        return one_graph(own, int(trained.split.train[0]))
    source, target = own.edge_index
    first = np.concatenate([trained.split.train[:5], trained.split.val[:5]]) if own.pairs is None else own.pairs[:, :5].ravel()
    around = source[np.isin(target, first)]
    nodes = np.array(list(dict.fromkeys([*first.tolist(), *around.tolist()]))[:SAMPLE], dtype=np.int64)
    return among(trained, own, nodes)


def one_graph(own: NewGraph, number: int) -> Piece:
    """One of several graphs, alone."""
    assert own.graph_of is not None
    part, _ = _part(own, np.flatnonzero(own.graph_of == number))
    return Piece(replace(part, names=(own.names[number],)))


def _known(trained: Trained) -> Labels | None:
    return trained.own_labels() if trained.posted else None


def among(trained: Trained, own: NewGraph, nodes: NDArray[np.int64]) -> Piece:
    """The graph among these nodes, renumbered in their order, with the pairs among them."""
    part, number = _part(own, nodes)
    pairs = None if own.pairs is None else _pairs_among(number[own.pairs], len(nodes))
    return Piece(replace(part, pairs=pairs), _known_among(trained, number))


def _part(own: NewGraph, nodes: NDArray[np.int64]) -> tuple[NewGraph, NDArray[np.int64]]:
    """These nodes with the edges among them, renumbered in their order; and the new number of each node of the whole, -1 for none."""
    number = np.full(len(own.x), -1, dtype=np.int64)
    number[nodes] = np.arange(len(nodes))
    edges = number[own.edge_index]
    inside = (edges >= 0).all(0)
    attr = None if own.edge_attr is None else own.edge_attr[inside]
    kind = None if own.edge_type is None else own.edge_type[inside]
    node_type = None if own.node_type is None else own.node_type[nodes]
    return NewGraph(own.x[nodes], edges[:, inside], (), (), attr, None, None, kind, node_type), number


def _pairs_among(pairs: NDArray[np.int64], nodes: int) -> NDArray[np.int64]:
    """Those of which both ends are there; where there is none, the first node with each other."""
    inside = pairs[:, (pairs >= 0).all(0)]
    return inside if inside.shape[1] else np.stack([np.zeros(nodes - 1, np.int64), np.arange(1, nodes)])


def _known_among(trained: Trained, number: NDArray[np.int64]) -> Labels | None:
    if not trained.posted:
        return None
    y, index = trained.own_labels()
    here = torch.from_numpy(number)[index]
    return y[here >= 0], here[here >= 0]


def verify(trained: Trained, form: str, run: Callable[[Inputs], Tensor]) -> Deviation:
    """Compare; raises RunError where a prediction differs by more than ``TOLERANCE``."""
    pieces = (whole(trained), changed(trained))
    gaps = [max(_gap(piece, trained, run) for piece in group) for group in pieces]
    item = item_of(trained.view)
    counts = [len(group) if item == "graph" else sum(piece.items for piece in group) for group in pieces]
    found = Deviation(gaps[0], gaps[1], counts[0], counts[1], item)
    if not max(gaps) <= TOLERANCE:
        raise RunError(f"--to {form}: {found.text()}, more than {TOLERANCE:.0e}; nothing was written, --to python is exact")
    return found


def _gap(piece: Piece, trained: Trained, run: Callable[[Inputs], Tensor]) -> float:
    return float((run(piece.inputs(trained)) - piece.expected(trained)).abs().max()) / float(trained.constants["spread"])
