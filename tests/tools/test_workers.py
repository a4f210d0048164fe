"""Workers do their jobs, and a candidate that misbehaves fails alone with its reason."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from agentnas.tools.errors import DataError, RunError, UsageError
from agentnas.tools.evaluate.base import PLANNED
from agentnas.tools.evaluate.right import share_right
from agentnas.tools.tasks import load_task
from agentnas.tools.train.data import PreparedTask
from agentnas.tools.worker_main import run_job
from agentnas.tools.workers import Job, JobResult, TaskRef, WorkerPool
from tests.tools.candidates import job, spec
from tests.waiting import until

ROOT = Path(__file__).resolve().parents[2]
DIGITS = TaskRef("digits")
pytestmark = pytest.mark.usefixtures("bad_operators")


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerPool]:
    with WorkerPool(DIGITS, workers=1, memory_mb=1200, grace_s=1.0) as pool:
        yield pool


def run(pool: WorkerPool, *jobs: Job) -> dict[str, JobResult]:
    return {result.id: result for result in pool.run(jobs)}


def test_trains_profiles_and_tests_with_the_stored_weights(pool: WorkerPool, tmp_path: Path) -> None:
    weights = str(tmp_path / "weights" / "a.pt")
    done = run(pool, job("t", save_weights=weights), job("p", kind="profile"))
    assert done["t"].state == "done", done["t"].reason
    assert (done["t"].epochs, done["t"].kind, len(done["t"].details["curve"])) == (3, None, 3)
    assert 0 < (done["t"].val or 0) <= 100
    assert (done["t"].peak_memory_mib or 0) > 50
    assert done["p"].state == "done", done["p"].reason
    assert done["p"].details["parameters"] == 64 * 8 + 8 + 8 * 8 + 8 + 8 * 10 + 10
    opened = run(pool, job("o", kind="test", save_weights=weights))["o"]
    assert opened.val == pytest.approx(done["t"].val)
    assert 0 < opened.details["test"] <= 100
    assert [path.name for path in (tmp_path / "weights").iterdir()] == ["a.pt"]


def test_a_kept_training_on_the_one_split_says_which_validation_nodes_it_got_right(tmp_path: Path) -> None:
    """Where seeds stand for splits they are scored on other nodes each, and nothing is said."""
    many = load_task("digits")
    one = PreparedTask.from_task(replace(many, splits=many.splits[:1], num_splits=1))
    kept = job("t", save_weights=str(tmp_path / "a.pt"))
    told = run_job(kept, one)
    assert 100 * share_right([told.details["val_right"]]).mean() == pytest.approx(told.val)
    assert "val_right" not in run_job(job("t"), one).details
    assert "val_right" not in run_job(kept, PreparedTask.from_task(many)).details


def test_same_seed_same_result_in_any_worker() -> None:
    with WorkerPool(DIGITS, workers=2) as pool:
        results = list(pool.run(job(str(i), seed=7) for i in range(4)))
        assert len({worker.process.pid for worker in pool._slots if worker}) == 2
    assert len({(result.val, str(result.details["curve"])) for result in results}) == 1


def test_a_pool_that_is_closed_by_another_thread_ends_what_it_does() -> None:
    """As where a person leaves at once while the trainings are fed beside the graph."""
    pool, leaving, results = WorkerPool(DIGITS, workers=2), threading.Event(), list[JobResult]()

    def feed() -> None:
        with contextlib.suppress(OSError, ValueError, RunError):
            results.extend(pool.run([job("good"), job("a", "sleeper"), job("b", "sleeper")], leaving.is_set))

    thread = threading.Thread(target=feed)
    thread.start()
    busy = lambda: bool(results) and sum(worker is not None and worker.job is not None for worker in pool._slots) == 2  # noqa: E731
    assert until(busy, 60)
    leaving.set()
    pool.close()
    thread.join(10)
    assert not thread.is_alive()
    assert pool._slots == [None, None], "no worker was started anew"


@pytest.mark.parametrize(
    ("op", "limit", "kind", "reason"),
    [
        ("sleeper", 0.5, "timeout", "did not end within 0.5 s and was stopped"),
        ("stubborn", 0.5, "timeout", "did not end within 0.5 s and was stopped"),
        ("hoarder", 60.0, "memory", "limit 1,200 MiB a worker"),
        ("greedy", 60.0, "memory", "can't allocate memory"),
        ("leaver", 60.0, "crashed", "worker process ended with exit code 3"),
        ("crasher", 60.0, "crashed", "worker process ended with SIGSEGV"),
        ("raiser", 60.0, "error", "ValueError: no such luck"),
        ("exploder", 60.0, "diverged", "training loss is nan in epoch 1"),
    ],
)
def test_a_misbehaving_candidate_fails_alone(pool: WorkerPool, op: str, limit: float, kind: str, reason: str) -> None:
    done = run(pool, job("bad", op, time_limit_s=limit), job("good"))
    assert (done["bad"].state, done["bad"].kind) == ("failed", kind), done["bad"].reason
    assert reason in done["bad"].reason
    assert done["bad"].val is None
    assert done["good"].state == "done", done["good"].reason


def test_a_deadline_inside_the_training_keeps_the_worker(pool: WorkerPool) -> None:
    before = run(pool, job())["good"]
    worker = pool._slots[0]
    slow = Job("slow", {**spec(), "recipe": {"epochs": 100_000, "patience": 0}}, time_limit_s=0.5)
    result = run(pool, slow)["slow"]
    assert before.state == "done"
    assert (result.state, result.details[PLANNED]) == ("done", 100_000)
    assert 0 < (result.epochs or 0) < 100_000
    assert 0.4 <= result.seconds < 1.5
    assert pool._slots[0] is worker


def test_a_broken_spec_or_missing_weights_are_reasons(pool: WorkerPool, tmp_path: Path) -> None:
    done = run(pool, Job("spec", {"recipe": {"epochs": 0}}), job("test", kind="test", save_weights=str(tmp_path / "none.pt")))
    assert (done["spec"].kind, "recipe.epochs" in done["spec"].reason) == ("error", True)
    assert (done["test"].kind, "no readable weights" in done["test"].reason) == ("error", True)


def test_results_come_as_they_finish_and_a_candidate_cannot_speak_on_stdout(capfd: pytest.CaptureFixture[str]) -> None:
    with WorkerPool(DIGITS, workers=2) as pool:
        assert [r.state for r in pool.run([job("warm"), job("up")])] == ["done", "done"]
        long = Job("long", {**spec(), "recipe": {"epochs": 400, "patience": 0}})
        order = [result.id for result in pool.run([long, job("short", "parrot"), job("shorter")])]
    assert order == ["short", "shorter", "long"]
    assert capfd.readouterr().out == ""


def test_stop_finishes_what_runs_and_draws_nothing_more(pool: WorkerPool) -> None:
    drawn: list[str] = []

    def jobs() -> Iterator[Job]:
        for name in "abcdef":
            drawn.append(name)
            yield job(name)

    finished = [result.id for result in pool.run(jobs(), stop=lambda: len(drawn) >= 2)]
    assert finished == ["a", "b"]
    assert drawn == ["a", "b"]
    assert list(pool.run([job()], stop=lambda: True)) == []


def test_leaving_early_kills_what_runs(pool: WorkerPool) -> None:
    results = pool.run([job("good"), job("bad", "sleeper")])
    assert next(results).id == "good"
    worker = pool._slots[0]
    results.close()  # type: ignore[attr-defined]
    assert worker is not None
    assert [result.state for result in pool.run([job("next")])] == ["done"]


def test_what_loading_the_task_raises_is_raised_here(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'corra'"), WorkerPool(TaskRef("corra")) as pool:
        list(pool.run([job()]))
    (tmp_path / "Planetoid/Cora/raw").mkdir(parents=True)
    (tmp_path / "Planetoid/Cora/raw/ind.cora.x").write_bytes(b"not a pickle")
    offline = {"AGENTNAS_DATA_DIR": "", "AGENTNAS_DATA_URL": "http://127.0.0.1:9"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in offline.items():
            patch.setenv(name, value)
        with pytest.raises(DataError, match=r"\S"), WorkerPool(TaskRef("cora", tmp_path)) as pool:
            list(pool.run([job()]))


def test_workers_that_cannot_start_are_an_error_and_not_a_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(RunError, match=r"worker processes do not start.*exit code 1"), WorkerPool(DIGITS) as pool:
        list(pool.run([job()]))


def test_at_least_one_worker() -> None:
    with pytest.raises(UsageError, match="workers is 0"):
        WorkerPool(DIGITS, workers=0)


def test_close_ends_the_processes_and_is_safe_twice() -> None:
    pool = WorkerPool(DIGITS, workers=2)
    pool.start()
    pids = [worker.process.pid for worker in pool._slots if worker]
    pool.close()
    pool.close()
    assert len(pids) == 2
    assert [pid for pid in pids if psutil.pid_exists(pid)] == []


PARENT = """
import sys
from agentnas.tools.workers import Job, TaskRef, WorkerPool
pool = WorkerPool(TaskRef("digits"), grace_s=0.5)
spec = {"body": {"nodes": [{"id": "a", "op": sys.argv[1]}], "outputs": ["a"]}}
pool.start()
sys.stdout.write(str(pool._slots[0].process.pid) + "\\n")
sys.stdout.flush()
list(pool.run([Job("bad", spec, time_limit_s=float(sys.argv[2]))]))
"""


def start_parent(op: str, limit: float, mark: Path) -> tuple[subprocess.Popen[str], psutil.Process]:
    """A process with a pool of one worker, and that worker; ``mark`` appears when the candidate runs."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MARK": str(mark)}
    command = [sys.executable, "-c", textwrap.dedent(PARENT), op, str(limit)]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert parent.stdout is not None
    return parent, psutil.Process(int(parent.stdout.readline()))


def gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_a_worker_leaves_at_once_when_its_parent_is_killed(tmp_path: Path) -> None:
    parent, worker = start_parent("sleeper", 600, tmp_path / "mark")
    with parent:
        assert until((tmp_path / "mark").exists, 60)
        parent.kill()
        parent.wait()
        assert until(lambda: gone(worker), 3)


def test_a_worker_that_cannot_see_its_parent_die_ends_by_alarm(tmp_path: Path) -> None:
    """The candidate holds the interpreter's lock, so neither the watch for the parent nor a deadline can run."""
    parent, worker = start_parent("stubborn", 4.0, tmp_path / "mark")
    with parent:
        assert until((tmp_path / "mark").exists, 60)
        parent.kill()
        parent.wait()
        assert until(lambda: gone(worker), 10)


def test_a_worker_ignores_interrupts_from_its_birth(tmp_path: Path) -> None:
    parent, worker = start_parent("sleeper", 600, tmp_path / "mark")
    with parent:
        while not (tmp_path / "mark").exists():
            worker.send_signal(signal.SIGINT)
            time.sleep(0.05)
        worker.send_signal(signal.SIGINT)
        assert not until(lambda: gone(worker), 0.3)
        parent.kill()


def test_a_worker_is_light_until_it_loads_its_task() -> None:
    """Starting a worker imports neither the command line nor the graph of agents nor torch."""
    code = "import sys, agentnas.tools.worker_main; print(sorted({m.split('.')[0] for m in sys.modules} & set(sys.argv[1:])))"
    heavy = ["torch", "typer", "rich", "langgraph", "sklearn", "numpy"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    out = subprocess.run([sys.executable, "-c", code, *heavy], capture_output=True, text=True, env=environment, check=True)
    assert out.stdout == "[]\n"
