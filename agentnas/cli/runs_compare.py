"""``agentnas runs compare``: several runs side by side, at equal numbers of trials, with what each cost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from agentnas.cli.options import Json, RunsDir
from agentnas.cli.output import emit, emit_json, say, table
from agentnas.cli.runs_found import folder
from agentnas.config import format_duration
from agentnas.memory.rundir import RunDirectory
from agentnas.memory.runs import find
from agentnas.memory.view import JournalView
from agentnas.tools.errors import UsageError

# What the figures of a comparison are, where the name of the figure alone does not say it.
HEADERS = {"active_seconds": "active", "difference": "test minus first run's", "se": "standard error"}
HIDDEN = ("best_at", "is_first")
RULES = "rules"

Runs = Annotated[list[str], typer.Argument(help="Two or more runs.", show_default=False)]


def compare(runs: Runs, runs_dir: RunsDir = None, json: Json = False) -> None:
    """Winners of several runs side by side, with what each cost.

    Where task and protocol are the same, each test is compared with the first run's, seed by seed. "best @N" is the best validation of
    each run's first N trials, before confirmation; N is the smallest number of trials among the runs.
    """
    if len(runs) < 2:
        raise UsageError(f"{len(runs)} run to compare; give two or more")
    where = folder(runs_dir)
    found = [find(where, name) for name in runs]
    _refuse_twice(runs, found)
    views = [directory.view() for directory in found]
    equal = min(view.num_tried for view in views)
    rows = [_compared(directory, view, views[0], equal) for directory, view in zip(found, views, strict=True)]
    if json:
        emit_json(rows)
        return
    labels = [f"best @{equal}" if name == "best" else HEADERS.get(name, name.replace("_", " ")) for name in rows[0] if name not in HIDDEN]
    columns = [_said(row) for row in rows]
    emit(table([labels[0], *(column[0] for column in columns)], zip(labels[1:], *(column[1:] for column in columns), strict=True)))
    if len({(row["task"], row["protocol"]) for row in rows}) > 1:
        say("tasks or protocols differ: these scores say nothing about each other, and no difference is computed")


def _refuse_twice(names: Sequence[str], found: Sequence[RunDirectory]) -> None:
    """Two names of one run are a slip: its difference from itself would look like a result."""
    known: dict[Path, str] = {}
    for name, directory in zip(names, found, strict=True):
        place = directory.path.resolve()
        if place in known:
            raise UsageError(f"{known[place]} and {name} are the same run, {directory.name}; give different runs")
        known[place] = name


def _compared(directory: RunDirectory, view: JournalView, first: JournalView, equal: int) -> dict[str, Any]:
    from agentnas.report_agents import models_of
    from agentnas.trace import best_after

    test, spent = winner_test(view) or {}, view.calls.total
    return {
        "run": directory.name,
        "task": directory.task,
        "protocol": view.started.protocol if view.started else None,
        "llm": ", ".join(models_of(view)) or RULES,
        "trials": view.num_tried,
        "evaluations": view.num_evaluations,
        "active_seconds": view.active_seconds,
        "calls": spent.calls,
        "tokens": spent.tokens,
        "cost": spent.known_cost,
        "best_at": equal,
        "best": best_after(view, equal),
        "validation": view.winner.val_mean if view.winner else None,
        "test": test.get("mean"),
        "sd": test.get("sd"),
        "seeds": test.get("seeds"),
        **_difference(view, first),
        "is_first": view is first,
    }


def _said(row: dict[str, Any]) -> list[Any]:
    """The cells of a run's column; what no model was asked for costs nothing that could be known or unknown."""
    from agentnas.words import money

    shown = row | {"active_seconds": format_duration(round(row["active_seconds"])), "cost": money(row["cost"])}
    if not row["calls"]:
        shown |= dict.fromkeys(("calls", "tokens", "cost"), "-")
    if row["is_first"]:
        shown |= dict.fromkeys(("difference", "se", "inside_noise"), "-")
    return [value for name, value in shown.items() if name not in HIDDEN]


def winner_test(view: JournalView) -> dict[str, float | int | None] | None:
    """Mean and deviation of the winner's test scores; None while the test is sealed."""
    scores = list(_test_scores(view).values())
    if not scores:
        return None
    from agentnas.agents.statistics import mean_and_sd

    mean, sd = mean_and_sd(scores)
    return {"mean": mean, "sd": sd, "seeds": len(scores)}


def _test_scores(view: JournalView) -> dict[int, float]:
    scores = view.test.scores.get(view.winner.trial, {}) if view.test and view.winner else {}
    return {int(seed): score for seed, score in scores.items()}


def _difference(view: JournalView, first: JournalView) -> dict[str, Any]:
    """Test minus the first run's over the seeds that both have: mean, standard error, and whether that is inside the noise."""
    ours, theirs = _test_scores(view), _test_scores(first)
    if view is first or not ours.keys() & theirs.keys() or not _same_protocol(view, first):
        return {"difference": None, "se": None, "inside_noise": None}
    from agentnas.agents.statistics import paired_difference

    found = paired_difference(ours, theirs)
    return {key: found[key] for key in ("difference", "se", "inside_noise")}


def _same_protocol(view: JournalView, first: JournalView) -> bool:
    if view.started is None or first.started is None:
        return False
    return (view.started.task, view.started.protocol) == (first.started.task, first.started.protocol)
