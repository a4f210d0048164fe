"""A task on which every training takes its whole time limit: the run confirms a finalist all the same, and keeps to its time but for what
runs when it is over. Time is virtual."""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

import agentnas
from agentnas.agents.house import House
from agentnas.config import format_duration
from agentnas.memory import events as ev
from agentnas.memory.journal import Journal
from agentnas.run import Run
from agentnas.tools.errors import BudgetEndedError, RunError
from agentnas.tools.evaluate.base import CONFIRM, CONFIRM_SEED, Outcome, Request, Rung
from agentnas.tools.evaluate.ladder import MANY_SPLITS, ONE_SPLIT
from tests.agents.pretended import POLL_S, PretendedEvaluator, pretend, score

LIMIT_S = 60.0


class SlowEvaluator(PretendedEvaluator):
    """Full trainings take ``LIMIT_S`` of virtual time, short ones their share; ``fails`` says which fail."""

    def __init__(self) -> None:
        super().__init__(confirm_seeds=10)
        self.now = 0.0
        self.fails: Callable[[Request], bool] = lambda _: False

    def evaluate(self, requests: Iterable[Request | None], stop: Callable[[], bool]) -> Iterator[Outcome]:
        running: list[tuple[float, int, Request]] = []
        waiting, closed, number = iter(requests), False, itertools.count()
        while running or not closed:
            while len(running) < self.workers and not (closed := closed or stop()):
                drawn = list(itertools.islice(waiting, 1))
                closed = not drawn
                if not drawn or drawn[0] is None:
                    break
                heapq.heappush(running, (self.now + self._seconds(drawn[0]), next(number), drawn[0]))
            if running:
                self.now, _, done = heapq.heappop(running)
                yield self._outcome(done)
            else:
                time.sleep(0 if closed else POLL_S)

    def _seconds(self, request: Request) -> float:
        return LIMIT_S * next((rung.epochs for rung in self.rungs if rung.name == request.rung), 1.0)

    def _outcome(self, request: Request) -> Outcome:
        if self.fails(request):
            return Outcome(request, None, self._seconds(request), failure="timeout", reason="time limit reached in epoch 1 of 200")
        return Outcome(request, score(request), self._seconds(request), request.epochs)


@pytest.fixture
def evaluator(monkeypatch: pytest.MonkeyPatch) -> SlowEvaluator:
    made = SlowEvaluator()
    pretend(monkeypatch, made)
    monkeypatch.setattr(Journal, "active_seconds", property(lambda _: made.now))
    return made


def design(runs_dir: Path, limit: str, **settings: Any) -> Run:
    return agentnas.design(task="digits", runs_dir=runs_dir, time=limit, seed=3, without_baselines=True, **settings)


def confirmed(run: Run) -> list[tuple[str, int]]:
    return [(e.trial, e.seed) for e in run.events if isinstance(e, ev.EvaluationFinished) and e.rung == CONFIRM]


@pytest.mark.parametrize("rungs", [ONE_SPLIT, MANY_SPLITS])
@pytest.mark.parametrize(
    ("limit", "seconds", "space"), [("3m", 180, "default"), ("10m", 600, "default"), ("30m", 1800, "default"), ("10m", 600, "deep")]
)
def test_a_slow_task_ends_with_a_confirmed_winner(
    evaluator: SlowEvaluator, rungs: tuple[Rung, ...], limit: str, seconds: int, space: str, tmp_path: Path
) -> None:
    evaluator.rungs = rungs
    run = design(tmp_path, limit, space=space)
    assert run.exit_code == 0
    assert run.winner in {trial for trial, _ in confirmed(run)}
    assert evaluator.now <= seconds + LIMIT_S
    assert evaluator.now <= seconds or len(confirmed(run)) <= evaluator.workers  # only the first ones begin whatever the time


@pytest.mark.parametrize("rungs", [ONE_SPLIT, MANY_SPLITS])
@pytest.mark.parametrize(("limit", "seconds"), [("20s", 20), ("30s", 30), ("1m", 60), ("90s", 90)])
def test_time_for_short_trainings_alone_still_ends_with_a_winner_on_one_seed(
    evaluator: SlowEvaluator, rungs: tuple[Rung, ...], limit: str, seconds: int, tmp_path: Path
) -> None:
    """The best that they showed is trained in full whatever the time, and the report says both."""
    evaluator.rungs = rungs
    run = design(tmp_path, limit, trial_time="1m")
    view = run.view
    assert (run.exit_code, view.winner and view.winner.seeds) == (0, 1)
    shown = {trial: score for rung in rungs[:1] for trial, score in view.scores(rung.name).items()}
    assert run.winner == max(shown, key=lambda trial: (shown[trial], trial))
    assert confirmed(run)[0] == (run.winner, CONFIRM_SEED)
    over = evaluator.now - seconds
    assert over <= LIMIT_S + 0.25 * LIMIT_S  # what ran when the time was over, and that training
    report = run.report()
    assert "the search trained no design in full, and the best of its short trainings were confirmed; the only trial that was" in report
    assert f"the run took {over:.0f} s more than its time of {format_duration(seconds)}" in report


def test_time_is_kept_for_one_training_in_full_before_there_is_any(evaluator: SlowEvaluator, tmp_path: Path) -> None:
    """Nobody begins a short training in the last minute of two and a half, when a full one takes it: the run ends about in time."""
    evaluator.workers, evaluator.rungs = 1, MANY_SPLITS
    run = design(tmp_path, "150s", trial_time="1m", space="deep")
    assert run.exit_code == 0
    assert evaluator.now <= 150 + 0.25 * LIMIT_S


def test_where_what_climbed_fails_the_best_short_training_is_confirmed(evaluator: SlowEvaluator, tmp_path: Path) -> None:
    """A run bounded by trials has no time that could end, and no budget to ask for more of."""
    evaluator.fails = lambda request: request.rung in ("full", "seeds")
    others = ("mlp", "gat", "sage", "appnp", "dagnn", "h2gcn", "residual-gcn", "grand", "grand-near")  # anchors climb, and so would fail
    run = agentnas.design(task="digits", runs_dir=tmp_path, trials=12, seed=3, without_baselines=True, without_anchor=others)
    assert run.exit_code == 0
    assert run.view.winner is not None
    assert run.view.winner.reason.startswith("the search trained no design in full")
    assert not run.view.failures(str(run.winner))


def test_time_that_is_over_before_any_training_tells_how_much_is_needed(evaluator: SlowEvaluator, tmp_path: Path) -> None:
    evaluator.now = 95.0
    needed = "95 s went into what comes before, and one training may take 20 s; give --time 150s or more and resume"
    with pytest.raises(BudgetEndedError, match=f"(?m)^the time of 60 s ended before one training was over: {needed}$"):
        design(tmp_path, "1m")
    evaluator.now = 95.0
    run = agentnas.design(resume="latest", runs_dir=tmp_path, time="150s")
    assert run.exit_code == 0


def test_where_no_training_gets_through_an_epoch_the_run_says_what_to_give(evaluator: SlowEvaluator, tmp_path: Path) -> None:
    evaluator.fails = lambda _: True
    with pytest.raises(RunError, match=r"all \d+ trials failed, the first by timeout: .* of 200; give more --trial-time"):
        design(tmp_path, "10m", trials=6)


def test_time_that_is_over_before_the_confirmation_leaves_the_best_finalist_one_seed(
    evaluator: SlowEvaluator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(House, "confirm_over", lambda _: True)
    run = design(tmp_path, "10m")
    assert run.view.finalists is not None
    assert run.view.winner is not None
    assert confirmed(run) == [(run.view.finalists.finalists[0], CONFIRM_SEED)]
    assert (run.winner, run.view.winner.seeds) == (run.view.finalists.finalists[0], 1)


def test_where_its_training_fails_the_next_finalist_gets_it(
    evaluator: SlowEvaluator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(House, "confirm_over", lambda _: True)
    failed: list[str] = []

    def first(request: Request) -> bool:
        if request.rung == CONFIRM and not failed:
            failed.append(request.trial)
        return request.rung == CONFIRM and request.trial in failed

    evaluator.fails = first
    run = design(tmp_path, "10h", trials=12)
    assert run.view.finalists is not None
    assert failed == [run.view.finalists.finalists[0]]
    assert confirmed(run) == [(run.view.finalists.finalists[1], CONFIRM_SEED)]
    assert run.winner == run.view.finalists.finalists[1]
