"""The process that trains candidates: a fork of ``fork_main``, or ``python -m agentnas.tools.worker_main FD`` of its own. It speaks JSON
over the inherited socket ``FD``.

The first message names task and device, every other one is a job. The process ignores SIGINT and SIGTERM, which a terminal and a service
manager send to a whole group (the parent decides what they mean), and leaves as soon as its parent hangs up or dies.
"""

from __future__ import annotations

import gc
import json
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentnas.tools.errors import AgentNASError
from agentnas.tools.freed_memory import give_back_freed_memory, keep_freed_memory, map_large_blocks
from agentnas.tools.room import MIB
from agentnas.tools.workers import Failure, Job, JobResult

if TYPE_CHECKING:
    from agentnas.tools.spec.model import ArchitectureSpec
    from agentnas.tools.tasks import Task
    from agentnas.tools.train.data import PreparedTask

    # What a fork server has of the task: for the CPU, as it is, or what went wrong with it.
    Loaded = PreparedTask | Task | AgentNASError

# A candidate can hang in native code that holds the interpreter's lock. Then neither the deadline nor the watch for the parent's death
# runs, and with the parent dead nobody kills the process; the kernel's alarm still does.
ALARM_MARGIN_S = 5.0
KEPT_MIB = 512  # memory of a device that a worker keeps between jobs


def main(descriptor: int) -> None:
    """Serve jobs until the parent hangs up."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    serve(descriptor, None)


def serve(descriptor: int, loaded: Loaded | None) -> None:
    """Serve jobs until the parent hangs up, on the task that is ``loaded`` already, or else is loaded here."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    keep_freed_memory()
    connection = Connection(descriptor)
    inbox: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(connection, inbox), daemon=True).start()
    first = inbox.get()
    prepared = _prepare(first, connection, loaded)
    gc.collect()
    gc.freeze()  # what lives as long as the process need not be looked at after each job
    _send(connection, {"ready": True, **_about(prepared)})
    while True:
        job = Job(**inbox.get())
        signal.setitimer(signal.ITIMER_REAL, job.time_limit_s + first["grace_s"] + ALARM_MARGIN_S)
        result = run_job(job, prepared)
        signal.setitimer(signal.ITIMER_REAL, 0)
        # After an error on the device its context may be unusable, or full of pieces; a fresh process is neither.
        leaves = result.kind in ("error", "memory") and prepared.device.type == "cuda"
        _send(connection, {"result": asdict(result), "leaves": leaves})
        if leaves:
            os._exit(0)
        _tidy()


def _listen(connection: Connection, inbox: queue.SimpleQueue[dict[str, Any]]) -> None:
    """Pass messages on; leave at once when the parent is gone, whatever the main thread does."""
    while True:
        try:
            inbox.put(json.loads(connection.recv_bytes()))
        except (EOFError, OSError):
            os._exit(0)


def _send(connection: Connection, message: dict[str, Any]) -> None:
    try:
        connection.send_bytes(json.dumps(message).encode())
    except OSError:
        os._exit(0)


def load(task: dict[str, Any]) -> Task:
    """The task of a message; raises what ``load_task`` raises."""
    from agentnas.tools import packed
    from agentnas.tools.tasks import load_task

    if task["packed"]:
        return packed.read(task["packed"])
    return load_task(task["name"], data_dir=task["data_dir"], split=task["split"])


def _prepare(first: dict[str, Any], connection: Connection, loaded: Loaded | None) -> PreparedTask:
    """The task on the device; an error that a person must act on is sent to the parent, which raises it."""
    import torch

    from agentnas.tools.train.data import PreparedTask

    torch.set_num_threads(1)
    device = first["device"]
    if device == "cuda":
        device = f"cuda:{first['index'] % max(1, torch.cuda.device_count())}"
    try:
        if isinstance(loaded, AgentNASError):
            raise loaded
        if isinstance(loaded, PreparedTask):
            map_large_blocks(loaded.num_nodes)
            return loaded
        task = loaded or load(first["task"])
        map_large_blocks(task.data.num_nodes if task.data else 0)
        return PreparedTask.from_task(task, device)
    except AgentNASError as error:
        _send(connection, {"broken": {"error": type(error).__name__, "message": str(error)}})
        sys.exit(1)


def _about(prepared: PreparedTask) -> dict[str, Any]:
    """Name and memory of the CUDA device that the task lies on."""
    import torch

    if prepared.device.type != "cuda":
        return {}
    return {"device": str(prepared.device), "capacity_mib": torch.cuda.get_device_properties(prepared.device).total_memory / MIB}


def run_job(job: Job, prepared: PreparedTask) -> JobResult:
    """Do the job in this process; a failure of the candidate is a result and never an exception."""
    started = time.monotonic()
    _reset_peak()
    try:
        figures = _WORK[job.kind](job, prepared)
        outcome: dict[str, Any] = {"state": "done", **figures}
    # The one place where anything that a candidate does wrong ends: it becomes the reason of a failed trial.
    except Exception as error:  # noqa: BLE001
        outcome = {"state": "failed", "kind": _kind(error), "reason": _reason(error), "details": _hints(error)}
    return JobResult(job.id, seconds=time.monotonic() - started, peak_memory_mib=_peak_mib(), **outcome)


def _train(job: Job, prepared: PreparedTask) -> dict[str, Any]:
    from agentnas.tools.spec.model import parse_spec
    from agentnas.tools.train.trainer import save_weights, train

    spec = parse_spec(job.spec)
    now = time.monotonic()
    cut_at = None if job.cut_after_s is None else now + job.cut_after_s
    with _allocated(prepared) as device_memory:
        result = train(spec, prepared, split=job.split, seed=job.seed, epochs=job.epochs, deadline=now + job.time_limit_s, cut_at=cut_at,
                       capture=job.capture)  # fmt: skip
    details = {"train_score": result.train_score, "curve": result.curve, **result.details, **device_memory}
    if job.save_weights is not None:
        save_weights(result.state_dict, Path(job.save_weights))
        details |= _right(spec, prepared, job.split, result.state_dict)
    return {"val": result.val, "epochs": result.epochs, "best_epoch": result.best_epoch, "details": details}


def _right(spec: ArchitectureSpec, prepared: PreparedTask, split: int, state_dict: dict[str, Any]) -> dict[str, str]:
    """Which validation items a kept training got right, where seeds share them and the score is their share."""
    from agentnas.tools.evaluate.right import DETAIL, MOST_ITEMS, packed
    from agentnas.tools.train.trainer import predict

    if prepared.num_splits > 1 or not prepared.counts_right:
        return {}
    items = prepared.labels(split).val
    if items.numel() > MOST_ITEMS:
        return {}
    return {DETAIL: packed(prepared.val_right(predict(spec, prepared, split, state_dict, items), split))}


@contextmanager
def _allocated(prepared: PreparedTask) -> Iterator[dict[str, float]]:
    """Afterwards holds ``device_memory_mib``, the most that the work inside allocated on a CUDA device; empty on the CPU."""
    import torch

    found: dict[str, float] = {}
    if prepared.device.type != "cuda":
        yield found
        return
    torch.cuda.reset_peak_memory_stats(prepared.device)
    before = torch.cuda.memory_allocated(prepared.device)
    yield found
    found["device_memory_mib"] = round((torch.cuda.max_memory_allocated(prepared.device) - before) / MIB, 1)


def _profile(job: Job, prepared: PreparedTask) -> dict[str, Any]:
    from agentnas.tools.profiling import profile
    from agentnas.tools.spec.model import parse_spec

    return {"details": asdict(profile(parse_spec(job.spec), prepared, capture=job.capture))}


def _test(job: Job, prepared: PreparedTask) -> dict[str, Any]:
    from agentnas.tools.spec.model import parse_spec
    from agentnas.tools.train.trainer import load_weights, predict

    if job.save_weights is None:
        raise AgentNASError("a test needs the file of trained weights; save_weights is None")
    scores = predict(parse_spec(job.spec), prepared, job.split, load_weights(Path(job.save_weights)))
    found = {"test": prepared.test_score(scores, job.split), "quality": prepared.test_quality(scores, job.split)}
    return {"val": prepared.val_score(scores, job.split), "details": found}


_WORK = {"train": _train, "profile": _profile, "test": _test}


def _kind(error: Exception) -> Failure:
    import torch

    from agentnas.tools.train.outcome import Diverged, TimedOut

    if isinstance(error, TimedOut):
        return "timeout"
    if isinstance(error, Diverged):
        return "diverged"
    # torch reports an allocation that the system refuses as a plain RuntimeError.
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "can't allocate memory" in str(error):
        return "memory"
    return "error"


def _hints(error: Exception) -> dict[str, Any]:
    """What the parent may try again: a training that failed for being recorded can do without."""
    from agentnas.tools.train.pace import CaptureFailed

    return {"capture_failed": True} if isinstance(error, CaptureFailed) else {}


def _reason(error: Exception) -> str:
    first = (str(error).splitlines() or [""])[0][:500]
    return first if isinstance(error, AgentNASError) else f"{type(error).__name__}: {first}"


def _reset_peak() -> None:
    """Let the kernel count this process's peak memory anew (Linux)."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak_mib() -> float | None:
    """Largest resident set size since the reset in MiB; None where the system does not tell."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return round(int(line.split()[1]) * 1024 / MIB, 1)
    return None


def _tidy() -> None:
    """Give a job's memory back, so that the next one is not blamed for it."""
    import torch

    gc.collect()
    used = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    if used and torch.cuda.memory_reserved() > KEPT_MIB * MIB:
        torch.cuda.empty_cache()  # others on the device may need it
    give_back_freed_memory()


if __name__ == "__main__":
    main(int(sys.argv[1]))
