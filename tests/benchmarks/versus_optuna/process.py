"""One side as a process tree of its own: started, watched for memory and time, ended if it must be."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

POLL_S = 0.25
ROOT = Path(__file__).resolve().parents[3]
# Nothing of the person who measures may help or hinder: no keys of language models, no settings, no memory of earlier runs.
KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "AGENTNAS_DATA_DIR", "VIRTUAL_ENV", "LD_LIBRARY_PATH")


@dataclass(frozen=True)
class Ended:
    """How a process tree ended. ``problem`` is empty where it did what it was asked for; ``peak_mib`` is its resident memory, added up."""

    began: float
    wall_s: float
    peak_mib: float
    problem: str


def run(arguments: Sequence[str], folder: Path, limit_s: float, seen: Callable[[], None] = lambda: None) -> Ended:
    """Run Python with these arguments until it ends, or for ``limit_s``; what it prints goes to ``folder/output.txt``.

    ``seen`` is called at every look at the processes, four times a second.
    """
    with (folder / "output.txt").open("wb") as output:
        began = time.time()
        process = subprocess.Popen(
            [sys.executable, *arguments], cwd=folder, env=_environment(folder), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True,
        )  # fmt: skip
        try:
            peak = _watch(process, began + limit_s, seen)
        finally:
            wall = time.time() - began
            late = process.poll() is None
            end(process)
    return Ended(began, wall, peak, f"did not end within {limit_s:.0f} s" if late else _problem(process.returncode, folder))


def _watch(process: subprocess.Popen[bytes], until: float, seen: Callable[[], None]) -> float:
    """Wait for the process; the most memory that it and its children held together, in MiB."""
    tree, peak = psutil.Process(process.pid), 0.0
    while process.poll() is None and time.time() < until:
        peak = max(peak, _resident_mib(tree))
        seen()
        time.sleep(POLL_S)
    return peak


def _resident_mib(tree: psutil.Process) -> float:
    total = 0
    try:
        for one in (tree, *tree.children(recursive=True)):
            total += one.memory_info().rss
    except psutil.Error:  # it ended while we looked
        return 0.0
    return total / 2**20


def end(process: subprocess.Popen[bytes]) -> None:
    """End whatever is left of a process that leads a session, and of its children."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _problem(code: int, folder: Path) -> str:
    if code == 0:
        return ""
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    printed = (folder / "output.txt").read_text(errors="replace").splitlines()
    lines = [line for line in printed if line.strip() and not line.startswith("to go on:")]
    return f"ended with code {code}: {lines[-1][:200] if lines else 'no output'}"


def _environment(folder: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    own = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "XDG_CONFIG_HOME": str(folder), "AGENTNAS_MEMORY_DIR": str(folder / "memory")}
    return {**kept, **own}
