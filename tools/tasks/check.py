"""What would make scores on a task wrong, weak or surprising: found before time is spent on it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import scipy.sparse as sp

from agentnas.tools.tasks.base import GraphData, Split, Task, distinct
from agentnas.tools.tasks.catalog import FINGERPRINTS

Severity = Literal["error", "warning", "note"]
SMALL_PART = 100  # nodes; below this one standard error of an accuracy exceeds 4 points


@dataclass(frozen=True)
class Problem:
    """One finding. An ``error`` makes scores wrong, a ``warning`` makes them weak, a ``note`` is worth knowing."""

    severity: Severity
    code: str
    text: str

    def __str__(self) -> str:
        return f"{self.severity}: {self.text} [{self.code}]"


def check_task(task: Task) -> list[Problem]:
    """All problems of a task, the gravest first; a table task has no data to check."""
    if task.data is None:
        return []
    problems = [*_edges(task.data), *_features(task.data), *_labels(task), *_splits(task), *_identity(task)]
    order = ("error", "warning", "note")
    return sorted(problems, key=lambda problem: order.index(problem.severity))


def _edges(data: GraphData) -> Iterator[Problem]:
    source, target = data.edge_index
    if data.num_edges == 0:
        yield Problem("warning", "no-edges", "the graph has no edges: every graph operator is an MLP")
        return
    if source.min() < 0 or target.min() < 0 or max(source.max(), target.max()) >= data.num_nodes:
        yield Problem("error", "edge-range", f"an edge names a node outside 0..{data.num_nodes - 1}")
        return
    codes = source * np.int64(data.num_nodes) + target
    yield from _edge_counts(data, codes)


def _edge_counts(data: GraphData, codes: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> Iterator[Problem]:
    source, target = data.edge_index
    known = distinct(codes)
    duplicates = data.num_edges - len(known)
    loops = int((source == target).sum())
    back = np.sort(target * np.int64(data.num_nodes) + source)  # a search for sorted values stays in the cache
    one_way = int((known[np.minimum(np.searchsorted(known, back), len(known) - 1)] != back).sum())
    ends = data.edge_index[:, source != target]
    isolated = int((np.bincount(ends.ravel(), minlength=data.num_nodes) == 0).sum())
    if duplicates:
        yield Problem("warning", "duplicate-edges", f"{duplicates} of {data.num_edges} edges are duplicates and count twice")
    if loops:
        yield Problem("note", "self-loops", f"{loops} nodes have an edge to themselves")
    if one_way:
        yield Problem("note", "directed", f"{one_way} of {data.num_edges} edges have no edge back: the graph is directed")
    if isolated:
        yield Problem(
            "note", "isolated-nodes", f"{isolated} of {data.num_nodes} nodes have no neighbour: only their features speak for them"
        )


def _features(data: GraphData) -> Iterator[Problem]:
    values = data.x.data if sp.issparse(data.x) else data.x
    if not np.isfinite(values).all():
        yield Problem("error", "features-not-finite", "features hold values that are not finite")
        return
    highest, lowest = (_column(data.x.max(axis=0)), _column(data.x.min(axis=0)))
    constant = int((highest == lowest).sum())
    filled = (data.x != 0).getnnz(axis=1) if sp.issparse(data.x) else (data.x != 0).any(axis=1)
    empty = int((filled == 0).sum())
    if constant:
        yield Problem("note", "constant-features", f"{constant} of {data.num_features} features are the same for every node")
    if empty:
        yield Problem("note", "empty-rows", f"{empty} of {data.num_nodes} nodes have no features at all")


def _column(values: object) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.asarray(values.toarray() if sp.issparse(values) else values).ravel()  # type: ignore[attr-defined]


def _labels(task: Task) -> Iterator[Problem]:
    data = task.data
    assert data is not None
    if data.y.max() >= data.num_classes or data.y.min() < -1:
        yield Problem(
            "error", "label-range", f"labels run from {data.y.min()} to {data.y.max()}; expected -1 (none) or 0..{data.num_classes - 1}"
        )
        return
    counts = np.bincount(data.y[data.y >= 0], minlength=data.num_classes)
    unlabelled = int((data.y < 0).sum())
    if unlabelled:
        yield Problem("note", "unlabelled", f"{unlabelled} of {data.num_nodes} nodes have no label and are in no split")
    if counts.min() == 0:
        yield Problem("warning", "empty-class", f"class {int(counts.argmin())} has no node at all")
    if task.metric.name == "accuracy" and counts.max() > 0.8 * counts.sum():
        yield Problem(
            "warning", "imbalance", f"one class has {100 * counts.max() / counts.sum():.0f} % of the nodes; prefer macro_f1 to accuracy"
        )


def _splits(task: Task) -> Iterator[Problem]:
    data = task.data
    assert data is not None
    findings: dict[tuple[Severity, str, str], list[int]] = {}
    for number, split in enumerate(task.splits):
        for severity, code, text in _split(data, split):
            findings.setdefault((severity, code, text), []).append(number)
    for (severity, code, text), numbers in findings.items():
        where = "" if len(numbers) == task.num_splits else f" (splits {', '.join(map(str, numbers))})"
        yield Problem(severity, code, text + where)


def _split(data: GraphData, split: Split) -> Iterator[tuple[Severity, str, str]]:
    parts = {"train": split.train, "val": split.val, "test": split.test}
    for one, other in (("train", "val"), ("train", "test"), ("val", "test")):
        if shared := len(np.intersect1d(parts[one], parts[other])):
            yield "error", "leak", f"nodes are in both {one} and {other} ({shared})"
    for name, nodes in parts.items():
        if not len(nodes):
            yield "error", "empty-part", f"{name} is empty"
        elif nodes.min() < 0 or nodes.max() >= data.num_nodes:
            yield "error", "split-range", f"{name} names a node outside 0..{data.num_nodes - 1}"
        else:
            yield from _part(data, name, nodes)


def _part(data: GraphData, name: str, nodes: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> Iterator[tuple[Severity, str, str]]:
    labels = data.y[nodes]
    if (labels < 0).any():
        yield "error", "unlabelled-in-split", f"{name} holds {int((labels < 0).sum())} nodes without a label"
    if len(np.unique(nodes)) < len(nodes):
        yield "error", "repeated-in-split", f"{name} holds a node twice"
    absent = sorted(set(np.unique(data.y[data.y >= 0]).tolist()) - set(labels.tolist()))
    if absent:
        yield (
            "warning" if name == "train" else "note",
            f"class-absent-from-{name}",
            f"{name} has no node of class {', '.join(map(str, absent))}",
        )
    if name != "train" and len(nodes) < SMALL_PART:
        points = 50.0 / np.sqrt(len(nodes))
        yield "warning", f"small-{name}", f"{name} has {len(nodes)} nodes: one standard error of an accuracy is up to {points:.1f} points"


def _identity(task: Task) -> Iterator[Problem]:
    known = FINGERPRINTS.get(task.name)
    if known is not None and not task.fingerprint.startswith(known):
        yield Problem(
            "warning", "fingerprint", f"the data ({task.fingerprint[:16]}) is not the copy of {task.name} that is known ({known})"
        )
