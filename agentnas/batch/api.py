"""``agentnas batch``: check the file, take the folder, run the night. What the command line calls, and other programs may."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from agentnas.batch.checking import Plan, check
from agentnas.batch.file import Batch, Night, read_batch
from agentnas.batch.folder import COPY_FILE, job_run, latest, new_folder, read_view, require_same
from agentnas.batch.journal import BatchJournal, BatchResumed, BatchStarted, BatchView, read_events, require_free
from agentnas.batch.runner import Night as Runner
from agentnas.memory.rundir import write_atomic
from agentnas.memory.view import JournalView
from agentnas.tools.errors import RunError, UsageError

Say = Callable[[str], None]


class Ended(NamedTuple):
    """How a batch ended: its folder and its exit code."""

    folder: Path
    exit_code: int


def run_batch(
    file: Path, folder: Path | None = None, *, resume: bool = False, night: Night | None = None, stop: threading.Event | None = None,
    say: Say = lambda line: None, begun: Callable[[Path], None] = lambda folder: None,
) -> Ended:  # fmt: skip
    """Run the jobs of a file until each has its outcome, or ``stop`` is set. ``night`` holds limits that replace the file's.

    Raises UsageError or ConfigError for what the check finds, before anything begins; RunError where the folder is taken or damaged.
    """
    batch = read_batch(file).with_night(night)
    folder, view = _place(batch, folder, resume)
    plan = check(open_part(batch, view), _begun(folder, view))
    folder.mkdir(parents=True, exist_ok=True)
    journal = BatchJournal(folder)
    try:
        _begin(journal, batch, folder, night)
        begun(folder)
        if journal.view.deadline is not None and journal.view.deadline < time.time():
            say("the deadline has passed: nothing new begins; --within 2h, say, gives more time")
        return Ended(folder, _work(journal, folder, plan, stop or threading.Event(), say))
    finally:
        journal.close()


def _place(batch: Batch, folder: Path | None, resume: bool) -> tuple[Path, BatchView | None]:
    """The folder, and its state where a batch is taken up again."""
    if not resume:
        folder = folder or new_folder(batch.path, time.time())
        require_free(folder)
        if read_events(folder):
            view = read_view(folder)
            assert view.started is not None
            require_same(batch, view, folder)
            raise UsageError(f"{folder} holds a batch already; --resume goes on with it, another --folder starts a new one")
        if folder.exists() and (not folder.is_dir() or any(entry.name != "batch.jsonl.lock" for entry in folder.iterdir())):
            raise UsageError(f"--folder {folder} is not empty and holds no batch; give another one")
        return folder, None
    folder = folder or latest(batch.path)
    require_free(folder)
    view = read_view(folder)
    require_same(batch, view, folder)
    return folder, view


def open_part(batch: Batch, view: BatchView | None) -> Batch:
    """The batch without jobs that have their outcome; those that the deadline stopped count as open."""
    if view is None:
        return batch
    return batch._replace(jobs=tuple(job for job in batch.jobs if _is_open(view, job.name)))


def _is_open(view: BatchView, name: str) -> bool:
    return not view.jobs[name].is_over or view.jobs[name].outcome == "out_of_time"


def _begun(folder: Path, view: BatchView | None) -> dict[str, JournalView]:
    if view is None:
        return {}
    found = {name: job_run(folder, name).run for name, state in view.jobs.items() if state.attempts}
    return {name: run.view for name, run in found.items() if run is not None}


def _begin(journal: BatchJournal, batch: Batch, folder: Path, night: Night | None) -> None:
    now = time.time()
    if journal.view.started is None:
        write_atomic(folder / COPY_FILE, batch.path.read_bytes())
        start = BatchStarted(file=str(batch.path.absolute()), jobs=batch.jobs, night=batch.night, deadline=batch.night.deadline(now))
        journal.append(start)
        return
    given = night is not None and {"until", "within"} & night.model_fields_set
    deadline = batch.night.deadline(now) if given else journal.view.deadline
    journal.append(BatchResumed(night=batch.night, deadline=deadline))


def _work(journal: BatchJournal, folder: Path, plan: Plan, stop: threading.Event, say: Say) -> int:
    from agentnas.batch.page import write_page

    def changed() -> None:
        try:
            write_page(folder, journal.view)
        except (RunError, OSError) as error:  # a page that cannot be written is no reason to lose the night
            say(f"the page could not be written: {error}")

    changed()
    return Runner(folder, journal, plan, stop, say, changed).run()
