"""``agentnas export``: a run's winner as files that run without AgentNAS."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from agentnas.cli.options import AllowCode, DataDir, Json, RunsDir
from agentnas.cli.output import emit, emit_json, say
from agentnas.cli.report import RunName
from agentnas.cli.shell import COMMANDS, command_app

app = command_app()

To = Annotated[str, typer.Option(metavar="FORM", help="python, pt2 (torch.export), onnx, or state (weights without data).")]
Out = Annotated[Path, typer.Option(help="Folder to write; it must not exist yet.")]


@app.command(help=COMMANDS["export"].help)
def export(
    run: RunName = "latest", to: To = "python", out: Out = Path("export"), data_dir: DataDir = None, allow_code: AllowCode = None,
    runs_dir: RunsDir = None, json: Json = False,
) -> None:  # fmt: skip
    from agentnas.config import resolve
    from agentnas.memory.runs import find
    from agentnas.run import Run
    from agentnas.shipping import forms

    forms.check_form(to, out)
    found = Run(find(resolve({"runs_dir": runs_dir}).config.runs_dir, run))
    done = forms.export(found, to, out, data_dir, allow_code)
    for line in done.notes:
        say(line)
    if done.deviation is not None:
        say(done.deviation.text())
    if json:
        told = None if done.deviation is None else asdict(done.deviation)
        emit_json({"run": found.name, "form": to, "folder": str(out), "files": list(done.files), "deviation": told, "notes": done.notes})
    else:
        emit("\n".join(str(out / name) for name in done.files))
