"""How long a person waits: for a command's first line, for the first training of a design, and for a whole design on a table.

    python -m tests.benchmarks.startup [--quick] [--against CHECKOUT] [--timeline | --fresh | --memory [TASK ...]]

Each figure is the median over fresh processes, whose files are in the page cache; one run before is not counted. ``--fresh`` takes the
compiled bytecode away as well, from the libraries' files too. A first line is the first byte that a terminal (or a pipe) gets. The first
training begins when a worker takes up its first job: the moment at which the journal holds the first evaluation, less the seconds that the
worker says it took. ``--against`` measures another checkout in turn. Ends with 1 if a bar is missed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import pty
import select
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.versus_optuna.process import end

FIRST_LINE_S, FIRST_TRAINING_S, TABLE_S = 0.5, 6.0, 5.0
FIRST_LINES = {
    "--help": ["--help"],
    "design --task cora": ["design", "--task", "cora", "--trials", "4"],
    "design --task nasbench:cora": ["design", "--task", "nasbench:cora", "--trials", "4"],
    "chat": ["chat"],
    "watch latest": ["watch", "latest"],
    "report latest": ["report", "latest"],
    "runs list": ["runs", "list"],
    "tasks list": ["tasks", "list"],
    "doctor": ["doctor"],
}
LIVE = ["design", "--task", "cora", "--trials", "4"]
TABLE = ["design", "--task", "nasbench:cora", "--trials", "30"]
PATIENCE_S = 120.0


@dataclass(frozen=True)
class Place:
    """Where commands run: a checkout, a folder for runs and one for the memory."""

    checkout: Path
    runs: Path
    is_fresh: bool = False

    def start(self, args: list[str], output: int) -> subprocess.Popen[bytes]:
        environment = {
            **os.environ, "PYTHONPATH": str(self.checkout), "AGENTNAS_RUNS_DIR": str(self.runs),
            "AGENTNAS_MEMORY_DIR": str(self.runs / "memory"),
        }  # fmt: skip
        if self.is_fresh:
            environment["PYTHONPYCACHEPREFIX"] = tempfile.mkdtemp(dir=self.runs)
        command = [sys.executable, "-m", "agentnas.cli", *args]
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment, cwd=self.runs, start_new_session=True
        )


def first_line(place: Place, args: list[str], terminal: bool) -> float:
    """Seconds until the first byte on stdout or stderr."""
    reading, writing = pty.openpty() if terminal else os.pipe()
    start = time.perf_counter()
    process = place.start(args, writing)
    os.close(writing)
    try:
        if not select.select([reading], [], [], PATIENCE_S)[0]:
            raise TimeoutError(f"agentnas {' '.join(args)} said nothing within {PATIENCE_S:g} s")
        with contextlib.suppress(OSError):  # a terminal whose other end was closed
            os.read(reading, 1)
        return time.perf_counter() - start
    finally:
        end(process)
        os.close(reading)


def whole(place: Place, args: list[str]) -> float:
    """Seconds until a command has ended."""
    start = time.perf_counter()
    process = place.start(args, subprocess.DEVNULL)
    if process.wait(PATIENCE_S):
        raise RuntimeError(f"agentnas {' '.join(args)} ended with {process.returncode}")
    return time.perf_counter() - start


def first_training(place: Place) -> float:
    """Seconds until a worker takes up the first training of a live design."""
    *_, (at, _, event) = steps(place)
    return at - float(str(event["seconds"]))


def steps(place: Place) -> Iterator[tuple[float, float, dict[str, object]]]:
    """What a live design writes to its journal until its first evaluation has ended: wall time and CPU time of the process, event."""
    before = set(place.runs.glob("*/events.jsonl"))
    start = time.perf_counter()
    process = place.start(LIVE, subprocess.DEVNULL)
    seen = 0
    try:
        while time.perf_counter() - start < PATIENCE_S:
            for path in set(place.runs.glob("*/events.jsonl")) - before:
                lines = path.read_bytes().split(b"\n")[:-1]
                at, cpu = time.perf_counter() - start, _cpu(process.pid)
                for line in lines[seen:]:
                    event = json.loads(line)
                    yield at, cpu, event
                    if event["type"] == "evaluation_finished":
                        return
                seen = len(lines)
            time.sleep(0.01)
        raise TimeoutError(f"no training ended within {PATIENCE_S:g} s")
    finally:
        end(process)


def _cpu(pid: int) -> float:
    """Seconds of processor time of a process so far (Linux; 0 elsewhere)."""
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0


@dataclass(frozen=True)
class Row:
    """One figure: what is measured, and what it may be (None: not limited)."""

    name: str
    measure: Callable[[Place], float]
    bar_s: float | None = None


def rows() -> list[Row]:
    """All that is measured, first lines in a terminal and in a pipe."""
    return [
        *(_first(name, args, terminal) for name, args in FIRST_LINES.items() for terminal in (True, False)),
        Row("design --task cora: first training begins", first_training, FIRST_TRAINING_S),
        Row("design --task nasbench:cora --trials 30: ended", lambda place: whole(place, TABLE), TABLE_S),
    ]


def _first(name: str, args: list[str], terminal: bool) -> Row:
    where = "terminal" if terminal else "pipe"
    return Row(f"{name}: first line, {where}", lambda place: first_line(place, args, terminal), FIRST_LINE_S)


def measured(row: Row, places: list[Place], repeats: int) -> list[list[float]]:
    """Times of each place, taken in turn; the first round is not counted."""
    rounds = [[row.measure(place) for place in places] for _ in range(repeats + 1)]
    return [list(times) for times in zip(*rounds[1:], strict=True)]


def _cell(times: list[float]) -> str:
    return f"{statistics.median(times):.2f} ({min(times):.2f} to {max(times):.2f})"


def compare(places: dict[str, Place], repeats: int, bars: bool) -> bool:
    """Print the table, a line as it is measured; whether each bar that there is was kept by the first place."""
    print(f"| seconds, median (range) of {repeats} | {' | '.join(places)} | bar |\n| --- |{' ---: |' * (len(places) + 1)}")
    kept = True
    for row in rows():
        times = measured(row, list(places.values()), repeats)
        missed = bars and row.bar_s is not None and statistics.median(times[0]) > row.bar_s
        kept = kept and not missed
        bar = "" if not bars or row.bar_s is None else f"{row.bar_s:g}{' missed' if missed else ''}"
        print(f"| {row.name} | {' | '.join(map(_cell, times))} | {bar} |", flush=True)
    return kept


def timeline(place: Place) -> None:
    """Print what a live design does until its first training, by its journal."""
    list(steps(place))  # fills the page cache
    print("| step of `design --task cora` | wall, s | its processor time, s |\n| --- | ---: | ---: |")
    shown = set()
    for at, cpu, event in steps(place):
        kind = str(event["type"])
        if kind == "evaluation_finished":
            print(f"| first training begins | {at - float(str(event['seconds'])):.2f} | |")
        elif kind not in shown:
            print(f"| {kind.replace('_', ' ')} | {at:.2f} | {cpu:.2f} |")
        shown.add(kind)


def memory(tasks: list[str]) -> None:
    """Print what two workers take, forked and in interpreters of their own, after a training of each: ready, and memory of all."""
    print("| task, two workers | ready, s | resident, MiB each | proportional, MiB in all |\n| --- | ---: | ---: | ---: |")
    for task in tasks:
        for name, forked in (("forked", True), ("an interpreter each", False)):
            ready, resident, shared = _workers(task, forked)
            print(f"| {task}, {name} | {ready:.2f} | {resident:.0f} | {shared:.0f} |", flush=True)


def _workers(task: str, forked: bool) -> tuple[float, float, float]:
    """Seconds until both have trained for one epoch; the mean resident set of a worker, and all workers' and their server's shares of
    memory, a page that n processes map counting as 1/n of a page in each; MiB."""
    import psutil

    from agentnas.tools.anchors import plain_anchors
    from agentnas.tools.fork_server import ForkServer
    from agentnas.tools.workers import Job, TaskRef, WorkerPool

    spec = plain_anchors()[1].spec.model_dump(mode="json")
    possible = ForkServer.possible
    ForkServer.possible = staticmethod(lambda: forked)  # type: ignore[method-assign]
    try:
        start = time.perf_counter()
        with WorkerPool(TaskRef(task, os.environ.get("AGENTNAS_DATA_DIR")), 2) as pool:
            pool.start()
            list(pool.run([Job(str(i), spec, epochs=1) for i in range(2)]))
            ready = time.perf_counter() - start
            everyone = psutil.Process().children(recursive=True)
            workers = [psutil.Process(worker.process.pid) for worker in pool._slots if worker]
            resident = statistics.mean(worker.memory_info().rss for worker in workers) / 2**20
            return ready, resident, sum(process.memory_full_info().pss for process in everyone) / 2**20
    finally:
        ForkServer.possible = possible  # type: ignore[method-assign]


def main() -> int:
    """Measure and print; 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one repeat instead of seven")
    parser.add_argument("--against", type=Path, metavar="CHECKOUT", help="another checkout, measured in turn")
    parser.add_argument("--timeline", action="store_true", help="what a design does until its first training, instead of the table")
    parser.add_argument("--fresh", action="store_true", help="without compiled bytecode, and without bars")
    parser.add_argument("--memory", nargs="*", metavar="TASK", help="start and memory of two workers on these tasks, instead of the table")
    asked = parser.parse_args()
    if asked.memory is not None:
        memory(asked.memory or ["cora", "photo", "cs"])
        return 0
    with tempfile.TemporaryDirectory(prefix="agentnas-startup-") as folder:
        checkouts = {"this checkout": Path(__file__).parents[2], **({"the other": asked.against.resolve()} if asked.against else {})}
        places = {name: Place(path, Path(folder, str(i)), asked.fresh) for i, (name, path) in enumerate(checkouts.items())}
        for place in places.values():
            place.runs.mkdir()
            whole(place, [*TABLE[:-1], "3"])  # a run for those that look at one, and a memory that holds something
        if asked.timeline:
            for name, place in places.items():
                print(f"\n{name}\n")
                timeline(place)
            return 0
        return int(not compare(places, 1 if asked.quick else 7, bars=not asked.fresh))


if __name__ == "__main__":
    sys.exit(main())
