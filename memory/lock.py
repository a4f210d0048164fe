"""A lock file that says who writes: held by ``flock`` while the process lives, so that a crash always frees it."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from agentnas.tools.errors import RunError, StoreError

# A reader that asks ``writer_of`` holds a shared lock for microseconds; a writer waits that out before it gives up.
PATIENCE_S = 0.25
PAUSE_S = 0.02


class WriterLock:
    """Exclusive lock on ``path``; raises RunError naming ``what`` and the process that holds it."""

    def __init__(self, path: Path, what: str) -> None:
        self.path = path
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
            acquired = self._acquire()
        except OSError as error:
            raise RunError(f"cannot lock {what}: {path}: {error.strerror}") from None
        if not acquired:
            holder = _holder(self._fd)
            os.close(self._fd)
            raise RunError(f"{what} is being written by {holder}; wait for it or stop it")
        with suppress(OSError):  # the number is a courtesy: on a full disk the lock holds without it
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, str(os.getpid()).encode(), 0)

    def _acquire(self) -> bool:
        deadline = time.monotonic() + PATIENCE_S
        while not _try(self._fd, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                return False
            time.sleep(PAUSE_S)
        return True

    def release(self) -> None:
        """Free the lock; the file stays, since removing it would let two writers lock two different files."""
        os.close(self._fd)


def writer_of(path: Path) -> str | None:
    """``'process 1234'`` while somebody holds the lock file, else None. Never blocks."""
    try:
        fd = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        return None if _try(fd, fcntl.LOCK_SH) else _holder(fd)
    finally:
        os.close(fd)


@contextmanager
def store_lock(path: Path, *, exclusive: bool, patience_s: float) -> Iterator[None]:
    """Hold a store's lock file: many readers, or one writer. Waits; raises StoreError naming the writer if that takes too long."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise StoreError(f"cannot lock the memory: {path}: {error.strerror}") from None
    try:
        deadline = time.monotonic() + patience_s
        while not _try(fd, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH):
            if time.monotonic() > deadline:
                raise StoreError(f"the memory in {path.parent} is being used by {_holder(fd)} for {patience_s:.0f} s; try again later")
            time.sleep(PAUSE_S)
        if exclusive:
            os.ftruncate(fd, 0)
            os.pwrite(fd, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(fd)


def _try(fd: int, kind: int) -> bool:
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(fd: int) -> str:
    text = os.pread(fd, 32, 0).decode("ascii", "replace").strip()
    return f"process {text}" if text.isdigit() else "another process"
