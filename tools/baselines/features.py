"""Tables of numbers for methods that see no graph: what an item's features are, and what is counted around it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from agentnas.tools.tasks.base import GraphData, Index, Matrix
from agentnas.tools.tasks.probes import undirected

Floats = NDArray[np.float32]
HOPS = 2
MOST_PATHS = 2e7  # paths of two edges, above which triangles are not counted
MOST_DENSE = 5e7  # entries of a table that is made dense


class ItemTables:
    """Tables with a row for each item; each is made once, when it is first asked for.

    Items are nodes or whole graphs: a graph's row holds mean, sum and maximum of its nodes' rows, and its own size and shape.
    """

    def __init__(self, data: GraphData) -> None:
        self._data = data

    @cached_property
    def own(self) -> Matrix:
        """[items, columns]: features, degrees and what else is counted around a node; pooled where items are graphs."""
        rows = beside(self._data.x, node_structure(self._data))
        return rows if self._data.graph_of is None else beside(pooled(rows, self._data.graph_of), graph_structure(self._data))

    @cached_property
    def propagated(self) -> Matrix:
        """[nodes, columns]: the same beside the features' means over one and two hops."""
        mean = neighbour_mean(self._data)
        hops = [self._data.x]
        for _ in range(HOPS):
            hops.append(mean @ hops[-1])
        return beside(*hops, node_structure(self._data))


def beside(*tables: Matrix) -> Matrix:
    """Tables with equal rows side by side: CSR where one of them is sparse."""
    if any(sp.issparse(table) for table in tables):
        return sp.hstack([sp.csr_matrix(table) for table in tables], format="csr", dtype=np.float32)
    return np.concatenate(tables, axis=1, dtype=np.float32)


def node_structure(data: GraphData) -> Floats:
    """[nodes, k]: logarithms of degrees, of neighbours' degrees and of the component's size, clustering, mean attributes of edges."""
    adjacency = undirected(data)
    degrees = np.asarray(adjacency.sum(axis=1)).ravel()
    log = np.log1p(degrees)
    columns = [log, adjacency @ log / np.maximum(degrees, 1), np.log1p(_component_sizes(adjacency))]
    if (degrees**2).sum() <= MOST_PATHS:
        columns.append(_clustering(adjacency, degrees))
    if data.directed:
        columns += [np.log1p(np.bincount(ends, minlength=data.num_nodes)) for ends in data.edge_index]
    table = np.stack(columns, axis=1).astype(np.float32)
    return table if data.edge_attr is None else np.concatenate([table, _mean_edges(data)], axis=1)


def graph_structure(data: GraphData) -> Floats:
    """[graphs, 3]: logarithms of nodes and of edges, and edges over pairs."""
    assert data.graph_of is not None
    nodes = np.bincount(data.graph_of, minlength=data.num_items).astype(np.float64)
    edges = np.bincount(data.graph_of[data.edge_index[0]], minlength=data.num_items).astype(np.float64)
    return np.stack([np.log1p(nodes), np.log1p(edges), edges / np.maximum(nodes * (nodes - 1), 1)], axis=1).astype(np.float32)


def pooled(rows: Matrix, graph_of: Index) -> Matrix:
    """Mean, sum and, where the table may be dense, maximum of the rows of each graph; [graphs, columns x 2 or 3]."""
    graphs, n = int(graph_of[-1]) + 1, len(graph_of)
    owner = sp.csr_matrix((np.ones(n, np.float32), (graph_of, np.arange(n))), shape=(graphs, n))
    total = owner @ rows
    counts = np.maximum(np.bincount(graph_of, minlength=graphs), 1).astype(np.float32)
    mean = sp.diags(1.0 / counts).astype(np.float32) @ total
    if n * rows.shape[1] > MOST_DENSE:
        return beside(mean, total)
    return np.concatenate([dense(mean), dense(total), _maximum(dense(rows), graph_of, graphs)], axis=1, dtype=np.float32)


def neighbour_mean(data: GraphData) -> sp.csr_matrix:
    """[nodes, nodes] matrix that takes the mean over a node and its neighbours in either direction."""
    adjacency = undirected(data) + sp.identity(data.num_nodes, dtype=np.float32, format="csr")
    return sp.csr_matrix(sp.diags(1.0 / np.asarray(adjacency.sum(axis=1)).ravel()).astype(np.float32) @ adjacency)


def dense(table: Matrix) -> Floats:
    """The table as an array."""
    return np.asarray(table.toarray() if sp.issparse(table) else table, dtype=np.float32)


def telling_columns(x: Matrix, y: NDArray[Any], most: int, score: Callable[..., Any]) -> Index:
    """At most so many columns, those that tell most of the labels by a test of each alone (``score``: F statistics of scikit-learn)."""
    filled = np.flatnonzero(_varies(x))
    if len(filled) <= most:
        return filled
    with np.errstate(divide="ignore", invalid="ignore"):
        worth = np.nan_to_num(score(x[:, filled], y)[0], nan=0.0, posinf=np.inf)
    return np.sort(filled[np.argsort(-worth, kind="stable")[:most]])


def _varies(x: Matrix) -> NDArray[np.bool_]:
    low, high = x.min(axis=0), x.max(axis=0)
    return np.asarray((dense(low) if sp.issparse(low) else low) != (dense(high) if sp.issparse(high) else high)).ravel()


def _clustering(adjacency: sp.csr_matrix, degrees: NDArray[Any]) -> NDArray[Any]:
    closed = np.asarray((adjacency @ adjacency).multiply(adjacency).sum(axis=1)).ravel()
    return np.asarray(closed / np.maximum(degrees * (degrees - 1), 1))


def _component_sizes(adjacency: sp.csr_matrix) -> NDArray[Any]:
    _, part = connected_components(adjacency, directed=False)
    return np.asarray(np.bincount(part)[part])


def _mean_edges(data: GraphData) -> Floats:
    """[nodes, k]: mean attributes of incoming edges; 0 where there are none."""
    assert data.edge_attr is not None
    target, n = data.edge_index[1], data.num_nodes
    into = sp.csr_matrix((np.ones(len(target), np.float32), (target, np.arange(len(target)))), shape=(n, len(target)))
    counts = np.maximum(np.bincount(target, minlength=n), 1)[:, None]
    return np.asarray(into @ data.edge_attr / counts, dtype=np.float32)


def _maximum(rows: Floats, graph_of: Index, graphs: int) -> Floats:
    """[graphs, columns]; rows of a graph stand together. A graph without nodes has zeros."""
    counts = np.bincount(graph_of, minlength=graphs)
    starts = np.cumsum(counts) - counts
    found: Floats = np.zeros((graphs, rows.shape[1]), np.float32)
    filled = counts > 0
    found[filled] = np.maximum.reduceat(rows, starts[filled], axis=0)
    return found
