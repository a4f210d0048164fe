"""Starting ``agentnas design`` in the background: a process in a session of its own, which neither Ctrl-C nor the chat's end stops."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from agentnas.chat.commands import flag
from agentnas.chat.desk import Desk
from agentnas.memory.rundir import RunDirectory
from agentnas.memory.runs import find
from agentnas.tools.errors import RunError, UsageError

COMMAND = (sys.executable, "-m", "agentnas.cli")
# A run begins with imports and data: seconds here, more from a slow disk.
PATIENCE_S = 120.0
POLL_S = 0.05
_BEGUN = re.compile(r"^run (\S+?)(?:,|$)", re.MULTILINE)


def new_words(desk: Desk) -> list[str]:
    """The command of a new run."""
    return ["design", *_flags({**desk.settings, **desk.flags})]


def resume_words(directory: RunDirectory, desk: Desk) -> list[str]:
    """The command that goes on with a run, with those settings that it may be given anew."""
    from agentnas.api import RENEWABLE
    from agentnas.config import FIELDS

    renewed = {name: value for name, value in desk.settings.items() if FIELDS[name] in RENEWABLE}
    return ["design", "--resume", str(directory.path.resolve()), *_flags({**renewed, **desk.flags})]


def _flags(settings: Mapping[str, Any]) -> Iterator[str]:
    for name, value in settings.items():
        yield from flag(name, value)


def start(words: list[str], desk: Desk) -> RunDirectory:
    """The run, once it has begun; raises RunError with the reason where it does not."""
    desk.logs.parent.mkdir(parents=True, exist_ok=True)
    begin = desk.logs.stat().st_size if desk.logs.exists() else 0
    with desk.logs.open("ab") as log:
        child = subprocess.Popen(
            [*COMMAND, *words], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, env=_environment()
        )
    desk.children.append(child)
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        ended = child.poll() is not None  # asked before reading: all that it wrote is then read
        told = _read(desk.logs, begin)
        if (found := _BEGUN.search(told)) is not None:
            return find(desk.runs_dir, found[1])
        if ended:
            raise RunError(_reason(told))
        time.sleep(POLL_S)
    raise RunError(f"the run has not begun after {PATIENCE_S:.0f} s; its output is in {desk.logs}")


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONIOENCODING": "utf-8"}


def _read(path: Path, begin: int) -> str:
    with path.open("rb") as file:
        file.seek(begin)
        return file.read().decode(errors="replace")


def _reason(told: str) -> str:
    lines = [line for line in told.splitlines() if line.strip()]
    error = next((line for line in lines if "agentnas: error: " in line), lines[-1] if lines else "it ended without a word")
    return f"the run did not begin: {error.removeprefix('agentnas: error: ')}"


def interrupt(directory: RunDirectory) -> None:
    """Ctrl-C, once, for the process that writes this run; raises UsageError where none does, or where it is no run of ours."""
    import psutil

    writer = directory.writer()
    number = (writer or "").removeprefix("process ")
    if not number.isdigit():
        raise UsageError(f"run {directory.name} does not go on; there is nothing to stop")
    try:
        command = " ".join(psutil.Process(int(number)).cmdline())
        if "design" not in command:
            raise RunError(f"run {directory.name} is being written by {writer}, which is no agentnas design; stop it yourself")
        os.kill(int(number), signal.SIGINT)
    except (psutil.Error, OSError) as error:
        raise RunError(f"{writer} cannot be stopped: {error}") from None
