"""Workers that are forked: they share what is loaded, die alone, and are made anew at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from agentnas.tools.errors import DataError
from agentnas.tools.fork_server import Forked, ForkServer, Spawned
from agentnas.tools.workers import Job, TaskRef, WorkerPool
from tests.waiting import until

DIGITS = TaskRef("digits")
SPEC = {"body": {"nodes": [{"id": "a", "op": "gcn"}], "outputs": ["a"]}, "recipe": {"epochs": 2}}

pytestmark = pytest.mark.skipif(not ForkServer.possible(), reason="this system cannot fork a process with torch in it")


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerPool]:
    with WorkerPool(DIGITS, workers=2) as pool:
        pool.start()
        yield pool


def processes(pool: WorkerPool) -> list[psutil.Process]:
    return [psutil.Process(worker.process.pid) for worker in pool._slots if worker]


def server_of(pool: WorkerPool) -> int:
    assert pool._server is not None
    return pool._server.pid


def trained(pool: WorkerPool, count: int = 1) -> list[float | None]:
    return [result.val for result in pool.run([Job(str(i), SPEC) for i in range(count)])]


def test_workers_are_siblings_and_share_what_is_loaded(pool: WorkerPool) -> None:
    trained(pool, 4)
    first, second = processes(pool)
    assert first.ppid() == second.ppid() == server_of(pool)
    for worker in (first, second):
        memory = worker.memory_full_info()
        assert memory.uss < 0.6 * memory.rss, "the most of a worker is torch and the task, which it shares"


def test_a_killed_worker_is_made_anew_by_the_same_server(pool: WorkerPool) -> None:
    before, server = processes(pool), server_of(pool)
    before[0].kill()
    assert until(lambda: not before[0].is_running(), 10.0), "the server reaps it"
    trained(pool)  # goes down with the worker, whose death is noticed by it
    assert None not in trained(pool, 2)
    assert (server_of(pool), processes(pool)[1].pid) == (server, before[1].pid)


def test_a_server_that_dies_is_replaced(pool: WorkerPool) -> None:
    server = server_of(pool)
    for process in (psutil.Process(server), *processes(pool)):
        process.kill()
    trained(pool, 2)
    assert None not in trained(pool, 2)
    assert server_of(pool) != server


def test_the_same_scores_as_a_worker_of_its_own_interpreter(pool: WorkerPool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ForkServer, "possible", staticmethod(lambda: False))
    with WorkerPool(DIGITS) as alone:
        assert trained(alone) == trained(pool)
        assert [type(worker.process) for worker in alone._slots if worker] == [Spawned]
    assert {type(worker.process) for worker in pool._slots if worker} == {Forked}


def test_one_server_serves_task_after_task_and_tells_what_is_wrong_with_one(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_bytes(b"no packed task")
    server = ForkServer()
    with pytest.raises(DataError, match="not a packed task"):
        list(WorkerPool(TaskRef("digits", packed=str(broken)), server=server).run([Job("1", SPEC)]))
    assert None not in trained(WorkerPool(DIGITS, server=server))
    server.close()


def test_a_pool_that_is_closed_at_once_leaves_nothing() -> None:
    pool = WorkerPool(DIGITS, workers=2)
    pool.start()
    server = psutil.Process(server_of(pool))
    pool.close()
    assert until(lambda: not server.is_running(), 10.0)
    assert not server.is_running()
