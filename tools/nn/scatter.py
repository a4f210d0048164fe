"""A graph and the sums over its edges by gather and scatter, for files that hold no sparse matrices (``torch.export``, ONNX).

The names and the results are those of ``sparse`` and ``graph``: a model that is written for export is given these definitions instead.
The shape of nothing here depends on what a tensor holds, so one trace is right for graphs of every size; nothing is differentiated.
"""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

Features = Tensor


class SparseFeatures:
    """What layers ask for by ``isinstance``; a traced model takes dense features, so there are none."""


class Pattern:
    """Entries of a matrix: ``row`` (target) and ``column`` (source) of each, long [nnz], in any order.

    An entry that is not ``live`` (bool [nnz]; None: all are) counts for nothing: leaving it out would make the shape depend on the graph.
    """

    def __init__(self, row: Tensor, column: Tensor, shape: tuple[int, int], live: Tensor | None = None) -> None:
        self.row, self.column, self.shape, self.live = row, column, shape, live

    def only_live(self, entries: Tensor, otherwise: float) -> Tensor:
        """``entries`` [nnz, ...] with ``otherwise`` where an entry is not live."""
        if self.live is None:
            return entries
        return torch.where(self.live.view(-1, *[1] * (entries.dim() - 1)), entries, otherwise)


def _summed(index: Tensor, entries: Tensor, size: int) -> Tensor:
    """``entries`` [nnz, ...] added up by ``index``; [size, ...]."""
    return entries.new_zeros(size, *entries.shape[1:]).index_add(0, index, entries)


def _largest(index: Tensor, entries: Tensor, size: int) -> Tensor:
    """The largest of ``entries`` [nnz, width] by ``index``; [size, width], -inf where there is none."""
    least = entries.new_full((size, entries.shape[1]), -torch.inf)
    return least.scatter_reduce(0, index[:, None].expand_as(entries), entries, "amax")


class SparseMatrix:
    """A constant sparse matrix; ``matrix @ dense`` [columns, width] is [rows, width]."""

    def __init__(self, pattern: Pattern, values: Tensor) -> None:
        self.pattern, self.values = pattern, values

    def __matmul__(self, dense: Tensor) -> Tensor:
        return spmm(self.pattern, self.values, dense)

    def mix(self, start: Tensor, dense: Tensor, share: float) -> Tensor:
        """``start`` + ``share`` * (matrix @ ``dense``)."""
        return start + share * (self @ dense)


class Graph:
    """Directed graph; messages flow from ``edge_index[0]`` (sources) to ``edge_index[1]`` (targets). Its edges have no weights."""

    edge_weight: Tensor | None = None
    edge_attr: Tensor | None = None
    edge_type: Tensor | None = None
    node_type: Tensor | None = None

    def __init__(self, edge_index: Tensor, num_nodes: int) -> None:
        self.pattern = Pattern(edge_index[1], edge_index[0], (num_nodes, num_nodes))
        self._adjacencies: dict[tuple[str, bool], SparseMatrix] = {}

    @property
    def num_nodes(self) -> int:
        return self.pattern.shape[0]

    @cached_property
    def degree(self) -> Tensor:
        """Number of incoming edges; float [num_nodes]."""
        return _summed(self.pattern.row, self._ones, self.num_nodes)

    @cached_property
    def mean_log_degree(self) -> Tensor:
        """Mean over nodes of log(degree + 1), the unit of PNA's degree scalers; a scalar."""
        return (self.degree + 1).log().mean()

    @cached_property
    def _ones(self) -> Tensor:
        return self.pattern.only_live(torch.ones_like(self.pattern.row, dtype=torch.float), 0.0)

    @cached_property
    def looped(self) -> Graph:
        """The graph with one self-loop at each node, with the mean attributes of the node's other incoming edges; the loops that it
        had are no longer live."""
        row, column, n = self.pattern.row, self.pattern.column, self.num_nodes
        nodes = torch.arange(n, device=row.device)
        graph = Graph(torch.stack([torch.cat([column, nodes]), torch.cat([row, nodes])]), n)
        live = row != column if self.pattern.live is None else self.pattern.live & (row != column)
        graph.pattern.live = torch.cat([live, torch.ones_like(nodes, dtype=torch.bool)])
        if self.edge_attr is not None:
            others = self.pattern.only_live((row != column).to(self.edge_attr.dtype), 0.0)[:, None]
            mean = _summed(row, self.edge_attr * others, n) / _summed(row, others, n).clamp(min=1)
            graph.edge_attr = torch.cat([self.edge_attr, mean])
        return graph

    @cached_property
    def reversed(self) -> Graph:
        """The graph whose edges point the other way."""
        graph = Graph(torch.stack([self.pattern.row, self.pattern.column]), self.num_nodes)
        graph.pattern.live = self.pattern.live
        return graph

    @cached_property
    def both(self) -> Graph:
        """The graph with each edge in both directions; those whose opposite was there already are no longer live."""
        row, column, n = self.pattern.row, self.pattern.column, self.num_nodes
        graph = Graph(torch.stack([torch.cat([column, row]), torch.cat([row, column])]), n)
        there = _occurs(column * n + row, row * n + column)
        graph.pattern.live = torch.cat([torch.ones_like(there), ~there])
        return graph

    def pointing(self, edges: str) -> Graph:
        """The graph whose messages flow ``as_given``, ``reversed``, or in ``both`` directions."""
        return self if edges == "as_given" else self.reversed if edges == "reversed" else self.both

    def adjacency(self, norm: str = "sum", loops: bool = False) -> SparseMatrix:
        """Matrix that sends features from sources to targets; ``norm`` is ``sum``, ``row``, ``sym``, ``laplacian`` or ``directed``."""
        key = (norm, loops)
        if key not in self._adjacencies:
            graph = self.looped if loops else self
            self._adjacencies[key] = SparseMatrix(graph.pattern, graph._normalised(norm))
        return self._adjacencies[key]

    def relational(self, types: int, norm: str = "sum") -> SparseMatrix:
        """Matrix [N, N * types] that sends what a source says for the first type of edge to targets: here edges are of one type."""
        row, column, n = self.pattern.row, self.pattern.column, self.num_nodes
        pattern = Pattern(row, column * types, (n, n * types), self.pattern.live)
        return SparseMatrix(pattern, self._normalised(norm))

    def _normalised(self, norm: str) -> Tensor:
        row, column, weight = self.pattern.row, self.pattern.column, self._ones
        if norm == "sum":
            return weight
        if norm == "row":
            return weight / _summed(row, weight, self.num_nodes).clamp(min=1e-12)[row]
        if norm == "laplacian":
            weight = weight * (row != column)
        if norm == "directed":
            return self._scale(row, weight)[row] * weight * self._scale(column, weight)[column]
        scale = self._scale(column if norm == "laplacian" else row, weight)
        return scale[row] * weight * scale[column]

    def _scale(self, index: Tensor, weight: Tensor) -> Tensor:
        """One by the square root of the sum for each node; 0 where there is nothing."""
        total = _summed(index, weight, self.num_nodes)
        return torch.where(total > 0, total.clamp(min=1e-12).pow(-0.5), 0.0)

    @cached_property
    def two_walk_returns(self) -> Tensor:
        """Diagonal of the square of ``adjacency("sym")``: the share of walks of two steps that end where they began; [num_nodes]."""
        row, column, n = self.pattern.row, self.pattern.column, self.num_nodes
        values = self.adjacency("sym").values
        back = torch.where(_occurs(column * n + row, row * n + column), values, 0.0)
        return _summed(row, values * back, n)


def _occurs(wanted: Tensor, keys: Tensor) -> Tensor:
    """Whether each of ``wanted`` is among ``keys``; both long [nnz]. By one sort of both, as no exporter knows ``searchsorted``."""
    both = torch.cat([keys, wanted])
    ordered, order = both.sort()
    first = torch.cat([ordered[:1] * 0, (ordered[1:] != ordered[:-1]).long()])
    group = torch.zeros_like(both).index_put((order,), first.cumsum(0))  # of equal values; long [2 * nnz]
    size = keys.shape[0]
    held = torch.zeros_like(both).index_put((group[:size],), torch.ones_like(keys))
    return held[group[size:]] > 0


def as_dense(x: Tensor) -> Tensor:
    """The features as they are."""
    return x


def dropped(x: Tensor, p: float) -> Tensor:
    """The input as it is: a traced model predicts and is not trained."""
    return x


def relu_dropped(x: Tensor, p: float) -> Tensor:
    """The positive part of the input."""
    return x.relu()


def affine(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``x`` [n, in] @ ``weight``.T [in, out] + ``bias`` [out]."""
    return torch.nn.functional.linear(x, weight, bias)


def spmm(pattern: Pattern, values: Tensor, dense: Tensor) -> Tensor:
    """Product of the matrix with these ``values`` (float [nnz]) and ``dense`` [columns, width]."""
    return _summed(pattern.row, values[:, None] * dense[pattern.column], pattern.shape[0])


def spmm_heads(pattern: Pattern, values: Tensor, dense: Tensor) -> Tensor:
    """One product a head: ``values`` [nnz, heads], ``dense`` [columns, heads, width] -> [rows, heads, width]."""
    return _summed(pattern.row, values[:, :, None] * dense[pattern.column], pattern.shape[0])


def split_heads(x: Tensor, heads: int) -> Tensor:
    """[N, heads * width] -> [N, heads, width]."""
    return x.view(x.shape[0], heads, x.shape[1] // heads)


def gather_rows(pattern: Pattern, x: Tensor) -> Tensor:
    """``x`` [rows, ...] at the row (target) of each entry; [nnz, ...]."""
    return x[pattern.row]


def gather_columns(pattern: Pattern, x: Tensor) -> Tensor:
    """``x`` [columns, ...] at the column (source) of each entry; [nnz, ...]."""
    return x[pattern.column]


def collect(pattern: Pattern, entries: Tensor) -> Tensor:
    """``entries`` [nnz, ...] summed into their rows; [rows, ...]."""
    return _summed(pattern.row, pattern.only_live(entries, 0.0), pattern.shape[0])


def row_softmax(pattern: Pattern, scores: Tensor) -> Tensor:
    """Softmax over the live entries of each row, 0 for the others; ``scores`` [nnz, heads]."""
    scores = pattern.only_live(scores, -torch.inf)
    top = _largest(pattern.row, scores, pattern.shape[0])
    raised = (scores - torch.where(top == -torch.inf, 0.0, top)[pattern.row]).exp()
    return raised / _summed(pattern.row, raised, pattern.shape[0]).clamp(min=1e-30)[pattern.row]


def entry_max(pattern: Pattern, entries: Tensor) -> Tensor:
    """Largest of ``entries`` [nnz, width] of each row; [rows, width], 0 where a row is empty."""
    best = _largest(pattern.row, pattern.only_live(entries, -torch.inf), pattern.shape[0])
    return torch.where(best == -torch.inf, 0.0, best)


def row_max(pattern: Pattern, x: Tensor) -> Tensor:
    """Largest of ``x`` [columns, width] over the columns of each row; [rows, width], 0 where a row is empty."""
    return entry_max(pattern, x[pattern.column])
