"""Finding runs among the directories of ``runs/``, of which some may be half-written, foreign, or being written now."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from agentnas.memory.events import SCHEMA_VERSION
from agentnas.memory.journal import parse
from agentnas.memory.rundir import NewerRun, RunDirectory
from agentnas.tools.errors import RunError, UsageError, suggest

RunState = Literal["running", "finished", "unfinished", "half-written", "newer", "damaged"]
TAIL_BYTES = 65536


@dataclass(frozen=True)
class RunListing:
    """A line of ``runs list``; ``problem`` says why a half-written, newer or damaged run cannot be read."""

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
    """The newest run that can be opened; one with a damaged journal is opened too, so that its reader says what is wrong."""
    listed = list_runs(runs_dir)
    for run in listed:
        if run.created is not None:
            return RunDirectory.open(run.path)
    if listed:
        raise RunError(f"no latest run: none in {runs_dir} can be read, {listed[0].name}: {listed[0].problem}")
    raise UsageError(f"no latest run: {runs_dir} holds no runs; agentnas design starts one")


def _listing(path: Path) -> RunListing:
    try:
        run = RunDirectory.open(path)
    except RunError as error:
        return RunListing(path, "newer" if isinstance(error, NewerRun) else "half-written", problem=str(error))
    try:
        outcome = _outcome(run)
    except RunError as error:
        return RunListing(path, "newer" if isinstance(error, NewerRun) else "damaged", run.task, run.created, problem=str(error))
    state: RunState = "running" if run.writer() else "finished" if outcome else "unfinished"
    return RunListing(path, state, run.task, run.created, outcome)


def _outcome(run: RunDirectory) -> str | None:
    """The outcome if the last complete line is ``run_finished``; raises RunError where the first or the last line is unreadable."""
    run.require_journal()
    journal = run.journal_file
    try:
        with journal.open("rb") as file:
            first = file.readline()
            start = max(0, os.fstat(file.fileno()).st_size - TAIL_BYTES)
            file.seek(start)
            lines = file.read().split(b"\n")[1 if start else 0 : -1]
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RunError(f"cannot read {journal}: {error.strerror}") from None
    if not first.endswith(b"\n"):
        return None
    _check_first(first, journal)
    return _ended(lines, journal)


def _ended(lines: list[bytes], journal: Path) -> str | None:
    """The outcome that the last of these lines tells, if it is the end of the run."""
    if not lines:
        return None  # the last line is longer than what was read: that of an end is not
    try:
        last = json.loads(lines[-1])
    except ValueError:
        raise RunError(f"{journal}: the last line is not a journal event") from None
    is_end = isinstance(last, dict) and last.get("type") == "run_finished"
    return str(last.get("outcome")) if is_end else None


def _check_first(line: bytes, journal: Path) -> None:
    """Raise NewerRun for a journal of a newer AgentNAS, RunError for a first line that no journal has."""
    try:
        version = json.loads(line).get("schema_version")
    except (ValueError, AttributeError):
        version = None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise NewerRun(f"{journal} has schema version {version}, this AgentNAS reads up to {SCHEMA_VERSION}; update AgentNAS")
    parse(line, journal)


def _few(names: list[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
