"""``agentnas profile``: measure one architecture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agentnas.cli.options import DataDir, Json
from agentnas.cli.output import emit, emit_json, table
from agentnas.cli.shell import COMMANDS, command_app

app = command_app()

SpecFile = Annotated[Path, typer.Argument(help="JSON file of a spec, such as the spec.json of a winner.", show_default=False)]
TaskName = Annotated[str, typer.Option("--task", help="Task whose data it is measured on.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]


@app.command(help=COMMANDS["profile"].help)
def profile(spec: SpecFile, task: TaskName = "cora", device: Device = "auto", data_dir: DataDir = None, json: Json = False) -> None:
    from agentnas.spec_file import read_spec
    from agentnas.tools.profiling import profile as measure
    from agentnas.tools.profiling import resolve_device
    from agentnas.tools.tasks import load_task
    from agentnas.tools.train.data import PreparedTask

    wanted = read_spec(spec)
    prepared = PreparedTask.from_task(load_task(task, data_dir=data_dir), resolve_device(device))
    measured = vars(measure(wanted, prepared))
    if json:
        emit_json({"task": task, "device": str(prepared.device), **measured})
    else:
        emit(table(("figure", "value"), [(name, f"{value:,}") for name, value in measured.items()]))
