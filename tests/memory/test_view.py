"""The view is what the events add up to, whatever the order in which evaluations finished."""

from __future__ import annotations

import random
import statistics
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentnas.memory import events as ev
from agentnas.memory.view import JournalView, Standing
from tests.memory import samples
from tests.memory.samples import drafted, failed, finished, started

RUNGS = ("short", "full", "confirm")
KEYS = st.tuples(st.integers(0, 5), st.sampled_from(RUNGS), st.integers(0, 3))


def view_of(*events: Any) -> JournalView:
    return JournalView([started(), *events])


@given(scores=st.dictionaries(KEYS, st.integers(0, 5).map(float), max_size=30), rng=st.randoms(), higher=st.booleans())
def test_leaderboard_ranks_by_rung_then_mean_then_drafting(
    scores: dict[tuple[int, str, int], float], rng: random.Random, higher: bool
) -> None:
    trials = [f"t{i}" for i in range(6)]
    evaluations = [finished(f"t{trial}", rung, seed, val) for (trial, rung, seed), val in scores.items()]
    rng.shuffle(evaluations)
    view = JournalView([started(higher_is_better=higher), drafted(*trials), *evaluations])
    expected = []
    for order, trial in enumerate(trials):
        tops = [rung for rung in RUNGS if any((order, rung, seed) in scores for seed in range(4))]
        if tops:
            vals = [scores[order, tops[-1], seed] for seed in range(4) if (order, tops[-1], seed) in scores]
            mean = statistics.fmean(vals)
            expected.append((-RUNGS.index(tops[-1]), -mean if higher else mean, order, trial, len(vals)))
    assert [(s.trial, s.seeds) for s in view.leaderboard()] == [entry[3:] for entry in sorted(expected)]
    assert [view.rank(s.trial) for s in view.leaderboard()] == list(range(1, view.num_ranked + 1))
    assert view.leaderboard(2) == view.leaderboard()[:2]
    assert view.num_evaluations == len(scores)


def test_standing_has_mean_and_sample_deviation_of_the_highest_rung() -> None:
    view = view_of(drafted("a", "b"), finished("a", "full", 0, 90.0), finished("b", "confirm", 0, 80.0), finished("b", "confirm", 1, 82.0))
    assert view.leaderboard() == [Standing("b", "confirm", 81.0, 2**0.5, 2), Standing("a", "full", 90.0, None, 1)]
    assert view.best == view.standing("b")
    assert (view.standing("c"), view.rank("c")) == (None, None)
    assert dict(view.scores("confirm")) == {"b": 81.0}
    assert dict(view.scores("unknown")) == {}


def test_a_rung_that_the_run_did_not_name_ranks_by_first_appearance() -> None:
    view = JournalView([started(rungs=()), finished("a", "low", val=90.0), finished("b", "high", val=10.0)])
    assert view.rungs == ["low", "high"]
    assert [standing.trial for standing in view.leaderboard()] == ["b", "a"]


@pytest.mark.parametrize("higher", [True, False])
def test_a_score_that_is_no_number_ranks_last(higher: bool) -> None:
    view = JournalView([started(higher_is_better=higher), finished("a", val=float("nan")), finished("b", val=1.0), finished("c", val=2.0)])
    assert [standing.trial for standing in view.leaderboard()] == (["c", "b", "a"] if higher else ["b", "c", "a"])


def test_an_evaluation_written_twice_counts_once() -> None:
    view = view_of(finished("a", seed=0, val=1.0), finished("a", seed=0, val=3.0))
    assert view.num_evaluations == 1
    assert view.standing("a") == Standing("a", "full", 3.0, None, 1)


def test_trials_are_found_by_state_and_round() -> None:
    view = view_of(
        drafted("t1", "t2"), drafted("t3", "t4", round=1), ev.TrialRejected(trial="t1", reason="too big"), failed("t2", seed=0),
        failed("t2", "short", seed=1), finished("t3", "short"), finished("t3", "full", 1), finished("t3", "full", 0), failed("t3"),
    )  # fmt: skip
    assert [view.state(trial) for trial in ("t1", "t2", "t3", "t4")] == ["rejected", "failed", "done", "proposed"]
    assert view.rejected == {"t1": "too big"}
    assert view.failed_trials() == ["t2"]
    assert [failure.rung for failure in view.failures("t2")] == ["full", "short"]
    assert [failure.rung for failure in view.failures("t2", "short")] == ["short"]
    assert (view.num_tried, view.num_evaluations) == (2, 3)
    assert view.rounds == {0: ("t1", "t2"), 1: ("t3", "t4")}
    assert view.round_of["t3"] == 1
    assert [(e.rung, e.seed) for e in view.evaluations("t3")] == [("short", 0), ("full", 0), ("full", 1)]
    assert [e.seed for e in view.evaluations("t3", "full")] == [0, 1]
    assert view.evaluation("t3", "full", 1, 0) is not None
    assert view.evaluation("t3", "full", 2, 0) is view.evaluation("t3", "full", 1, 5) is None


def test_prices_of_a_trial_are_merged() -> None:
    view = view_of(ev.TrialPriced(trial="t1", profile={"parameters": 5}), ev.TrialPriced(trial="t1", profile={"latency_ms": 1.5}))
    assert view.profiles == {"t1": {"parameters": 5, "latency_ms": 1.5}}


def test_rounds_are_known_to_have_happened() -> None:
    plan = ev.PlanMade(round=2, author="rules", directions=({"vary": "dropout"},))
    made = ev.FindingsMade(round=2, author="rules", findings=({"text": "x"},), verdict="go on")
    recalled = ev.EvidenceRecalled(round=2, question="?", evidence=())
    view = view_of(plan, recalled, made)
    assert (view.plans, view.findings, view.evidence) == ({2: plan}, {2: made}, {2: recalled})
    assert [view.has(ev.PlanMade), view.has(ev.PlanMade, 2), view.has(ev.PlanMade, 1), view.has(ev.TestOpened)] == [
        True,
        True,
        False,
        False,
    ]


def test_milestones_are_kept_and_a_resume_reopens_the_run() -> None:
    milestones = [
        ev.TaskCarded(card={"nodes": 3}), ev.RungCorrelation(round=0, lower="short", upper="full", trials=4, spearman=0.5),
        ev.FinalistsChosen(finalists=("t1",), plain_anchor=None, strong_anchor=None, reason="best"),
        ev.WinnerChosen(trial="t1", val_mean=1.0, val_sd=None, seeds=1, reason="best"),
        ev.TestOpened(scores={"t1": {"0": 80.0}}, comparison={}), ev.Exported(files=("model.py",)), ev.Noted(message="hello"),
        ev.RunInterrupted(reason="ctrl-c"), ev.RunFinished(outcome="designed", exit_code=0, t=9.0),
    ]  # fmt: skip
    view = view_of(*milestones)
    kept = [
        ev.TaskCarded(card=view.card or {}), *view.correlations, view.finalists, view.winner, view.test, view.exported, *view.notes,
        view.interrupted, view.finished,
    ]  # fmt: skip
    assert kept == milestones
    assert view.active_seconds == 9.0
    view.apply(ev.RunResumed())
    assert (view.finished, view.interrupted, view.resumes) == (None, None, 1)
    assert view.winner is not None


def test_ten_thousand_trials_stay_fast() -> None:
    rng = random.Random(0)
    view = view_of()
    began = time.perf_counter()
    for i in range(10_000):
        view.apply(samples.drafted(f"t{i}", round=i))
        view.apply(finished(f"t{i}", rng.choice(RUNGS), val=rng.uniform(0, 100)))
        assert view.best is not None
    assert time.perf_counter() - began < 5  # about 0.3 s; quadratic work takes minutes


def planned(round_: int, *names: str) -> ev.PlanMade:
    return ev.PlanMade(round=round_, author="planner", directions=tuple({"name": name} for name in names))


def test_a_review_is_of_the_plan_before_it() -> None:
    view = view_of(planned(1, "a"), ev.PlanReviewed(round=1, decision="rejected", reason="no"), planned(1, "b"))
    assert (view.reviews, view.rejections) == ({}, {1: 1})
    view.apply(ev.PlanReviewed(round=1, decision="accepted", item="x.json"))
    assert (view.reviews[1].decision, view.rejections, view.items) == ("accepted", {1: 1}, {"x.json"})


def test_a_rejection_is_a_message_to_the_planner_which_is_asked_anew() -> None:
    asked = ev.LLMAsked(call="c0001", role="planner", round=1, step=0, attempt=0, model="m", prompt_hash="h", messages=(), input_tokens=1,
                        max_tokens=1, worst_cost=None)  # fmt: skip
    view = view_of(asked, ev.LLMAnswered(call="c0001", outcome="answered"), planned(1, "wide", "deep"))
    assert view.calls.answer("planner", 1, 0) is not None
    view.apply(ev.PlanReviewed(round=1, decision="rejected", reason="too wide"))
    assert view.told == {1: ("I reject the plan (wide, deep): too wide",)}
    assert view.calls.answer("planner", 1, 0) is None
    view.apply(asked.model_copy(update={"call": "c0002"}))
    view.apply(ev.LLMAnswered(call="c0002", outcome="answered", text="another"))
    again = view.calls.answer("planner", 1, 0)
    assert again is not None
    assert again.asked.call == "c0002"


@pytest.mark.parametrize(
    "event",
    [ev.PlanReviewed(round=1, decision="accepted"), ev.RunInterrupted(reason="asked"), ev.RunResumed(),
     ev.RunFinished(outcome="failed", exit_code=1)],
)  # fmt: skip
def test_a_plan_waits_until_it_is_reviewed_or_the_run_ends(event: ev.AnyEvent) -> None:
    view = view_of(planned(1, "a"), ev.ReviewAwaited(round=1), ev.Noted(message="still waiting"))
    assert view.awaiting == 1
    view.apply(event)
    assert view.awaiting is None
