"""How the jobs of a batch stand, from its journal and from the journals of their runs: plain data for the status and the morning page."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import Any, NamedTuple

from agentnas.batch.folder import job_folder, job_run
from agentnas.batch.journal import BatchView, JobState, holder
from agentnas.batch.process import is_alive, log_file
from agentnas.config import format_duration
from agentnas.run import Run
from agentnas.words import money

STATES = (
    "found",
    "running",
    "to be retried",
    "waiting",
    "stopped",
    "out of time",
    "budget ended",
    "no design fits",
    "wrong settings",
    "failed",
)


class Standing(NamedTuple):
    """One job: its state in the batch, its run if it has one, and directories of it that cannot be read."""

    state: JobState
    run: Run | None
    problems: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.state.job.name

    @property
    def task(self) -> str:
        """The task's name, as the run resolved it."""
        return self.run.directory.task if self.run else self.state.job.task or "?"

    @property
    def protocol(self) -> str:
        started = self.run.view.started if self.run else None
        return started.protocol if started else ""

    @property
    def cost(self) -> float | None:
        """US dollars for language models; None where a call's price is unknown."""
        return self.run.view.calls.total.known_cost if self.run else 0.0


def standings(folder: Path, view: BatchView) -> list[Standing]:
    """All jobs in the order of the file."""
    found = ((state, job_run(folder, name)) for name, state in view.jobs.items())
    return [Standing(state, job.run, job.problems) for state, job in found]


def total_cost(jobs: list[Standing]) -> float | None:
    """US dollars of all jobs; None where one is unknown."""
    costs = [job.cost for job in jobs]
    return None if None in costs else sum(cost for cost in costs if cost is not None)


def state_of(view: BatchView, is_held: bool) -> str:
    """``running``, ``finished``, ``interrupted`` or ``broken off``; ``is_held``: whether a process runs it now."""
    if is_held and view.finished is None:
        return "running"
    return "finished" if view.finished else "interrupted" if view.interrupted else "broken off"


def summary(folder: Path, view: BatchView) -> dict[str, Any]:
    """The batch as plain data. Times are in seconds, costs in US dollars, scores in the metric's own unit; unknown is None."""
    jobs, now = standings(folder, view), time.time()
    assert view.started is not None
    cost, limit, who = total_cost(jobs), view.night.max_cost, holder(folder)
    return {
        "folder": str(folder),
        "file": view.started.file,
        "state": state_of(view, who is not None),
        "holder": who,
        "exit_code": view.finished.exit_code if view.finished else None,
        "started": view.started.at,
        "deadline": view.deadline,
        "seconds_left": None if view.deadline is None or view.finished else max(0.0, view.deadline - now),
        "cost": cost,
        "max_cost": limit,
        "cost_left": None if limit is None or cost is None else max(0.0, limit - cost),
        "counts": counts(jobs),
        "jobs": [job_summary(folder, job, now, who is not None) for job in jobs],
    }


def counts(jobs: list[Standing]) -> dict[str, int]:
    """How many jobs are in each state; those that none is in are left out."""
    states = [job.state.state for job in jobs]
    return {state: states.count(state) for state in STATES if state in states}


def job_summary(folder: Path, job: Standing, now: float, is_held: bool) -> dict[str, Any]:
    """One job as plain data; ``is_held``: whether a process runs its batch now."""
    state, view = job.state, job.run.view if job.run else None
    best = view.best if view else None
    started = state.running
    is_cut_off = started is not None and not is_held and not is_alive(job_folder(folder, job.name))
    return {
        "job": job.name,
        "task": job.task,
        "protocol": job.protocol or None,
        "state": "cut off" if is_cut_off else state.state,
        "message": state.message,
        "exit_code": state.code,
        "attempts": state.attempts,
        "retry_in": None if state.retry_at is None else max(0.0, state.retry_at - now),
        "run": str(job.run.path) if job.run else None,
        "log": str(log_file(job_folder(folder, job.name), state.attempts)) if state.attempts else None,
        "trials": view.num_tried if view else 0,
        "evaluations": view.num_evaluations if view else 0,
        "metric": view.scale.metric if view else None,
        "unit": view.scale.unit if view else None,
        "best": None if best is None else {"trial": best.trial, "validation": best.val_mean, "sd": best.val_sd, "seeds": best.seeds},
        "test": job.run.summary()["test"] if job.run else None,
        "active_seconds": view.active_seconds if view else 0.0,
        "time_s": started.time_s if started else None,
        "cost": job.cost,
        "problems": list(job.problems),
    }


def best_words(job: Standing) -> str:
    """The best validation so far with its noise; ``-`` before the first."""
    if job.run is None or (best := job.run.view.best) is None:
        return "-"
    return job.run.view.scale.told(best.val_mean, best.val_sd)


def resume_command(view: BatchView, folder: Path) -> str:
    """The exact command that goes on with the batch."""
    assert view.started is not None
    return f"agentnas batch {shlex.quote(view.started.file)} --resume --folder {shlex.quote(str(folder))}"


def dollars(cost: float | None) -> str:
    """US dollars; a plain $0 where no model was paid, ``?`` where a price is unknown."""
    return "$0" if cost == 0 else money(cost)


def clock(at: float | None) -> str:
    """A moment as date and time of day; ``-`` for none."""
    return "-" if at is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(at))


def rough(seconds: float) -> str:
    """A duration to the minute, or to the second below one."""
    return format_duration(round(seconds / 60) * 60 if seconds >= 600 else round(seconds))
