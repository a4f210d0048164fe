"""Things that are the same: nodes with one row of features, graphs of one shape, in training and in test, or with two labels.

Nodes are compared by their rows, graphs by the colours of Weisfeiler and Leman (1968), which see exactly what message passing can see:
two graphs of one colour are the same for every such network.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from agentnas.tools.tasks.base import GraphData, Index, Split, Task
from agentnas.tools.tasks.checks.features import column_spread
from agentnas.tools.tasks.checks.findings import Problem, Severity, data_of, items_of, problem, range_text

ROUNDS = 3
NEAR = 0.01  # standard deviations of a column within which two values are held for one
FURTHEST = 2.0**62  # steps from 0; beyond, they are no integers of 64 bits
DISTINCT = 0.9  # share of rows that are the only one of their kind, above which equal rows are no chance
CHANCE = 3.0  # times as many repeated rows as by chance
MOST_SHUFFLED = 20_000_000
CEILING = 0.99
Codes = NDArray[np.uint64]


def sameness(task: Task) -> Iterator[Problem]:
    """Equal items in two parts of a split, and equal items with different labels."""
    data = data_of(task)
    if data.pairs is not None or not data.num_features:
        return
    rows = row_codes(data)
    if data.graph_of is None:
        yield from _equal_rows(task, rows)
        colours = node_colours(data, rows)
    else:
        colours = graph_colours(data, node_colours(data, rows))
        yield from _across(task, colours, "same-graph", "is the same graph as one")
    yield from _undecided(task, data, colours)


def row_codes(data: GraphData) -> Codes:
    """A number for each node that is equal for rows that are equal within ``NEAR``; [num_nodes]."""
    spread = column_spread(data.x)
    scale = 1.0 / (NEAR * np.where(spread > 0, spread, 1.0))
    drawn = np.random.Generator(np.random.PCG64(0)).integers(1, 2**62, data.num_features) | 1
    if sp.issparse(data.x):
        x = data.x.astype(np.float64).multiply(scale[None, :]).tocsr()
        x.data = np.clip(np.round(x.data), -FURTHEST, FURTHEST)
        return np.asarray(x.astype(np.int64) @ drawn).astype(np.uint64)
    codes: NDArray[np.int64] = np.zeros(len(data.x), np.int64)
    for column, factor in enumerate(scale):
        steps = np.clip(np.round(data.x[:, column].astype(np.float64) * factor), -FURTHEST, FURTHEST)
        codes += steps.astype(np.int64) * drawn[column]
    return codes.astype(np.uint64)


def node_colours(data: GraphData, rows: Codes) -> Codes:
    """Colours of nodes after some rounds, of features, edges and their attributes; [num_nodes]."""
    source, target = data.edge_index
    weights = _attribute_codes(data) | np.uint64(1)
    ways = sp.csr_matrix((weights.view(np.int64), (target, source)), shape=(data.num_nodes, data.num_nodes))
    colours = _mixed(rows)
    for _ in range(ROUNDS):
        gathered = np.asarray(ways @ colours.view(np.int64)).view(np.uint64)
        colours = _mixed(colours * np.uint64(3) + gathered)
    return colours


def graph_colours(data: GraphData, colours: Codes) -> Codes:
    """A colour for each graph, of the colours of its nodes in any order; [items]."""
    assert data.graph_of is not None
    members = sp.csr_matrix(
        (np.ones(data.num_nodes, np.int64), (data.graph_of, np.arange(data.num_nodes))), (data.num_items, data.num_nodes)
    )
    return _mixed(np.asarray(members @ colours.view(np.int64)).view(np.uint64))


def _attribute_codes(data: GraphData) -> Codes:
    kinds = data.edge_type
    codes = np.ones(data.num_edges, np.uint64) if kinds is None else _mixed(kinds.astype(np.uint64) + np.uint64(1))
    if data.edge_attr is None:
        return codes
    drawn = np.random.Generator(np.random.PCG64(1)).integers(1, 2**62, data.edge_channels) | 1
    told = np.round(data.edge_attr.astype(np.float64) / NEAR).astype(np.int64) * drawn
    return codes + _mixed(told.sum(axis=1).astype(np.uint64))


def _mixed(values: Codes) -> Codes:
    """Spread over all 64 bits (splitmix64), so that sums of different ones differ."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _equal_rows(task: Task, rows: Codes) -> Iterator[Problem]:
    """Equal rows say something only where rows are hardly ever equal."""
    data = data_of(task)
    filled = (data.x != 0).getnnz(axis=1) > 0 if sp.issparse(data.x) else (data.x != 0).any(axis=1)
    kinds, counts = np.unique(rows[filled], return_counts=True)
    repeated = int(filled.sum()) - len(kinds)
    if not repeated or (counts == 1).sum() < DISTINCT * filled.sum() or repeated <= CHANCE * _by_chance(data, filled):
        return
    yield problem("note", "duplicate-rows", f"{repeated} of {data.num_nodes} nodes repeat the features of another node")
    yield from _across(task, np.where(filled, rows, np.arange(len(rows)).astype(np.uint64)), "same-features", "has the features of one")


def _by_chance(data: GraphData, filled: NDArray[np.bool_]) -> float:
    """Rows that would be repeated if columns had nothing to do with each other; of sparse features, hardly any."""
    if sp.issparse(data.x) or data.x.size > MOST_SHUFFLED:
        return 0.0
    rng = np.random.Generator(np.random.PCG64(2))
    shuffled = rng.permuted(data.x[filled], axis=0)
    return float(len(shuffled) - len(np.unique(row_codes(replace(data, x=shuffled)))))


def _across(task: Task, codes: Codes, code: str, same: str) -> Iterator[Problem]:
    found = [_shared(codes, split) for split in task.splits]
    if not found or not max(found):
        return
    sizes = [len(split.test) for split in task.splits]
    share = float(np.mean(found)) / max(1.0, float(np.mean(sizes)))
    text = f"{range_text(found)} of {range_text(sizes)} test {items_of(task)} {same} in training or validation ({100 * share:.0f} %)"
    severity: Severity = "warning" if share > 0.01 else "note"
    yield problem(severity, code, text.replace(" is ", " are ").replace(" has ", " have ") if max(found) > 1 else text)


def _shared(codes: Codes, split: Split) -> int:
    return int(np.isin(codes[split.test], codes[split.seen]).sum())


def _undecided(task: Task, data: GraphData, colours: Codes) -> Iterator[Problem]:
    """What a network could reach at best, that gives every colour its most frequent label; of training and validation."""
    items = task.split(0).seen
    if data.target != "classes" or not len(items):
        return
    best = ceiling(colours[items], data.y[items])
    if best < CEILING:
        text = f"some {items_of(task)} look alike with all they are linked to and have different labels"
        yield problem("note", "undecided", f"{text}: no message passing network can tell more than {100 * best:.1f} % apart")


def ceiling(colours: Codes, y: Index) -> float:
    """Highest accuracy of a function of colour alone."""
    _, kinds = np.unique(colours, return_inverse=True)
    table: Any = sp.csr_matrix((np.ones(len(y)), (kinds, y)))
    return float(table.max(axis=1).sum() / len(y))
