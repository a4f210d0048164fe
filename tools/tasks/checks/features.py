"""Features: values that are no numbers, columns that say nothing, columns that are identifiers, scales that drown each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from agentnas.tools.tasks.base import GraphData, Index, Task
from agentnas.tools.tasks.checks.findings import Problem, Severity, column_list, column_name, data_of, problem

SCALES = 1e6  # ratio of the widest to the narrowest column that is worth a word
FEWEST = 20  # nodes; of fewer nothing is said about identifiers
SHARE = 0.99  # of values that differ in a column that counts rows


def features(task: Task) -> Iterator[Problem]:
    """Values of ``x``."""
    data = data_of(task)
    values = data.x.data if sp.issparse(data.x) else data.x
    if not np.isfinite(values).all():
        yield problem("error", "features-not-finite", f"features hold values that are not finite{_not_finite(data)}")
        return
    if not data.num_features or not data.num_nodes:
        yield problem("warning", "no-features", "nodes have no features: only structure can speak")
        return
    yield from _columns(data)
    yield from _rows(data)


def _not_finite(data: GraphData) -> str:
    rows = data.x.toarray() if sp.issparse(data.x) else data.x
    bad = np.flatnonzero(~np.isfinite(rows).all(axis=0))
    return f": {len(bad)} of {data.num_features} columns, first {column_name(data, int(bad[0]))}"


def _columns(data: GraphData) -> Iterator[Problem]:
    highest, lowest = flat(data.x.max(axis=0)), flat(data.x.min(axis=0))
    same = np.flatnonzero(highest == lowest)
    if same.size:
        text = f"{same.size} of {data.num_features} features are the same for every node{column_list(data, same)}"
        yield problem("warning" if same.size == data.num_features else "note", "constant-features", text)
    yield from _scales(data, np.setdiff1d(np.arange(data.num_features), same))
    if (counting := _counting(data, highest, lowest)) is not None:
        text = f"{column_name(data, counting)} differs in nearly every node and counts them: an identifier?"
        yield problem("warning", "id-as-feature", text)
    elif data.num_nodes == data.num_features >= FEWEST and _is_identity(data):
        yield problem("note", "identity-features", "each node's only feature is itself: nothing learnt carries over to new nodes")


def _rows(data: GraphData) -> Iterator[Problem]:
    if not sp.issparse(data.x):
        return  # among few numbers, a row of zeros is a row like any other
    empty = int(((data.x != 0).getnnz(axis=1) == 0).sum())
    if empty:
        severity: Severity = "warning" if empty > data.num_nodes / 2 else "note"
        yield problem(severity, "empty-rows", f"{empty} of {data.num_nodes} nodes have no features at all")


def _scales(data: GraphData, columns: Index) -> Iterator[Problem]:
    if not columns.size:
        return
    spread = column_spread(data.x)[columns]
    wide, narrow = int(spread.argmax()), int(np.where(spread > 0, spread, np.inf).argmin())
    if spread[narrow] > 0 and spread[wide] > SCALES * spread[narrow]:
        names = [column_name(data, int(columns[at])) for at in (wide, narrow)]
        text = f"{names[0]} spreads {spread[wide] / spread[narrow]:.0e} times as wide as {names[1]}"
        yield problem("warning", "feature-scales", text)


def column_spread(x: Any) -> NDArray[np.float64]:
    """Standard deviation of each column; [columns]."""
    mean = np.asarray(x.mean(axis=0, dtype=np.float64)).ravel()
    if not sp.issparse(x):
        return np.asarray(x.std(axis=0, dtype=np.float64))
    square = np.asarray(x.astype(np.float64).power(2).mean(axis=0)).ravel()
    return np.asarray(np.sqrt(np.maximum(0.0, square - mean * mean)))


def _counting(data: GraphData, highest: NDArray[Any], lowest: NDArray[Any]) -> int | None:
    """A column of whole numbers that takes nearly as many values as there are nodes, over little more than as many numbers."""
    n = data.num_nodes
    span = highest.astype(np.float64) - lowest
    for column in np.flatnonzero((span >= SHARE * (n - 1)) & (span <= 2 * n))[:50] if n >= FEWEST else ():
        values = flat(data.x[:, [column]])
        if (values == np.round(values)).all() and len(np.unique(values)) >= SHARE * n:
            return int(column)
    return None


def _is_identity(data: GraphData) -> bool:
    x = data.x if sp.issparse(data.x) else sp.csr_matrix(data.x)
    return bool(x.nnz == data.num_nodes and (x.diagonal() != 0).all())


def flat(values: object) -> NDArray[np.float32]:
    """Values of one row or column, sparse or dense; [values]."""
    return np.asarray(values.toarray() if sp.issparse(values) else values).ravel()  # type: ignore[attr-defined]
