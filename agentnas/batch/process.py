"""A job's process, seen from outside: started so that nobody can lose sight of it, and found again by whoever comes after a crash.

``job.lock`` is locked before the process starts and inherited by it: as long as it lives, and no longer, somebody holds the lock, whatever
happened to who started it. The file says which process; its start time keeps a signal from a stranger who got the same number.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from agentnas.tools.errors import RunError

LOCK_FILE = "job.lock"
# Started as: python -m PROGRAM FOLDER ATTEMPT LOCK-FD design ...
PROGRAM = "agentnas.batch.job"


class Exit(NamedTuple):
    """How a process ended: its exit code, negative for a signal, None where nobody saw it."""

    code: int | None


class Process:
    """The process of one attempt: a child of ours, or one that an earlier, killed batch left behind."""

    def __init__(self, folder: Path, attempt: int, child: subprocess.Popen[bytes] | None = None) -> None:
        self.folder, self.attempt, self._child = folder, attempt, child

    @classmethod
    def start(cls, folder: Path, attempt: int, words: Sequence[str], environment: dict[str, str]) -> Process:
        """Start ``agentnas design`` with these words, in a session of its own, its output in ``attempt-N.log``.

        Raises RunError where it cannot be started, or where the job has a process already.
        """
        lock = _locked(folder)
        try:
            command = [sys.executable, "-m", PROGRAM, str(folder), str(attempt), str(lock), *words]
            with log_file(folder, attempt).open("ab") as log:
                child = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, pass_fds=[lock], start_new_session=True
                )
            sign(lock, child.pid)
        except OSError as error:
            raise RunError(f"cannot start a process in {folder}: {error.strerror}") from None
        finally:
            os.close(lock)
        return cls(folder, attempt, child)

    def poll(self) -> Exit | None:
        """How it ended, or None while it lives. Workers of a child that was killed are killed with it: nobody ends their trainings now."""
        if self._child is None:
            return None if is_alive(self.folder) else Exit(exit_code(self.folder, self.attempt))
        if self._child.returncode is None and _was_killed(self._child.pid):
            self.kill()
        code = self._child.poll()
        return None if code is None else Exit(code)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process, not to its workers; nothing happens where it is gone."""
        if (found := _process(self.folder)) is not None:
            with contextlib.suppress(psutil.Error):
                found.send_signal(number)

    def kill(self) -> None:
        """Kill it and its workers at once."""
        if (found := _process(self.folder)) is not None:
            with contextlib.suppress(psutil.Error, OSError):
                os.killpg(found.pid, signal.SIGKILL)


def log_file(folder: Path, attempt: int) -> Path:
    """What an attempt said."""
    return folder / f"attempt-{attempt}.log"


def exit_file(folder: Path, attempt: int) -> Path:
    """Where an attempt leaves its exit code as the last thing it does."""
    return folder / f"attempt-{attempt}.exit"


def exit_code(folder: Path, attempt: int) -> int | None:
    """The exit code that an attempt left; None where it was killed first."""
    try:
        return int(exit_file(folder, attempt).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def is_alive(folder: Path) -> bool:
    """Whether the job has a process, whoever started it."""
    try:
        fd = os.open(folder / LOCK_FILE, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def sign(fd: int, pid: int) -> None:
    """Write the process that holds the lock, and when it began, into the lock's file."""
    with contextlib.suppress(psutil.Error, OSError):
        line = json.dumps({"pid": pid, "began": psutil.Process(pid).create_time()}).encode()
        os.ftruncate(fd, 0)
        os.pwrite(fd, line, 0)


def _locked(folder: Path) -> int:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        fd = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise RunError(f"cannot write {folder}: {error.strerror}") from None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise RunError(f"the job in {folder} has a process already") from None
    return fd


def _was_killed(pid: int) -> bool:
    """Whether a child has ended by a signal. It is not reaped here: until it is, its number and its group are nobody else's."""
    if not hasattr(os, "waitid"):  # macOS before Python 3.13
        return False
    ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    return ended is not None and ended.si_code in (os.CLD_KILLED, os.CLD_DUMPED)


def _process(folder: Path) -> Any:
    """The job's process, if it is still the one that signed the lock's file."""
    try:
        signed = json.loads((folder / LOCK_FILE).read_bytes())
        found = psutil.Process(signed["pid"])
        return found if abs(found.create_time() - signed["began"]) < 1.0 else None
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):
        return None
