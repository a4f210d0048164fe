"""`agentnas design` as a process of its own in a folder of its own, for benchmarks that measure it as users call it."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from agentnas.config import parse_duration
from agentnas.memory.rundir import RunDirectory
from tests.benchmarks.versus_optuna import process


def design(
    task: str, flags: Sequence[str], folder: Path, limit_s: float, seen: Callable[[], None] = lambda: None, module: str = "agentnas.cli"
) -> tuple[process.Ended, RunDirectory | None]:
    """Run ``python -m module design`` for the task until it ends, for ``limit_s`` at most; its run lies below ``folder/runs``.

    How it ended, and the run: None where it did not come to have a journal. ``seen`` is called four times a second; what it raises ends
    the process.
    """
    command = ["-m", module, "design", "--task", task, *flags, "--runs-dir", str(folder / "runs")]
    ended = process.run(command, folder, limit_s, seen)
    runs = [path for path in folder.glob("runs/*") if (path / "events.jsonl").exists()]
    return ended, RunDirectory.open(runs[0]) if runs else None


def limit_for(seconds: float) -> float:
    """What was given so much time and takes so long is ended."""
    return 1.5 * seconds + 120


def duration(text: str) -> float:
    """Seconds of an argument such as ``10m``, for argparse."""
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}; {error}") from None
    if seconds < 1:
        raise argparse.ArgumentTypeError(f"{text!r}; allowed: 1s or more")
    return seconds
