"""Finding runs among the directories of ``runs/``, of which some may be half-written, foreign, or being written now."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from agentnas.memory.rundir import RunDirectory
from agentnas.tools.errors import RunError, UsageError, suggest

RunState = Literal["running", "finished", "unfinished", "half-written"]
TAIL_BYTES = 65536


@dataclass(frozen=True)
class RunListing:
    """A line of ``runs list``; ``problem`` says why a half-written run cannot be opened."""

    path: Path
    state: RunState
    task: str | None = None
    created: str | None = None
    outcome: str | None = None
    problem: str | None = None

    @property
    def name(self) -> str:
        """The directory's name."""
        return self.path.name


def list_runs(runs_dir: Path) -> list[RunListing]:
    """All runs, newest first, then half-written ones; reads the two ends of a run, so that thousands list quickly."""
    try:
        entries = sorted(entry for entry in runs_dir.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RunError(f"cannot read {runs_dir}: {error.strerror}") from None
    listed = [_listing(entry) for entry in entries]
    return sorted(listed, key=lambda run: (run.created or "", run.name), reverse=True)


def find(runs_dir: Path, reference: str) -> RunDirectory:
    """The run called ``latest``, by its name, a unique prefix of it, or a path.

    Raises UsageError if there is none or several, with the names that were meant; RunError if it cannot be opened.
    """
    if not reference.strip():
        raise UsageError(f"{reference!r} names no run; give its name, a prefix of it, a path or latest")
    if reference == "latest":
        return _latest(runs_dir)
    runs = {run.name: run for run in list_runs(runs_dir)}
    if reference in runs:
        return RunDirectory.open(runs[reference].path)
    if os.sep in reference or Path(reference).is_dir():
        return RunDirectory.open(Path(reference))
    return RunDirectory.open(_by_prefix(runs, reference, runs_dir))


def _by_prefix(runs: dict[str, RunListing], reference: str, runs_dir: Path) -> Path:
    if not runs:
        raise UsageError(f"no run {reference!r}: {runs_dir} holds no runs; agentnas design starts one")
    matches = [name for name in runs if reference and name.startswith(reference)]
    if len(matches) == 1:
        return runs[matches[0]].path
    if matches:
        raise UsageError(f"{reference!r} begins {len(matches)} runs: {_few(matches)}; give more letters")
    near = [name for name in runs if reference and reference in name]
    hint = f"did you mean {' or '.join(near[:3])}?" if near else suggest(reference, [*list(runs)[:5], "latest"])
    raise UsageError(f"no run {reference!r} in {runs_dir}; {hint}")


def _latest(runs_dir: Path) -> RunDirectory:
    for run in list_runs(runs_dir):
        if run.state != "half-written":
            return RunDirectory.open(run.path)
    raise UsageError(f"no latest run: {runs_dir} holds no runs; agentnas design starts one")


def _listing(path: Path) -> RunListing:
    try:
        run = RunDirectory.open(path)
    except RunError as error:
        return RunListing(path, "half-written", problem=str(error))
    outcome = _outcome(run.journal_file)
    state: RunState = "running" if run.writer() else "finished" if outcome else "unfinished"
    return RunListing(path, state, run.task, run.created, outcome)


def _outcome(journal: Path) -> str | None:
    """The outcome if the last complete line is ``run_finished``."""
    try:
        with journal.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL_BYTES))
            lines = file.read().split(b"\n")[:-1]
        last = json.loads(lines[-1]) if lines else {}
    except (OSError, ValueError):
        return None
    is_end = isinstance(last, dict) and last.get("type") == "run_finished"
    return str(last.get("outcome")) if is_end else None


def _few(names: list[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
