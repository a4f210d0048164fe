"""A Ray cluster of two nodes loses one, or its actors, while jobs run: each job has one result."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from agentnas.tools.errors import ConfigError
from agentnas.tools.ray_cluster import connect
from agentnas.tools.ray_pool import RayPool
from agentnas.tools.workers import Job, JobResult, TaskRef, WorkerPool
from tests.tools.candidates import job, spec
from tests.tools.executor_conformance import done, never
from tests.tools.ray_clusters import cluster, pool_on

pytestmark = pytest.mark.usefixtures("bad_operators")


class Watched:
    """The jobs of a pool on a cluster of two nodes, and a hand that kills the second node."""

    def __init__(self, made: Any) -> None:
        self.cluster = made

    def lose_a_node(self) -> None:
        self.cluster.remove_node(next(iter(self.cluster.worker_nodes)), allow_graceful=False)


@pytest.fixture
def mortal() -> Iterator[Watched]:
    with cluster(2) as made:
        yield Watched(made)


def losses_of(pool: RayPool, patch: pytest.MonkeyPatch) -> list[str]:
    """The jobs that are lost from now on."""
    lost: list[str] = []
    honest = pool._lost

    def seen(seat: Any, *rest: Any) -> Iterator[JobResult]:
        lost.extend([seat.ticket.job.id] if seat.ticket else [])
        return honest(seat, *rest)

    patch.setattr(pool, "_lost", seen)
    return lost


def slow(name: str) -> Job:
    return Job(name, {**spec(), "recipe": {"epochs": 800, "patience": 0}}, seed=int(name), time_limit_s=120.0)


@pytest.mark.timeout(300)
def test_a_node_that_is_lost_in_mid_run_costs_no_job_and_doubles_none(mortal: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    with pool_on(mortal.cluster) as pool:
        done(pool, slow("0"), slow("1"))  # both actors are warm
        seats = {seat.node for seat in pool._seats()}
        assert len(seats) == 2
        handed: list[str] = []
        results = []
        lost = losses_of(pool, monkeypatch)
        killer = threading.Timer(0.3, mortal.lose_a_node)
        for result in pool.run((slow(str(i)) for i in range(6)), never):
            if not handed:
                killer.start()
            handed.append(result.id)
            results.append(result)
        killer.join()
        assert len(lost) == 1, "the node died while it had a job"
        assert sorted(handed) == list("012345")
        assert [result.state for result in results] == ["done"] * 6
        assert {seat.node for seat in pool._seats() if seat.ready} < seats
        with WorkerPool(TaskRef("digits")) as local:
            near = done(local, *(slow(str(i)) for i in range(2)))
        assert {result.id: result.val for result in results if result.id in near} == {name: r.val for name, r in near.items()}


@pytest.mark.timeout(300)
def test_timing_gets_the_place_of_an_idle_actor_when_its_node_is_lost(mortal: Watched) -> None:
    with pool_on(mortal.cluster) as pool:
        done(pool, slow("0"), slow("1"))
        lost = next(iter(mortal.cluster.worker_nodes)).node_id
        pool._slots.sort(key=lambda seat: seat is not None and seat.node != lost)  # the first actor, which times, is on the node that dies
        mortal.lose_a_node()
        assert set(done(pool, slow("2"))) == {"2"}, "the other one goes on, and then idles on the last CPU"
        made = done(pool, Job("timed", spec(), kind="profile", time_limit_s=60.0))
    assert (made["timed"].state, made["timed"].reason) == ("done", "")


@pytest.mark.timeout(300)
def test_a_job_whose_workers_are_lost_again_and_again_fails_in_the_end(mortal: Watched) -> None:
    import ray

    with pool_on(mortal.cluster) as pool:
        done(pool, job("0"), job("1"))
        ended = threading.Event()

        def kill_who_does_it() -> None:
            while not ended.wait(0.2):
                for seat in pool._busy():
                    if seat.ticket and seat.ticket.job.id == "doomed" and time.monotonic() - seat.since > 0.5:
                        ray.kill(seat.actor)

        threading.Thread(target=kill_who_does_it, daemon=True).start()
        try:
            made = done(pool, job("doomed", "sleeper", time_limit_s=100.0), job("good"))
        finally:
            ended.set()
    assert (made["doomed"].kind, made["good"].state) == ("crashed", "done")
    assert "was lost 3 times" in made["doomed"].reason


@pytest.mark.timeout(300)
def test_a_program_that_is_connected_elsewhere_is_told(mortal: Watched) -> None:
    other = mortal.cluster.address
    with cluster(1) as mine, pool_on(mine, workers=1), pytest.raises(ConfigError, match="this program is connected to the cluster at"):
        connect(f"ray:{other}")
