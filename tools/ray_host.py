"""What runs on a node of a Ray cluster: an actor that keeps a local pool of one worker for one trial at a time.

The actor itself touches no candidate: it holds the data, passes jobs on, and enforces time and memory as the local pool does, because it is
the local pool. So a candidate that crashes costs a worker process and never the actor, and an actor that dies tells of its node.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from agentnas.tools import packed
from agentnas.tools.errors import AgentNASError
from agentnas.tools.workers import Job, JobResult, TaskRef, WorkerPool


def version() -> str:
    """That of the package which this module is a part of."""
    return str(sys.modules["agentnas"].__version__)


class Host:
    """One place for a trial. ``task`` is that of ``packed.arrays_of``, its arrays mapped from the node's object store."""

    def __init__(self, task: tuple[dict[str, Any], packed.Arrays], device: str, memory_mb: float | None, grace_s: float,
                 environment: Mapping[str, str]) -> None:  # fmt: skip
        os.environ.update(environment)
        self._descriptor, path = packed.in_memory(*task)
        self._folder = tempfile.TemporaryDirectory(prefix="agentnas-")
        self._pool = WorkerPool(TaskRef(task[0]["name"], packed=path), 1, device, memory_mb, grace_s=grace_s)
        self._pool.start()

    def about(self) -> dict[str, Any]:
        """The version here, and where here is."""
        import ray

        context = ray.get_runtime_context()
        return {"version": version(), "node": context.get_node_id(), "address": ray.util.get_node_ip_address()}

    def do(self, message: dict[str, Any], weights: bytes | None) -> dict[str, Any]:
        """Do a job and return ``{"result", "weights"}``, or ``{"broken"}`` where a person must act.

        ``weights``: those that a test reads. Files stay on this node for the length of the job; what is to be kept travels back as bytes.
        """
        job, place = Job(**message), Path(self._folder.name) / "weights.pt"
        here = job
        if job.save_weights is not None and (job.kind == "train" or weights is not None):
            here = replace(job, save_weights=str(place))
        if weights is not None:
            place.write_bytes(weights)
        try:
            (result,) = self._pool.run([here])
            return {"result": asdict(_renamed(result, here, job)), "weights": place.read_bytes() if _to_keep(job, result) else None}
        except AgentNASError as error:
            return {"broken": {"error": type(error).__name__, "message": str(error)}}
        finally:
            place.unlink(missing_ok=True)


def _to_keep(job: Job, result: JobResult) -> bool:
    return job.kind == "train" and job.save_weights is not None and result.state == "done"


def _renamed(result: JobResult, here: Job, job: Job) -> JobResult:
    """A reason that names the file as the caller knows it."""
    if here.save_weights is None or job.save_weights is None:
        return result
    return replace(result, reason=result.reason.replace(here.save_weights, job.save_weights))
