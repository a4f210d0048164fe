"""What memory of other tasks is worth on a new one: trials that a warm run needs to reach what a cold run ends with.

    python -m tests.benchmarks.transfer --data-dir DATA --folder /tmp/transfer

Runs fill a store with the source tasks, once. Then, for each seed, a cold run of the target with an empty memory, and a warm
one of half as many trials with a copy of the store. Best validation so far is over means at full fidelity, without confirmation.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import agentnas
from agentnas.memory.keeping import reconcile
from agentnas.memory.rundir import RunDirectory
from agentnas.memory.store import Store
from agentnas.memory.view import JournalView
from agentnas.tools.evaluate.base import CONFIRM


def main(argv: Sequence[str] | None = None) -> None:
    asked = _arguments(argv)
    memory = asked.folder / "memory"
    for source in asked.sources.split(","):
        task, _, trials = source.partition(":")
        _design(asked, task, int(trials or asked.trials), 0, memory, asked.folder / "sources", trial_time="4m")
    with closing(Store(str(memory))) as store:
        reconcile(store, asked.folder / "sources")  # a source that was stopped counts with what it had
    rows = [_compared(asked, seed, memory) for seed in range(asked.seeds)]
    print(f"{asked.target}, memory of {asked.sources}: best validation so far")
    print("seed  cold end (trials)  warm end (trials)  warm reaches it after  cold needs of warm's end")
    for row in rows:
        print(row["line"])
    reached = [row["reached"] for row in rows]
    share = [(count or asked.trials) / asked.trials for count in reached]
    print(f"reached within half the trials: {sum(count is not None for count in reached)} of {len(rows)}; "
          f"mean share of the cold run's trials {statistics.fmean(share):.2f}")  # fmt: skip


def _arguments(argv: Sequence[str] | None) -> Any:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--sources", default="citeseer,texas,photo:10,cs:4", help="task, or task:trials")
    parser.add_argument("--target", default="cora")
    parser.add_argument("--trials", type=int, default=32)
    parser.add_argument("--seeds", type=int, default=5)
    return parser.parse_args(argv)


def _compared(asked: Any, seed: int, memory: Path) -> dict[str, Any]:
    """Each run has a runs folder of its own: what lies in one is caught up with."""
    place = asked.folder / f"seed-{seed}"
    cold = best_so_far(_design(asked, asked.target, asked.trials, seed, place / "cold-memory", place / "cold"))
    if not (place / "warm-memory").exists():
        shutil.copytree(memory, place / "warm-memory")
    warm = best_so_far(_design(asked, asked.target, asked.trials // 2, seed, place / "warm-memory", place / "warm"))
    reached = next((count for count, score in enumerate(warm, start=1) if score >= cold[-1]), None)
    back = next((count for count, score in enumerate(cold, start=1) if score >= warm[-1]), None)
    ends = f"{cold[-1]:9.2f} ({len(cold):3})    {warm[-1]:9.2f} ({len(warm):3})"
    line = f"{seed:4}  {ends}    {reached or 'not reached'!s:>20}  {back or 'never'!s:>23}"
    return {"line": line, "reached": reached}


def _design(asked: Any, task: str, trials: int, seed: int, memory: Path, runs: Path, **more: Any) -> JournalView:
    """The finished run of a task and seed: found, or made."""
    for folder in sorted(runs.glob(f"*-{task}-*")):
        view = RunDirectory.open(folder).view()
        done = view.finished or ("sources" in runs.parts and view.num_tried >= trials)
        if done and view.started and view.started.config["seed"] == seed:
            return view
    where: dict[str, Any] = {"memory_dir": memory, "runs_dir": runs, "data_dir": asked.data_dir}
    found = agentnas.design(task, trials=trials, seed=seed, confirm_seeds=2, **where, **more)
    return found.view


def best_so_far(view: JournalView) -> list[float]:
    """After each trial, in the order of drafting, the best mean validation at full fidelity."""
    full = set(view.started.full if view.started else ()) - {CONFIRM}
    best, curve = float("-inf"), []
    for trial in view.tried:
        scores = [evaluation.val for evaluation in view.evaluations(trial) if evaluation.rung in full]
        best = max(best, statistics.fmean(scores)) if scores else best
        curve.append(best)
    return curve


if __name__ == "__main__":
    main()
