"""What a spec costs: parameters, FLOPs, size, latency, memory and time per epoch; on CPU and CUDA.

``price`` is arithmetic and takes milliseconds; ``profile`` measures with untrained weights, in some seconds, on one CPU thread or one
CUDA device. Memory is what the tensor allocator hands out: reproducible to the byte, and free of the interpreter's and the libraries' own
hundreds of MiB, which are the same for every spec. The task's features and edges are not counted; normalised adjacencies are.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from agentnas.tools.errors import ConfigError, SpecError
from agentnas.tools.room import MIB
from agentnas.tools.sizes import Sizes
from agentnas.tools.spec.model import ArchitectureSpec

if TYPE_CHECKING:
    import torch

    from agentnas.tools.nn.layout import Layout
    from agentnas.tools.train.data import PreparedTask
    from agentnas.tools.train.trainer import Session

WARM_UPS = 3
TIMING_S = 1.0  # stop timing after this long, but never before FEWEST_RUNS
FEWEST_RUNS, MOST_RUNS = 5, 100
EPOCHS = 5
# A real network is the quickest to count up to so many weights, and is not made beyond so many; an operator has a factor of its own.
FEW_WEIGHTS, MOST_WEIGHTS = 2**17, 2**20


@dataclass(frozen=True)
class Profile:
    """Costs of a spec on a task and a device.

    ``flops``: of one full-graph inference without post-processing, 2 x multiply-adds, sparse products by non-zeros. ``size_mib``: weights
    and buffers. ``latency_ms_*``: one full-graph inference with post-processing, after warm-up. ``peak_memory_mib``,
    ``train_memory_mib``: weights plus the most that tensors made by one inference, or by the first steps of a training (gradients and
    optimiser state included), hold at one time. ``epoch_ms``: one epoch of training with its validation, median.
    """

    parameters: int
    flops: int
    size_mib: float
    latency_ms_p50: float
    latency_ms_p95: float
    peak_memory_mib: float
    train_memory_mib: float
    epoch_ms: float


def resolve_device(name: str) -> str:
    """The device by name; ``auto`` is the first CUDA device, else the CPU. Raises ConfigError for one that is not there."""
    if name == "cpu":
        return name
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    allowed = ["cpu", "auto", *(["cuda"] if count else []), *(f"cuda:{i}" for i in range(count))]
    if name not in allowed:
        raise ConfigError(f"device {name!r} is not there; allowed on this machine: {', '.join(allowed)} (--device, AGENTNAS_DEVICE)")
    if name == "auto":
        return "cuda:0" if count else "cpu"
    return name


def price(spec: ArchitectureSpec, sizes: Sizes) -> dict[str, Any]:
    """``parameters``, ``flops`` and ``size_mib`` of a spec, without training or data; milliseconds, and little memory however wide it is.

    Small specs are built; others are counted on torch's ``meta`` device, without weights. An operator that reads the content of its
    weights, which ``meta`` lacks, cannot be priced beyond ``MOST_WEIGHTS``. Raises SpecError, one line, for a spec that cannot be built.
    """
    counted: dict[str, Any] = _built(spec, sizes, _counted)
    return counted


def parameters_by_part(spec: ArchitectureSpec, sizes: Sizes) -> dict[str, int]:
    """Parameters of each node, under the name that the spec gives it, and of ``input``, ``jump`` and ``head``; those without any are left
    out. Their sum is that of ``price``. Raises SpecError, one line, for a spec that cannot be built."""
    weighed: dict[str, int] = _built(spec, sizes, _weighed)
    return weighed


def foreseen_mib(spec: ArchitectureSpec, sizes: Sizes) -> float | None:
    """MiB that a training is predicted to need on a CUDA device (``predicted_mib``); None for a spec that cannot be probed."""
    from agentnas.tools.train.memory import predicted_mib

    try:
        return predicted_mib(spec, sizes)
    except Exception:  # noqa: BLE001
        # An operator's file holds anybody's code: what it raises here its training will raise again, as the reason of a failed trial.
        return None


def _built(spec: ArchitectureSpec, sizes: Sizes, count: Callable[[ArchitectureSpec, Sizes, str], Any]) -> Any:
    """What is counted on the first device where the spec can be built."""
    problem = ""
    for device in _devices(spec, sizes):
        try:
            return count(spec, sizes, device)
        except Exception as error:  # noqa: BLE001
            # An operator's file holds anybody's code: what it raises speaks about the candidate, not about the run.
            problem = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    raise SpecError(f"cannot be built: {problem}")


def _counted(spec: ArchitectureSpec, sizes: Sizes, device: str) -> dict[str, Any]:
    import torch

    from agentnas.tools.nn.flops import count_flops
    from agentnas.tools.nn.network import count_parameters, network_of

    with torch.random.fork_rng(devices=[]):
        with torch.device(device):
            network = network_of(spec, sizes)
        flops = count_flops(network, num_nodes=sizes.num_nodes, num_edges=sizes.num_edges, nnz=sizes.nnz, num_graphs=sizes.num_graphs)
    return {"parameters": count_parameters(network), "flops": flops, "size_mib": round(_size_mib(network), 4)}


def _weighed(spec: ArchitectureSpec, sizes: Sizes, device: str) -> dict[str, int]:
    import torch

    from agentnas.tools.nn.network import Network, count_parameters
    from agentnas.tools.spec.canonical import tidied

    spec = tidied(spec)  # the canonical form would give nodes other names
    layout = _layout(spec, sizes)
    with torch.random.fork_rng(devices=[]), torch.device(device):
        network = Network(spec, layout)
    counts = {name: count_parameters(module) for name, module in network.named_children()}
    return {name: count for name, count in counts.items() if count}


def _devices(spec: ArchitectureSpec, sizes: Sizes) -> tuple[str, ...]:
    """Where to count, in this order, by the entries of one matrix a layer from its input's width to its output's."""
    from agentnas.tools.spec.canonical import canonical

    layout = _layout(canonical(spec), sizes)
    parts = [part for make in layout.modules.values() for part in make.parts()]
    entries = sum(a * b for part in parts for a, b in pairwise(_widths(part.args)))
    if entries <= FEW_WEIGHTS:
        return ("cpu",)
    return ("meta", "cpu") if entries <= MOST_WEIGHTS else ("meta",)


def _layout(spec: ArchitectureSpec, sizes: Sizes) -> Layout:
    from agentnas.tools.nn.layout import make_layout

    return make_layout(spec, sizes.in_channels, sizes.out_channels, spec.input.encoding_channels, sizes.edge_channels, sizes.types)


def _widths(args: Iterable[object]) -> list[int]:
    nested = [arg if isinstance(arg, list) else [arg] for arg in args]
    return [width for widths in nested for width in widths if isinstance(width, int)]


def profile(spec: ArchitectureSpec, prepared: PreparedTask, *, capture: bool = True) -> Profile:
    """Measure a spec on a task's device with untrained weights. CPU threads are set to one meanwhile.

    ``capture``: whether epochs may be recorded as a CUDA graph, as in ``train``, which also says what CaptureFailed means.
    """
    from agentnas.tools.train.trainer import seeded

    sizes = Sizes(
        prepared.num_nodes, prepared.num_edges, prepared.num_features, prepared.num_classes, prepared.nnz(spec.input),
        prepared.edge_channels, prepared.types, prepared.num_items if prepared.kind == "graph" else 1,
    )  # fmt: skip
    with _one_thread(), seeded(0, prepared.device):
        latency = _latency_ms(spec, prepared)
        return Profile(
            **price(spec, sizes),
            latency_ms_p50=round(float(np.percentile(latency, 50)), 3),
            latency_ms_p95=round(float(np.percentile(latency, 95)), 3),
            peak_memory_mib=round(_inference_mib(spec, prepared), 3),
            train_memory_mib=round(_training_mib(spec, prepared), 3),
            epoch_ms=round(_epoch_ms(spec, prepared, capture), 3),
        )


def _session(spec: ArchitectureSpec, prepared: PreparedTask, *, fresh_graph: bool = False, capture: bool = True) -> Session:
    """A training that has not begun; with ``fresh_graph`` nothing that is derived from the edges exists yet."""
    from agentnas.tools.nn.graph import Graph
    from agentnas.tools.train.trainer import Session

    if fresh_graph:
        graph = prepared.graph
        again = Graph(graph.edge_index, graph.num_nodes, graph.edge_weight, graph.edge_attr, graph.edge_type, graph.node_type)
        prepared = replace(prepared, graph=again, _messages={})
    return Session(spec, prepared, split=0, epochs=spec.recipe.epochs, capture=capture)


def _latency_ms(spec: ArchitectureSpec, prepared: PreparedTask) -> list[float]:
    session = _session(spec, prepared)
    for _ in range(WARM_UPS):
        session.scores()
    return _timed(session.scores, prepared.device, FEWEST_RUNS, MOST_RUNS)


def _epoch_ms(spec: ArchitectureSpec, prepared: PreparedTask, capture: bool) -> float:
    if prepared.device.type == "cuda":
        return _block_ms(spec, prepared, capture)
    session = _session(spec, prepared)
    session.start_optimiser(session.epochs)

    def epoch() -> None:
        session.train_epoch()
        session.validate()

    epoch()
    return float(np.median(_timed(epoch, prepared.device, 1, EPOCHS)))


def _block_ms(spec: ArchitectureSpec, prepared: PreparedTask, capture: bool) -> float:
    """Milliseconds an epoch takes as trainings on a device go through them: in blocks, and recorded where that pays; median of blocks."""
    from agentnas.tools.train import pace

    taken: list[float] = []
    first, ends = 1, time.perf_counter() + TIMING_S
    with pace.own_stream(prepared.device):
        session = _session(spec, prepared, capture=capture)
        session.start_optimiser(session.epochs)
        session.pace.restart(session.epochs)
        while first <= session.epochs and len(taken) < pace.WARM_UPS + 1 + EPOCHS and (not taken or time.perf_counter() < ends):
            began = time.perf_counter()
            count = session.pace.run(first, session.epochs - first + 1)
            taken.append(1000 * (time.perf_counter() - began) / count)
            first += count
    return float(np.median(taken[pace.WARM_UPS + 1 :] or taken[-1:]))  # the block after the warm-ups holds the recording


def _timed(work: Callable[[], object], device: torch.device, fewest: int, most: int) -> list[float]:
    """Milliseconds of each run, until ``most`` runs or ``TIMING_S`` seconds."""
    clock = _cuda_ms if device.type == "cuda" else _cpu_ms
    taken: list[float] = []
    while len(taken) < most and (len(taken) < fewest or sum(taken) < 1000 * TIMING_S):
        taken.append(clock(work))
    return taken


def _cpu_ms(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - began)


def _cuda_ms(work: Callable[[], object]) -> float:
    """By events on the device, which the host's own delays do not blur."""
    import torch

    began, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
    began.record()
    work()
    ended.record()
    ended.synchronize()
    return float(began.elapsed_time(ended))


def _inference_mib(spec: ArchitectureSpec, prepared: PreparedTask) -> float:
    return _held_mib(spec, prepared, lambda session: session.scores())


def _training_mib(spec: ArchitectureSpec, prepared: PreparedTask) -> float:
    """Two steps: the second one runs while gradients and optimiser state of the first are held."""

    def two_steps(session: Session) -> None:
        session.start_optimiser(session.epochs)
        session.network.train()
        for _ in range(2):
            for batch in islice(session.batches, 1):
                session.step(batch)

    return _held_mib(spec, prepared, two_steps)


def _held_mib(spec: ArchitectureSpec, prepared: PreparedTask, work: Callable[[Session], object]) -> float:
    """Weights, and the most that some work with a fresh session allocates beside them.

    On CUDA the work is done once before: libraries allocate workspaces at their first use and keep them.
    """
    if prepared.device.type == "cuda":
        work(_session(spec, prepared, fresh_graph=True))
    session = _session(spec, prepared, fresh_graph=True)
    return _size_mib(session.network) + peak_allocated_mib(lambda: work(session), prepared.device)


def peak_allocated_mib(work: Callable[[], object], device: torch.device) -> float:
    """Most MiB that tensors allocated during ``work`` hold at one time, exactly."""
    import torch

    if device.type != "cuda":
        return _peak_on_cpu(work)
    gc.collect()  # what earlier work left must not be freed within the measurement, which counts from what is held before
    torch.cuda.synchronize(device)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    work()
    torch.cuda.synchronize(device)
    return float(torch.cuda.max_memory_allocated(device) - before) / MIB


def _peak_on_cpu(work: Callable[[], object]) -> float:
    """Replay the allocator's events that torch's profiler records."""
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as record

    with tempfile.TemporaryDirectory() as folder, _quiet_stderr():
        with record(activities=[ProfilerActivity.CPU], profile_memory=True, acc_events=True) as recorded:
            work()
        path = Path(folder) / "trace.json"
        recorded.export_chrome_trace(str(path))
        events = [event for event in json.loads(path.read_text())["traceEvents"] if event["name"] == "[memory]"]
    sizes = [event["args"]["Bytes"] for event in sorted(events, key=lambda event: float(event["ts"]))]
    return float(np.cumsum([0, *sizes]).max()) / MIB


@contextlib.contextmanager
def _quiet_stderr() -> Iterator[None]:
    """The profiler's library writes two lines to the file descriptor and has no switch for them."""
    sys.stderr.flush()
    kept = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _size_mib(network: torch.nn.Module) -> float:
    return float(sum(value.numel() * value.element_size() for value in network.state_dict().values())) / MIB
