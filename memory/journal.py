"""The journal of a run: append-only JSON Lines of typed events, one writer, readable at any moment.

A line is written by one call and counts once its newline is in the file: a torn last line is dropped when reading and cut off when
the file is opened for writing again. Durable events are on disk before ``append`` returns. A write that fails leaves the file as it was.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from agentnas.memory.collecting import without_collections
from agentnas.memory.events import EVENT, SCHEMA_VERSION, AnyEvent, Event, RunStarted
from agentnas.memory.lock import WriterLock
from agentnas.memory.view import JournalView
from agentnas.tools.errors import RunError
from agentnas.tools.whole_file import sync_directory

LOCK_SUFFIX = ".lock"
E = TypeVar("E", bound=Event)


class Journal:
    """The one writer of a journal file. ``view`` always shows what the file holds, the events appended here included.

    ``listeners`` are called with each event once it is written and folded into ``view``. One that raises OSError (a closed terminal, a
    broken pipe) is dropped and the run goes on; any other exception is a bug of the listener and travels on to who appended, while the
    event stays written and the journal stays usable.
    Use as a context manager or call ``close``. Appending is safe from several threads of this process, and so is reading ``view`` inside
    ``reading``; listeners are called one at a time. A second process that opens the same journal gets RunError.
    """

    def __init__(self, path: Path, fd: int, lock: WriterLock, view: JournalView, size: int) -> None:
        self.path = path
        self.view = view
        self.listeners: list[Callable[[AnyEvent], None]] = []
        self._fd: int | None = fd
        self._lock = lock
        self._size = size
        self._before = view.active_seconds
        self._opened = time.monotonic()
        self._paused: float | None = None
        self._guard = threading.RLock()

    @classmethod
    def create(cls, path: Path) -> Journal:
        """A new, empty journal; raises RunError if the file exists, its directory cannot be written, or another process writes it."""
        lock = WriterLock(lock_file(path), f"run {path.parent.name}")
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
            sync_directory(path.parent)
        except OSError as error:
            lock.release()
            raise RunError(f"cannot create {path}: {error.strerror}") from None
        return cls(path, fd, lock, JournalView(), 0)

    @classmethod
    def open(cls, path: Path) -> Journal:
        """The journal for further writing, its torn last line cut off; raises RunError as ``read`` does, or if another writes."""
        lock = WriterLock(lock_file(path), f"run {path.parent.name}")
        try:
            data = _load(path)
            view = JournalView(parse(data, path))
            fd = os.open(path, os.O_WRONLY | os.O_APPEND)
        except OSError as error:
            lock.release()
            raise RunError(f"cannot write {path}: {error.strerror}") from None
        except RunError:
            lock.release()
            raise
        size = _complete(data)
        if size < len(data):
            os.ftruncate(fd, size)
        return cls(path, fd, lock, view, size)

    @staticmethod
    def read(path: Path) -> list[AnyEvent]:
        """All complete events, also while another process writes; raises RunError naming file and line, or both schema versions."""
        return parse(_load(path), path)

    @property
    def active_seconds(self) -> float:
        """Seconds that the run has been worked on, earlier processes included, up to now."""
        now = time.monotonic() if self._paused is None else self._paused
        return self._before + now - self._opened

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Time that passes inside is not active time: the run waits for a person."""
        self._paused = time.monotonic()
        try:
            yield
        finally:
            self._opened += time.monotonic() - self._paused
            self._paused = None

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Inside, ``view`` stands still: other threads wait with what they have to append. To be left soon."""
        with self._guard:
            yield

    def append(self, event: E) -> E:
        """Write an event, stamped with the active seconds, and fold it into ``view``; returns it as a reader will see it.

        Raises RunError if it cannot be written (disk full, closed journal, not JSON); the file and ``view`` are then as before.
        """
        with self._guard:
            if self.view.started is None and not isinstance(event, RunStarted):
                raise RunError(f"{self.path}: a journal begins with run_started, not {type(event).__name__}")
            line = self._line(event)
            # What is read back is what a resumed run sees (lists for tuples, "NaN" for nan in details): live and resumed runs agree.
            stored = _parse_line(line, self.path, self.view.num_events + 1)
            self._write(line, event.durable)
            self.view.apply(stored)
            for listener in tuple(self.listeners):
                self._tell(listener, stored)
        return stored  # type: ignore[return-value]  # the tag of E selects E

    def _tell(self, listener: Callable[[AnyEvent], None], event: AnyEvent) -> None:
        try:
            listener(event)
        except OSError:
            # Nobody is there to watch any more; the run is not about being watched.
            with contextlib.suppress(ValueError):  # another thread may have dropped it already
                self.listeners.remove(listener)

    def _line(self, event: Event) -> bytes:
        stamped = event.model_copy(update={"t": round(self.active_seconds, 3)})
        try:
            return stamped.model_dump_json(warnings=False).encode() + b"\n"
        except (PydanticSerializationError, UnicodeEncodeError) as error:
            raise RunError(f"{self.path}: {type(event).__name__} is not plain data: {str(error).splitlines()[0]}") from None

    def _write(self, line: bytes, durable: bool) -> None:
        if self._fd is None:
            raise RunError(f"{self.path} is closed; open the run again to write")
        try:
            rest = memoryview(line)
            while rest:  # once, but for a disk that is nearly full: then the second call fails with the reason
                rest = rest[os.write(self._fd, rest) :]
            if durable:
                os.fsync(self._fd)
        except OSError as error:
            self._undo()
            raise RunError(f"cannot write {self.path}: {error.strerror}; free some space and resume the run") from None
        self._size += len(line)

    def _undo(self) -> None:
        assert self._fd is not None
        try:
            os.ftruncate(self._fd, self._size)
        except OSError:
            # Half a line may stay. Nothing may follow it: then it is a torn last line, which the next opening cuts off.
            self.close()

    def sync(self) -> None:
        """Everything appended so far is on disk when this returns; raises RunError where the disk does not play along."""
        if self._fd is None:
            return
        try:
            os.fsync(self._fd)
        except OSError as error:
            raise RunError(f"cannot write {self.path}: {error.strerror}; free some space and resume the run") from None

    def close(self) -> None:
        """Close the file and free the lock; calling it twice is fine."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
            self._lock.release()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def lock_file(path: Path) -> Path:
    """The lock file of a journal: beside it, never removed."""
    return path.with_name(path.name + LOCK_SUFFIX)


def parse(data: bytes, path: Path) -> list[AnyEvent]:
    """Events of a journal's bytes, an unfinished last line left out; ``path`` is for the messages of RunError."""
    lines = data[: _complete(data)].split(b"\n")[:-1]
    if lines:
        _check_first(lines[0], path)
    with without_collections():
        return [_parse_line(line, path, number) for number, line in enumerate(lines, start=1)]


def _load(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror}") from None


def _complete(data: bytes) -> int:
    return data.rfind(b"\n") + 1


def _check_first(line: bytes, path: Path) -> None:
    """The schema version is read before anything else: the events of a newer one may mean something else."""
    try:
        first = json.loads(line)
    except ValueError:
        raise RunError(f"{path}:1: not a line of a journal: {_short(line)}") from None
    if not isinstance(first, dict) or first.get("type") != "run_started":
        raise RunError(f"{path}:1: a journal begins with run_started, this one with {_short(line)}")
    version = first.get("schema_version")
    if not isinstance(version, int) or not 1 <= version <= SCHEMA_VERSION:
        raise RunError(f"{path} has schema version {version}, this AgentNAS reads up to {SCHEMA_VERSION}; update AgentNAS")


def _parse_line(line: bytes, path: Path, number: int) -> AnyEvent:
    try:
        return EVENT.validate_json(line)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise RunError(f"{path}:{number}: not a journal event: {where + ': ' if where else ''}{problem['msg']}: {_short(line)}") from None


def _short(line: bytes) -> str:
    text = line.decode("utf-8", "replace")
    return repr(text if len(text) <= 60 else f"{text[:57]}...")
