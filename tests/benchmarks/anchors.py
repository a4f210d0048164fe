"""Anchors of tasks on all their splits by validation alone, as their settings are chosen: no test item is scored.

    python -m tests.benchmarks.anchors actor texas wisconsin --only mlp mlp-deep
    python -m tests.benchmarks.anchors mutag --only gin pna gine --held --with recipe.ema_decay=0 --window 1

With --held, of tasks whose splits are folds, the next fold is taken out of what is trained on and scored with the weights that validation
chose: how far validation runs ahead of items that nothing was chosen by. --window says over how many epochs the scores of few validation
items are averaged.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch

from agentnas.config import Config
from agentnas.tools.errors import UsageError
from agentnas.tools.spec.model import ArchitectureSpec
from agentnas.tools.tasks import Split, Task, load_task
from agentnas.tools.train import trainer
from agentnas.tools.train.choice import FEW_ITEMS_WINDOW
from agentnas.tools.train.data import PreparedTask
from agentnas.wiring import anchors_of
from tests.benchmarks.links import changed, told


class Scored(NamedTuple):
    """Of one training: validation score of the chosen epoch, score of the held fold (NaN without one), epochs."""

    val: float
    held: float
    epochs: int


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", nargs="+")
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--only", nargs="*", help="names of anchors; all if not given")
    parser.add_argument(
        "--with", dest="settings", nargs="*", default=[], help="settings that the anchors are given: recipe.ema_decay=0 ..."
    )
    parser.add_argument("--held", action="store_true", help="score a fold that nothing is trained or chosen on")
    parser.add_argument("--window", type=int, default=FEW_ITEMS_WINDOW, help="epochs averaged where validation items are few")
    asked = parser.parse_args(argv)
    torch.set_num_threads(1)
    setattr(trainer, "FEW_ITEMS_WINDOW", asked.window)  # noqa: B010
    for name in asked.tasks:
        task = load_task(name)
        compare(with_held(task) if asked.held else task, asked.splits, asked.only, asked.settings)


def compare(task: Task, splits: int, only: list[str] | None, settings: list[str]) -> None:
    """Print a row an anchor: mean and standard deviation over splits."""
    print(f"\n{task.name}: {task.protocol}; {task.metric.name}, {min(splits, task.num_splits)} splits\n")
    print("| | validation | held | epochs | s a training |\n| --- | --- | --- | --- | --- |")
    prepared = PreparedTask.from_task(task)
    for anchor in anchors_of(Config(task=task.name), task):
        if only is None or anchor.name in only:
            began = time.process_time()
            spec = changed(anchor.spec, settings) if settings else anchor.spec
            found = [trained(spec, prepared, task, split) for split in range(min(splits, task.num_splits))]
            seconds = (time.process_time() - began) / len(found)
            held = "" if np.isnan(found[0].held) else told([one.held for one in found])
            epochs = np.mean([one.epochs for one in found])
            print(f"| {anchor.name} | {told([one.val for one in found])} | {held} | {epochs:.0f} | {seconds:.1f} |", flush=True)


def trained(spec: ArchitectureSpec, prepared: PreparedTask, task: Task, split: int) -> Scored:
    """A training on one split; the test part of the split is the held fold, or it is not looked at."""
    result = trainer.train(spec, prepared, split=split, seed=split)
    if not task.protocol.endswith(HELD):
        return Scored(result.val, np.nan, result.epochs)
    scores = trainer.predict(spec, prepared, split, result.state_dict)
    return Scored(result.val, prepared.test_score(scores, split), result.epochs)


HELD = ", a fold held out of the training part"


def with_held(task: Task) -> Task:
    """The task with the validation fold of the next split in the place of the test part, and out of the training part."""
    splits = []
    for number, split in enumerate(task.splits):
        held = task.split(number + 1).val
        if not np.isin(held, split.train).all():
            raise UsageError(f"--held: the splits of {task.name} are no folds; leave --held out")
        splits.append(Split(np.setdiff1d(split.train, held), split.val, held))
    return replace(task, splits=tuple(splits), protocol=task.protocol + HELD)


if __name__ == "__main__":
    main()
