"""A task: data, splits, metric and protocol under one name."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from agentnas.tools.errors import UsageError
from agentnas.tools.metrics import ERRORS, Metric, Target, constant_error, metric, target_of

if TYPE_CHECKING:
    from agentnas.tools.tasks.nasbench import NasBenchTable

Kind = Literal["node", "graph", "link"]
Index = NDArray[np.int64]
Matrix = Any  # scipy.sparse.csr_matrix or dense float32 array, [rows, columns]; scipy carries no types
OVERLAPPING = 0.4  # share of training items from which the training parts of two random splits have much in common
OF_KINDS = ("edge_attr", "graph_of", "pairs", "node_type", "edge_type")  # arrays of ``GraphData`` that only some kinds of task have
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
    ``node_type``: [num_nodes] int64, ``edge_type``: [num_edges] int64 in the order of the edges; from 0, where a graph is heterogeneous.
    Edges of several types may join the same two nodes. ``node_types``, ``edge_types``: their names, by number. Features of all types are
    columns of one ``x`` (``typed_features``).
    ``class_names``: what classes, or labels, are called, by number, and ``feature_names`` the columns of ``x``; empty where they have no
    names.
    """

    x: Matrix
    edge_index: Index
    y: NDArray[Any]
    num_classes: int
    edge_attr: NDArray[np.float32] | None = None
    graph_of: Index | None = None
    pairs: Index | None = None
    node_type: Index | None = None
    edge_type: Index | None = None
    node_types: tuple[str, ...] = ()
    edge_types: tuple[str, ...] = ()
    class_names: tuple[str, ...] = ()
    feature_names: tuple[str, ...] = ()

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
    def types(self) -> tuple[int, int]:
        """How many types of nodes and of edges there are; (1, 1) where they are not told apart."""
        return _count(self.node_type, self.node_types), _count(self.edge_type, self.edge_types)

    @property
    def offers(self) -> tuple[str, ...]:
        """What the graph has for operators that need it: ``directions``, ``types``."""
        return (*(["directions"] if self.directed else []), *(["types"] if self.types != (1, 1) else []))

    @property
    def nnz(self) -> int:
        """Non-zero features."""
        return int(self.x.nnz if hasattr(self.x, "nnz") else np.count_nonzero(self.x))

    @cached_property
    def rows_sum_to_one(self) -> bool:
        """Whether the features of each node add up to one, or are all zero, as one-hot ones do: scaling rows changes nothing."""
        sums = np.asarray(abs(self.x).sum(axis=1)).ravel()
        return bool(np.all((sums == 0) | (sums == 1)))

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
        for name in OF_KINDS:
            more, kind = getattr(self, name), "<f4" if name == "edge_attr" else "<i8"
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
    def seen(self) -> Index:
        """Items of training, then of validation: all whose labels may be looked at before the test."""
        return np.concatenate([self.train, self.val])

    @property
    def sizes(self) -> tuple[int, int, int]:
        return len(self.train), len(self.val), len(self.test)


@dataclass(frozen=True, eq=False)
class Task:
    """What is to be designed for. ``data`` is None, and ``splits`` empty, where ``table`` answers instead of training.

    ``protocol`` is the line that stands beside every number, such as ``public split, 140/500/1000``.
    ``split_name`` is what ``load_task`` was asked for; ``fingerprint`` the sha256 of the data (or of the table file). ``file`` is the task
    file that it was read from, a whole path; ``names`` are what its nodes, or its graphs where those are the items, are called there.
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
    file: str | None = None
    names: tuple[str, ...] = ()

    @property
    def reference(self) -> str:
        """What ``load_task`` finds it by, from any folder."""
        return self.file or self.name

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

    @property
    def test_to_train(self) -> float:
        """Size of the test part over that of the training part, where splits are several and many labelled items train in each: then
        training parts overlap, and scores of splits are correlated. Else 0."""
        if self.num_splits < 2 or not self.splits:
            return 0.0
        train, val, test = self.splits[0].sizes
        return test / train if train > OVERLAPPING * (train + val + test) else 0.0

    @property
    def offers(self) -> tuple[str, ...]:
        """What the graph has for operators that need it: ``directions``, ``types``."""
        return () if self.data is None else self.data.offers

    def split(self, seed: int) -> Split:
        """Split ``seed mod num_splits``; UsageError for a table task, which has none."""
        if not self.splits:
            raise UsageError(f"task {self.name} is a table and has no splits; its look-ups are {self.protocol}")
        return self.splits[seed % self.num_splits]


def _count(types: Index | None, names: tuple[str, ...]) -> int:
    return 1 if types is None else max(1, len(names), int(types.max(initial=-1)) + 1)


def metric_on(name: str, data: GraphData, split: Split) -> Metric:
    """The metric of that name; an error is measured by that of the best constant on what the split trains on and chooses by."""
    return metric(name, constant_error(name, data.y[split.seen]) if name in ERRORS else 1.0)


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


def sorted_with_types(edge_index: Index, edge_type: Index, num_nodes: int) -> tuple[Index, Index]:
    """Edges sorted by source, target and type, with their types [edges]; equal edges of one type are one edge."""
    types = np.int64(edge_type.max(initial=0) + 1)
    codes = distinct((edge_index[0] * np.int64(num_nodes) + edge_index[1]) * types + edge_type)
    pair = codes // types
    return np.stack([pair // num_nodes, pair % num_nodes]), codes % types


def typed_features(of_type: Sequence[Matrix]) -> tuple[Matrix, Index]:
    """Features [n, f] of the nodes of each type as one matrix, and the type of each row: first a column a type, 1 for its nodes, then the
    columns of each type side by side, 0 for nodes of another."""
    from scipy.sparse import block_diag, csr_matrix, hstack

    node_type = np.repeat(np.arange(len(of_type), dtype=np.int64), [x.shape[0] for x in of_type])
    features = block_diag([csr_matrix(x, dtype=np.float32) for x in of_type], format="csr")
    return compact(hstack([csr_matrix(one_hot(node_type, len(of_type))), features], format="csr")), node_type


def some(items: Index, most: int) -> Index:
    """At most so many of the items, the same ones each time."""
    return items if len(items) <= most else np.random.Generator(np.random.PCG64(0)).permutation(items)[:most]


def one_hot(values: Index, width: int | None = None) -> NDArray[np.float32]:
    """Whole numbers from 0 [n] as rows [n, width] (None: their maximum and one)."""
    width = int(values.max(initial=-1)) + 1 if width is None else width
    table: NDArray[np.float32] = np.zeros((len(values), width), np.float32)
    table[np.arange(len(values)), values] = 1.0
    return table
