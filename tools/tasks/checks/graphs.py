"""Sets of graphs: graphs without nodes or edges, edges that join two graphs, sizes far apart; and graphs of nodes that fall into parts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from agentnas.tools.tasks.base import Task
from agentnas.tools.tasks.checks.findings import Problem, data_of, problem

APART = 50  # times the median size
FEWEST_PARTS = 10


def graph_errors(task: Task) -> Iterator[Problem]:
    """What makes every later look at the graphs wrong."""
    data = data_of(task)
    owner = data.graph_of
    if owner is None:
        return
    if len(owner) != data.num_nodes or owner.min() < 0 or owner.max() >= data.num_items or (np.diff(owner) < 0).any():
        yield problem("error", "graph-range", f"nodes must name graphs 0..{data.num_items - 1}, in rising order, one for each node")


def graphs(task: Task) -> Iterator[Problem]:
    """Graphs as items."""
    data = data_of(task)
    if (owner := data.graph_of) is None:
        return
    sizes = np.bincount(owner, minlength=data.num_items)
    crossing = int((owner[data.edge_index[0]] != owner[data.edge_index[1]]).sum())
    bare = int(((np.bincount(owner[data.edge_index[0]], minlength=data.num_items) == 0) & (sizes > 0)).sum())
    if (empty := np.flatnonzero(sizes == 0)).size:
        yield problem("error", "empty-graphs", f"{empty.size} of {data.num_items} graphs have no nodes, first graph {empty[0]}")
    if crossing:
        yield problem("error", "crossing-edges", f"{crossing} of {data.num_edges} edges join two graphs: nodes of training and of test mix")
    if bare and data.num_edges:
        yield problem(
            "warning" if bare > data.num_items / 2 else "note", "graphs-without-edges", f"{bare} of {data.num_items} graphs have no edges"
        )
    if sizes.max() > APART * np.median(sizes[sizes > 0]):
        text = f"the largest graph has {sizes.max()} nodes, half of all have {np.median(sizes):.0f} or fewer"
        yield problem("note", "graph-sizes", text)


def components(task: Task) -> Iterator[Problem]:
    """Nodes of many separate graphs, where training and test lie in the same ones."""
    data = data_of(task)
    if data.kind != "node" or not data.num_edges:
        return
    ways = sp.csr_matrix((np.ones(data.num_edges, np.int8), tuple(data.edge_index)), shape=(data.num_nodes, data.num_nodes))
    _, part = connected_components(ways, directed=False)
    sizes = np.bincount(part)
    if (sizes >= 5).sum() < FEWEST_PARTS or sizes.max() > data.num_nodes / 2:
        return
    split = task.split(0)
    shared = float(np.isin(part[split.test], part[split.train]).mean()) if len(split.test) else 0.0
    if shared > 0.01:
        text = (
            f"the nodes fall into {len(sizes)} separate graphs, and {100 * shared:.0f} % of the test nodes lie in one with training nodes"
        )
        yield problem("note", "train-nodes-in-test-graphs", text)
