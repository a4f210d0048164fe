"""Comparing an exported program with the trained model, on the whole graph and on a changed one; and the small graph of its example."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agentnas.shipping.trained import Labels, Trained
from agentnas.tools.errors import RunError
from agentnas.tools.nn.features import dense_array

TOLERANCE = 1e-5  # of a probability
MOST_ENTRIES = 100_000_000  # features of a graph that is compared whole, 400 MB; larger ones by a part
SAMPLE = 40
Inputs = dict[str, Tensor]


@dataclass(frozen=True)
class Deviation:
    """Largest absolute difference of a probability from the trained model's, and the numbers of nodes that were compared."""

    whole: float
    changed: float
    nodes: int
    changed_nodes: int

    def text(self) -> str:
        return (
            f"largest difference from the trained model: {self.whole:.1e} on the graph of the run ({self.nodes:,} nodes), "
            f"{self.changed:.1e} on a changed one ({self.changed_nodes:,} nodes)"
        )


@dataclass(frozen=True)
class Piece:
    """A graph with raw features, and which of its nodes have a known label."""

    x: NDArray[np.float32]
    edge_index: NDArray[np.int64]
    known: Labels

    def expected(self, trained: Trained) -> Tensor:
        return trained.probabilities(self.x, self.edge_index, self.known)

    def inputs(self, trained: Trained) -> Inputs:
        """What the exported program takes, by name."""
        from agentnas.tools.nn.graph import Graph

        edge_index = torch.from_numpy(np.ascontiguousarray(self.edge_index))
        given = {"x": torch.from_numpy(np.ascontiguousarray(self.x)), "edge_index": edge_index}
        encodings = trained.encodings(Graph(edge_index, len(self.x)))
        if encodings is not None:
            given["encodings"] = encodings
        if trained.posted:
            given |= {"y_train": self.known[0], "train_index": self.known[1]}
        return given


def whole(trained: Trained) -> Piece:
    """The graph of the run; a part of it where its features would not fit in memory."""
    assert trained.task.data is not None
    data = trained.task.data
    most = max(SAMPLE, MOST_ENTRIES // data.num_features)
    if data.num_nodes > most:
        return among(trained, np.arange(most))
    return Piece(trained.own_features(), data.edge_index, trained.own_labels())


def changed(trained: Trained) -> Piece:
    """Half of the graph, a tenth of its edges left out, the others in another order, and one self-loop added."""
    assert trained.task.data is not None
    rng = np.random.default_rng(0)
    nodes = rng.permutation(min(trained.task.data.num_nodes, MOST_ENTRIES // trained.num_features))
    piece = among(trained, nodes[: max(2, len(nodes) // 2)])
    kept = rng.permutation(piece.edge_index.shape[1])[: int(0.9 * piece.edge_index.shape[1])]
    return Piece(piece.x, np.concatenate([piece.edge_index[:, kept], np.zeros((2, 1), dtype=np.int64)], 1), piece.known)


def sample(trained: Trained) -> Piece:
    """A few training and validation nodes and their neighbours; no node whose label is kept for the test is chosen for itself."""
    assert trained.task.data is not None
    source, target = trained.task.data.edge_index
    first = np.concatenate([trained.split.train[:5], trained.split.val[:5]])
    around = source[np.isin(target, first)]
    nodes = np.array(list(dict.fromkeys([*first.tolist(), *around.tolist()]))[:SAMPLE], dtype=np.int64)
    return among(trained, nodes)


def among(trained: Trained, nodes: NDArray[np.int64]) -> Piece:
    """The graph among these nodes, renumbered in their order."""
    data = trained.task.data
    assert data is not None
    number = np.full(data.num_nodes, -1, dtype=np.int64)
    number[nodes] = np.arange(len(nodes))
    edges = number[data.edge_index]
    y, index = trained.own_labels()
    here = torch.from_numpy(number)[index]
    return Piece(dense_array(data.x[nodes]), edges[:, (edges >= 0).all(0)], (y[here >= 0], here[here >= 0]))


def verify(trained: Trained, form: str, run: Callable[[Inputs], Tensor]) -> Deviation:
    """Compare; raises RunError where a probability differs by more than ``TOLERANCE``."""
    pieces = (whole(trained), changed(trained))
    gaps = [_gap(piece, trained, run) for piece in pieces]
    found = Deviation(gaps[0], gaps[1], len(pieces[0].x), len(pieces[1].x))
    if not max(gaps) <= TOLERANCE:
        raise RunError(f"--to {form}: {found.text()}, more than {TOLERANCE:.0e}; nothing was written, --to python is exact")
    return found


def _gap(piece: Piece, trained: Trained, run: Callable[[Inputs], Tensor]) -> float:
    return float((run(piece.inputs(trained)) - piece.expected(trained)).abs().max())
