"""``agentnas export``: a run's winner as code that runs without AgentNAS."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agentnas.cli.options import Json, RunsDir
from agentnas.cli.output import emit, emit_json
from agentnas.cli.report import RunName
from agentnas.cli.shell import COMMANDS, command_app
from agentnas.tools.errors import RunError

app = command_app()

To = Annotated[Path, typer.Option(help="Folder to write; it must not exist yet.")]


@app.command(help=COMMANDS["export"].help)
def export(run: RunName = "latest", to: To = Path("export"), runs_dir: RunsDir = None, json: Json = False) -> None:
    from agentnas.config import resolve
    from agentnas.memory.runs import find
    from agentnas.run import Run
    from agentnas.winner import copy_winner

    found = Run(find(resolve({"runs_dir": runs_dir}).config.runs_dir, run))
    end = found.view.finished
    if end is not None and found.view.winner is None:
        raise RunError(f"run {found.name} ended without a design: {end.message or end.outcome}")
    files = copy_winner(found, to)
    if json:
        emit_json({"run": found.name, "folder": str(to), "files": list(files)})
    else:
        emit("\n".join(str(to / name) for name in files))
