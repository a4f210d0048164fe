"""A task: data, splits, metric and protocol under one name."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from agentnas.tools.errors import UsageError
from agentnas.tools.metrics import Metric, Target, target_of

if TYPE_CHECKING:
    from agentnas.tools.tasks.nasbench import NasBenchTable

Kind = Literal["node", "graph", "link"]
Index = NDArray[np.int64]
Matrix = Any  # scipy.sparse.csr_matrix or dense float32 array, [rows, columns]; scipy carries no types
DENSE_ABOVE = 0.2  # share of non-zero features above which a dense matrix is the faster one


@dataclass(frozen=True, eq=False)
class GraphData:
    """A graph, or many graphs side by side, with what is to be predicted of its items: nodes, graphs, or pairs of nodes.

    ``x``: [num_nodes, num_features] float32, CSR where few entries are non-zero, else dense.
    ``edge_index``: [2, num_edges] int64, row 0 source, row 1 target, sorted, without duplicates.
    ``y``: one row an item: int64 [items] classes, -1 where there is no label; float32 [items] values, or [items, labels] of 0 and 1, NaN
    where there is none.
    ``num_classes``: classes, or labels an item; 1 where a value is predicted.
    ``edge_attr``: [num_edges, k] float32, in the order of the edges.
    ``graph_of``: [num_nodes] int64, the graph of each node, from 0, not falling; then items are graphs.
    ``pairs``: [2, items] int64; then items are pairs, and ``y`` is 1 where there is an edge between them. ``edge_index`` holds all edges;
    a training sees those alone that are pairs of its training part.
    """

    x: Matrix
    edge_index: Index
    y: NDArray[Any]
    num_classes: int
    edge_attr: NDArray[np.float32] | None = None
    graph_of: Index | None = None
    pairs: Index | None = None

    @property
    def kind(self) -> Kind:
        """What an item is."""
        return "link" if self.pairs is not None else "graph" if self.graph_of is not None else "node"

    @property
    def target(self) -> Target:
        """What is predicted of an item."""
        return target_of(self.y)

    @property
    def num_items(self) -> int:
        return len(self.y)

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """Which items have a label, or at least one; [items]."""
        if self.target == "classes":
            return np.asarray(self.y >= 0)
        return np.asarray(np.isfinite(self.y) if self.y.ndim == 1 else np.isfinite(self.y).any(axis=1))

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
    def edge_channels(self) -> int:
        """Columns of ``edge_attr``."""
        return 0 if self.edge_attr is None else int(self.edge_attr.shape[1])

    @property
    def nnz(self) -> int:
        """Non-zero features."""
        return int(self.x.nnz if hasattr(self.x, "nnz") else np.count_nonzero(self.x))

    @cached_property
    def directed(self) -> bool:
        """Whether an edge lacks its opposite."""
        source, target = self.edge_index
        n = np.int64(self.num_nodes)
        return not np.array_equal(np.sort(source * n + target), np.sort(target * n + source))

    def fingerprint(self) -> str:
        """sha256 of features, edges and labels: equal data, equal fingerprint, whatever file it came from."""
        from scipy.sparse import csr_matrix

        x = csr_matrix(self.x)
        x.sort_indices()
        digest = hashlib.sha256(f"{x.shape} {self.num_classes}".encode())
        y = (self.y, "<i8" if self.target == "classes" else "<f4")
        for array, kind in ((x.data, "<f4"), (x.indices, "<i8"), (x.indptr, "<i8"), (self.edge_index, "<i8"), y):
            digest.update(np.ascontiguousarray(array, dtype=kind).tobytes())
        for name, more, kind in (("edge_attr", self.edge_attr, "<f4"), ("graph_of", self.graph_of, "<i8"), ("pairs", self.pairs, "<i8")):
            if more is not None:
                digest.update(f"{name} {more.shape}".encode() + np.ascontiguousarray(more, dtype=kind).tobytes())
        return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class Split:
    """Indices of items (sorted, int64) of the three parts; no item is in two of them."""

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
    data: GraphData | None = None
    splits: tuple[Split, ...] = ()
    table: NasBenchTable | None = None

    @property
    def kind(self) -> Kind:
        """What is predicted: something of nodes, of graphs, or of pairs of nodes."""
        return "node" if self.data is None else self.data.kind

    @property
    def target(self) -> Target:
        """Classes, several labels, or a value."""
        return "classes" if self.data is None else self.data.target

    @property
    def fewest_val(self) -> int | None:
        """Items of the smallest validation part; None for a table."""
        return min((len(split.val) for split in self.splits), default=None)

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


def sorted_with_attributes(edge_index: Index, edge_attr: NDArray[np.float32], num_nodes: int) -> tuple[Index, NDArray[np.float32]]:
    """Edges sorted by source, then target, with their attributes [edges, k]; of equal edges the first stays."""
    codes = edge_index[0] * np.int64(num_nodes) + edge_index[1]
    _, first = np.unique(codes, return_index=True)
    return np.ascontiguousarray(edge_index[:, first]), np.ascontiguousarray(edge_attr[first], dtype=np.float32)


def one_hot(values: Index, width: int | None = None) -> NDArray[np.float32]:
    """Whole numbers from 0 [n] as rows [n, width] (None: their maximum and one)."""
    width = int(values.max(initial=-1)) + 1 if width is None else width
    table: NDArray[np.float32] = np.zeros((len(values), width), np.float32)
    table[np.arange(len(values)), values] = 1.0
    return table
