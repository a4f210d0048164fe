"""``agentnas report``: write the report of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agentnas.cli.options import Json, RunsDir
from agentnas.cli.output import emit, emit_json
from agentnas.cli.shell import COMMANDS, command_app
from agentnas.tools.errors import UsageError

if TYPE_CHECKING:
    from agentnas.run import Run

app = command_app()

RunName = Annotated[str, typer.Argument(help="A run: its name, a prefix of it, a path, or latest.")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="File to write; printed if not given.", show_default=False)]
FORMATS = ("markdown", "html")
Format = Annotated[
    str | None, typer.Option("--format", help="markdown or html; html where --output ends so, else markdown.", show_default=False)
]

Force = Annotated[bool, typer.Option("--force", help="Overwrite the file if it exists.")]


@app.command(help=COMMANDS["report"].help)
def report(
    run: RunName = "latest", output: Output = None, format: Format = None,  # noqa: A002  # the option's own name
    force: Force = False, runs_dir: RunsDir = None, json: Json = False,
) -> None:  # fmt: skip
    from agentnas.config import resolve
    from agentnas.memory.rundir import write_atomic
    from agentnas.memory.runs import find
    from agentnas.run import Run

    form = _format(format, output)
    if output is not None and output.exists() and not force:
        raise UsageError(f"--output {output} exists; --force overwrites it")
    found = Run(find(resolve({"runs_dir": runs_dir}).config.runs_dir, run))
    if json:
        emit_json(found.summary())
    elif output is None:
        emit(_text(found, form))
    else:
        write_atomic(output, _text(found, form).encode())
        emit(str(output))


def _format(wanted: str | None, output: Path | None) -> str:
    if wanted is not None and wanted not in FORMATS:
        raise UsageError(f"--format {wanted} is not known; allowed are {' and '.join(FORMATS)}")
    return wanted or ("html" if output is not None and output.suffix.lower() in (".html", ".htm") else "markdown")


def _text(run: Run, form: str) -> str:
    return run.page() if form == "html" else run.report()
