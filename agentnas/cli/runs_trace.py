"""``agentnas runs trace``: the conversation behind a run, or behind one of its trials."""

from __future__ import annotations

from typing import Annotated

import typer

from agentnas.cli.options import Json, RunsDir
from agentnas.cli.output import emit, emit_json
from agentnas.cli.runs_found import RunName, found, width

Trial = Annotated[str | None, typer.Argument(help="A trial, such as t0007; the whole run if not given.", show_default=False)]


def trace(run: RunName, trial: Trial = None, runs_dir: RunsDir = None, json: Json = False) -> None:
    """Who proposed what, from what evidence, and what came of it.

    With a trial: its ancestry, the plan of its round, the calls to language models behind it, what the analyst said of it. Without: all
    calls, all faults, and which trial descends from which.
    """
    from agentnas.run import Run
    from agentnas.trace import trace_run, trace_trial
    from agentnas.trace_text import run_text, trial_text

    looked_at = Run(found(run, runs_dir))
    if trial is None:
        data = trace_run(looked_at)
        text = run_text
    else:
        data = trace_trial(looked_at, trial)
        text = trial_text
    if json:
        emit_json(data)
    else:
        emit(text(data, width()))
