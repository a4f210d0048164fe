"""A task: data, splits, metric and protocol under one name."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from agentnas.tools.errors import UsageError
from agentnas.tools.metrics import Metric

if TYPE_CHECKING:
    from agentnas.tools.tasks.nasbench import NasBenchTable

Index = NDArray[np.int64]
Matrix = Any  # scipy.sparse.csr_matrix or dense float32 array, [rows, columns]; scipy carries no types
DENSE_ABOVE = 0.2  # share of non-zero features above which a dense matrix is the faster one


@dataclass(frozen=True, eq=False)
class NodeData:
    """A graph whose nodes are to be classified.

    ``x``: [num_nodes, num_features] float32, CSR where few entries are non-zero, else dense.
    ``edge_index``: [2, num_edges] int64, row 0 source, row 1 target, sorted, without duplicates.
    ``y``: [num_nodes] int64, -1 where the node has no label.
    """

    x: Matrix
    edge_index: Index
    y: Index
    num_classes: int

    @property
    def num_nodes(self) -> int:
        return int(self.x.shape[0])

    @property
    def num_edges(self) -> int:
        """Directed edges."""
        return int(self.edge_index.shape[1])

    @property
    def num_features(self) -> int:
        return int(self.x.shape[1])

    @property
    def nnz(self) -> int:
        """Non-zero features."""
        return int(self.x.nnz if hasattr(self.x, "nnz") else np.count_nonzero(self.x))

    def fingerprint(self) -> str:
        """sha256 of features, edges and labels: equal data, equal fingerprint, whatever file it came from."""
        from scipy.sparse import csr_matrix

        x = csr_matrix(self.x)
        x.sort_indices()
        digest = hashlib.sha256(f"{x.shape} {self.num_classes}".encode())
        for array, kind in ((x.data, "<f4"), (x.indices, "<i8"), (x.indptr, "<i8"), (self.edge_index, "<i8"), (self.y, "<i8")):
            digest.update(np.ascontiguousarray(array, dtype=kind).tobytes())
        return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class Split:
    """Node indices (sorted, int64) of the three parts; no node is in two of them."""

    train: Index
    val: Index
    test: Index

    @property
    def sizes(self) -> tuple[int, int, int]:
        return len(self.train), len(self.val), len(self.test)


@dataclass(frozen=True, eq=False)
class Task:
    """What is to be designed for. ``data`` is None, and ``splits`` empty, where ``table`` answers instead of training.

    ``protocol`` is the line that stands beside every number, such as ``public split, 140/500/1000``.
    ``split_name`` is what ``load_task`` was asked for; ``fingerprint`` the sha256 of the data (or of the table file).
    """

    name: str
    metric: Metric
    protocol: str
    num_splits: int
    fingerprint: str
    split_name: str
    data: NodeData | None = None
    splits: tuple[Split, ...] = ()
    table: NasBenchTable | None = None
    kind: Literal["node"] = field(default="node")

    def split(self, seed: int) -> Split:
        """Split ``seed mod num_splits``; UsageError for a table task, which has none."""
        if not self.splits:
            raise UsageError(f"task {self.name} is a table and has no splits; its look-ups are {self.protocol}")
        return self.splits[seed % self.num_splits]


def compact(x: Matrix) -> Matrix:
    """The matrix as sorted CSR without stored zeros, or dense where that is faster."""
    from scipy.sparse import csr_matrix

    x = csr_matrix(x, dtype=np.float32)
    x.sum_duplicates()
    x.eliminate_zeros()
    x.sort_indices()
    return x.toarray() if x.nnz > DENSE_ABOVE * x.shape[0] * x.shape[1] else x


def distinct(values: Index) -> Index:
    """The different values, sorted; on millions of values many times as fast as ``numpy.unique``, which hashes them first."""
    values = np.sort(values)
    return values[np.concatenate([[True], values[1:] != values[:-1]])] if len(values) else values


def sorted_edges(edge_index: Index, num_nodes: int, *, undirected: bool = False, self_loops: bool = True) -> Index:
    """Edges sorted by source, then target, without duplicates; optionally both directions, or without self-loops."""
    source, target = edge_index
    if undirected:
        source, target = np.concatenate([source, target]), np.concatenate([target, source])
    if not self_loops:
        keep = source != target
        source, target = source[keep], target[keep]
    codes = distinct(source * np.int64(num_nodes) + target)
    return np.stack([codes // num_nodes, codes % num_nodes])
