"""`agentnas design` on tasks of every kind, one after the other, and the table of what it found.

    python -m tests.benchmarks.kinds --time 10m --workers 2 --out kinds.json
    python -m tests.benchmarks.kinds --tasks mutag,esol,usair --out kinds.json
    python -m tests.benchmarks.kinds --table kinds.json

Results are kept in --out as they come: the same command again goes on where it was cut off, and tries again what failed. docs/kinds.md says
how each task is judged. --quick is seconds a task and shows that everything runs, nothing more.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from agentnas.tools.errors import AgentNASError, UsageError
from tests.benchmarks.designing import duration
from tests.benchmarks.kinds.outcome import KEYS, Rule, measure
from tests.benchmarks.kinds.table import render
from tests.benchmarks.kinds.tasks import TASKS, names
from tests.benchmarks.versus_optuna.results import Results, Row


class Stopped(Exception):
    """The command ends, and what it started with it."""


def main(argv: Sequence[str] | None = None) -> int:
    """Measure what was asked for and print the table; 1 if a task failed, 2 for a wrong flag, 130 if interrupted."""
    try:
        return _main(_arguments(argv))
    except AgentNASError as error:
        print(f"kinds: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130


def _main(asked: argparse.Namespace) -> int:
    results = Results(asked.table or asked.out, KEYS)
    if not asked.table:
        _measure(names(asked.tasks), _rule(asked), asked.runs, results)
    print(render(results.rows))
    return int(any(row["problem"] for row in results.rows))


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.kinds", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", default=",".join(TASKS), help="comma-separated; by default %(default)s")
    parser.add_argument("--time", type=duration, default=600.0, help="of each task; by default 10m")
    parser.add_argument("--workers", type=int, default=2, help="of the machine; by default %(default)s")
    parser.add_argument("--parallel", type=int, default=1, help="tasks at a time, which share the workers; by default %(default)s")
    parser.add_argument("--data-dir", type=Path, help="folder of data sets, else $AGENTNAS_DATA_DIR")
    parser.add_argument("--out", type=Path, help="JSON file that keeps the results")
    parser.add_argument("--runs", type=Path, help="folder that keeps the runs, with their reports; else they are removed")
    parser.add_argument("--table", type=Path, help="measure nothing: print the table of this file")
    parser.add_argument("--quick", action="store_true", help="a few trials a task, with short anchors")
    asked = parser.parse_args(argv)
    if asked.data_dir:
        os.environ["AGENTNAS_DATA_DIR"] = str(asked.data_dir.resolve())
    return asked


def _rule(asked: argparse.Namespace) -> Rule:
    for name in ("workers", "parallel"):
        if getattr(asked, name) < 1:
            raise UsageError(f"--{name} is {getattr(asked, name)}, allowed: 1 or more")
    if asked.workers % asked.parallel:
        raise UsageError(f"--workers {asked.workers} cannot be shared by --parallel {asked.parallel} tasks; give a multiple of it")
    return Rule(asked.time, asked.workers // asked.parallel, asked.parallel, asked.quick)


def _measure(tasks: Sequence[str], rule: Rule, runs: Path | None, results: Results) -> None:
    """Measure what the results lack; what is under way ends with this."""
    ending = threading.Event()

    def look() -> None:
        if ending.is_set():
            raise Stopped

    def one(task: str) -> Row:
        _say(f"{task}: {rule.text} ...")
        return measure(task, rule, runs, look)

    pool = ThreadPoolExecutor(rule.parallel)
    try:
        waiting = [pool.submit(one, task) for task in tasks if not results.has(task=task, rule=rule.text)]
        for done in as_completed(waiting):
            results.add(done.result())
            _say(_told(done.result()))
    finally:
        ending.set()
        pool.shutdown(cancel_futures=True)


def _told(row: Row) -> str:
    return f"{row['task']}: {row['problem'] or row['winner']['design']}, {row['wall_s']:.0f} s"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what is under way is ended too
    sys.exit(main())
