"""Edges: unknown ends, doubles, loops, direction, nodes that none touches."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from agentnas.tools.tasks.base import GraphData, Index, Task, distinct
from agentnas.tools.tasks.checks.findings import Problem, data_of, finite, problem

NEARLY = 0.1  # share of one-way edges below which a graph looks undirected with some directions lost
FEWEST = 20  # edges; of fewer nothing is said about their direction


def edge_errors(task: Task) -> Iterator[Problem]:
    """What makes every later look at the edges wrong."""
    data = data_of(task)
    if data.num_edges and (data.edge_index.min() < 0 or data.edge_index.max() >= data.num_nodes):
        bad = int(((data.edge_index < 0) | (data.edge_index >= data.num_nodes)).any(axis=0).sum())
        yield problem("error", "edge-range", f"{bad} of {data.num_edges} edges name a node outside 0..{data.num_nodes - 1}")
    if data.edge_attr is not None and len(data.edge_attr) != data.num_edges:
        yield problem("error", "edge-attributes", f"there are {len(data.edge_attr)} rows of edge attributes for {data.num_edges} edges")
    elif data.edge_attr is not None and not finite(data.edge_attr):
        rows = int((~np.isfinite(data.edge_attr)).any(axis=1).sum())
        yield problem("error", "edge-attributes", f"{rows} of {data.num_edges} edges have attributes that are not finite")


def edges(task: Task) -> Iterator[Problem]:
    """Edges within range."""
    data = data_of(task)
    if data.num_edges == 0:
        yield problem("warning", "no-edges", "the graph has no edges: every graph operator is an MLP")
        return
    yield from _counts(data)
    yield from _direction(data)
    yield from _isolated(data)


def _counts(data: GraphData) -> Iterator[Problem]:
    source, target = data.edge_index
    duplicates = data.num_edges - len(distinct(_typed(data, source * np.int64(data.num_nodes) + target)))
    loops = int((source == target).sum())
    if duplicates:
        yield problem("warning", "duplicate-edges", f"{duplicates} of {data.num_edges} edges are duplicates and count twice")
    if loops:
        yield problem("note", "self-loops", f"{loops} nodes have an edge to themselves")
    if data.edge_attr is not None and (same := np.flatnonzero(np.ptp(data.edge_attr, axis=0) == 0)).size:
        yield problem(
            "note", "constant-edge-attributes", f"{same.size} of {data.edge_channels} edge attributes are the same for every edge"
        )


def _typed(data: GraphData, codes: Index) -> Index:
    """Codes of edges; two edges of different types between the same nodes are different edges."""
    return codes if data.edge_type is None else np.asarray(codes * (int(data.edge_type.max()) + 1) + data.edge_type)


def _direction(data: GraphData) -> Iterator[Problem]:
    source, target = data.edge_index
    n = np.int64(data.num_nodes)
    known = distinct(source * n + target)
    back = np.sort(target * n + source)  # a search for sorted values stays in the cache
    one_way = int((known[np.minimum(np.searchsorted(known, back), len(known) - 1)] != back).sum())
    if not one_way:
        return
    text = f"{one_way} of {data.num_edges} edges have no edge back"
    if data.num_edges >= FEWEST and one_way <= NEARLY * data.num_edges:
        yield problem("warning", "nearly-undirected", f"{text}: an undirected graph that lost some directions?")
    elif data.num_edges >= FEWEST and ((source < target).all() or (source > target).all()):
        yield problem(
            "warning", "edges-listed-once", f"{text}, and all run the same way by node number: an undirected list, each edge once?"
        )
    else:
        yield problem("note", "directed", f"{text}: the graph is directed")


def _isolated(data: GraphData) -> Iterator[Problem]:
    ends = data.edge_index[:, data.edge_index[0] != data.edge_index[1]]
    isolated = int((np.bincount(ends.ravel(), minlength=data.num_nodes) == 0).sum())
    if isolated and data.graph_of is None:
        text = f"{isolated} of {data.num_nodes} nodes have no neighbour: only their features speak for them"
        yield problem("warning" if isolated > data.num_nodes / 2 else "note", "isolated-nodes", text)
