"""What happened in a night: append-only JSON Lines in the batch's folder, one locked writer, readable at any moment.

As in a run's journal a line counts once its newline is on disk; a torn last line is dropped. Status, page and resume derive from it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from agentnas.batch.file import Job, Night
from agentnas.memory.journal import lock_file
from agentnas.memory.lock import WriterLock, writer_of
from agentnas.tools.errors import RunError
from agentnas.tools.whole_file import sync_directory

SCHEMA_VERSION = 1
JOURNAL_FILE = "batch.jsonl"
Outcome = Literal["designed", "failed", "no_design_fits", "budget_ended", "wrong_settings", "out_of_time", "retried", "cut_off", "stopped"]
# Ways in which an attempt ends while its job does not: it is tried again, its process died with the batch, or the batch was stopped.
OPEN: tuple[Outcome, ...] = ("retried", "cut_off", "stopped")


class Event(BaseModel):
    """One line of the journal; ``at`` is in seconds since 1970."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    at: float = 0.0


class BatchStarted(Event):
    """The first event: the jobs, and the night as the file has it."""

    type: Literal["batch_started"] = "batch_started"
    schema_version: int = SCHEMA_VERSION
    file: str
    jobs: tuple[Job, ...]
    night: Night
    deadline: float | None


class BatchResumed(Event):
    """A process took the batch up again, with the night's limits from here on."""

    type: Literal["batch_resumed"] = "batch_resumed"
    night: Night
    deadline: float | None


class JobStarted(Event):
    """An attempt at a job is about to start; ``run`` is the run that it goes on with."""

    type: Literal["job_started"] = "job_started"
    job: str
    attempt: int
    run: str | None = None
    time_s: float | None = None
    max_cost: float | None = None
    workers: int = 1
    device: str | None = Field(None, description="the GPU that it has to itself, as CUDA_VISIBLE_DEVICES names it")


class JobEnded(Event):
    """An attempt ended. ``code`` is its exit code, negative for a signal, None where nobody saw it end. ``retry_at`` is for ``retried``."""

    type: Literal["job_ended"] = "job_ended"
    job: str
    attempt: int
    outcome: Outcome
    code: int | None = None
    message: str = ""
    retry_at: float | None = None


class JobDropped(Event):
    """The deadline came before the job began, or before it could be tried again."""

    type: Literal["job_dropped"] = "job_dropped"
    job: str
    message: str


class BatchInterrupted(Event):
    """The batch was asked to stop, and did so in good order."""

    type: Literal["batch_interrupted"] = "batch_interrupted"
    reason: str


class BatchFinished(Event):
    """Every job has its outcome."""

    type: Literal["batch_finished"] = "batch_finished"
    exit_code: int


AnyEvent = Annotated[
    BatchStarted | BatchResumed | JobStarted | JobEnded | JobDropped | BatchInterrupted | BatchFinished, Field(discriminator="type")
]
EVENT: TypeAdapter[AnyEvent] = TypeAdapter(AnyEvent)


@dataclass
class JobState:
    """One job as the journal tells of it. ``failures`` are attempts that were the job's own fault; a killed batch is none."""

    job: Job
    attempts: int = 0
    failures: int = 0
    running: JobStarted | None = None
    outcome: Outcome | None = None
    message: str = ""
    code: int | None = None
    retry_at: float | None = None
    began: float | None = None
    ended: float | None = None
    history: list[JobStarted | JobEnded] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        """Whether the job has its outcome."""
        return self.outcome is not None and self.outcome not in OPEN

    @property
    def state(self) -> str:
        """``waiting``, ``running``, ``to be retried``, ``stopped`` or the outcome, in words."""
        if self.running is not None:
            return "running"
        if self.outcome is None:
            return "waiting"
        return {"retried": "to be retried", "cut_off": "waiting", "designed": "found"}.get(self.outcome, self.outcome.replace("_", " "))


class BatchView:
    """What the events of a batch add up to."""

    def __init__(self, events: Iterable[AnyEvent] = ()) -> None:
        self.started: BatchStarted | None = None
        self.night = Night()
        self.deadline: float | None = None
        self.since = 0.0
        self.jobs: dict[str, JobState] = {}
        self.finished: BatchFinished | None = None
        self.interrupted: BatchInterrupted | None = None
        self.resumes = 0
        self.last_at = 0.0
        for event in events:
            self.apply(event)

    def apply(self, event: AnyEvent) -> None:
        """Fold one event in."""
        self.last_at = event.at
        match event:
            case BatchStarted():
                self.started, self.night, self.deadline, self.since = event, event.night, event.deadline, event.at
                self.jobs = {job.name: JobState(job) for job in event.jobs}
            case BatchResumed():
                self._resume(event)
            case JobStarted():
                self._start(self.jobs[event.job], event)
            case JobEnded():
                self._end(self.jobs[event.job], event)
            case JobDropped():
                state = self.jobs[event.job]
                state.outcome, state.message, state.ended, state.retry_at = "out_of_time", event.message, event.at, None
            case BatchInterrupted():
                self.interrupted = event
            case BatchFinished():
                self.finished = event

    def _resume(self, event: BatchResumed) -> None:
        """Jobs that the deadline stopped wait again: there may be more time now."""
        self.since = event.at if event.deadline != self.deadline else self.since
        self.night, self.deadline = event.night, event.deadline
        self.finished = self.interrupted = None
        self.resumes += 1
        for state in self.jobs.values():
            if state.outcome == "out_of_time":
                state.outcome, state.ended = None, None

    @staticmethod
    def _start(state: JobState, event: JobStarted) -> None:
        state.attempts, state.running, state.retry_at = event.attempt, event, None
        state.outcome, state.ended, state.message = None, None, ""
        state.began = event.at if state.began is None else state.began
        state.history.append(event)

    @staticmethod
    def _end(state: JobState, event: JobEnded) -> None:
        state.running, state.outcome, state.message, state.code = None, event.outcome, event.message, event.code
        state.retry_at, state.ended = event.retry_at, event.at
        state.failures += event.outcome in ("retried", "failed")
        state.history.append(event)


class BatchJournal:
    """The one writer of a batch's journal; holding it is what keeps a second night out of the folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / JOURNAL_FILE
        require_free(folder)
        self._lock = WriterLock(lock_file(self.path), f"batch {folder}")
        try:
            self.view = BatchView(read_events(folder))
            self._fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            os.ftruncate(self._fd, _complete(self.path.read_bytes()))
            sync_directory(folder)
        except OSError as error:
            self._lock.release()
            raise RunError(f"cannot write {self.path}: {error.strerror}") from None
        except RunError:
            self._lock.release()
            raise

    def append(self, event: AnyEvent) -> None:
        """Write an event, on disk before this returns; raises RunError where that fails, with the file as it was."""
        stamped = event.model_copy(update={"at": round(time.time(), 3)})
        line = stamped.model_dump_json().encode() + b"\n"
        size = os.fstat(self._fd).st_size
        try:
            rest = memoryview(line)
            while rest:
                rest = rest[os.write(self._fd, rest) :]
            os.fsync(self._fd)
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._fd, size)
            raise RunError(f"cannot write {self.path}: {error.strerror}; free some space, then resume the batch") from None
        self.view.apply(EVENT.validate_json(line))

    def close(self) -> None:
        """Close the file and let the folder go."""
        os.close(self._fd)
        self._lock.release()


def read_events(folder: Path) -> list[AnyEvent]:
    """All complete events of a batch's folder; none where it has no journal. Raises RunError that names the line."""
    path = folder / JOURNAL_FILE
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror}") from None
    lines = data[: _complete(data)].split(b"\n")[:-1]
    return [_event(line, path, number) for number, line in enumerate(lines, start=1)]


def holder(folder: Path) -> str | None:
    """``process 1234 since 22:00:03`` while a process runs the batch of this folder, else None."""
    lock = lock_file(folder / JOURNAL_FILE)
    writer = writer_of(lock)
    if writer is None:
        return None
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(lock.stat().st_mtime))
    return f"{writer} since {since}"


def require_free(folder: Path) -> None:
    """Raise RunError while another process runs the batch of this folder."""
    if (who := holder(folder)) is not None:
        raise RunError(f"batch {folder} is being run by {who}; wait for it, stop it (kill -INT), or give another --folder")


def _event(line: bytes, path: Path, number: int) -> AnyEvent:
    try:
        event = EVENT.validate_json(line)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        raise RunError(f"{path}:{number}: not an event of a batch: {problem['msg']}; restore the file, or start a new batch") from None
    if number == 1 and (not isinstance(event, BatchStarted) or event.schema_version > SCHEMA_VERSION):
        what = f"schema version {event.schema_version}" if isinstance(event, BatchStarted) else event.type
        raise RunError(f"{path}: begins with {what}, this AgentNAS reads batch_started up to version {SCHEMA_VERSION}")
    return event


def _complete(data: bytes) -> int:
    return data.rfind(b"\n") + 1
