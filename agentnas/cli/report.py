"""``agentnas report``: write the report of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agentnas.cli.options import Json, RunsDir
from agentnas.cli.output import emit, emit_json
from agentnas.cli.shell import COMMANDS, command_app
from agentnas.tools.errors import UsageError

app = command_app()

RunName = Annotated[str, typer.Argument(help="A run: its name, a prefix of it, a path, or latest.")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="File to write; printed if not given.", show_default=False)]


Force = Annotated[bool, typer.Option("--force", help="Overwrite the file if it exists.")]


@app.command(help=COMMANDS["report"].help)
def report(run: RunName = "latest", output: Output = None, force: Force = False, runs_dir: RunsDir = None, json: Json = False) -> None:
    from agentnas.config import resolve
    from agentnas.memory.rundir import write_atomic
    from agentnas.memory.runs import find
    from agentnas.run import Run

    if output is not None and output.exists() and not force:
        raise UsageError(f"--output {output} exists; --force overwrites it")
    found = Run(find(resolve({"runs_dir": runs_dir}).config.runs_dir, run))
    if json:
        emit_json(found.summary())
    elif output is None:
        emit(found.report())
    else:
        write_atomic(output, found.report().encode())
        emit(str(output))
