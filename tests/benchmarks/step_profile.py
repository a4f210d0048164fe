"""Where the time of an epoch goes on one CPU thread, kind by kind, beside the least that its work could take on this machine.

    python -m tests.benchmarks.step_profile --tasks cora photo

An epoch is a training step and the validation after it. Times are CPU time of the thread, so that neighbours on a busy machine count
little; a kernel's is the least of its calls times their number, as the profiler's own memory slows some. The least time is the work that no
program can avoid (products, rows gathered along edges, arrays read and written once, random draws, weights updated) divided by ceilings
that are measured first: a dense product, sums of neighbours' rows and a copy at a hidden layer's size, and torch's generator; one kind of
work is done after the other.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from agentnas.tools.freed_memory import keep_freed_memory
from agentnas.tools.nn.dense import affine
from agentnas.tools.nn.network import count_parameters
from agentnas.tools.tasks import load_task
from agentnas.tools.train.data import PreparedTask
from agentnas.tools.train.trainer import Session, seeded
from tests.benchmarks.usual_loop import Design, LoopData, spec_of, usual_training

KINDS = {"gcn": 2, "sage": 2, "gat": 2, "appnp": 10, "gcnii": 8}
HEADS = 8
SPARSE = "sparse products"
SPARSE_CALLS = ("_Product", "_ProductBackward", "_Mix", "_MixBackward", "_HeadProducts", "_HeadProductsBackward", "_Collect", "_Softmax")
DRAW_BYTES = 2  # random bits of a dropout draw
PARTS: dict[str, tuple[str, ...]] = {
    "dense products": ("aten::mm", "aten::addmm", "aten::linear", "mkldnn::_linear_pointwise"),
    SPARSE: (),
    "random draws": ("aten::random_", "aten::bernoulli_", "aten::ge", "aten::ge_"),
    "edges": ("aten::index_select", "aten::segment_reduce", "aten::sparse_sampled_addmm", "aten::exp_", "aten::leaky_relu"),
    "optimiser": ("Optimizer", "aten::_fused_adam_"),
}
OTHER = "element-wise, copies"


@dataclass(frozen=True)
class Ceilings:
    """What one thread of this machine reaches: GFLOP/s, GB/s of gathered rows, of copying, and of random bits."""

    products: float
    gathers: float
    stream: float
    draws: float

    def __str__(self) -> str:
        return (
            f"{self.products:.0f} GFLOP/s in dense products, {self.gathers:.1f} GB/s of gathered rows, {self.stream:.1f} GB/s of copying "
            f"(read and written), {self.draws:.1f} GB/s of random bits"
        )


@dataclass
class Work:
    """What an epoch must do: operations, bytes of gathered rows, bytes read or written once, bytes of random bits."""

    flops: float = 0
    gathered: float = 0
    streamed: float = 0
    drawn: float = 0

    def dense(self, entries: float, rows: int, width: int, first: bool) -> None:
        """A product of ``entries`` with a matrix ``width`` wide: in training, in validation, its weights' gradient and its input's."""
        self.flops += 2 * entries * width * (3 if first else 4)
        self.streamed += 4 * rows * width * (3 if first else 4)

    def spread(self, entries: int, rows: int, width: int) -> None:
        """A product with the adjacency: in training, in validation, and its gradient."""
        self.gathered += 3 * 4 * entries * width
        self.streamed += 3 * 4 * rows * width

    def attend(self, entries: int, heads: int, width: int) -> None:
        """Scores and softmax, read and written once each way, and the gradient of each share, which reads the rows of both its ends."""
        self.streamed += 3 * 2 * 4 * entries * heads
        self.gathered += 2 * 4 * entries * width

    def drop(self, count: int, needs_gradient: bool = True) -> None:
        """Dropout."""
        self.drawn += DRAW_BYTES * count
        self.streamed += 2 * 4 * count * (2 if needs_gradient else 1)

    def activate(self, count: int) -> None:
        """An activation in training, in validation and backwards."""
        self.streamed += 3 * 2 * 4 * count

    def seconds(self, ceilings: Ceilings) -> float:
        moved = self.gathered / ceilings.gathers + self.streamed / ceilings.stream
        return (self.flops / ceilings.products + moved + self.drawn / ceilings.draws) / 1e9


def necessary(design: Design, prepared: PreparedTask, parameters: int) -> Work:
    """The work of one epoch of a design; weights are read and written once, with their gradient and Adam's two moments."""
    part = spec_of(design).input
    n, classes, width = prepared.num_nodes, prepared.num_classes, design.width
    entries = prepared.nnz(part) or n * prepared.num_features
    looped = prepared.graph.num_edges + (0 if design.kind == "sage" else n)
    work = Work(streamed=7 * 4 * parameters)
    work.drop(entries, needs_gradient=False)
    if design.kind in ("appnp", "gcnii"):
        _deep(work, design, entries, n, looped, classes)
        return work
    twice = 2 if design.kind == "sage" else 1
    work.dense(twice * entries, n, width, first=True)
    for layer, wide in enumerate((width,) * (design.layers - 1) + (classes,)):
        if layer:
            work.activate(n * width)
            work.drop(n * width)
            work.dense(twice * n * width, n, wide, first=False)
        work.spread(looped, n, wide)
        if design.kind == "gat":
            work.attend(looped, HEADS if layer < design.layers - 1 else 1, wide)
    return work


def _deep(work: Work, design: Design, entries: int, n: int, looped: int, classes: int) -> None:
    work.dense(entries, n, design.width, first=True)
    for _ in range(design.layers if design.kind == "gcnii" else 0):
        work.activate(n * design.width)
        work.spread(looped, n, design.width)
        work.dense(n * design.width, n, design.width, first=False)
    work.activate(n * design.width)
    work.drop(n * design.width)
    work.dense(n * design.width, n, classes, first=False)
    for _ in range(design.layers if design.kind == "appnp" else 0):
        work.spread(looped, n, classes)


def cpu_seconds(work: Callable[[], Any], times: int) -> float:
    """Least CPU seconds of some work among a few tries."""
    found = []
    for _ in range(times):
        start = time.thread_time()
        work()
        found.append(time.thread_time() - start)
    return min(found[1:] or found)


def ceilings(prepared: PreparedTask, width: int, times: int = 12) -> Ceilings:
    """Measured on arrays of a hidden layer's size; the product on one of 2048 x 512 x 512."""
    left, right = torch.rand(2048, 512), torch.rand(512, 512)
    hidden = torch.rand(prepared.num_nodes, width)
    target = torch.empty_like(hidden)
    bits = torch.empty(hidden.numel(), dtype=torch.int64)
    adjacency = prepared.graph.adjacency("sym", loops=True)
    gathered = 4 * adjacency.pattern.nnz * width
    return Ceilings(
        2 * left.numel() * 512 / 1e9 / cpu_seconds(lambda: affine(left, right), times),
        gathered / 1e9 / cpu_seconds(lambda: adjacency.csr @ hidden, times),
        2 * 4 * hidden.numel() / 1e9 / cpu_seconds(lambda: target.copy_(hidden), times),
        8 * bits.numel() / 1e9 / cpu_seconds(lambda: bits.random_(-(2**63), None), times),
    )


@dataclass(frozen=True)
class Measured:
    """Milliseconds of an epoch, of its kernels by part, and the least."""

    task: str
    design: Design
    epoch: float
    training: float
    parts: dict[str, float]
    least: float
    usual: float | None = None

    def row(self) -> str:
        kernels = sum(self.parts.values())
        named = [*(self.parts.get(part, 0.0) for part in (*PARTS, OTHER)), max(0.0, self.epoch - kernels)]
        cells = " | ".join(f"{value:.2f}" for value in named)
        ratio = f"{self.epoch / self.least:.1f}"
        row = f"| {self.task} | {self.design.name} | **{self.epoch:.2f}** | {self.training:.2f} | {cells} | {self.least:.2f} | {ratio} |"
        return row if self.usual is None else f"{row} {self.usual:.1f} | **{self.usual / self.epoch:.1f}x** |"


HEAD = f"| task | design | epoch | its step | {' | '.join((*PARTS, OTHER))} | Python, dispatch | least | ratio |"


def part_of(event: Any) -> str:
    """Which part of the table a profiled operation belongs to."""
    name = str(event.key)
    return next((part for part, names in PARTS.items() if name.startswith(names)), OTHER)


def measure(design: Design, prepared: PreparedTask, epochs: int, found: Ceilings) -> Measured:
    """Train a design for some epochs without, then for as many with torch's profiler."""
    with seeded(0, prepared.device):
        session = Session(spec_of(design, 10 * epochs), prepared, 0, 10 * epochs)
        session.start_optimiser(10 * epochs)
        session.pace.restart(10 * epochs)
        for epoch in range(1, 4):
            session.pace.run(epoch, 1)
        step, total = _cut(session, epochs)
        parts = _kernels(session, epochs)
    least = 1000 * necessary(design, prepared, count_parameters(session.network)).seconds(found)
    return Measured(prepared.name, design, total, step, parts, least)


def with_usual(found: Measured, data: LoopData, epochs: int) -> Measured:
    """Beside it, milliseconds of an epoch of the usual loop over PyTorch Geometric's modules."""
    usual_training(found.design, data, 2)
    start = time.thread_time()
    usual_training(found.design, data, epochs)
    return replace(found, usual=1000 * (time.thread_time() - start) / epochs)


def _cut(session: Session, epochs: int) -> tuple[float, float]:
    """Median milliseconds of a step, and of an epoch."""
    steps, totals = [], []
    for _ in range(epochs):
        start = time.thread_time()
        loss = session.train_epoch()
        middle = time.thread_time()
        session.choice.add(session.epoch, loss, session.validate(), session.network)
        steps.append(middle - start)
        totals.append(time.thread_time() - start)
    return 1000 * statistics.median(steps), 1000 * statistics.median(totals)


def _kernels(session: Session, epochs: int) -> dict[str, float]:
    """Milliseconds of an epoch inside kernels, by part."""
    with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as recorded:
        for _ in range(epochs):
            session.choice.add(session.epoch, session.train_epoch(), session.validate(), session.network)
    calls: dict[tuple[str, str], list[float]] = defaultdict(list)
    for event in recorded.events() or []:
        calls[_place(event), f"{event.key} {event.input_shapes}"].append(event.self_cpu_time_total / 1000)
    parts: dict[str, float] = defaultdict(float)
    for (part, _), times in calls.items():
        parts[part] += min(times) * len(times) / epochs
    return dict(parts)


def _place(event: Any) -> str:
    """The part of an operation; a product inside one of our sparse products is sparse."""
    if event.key in ("aten::mm", "aten::addmm", "aten::fill_", "aten::zero_") and _within_sparse(event):
        return SPARSE
    return part_of(event)


def _within_sparse(event: Any) -> bool:
    while event is not None:
        if event.key.startswith(SPARSE_CALLS):
            return True
        event = event.cpu_parent
    return False


def main() -> None:
    """Print ceilings and table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", default=["cora"])
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--data-dir", type=Path, help="folder with the raw files (default: $AGENTNAS_DATA_DIR)")
    parser.add_argument(
        "--usual", action="store_true", help="beside them, the usual loop over PyTorch Geometric's modules with dense features"
    )
    parser.add_argument("--quick", action="store_true", help="few epochs: whether it runs")
    given = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    epochs = 3 if given.quick else given.epochs
    for name in given.tasks:
        task = load_task(name, data_dir=given.data_dir, download=False)
        prepared = PreparedTask.from_task(task)
        found = ceilings(prepared, given.width)
        head = f"{HEAD} usual loop | faster |" if given.usual else HEAD
        print(f"\n{name}: one thread reaches {found}. Milliseconds of CPU time an epoch:\n")
        print(f"{head}\n|{' --- |' * (head.count('|') - 1)}")
        for kind in given.kinds:
            row = measure(Design(kind, given.width, KINDS[kind]), prepared, epochs, found)
            if given.usual and task.data is not None:
                row = with_usual(row, LoopData.of(task.data, task.split(0), "cpu"), max(2, epochs // 5))
            print(row.row(), flush=True)


if __name__ == "__main__":
    main()
