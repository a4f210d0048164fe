"""What a training costs before its first step, with what the worker already holds and without: ``python -m tests.benchmarks.shared_work``.

A worker keeps the sorted graph, normalised adjacencies with their transposes, scaled features and encodings from one candidate to the next.
Each design is set up and trained for a few epochs on a task that others have used, and on one made anew. What comes before the first step,
and what the first epoch takes longer than the others, is set against a training of ``EPOCHS`` epochs with validation. Processor time, so
that a busy machine hardly moves it; the least of some tries.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import torch

from agentnas.tools.freed_memory import keep_freed_memory
from agentnas.tools.spec.model import ArchitectureSpec, parse_spec
from agentnas.tools.tasks import Task, load_task
from agentnas.tools.train.data import PreparedTask
from agentnas.tools.train.trainer import Session, seeded
from agentnas.words import markdown_table

EPOCHS, FEW = 200, 6
HEADER = ("task", "design", "epoch, ms", "set up anew, ms", "with what is held, ms", f"spared, of {EPOCHS} epochs", "left")


def designs() -> dict[str, ArchitectureSpec]:
    """Two layers of several operators, and the recipes and inputs that need more of the graph than others."""
    found = {op: two_layers(op) for op in ("gcn", "sage", "gat", "gcnii", "h2gcn")}
    found["gcn, edges dropped"] = two_layers("gcn", recipe={"drop_edge": 0.3})
    found["gcn, 10 clusters"] = two_layers("gcn", recipe={"batching": "cluster", "clusters": 10})
    found["gcn, neighbours"] = two_layers("gcn", recipe={"batching": "neighbour", "batch_size": 256, "fanout": 10})
    for kind in ("random_walk", "laplacian"):
        found[f"gcn, {kind} encodings"] = two_layers("gcn", source={"encodings": [{"kind": kind, "dim": 8}]})
    return found


def two_layers(op: str, recipe: dict[str, Any] | None = None, source: dict[str, Any] | None = None) -> ArchitectureSpec:
    """Two layers of an operator; the second has a channel for each class."""
    first = {"id": "a", "op": op, "width": 64, "dropout": 0.5, "activation": "relu"}
    second = {"id": "b", "op": op, "width": "out", "dropout": 0.5, "inputs": ["a"]}
    body = {"nodes": [first, second], "outputs": ["b"]}
    return parse_spec({"input": {"scale": "row", **(source or {})}, "body": body, "head": {"decoder": "none"}, "recipe": recipe or {}})


def timed(design: ArchitectureSpec, prepared: PreparedTask) -> tuple[float, float]:
    """Milliseconds of processor time: of the set-up, with what the first epoch takes longer than the others, and of an epoch."""
    moments = [time.process_time()]
    with seeded(0, prepared.device):
        session = Session(design, prepared, 0, FEW)
        session.start_optimiser(FEW)
        for _ in range(FEW):
            session.train_epoch()
            session.validate()
            moments.append(time.process_time())
    first, *others = [1000 * (after - before) for before, after in pairwise(moments)]
    return max(0.0, first - median(others)), median(others)


def rows(task: Task, tries: int) -> Iterable[list[str]]:
    """A row for each design."""
    held = PreparedTask.from_task(task)
    for name, design in designs().items():
        timed(design, held)
        warm = [timed(design, held) for _ in range(tries)]
        cold = [timed(design, PreparedTask.from_task(task)) for _ in range(tries)]
        epoch = median(each for _, each in warm)
        kept, anew = min(first for first, _ in warm), min(first for first, _ in cold)
        shares = [f"{100 * part / (EPOCHS * epoch + kept):.1f} %" for part in (max(0.0, anew - kept), kept)]
        yield [task.name, name, f"{epoch:.1f}", f"{anew:.0f}", f"{kept:.0f}", *shares]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(description="what candidates would cost if they shared nothing")
    parser.add_argument("tasks", nargs="*", default=["cora", "photo"], metavar="TASK", help="default: cora photo")
    parser.add_argument("--data-dir", type=Path, help="folder of the data sets")
    parser.add_argument("--tries", type=int, default=5, help="of which the least counts (default 5)")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    found = [row for name in options.tasks for row in rows(load_task(name, data_dir=options.data_dir), options.tries)]
    print(markdown_table(HEADER, found))
    return 0


if __name__ == "__main__":
    keep_freed_memory()  # as workers do
    sys.exit(main())
