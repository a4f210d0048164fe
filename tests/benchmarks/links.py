"""Anchors of link prediction beside sums over common neighbours, on all splits of a task: the table of docs/links.md.

    python -m tests.benchmarks.links usair cora-links --splits 10
    python -m tests.benchmarks.links ns --splits 2 --validation --only sage --with head.pair_features=structure recipe.batch_size=256

Epochs and designs are chosen by validation; the test pairs of a split are scored once, with the weights that validation chose, and with
--validation not at all.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

import numpy as np
import torch

from agentnas.tools.anchors_of_kinds import link_anchors
from agentnas.tools.baselines import baselines_for, measure
from agentnas.tools.baselines.base import Baseline
from agentnas.tools.errors import UsageError
from agentnas.tools.spec.locks import read_locks
from agentnas.tools.spec.model import ArchitectureSpec
from agentnas.tools.spec.render import render_line
from agentnas.tools.tasks import Task, load_task
from agentnas.tools.train.data import PreparedTask
from agentnas.tools.train.trainer import predict, train

SHARED = ("common-neighbours", "adamic-adar", "resource-allocation")  # the baselines that are sums over common neighbours


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", nargs="+")
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--only", nargs="*", help="names of anchors; all if not given")
    parser.add_argument("--with", dest="settings", nargs="*", default=[], help="settings that the anchors are given: head.dropout=0.3 ...")
    parser.add_argument("--validation", action="store_true", help="leave the test pairs alone")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    for name in asked.tasks:
        compare(load_task(name), asked.splits, asked.only, asked.settings, asked.validation)


def compare(task: Task, splits: int, only: list[str] | None, settings: list[str], validation: bool) -> None:
    print(f"\n{task.name}: {task.protocol}; {task.metric.name}, {min(splits, task.num_splits)} splits\n")
    print("| | validation | test | s a training |\n| --- | --- | --- | --- |")
    numbers = range(min(splits, task.num_splits))
    for baseline in baselines_for(task):
        if baseline.name in SHARED:
            row(baseline.told, [measured(task, baseline, number, validation) for number in numbers], None)
    prepared = PreparedTask.from_task(task)
    for anchor in link_anchors():
        if only is None or anchor.name in only:
            began = time.process_time()
            found = [trained(changed(anchor.spec, settings), prepared, number, validation) for number in numbers]
            row(" ".join([anchor.name, *settings]), found, (time.process_time() - began) / len(found))


def measured(task: Task, baseline: Baseline, split: int, validation: bool) -> tuple[float, ...]:
    """Validation and test score of a baseline; the first alone where the test pairs are left alone."""
    return (baseline.fit(task.split(split)).val,) if validation else measure(task, baseline, split)[:2]


def changed(spec: ArchitectureSpec, settings: list[str]) -> ArchitectureSpec:
    """The spec with settings written into it; raises UsageError for one that the language does not have or allow."""
    found = read_locks(settings, None, "--with").imposed(spec)
    if found is None:
        raise UsageError(f"--with {' '.join(settings)}: these settings do not fit the design {render_line(spec)}")
    return found


def trained(spec: ArchitectureSpec, prepared: PreparedTask, split: int, validation: bool) -> tuple[float, ...]:
    """The same of a training."""
    result = train(spec, prepared, split=split, seed=split)
    if validation:
        return (result.val,)
    scores = predict(spec, prepared, split, result.state_dict)
    return result.val, prepared.test_score(scores, split)


def row(name: str, found: list[tuple[float, ...]], seconds: float | None) -> None:
    val, *test = map(told, zip(*found, strict=True))
    print(f"| {name} | {val} | {''.join(test)} | {'' if seconds is None else f'{seconds:.1f}'} |", flush=True)


def told(scores: Sequence[float]) -> str:
    """Mean and standard deviation over splits."""
    return f"{np.mean(scores):.1f} ± {np.std(scores, ddof=min(1, len(scores) - 1)):.1f}"


if __name__ == "__main__":
    main()
