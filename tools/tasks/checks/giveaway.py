"""A feature that gives the label away: one column alone that answers nearly every question of validation.

A column is tried with a small decision tree, so order and coding of its values do not matter. Test labels are not looked at.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from agentnas.tools.tasks.base import GraphData, Index, Task, some
from agentnas.tools.tasks.checks.features import flat
from agentnas.tools.tasks.checks.findings import Problem, class_name, column_name, data_of, problem

TRIED = 24  # columns, those that go with the label most
ROWS = 3000
FEWEST = 20  # items of validation; of fewer nothing can be said
GOOD = 0.98  # balanced accuracy, or explained share of the variance
LABELS = 10


def giveaway(task: Task) -> Iterator[Problem]:
    """Columns of items' features that alone are suspiciously good, the best one told."""
    data = data_of(task)
    if data.pairs is not None:
        return
    split = task.split(0)
    train, val = some(split.train, ROWS), some(split.val, ROWS)
    if len(val) < FEWEST or len(train) < FEWEST:
        return
    table, names = item_table(data)
    tried = [_best(table, y, train, val, value) for y, value in _targets(data)]
    for label, (score, column) in enumerate(tried):
        if score >= GOOD:
            yield _told(data, names[column], score, label if len(tried) > 1 else None, _is_label(table, data, train, val, column))
            return


def item_table(data: GraphData) -> tuple[Any, list[str]]:
    """One row an item and the names of its columns: features of nodes, or of graphs their means, sizes and numbers of edges."""
    names = [column_name(data, column) for column in range(data.num_features)]
    if data.graph_of is None:
        return data.x, names
    count = np.bincount(data.graph_of, minlength=data.num_items).astype(np.float64)
    edges = np.bincount(data.graph_of[data.edge_index[0]], minlength=data.num_items).astype(np.float64)
    members = sp.csr_matrix((np.ones(data.num_nodes), (data.graph_of, np.arange(data.num_nodes))), (data.num_items, data.num_nodes))
    total = members @ data.x
    mean = (total.toarray() if sp.issparse(total) else total) / np.maximum(count, 1)[:, None]
    return np.column_stack([mean, count, edges]), [*(f"the mean of {name}" for name in names), "the number of nodes", "the number of edges"]


def _targets(data: GraphData) -> Iterator[tuple[NDArray[Any], bool]]:
    """Labels, one after the other, and whether they are values."""
    if data.target == "labels":
        for column in data.y.T[:LABELS]:
            yield np.where(np.isfinite(column), column, -1).astype(np.int64), False
    else:
        yield data.y, data.target == "value"


def _best(table: Any, y: NDArray[Any], train: Index, val: Index, value: bool) -> tuple[float, int]:
    """Score on validation of the best single column, and which it is."""
    train, val = train[_known(y[train])], val[_known(y[val])]
    if len(val) < FEWEST or len(np.unique(y[train])) < 2 or len(np.unique(y[val])) < 2:
        return 0.0, 0
    tried = _promising(table[train], y[train], value)
    found = [(_alone(table, y, train, val, int(column), value), int(column)) for column in tried]
    return max(found, default=(0.0, 0))


def _known(y: NDArray[Any]) -> NDArray[np.bool_]:
    return np.asarray(np.isfinite(y) if y.dtype.kind == "f" else y >= 0)


def _promising(x: Any, y: NDArray[Any], value: bool) -> NDArray[np.int64]:
    from sklearn.feature_selection import f_classif, f_regression

    if x.shape[1] <= TRIED:
        return np.arange(x.shape[1])
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # of constant columns, which are passed over
        strength = (f_regression if value else f_classif)(x, y)[0]
    return np.argsort(-np.nan_to_num(strength, nan=-1.0, posinf=np.inf), kind="stable")[:TRIED]


def _alone(table: Any, y: NDArray[Any], train: Index, val: Index, column: int, value: bool) -> float:
    """Balanced accuracy, or explained share of the variance, on validation of a tree on one column."""
    from sklearn.metrics import balanced_accuracy_score, r2_score
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    x = [_column(table, items, column) for items in (train, val)]
    tree: Any = DecisionTreeRegressor(min_samples_leaf=2, random_state=0)
    if not value:
        tree = DecisionTreeClassifier(max_leaf_nodes=max(4, 3 * len(np.unique(y[train]))), random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of many classes, and of one that is predicted and absent
        predicted = tree.fit(x[0], y[train]).predict(x[1])
        return float((r2_score if value else balanced_accuracy_score)(y[val], predicted))


def _column(table: Any, items: Index, column: int) -> NDArray[np.float64]:
    return flat(table[items][:, [column]]).astype(np.float64)[:, None]


def _is_label(table: Any, data: GraphData, train: Index, val: Index, column: int) -> bool:
    """Whether the column is the label under other names: as many values as classes, each of one class."""
    items = np.concatenate([train, val])
    if data.target != "classes":
        return False
    pairs = np.unique(np.column_stack([_column(table, items, column)[:, 0], data.y[items]]), axis=0)
    return len(pairs) == len(np.unique(pairs[:, 0])) == len(np.unique(pairs[:, 1]))


def _told(data: GraphData, name: str, score: float, label: int | None, same: bool) -> Problem:
    if same:
        return problem(
            "error", "label-in-features", f"{name} is the label under another name: it is the same for all of training and validation"
        )
    of = "" if label is None else f" for label {class_name(data, label)}"
    what = f"explains {100 * score:.1f} % of the variance" if data.target == "value" else f"tells {100 * score:.1f} % (balanced accuracy)"
    return problem("warning", "too-good-feature", f"{name} alone {what} of validation{of}: suspiciously good")
