"""One spec outside of a run: on which task it is measured, and training it (what ``agentnas train`` does)."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentnas.scores import scores_summary
from agentnas.tools.errors import UsageError
from agentnas.tools.scale import Scale
from agentnas.tools.spec.model import ArchitectureSpec

if TYPE_CHECKING:
    from agentnas.tools.tasks import Task
    from agentnas.tools.workers import Job, TaskRef, WorkerPool


FIGURES = "figures.json"


def task_of(spec: Path, given: str | None) -> str:
    """The task asked for, else the one that the winner's figures beside the spec name; raises UsageError where neither says it."""
    if given is not None:
        return given
    beside = spec.parent / FIGURES
    try:
        figures = json.loads(beside.read_bytes())
        named = figures.get("task_file") or figures["task"]
    except FileNotFoundError:
        raise UsageError(f"on which task? give --task: there is no {FIGURES} of a winner beside {spec} that names one") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        named = None
    if not isinstance(named, str):
        raise UsageError(f"{beside} names no task; give --task")
    return named


@dataclass(frozen=True)
class Training:
    """What to train on, and how often. ``test`` opens the test set."""

    task: str
    split: str | None = None
    data_dir: Path | None = None
    seeds: int = 1
    epochs: int | None = None
    test: bool = False
    workers: int = 1
    device: str = "auto"
    time_limit_s: float = 3600.0
    allow_code: bool = False


def train_spec(spec: ArchitectureSpec, training: Training, on_seed: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Train with seeds 0, 1, ...; seed i on split i. ``on_seed`` sees each result.

    Scores in percent, with the error itself where the metric is one (``told`` is the score in words); None where nothing finished.
    """
    from agentnas.tools.profiling import resolve_device
    from agentnas.tools.tasks import load_task
    from agentnas.tools.workers import TaskRef

    task = load_task(training.task, data_dir=training.data_dir, split=training.split, allow_code=training.allow_code)
    task.split(0)  # a table has nothing to train on, and says so
    reference, device = TaskRef(training.task, training.data_dir, training.split), resolve_device(training.device)
    with tempfile.TemporaryDirectory() as folder:
        if task.file:  # people's own files are read, and their code is run, once
            reference = replace(reference, packed=_packed(task, folder))
        return _trained_and_tested(spec, training, task, reference, device, folder, on_seed)


def _trained_and_tested(
    spec: ArchitectureSpec, training: Training, task: Task, reference: TaskRef, device: str, folder: str,
    on_seed: Callable[[dict[str, Any]], None],
) -> dict[str, Any]:  # fmt: skip
    from agentnas.tools.workers import WorkerPool

    scale = task.metric.scale
    with WorkerPool(reference, training.workers, device) as pool:
        jobs = [_job(spec, training, seed, task.num_splits, folder) for seed in range(training.seeds)]
        results = _trained(pool, jobs, on_seed, scale)
        done = [result for result in results if result["state"] == "done"]
        tests = _tested(pool, [_job(spec, training, r["seed"], task.num_splits, folder, "test") for r in done]) if training.test else []
    return {
        "task": task.name, "protocol": task.protocol, "metric": scale.metric, "unit": scale.unit, "device": device,
        "failed": len(results) - len(done),
        "validation": _summary([result["val"] for result in done], scale), "test": _summary(tests, scale), "seeds": results,
    }  # fmt: skip


def _packed(task: Task, folder: str) -> str:
    from agentnas.tools import packed

    path = f"{folder}/task"
    with open(path, "wb") as file:
        packed.write(*packed.arrays_of(task), file)
    return path


def _job(spec: ArchitectureSpec, training: Training, seed: int, num_splits: int, folder: str, kind: Any = "train") -> Job:
    from agentnas.tools.workers import Job

    return Job(
        str(seed),
        spec.model_dump(mode="json"),
        seed,
        seed % num_splits,
        training.epochs,
        training.time_limit_s,
        f"{folder}/{seed}.pt",
        kind,
    )


def _trained(pool: WorkerPool, jobs: list[Job], on_seed: Callable[[dict[str, Any]], None], scale: Scale) -> list[dict[str, Any]]:
    results = []
    for result in pool.run(jobs):
        done = {**asdict(result), "seed": int(result.id), "told": None if result.val is None else scale.told(result.val)}
        on_seed(done)
        results.append(done)
    return sorted(results, key=lambda done: int(done["seed"]))


def _tested(pool: WorkerPool, jobs: list[Job]) -> list[float]:
    return [float(result.details["test"]) for result in pool.run(jobs) if result.state == "done"]


def _summary(scores: list[float], scale: Scale) -> dict[str, Any] | None:
    return scores_summary(scores, scale) if scores else None
