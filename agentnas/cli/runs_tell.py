"""``agentnas runs tell``: a message to the planner of a run, from another terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from agentnas.cli.options import Json, RunsDir
from agentnas.cli.output import emit_json, say
from agentnas.cli.runs_found import RunName, found, resume_command
from agentnas.memory.rundir import RunDirectory
from agentnas.memory.view import JournalView
from agentnas.tools.errors import RunError

Text = Annotated[str, typer.Argument(help="What the planner should know.", show_default=False)]


def tell(run: RunName, text: Text, runs_dir: RunsDir = None, json: Json = False) -> None:
    """Put a message before the planner's next turn."""
    from agentnas.memory.inbox import leave_message

    directory = found(run, runs_dir)
    view = directory.view()
    refuse_ended(directory, view)
    message = leave_message(directory, text)
    if json:
        emit_json({"run": directory.name, "text": message.text, "item": message.name})
    say(_when(directory, view, runs_dir) + ("" if has_model(directory) else "; its rule-based planner reads no messages"))


def refuse_ended(directory: RunDirectory, view: JournalView) -> None:
    """Raise RunError where no planner will have another turn, also not after a resume."""
    if view.finished is not None and view.finished.outcome in ("designed", "no_design_fits"):
        raise RunError(f"run {directory.name} is finished; start a new run with agentnas design")
    if view.finalists is not None or view.winner is not None:
        raise RunError(f"run {directory.name} has ended its search and plans no more; start a new run with agentnas design")


def _when(directory: RunDirectory, view: JournalView, runs_dir: Path | None) -> str:
    if directory.writer():
        # The first round tries the anchors, and no planner is asked before them.
        earliest = max(1, max(view.plans, default=-1) + (view.awaiting is None))
        return f"the planner of run {directory.name} reads it before its next plan, in round {earliest} at the earliest"
    return f"the planner reads it when the run goes on: {resume_command(directory, runs_dir)}"


def settings_of(directory: RunDirectory) -> dict[str, Any]:
    """The settings with which the run was last started or resumed."""
    return directory.read_json("config.json")


def has_model(directory: RunDirectory) -> bool:
    """Whether the run's planner asks a language model."""
    settings = settings_of(directory)
    return (settings.get("planner_llm") or settings.get("llm") or "rules") != "rules"
