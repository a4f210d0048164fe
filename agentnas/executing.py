"""Where a run's trials are done: on this machine's workers or on a cluster, on which device, and how many at a time."""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from agentnas.config import Config
from agentnas.tools.errors import UsageError
from agentnas.tools.executors import LOCAL
from agentnas.tools.tasks.catalog import TABLE_PREFIX

if TYPE_CHECKING:
    from agentnas.sizing import Crew
    from agentnas.tools.executors import Executor
    from agentnas.tools.fork_server import ForkServer
    from agentnas.tools.tasks import Task
    from agentnas.tools.workers import WorkerPool


@contextmanager
def importing(config: Config) -> Iterator[ForkServer | None]:
    """A fork server for this machine's workers, which imports torch while this process reads data and memory; None where nothing will be
    trained here, or nothing can be forked."""
    if config.executor != LOCAL or (config.task or "").startswith(TABLE_PREFIX):
        yield None
        return
    from agentnas.tools.fork_server import ForkServer

    if not ForkServer.possible():
        yield None
        return
    with closing(ForkServer()) as server:
        yield server


def executor(config: Config, task: Task, server: ForkServer | None, workers: int | None = None) -> tuple[Executor, int]:
    """Where trials run, and how many at a time: ``workers`` on this machine (None: as configured), or what a cluster has."""
    if config.executor == LOCAL:
        workers = workers or workers_of(config)
        pool = _pool(config, task, server, workers)
        if server:  # a run is about to begin: the workers get ready while it is wired and planned
            pool.start()
        return pool, workers
    from agentnas.tools.ray_pool import join

    cluster = join(config.executor, task, config.workers, config.device, config.worker_memory_mb)
    return cluster, cluster.workers


def _pool(config: Config, task: Task, server: ForkServer | None, workers: int) -> WorkerPool:
    """Workers on this machine. They map the task that this process read, where the system can lend memory, instead of reading it again."""
    from agentnas.tools import packed
    from agentnas.tools.workers import TaskRef, WorkerPool

    descriptor, path = packed.in_memory(*packed.arrays_of(task)) if hasattr(os, "memfd_create") else (None, None)
    reference = TaskRef(task.reference, config.data_dir, config.split, path)
    pool = WorkerPool(reference, workers, device_of(config), config.worker_memory_mb, server=server)
    if descriptor is not None:
        weakref.finalize(pool, os.close, descriptor)
    return pool


def crew_of(config: Config, task: Task) -> Crew | None:
    """The workers that this machine's memory has room for; None for tables, GPUs and other machines. Raises UsageError for a task that
    does not fit."""
    if task.table is not None or config.executor != LOCAL or device_of(config) != "cpu":
        return None
    from agentnas.sizing import crew

    return crew(task, workers_of(config), config.worker_memory_mb)


def check_ray(config: Config) -> None:
    """Raise UsageError or ConfigError where no cluster can be had as it was asked for."""
    from agentnas.tools import ray_cluster

    if config.device.startswith("cuda:"):
        raise UsageError(
            f"--device {config.device}: Ray chooses the GPU of each trial; use --device cuda with --executor {config.executor}"
        )
    ray_cluster.check(config.executor)


def device_of(config: Config) -> str:
    """The device by name: ``auto`` is the first CUDA device, else the CPU. Raises ConfigError for a device that is not there."""
    from agentnas.tools.profiling import resolve_device

    return resolve_device(config.device)


def workers_of(config: Config) -> int:
    """Worker processes: as asked, else one a core that this process may use on the CPU, and on CUDA as many as share its devices well."""
    if config.workers is not None:
        return config.workers
    # A table is looked up: its runs neither need torch nor the device to be there.
    device = "cpu" if (config.task or "").startswith(TABLE_PREFIX) else device_of(config)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if device == "cpu":
        return cores
    import torch

    from agentnas.tools import placement

    devices = torch.cuda.device_count() if device == "cuda" else 1
    return devices * placement.workers_on(placement.smallest_device_mib(), cores // devices)
