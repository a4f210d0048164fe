"""Both executors, held to one contract, and equal to the last digit; a Ray cluster of two nodes loses one."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agentnas.tools import ray_cluster
from agentnas.tools.errors import ConfigError
from agentnas.tools.evaluate.base import Evaluator
from agentnas.tools.evaluate.live import LiveEvaluator
from agentnas.tools.executors import Executor, address_of
from agentnas.tools.ray_pool import RayPool
from agentnas.tools.sizes import Sizes
from agentnas.tools.spec.model import ArchitectureSpec, parse_spec
from agentnas.tools.spec.space import SearchSpace
from agentnas.tools.tasks import load_task
from agentnas.tools.workers import JobResult, TaskRef, WorkerPool
from tests.tools.candidates import job, spec
from tests.tools.evaluate.conformance import EvaluatorConformance
from tests.tools.executor_conformance import ExecutorConformance, done
from tests.tools.ray_clusters import cluster, pool_on, require_ray

pytestmark = pytest.mark.usefixtures("bad_operators")


@pytest.fixture(scope="module")
def local_pool() -> Iterator[WorkerPool]:
    with WorkerPool(TaskRef("digits"), workers=2, memory_mb=700, grace_s=1.0) as pool:
        yield pool


@pytest.fixture(scope="module")
def ray_pool() -> Iterator[RayPool]:
    with cluster(2) as made, pool_on(made) as pool:
        yield pool


class TestLocal(ExecutorConformance):
    @pytest.fixture
    def executor(self, local_pool: WorkerPool) -> Executor:
        return local_pool


def untimed(result: JobResult) -> JobResult:
    """What must not depend on where it was made."""
    return replace(result, seconds=0.0, peak_memory_mib=None, details={k: v for k, v in result.details.items() if k != "epoch_ms"})


@pytest.mark.timeout(300)
class TestRay(ExecutorConformance):
    @pytest.fixture
    def executor(self, ray_pool: RayPool) -> Executor:
        return ray_pool

    def test_it_equals_the_local_pool_to_the_last_digit(self, executor: Executor, tmp_path: Path) -> None:
        jobs = [replace(job(str(i), seed=i), spec=spec(epochs=8), save_weights=str(tmp_path / f"{i}.pt")) for i in range(4)]
        far = done(executor, *jobs)
        remote = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        with WorkerPool(TaskRef("digits"), workers=1) as pool:
            near = done(pool, *jobs)
        assert {name: untimed(result) for name, result in far.items()} == {name: untimed(result) for name, result in near.items()}
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == remote
        assert len(remote) == 4

    def test_timings_are_made_on_this_node_and_say_so(self, executor: Executor) -> None:
        assert isinstance(executor, RayPool)
        done(executor, job("a"), job("b"))
        timed = done(executor, *(job(str(i), kind="profile") for i in range(2)))
        seat = executor._slots[0]
        assert seat is not None
        assert seat.node == executor._cluster.here()
        assert {result.details["measured_on"] for result in timed.values()} == {seat.address}


def perceptron(width: int) -> ArchitectureSpec:
    nodes = [{"id": "a", "op": "mlp", "width": width, "activation": "relu"}]
    return parse_spec({"body": {"nodes": nodes, "outputs": ["a"]}, "recipe": {"epochs": 3}})


@pytest.mark.timeout(300)
class TestLiveOnRay(EvaluatorConformance):
    @pytest.fixture
    def evaluator(self, ray_pool: RayPool, tmp_path: Path) -> Evaluator:
        task = load_task("digits")
        return LiveEvaluator(ray_pool, SearchSpace.default(), Sizes.of(task), task.num_splits, 2, tmp_path, time_limit_s=60.0)

    @pytest.fixture
    def hopeless(self) -> ArchitectureSpec:
        links = perceptron(8).model_dump()
        return parse_spec({**links, "head": {**links["head"], "kind": "link"}})

    @pytest.fixture
    def specs(self) -> tuple[ArchitectureSpec, ...]:
        return perceptron(8), perceptron(16), perceptron(32)


def test_what_is_no_executor_is_told() -> None:
    assert address_of("ray") is None
    assert [address_of(text) for text in ("ray:auto", "ray:10.0.0.1:6379", "ray://head:10001", "ray:ray://head:10001")] == [
        "auto", "10.0.0.1:6379", "ray://head:10001", "ray://head:10001",
    ]  # fmt: skip
    for wrong in ("rayy", "ray:", "ray:head", "ray:head:port", "ray://head", "slurm:x", "ray:head:70000"):
        with pytest.raises(ValueError, match="allowed: local, ray, ray:auto"):
            address_of(wrong)


def test_an_address_where_nobody_is_takes_seconds_and_one_line() -> None:
    require_ray()
    started = time.monotonic()
    with pytest.raises(ConfigError, match=r"--executor ray:127\.0\.0\.1:9: nobody answers at 127\.0\.0\.1:9 .*ray status"):
        ray_cluster.check("ray:127.0.0.1:9")
    assert time.monotonic() - started < 10


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'agentnas\[ray\]'"):
        ray_cluster.check("ray")
