"""Conversations on disk: one JSON Lines file each, of typed entries, written as they happen by one process at a time.

A torn last line, of a process that was killed, is dropped.
"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from agentnas.memory.events import LLMAnswered, LLMAsked
from agentnas.memory.lock import WriterLock
from agentnas.memory.names import readable_name
from agentnas.tools.errors import RunError, UsageError, suggest

VERSION = 1
SUFFIX = ".jsonl"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Opened(_Entry):
    """The first line."""

    type: Literal["opened"] = "opened"
    version: int = VERSION
    created: str


class Said(_Entry):
    """What the person typed to the model, and what was told beside it: plan and run at that moment."""

    type: Literal["said"] = "said"
    text: str
    sent: str = ""


class Called(_Entry):
    """A slash command and what it printed."""

    type: Literal["called"] = "called"
    command: str
    text: str
    ok: bool = True


class Answered(_Entry):
    """What the model said, and which tools it wanted: id, name and arguments of each."""

    type: Literal["answered"] = "answered"
    text: str
    calls: tuple[tuple[str, str, str], ...] = ()


class Returned(_Entry):
    """What a tool gave the model."""

    type: Literal["returned"] = "returned"
    call: str
    tool: str
    text: str
    ok: bool = True


class Corrected(_Entry):
    """What was wrong with an answer, as the model was told it."""

    type: Literal["corrected"] = "corrected"
    text: str


class Planned(_Entry):
    """The settings of the next run."""

    type: Literal["planned"] = "planned"
    settings: dict[str, Any]


class Linked(_Entry):
    """The run that is spoken of, by its path."""

    type: Literal["linked"] = "linked"
    path: str


Entry = Annotated[
    Opened | Said | Called | Answered | Returned | Corrected | Planned | Linked | LLMAsked | LLMAnswered, Field(discriminator="type")
]
AnyEntry = Opened | Said | Called | Answered | Returned | Corrected | Planned | Linked | LLMAsked | LLMAnswered
_ENTRY: TypeAdapter[AnyEntry] = TypeAdapter(Entry)
E = TypeVar("E", bound=BaseModel)


class Listed(NamedTuple):
    """A line of the list of sessions."""

    name: str
    changed: str
    turns: int
    last: str


@dataclass
class Session:
    """A conversation that is open for writing. ``entries`` are those on disk; close it to let another process have it."""

    name: str
    path: Path
    entries: list[AnyEntry]
    _lock: WriterLock

    def append(self, entry: AnyEntry) -> None:
        """Write an entry; raises RunError where the disk does not play along."""
        try:
            with self.path.open("ab") as file:
                file.write(entry.model_dump_json().encode() + b"\n")
        except OSError as error:
            raise RunError(f"cannot write {self.path}: {error.strerror}; make room, or give another --sessions-dir") from None
        self.entries.append(entry)

    def last(self, kind: type[E]) -> E | None:
        """The last entry of this kind."""
        return next((entry for entry in reversed(self.entries) if isinstance(entry, kind)), None)

    def close(self) -> None:
        """Free the lock."""
        self._lock.release()


def usual_folder() -> Path:
    """Where conversations lie, where nobody says."""
    import platformdirs

    return Path(platformdirs.user_data_dir("agentnas", appauthor=False)) / "chat"


def open_session(folder: Path, name: str | None = None, *, latest: bool = False) -> Session:
    """The conversation of this name, the latest one, or a new one; an unknown name begins a new one of that name.

    Raises UsageError for a name that is none, or where there is no latest; RunError for a file that is damaged or in use.
    """
    if latest and name is None:
        name = _latest(folder)
    if name is not None and not _NAME.fullmatch(name):
        raise UsageError(f"--session {name!r} is no name; allowed: letters, digits, hyphens, dots, such as cora-small")
    name = name or f"{datetime.now():%Y%m%d-%H%M%S}-{readable_name(random.SystemRandom())}"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise RunError(f"cannot create {folder}: {error.strerror}; give another --sessions-dir") from None
    path = folder / f"{name}{SUFFIX}"
    lock = WriterLock(path.with_name(f".{path.name}.lock"), f"session {name}")
    try:
        return _opened(name, path, lock)
    except RunError:
        lock.release()
        raise


def _opened(name: str, path: Path, lock: WriterLock) -> Session:
    entries, size = read_entries(path) if path.exists() else ([], 0)
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
        os.truncate(path, size)
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror}; give another --sessions-dir") from None
    session = Session(name, path, entries, lock)
    if not entries:
        session.append(Opened(created=datetime.now(UTC).isoformat(timespec="seconds")))
    return session


def read_entries(path: Path) -> tuple[list[AnyEntry], int]:
    """The complete entries of a file, and their size in bytes; raises RunError that names the line which is none."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror}") from None
    size = data.rfind(b"\n") + 1
    return [_parsed(line, path, number) for number, line in enumerate(data[:size].split(b"\n")[:-1], start=1)], size


def _parsed(line: bytes, path: Path, number: int) -> AnyEntry:
    try:
        entry = _ENTRY.validate_json(line)
    except ValidationError:
        raise RunError(f"{path}:{number}: is no line of a conversation; move the file away, or name another --session") from None
    if isinstance(entry, Opened) and entry.version > VERSION:
        raise RunError(f"{path} has version {entry.version}, this AgentNAS reads up to {VERSION}; update AgentNAS")
    return entry


def inputs(entries: Iterable[AnyEntry]) -> list[str]:
    """What the person typed, in order."""
    return [entry.text if isinstance(entry, Said) else entry.command for entry in entries if isinstance(entry, Said | Called)]


def list_sessions(folder: Path) -> list[Listed]:
    """Conversations, the one that changed last first; files that cannot be read are left out."""
    listed = []
    for path in _files(folder):
        try:
            entries, _ = read_entries(path)
        except RunError:
            continue
        changed = datetime.fromtimestamp(path.stat().st_mtime).isoformat(" ", "minutes")
        words = inputs(entries)
        listed.append(Listed(path.stem, changed, len(words), words[-1] if words else ""))
    return listed


def _files(folder: Path) -> Sequence[Path]:
    files = folder.glob(f"[!.]*{SUFFIX}")
    return sorted(files, key=lambda path: path.stat().st_mtime, reverse=True)


def _latest(folder: Path) -> str:
    files = _files(folder)
    if not files:
        raise UsageError(f"no conversation to continue: {folder} holds none; agentnas chat begins one")
    return files[0].stem


def require_known(folder: Path, name: str) -> None:
    """Raise UsageError for a name that no conversation has."""
    names = [path.stem for path in _files(folder)]
    if name not in names:
        raise UsageError(f"no session {name!r} to continue; {suggest(name, names) if names else f'{folder} holds none'}")
