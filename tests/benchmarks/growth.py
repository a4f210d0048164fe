"""How milliseconds an epoch and memory grow with nodes, edges, features and width, from Cora's size to a million nodes.

    python -m tests.benchmarks.growth                    # all axes; writes docs/growth/*.svg, prints Markdown tables
    python -m tests.benchmarks.growth --quick            # the same on graphs of up to 4,000 nodes, a minute
    python -m tests.benchmarks.growth --only size width  # some axes
    python -m tests.benchmarks.growth --bytes            # what a training holds by node, edge and width; nothing is trained
    python -m tests.benchmarks.growth --sampling         # full, neighbour, cluster and precomputed batches side by side, with accuracy
    python -m tests.benchmarks.growth --sampling --only-task powerlaw:1e6

Each training runs in one worker process with one thread, as in a design; an epoch is a step over the graph and its validation. ``peak`` is
the worker's resident set size, ``predicted`` what the design would have expected. A training that is predicted to need more than is
available is not begun. The exponent is the slope of a line through the logarithms of the upper half of the points: 1 is linear.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from agentnas.tools.anchors import large_anchors
from agentnas.tools.room import MIB, available_mib, gib
from agentnas.tools.spec.model import ArchitectureSpec, parse_spec
from agentnas.tools.tasks import load_task
from agentnas.tools.train.resident import Scale, resident
from agentnas.tools.workers import Job, JobResult, TaskRef, WorkerPool
from tests.benchmarks.figures import panels

OPERATORS = ("gcn", "sage", "gat", "appnp", "gcnii")
EPOCHS = 3
EMPTY_MIB = 210.0  # of a worker whose task is tiny: forked, it shares what torch takes
LIMIT_S = 900.0
FOLDER = Path("docs/growth")
SAMPLED = {"powerlaw:1e5": 20, "powerlaw:1e6": 3}  # epochs: what the whole graph takes sets the time
LONGER = 300  # epochs of a training that asks for no neighbours: those of a design


@dataclass(frozen=True)
class Point:
    """One size of one axis: the task and the width that is trained on it."""

    value: float
    task: str
    width: int = 64


@dataclass(frozen=True)
class Axis:
    """What grows, in words, and the points along it."""

    title: str
    unit: str
    points: tuple[Point, ...]


def axes(quick: bool) -> dict[str, Axis]:
    """The axes by name; the quick ones end at 4,000 nodes."""
    middle = 1_000 if quick else 20_000
    sizes = (1_000, 2_000, 4_000) if quick else (2_700, 10_000, 30_000, 100_000, 300_000, 1_000_000)
    few = 1_000 if quick else 100_000
    nodes = (few, 2 * few, 5 * few, 10 * few)
    degrees = (4, 8, 16, 32) if quick else (2, 8, 32, 128)
    columns = (16, 64, 256) if quick else (16, 64, 256, 1024)
    words = (64, 256, 1024) if quick else (256, 1024, 4096, 16384)
    widths = (16, 64) if quick else (16, 64, 256, 512)
    edges, among = 10 * few, f"{middle:,} nodes"
    return {
        "size": Axis("nodes, with ten edges a node", "nodes", tuple(Point(n, f"powerlaw:{n}") for n in sizes)),
        "nodes": Axis(f"nodes, with {edges:,} edges in all", "nodes", tuple(Point(n, f"powerlaw:{n},edges={edges}") for n in nodes)),
        "edges": Axis(f"edges, among {among}", "edges", tuple(Point(d * middle, f"powerlaw:{middle},degree={d}") for d in degrees)),
        "dense": Axis(f"dense features, {among}", "features", tuple(Point(f, f"powerlaw:{middle},features={f}") for f in columns)),
        "sparse": Axis(
            f"sparse features, 20 of them non-zero, {among}",
            "features",
            tuple(Point(f, f"powerlaw:{middle},features={f},words=20") for f in words),
        ),
        "width": Axis(f"width, {among}", "width", tuple(Point(w, f"powerlaw:{middle}", w) for w in widths)),
    }


def spec_of(op: str, width: int, **recipe: Any) -> ArchitectureSpec:
    """Two layers of an operator; those without a width of their own get it from the encoder before them."""
    projected = op in ("appnp", "gcnii")
    wide = {} if projected else {"width": width}
    nodes = [{"id": "a", "op": op, **wide, "activation": "relu", "dropout": 0.5}, {"id": "b", "op": op, **wide, "inputs": ["a"]}]
    body = {"nodes": nodes[:1], "outputs": ["a"]} if op == "appnp" else {"nodes": nodes, "outputs": ["b"]}
    encoder = {"encoder": "linear", "width": width} if projected else {}
    return parse_spec({"input": encoder, "body": body, "recipe": {"epochs": EPOCHS, **recipe}})


@dataclass(frozen=True)
class Measured:
    """An epoch's milliseconds and the worker's MiB; None where the training was not begun or failed, and why."""

    ms: float | None
    peak: float | None
    predicted: float
    val: float | None = None
    seconds: float = 0.0
    problem: str = ""


def measure(name: str, specs: dict[str, ArchitectureSpec], split: str | None = None) -> dict[str, Measured]:
    """Train each spec in a fresh worker, so that none inherits what another left in memory."""
    scale = Scale.of(load_task(name, split=split))
    found: dict[str, Measured] = {}
    for key, spec in specs.items():
        predicted, available = resident(spec, scale).total, available_mib()
        if predicted > available:
            found[key] = Measured(None, None, predicted, problem=f"needs {gib(predicted)}, {gib(available)} are available")
        else:
            with WorkerPool(TaskRef(name, split=split), 1) as pool:
                (result,) = pool.run([Job(key, spec.model_dump(mode="json"), time_limit_s=LIMIT_S)])
            found[key] = _measured(result, predicted)
        print(f"{name} {key}: {found[key]}", file=sys.stderr, flush=True)
    return found


def _measured(result: JobResult, predicted: float) -> Measured:
    if result.state == "failed":
        return Measured(None, result.peak_memory_mib, predicted, problem=f"{result.kind}: {result.reason}")
    return Measured(result.details["epoch_ms"], result.peak_memory_mib, predicted, result.val, result.seconds)


def exponent(values: Sequence[float], costs: Sequence[float | None]) -> float | None:
    """Slope of log cost over log value, fitted to the upper half of the points (three at least); None for fewer than two."""
    known = [(v, c) for v, c in zip(values, costs, strict=True) if c is not None and c > 0]
    upper = known[-max(3, (len(known) + 1) // 2) :]
    if len(upper) < 2:
        return None
    x, y = np.log(np.array(upper)).T
    return float(np.polyfit(x, y, 1)[0])


def table(axis: Axis, rows: list[dict[str, Measured]], what: str) -> str:
    """Markdown: a row a size, a column an operator; ``what`` is ``ms`` or ``peak``."""
    values = [point.value for point in axis.points]
    lines = [f"| {axis.unit} | " + " | ".join(OPERATORS) + " |", "| ---: |" + " ---: |" * len(OPERATORS)]
    lines += [
        f"| {value:,.0f} | " + " | ".join(_cell(row[op], what) for op in OPERATORS) + " |" for value, row in zip(values, rows, strict=True)
    ]
    slopes = [exponent(values, [_cost(row[op], what) for row in rows]) for op in OPERATORS]
    return "\n".join([*lines, "| exponent | " + " | ".join("-" if slope is None else f"{slope:.2f}" for slope in slopes) + " |"])


def _cost(found: Measured, what: str) -> float | None:
    """What an exponent is fitted to: memory beyond that of any process."""
    if what == "ms":
        return found.ms
    return None if found.peak is None or found.ms is None else found.peak - EMPTY_MIB


def _cell(found: Measured, what: str) -> str:
    if found.ms is None:
        return found.problem
    return f"{found.ms:,.1f}" if what == "ms" else f"{found.peak:,.0f} ({found.predicted:,.0f})"


def plot(axis: Axis, rows: list[dict[str, Measured]], path: Path) -> None:
    """Milliseconds an epoch and MiB beside each other, both axes logarithmic."""
    from matplotlib.ticker import LogLocator

    with panels(path, 2, (9, 3.4), "growth") as (_, panes):
        for pane, what, label in zip(panes, ("ms", "peak"), ("ms an epoch", "peak memory of the worker, MiB"), strict=True):
            for op in OPERATORS:
                at = [(p.value, getattr(row[op], what)) for p, row in zip(axis.points, rows, strict=True) if row[op].ms is not None]
                pane.plot(*zip(*at, strict=True), marker="o", markersize=3, label=op) if at else None
            pane.set(xscale="log", yscale="log", xlabel=axis.title, ylabel=label)
            pane.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            pane.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
            pane.minorticks_off()
            pane.set_xticks([point.value for point in axis.points], [_short(point.value) for point in axis.points])
            pane.grid(True, which="major", alpha=0.3)
        panes[0].legend(frameon=False)


def _short(value: float) -> str:
    """``640``, ``10k``, ``2.6M``."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:g}"


def grow(name: str, axis: Axis, folder: Path) -> str:
    """Measure an axis, draw it, and return its section."""
    rows = [measure(point.task, {op: spec_of(op, point.width) for op in OPERATORS}) for point in axis.points]
    plot(axis, rows, folder / f"{name}.svg")
    heading = f"### {axis.title[0].upper()}{axis.title[1:]}"
    parts = [heading, f"![{axis.title}](growth/{name}.svg)", "Milliseconds an epoch:", table(axis, rows, "ms")]
    return "\n\n".join([*parts, "Peak MiB of the worker (predicted):", table(axis, rows, "peak")])


def bytes_held() -> str:
    """What a training holds for each node and edge, by the prediction: the slopes of a step and of a pass in evaluation mode."""
    lines = ["| two layers of | width | step: bytes a node | an edge | pass: bytes a node | an edge |", "| --- |" + " ---: |" * 5]
    for op in OPERATORS:
        for width in (64, 256):
            spec = spec_of(op, width)
            slopes = [_slope(spec, what, axis) for what in ("step", "inference") for axis in ("num_nodes", "num_edges")]
            lines.append(f"| {op} | {width} | " + " | ".join(f"{slope:,.0f}" for slope in slopes) + " |")
    return "\n".join(lines)


def _slope(spec: ArchitectureSpec, what: str, axis: str) -> float:
    small, step = Scale(1_000_000, 10_000_000, 64, 10, labelled=200, num_splits=10), 1_000_000
    large = Scale(**{**asdict(small), axis: getattr(small, axis) + step})
    return float((getattr(resident(spec, large), what) - getattr(resident(spec, small), what)) * MIB / step)


def sampling(name: str, epochs: int, split: str) -> str:
    """Batches of all kinds on one task: cost and validation accuracy of the GCN, and of SIGN, which needs neighbours but once."""
    (known,) = (anchor.spec for anchor in large_anchors() if anchor.name == "sign")
    gcn, sign = spec_of("gcn", 64, epochs=epochs), _with(known, {"epochs": epochs, "patience": 0})
    kinds: dict[str, dict[str, Any]] = {
        "full": {}, "neighbour": {"batching": "neighbour"}, "cluster, 10 parts": {"batching": "cluster"},
        "cluster, 50 parts": {"batching": "cluster", "clusters": 50},
    }  # fmt: skip
    designs = {f"gcn, {key}": _with(gcn, recipe) for key, recipe in kinds.items()}
    designs |= {f"sign, {key}": _with(sign, {"batching": key}) for key in ("full", "precomputed")}
    designs[f"sign, precomputed, {LONGER} epochs"] = _with(sign, {"epochs": LONGER})
    lines = [
        f"| batches on {name}, split {split} | ms an epoch | whole training, s | peak MiB (predicted) | validation after {epochs} epochs |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for key, m in measure(name, designs, split).items():
        seconds, val = ("-", "-") if m.val is None else (f"{m.seconds:,.1f}", f"{m.val:.1f}")
        lines.append(f"| {key} | {_cell(m, 'ms')} | {seconds} | {_cell(m, 'peak')} | {val} |")
    return "\n".join(lines)


def _with(spec: ArchitectureSpec, recipe: dict[str, Any]) -> ArchitectureSpec:
    return spec.model_copy(update={"recipe": spec.recipe.model_copy(update=recipe)})


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="graphs of up to 4,000 nodes")
    parser.add_argument("--only", nargs="+", choices=list(axes(False)), help="some axes")
    parser.add_argument("--sampling", action="store_true", help="compare batches instead")
    parser.add_argument("--only-task", choices=list(SAMPLED), help="of --sampling, one task alone")
    parser.add_argument("--bytes", action="store_true", help="bytes a node and edge instead")
    parser.add_argument("--most", type=float, default=float("inf"), help="leave out points beyond this value")
    parser.add_argument("--out", type=Path, default=FOLDER, help=f"folder of the plots (default {FOLDER})")
    given = parser.parse_args(arguments)
    if given.bytes:
        print(bytes_held())
        return
    if given.sampling:
        tasks = {"powerlaw:2000": 5} if given.quick else SAMPLED
        for task, epochs in tasks.items():
            if given.only_task in (None, task):
                print(sampling(task, epochs, "random:40/40"), end="\n\n", flush=True)
        return
    for name, axis in axes(given.quick).items():
        if given.only is None or name in given.only:
            kept = replace(axis, points=tuple(point for point in axis.points if point.value <= given.most))
            print(grow(name, kept, given.out), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
