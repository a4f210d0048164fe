"""Keeping the store in step with the runs: each run is written when it ends, and what a crash left out at the next start.

The journals are the truth. The store marks each run with the size of the journal that it was written from.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from agentnas.memory.experience import Experience, experience
from agentnas.memory.rundir import RunDirectory
from agentnas.memory.runs import list_runs
from agentnas.memory.store import RunMark, Store
from agentnas.memory.view import JournalView
from agentnas.tools.errors import RunError, SpecError


class Reconciled(NamedTuple):
    """Runs that were written to the store now, those that are left for another time, and those that cannot be read, with the reason."""

    written: tuple[str, ...]
    left: tuple[str, ...]
    unreadable: dict[str, str]


def keep_run(store: Store, view: JournalView, run: str, journal_bytes: int = 0) -> bool:
    """Write a run's experience; what a person made the store forget stays out. With ``journal_bytes`` of 0 it is looked at again.

    Always true: it is written, or an error is raised.
    """
    mark = store.mark_of(run)._replace(journal_bytes=journal_bytes)
    _put(store, experience(view, run), mark)
    return True


def _put(store: Store, found: Experience | None, mark: RunMark) -> None:
    if found is None:
        store.mark(mark)
        return
    trials = [trial for trial in found.trials if not mark.forgets(trial)]
    findings = [finding for finding in found.findings if not mark.forgets(finding)]
    store.put(trials, findings, [found.task] if trials else [], mark)


def reconcile(store: Store, runs_dir: Path, seconds: float | None = None, without: str = "") -> Reconciled:
    """Write the runs that the store has not seen as they are now, newest first, for about so long; runs that are being written wait."""
    marks = store.marks()
    written: list[str] = []
    left: list[str] = []
    unreadable: dict[str, str] = {}
    deadline = None if seconds is None else time.monotonic() + seconds
    for run, size in _changed(runs_dir, marks, without):
        if deadline is not None and time.monotonic() > deadline:
            left.append(run.name)
            continue
        try:
            found = experience(run.view(), run.name)
        except (RunError, SpecError) as error:
            unreadable[run.name] = str(error)
            continue
        _put(store, found, marks.get(run.name, RunMark(run.name))._replace(journal_bytes=size))
        written.append(run.name)
    return Reconciled(tuple(written), tuple(left), unreadable)


def _changed(runs_dir: Path, marks: dict[str, RunMark], without: str) -> Iterator[tuple[RunDirectory, int]]:
    for listing in list_runs(runs_dir):
        journal = listing.path / "events.jsonl"
        if listing.name == without or listing.state in ("running", "half-written", "newer", "damaged") or not journal.exists():
            continue
        size = journal.stat().st_size
        if marks.get(listing.name, RunMark("")).journal_bytes != size:
            yield RunDirectory.open(listing.path), size
