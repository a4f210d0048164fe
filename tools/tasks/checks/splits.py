"""Splits: items in two parts, parts that are empty or tiny, classes that a part lacks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from agentnas.tools.tasks.base import GraphData, Index, Split, Task
from agentnas.tools.tasks.checks.findings import (
    Finding,
    Problem,
    Severity,
    auc_error,
    class_list,
    class_name,
    classes_of,
    data_of,
    items_of,
    numbered,
    problem,
    range_text,
)

SMALL_PART = 100  # items; below this one standard error of an accuracy exceeds 4 points
FEW = 10  # items of a class in validation or test, below which its score is luck


def splits(task: Task) -> Iterator[Problem]:
    """All splits; a finding of several is said once."""
    yield from numbered(task, lambda split: _split(task, split))
    if _are_folds(task):
        yield from _small_folds(task)
        return
    for name in ("val", "test"):
        yield from _small(task, name)


def _small(task: Task, name: str) -> Iterator[Problem]:
    """A part that is too small to tell designs apart, by its smallest among the splits."""
    parts = [parts_of(split)[name] for split in task.splits]
    smallest = min(parts, key=len, default=np.empty(0, np.int64))
    if 0 < len(smallest) < SMALL_PART and _in_range(task, smallest):
        size, named = range_text([len(part) for part in parts]), items_of(task)
        yield problem("warning", f"small-{name}", f"{name} has {size} {named}: {_noise(task, smallest)}")


def _are_folds(task: Task) -> bool:
    """Whether every item with a label is tested in exactly one of several splits."""
    tested = np.concatenate([split.test for split in task.splits]) if task.num_splits > 1 else np.empty(0, np.int64)
    return len(tested) == len(np.unique(tested)) == int(data_of(task).labelled.sum())


def _small_folds(task: Task) -> Iterator[Problem]:
    """Folds are few items each, but together they are all."""
    parts = [split.test for split in task.splits]
    smallest, every = min(parts, key=len), np.concatenate(parts)
    if 0 < len(smallest) < SMALL_PART and _in_range(task, every):
        size, named = range_text([len(part) for part in parts]), items_of(task)
        text = f"each fold tests {size} {named}: {_noise(task, smallest)}; over all {len(every)}, {_noise(task, every)}"
        yield problem("note", "small-folds", text)


def _in_range(task: Task, items: Index) -> bool:
    return bool(items.min() >= 0 and items.max() < data_of(task).num_items)


def parts_of(split: Split) -> dict[str, Index]:
    """Part -> its items."""
    return {"train": split.train, "val": split.val, "test": split.test}


def _split(task: Task, split: Split) -> Iterator[Finding]:
    parts, named, count = parts_of(split), items_of(task), data_of(task).num_items
    for one, other in (("train", "val"), ("train", "test"), ("val", "test")):
        if shared := len(np.intersect1d(parts[one], parts[other])):
            yield "error", "leak", f"{named} are in both {one} and {other} ({shared})"
    for name, items in parts.items():
        if not len(items):
            yield "error", "empty-part", f"{name} is empty"
        elif items.min() < 0 or items.max() >= count:
            yield "error", "split-range", f"{name} names a {named[:-1]} outside 0..{count - 1}"
        else:
            yield from _part(task, name, items)


def _part(task: Task, name: str, items: Index) -> Iterator[Finding]:
    data, named = data_of(task), items_of(task)
    missing = int((~data.labelled[items]).sum())
    if missing:
        yield "error", "unlabelled-in-split", f"{name} holds {missing} {named} without a label"
    if len(np.unique(items)) < len(items):
        yield "error", "repeated-in-split", f"{name} holds a {named[:-1]} twice"
    if data.target == "classes":
        yield from _classes(task, data, name, items)
    if data.target == "value" and not missing and len(items) > 1 and np.ptp(data.y[items]) == 0:
        yield "warning" if name != "train" else "error", f"constant-{name}", f"{name} has one value only, {data.y[items][0]:g}"


def _classes(task: Task, data: GraphData, name: str, items: Index) -> Iterator[Finding]:
    counts = np.bincount(data.y[items][data.y[items] >= 0], minlength=classes_of(data))
    known = np.bincount(data.y[data.y >= 0], minlength=classes_of(data)) > 0
    absent = np.flatnonzero(known & (counts == 0))
    if absent.size:
        severity: Severity = "warning" if name == "train" else "note"
        yield severity, f"class-absent-from-{name}", f"{name} has no {items_of(task)[:-1]} of class {class_list(data, absent.tolist())}"
    rarest = int(np.where(counts > 0, counts, np.iinfo(np.int64).max).argmin())
    if name != "train" and task.metric.name != "accuracy" and counts[rarest] < FEW and len(items) >= SMALL_PART:
        text = f"{name} has {counts[rarest]} of class {class_name(data, rarest)}, on which {task.metric.name} hangs"
        yield "warning", f"few-in-{name}", f"{text}: one standard error is about {_spread(task, items):.1f} points"


def _noise(task: Task, items: Index) -> str:
    """One standard error of a score on these items, in words."""
    if task.metric.name == "roc_auc" and data_of(task).target == "classes":
        return f"one standard error of an AUC of 80 is about {_spread(task, items):.1f} points"
    if data_of(task).target == "value":
        return f"an error is only known to about ± {100 / np.sqrt(2 * len(items)):.0f} % of itself"
    return f"one standard error of an accuracy is up to {50.0 / np.sqrt(len(items)):.1f} points"


def _spread(task: Task, items: Index) -> float:
    """One standard error of the metric on these items, in points."""
    labels = data_of(task).y[items]
    if task.metric.name in ("roc_auc", "ap") and classes_of(data_of(task)) == 2:
        return auc_error(int((labels == 1).sum()), int((labels == 0).sum()))
    counts = np.bincount(labels[labels >= 0])
    return float(50.0 / np.sqrt(counts[counts > 0].min()) / max(1, (counts > 0).sum() - 1))
