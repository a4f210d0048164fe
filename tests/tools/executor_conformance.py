"""What every executor of jobs must do. Subclass it, give it an executor, and pytest runs all of it.

class TestMine(ExecutorConformance):
    @pytest.fixture
    def executor(self) -> Executor: ...   for digits, with 700 MiB a worker and one second of grace
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agentnas.tools.executors import Executor
from agentnas.tools.workers import Job, JobResult
from tests.tools.candidates import job, spec


def never() -> bool:
    return False


def done(executor: Executor, *jobs: Job) -> dict[str, JobResult]:
    """Results by job; fails where one is missing or comes twice."""
    results = list(executor.run(jobs, never))
    assert sorted(result.id for result in results) == sorted(job.id for job in jobs)
    return {result.id: result for result in results}


class ExecutorConformance:
    """The contract of ``agentnas.tools.executors.Executor``."""

    @pytest.fixture
    def executor(self) -> Executor:
        raise NotImplementedError("a conformance test gives its own executor")

    def test_trains_profiles_and_tests_with_the_stored_weights(self, executor: Executor, tmp_path: Path) -> None:
        weights = str(tmp_path / "weights" / "a.pt")
        first = done(executor, job("t", save_weights=weights), job("p", kind="profile"))
        assert first["t"].state == "done", first["t"].reason
        assert (first["t"].epochs, first["t"].kind, len(first["t"].details["curve"])) == (3, None, 3)
        assert 0 < (first["t"].val or 0) <= 100
        assert (first["t"].peak_memory_mib or 0) > 50
        assert first["p"].details["parameters"] == 64 * 8 + 8 + 8 * 8 + 8 + 8 * 10 + 10
        assert first["p"].details["latency_ms_p50"] > 0
        opened = done(executor, job("o", kind="test", save_weights=weights))["o"]
        assert opened.val == pytest.approx(first["t"].val)
        assert 0 < opened.details["test"] <= 100
        assert [path.name for path in (tmp_path / "weights").iterdir()] == ["a.pt"]

    def test_weights_that_are_not_there_are_told_by_the_callers_name(self, executor: Executor, tmp_path: Path) -> None:
        damaged = tmp_path / "damaged.pt"
        damaged.write_bytes(b"")
        missing = tmp_path / "none.pt"
        told = done(executor, job("d", kind="test", save_weights=str(damaged)), job("m", kind="test", save_weights=str(missing)))
        assert told["d"].reason.startswith(f"{damaged}: no readable weights")
        assert told["m"].reason.startswith(f"{missing}: no readable weights")

    @pytest.mark.parametrize(
        ("op", "limit", "kind", "reason"),
        [
            ("stubborn", 0.5, "timeout", "did not end within 0.5 s and was stopped"),
            ("hoarder", 60.0, "memory", "limit 700 MiB a worker"),
            ("crasher", 60.0, "crashed", "worker process ended with SIGSEGV"),
            ("raiser", 60.0, "error", "ValueError: no such luck"),
            ("exploder", 60.0, "diverged", "training loss is nan in epoch 1"),
        ],
    )
    def test_a_misbehaving_candidate_fails_alone(self, executor: Executor, op: str, limit: float, kind: str, reason: str) -> None:
        made = done(executor, job("bad", op, time_limit_s=limit), job("good"))
        assert (made["bad"].state, made["bad"].kind) == ("failed", kind), made["bad"].reason
        assert reason in made["bad"].reason
        assert made["bad"].val is None
        assert made["good"].state == "done", made["good"].reason

    def test_stop_finishes_what_runs_and_draws_nothing_more(self, executor: Executor) -> None:
        assert list(executor.run([job()], lambda: True)) == []
        drawn: list[str] = []

        def jobs() -> Iterator[Job]:
            for name in "abcdef":
                drawn.append(name)
                yield job(name)

        finished = [result.id for result in executor.run(jobs(), lambda: len(drawn) >= 3)]
        assert drawn == ["a", "b", "c"]
        assert set(finished) <= set(drawn)
        assert len(finished) == len(set(finished)) >= 2

    def test_what_is_not_due_yet_is_asked_for_again_after_the_next_result(self, executor: Executor) -> None:
        finished: dict[str, JobResult] = {}

        def jobs() -> Iterator[Job | None]:
            yield None
            yield None  # nothing runs: it is asked again all the same
            yield job("first")
            while not finished:
                yield None
            yield job("second")

        for result in executor.run(jobs(), never):
            finished[result.id] = result
        assert list(finished) == ["first", "second"]

    def test_leaving_early_ends_what_runs(self, executor: Executor) -> None:
        results = executor.run([job("good"), job("bad", "sleeper")], never)
        assert next(results).id == "good"
        results.close()  # type: ignore[attr-defined]
        assert done(executor, job("next"))["next"].state == "done"

    def test_it_can_be_used_again_after_it_had_nothing_to_do(self, executor: Executor) -> None:
        assert list(executor.run([], never)) == []
        assert done(executor, job())["good"].state == "done"

    def test_the_same_seed_gives_the_same_result_in_any_worker(self, executor: Executor) -> None:
        made = done(executor, *(replace(job(str(i), seed=7), spec=spec(epochs=6)) for i in range(3)))
        assert len({(result.val, str(result.details["curve"])) for result in made.values()}) == 1
