"""``agentnas report``: write the report of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agentnas.cli.options import Json, RunsDir
from agentnas.cli.output import emit, emit_json, soon
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
Runs = Annotated[list[str] | None, typer.Argument(metavar="RUN", help="A run: its name, a prefix of it, a path, or latest.")]
Compare = Annotated[bool, typer.Option("--compare", help="Compare several runs: agentnas report --compare RUN RUN ...")]
Live = Annotated[bool, typer.Option("--live", help="Serve the page on this machine, and keep it current, until Ctrl-C.")]
Port = Annotated[
    int | None, typer.Option(min=0, max=65535, help="Port of --live; one that is free if not given.", show_default=False)
]  # fmt: skip


@app.command(help=COMMANDS["report"].help)
def report(
    runs: Runs = None, compare: Compare = False, live: Live = False, port: Port = None, output: Output = None,
    format: Format = None, force: Force = False, runs_dir: RunsDir = None, json: Json = False,  # noqa: A002  # the option's own name
) -> None:  # fmt: skip
    names = runs or ["latest"]
    form = _format(format, output)
    _refuse_mixtures(names, compare=compare, live=live, port=port, written=bool(output or format or json))
    if output is not None and output.exists() and not force:
        raise UsageError(f"--output {output} exists; --force overwrites it")
    with soon("reading the runs" if compare else "reading the run") as settled:
        found = _found(names, runs_dir)
        if live:
            from agentnas.cli.report_live import serve

            settled()
            serve(found[0].directory, port or 0)
        elif json:
            emit_json(_rows(found) if compare else found[0].summary())
        else:
            _write(_comparison(found, form) if compare else _text(found[0], form), output)


def _refuse_mixtures(names: list[str], *, compare: bool, live: bool, port: int | None, written: bool) -> None:
    """Raise UsageError for options that mean nothing together."""
    if compare and live:
        raise UsageError("--live shows one run, --compare several; give one of them")
    if compare and len(names) < 2:
        raise UsageError(f"--compare needs two or more runs, {len(names)} given: agentnas report --compare RUN RUN ...")
    if len(names) > 1 and not compare:
        raise UsageError(f"{len(names)} runs given; --compare puts them side by side, else give one")
    if live and written:
        raise UsageError("--live writes nothing; leave --output, --format and --json out")
    if port is not None and not live:
        raise UsageError(f"--port {port} is of --live alone; give both, or leave it out")


def _found(names: list[str], runs_dir: Path | None) -> list[Run]:
    from agentnas.comparing import refuse_twice
    from agentnas.config import resolve
    from agentnas.memory.runs import find
    from agentnas.run import Run

    where = resolve({"runs_dir": runs_dir}).config.runs_dir
    found = [find(where, name) for name in names]
    refuse_twice(names, found)
    return [Run(directory) for directory in found]


def _rows(runs: list[Run]) -> list[dict[str, Any]]:
    """As ``runs compare --json`` has them, each task and protocol reckoned by itself."""
    from agentnas.comparing import groups_of

    return [row for group in groups_of(runs) for row in group.rows]


def _format(wanted: str | None, output: Path | None) -> str:
    if wanted is not None and wanted not in FORMATS:
        raise UsageError(f"--format {wanted} is not known; allowed are {' and '.join(FORMATS)}")
    return wanted or ("html" if output is not None and output.suffix.lower() in (".html", ".htm") else "markdown")


def _text(run: Run, form: str) -> str:
    return run.page() if form == "html" else run.report()


def _comparison(runs: list[Run], form: str) -> str:
    from agentnas.page.compare import comparison_markdown, render_comparison

    return render_comparison(runs) if form == "html" else comparison_markdown(runs)


def _write(text: str, output: Path | None) -> None:
    from agentnas.memory.rundir import write_atomic

    if output is None:
        emit(text)
    else:
        write_atomic(output, text.encode())
        emit(str(output))
