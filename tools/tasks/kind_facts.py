"""Facts of tasks other than node classification, measured on training and validation items of the first split; links see training edges
alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentnas.tools.errors import UsageError
from agentnas.tools.tasks.base import GraphData, Index, Matrix, Split, Task, some
from agentnas.tools.tasks.pairs import training_edges
from agentnas.tools.tasks.structure import structure

MAX_ROWS = 2000  # training and validation items that a probe looks at
FEWEST_ENDS = 20  # edges between known items, below which nothing is said of neighbours


def kind_facts(task: Task) -> dict[str, Any]:
    """Fields of the task's card, by name."""
    data, split = task.data, task.split(0)
    assert data is not None
    found = {**structure(_seen_graph(task, data)), **edge_facts(task), **_probes(task), "items": data.num_items, "unit": task.metric.unit}
    if data.graph_of is not None:
        found["graph_nodes"] = _middle(np.bincount(data.graph_of, minlength=data.num_items))
    if data.pairs is not None:
        joined, n = int((data.y[split.train] == 1).sum()), data.num_nodes
        return found | {"pair_density": joined / (n * (n - 1) / 2)}
    return found | _target_facts(data, split.seen)


def edge_facts(task: Task) -> dict[str, Any]:
    """What edges carry: attributes, types, the share of those that have one back, and whether direction helps."""
    from agentnas.tools.tasks.direction import direction_of

    data, found = task.data, direction_of(task)
    assert data is not None
    return {
        "edge_attributes": data.edge_channels, "types": data.types, "reciprocity": reciprocity(data),
        "direction": found.sentence if found else "",
    }  # fmt: skip


def reciprocity(data: GraphData) -> float | None:
    """Share of the edges between different nodes that have their opposite; None where there are none."""
    source, target = data.edge_index[:, data.edge_index[0] != data.edge_index[1]]
    n = np.int64(data.num_nodes)
    return float(np.isin(target * n + source, source * n + target).mean()) if len(source) else None


def assortativity(data: GraphData, items: Index) -> float | None:
    """Correlation of values over edges with both ends among the items (Newman, 2003); of several labels the mean over them."""
    columns = data.y.reshape(len(data.y), -1).astype(np.float64)
    mask = np.zeros(len(columns), bool)
    mask[items] = True
    found = []
    for column in columns.T:
        known = mask & np.isfinite(column)
        ends = column[data.edge_index[:, known[data.edge_index].all(axis=0)]]
        if ends.shape[1] >= FEWEST_ENDS and (ends.std(axis=1) > 0).all():
            found.append(float(np.corrcoef(ends[0], ends[1]).ravel()[1]))
    return float(np.mean(found)) if found else None


def _seen_graph(task: Task, data: GraphData) -> GraphData:
    """The graph that a card may speak of: of a link task the edges of the training part alone."""
    if data.pairs is None:
        return data
    return replace(data, edge_index=training_edges(data, task.split(0)), edge_attr=None, edge_type=None)


def _target_facts(data: GraphData, seen: Index) -> dict[str, Any]:
    y = data.y[seen]
    if data.target == "classes":
        from agentnas.tools.tasks.structure import balance

        return {"class_balance": balance(np.bincount(y[y >= 0], minlength=data.num_classes))}
    near = None if data.kind == "graph" else assortativity(data, seen)
    if data.target == "labels":
        known = np.isfinite(y)
        shares = np.where(known, y, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        return {"label_shares": _middle(shares), "known_labels": float(known.mean()), "assortativity": near}
    y = y[np.isfinite(y)].astype(np.float64)
    return {"values": _spread(y), "assortativity": near} if len(y) else {}


def _spread(y: NDArray[Any]) -> tuple[float, float, float, float, float]:
    """Mean, deviation, minimum, maximum, skewness."""
    sd = float(y.std())
    skew = float((((y - y.mean()) / sd) ** 3).mean()) if sd else 0.0
    return float(y.mean()), sd, float(y.min()), float(y.max()), skew


def _middle(values: NDArray[Any]) -> tuple[float, float, float]:
    """Smallest, median, largest."""
    return float(values.min()), float(np.median(values)), float(values.max())


def _probes(task: Task) -> dict[str, float | None]:
    """What simple methods reach on validation: a constant, features alone, structure alone, and both through neighbours."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        return _pair_probes(task) if task.kind == "link" else _item_probes(task)


def _item_probes(task: Task) -> dict[str, float | None]:
    from agentnas.tools.baselines import models

    data, split = task.data, _some(task.split(0))
    assert data is not None
    own, shape, near = _tables(data)
    return {
        "probe_majority": _score(lambda: models.fit_constant(task, split).val),
        "probe_features": _linear(task, split, own),
        "probe_structure": None if shape is None else _linear(task, split, shape),
        "probe_neighbours": None if near is None else _linear(task, split, near),
    }


def _tables(data: GraphData) -> tuple[Matrix, Matrix | None, Matrix | None]:
    """Rows of items: features, structure around them, both with neighbours'; None without edges, the last one for graphs too."""
    from agentnas.tools.baselines import features

    own = data.x if data.graph_of is None else features.pooled(data.x, data.graph_of)
    if not data.num_edges:
        return own, None, None
    around = features.node_structure(data)
    if data.graph_of is None:
        return own, around, features.ItemTables(data).propagated
    return own, features.beside(features.pooled(around, data.graph_of), features.graph_structure(data)), None


def _pair_probes(task: Task) -> dict[str, float | None]:
    from agentnas.tools.baselines import links

    split, adjacency = task.split(0), links.training_graph(task, task.split(0))
    table = links.pair_table(task, adjacency)
    return {
        "probe_features": _linear(task, split, table[:, 5:]),
        "probe_structure": _linear(task, split, table[:, :5]),
        "probe_neighbours": _score(lambda: links.fit_shared(task, split, links.equal_weights).val),
    }


def _linear(task: Task, split: Split, table: Matrix) -> float | None:
    from agentnas.tools.baselines import models

    return _score(lambda: models.fit_linear(task, split, table).val)


def _score(measure: Any) -> float | None:
    """None where the metric cannot be had of these validation items, such as an AUC of one class."""
    try:
        return float(measure())
    except (UsageError, ValueError):
        return None


def _some(split: Split) -> Split:
    """At most MAX_ROWS of the training and of the validation items, the same ones each time."""
    return Split(np.sort(some(split.train, MAX_ROWS)), np.sort(some(split.val, MAX_ROWS)), split.test)
