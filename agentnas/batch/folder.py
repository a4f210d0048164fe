"""A batch's folder, and what the runs of its jobs have come to.

batch.jsonl        the journal of the night; all else derives from it and from the runs
batch.yaml         the file as it was
jobs/NAME/         one job: attempt-N.log (what it said), attempt-N.exit (its exit code), job.lock, runs/
report.html        the morning page; report.md is the same as Markdown
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple

from agentnas.batch.file import Batch, Job
from agentnas.batch.journal import JOURNAL_FILE, BatchView, holder, read_events
from agentnas.memory.names import slug
from agentnas.memory.runs import list_runs
from agentnas.run import Run
from agentnas.tools.errors import RunError, UsageError

BATCHES = Path("batches")
COPY_FILE = "batch.yaml"
PAGE_FILE = "report.html"
MARKDOWN_FILE = "report.md"


class Found(NamedTuple):
    """What a job's folder holds: its newest run with an event, and what is wrong with the other directories."""

    run: Run | None
    problems: tuple[str, ...] = ()


def job_folder(folder: Path, job: str) -> Path:
    """Where a job's runs and logs lie."""
    return folder / "jobs" / job


def runs_dir(folder: Path, job: str) -> Path:
    """Where a job's runs lie."""
    return job_folder(folder, job) / "runs"


def job_run(folder: Path, job: str) -> Found:
    """The newest run of a job that has begun; half-written and damaged directories stay where they are and are named."""
    problems = []
    for listed in list_runs(runs_dir(folder, job)):
        if listed.problem:
            problems.append(f"{listed.path}: {listed.problem}")
            continue
        try:
            from agentnas.memory.rundir import RunDirectory

            run = Run(RunDirectory.open(listed.path))
            if run.view.started is not None:
                return Found(run, tuple(problems))
        except RunError as error:
            problems.append(str(error))
    return Found(None, tuple(problems))


def read_view(folder: Path) -> BatchView:
    """The state of a batch; raises RunError where the folder holds none."""
    view = BatchView(read_events(folder))
    if view.started is None:
        raise RunError(f"{folder} holds no batch: it has no complete {JOURNAL_FILE}; start one with agentnas batch FILE")
    return view


def new_folder(file: Path, now: float) -> Path:
    """Where a new batch of this file goes: ``batches/<file>-<date>-<time>``. Raises RunError while one of this file is running."""
    for other in batches_of(file):
        if (who := holder(other)) is not None:
            raise RunError(f"batch {other} of {file.name} is being run by {who}; wait for it, stop it (kill -INT), or give --folder")
    return BATCHES / f"{slug(file.stem)}-{time.strftime('%Y%m%d-%H%M%S', time.localtime(now))}"


def batches_of(file: Path) -> list[Path]:
    """Folders of batches of this file in ``batches/``, oldest first."""
    return sorted(found.parent for found in BATCHES.glob(f"{slug(file.stem)}-????????-??????/{JOURNAL_FILE}"))


def latest(file: Path | None = None) -> Path:
    """The newest batch, of this file if one is given; raises UsageError where there is none."""
    found = batches_of(file) if file else [path.parent for path in BATCHES.glob(f"*/{JOURNAL_FILE}")]
    if not found:
        what = f"of {file.name} " if file else ""
        raise UsageError(f"no batch {what}in {BATCHES}/; give its folder, or start one with agentnas batch FILE")
    return max(found, key=lambda folder: (folder / JOURNAL_FILE).stat().st_ctime_ns)


def require_same(batch: Batch, view: BatchView, folder: Path) -> None:
    """Raise UsageError where the folder is that of another file, or the file has changed: which jobs are other ones."""
    assert view.started is not None
    if Path(view.started.file) != batch.path.absolute():
        raise UsageError(f"{folder} holds the batch of {view.started.file}, not of {batch.path}; give that file, or another --folder")
    before, now = {job.name: job for job in view.started.jobs}, {job.name: job for job in batch.jobs}
    told = [f"{name} ({_difference(job, now[name])})" for name, job in before.items() if name in now and now[name] != job]
    told += [f"{name} (gone)" for name in before if name not in now] + [f"{name} (new)" for name in now if name not in before]
    if told:
        shown = ", ".join(told[:5]) + (f" and {len(told) - 5} more" if len(told) > 5 else "")
        what = f"{batch.path} has changed since the batch began: {shown}"
        raise UsageError(f"{what}; restore it ({folder / COPY_FILE} is as it was), or start a new batch")


def _difference(before: Job, now: Job) -> str:
    old, new = ({**job.settings, "priority": job.priority, "retries": job.retries} for job in (before, now))
    keys = [key for key in dict.fromkeys([*old, *new]) if old.get(key) != new.get(key)]
    return ", ".join(f"{key}: {old.get(key, 'not given')} -> {new.get(key, 'not given')}" for key in keys)
