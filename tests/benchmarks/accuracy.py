"""How far validation can tell GRAND-like recipes apart on a public split: ``python -m tests.benchmarks.accuracy --data-dir DATA``.

Each variant is trained with the seeds of a confirmation. The test is read for the table alone; nothing is chosen by it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev

import numpy as np
import torch
from numpy.typing import NDArray

from agentnas.tools.anchors import strong_anchors
from agentnas.tools.evaluate.base import CONFIRM_SEED
from agentnas.tools.spec.model import ArchitectureSpec, parse_spec
from agentnas.tools.tasks import load_task
from agentnas.tools.train.data import PreparedTask
from agentnas.tools.train.trainer import predict, train
from agentnas.words import markdown_table, spread

HEADER = ("recipe", "validation", "test", "behind the best, over validation nodes", "over test nodes", "ms an epoch")


@dataclass(frozen=True)
class Trained:
    """A variant over its seeds: scores in percent, and of each node the share of seeds that got it right."""

    name: str
    val: list[float]
    test: list[float]
    val_nodes: NDArray[np.float64]
    test_nodes: NDArray[np.float64]
    epoch_ms: float


def changed(spec: ArchitectureSpec, hops: int | None = None, **recipe: float) -> ArchitectureSpec:
    """The spec with other hops or other settings of its recipe."""
    data = spec.model_dump(mode="json")
    data["recipe"] |= recipe
    for node in data["body"]["nodes"]:
        if hops is not None and "hops" in node["params"]:
            node["params"]["hops"] = hops
    return parse_spec(data)


def variants() -> dict[str, ArchitectureSpec]:
    """Both GRAND anchors, and the near one with other hops and with the settings that the far one has."""
    known = {anchor.name: anchor.spec for anchor in strong_anchors()}
    near = known["grand-near"]
    return {
        "grand": known["grand"],
        "grand-near": near,
        **{f"grand-near, {hops} hops": changed(near, hops) for hops in (1, 3, 4, 8)},
        "grand-near, labels as they are": changed(near, label_smoothing=0.0),
        "grand-near, rate 0.02, decay 0.001": changed(near, learning_rate=0.02, weight_decay=1e-3),
    }


def trained(name: str, spec: ArchitectureSpec, prepared: PreparedTask, seeds: Sequence[int], epochs: int | None) -> Trained:
    """Train a variant with each seed."""
    results = [train(spec, prepared, split=0, seed=seed, epochs=epochs) for seed in seeds]
    scores = [predict(spec, prepared, 0, result.state_dict) for result in results]
    return Trained(
        name,
        [result.val for result in results],
        [prepared.test_score(score, 0) for score in scores],
        np.mean([prepared.val_right(score, 0) for score in scores], axis=0),
        np.mean([prepared.test_right(score, 0) for score in scores], axis=0),
        mean(result.details["epoch_ms"] for result in results),
    )


def row(made: Trained, best: Trained) -> list[str]:
    """A line of the table."""
    val, test = (spread(mean(scores), stdev(scores) if len(scores) > 1 else 0.0) for scores in (made.val, made.test))
    behind = [_gap(a - b) if made is not best else "" for a, b in ((best.val_nodes, made.val_nodes), (best.test_nodes, made.test_nodes))]
    return [made.name, val, test, *behind, f"{made.epoch_ms:.1f}"]


def _gap(difference: NDArray[np.float64]) -> str:
    return spread(100 * difference.mean(), 100 * difference.std(ddof=1) / len(difference) ** 0.5)


def table(task: str, data_dir: Path | None, seeds: int, epochs: int | None) -> str:
    """The Markdown table of a task with one split; the best by validation is what the others are compared with."""
    prepared = PreparedTask.from_task(load_task(task, data_dir=data_dir))
    used = range(CONFIRM_SEED, CONFIRM_SEED + seeds)
    made = [trained(name, spec, prepared, used, epochs) for name, spec in variants().items()]
    best = max(made, key=lambda one: mean(one.val))
    return markdown_table(HEADER, [row(one, best) for one in made])


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, help="folder of the data sets")
    parser.add_argument("--tasks", default="citeseer,cora", help="tasks with one split, by commas")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--quick", action="store_true", help="digits, two seeds and two epochs: whether it works")
    told = parser.parse_args(arguments)
    torch.set_num_threads(1)
    for task in ["digits"] if told.quick else told.tasks.split(","):
        print(f"\n{task}\n\n{table(task, told.data_dir, 2 if told.quick else told.seeds, 2 if told.quick else None)}")


if __name__ == "__main__":
    main()
