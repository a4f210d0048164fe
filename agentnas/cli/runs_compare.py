"""``agentnas runs compare``: several runs side by side, at equal numbers of trials, with what each cost."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from agentnas.cli.options import Json, RunsDir
from agentnas.cli.output import counted, emit, emit_json, say, table
from agentnas.cli.runs_found import folder
from agentnas.config import format_duration
from agentnas.memory.runs import find
from agentnas.tools.errors import UsageError
from agentnas.tools.scale import Scale

# What the figures of a comparison are, where the name of the figure alone does not say it.
HEADERS = {"active_seconds": "active", "difference": "test minus first run's", "se": "standard error", "cut": "ended by time limit"}
HIDDEN = ("best_at", "is_first", "trainings")

Runs = Annotated[list[str], typer.Argument(help="Two or more runs.", show_default=False)]


def compare(runs: Runs, runs_dir: RunsDir = None, json: Json = False) -> None:
    """Winners of several runs side by side, with what each cost.

    Where task and protocol are the same, each test is compared with the first run's, seed by seed. "best @N" is the best validation of
    each run's first N trials, before confirmation; N is the smallest number of trials among the runs.
    """
    from agentnas.comparing import refuse_twice, row_of

    if len(runs) < 2:
        raise UsageError(f"{len(runs)} run to compare; give two or more")
    where = folder(runs_dir)
    found = [find(where, name) for name in runs]
    refuse_twice(runs, found)
    views = [directory.view() for directory in found]
    equal = min(view.num_tried for view in views)
    rows = [row_of(directory, view, views[0], equal) for directory, view in zip(found, views, strict=True)]
    if json:
        emit_json(rows)
        return
    hidden = HIDDEN if any(row["cut"] for row in rows) else (*HIDDEN, "cut")
    labels = [f"best @{equal}" if name == "best" else HEADERS.get(name, name.replace("_", " ")) for name in rows[0] if name not in hidden]
    columns = [_said(row, view.scale, hidden) for row, view in zip(rows, views, strict=True)]
    emit(table([labels[0], *(column[0] for column in columns)], zip(labels[1:], *(column[1:] for column in columns), strict=True)))
    if len({(row["task"], row["protocol"]) for row in rows}) > 1:
        say("tasks or protocols differ: these scores say nothing about each other, and no difference is computed")


def _said(row: dict[str, Any], scale: Scale, hidden: tuple[str, ...]) -> list[Any]:
    """The cells of a run's column; what no model was asked for costs nothing that could be known or unknown."""
    from agentnas.words import money

    shown = row | _in_words(row, scale) | {"active_seconds": format_duration(round(row["active_seconds"])), "cost": money(row["cost"])}
    if row["cut"]:
        shown["cut"] = f"{row['cut']} of {counted(row['trainings'], 'training')}"
    if not row["calls"]:
        shown |= dict.fromkeys(("calls", "tokens", "cost"), "-")
    if row["is_first"]:
        shown |= dict.fromkeys(("difference", "se", "inside_noise"), "-")
    return [value for name, value in shown.items() if name not in hidden]


def _in_words(row: dict[str, Any], scale: Scale) -> dict[str, Any]:
    """Scores, noise and difference of an error metric as the error itself; of other metrics they are shown as they are."""
    if not scale.is_error:
        return {}
    shown: dict[str, Any] = {name: scale.number(row[name]) for name in ("best", "validation", "test") if row[name] is not None}
    shown |= {name: scale.noise(row[name]) for name in ("sd", "se") if row[name] is not None}
    return shown | ({} if row["difference"] is None else {"difference": scale.gap(row["difference"])})
