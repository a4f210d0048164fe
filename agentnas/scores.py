"""Scores, and what is predicted of what, in words: the same on every screen and page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentnas.agents.statistics import mean_and_sd
from agentnas.memory.view import JournalView
from agentnas.tools.scale import ITEMS, Scale

OF = {
    ("node", "classes"): "classes of nodes", ("node", "labels"): "several labels of each node", ("node", "value"): "a value of each node",
    ("graph", "classes"): "classes of graphs", ("graph", "labels"): "several labels of each graph",
    ("graph", "value"): "a value of each graph", ("link", "classes"): "which pairs of nodes are edges",
}  # fmt: skip
TASKS = {
    ("node", "classes"): "node classification", ("node", "labels"): "node classification with several labels",
    ("node", "value"): "node regression", ("graph", "classes"): "graph classification",
    ("graph", "labels"): "graph classification with several labels", ("graph", "value"): "graph regression",
    ("link", "classes"): "link prediction",
}  # fmt: skip


def item_of(view: JournalView) -> str:
    """What is predicted of: ``node``, ``graph`` or ``pair``."""
    return ITEMS.get(view.started.kind, "node") if view.started else "node"


def items_of(view: JournalView) -> str:
    """The same, many of them."""
    return f"{item_of(view)}s"


def predicted(view: JournalView) -> str:
    """What a run's task asks for, such as ``classes of nodes``."""
    return OF.get((view.started.kind, view.started.target), OF["node", "classes"]) if view.started else ""


def kind_words(view: JournalView) -> str:
    """The kind of task as the field calls it, such as ``graph regression``."""
    return TASKS.get((view.started.kind, view.started.target), TASKS["node", "classes"]) if view.started else TASKS["node", "classes"]


def asked(view: JournalView) -> str:
    """What is predicted, in brackets; nothing for classes of nodes, which are the usual thing."""
    return "" if predicted(view) in ("", OF["node", "classes"]) else f" ({predicted(view)})"


def task_line(view: JournalView) -> str:
    """Task, what is predicted, and protocol."""
    assert view.started is not None
    return f"{view.started.task}{asked(view)}, {view.started.protocol}"


def scores_summary(values: list[float], scale: Scale) -> dict[str, Any]:
    """Scores as plain data, in percent; ``error`` holds the same in the unit of the target, where the metric is an error."""
    mean, sd = mean_and_sd(values)
    return with_error({"mean": mean, "sd": sd, "seeds": len(values), "scores": values}, scale)


def with_error(score: Mapping[str, Any], scale: Scale) -> dict[str, Any]:
    """The mean and deviation, with those of the error itself where the metric is one."""
    error = {"error": {"mean": scale.natural(score["mean"]), "sd": scale.width(score["sd"])}} if scale.is_error else {}
    return {**score, **error}


def gap_text(found: Mapping[str, Any], scale: Scale) -> str:
    """A paired difference in words: ``+0.50 ± 0.19``; of an error ``RMSE -0.05 ± 0.02``, where less is better."""
    return scale.named_change(found["difference"], found["se"])
