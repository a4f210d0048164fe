"""The events of a run as they come: of one that goes on, read while its journal grows; of one that ended, at the speed that is wanted.

Reading never waits for the writer and never holds it up: nothing is locked, and a last line that is still being written waits for its end.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from agentnas.memory.events import EVENT, AnyEvent, ReviewAwaited
from agentnas.memory.journal import Journal, lock_file, parse
from agentnas.memory.rundir import RunDirectory
from agentnas.tools.errors import RunError, UsageError

# Seconds between two looks at a journal, and between two steps of the clock in a replay.
POLL_S = 0.5
TICK_S = 0.25
# A run begins by making its directory; its journal follows within seconds, even where data is loaded from a slow disk first.
PATIENCE_S = 30.0


class Beat(NamedTuple):
    """What came since the beat before, often nothing; the active seconds of the run at this moment, and whether the moment is past."""

    events: tuple[AnyEvent, ...]
    active: float
    is_replay: bool = False


class Tail:
    """The complete events of a journal, each read once. Raises RunError as ``Journal.read`` does."""

    def __init__(self, directory: RunDirectory) -> None:
        self._directory = directory
        self._path = directory.journal_file
        self._offset = 0
        self._last: AnyEvent | None = None
        self._written = 0.0

    @property
    def has_begun(self) -> bool:
        """Whether an event was read."""
        return self._last is not None

    def read(self) -> tuple[AnyEvent, ...]:
        """Events that were written since the last call; none while the journal does not exist yet."""
        data = self._load()
        whole = data[: data.rfind(b"\n") + 1]
        events = self._parse(whole)
        self._offset += len(whole)
        self._last = events[-1] if events else self._last
        return events

    def active(self) -> float:
        """Active seconds now, for a run that goes on: the last event's, and what has passed since unless the run waits for a person."""
        if self._last is None:
            return 0.0
        if isinstance(self._last, ReviewAwaited):
            return self._last.t
        # Of a run that was resumed the writer's first moment counts, not how long the run lay still before.
        since = max(self._written, _modified(lock_file(self._path)))
        return self._last.t + max(0.0, time.time() - since)

    def _load(self) -> bytes:
        self._directory.require_journal()
        try:
            with self._path.open("rb") as file:
                if file.seek(0, 2) < self._offset:
                    raise RunError(f"{self._path} became shorter while it was watched; restore it, or watch the run anew")
                file.seek(self._offset)
                self._written = os.fstat(file.fileno()).st_mtime
                return file.read()
        except FileNotFoundError:
            if self._offset:
                raise RunError(f"{self._path} was removed while it was watched; restore it") from None
            return b""
        except OSError as error:
            raise RunError(f"cannot read {self._path}: {error.strerror}") from None

    def _parse(self, whole: bytes) -> tuple[AnyEvent, ...]:
        if not self._offset:
            return tuple(parse(whole, self._path))
        try:
            return tuple(EVENT.validate_json(line) for line in whole.split(b"\n")[:-1])
        except ValidationError:
            # Reading the whole file says in which line it is damaged.
            return tuple(Journal.read(self._path))


def checked_speed(speed: float) -> float:
    """The speed of a replay; raises UsageError unless it is 0 or more."""
    if not math.isfinite(speed) or speed < 0:
        raise UsageError(f"--speed {speed:g} is not allowed; give 0 for the state at once, or how many times as fast, such as 10")
    return speed


def follow(directory: RunDirectory, speed: float = 0.0) -> Iterator[Beat]:
    """All events of a run, then those that come, until nobody writes it any more.

    What has happened already is played ``speed`` times as fast as it happened, 0 is at once. A run that has just begun is waited for; one
    without an event that nobody writes raises RunError, and so does a damaged journal.
    """
    tail = Tail(directory)
    yield from replay(tail.read(), speed)
    while True:
        # Asked before reading: all that a writer wrote before it let go is then read.
        goes_on = directory.writer() is not None
        events = tail.read()
        if tail.has_begun and not goes_on:
            if events:
                yield Beat(events, events[-1].t)
            return
        if not goes_on and _age(directory) > PATIENCE_S:
            raise not_begun(directory)
        yield Beat(events, tail.active())
        time.sleep(POLL_S)


def replay(events: Sequence[AnyEvent], speed: float) -> Iterator[Beat]:
    """The events, each at its time divided by ``speed``, with beats between them for the clock; all in one beat where it is 0."""
    if speed == 0:
        if events:
            yield Beat(tuple(events), events[-1].t)
        return
    now = events[0].t if events else 0.0
    for event in events:
        while (rest := (event.t - now) / speed) > 0:
            time.sleep(min(rest, TICK_S))
            now = event.t if rest <= TICK_S else now + TICK_S * speed
            yield Beat((), now, is_replay=True)
        yield Beat((event,), event.t, is_replay=True)


def not_begun(directory: RunDirectory) -> RunError:
    """The error for a run without an event."""
    return RunError(f"run {directory.name} has no event to show: it ended while it began; start a new one with agentnas design")


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _age(directory: RunDirectory) -> float:
    """Seconds since the run's directory was made; infinite where its file does not say when."""
    try:
        return (datetime.now(UTC) - datetime.fromisoformat(directory.created)).total_seconds()
    except (ValueError, TypeError):
        return math.inf
