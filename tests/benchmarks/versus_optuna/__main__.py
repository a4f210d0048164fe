"""AgentNAS beside what a user would write: Optuna 5 over PyTorch Geometric, on the same machine, data, splits and time.

    python -m tests.benchmarks.versus_optuna --parts list --tasks cora,citeseer --repeats 5 --out results.json
    python -m tests.benchmarks.versus_optuna --parts end --tasks cora,texas --time 10m --out results.json
    python -m tests.benchmarks.versus_optuna --table results.json

Results are kept in --out as they come: the same command again goes on where it was cut off, and tries again what failed. docs/fast-yard.md
says what each side does. --quick is seconds long and shows that everything runs, nothing more.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch: workers of both sides have one thread each

from agentnas.config import format_duration
from agentnas.tools.errors import AgentNASError, UsageError, suggest
from agentnas.tools.tasks.catalog import DATA_SETS
from tests.benchmarks.designing import duration
from tests.benchmarks.versus_optuna import tables
from tests.benchmarks.versus_optuna.results import Results, Row

TASKS, PARTS = ("cora", "citeseer", "photo", "cs", "texas"), ("list", "end")
# An epoch of the usual loop takes long there: shorter trainings, by the same rule on both sides.
EPOCHS, SHORTER, PATIENCE = 200, {"photo": 50, "cs": 8}, 50
QUICK_EPOCHS, QUICK_S = 8, 10.0
SIDES = ("optuna", "ours")


def main(argv: Sequence[str] | None = None) -> int:
    """Measure what was asked for and print the tables; 1 if a side failed, 2 for a wrong flag."""
    try:
        return _main(_arguments(argv))
    except AgentNASError as error:
        print(f"versus_optuna: {error}", file=sys.stderr)
        return error.exit_code


def _main(asked: argparse.Namespace) -> int:
    if asked.table:
        results = Results(asked.table)
    else:
        results = Results(asked.out)
        for part in _names("--parts", asked.parts, PARTS):
            for task in _names("--tasks", asked.tasks, tuple(DATA_SETS)):
                (_list if part == "list" else _end)(task, asked, results)
    print("\n" + tables.render(results))
    if asked.plot and tables.plot(results, asked.plot):
        print(f"\n{asked.plot}", file=sys.stderr)
    return int(any(row.get("problem") for row in results.rows))


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.versus_optuna", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--parts", default="list,end", help="list (the same designs on both sides), end (design from end to end), or both")
    parser.add_argument("--tasks", default=",".join(TASKS), help="comma-separated; by default %(default)s")
    parser.add_argument("--repeats", type=int, help="rounds: 3 of list, 1 of end; each with another seed, sides alternating")
    parser.add_argument("--epochs", type=int, help=f"of list: {EPOCHS}, {SHORTER}")
    parser.add_argument("--patience", type=int, default=PATIENCE, help="of list; by default %(default)s")
    parser.add_argument("--time", type=duration, default=600.0, help="of end, for each side; by default 10m")
    parser.add_argument("--data-dir", type=Path, help="folder of data sets, else $AGENTNAS_DATA_DIR")
    parser.add_argument("--out", type=Path, help="JSON file that keeps the results")
    parser.add_argument("--table", type=Path, help="measure nothing: print the tables of this file")
    parser.add_argument("--plot", type=Path, help="SVG file of validation and test over time")
    parser.add_argument("--quick", action="store_true", help=f"one design of {QUICK_EPOCHS} epochs, and {QUICK_S:g} seconds a side")
    asked = parser.parse_args(argv)
    for name in ("repeats", "epochs", "patience"):
        if getattr(asked, name) is not None and getattr(asked, name) < 1:
            parser.error(f"--{name} is {getattr(asked, name)}, allowed: 1 or more")
    if asked.data_dir:
        os.environ["AGENTNAS_DATA_DIR"] = str(asked.data_dir.resolve())
    return asked


def _names(flag: str, text: str, allowed: Sequence[str]) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in allowed:
            raise UsageError(f"{flag} {name}: does not exist; {suggest(name, allowed)}")
    return names


def _list(task: str, asked: argparse.Namespace, results: Results) -> None:
    from tests.benchmarks.versus_optuna.fixed_list import LIST, Rule, measure

    epochs = asked.epochs or (QUICK_EPOCHS if asked.quick else SHORTER.get(task, EPOCHS))
    rule = Rule(epochs, asked.patience)
    known = {"part": "list", "task": task, "rule": rule.text}
    rounds = [
        number
        for number in range(asked.repeats or (1 if asked.quick else 3))
        if not all(results.has(**known, round=number, side=side) for side in ("usual", "ours"))
    ]

    def report(row: Row) -> None:
        results.add(row)
        _say(f"{task}, list, round {row['round']}, {row['side']}: {row['an_hour']:,.0f} trainings an hour, validation {row['val']:.2f}")

    if rounds:
        measure(task, rule, rounds, LIST[:1] if asked.quick else LIST, report)


def _end(task: str, asked: argparse.Namespace, results: Results) -> None:
    from tests.benchmarks.versus_optuna import sides

    seconds = QUICK_S if asked.quick else asked.time
    for number in range(asked.repeats or 1):
        for side in SIDES if number % 2 == 0 else reversed(SIDES):
            keys: dict[str, Any] = {"part": "end", "task": task, "side": side, "round": number, "rule": format_duration(seconds)}
            if results.has(**keys):
                continue
            _say(f"{task}, end, round {number}, {side}: {keys['rule']} ...")
            row = {**keys, **sides.run(side, task, seconds, number, quick=asked.quick)}
            results.add(row)
            _say(f"{task}, end, round {number}, {side}: {row['problem'] or _outcome(row)}")


def _outcome(row: Row) -> str:
    test = tables.mean_sd(list(row["test"].values()))
    return f"{row['trials']} trials, {row['full']} full trainings, test {test}, {row['wall_s']:.0f} s"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that a side that is under way is ended too
    sys.exit(main())
