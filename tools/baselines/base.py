"""What a baseline is: fitted on the training part of a split, its setting chosen by the validation part, it predicts any items."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agentnas.tools.tasks.base import GraphData, Index, Split, Task

Scores = NDArray[Any]
Predict = Callable[[Index], Scores]


class Fitted(NamedTuple):
    """A baseline that was fitted on one split: its setting in words, the validation score in percent, and what it predicts of items (int64
    [n]): scores [n, columns] as the task's metric takes them."""

    setting: str
    val: float
    predict: Predict


@dataclass(frozen=True)
class Baseline:
    """A method without a neural network. ``told`` says in words what it is; ``work`` about how many seconds one fit takes."""

    name: str
    told: str
    fit: Callable[[Split], Fitted]
    work: float


def chosen(task: Task, split: Split, candidates: Iterable[tuple[str, Predict]]) -> Fitted:
    """The candidate with the best validation score; of equal ones the first. No test label is read."""
    data = data_of(task)
    y, best = data.y[split.val], None
    for setting, predict in candidates:
        found = Fitted(setting, task.metric.score(y, predict(split.val)), predict)
        best = found if best is None or task.metric.better(found.val, best.val) else best
    assert best is not None, "a baseline has candidates"
    return best


def data_of(task: Task) -> GraphData:
    """The data of a task that is no table."""
    assert task.data is not None, "a table has no data for baselines"
    return task.data


def labelled(data: GraphData, items: Index) -> Index:
    """Those of the items that have a label."""
    return np.asarray(items[data.labelled[items]])
