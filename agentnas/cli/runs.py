"""``agentnas runs``: what was run, how it stands, how runs compare, where they are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from agentnas.cli.options import Json, RunsDir
from agentnas.cli.output import counted, emit, emit_json, say, table
from agentnas.cli.shell import COMMANDS, group_app
from agentnas.config import format_duration, resolve
from agentnas.memory.rundir import RunDirectory
from agentnas.memory.runs import find, list_runs
from agentnas.memory.view import JournalView
from agentnas.tools.errors import UsageError

# What the columns of a comparison are, where the name of the figure alone does not say it.
HEADERS = {"active_seconds": "active", "difference": "test minus first run's", "se": "standard error"}

app = group_app(COMMANDS["runs"].help)
Run = Annotated[str, typer.Argument(help="Name of a run, the beginning of one, a path, or latest.", show_default=False)]
Runs = Annotated[list[str], typer.Argument(help="Two or more runs.", show_default=False)]


@app.command("list")
def list_(runs_dir: RunsDir = None, json: Json = False) -> None:
    """All runs, newest first."""
    folder = _folder(runs_dir)
    runs = list_runs(folder)
    if json:
        emit_json([{"name": run.name, **vars(run)} for run in runs])
        return
    if not runs:
        say(f"{folder} holds no runs; agentnas design starts one")
        return
    emit(table(("run", "task", "state", "outcome"), ((run.name, run.task, run.state, run.outcome or "-") for run in runs)))
    for run in runs:
        if run.problem:
            say(f"{run.name}: {run.problem}")


@app.command()
def show(
    run: Run = "latest",
    top: Annotated[int, typer.Option(min=1, help="Lines of the leaderboard.")] = 10,
    runs_dir: RunsDir = None,
    json: Json = False,
) -> None:
    """One run: how far it came, its leaderboard, its winner."""
    directory = find(_folder(runs_dir), run)
    view = directory.view()
    if json:
        emit_json({**_summary(directory, view), "leaderboard": list(_leaderboard(view, top))})
        return
    for key, value in _summary(directory, view).items():
        emit(f"{key.replace('_', ' '):<15} {_said(key, value)}")
    board = list(_leaderboard(view, top))
    if board:
        emit("\n" + table([name.replace("_", " ") for name in board[0]], (row.values() for row in map(_as_row, board))))


@app.command()
def path(run: Run = "latest", runs_dir: RunsDir = None, json: Json = False) -> None:
    """The directory of a run."""
    found = find(_folder(runs_dir), run)
    if json:
        emit_json({"run": found.name, "path": str(found.path.resolve())})
    else:
        emit(str(found.path.resolve()))


@app.command()
def compare(runs: Runs, runs_dir: RunsDir = None, json: Json = False) -> None:
    """Winners of several runs side by side.

    Where task and protocol are the same, each test is compared with the first run's, seed by seed.
    """
    if len(runs) < 2:
        raise UsageError(f"{len(runs)} run to compare; give two or more")
    folder = _folder(runs_dir)
    found = [find(folder, name) for name in runs]
    views = [directory.view() for directory in found]
    rows = [_compared(directory, view, views[0]) for directory, view in zip(found, views, strict=True)]
    if json:
        emit_json(rows)
        return
    emit(table([HEADERS.get(name, name.replace("_", " ")) for name in rows[0]], (_timed(row).values() for row in rows)))
    protocols = {(row["task"], row["protocol"]) for row in rows}
    if len(protocols) > 1:
        say("tasks or protocols differ: these scores say nothing about each other, and no difference is computed")


def _folder(runs_dir: Path | None) -> Path:
    return resolve({"runs_dir": runs_dir}).config.runs_dir


def _summary(directory: RunDirectory, view: JournalView) -> dict[str, Any]:
    winner, end = view.winner, view.finished
    return {
        "run": directory.name,
        "path": str(directory.path.resolve()),
        "task": directory.task,
        "protocol": view.started.protocol if view.started else None,
        "state": _state(directory, view),
        "outcome": end.outcome if end else None,
        "message": (end.message or None) if end else None,
        "active_seconds": view.active_seconds,
        "resumes": view.resumes,
        "trials": view.num_tried,
        "evaluations": view.num_evaluations,
        "winner": winner.trial if winner else None,
        "design": _text(view, winner.trial) if winner else None,
        "validation": _mean_sd(winner.val_mean, winner.val_sd, winner.seeds) if winner else None,
        "test": _test(view),
    }


def _state(directory: RunDirectory, view: JournalView) -> str:
    if directory.writer():
        return "running"
    return "finished" if view.finished else "unfinished"


def _text(view: JournalView, trial: str) -> str | None:
    return view.proposals[trial].text if trial in view.proposals else None


def _mean_sd(mean: float, sd: float | None, seeds: int) -> dict[str, float | int | None]:
    return {"mean": mean, "sd": sd, "seeds": seeds}


def _test(view: JournalView) -> dict[str, Any] | None:
    """Mean and deviation of the winner's test scores; None while the test is sealed."""
    scores = list(_test_scores(view).values())
    if not scores:
        return None
    from agentnas.agents.statistics import mean_and_sd

    return _mean_sd(*mean_and_sd(scores), len(scores))


def _test_scores(view: JournalView) -> dict[int, float]:
    scores = view.test.scores.get(view.winner.trial, {}) if view.test and view.winner else {}
    return {int(seed): score for seed, score in scores.items()}


def _leaderboard(view: JournalView, top: int) -> Iterator[dict[str, Any]]:
    for standing in view.leaderboard(top):
        proposal = view.proposals.get(standing.trial)
        yield {
            "trial": standing.trial,
            "rung": standing.rung,
            "validation": standing.val_mean,
            "sd": standing.val_sd,
            "seeds": standing.seeds,
            "author": (proposal.anchor and f"{proposal.author} ({proposal.name})") or proposal.author if proposal else None,
            "design": proposal.text if proposal else None,
        }


def _as_row(entry: dict[str, Any]) -> dict[str, Any]:
    design = entry["design"] or ""
    return entry | {"design": " ".join(design.split())[:80]}


def _timed(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"active_seconds": format_duration(round(row["active_seconds"]))}


def _compared(directory: RunDirectory, view: JournalView, first: JournalView) -> dict[str, Any]:
    test = _test(view) or {}
    return {
        "run": directory.name,
        "task": directory.task,
        "protocol": view.started.protocol if view.started else None,
        "trials": view.num_tried,
        "active_seconds": view.active_seconds,
        "validation": view.winner.val_mean if view.winner else None,
        "test": test.get("mean"),
        "sd": test.get("sd"),
        "seeds": test.get("seeds"),
        **_difference(view, first),
    }


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


def _said(key: str, value: Any) -> str:
    if value is None:
        return "-"
    if key == "active_seconds":
        return format_duration(round(value))
    if isinstance(value, dict):
        spread = "?" if value["sd"] is None else f"{value['sd']:.2f}"
        return f"{value['mean']:.2f} ± {spread} ({counted(value['seeds'], 'seed')})"
    return str(value)
