"""``agentnas runs``: what was run, how it stands, how runs compare, who said what in them, and what people say to them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import typer

from agentnas.cli.options import Json, RunsDir
from agentnas.cli.output import counted, emit, emit_json, say, table
from agentnas.cli.runs_compare import compare
from agentnas.cli.runs_found import RunName, folder, found, width
from agentnas.cli.runs_review import review
from agentnas.cli.runs_state import stage, stage_of
from agentnas.cli.runs_tell import tell
from agentnas.cli.runs_trace import trace
from agentnas.cli.shell import COMMANDS, group_app
from agentnas.config import format_duration
from agentnas.memory.events import AnyEvent, WinnerChosen
from agentnas.memory.rundir import RunDirectory
from agentnas.memory.runs import list_runs
from agentnas.memory.view import JournalView
from agentnas.tools.scale import Scale
from agentnas.words import wrap

# Of the lines below a trial.
INDENT = 7

app = group_app(COMMANDS["runs"].help)


@app.command("list")
def list_(runs_dir: RunsDir = None, json: Json = False) -> None:
    """All runs, newest first."""
    where = folder(runs_dir)
    runs = list_runs(where)
    if json:
        emit_json([{"name": run.name, **vars(run), "stage": stage_of(run)} for run in runs])
        return
    if not runs:
        say(f"{where} holds no runs; agentnas design starts one")
        return
    emit(table(("run", "task", "state", "outcome"), ((run.name, run.task, stage_of(run), run.outcome or "-") for run in runs)))
    for run in runs:
        if run.problem:
            say(f"{run.name}: {run.problem}")


@app.command()
def show(
    run: RunName = "latest",
    top: Annotated[int, typer.Option(min=1, help="Lines of the leaderboard.")] = 10,
    runs_dir: RunsDir = None,
    json: Json = False,
) -> None:
    """One run: how far it came, what its language models cost, its leaderboard, its winner."""
    directory = found(run, runs_dir)
    events = directory.events()
    view = JournalView(events)
    if json:
        emit_json({**_summary(directory, view, events), "leaderboard": list(_leaderboard(view, top))})
        return
    summary, columns = _summary(directory, view, events), width()
    spent = summary.pop("spending")
    for key, value in (summary | {"state": summary.pop("stage")}).items():
        emit(_summary_line(key, value, columns, view.scale))
    if spent:
        emit("\n" + _spending_text(view, columns))
    if board := list(_leaderboard(view, top)):
        emit("\n" + _board_text(board, columns, view.scale))


@app.command()
def path(run: RunName = "latest", runs_dir: RunsDir = None, json: Json = False) -> None:
    """The directory of a run."""
    directory = found(run, runs_dir)
    where = str(directory.path.resolve())
    if json:
        emit_json({"run": directory.name, "path": where})
    else:
        emit(where)


for command in (compare, trace, review, tell):
    app.command()(command)


def _summary(directory: RunDirectory, view: JournalView, events: Sequence[AnyEvent]) -> dict[str, Any]:
    from agentnas.busy import busy_line
    from agentnas.comparing import winner_test
    from agentnas.report_agents import spending

    winner, end = view.winner, view.finished
    return {
        "run": directory.name,
        "path": str(directory.path.resolve()),
        "task": directory.task,
        "protocol": view.started.protocol if view.started else None,
        "state": _state(directory, view),
        "stage": stage(view, is_running=directory.writer() is not None),
        "outcome": end.outcome if end else None,
        "message": (end.message or None) if end else None,
        "active_seconds": view.active_seconds,
        "resumes": view.resumes,
        "trials": view.num_tried,
        "evaluations": view.num_evaluations,
        "winner": winner.trial if winner else None,
        "design": _text(view, winner.trial) if winner else None,
        "validation": _mean_sd(view, winner) if winner else None,
        "test": winner_test(view),
        "busy": busy_line(view, events) or None,
        "spending": spending(view),
    }


def _state(directory: RunDirectory, view: JournalView) -> str:
    if directory.writer():
        return "running"
    return "finished" if view.finished else "unfinished"


def _text(view: JournalView, trial: str) -> str | None:
    return view.proposals[trial].text if trial in view.proposals else None


def _mean_sd(view: JournalView, winner: WinnerChosen) -> dict[str, Any]:
    from agentnas.report_verdicts import of_winner
    from agentnas.scores import with_error

    return with_error({"mean": winner.val_mean, "sd": winner.val_sd, "seeds": winner.seeds, **of_winner(view)}, view.scale)


def _leaderboard(view: JournalView, top: int) -> Iterator[dict[str, Any]]:
    from agentnas.memory.memory import trainings_of
    from agentnas.report_verdicts import cut_trainings

    for standing in view.leaderboard(top):
        proposal = view.proposals.get(standing.trial)
        yield {
            "trial": standing.trial,
            "rung": standing.rung,
            "validation": standing.val_mean,
            "sd": standing.val_sd,
            "seeds": standing.seeds,
            "cut": len(cut_trainings(trainings_of(view, standing))),
            "author": (proposal.anchor and f"{proposal.author} ({proposal.name})") or proposal.author if proposal else None,
            "design": proposal.text if proposal else None,
        }


def _board_text(board: Sequence[dict[str, Any]], columns: int, scale: Scale) -> str:
    """A line of scores for each trial, and its design, whole, below it."""
    rows = [(row["trial"], row["rung"], scale.spread(row["validation"], row["sd"]), row["seeds"]) for row in board]
    head, *lines = table(("trial", "rung", "validation", "seeds"), rows).splitlines()
    told = [wrap(f"{row['author']}: {row['design'] or ''}{_ended(row['cut'], row['seeds'])}", columns, INDENT) for row in board]
    return "\n".join([head, *(f"{line}\n{design}" for line, design in zip(lines, told, strict=True))])


def _ended(cut: int, count: int) -> str:
    from agentnas.report_verdicts import ended_words

    return f"; {ended_words(cut, count)}" if cut else ""


def _spending_text(view: JournalView, columns: int) -> str:
    """A table, or a paragraph a role where the terminal is too narrow for one."""
    from agentnas.report_agents import SPENDING_HEAD, spending_rows

    rows = spending_rows(view)
    whole = table(SPENDING_HEAD, rows)
    head, *lines = whole.splitlines()
    if max(len(head) - len(typer.style("", bold=True)), *map(len, lines)) <= columns:
        return whole
    told = (", ".join(f"{name} {cell}" for name, cell in zip(SPENDING_HEAD[1:], row[1:], strict=True)) for row in rows)
    return "\n".join(wrap(text, columns, lead=f"{row[0]:<8}") for row, text in zip(rows, told, strict=True))


def _summary_line(key: str, value: Any, columns: int, scale: Scale) -> str:
    lead, said = f"{key.replace('_', ' '):<15} ", _said(key, value, scale)
    return wrap(said, columns, lead=lead) if " " in said else lead + said  # a path or a name stays in one piece


def _said(key: str, value: Any, scale: Scale) -> str:
    if value is None:
        return "-"
    if key == "active_seconds":
        return format_duration(round(value))
    if isinstance(value, dict):
        ended = _ended(value.get("cut", 0), value.get("trainings", 0))
        return f"{scale.told(value['mean'], value['sd'])} ({counted(value['seeds'], 'seed')}{ended})"
    return str(value)
