"""What the commands about runs share: how a run is named, and where it is found."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path
from typing import Annotated

import typer

from agentnas.config import resolve
from agentnas.memory.rundir import RunDirectory
from agentnas.memory.runs import find

RunName = Annotated[str, typer.Argument(help="Name of a run, the beginning of one, a path, or latest.", show_default=False)]
# Longer lines are hard to read, however wide the terminal is.
WIDEST = 120


def folder(runs_dir: Path | None) -> Path:
    """The folder of run directories that the settings name."""
    return resolve({"runs_dir": runs_dir}).config.runs_dir


def found(run: str, runs_dir: Path | None) -> RunDirectory:
    """The run of this name; raises UsageError or RunError."""
    return find(folder(runs_dir), run)


def resume_command(directory: RunDirectory, runs_dir: Path | None) -> str:
    """The command that goes on with the run."""
    where = f" --runs-dir {shlex.quote(str(runs_dir))}" if runs_dir else ""
    return f"agentnas design --resume {directory.name}{where}"


def width() -> int:
    """Columns of the terminal; 80 in a pipe."""
    return min(shutil.get_terminal_size((80, 24)).columns, WIDEST)
