"""Run directories: ``runs/<YYYYMMDD-HHMMSS>-<task>-<adjective-noun>/``. They are made and filled, never overwritten, never deleted.

run.json           which run this is, and the schema version; written first
config.json        the resolved configuration
environment.json   what it ran on
events.jsonl       the journal; all else derives from it
inbox/             what other processes leave for the run
weights/           weights of finalists
winner/            spec, weights, generated model.py, example of use
report.md          the report
report.html        the report as a page
"""

from __future__ import annotations

import itertools
import json
import os
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agentnas.memory.events import SCHEMA_VERSION, AnyEvent
from agentnas.memory.journal import Journal, lock_file
from agentnas.memory.lock import writer_of
from agentnas.memory.names import readable_name, slug
from agentnas.memory.view import JournalView
from agentnas.tools.errors import RunError
from agentnas.tools.whole_file import sync_directory

RUN_FILE = "run.json"
# What is written only after the journal began: beside one of these a missing journal was lost, not yet to come.
LATER_FILES = ("checkpoint.sqlite", "winner", "report.md")
ATTEMPTS = 100


class NewerRun(RunError):
    """A run that a newer AgentNAS wrote."""


class RunDirectory:
    """One run on disk. ``create`` makes it, ``open`` finds it again; every method raises RunError where the disk does not play along."""

    def __init__(self, path: Path, info: dict[str, Any]) -> None:
        self.path = path
        self.task: str = info["task"]
        self.created: str = info["created"]

    @classmethod
    def create(cls, runs_dir: Path, task: str, *, now: datetime | None = None, rng: random.Random | None = None) -> RunDirectory:
        """A new directory with run.json and an empty inbox; raises RunError if the disk is full or read-only."""
        now = now or datetime.now().astimezone()
        path = _make_directory(runs_dir, f"{now:%Y%m%d-%H%M%S}-{slug(task)}", rng or random.SystemRandom())
        info = {"name": path.name, "task": task, "created": now.astimezone(UTC).isoformat(timespec="microseconds")}
        run = cls(path, info)
        run.write_json(RUN_FILE, info)
        run.folder("inbox")
        return run

    @classmethod
    def open(cls, path: Path) -> RunDirectory:
        """The run in an existing directory; raises RunError if it is none, half-written, or of a newer schema."""
        if not path.is_dir():
            raise RunError(f"{path} is not a directory; agentnas runs list shows the runs")
        if not (path / RUN_FILE).exists():
            raise RunError(f"{path} has no {RUN_FILE}: it is no run directory, or its run was killed while it began; start a new run")
        info = read_json(path / RUN_FILE)
        if missing := [key for key in ("task", "created") if not isinstance(info.get(key), str)]:
            raise RunError(f"{path / RUN_FILE} lacks {', '.join(missing)}; start a new run")
        return cls(path, info)

    @property
    def name(self) -> str:
        """The directory's name, by which people call the run."""
        return self.path.name

    @property
    def journal_file(self) -> Path:
        """The journal, ``events.jsonl``."""
        return self.path / "events.jsonl"

    @property
    def inbox(self) -> Path:
        """Where other processes leave files for the run."""
        return self.path / "inbox"

    def journal(self) -> Journal:
        """The journal for writing, created if it does not exist yet; raises RunError if another process writes it, or if it was lost."""
        self.require_journal()
        return Journal.open(self.journal_file) if self.journal_file.exists() else Journal.create(self.journal_file)

    def events(self) -> list[AnyEvent]:
        """All complete events; none before the run began. Raises RunError if the journal was lost."""
        self.require_journal()
        return Journal.read(self.journal_file) if self.journal_file.exists() else []

    def require_journal(self) -> None:
        """Raise RunError for a run whose journal is gone: it must not begin anew on top of its own results."""
        if self.journal_file.exists() and self.journal_file.stat().st_size:
            return
        later = [name for name in LATER_FILES if (self.path / name).exists()]
        if later:
            what = "is empty" if self.journal_file.exists() else "is missing"
            raise RunError(f"{self.journal_file} {what}, though the run has {' and '.join(later)}; restore it, or start a new run")

    def view(self) -> JournalView:
        """The state that the events add up to now."""
        return JournalView(self.events())

    def writer(self) -> str | None:
        """``'process 1234'`` while a process writes the journal, else None."""
        return writer_of(lock_file(self.journal_file))

    def folder(self, name: str) -> Path:
        """A folder inside the run directory, made if missing."""
        path = self.path / name
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(f"cannot create {path}: {error.strerror}") from None
        return path

    def set_aside(self, name: str) -> Path:
        """Rename a damaged file, and what SQLite keeps beside it, to ``<name>.damaged-<n>``; the new path of the file."""
        number = next(n for n in itertools.count(1) if not (self.path / f"{name}.damaged-{n}").exists())
        aside = self.path / f"{name}.damaged-{number}"
        try:
            for suffix in ("", "-wal", "-shm"):
                if (file := self.path / f"{name}{suffix}").exists():
                    file.rename(f"{aside}{suffix}")
        except OSError as error:
            raise RunError(f"cannot rename {self.path / name}: {error.strerror}") from None
        return aside

    def write_json(self, name: str, data: dict[str, Any]) -> Path:
        """Write ``data`` and the schema version as JSON, whole or not at all; ``name`` is relative to the run directory."""
        text = json.dumps({"schema_version": SCHEMA_VERSION, **data}, indent=2, ensure_ascii=False, default=_plain)
        return self.write_text(name, text + "\n")

    def write_text(self, name: str, text: str) -> Path:
        """Write a file whole or not at all, replacing an earlier version of it."""
        path = self.path / name
        self.folder(str(path.parent.relative_to(self.path)))
        write_atomic(path, text.encode())
        return path

    def read_json(self, name: str) -> dict[str, Any]:
        """What ``write_json`` wrote, without the schema version."""
        return read_json(self.path / name)


def write_atomic(path: Path, data: bytes) -> None:
    """Replace the file in one step: readers, crashes and full disks see the old content or the new. Raises RunError."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with draft.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
        sync_directory(path.parent)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise RunError(f"cannot write {path}: {error.strerror}") from None


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file of a run, without its schema version; raises RunError if it is unreadable or newer than this AgentNAS."""
    try:
        data = json.loads(path.read_bytes())
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror}") from None
    except ValueError as error:
        raise RunError(f"{path} is not JSON: {error}") from None
    if not isinstance(data, dict):
        raise RunError(f"{path} holds {type(data).__name__}, expected an object")
    version = data.pop("schema_version", None)
    if not isinstance(version, int) or not 1 <= version <= SCHEMA_VERSION:
        kind = NewerRun if isinstance(version, int) and version > SCHEMA_VERSION else RunError
        raise kind(f"{path} has schema version {version}, this AgentNAS reads up to {SCHEMA_VERSION}; update AgentNAS")
    return data


def _make_directory(runs_dir: Path, prefix: str, rng: random.Random) -> Path:
    try:
        runs_dir.mkdir(parents=True, exist_ok=True)
        for _ in range(ATTEMPTS):
            path = runs_dir / f"{prefix}-{readable_name(rng)}"
            try:
                path.mkdir()
            except FileExistsError:
                continue
            return path
    except OSError as error:
        raise RunError(f"cannot create a run in {runs_dir}: {error.strerror}; choose another place with --runs-dir") from None
    raise RunError(f"{runs_dir} already holds {prefix}-* under every name tried; start the run again")


def _plain(value: object) -> str:
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not plain data")
