"""Label columns as classes with names, several labels, or a value."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agentnas.tools.errors import DataError, UsageError
from agentnas.tools.metrics import Metric, Target, constant_error, fitting, metric
from agentnas.tools.own.columns import holds, numbers, truths
from agentnas.tools.own.tables import MISSING, Table
from agentnas.tools.tasks.base import Split

MOST_CLASSES = 1000
MOST_LABELS = 1000
FEW, A_CLASS = 20, 10  # whole numbers are classes where they are few, or where each has rows enough and they are no more than a hundred
UNEVEN = 1 / 3  # share of the smaller of two classes below which accuracy says little


class Labels(NamedTuple):
    """``y`` as ``GraphData`` holds it, the number of classes or labels, and their names."""

    y: NDArray[Any]
    classes: int
    names: tuple[str, ...] = ()


def read_labels(table: Table, columns: tuple[str, ...], target: Target | None, scored_by: str | None, key: str) -> Labels:
    """The labels in these columns of a table. ``key``: who names them, for errors; ``scored_by``: the metric, where one is said.

    Raises DataError that names file, row and column for a cell that does not fit, and for labels of which nothing can be learnt.
    """
    for name in columns:
        table.column(name, key)
        if holds(table, name) == "nothing":
            raise DataError(f"{table.where}: column {name!r} is empty in all {len(table)} rows; {key} needs what is to be predicted")
    target = target or _guessed(table, columns, scored_by)
    if target == "labels":
        return _several(table, columns, key)
    if len(columns) > 1:
        raise UsageError(f"{key} names {len(columns)} columns, target is {target}; name one, or leave target out for labels")
    return _value(table, columns[0], key) if target == "value" else _classes(table, columns[0], key)


def _guessed(table: Table, columns: tuple[str, ...], scored_by: str | None) -> Target:
    if len(columns) > 1:
        return "labels"
    if scored_by in fitting("value"):
        return "value"
    if scored_by is not None or holds(table, columns[0]) != "numbers":
        return "classes"
    values = numbers(table, columns[0], "label")
    values = values[~np.isnan(values)]
    different = len(np.unique(values))
    few = different <= FEW or (different <= 100 and len(values) >= A_CLASS * different)
    return "classes" if few and (values == np.round(values)).all() else "value"


def _classes(table: Table, name: str, key: str) -> Labels:
    cells = table.texts(name, key)
    known = np.array([cell not in MISSING for cell in cells], dtype=bool)
    names = _ordered(set(cells[known]))
    if len(names) > MOST_CLASSES:
        raise DataError(
            f"{table.where}: column {name!r} holds {len(names):,} classes in {len(cells):,} rows; allowed: {MOST_CLASSES:,}; a number to be"
            " predicted is target: value"
        )
    if len(names) < 2:
        raise DataError(f"{table.where}: column {name!r} holds one class, {names[0][:40]!r}; {key} needs two or more")
    number = {label: place for place, label in enumerate(names)}
    y = np.array([number.get(cell, -1) for cell in cells], np.int64)
    return Labels(y, len(names), tuple(names))


def _ordered(names: set[str]) -> list[str]:
    """By number where all are numbers, else by letters."""
    try:
        return sorted(names, key=lambda name: (float(name), name))
    except ValueError:
        return sorted(names)


def _several(table: Table, columns: tuple[str, ...], key: str) -> Labels:
    if len(columns) > MOST_LABELS:
        raise DataError(f"{key} names {len(columns):,} columns; allowed: {MOST_LABELS:,}")
    y = np.stack([truths(table, name, key) for name in columns], axis=1).astype(np.float32)
    return Labels(y, len(columns), columns)


def _value(table: Table, name: str, key: str) -> Labels:
    values = numbers(table, name, key)
    known = values[~np.isnan(values)]
    if len(known) and known.min() == known.max():
        raise DataError(f"{table.where}: column {name!r} is {known[0]:g} in every row; {key} needs values that differ")
    return Labels(values.astype(np.float32), 1)


def metric_of(name: str | None, y: NDArray[Any], target: Target, splits: tuple[Split, ...], where: str) -> Metric:
    """The metric that a task file names, or the usual one of its labels; UsageError for one that does not fit them."""
    allowed = fitting(target)
    if name is not None and name not in allowed:
        raise UsageError(f"{where}: metric {name} does not fit target {target}; allowed: {', '.join(allowed)}")
    name = name or _usual(y, target)
    if name in ("roc_auc", "ap") and target == "classes" and (count := int(y.max()) + 1) != 2:
        raise UsageError(f"{where}: metric {name} needs two classes, there are {count}; allowed: accuracy, macro_f1")
    chosen = metric(name)
    if chosen.is_error:
        chosen = metric(name, constant_error(name, y[np.concatenate([splits[0].train, splits[0].val])]))
    return chosen


def _usual(y: NDArray[Any], target: Target) -> str:
    if target != "classes":
        return "rmse" if target == "value" else "roc_auc"
    counts = np.bincount(y[y >= 0])
    return "roc_auc" if len(counts) == 2 and counts.min() < UNEVEN * counts.sum() else "accuracy"


def check_scored(y: NDArray[Any], chosen: Metric, splits: tuple[Split, ...], classes: int, where: str) -> None:
    """Raise DataError where a part of a split cannot be scored, before anything is trained."""
    shape = (classes,) if y.ndim == 1 else ()
    for number, split in enumerate(splits):
        for name in ("val", "test"):
            part = y[getattr(split, name)]
            try:
                chosen.score(part, np.zeros((len(part), *(shape or (y.shape[1],)))))
            except UsageError as error:
                raise DataError(
                    f"{where}: {name} of split {number + 1} cannot be scored: {error}; enlarge it, or choose another metric"
                ) from None
