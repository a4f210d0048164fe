"""What the engine does on a CUDA device: correctness, milliseconds an epoch, trials an hour, memory.

    python -m tests.benchmarks.cuda [--parts correct,recorded,epoch,trials,memory,accuracy]

Made for a few minutes on a borrowed device: every part prints its table at once, stops at its own time limit, and fails alone. With $OUT
set the tables are also written there as JSON. The usual loop is ``tests/benchmarks/usual_loop.py``. Cora is read from $AGENTNAS_DATA_DIR;
without it the built-in digits take its place.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from agentnas.tools.errors import AgentNASError
from agentnas.tools.metrics import metric
from agentnas.tools.nn.graph import Graph
from agentnas.tools.nn.network import build_network
from agentnas.tools.nn.sparse import SparseFeatures
from agentnas.tools.operators.base import operators
from agentnas.tools.room import MIB
from agentnas.tools.sizes import Sizes
from agentnas.tools.spec.model import ArchitectureSpec, parse_spec
from agentnas.tools.tasks import load_task
from agentnas.tools.tasks.base import GraphData, Split, Task, sorted_edges
from agentnas.tools.train.data import PreparedTask
from agentnas.tools.train.memory import predicted_mib
from agentnas.tools.train.trainer import train
from agentnas.tools.workers import Job, JobResult, TaskRef, WorkerPool
from agentnas.words import markdown_table
from tests.benchmarks.usual_loop import DESIGNS, Design, LoopData, spec_of, usual_training
from tests.tools import candidates
from tests.tools.nn.making import scores_and_gradients, sparse

Row = dict[str, Any]
DEVICE = "cuda:0"


class Stop(Exception):
    """A part's time is over."""


class Part:
    """Rows of a table, and the time that is left for more."""

    def __init__(self, title: str, limit_s: float) -> None:
        self.title, self.rows, self._ends = title, list[Row](), time.monotonic() + limit_s
        self.limit_s = limit_s

    def add(self, **cells: Any) -> None:
        self.rows.append(cells)

    def check(self) -> None:
        if time.monotonic() > self._ends:
            raise Stop(f"stopped after {self.limit_s:g} s")

    def attempt(self, work: Callable[[], Row], **cells: Any) -> None:
        """One row; what goes wrong stands in it."""
        self.check()
        try:
            self.add(**cells, **work())
        except Exception as error:  # noqa: BLE001 - one failure must not lose the rest of a borrowed device's time
            traceback.print_exc()
            self.add(**cells, failure=f"{type(error).__name__}: {' '.join(str(error).split())[:160]}")


@cache
def small_task() -> tuple[str, Task]:
    """Cora where its files are, else digits."""
    try:
        return "cora", load_task("cora", download=False)
    except AgentNASError:
        return "digits", load_task("digits")


@cache
def synthetic(nodes: int = 100_000, edges: int = 1_000_000, features: int = 128, classes: int = 16) -> Task:
    """A graph with power-law degrees whose features hint at the class; ``edges`` counts both directions."""
    draw = np.random.default_rng(0)
    popularity = (np.arange(nodes) + 10.0) ** -0.6
    popularity /= popularity.sum()
    ends = draw.choice(nodes, size=(2, edges // 2), p=popularity)
    y = draw.integers(classes, size=nodes)
    x = (draw.standard_normal((nodes, features)) + 1.5 * np.eye(classes, features)[y]).astype(np.float32)
    order = draw.permutation(nodes)
    split = Split(*(np.sort(part) for part in np.split(order, [nodes // 20, nodes // 10])))
    edge_index = sorted_edges(ends[:, ends[0] != ends[1]].astype(np.int64), nodes, undirected=True)
    data = GraphData(x, edge_index, y, classes)
    return Task(name="synthetic", metric=metric("accuracy"), protocol="", num_splits=1, fingerprint="", split_name="", data=data,
                splits=(split,))  # fmt: skip


@cache
def prepared(large: bool, device: str = "") -> PreparedTask:
    return PreparedTask.from_task(synthetic() if large else small_task()[1], device or DEVICE)


@cache
def loop_data(large: bool) -> LoopData:
    task = synthetic() if large else small_task()[1]
    assert task.data is not None
    return LoopData.of(task.data, task.split(0), DEVICE)


def two_nodes(op: str, epochs: int = 40, **recipe: Any) -> ArchitectureSpec:
    """Two nodes of an operator over raw sparse features with encodings."""
    width = {"width": 16} if operators()[op].has_width else {}
    nodes = [{"id": "a", "op": op, **width, "activation": "elu"}, {"id": "b", "op": op, "inputs": ["a"]}]
    part = {"encodings": [{"kind": "degree", "dim": 4}]}
    settings = {"epochs": epochs, "patience": 0, **recipe}
    return parse_spec({"input": part, "body": {"nodes": nodes, "outputs": ["b"]}, "recipe": settings})


def relative(ours: Tensor, wanted: Tensor) -> float:
    return float((ours.cpu().double() - wanted.double()).norm() / wanted.double().norm().clamp(min=1e-12))


def random_inputs(seed: int = 0, nodes: int = 300, features: int = 60) -> tuple[SparseFeatures, Graph, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    edge_index = torch.unique(torch.randint(nodes - 5, (2, 1800), generator=draw), dim=1)
    x = torch.randn(nodes, features, generator=draw) * (torch.rand(nodes, features, generator=draw) < 0.1)
    return sparse(x), Graph(edge_index, nodes), torch.rand(nodes, 4, generator=draw)


def correct(part: Part) -> None:
    """(a) Forward and gradients of every operator, CPU against CUDA; with dropped edges too."""
    for op in operators():
        for dropped in (False, True):
            part.attempt(partial(errors_of, op, dropped), operator=op, edges="dropped" if dropped else "all")


def errors_of(op: str, dropped: bool) -> Row:
    torch.manual_seed(0)
    x, graph, encodings = random_inputs()
    network = build_network(two_nodes(op), in_channels=60, out_channels=5, encoding_channels=4)
    keep = torch.rand(graph.num_edges) > 0.4
    moved = graph.to(DEVICE)
    wanted = scores_and_gradients(network, x, graph._select(keep) if dropped else graph, encodings)
    there = moved._mask(keep.to(DEVICE)) if dropped else moved
    found = scores_and_gradients(network.to(DEVICE), x.to(DEVICE), there, encodings.to(DEVICE))
    forward, gradient = (relative(a, b) for a, b in zip(found, wanted, strict=True))
    return {"forward": f"{forward:.1e}", "gradient": f"{gradient:.1e}", "ok": forward < 1e-5 and gradient < 1e-4}


def recorded(part: Part) -> None:
    """Which trainings are recorded, by operator and by field of the recipe."""
    cases: dict[str, Row] = {op: {"op": op} for op in operators()}
    recipes: list[Row] = [
        {"drop_edge": 0.3}, {"feature_dropout": 0.3, "drop_node": 0.2}, {"consistency_samples": 2}, {"schedule": "plateau"},
        {"schedule": "cosine", "warmup": 5}, {"gradient_clip": 0.5}, {"self_training_rounds": 1},
        {"optimiser": "sgd", "momentum": 0.9},
        {"optimiser": "rmsprop"}, {"optimiser": "adamw", "patience": 10}, {"batching": "neighbour"}, {"batching": "cluster"},
    ]  # fmt: skip
    cases |= {", ".join(f"{k}={v}" for k, v in recipe.items()): {"op": "gcn", **recipe} for recipe in recipes}
    cases |= {f"{op}, drop_edge=0.3": {"op": op, "drop_edge": 0.3} for op in ("gat", "pna", "transformer", "h2gcn")}
    for name, case in cases.items():
        part.attempt(partial(how_recorded, two_nodes(epochs=40, **case)), training=name)


def how_recorded(spec: ArchitectureSpec) -> Row:
    result = train(spec, prepared(False), split=0, seed=0)
    return {
        "steps": result.details["steps"],
        "epoch ms": result.details["epoch_ms"],
        "seconds": round(result.seconds, 2),
        "val": result.val,
    }


def epoch(part: Part) -> None:
    """(b) Milliseconds an epoch (step and validation): the usual loop, ours eager, ours recorded."""
    train(spec_of(Design("gcn"), 30), prepared(False), split=0, seed=0)
    for large, epochs in ((False, 200), (True, 60)):
        graph = "10^5 nodes" if large else small_task()[0]
        for design in (Design("gcn"), Design("sage"), Design("gat"), Design("appnp", layers=10), Design("gcnii", layers=16)):
            part.attempt(partial(three_ways, design, epochs, large), graph=graph, design=design.name)


def three_ways(design: Design, epochs: int, large: bool) -> Row:
    usual = usual_training(design, loop_data(large), epochs)
    ways = {}
    for name, capture in (("eager", False), ("recorded", True)):
        result = train(spec_of(design, epochs), prepared(large), split=0, seed=0, capture=capture)
        ways[name] = (result.details["epoch_ms"], result.seconds, result.val, result.details["steps"])
    ratio = usual.epoch_ms / ways["recorded"][0]
    cells = {"usual ms": round(usual.epoch_ms, 3), "eager ms": ways["eager"][0], "recorded ms": ways["recorded"][0],
             "ratio": round(ratio, 1),
             "usual s": round(usual.seconds, 2), "recorded s": round(ways["recorded"][1], 2)}  # fmt: skip
    return {**cells, "usual val": round(usual.val, 1), "val": round(ways["recorded"][2], 1), "steps": ways["recorded"][3]}


def trials(part: Part, workers: Sequence[int] = (1, 4, 8)) -> None:
    """(c) Trials an hour of a fixed list of designs, 200 epochs each."""
    usual_training(DESIGNS[0], loop_data(False), 20)
    began = time.monotonic()
    scores = [usual_training(design, loop_data(False)).val for design in DESIGNS]
    took = time.monotonic() - began
    base = 3600 * len(DESIGNS) / took
    part.add(side="usual loop", processes=1, trials=len(DESIGNS), seconds=round(took, 2), an_hour=round(base), ratio=1.0,
             mean_val=round(float(np.mean(scores)), 2), failed=0)  # fmt: skip
    for count in workers:
        part.attempt(partial(pooled, count, base), side="ours", processes=count)


def pooled(count: int, base: float) -> Row:
    """Our pool with so many processes, started and warm before the clock runs; the list twice, so that it lasts."""
    task, sizes = small_task()[0], Sizes.of(small_task()[1])
    jobs = [Job(f"{i}-{d.name}", spec_of(d).model_dump(mode="json"), device_mib=predicted_mib(spec_of(d), sizes))
            for i in range(2) for d in DESIGNS]  # fmt: skip
    with WorkerPool(TaskRef(task), count, DEVICE) as pool:
        start = time.monotonic()
        warm(pool, count)
        started, start = time.monotonic() - start, time.monotonic()
        results = list(pool.run(jobs))
        took = time.monotonic() - start
    done = [result for result in results if result.state == "done"]
    for result in results:
        if result.state != "done":
            print(f"  {result.id}: {result.kind}: {result.reason}", flush=True)
    rate, vals = 3600 * len(done) / took, [result.val or 0.0 for result in done]
    kinds = sorted({str(result.details.get("steps")) for result in done})
    return {"trials": len(jobs), "seconds": round(took, 2), "an_hour": round(rate), "ratio": round(rate / base, 1),
            "failed": len(jobs) - len(done), "mean_val": round(float(np.mean(vals)), 2), "start s": round(started, 1),
            "steps": "; ".join(kinds)}  # fmt: skip


def warm(pool: WorkerPool, count: int) -> None:
    """Every worker has done a job: longer ones than a start takes to differ."""
    spec = spec_of(Design("gcn"), 60).model_dump(mode="json")
    pool.start()
    deadline = time.monotonic() + 60
    while sum(bool(worker and worker.ready) for worker in pool._slots) < count and time.monotonic() < deadline:
        list(pool.run([Job("warm", spec)]))
    list(pool.run(Job(f"warm{i}", spec) for i in range(2 * count)))


def memory(part: Part) -> None:
    """(d) Memory predicted against allocated; and a candidate that asks for more than there is."""
    designs = (
        Design("gcn"),
        Design("gcn", 512, 3),
        Design("gat", 64),
        Design("gat", 256),
        Design("sage", 256, 3),
        Design("gcnii", 256, 16),
    )
    for large in (False, True):
        for design in designs:
            part.attempt(partial(foreseen, design, large), graph="10^5 nodes" if large else small_task()[0], case=design.name)
    part.attempt(out_of_memory, graph="pool of 2", case="asks for 4 TiB")


def foreseen(design: Design, large: bool) -> Row:
    data = prepared(large)
    spec = spec_of(design, 25)
    data.features(spec.input)
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    steps = train(spec, data, split=0, seed=0).details["steps"]
    found = (torch.cuda.max_memory_allocated() - before) / MIB
    sizes = Sizes(data.num_nodes, data.num_edges, data.num_features, data.num_classes, data.nnz(spec.input))
    wanted = predicted_mib(spec, sizes)
    return {"predicted MiB": round(wanted), "allocated MiB": round(found), "ratio": round(wanted / max(found, 1e-9), 2), "steps": steps}


def out_of_memory() -> Row:
    with tempfile.TemporaryDirectory() as folder:
        candidates.write_operators(Path(folder))
        os.environ["AGENTNAS_OPERATORS"] = folder
        try:
            good = spec_of(Design("gcn"), 100).model_dump(mode="json")
            jobs = [Job("good0", good), Job("bad", candidates.spec("glutton")), *(Job(f"good{i}", good) for i in range(1, 5))]
            with WorkerPool(TaskRef("digits"), 2, DEVICE) as pool:
                results: dict[str, JobResult] = {result.id: result for result in pool.run(jobs)}
        finally:
            del os.environ["AGENTNAS_OPERATORS"]
    lost = results["bad"]
    others = sorted({f"{one.state} {one.kind or ''} {one.reason}".strip() for name, one in results.items() if name != "bad"})
    return {"steps": f"{lost.state}: {lost.kind}: {lost.reason[:60]}; the others: {', '.join(others)}"}


def accuracy(part: Part) -> None:
    """(e) Validation scores of the same seeds on the CPU and on the device."""
    for design in (Design("gcn"), Design("gat"), Design("appnp", layers=10)):
        part.attempt(partial(both_devices, design), design=design.name)


def both_devices(design: Design, seeds: int = 6) -> Row:
    torch.set_num_threads(4)
    cells: Row = {}
    for device in ("cpu", DEVICE):
        vals = [train(spec_of(design, 120), prepared(False, device), split=0, seed=seed).val for seed in range(seeds)]
        cells[device] = f"{np.mean(vals):.2f} ± {np.std(vals, ddof=1):.2f}"
    return cells


PARTS: dict[str, tuple[Callable[[Part], None], float]] = {
    "correct": (correct, 40), "recorded": (recorded, 60), "epoch": (epoch, 60), "trials": (trials, 110), "memory": (memory, 60),
    "accuracy": (accuracy, 40),
}  # fmt: skip


def table(rows: list[Row]) -> str:
    """The rows as a Markdown table; a cell that a row lacks is empty."""
    heads = list(dict.fromkeys(name for row in rows for name in row))
    return markdown_table(heads, [[str(row.get(head, "")) for head in heads] for row in rows])


def run_part(name: str) -> Part:
    work, limit_s = PARTS[name]
    part, began, note = Part((work.__doc__ or name).splitlines()[0], limit_s), time.monotonic(), ""
    try:
        work(part)
    except Stop as stop:
        note = f" ({stop})"
    except Exception:  # noqa: BLE001 - the other parts go on
        traceback.print_exc()
        note = " (broke off)"
    print(f"\n### {part.title} [{time.monotonic() - began:.0f} s]{note}\n", table(part.rows), sep="\n", flush=True)
    return part


def main() -> int:
    """Print the tables; 1 if an operator is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", default=",".join(PARTS), help=f"comma-separated, of {', '.join(PARTS)}")
    chosen = parser.parse_args().parts.split(",")
    if not torch.cuda.is_available():
        print("no CUDA device here", file=sys.stderr)
        return 1
    found = torch.cuda.get_device_properties(0)
    print(f"{found.name}, {found.total_memory / 2**30:.0f} GiB; torch {torch.__version__}; data: {small_task()[0]}", flush=True)
    parts = {}
    for name in chosen:
        parts[name] = run_part(name)
        if out := os.environ.get("OUT"):
            Path(out, "cuda.json").write_text(json.dumps({key: part.rows for key, part in parts.items()}, indent=1))
    return int(any(row.get("ok") is not True for row in parts["correct"].rows)) if "correct" in parts else 0


if __name__ == "__main__":
    sys.exit(main())
