"""Real Ray clusters on this machine: small, quiet, each node a raylet of its own."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from agentnas.tools.ray_cluster import QUIET
from agentnas.tools.ray_pool import RayPool, join
from agentnas.tools.tasks import load_task

STORE = 80 * 2**20


def require_ray() -> None:
    """Skip without Ray; a continuous-integration run, which installs it, fails."""
    if importlib.util.find_spec("ray") is not None:
        return
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail("Ray is part of the dev extra, and is not installed")
    pytest.skip("needs Ray: pip install 'agentnas[ray]'")


@contextmanager
def cluster(nodes: int) -> Iterator[Any]:
    """A head and further nodes, one CPU each; nobody is connected to it."""
    require_ray()
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    from ray.cluster_utils import Cluster

    shape = {"num_cpus": 1, "num_gpus": 0, "object_store_memory": STORE, "include_dashboard": False}
    made = Cluster(initialize_head=True, head_node_args=shape)
    try:
        for _ in range(nodes - 1):
            made.add_node(**{key: value for key, value in shape.items() if key != "include_dashboard"})
        yield made
    finally:
        made.shutdown()


def pool_on(made: Any, **settings: Any) -> RayPool:
    wanted = {"workers": 2, "device": "cpu", "memory_mb": 700, **settings}
    pool = join(f"ray:{made.address}", load_task("digits"), **wanted)
    pool._grace_s = 1.0
    return pool
