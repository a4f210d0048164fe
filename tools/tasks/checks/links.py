"""Pairs: targets that messages or features know, pairs without an edge that have one, nodes that lose all edges to the split."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentnas.tools.tasks.base import GraphData, Index, Split, Task, some
from agentnas.tools.tasks.checks.features import flat
from agentnas.tools.tasks.checks.findings import Finding, Problem, column_name, data_of, numbered, problem, range_text
from agentnas.tools.tasks.checks.splits import parts_of
from agentnas.tools.tasks.pairs import pair_codes, training_edges

DENSE = 0.25  # share of all pairs that are edges
GOOD = 0.98
MOST_COLUMNS = 200
ROWS = 2000


def links(task: Task) -> Iterator[Problem]:
    """Link prediction: every pair is in one part, whichever way round it is written."""
    data = data_of(task)
    if data.pairs is None:
        return
    if data.pairs.min(initial=0) < 0 or data.pairs.max(initial=0) >= data.num_nodes:
        yield problem("error", "pair-range", f"a pair names a node outside 0..{data.num_nodes - 1}")
        return
    codes, edges = pair_codes(data.pairs, data.num_nodes), np.unique(pair_codes(data.edge_index, data.num_nodes))
    yield from numbered(task, lambda split: _split(data, codes, edges, split))
    yield from _graph(data, len(edges))
    yield from _stranded(task, data)
    yield from _known_by_features(task, data)


def _split(data: GraphData, codes: Index, edges: Index, split: Split) -> Iterator[Finding]:
    parts = parts_of(split)
    known = {name: codes[items][data.y[items] == 1] for name, items in parts.items()}
    others = {name: codes[items][data.y[items] == 0] for name, items in parts.items()}
    for name in ("val", "test"):
        if shared := int(np.isin(known[name], known["train"]).sum()):
            yield (
                "error",
                "target-in-messages",
                f"{shared} of {len(known[name])} edges of {name} are edges of training too: messages run along them",
            )
        if false := int(np.isin(others[name], edges).sum()):
            yield "error", "negative-is-edge", f"{false} of {len(others[name])} pairs without an edge of {name} do have one"
        if not len(others[name]) or not len(known[name]):
            yield (
                "error",
                "one-sided-pairs",
                f"{name} has {len(known[name])} edges and {len(others[name])} pairs without one; both are needed",
            )
    if shared := int(np.isin(known["val"], known["test"]).sum()):
        yield "error", "leak", f"edges are in both val and test ({shared})"


def _graph(data: GraphData, edges: int) -> Iterator[Problem]:
    share = edges / max(1, data.num_nodes * (data.num_nodes - 1) // 2)
    if share > DENSE:
        yield problem("warning", "near-complete", f"{100 * share:.0f} % of all pairs of nodes are edges")


def _stranded(task: Task, data: GraphData) -> Iterator[Problem]:
    """Nodes that have edges, all of them hidden."""
    linked = np.bincount(data.edge_index.ravel(), minlength=data.num_nodes) > 0
    seen = [training_edges(data, split) for split in task.splits]
    lost = [int((linked & (np.bincount(edges.ravel(), minlength=data.num_nodes) == 0)).sum()) for edges in seen]
    if max(lost, default=0):
        share = float(np.mean(lost)) / max(1, int(linked.sum()))
        text = f"{range_text(lost)} of {linked.sum()} nodes lose all their edges to validation and test"
        yield problem("warning" if share > 0.1 else "note", "isolated-after-split", f"{text} ({100 * share:.0f} %)")


def _known_by_features(task: Task, data: GraphData) -> Iterator[Problem]:
    """Features that name the neighbours, or one column that is alike exactly where there is an edge."""
    items = some(task.split(0).val, ROWS)
    y, (source, target) = data.y[items], data.pairs[:, items]  # type: ignore[index]
    if len(np.unique(y)) < 2:
        return
    if data.num_features == data.num_nodes:
        cells = np.asarray(data.x[source, target] != 0).ravel() | np.asarray(data.x[target, source] != 0).ravel()
        if cells[y == 1].mean() > 0.5 > 10 * cells[y == 0].mean():
            yield problem(
                "error",
                "edges-in-features",
                f"features name the neighbours: {100 * cells[y == 1].mean():.0f} % of hidden edges are in them",
            )
            return
    column, score = _best_column(data, source, target, y)
    if score >= GOOD:
        text = f"two nodes are alike in {column_name(data, column)} where there is an edge (AUC {100 * score:.1f} on validation)"
        yield problem("warning", "too-good-feature", f"{text}: suspiciously good")


def _best_column(data: GraphData, source: Index, target: Index, y: NDArray[Any]) -> tuple[int, float]:
    from sklearn.metrics import roc_auc_score

    found = (0, 0.0)
    for column in range(min(data.num_features, MOST_COLUMNS)):
        values = flat(data.x[:, [column]])
        score = float(roc_auc_score(y, -np.abs(values[source] - values[target])))
        found = max(found, (column, score), key=lambda one: one[1])
    return found
