"""Sets of graphs in the text format of the TU collection (Morris et al., 2020), with every file checked before it is believed."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentnas.tools.errors import DataError
from agentnas.tools.tasks.base import GraphData, Index, compact, one_hot, sorted_edges, sorted_with_attributes
from agentnas.tools.tasks.catalog import DataSet

MOST_DEGREES = 512  # columns that stand for degrees where nodes have no features


def read_graph_set(data: DataSet, folder: Path) -> GraphData:
    """Read one set of graphs; DataError names the file that is wrong.

    Features are attributes, then one-hot labels of nodes; where there are neither, one-hot degrees (Xu et al., 2019).
    """

    def part(name: str) -> Path | None:
        path = folder / f"{data.stem}_{name}.txt"
        return path if path.name in data.files else None

    owner, edges = part("graph_indicator"), part("A")
    assert owner is not None
    assert edges is not None
    graph_of = _numbers(owner, 1)[:, 0].astype(np.int64) - 1
    ends = _numbers(edges, 2).astype(np.int64).T - 1
    n = len(graph_of)
    _check_graphs(graph_of, owner)
    _check_ends(ends, graph_of, edges)
    y = _classes(_numbers(_given(part("graph_labels")), 1)[:, 0].astype(np.int64))
    if len(y) != graph_of[-1] + 1:
        raise DataError(f"{part('graph_labels')}: holds {len(y)} labels for {graph_of[-1] + 1} graphs; the file may be truncated")
    keep = ends[0] != ends[1]
    attr = _edge_attributes(part("edge_labels"), ends.shape[1])
    if attr is None:
        edge_index = sorted_edges(ends[:, keep], n)
    else:
        edge_index, attr = sorted_with_attributes(ends[:, keep], attr[keep], n)
    x = _features(part("node_attributes"), part("node_labels"), edge_index, n)
    return GraphData(compact(x), edge_index, y, int(y.max()) + 1, attr, graph_of)


def _given(path: Path | None) -> Path:
    assert path is not None
    return path


def _numbers(path: Path, columns: int | None) -> NDArray[np.float64]:
    """Rows of numbers separated by commas; [rows, columns]."""
    try:
        text = path.read_text(encoding="ascii")
        if not text.strip():
            raise ValueError("holds no rows")
        table = np.loadtxt(io.StringIO(text), delimiter=",", ndmin=2, comments=None)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); expected numbers separated by commas") from None
    except ValueError as error:
        raise DataError(f"{path}: {str(error)[:120]}; expected numbers separated by commas") from None
    if not table.size or not np.isfinite(table).all() or np.abs(table).max() > 2**40:
        raise DataError(f"{path}: holds no rows, or numbers that are not finite; the file may be truncated")
    if columns is not None and table.shape[1] != columns:
        raise DataError(f"{path}: rows have {table.shape[1]} columns; expected {columns}")
    return np.asarray(table)


def _check_graphs(graph_of: Index, path: Path) -> None:
    steps = np.diff(graph_of)
    if graph_of[0] != 0 or steps.min(initial=0) < 0 or steps.max(initial=0) > 1:
        raise DataError(f"{path}: expected the graph of each node, rising from 1 without gaps")


def _check_ends(ends: Index, graph_of: Index, path: Path) -> None:
    if ends.min() < 0 or ends.max() >= len(graph_of):
        raise DataError(f"{path}: an edge names node {ends.max() + 1 if ends.min() >= 0 else ends.min() + 1}; expected 1..{len(graph_of)}")
    crossing = np.flatnonzero(graph_of[ends[0]] != graph_of[ends[1]])
    if len(crossing):
        raise DataError(f"{path}: line {crossing[0] + 1} joins two graphs; edges stay within one")


def _classes(labels: Index) -> Index:
    """Labels of any numbering as classes from 0, in their order."""
    return np.unique(labels, return_inverse=True)[1].astype(np.int64)


def _edge_attributes(path: Path | None, edges: int) -> NDArray[np.float32] | None:
    if path is None:
        return None
    labels = _classes(_numbers(path, 1)[:, 0].astype(np.int64))
    if len(labels) != edges:
        raise DataError(f"{path}: holds {len(labels)} labels for {edges} edges; the file may be truncated")
    return one_hot(labels)


def _features(attributes: Path | None, labels: Path | None, edge_index: Index, n: int) -> NDArray[Any]:
    tables: list[NDArray[Any]] = [_numbers(attributes, None)] if attributes is not None else []
    if labels is not None:
        tables.append(one_hot(_classes(_numbers(labels, 1)[:, 0].astype(np.int64))))
    for path, table in zip([p for p in (attributes, labels) if p is not None], tables, strict=True):
        if len(table) != n:
            raise DataError(f"{path}: holds {len(table)} rows for {n} nodes; the file may be truncated")
    return np.concatenate(tables, axis=1, dtype=np.float32) if tables else degree_features(edge_index, n)


def degree_features(edge_index: Index, n: int) -> NDArray[np.float32]:
    """One-hot number of incoming edges [n, most + 1], for nodes that have no features; the last column is open."""
    degrees = np.bincount(edge_index[1], minlength=n)
    return one_hot(np.minimum(degrees, MOST_DEGREES - 1))
