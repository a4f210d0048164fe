"""Labels: of the wrong range, missing, rare, of too many kinds, far out, or all the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentnas.tools.spelling import alike
from agentnas.tools.tasks.base import GraphData, Task
from agentnas.tools.tasks.checks.findings import Problem, class_list, class_name, classes_of, data_of, items_of, problem

OFTEN = 0.8  # share of one class above which accuracy says little
RARE = 0.05  # share of a class that few batches show
FAR = 10.0  # interquartile ranges beyond the quartiles
FEW_VALUES = 10


def label_errors(task: Task) -> Iterator[Problem]:
    """Labels outside what they can be."""
    data = data_of(task)
    if data.graph_of is None and data.pairs is None and len(data.y) != data.num_nodes:
        yield problem("error", "label-count", f"there are {len(data.y)} labels for {data.num_nodes} nodes")
    elif not data.labelled.any():
        yield problem("error", "no-labels", f"none of the {len(data.y)} {items_of(task)} has a label")
    elif data.target == "classes" and (data.y.max() >= classes_of(data) or data.y.min() < -1):
        text = f"labels run from {data.y.min()} to {data.y.max()}; expected -1 (none) or 0..{classes_of(data) - 1}"
        yield problem("error", "label-range", text)
    elif data.target == "labels" and not np.isin(data.y[np.isfinite(data.y)], (0, 1)).all():
        yield problem("error", "label-range", "several labels an item are 0, 1 or missing; other values are among them")


def labels(task: Task) -> Iterator[Problem]:
    """Labels within range; pairs are labelled by the edges and have nothing to look for."""
    data = data_of(task)
    if data.pairs is not None:
        return
    unlabelled = int((~data.labelled).sum())
    if unlabelled:
        text = f"{unlabelled} of {len(data.y)} {items_of(task)} have no label and are in no split"
        yield problem("note", "unlabelled", text)
    look = {"classes": _classes, "labels": _several, "value": _values}[data.target]
    yield from look(task, data)


def _classes(task: Task, data: GraphData) -> Iterator[Problem]:
    counts = np.bincount(data.y[data.y >= 0], minlength=data.num_classes)
    most, least = int(counts.argmax()), int(np.where(counts > 0, counts, np.iinfo(np.int64).max).argmin())
    named, share = items_of(task), counts / counts.sum()
    if (empty := np.flatnonzero(counts == 0)).size:
        yield problem("warning", "empty-class", f"class {class_list(data, empty.tolist())} has no {named[:-1]} at all")
    if pair := alike(data.class_names):
        yield problem("warning", "alike-classes", f"classes {pair[0]!r} and {pair[1]!r} differ in nothing but how they are written")
    if (counts > 0).sum() == 1:
        yield problem("error", "one-class", f"every labelled {named[:-1]} is of class {class_name(data, most)}: there is nothing to learn")
    elif data.num_classes > max(20, counts.sum() / 10):
        text = f"{data.num_classes} classes for {counts.sum()} labelled {named}: an identifier or a number as the label?"
        yield problem("warning", "many-classes", text)
    elif task.metric.name == "accuracy" and share[most] > OFTEN:
        text = f"one class has {100 * share[most]:.0f} % of the {named}; prefer macro_f1 to accuracy"
        yield problem("warning", "imbalance", text)
    elif share[least] < RARE:
        text = f"class {class_name(data, least)} has {counts[least]} of {counts.sum()} {named} ({100 * share[least]:.1f} %)"
        yield problem("note", "rare-class", text)


def _several(task: Task, data: GraphData) -> Iterator[Problem]:
    with np.errstate(invalid="ignore"):
        share = np.nansum(data.y, axis=0) / np.maximum(1, np.isfinite(data.y).sum(axis=0))
    if (one_sided := np.flatnonzero((share == 0) | (share == 1))).size:
        text = f"label {class_list(data, one_sided.tolist())} is the same for all {items_of(task)}"
        yield problem("warning", "empty-class", text)
    rare = np.flatnonzero((np.minimum(share, 1 - share) < RARE) & (share > 0) & (share < 1))
    if rare.size:
        yield problem("note", "rare-class", f"{rare.size} of {data.num_classes} labels are given to fewer than 5 % or more than 95 %")


def _values(task: Task, data: GraphData) -> Iterator[Problem]:
    y: NDArray[Any] = data.y[np.isfinite(data.y)].astype(np.float64)
    if np.ptp(y) == 0:
        yield problem("error", "one-class", f"every value is {y[0]:g}: there is nothing to learn")
        return
    low, high = np.quantile(y, [0.25, 0.75])
    reach = FAR * (high - low)
    if reach > 0 and (far := np.flatnonzero((y < low - reach) | (y > high + reach))).size:
        worst = y[far[np.abs(y[far] - np.median(y)).argmax()]]
        text = f"{far.size} of {y.size} values lie far outside the others ({worst:g}; half of all are within {low:g} to {high:g})"
        yield problem("warning", "outliers", text)
    distinct = np.unique(y)
    if len(distinct) <= FEW_VALUES and y.size > 10 * len(distinct) and (distinct == np.round(distinct)).all():
        yield problem("note", "values-like-classes", f"the values are only {', '.join(f'{value:g}' for value in distinct)}: classes?")
