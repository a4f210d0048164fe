"""``agentnas profile``: measure one architecture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agentnas.cli.options import AllowCode, DataDir, Json
from agentnas.cli.output import emit, emit_json, table
from agentnas.cli.shell import COMMANDS, command_app
from agentnas.cli.tasks import load

app = command_app()

SpecFile = Annotated[Path, typer.Argument(help="JSON file of a spec, such as the spec.json of a winner.", show_default=False)]
TaskName = Annotated[str | None, typer.Option("--task", help="Task; that of the winner, if the spec is one.", show_default=False)]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]


@app.command(help=COMMANDS["profile"].help)
def profile(
    spec: SpecFile, task: TaskName = None, device: Device = "auto", data_dir: DataDir = None, allow_code: AllowCode = None,
    json: Json = False,
) -> None:  # fmt: skip
    from agentnas.one_spec import task_of
    from agentnas.spec_file import read_spec
    from agentnas.tools.profiling import profile as measure
    from agentnas.tools.profiling import resolve_device
    from agentnas.tools.train.data import PreparedTask

    wanted = read_spec(spec)
    loaded = load(task_of(spec, task), None, data_dir, allow_code)
    prepared = PreparedTask.from_task(loaded, resolve_device(device))
    where = {"task": loaded.name, "protocol": loaded.protocol, "device": str(prepared.device)}
    measured = vars(measure(wanted, prepared))
    if json:
        emit_json({**where, **measured})
        return
    emit(", ".join([where["task"], where["protocol"], f"on {where['device']}"]))
    emit(table(("figure", "value"), [(name, f"{value:,}") for name, value in measured.items()]))
