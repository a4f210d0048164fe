"""``agentnas ablate``: what each choice of a run's winner is worth."""

from __future__ import annotations

from typing import Annotated

import typer

from agentnas.cli.options import AllowCode, Json, RunsDir
from agentnas.cli.output import emit, emit_json, say, table
from agentnas.cli.runs_found import found
from agentnas.cli.shell import COMMANDS, command_app

app = command_app()

RunName = Annotated[str, typer.Argument(help="A run: its name, a prefix of it, a path, or latest.")]
Seeds = Annotated[int, typer.Option(min=2, help="Seeds of the winner's confirmation that each variant is trained on.")]
Most = Annotated[int, typer.Option(min=1, help="Choices to take back, the structure first.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Worker processes; as in the run if not given.", show_default=False)]


@app.command(help=COMMANDS["ablate"].help)
def ablate(
    run: RunName = "latest", seeds: Seeds = 5, most: Most = 12, workers: Workers = None, allow_code: AllowCode = None,
    runs_dir: RunsDir = None, json: Json = False,
) -> None:  # fmt: skip
    from agentnas import ablation
    from agentnas.cli.design import stopping
    from agentnas.report import write_report
    from agentnas.run import Run

    asked = Run(found(run, runs_dir))
    with stopping() as stop:
        rows = ablation.ablate(asked, seeds, most, workers, tell=say, on_training=say, stop=stop, allow_code=allow_code)
    write_report(Run(asked.directory))
    if json:
        emit_json([{**vars(row), "verdict": row.verdict} for row in rows])
    else:
        emit(table(ablation.HEAD, [row.cells(asked.view.scale) for row in rows]))
    if stop.is_set():
        say("stopped; the same command goes on")
        raise typer.Exit(130)
