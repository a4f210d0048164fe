"""Scores, and what is predicted of what, in words: the same on every screen and page."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from agentnas.agents.splits import split_offsets
from agentnas.agents.statistics import mean_and_sd
from agentnas.memory.view import JournalView
from agentnas.tools.scale import ITEMS, Scale
from agentnas.words import plural

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


def repeat_of(view: JournalView, count: int = 1) -> str:
    """What ``count`` scores of a design are of: ``split`` or ``fold`` where each seed has one of its own, else ``seed``."""
    return repeat_under(view.started.protocol if view.started else "", count)


def repeat_under(protocol: str, count: int = 1) -> str:
    """The same of a protocol, such as ``10 stratified folds, ...``."""
    several, number = re.search(r"\b(split|fold)s\b", protocol), re.match(r"\d+", protocol)
    return "seed" if several is None or (number and count > int(number[0])) else several[1]


def repeats(view: JournalView, count: int) -> str:
    """``10 seeds``, ``10 splits`` or ``10 folds``."""
    return plural(count, repeat_of(view, count))


def repeats_of_winner(view: JournalView) -> str:
    """``seeds``, ``splits`` or ``folds``: what the scores of the winner's confirmation are of."""
    return f"{repeat_of(view, view.winner.seeds if view.winner else 1)}s"


def full_scores(view: JournalView, trial: str) -> dict[int, float]:
    """Validation of a trial by seed, of trainings of all epochs; confirmation apart."""
    full = view.started.full if view.started else ()
    return {done.seed: done.val for done in view.evaluations(trial) if done.rung in full and math.isfinite(done.val)}


def offsets_of(view: JournalView) -> dict[int, float]:
    """How much easier each seed's split is than the mean of them (``split_offsets``); empty where all seeds share one split."""
    if repeat_of(view) == "seed" or view.started is None or not view.started.full:
        return {}
    first = max((len(view.evaluations(trial, view.started.full[0])) for trial in view.proposals), default=0)
    return split_offsets((full_scores(view, trial) for trial in view.proposals), first)


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
