"""What is told while a run works."""

from __future__ import annotations

import io
import threading
import time

import pytest

from agentnas.memory import events as ev
from agentnas.memory.view import JournalView
from agentnas.progress import Progress, tell
from agentnas.run import Run


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def told(run: Run, stream: io.StringIO, seconds: float | None = None, trials: int | None = 7) -> Progress:
    """Feed a run's events, as its journal did."""
    view = JournalView()
    progress = Progress(view, seconds, trials, stream)
    for event in run.events:
        view.apply(event)
        progress(event)
    progress.close()
    return progress


def test_away_from_a_terminal_there_are_plain_lines_for_rounds_proposals_and_endings(live_run: Run) -> None:
    stream = io.StringIO()
    told(live_run, stream)
    lines = stream.getvalue().splitlines()
    assert "\x1b" not in stream.getvalue()
    assert live_run.view.winner is not None
    assert lines[0].startswith("task: digits, 10 random splits")
    assert "  t0001 anchor mlp" in lines
    assert f"round 1: {live_run.view.plans[1].reason}" in lines
    assert any(line.startswith(f"winner: {live_run.winner}, {live_run.view.winner.reason}") for line in lines)
    assert sum(line.startswith("test: ") for line in lines) >= 1
    assert all(f"  {trial} " in stream.getvalue() for trial in live_run.view.proposals)


def test_on_a_terminal_the_last_line_lives_and_is_cleared(live_run: Run) -> None:
    stream = Terminal()
    told(live_run, stream)
    assert stream.getvalue().count("\r\x1b[2K") > live_run.view.num_evaluations
    assert stream.getvalue().endswith("\r\x1b[2K")


def test_the_state_is_trials_best_with_noise_and_time(live_run: Run) -> None:
    state = told(live_run, io.StringIO(), trials=7).state()
    best = live_run.view.best
    assert best is not None
    assert best.val_sd is not None
    assert state.startswith(f"7/7 trials · {live_run.view.num_evaluations} evaluations · best {best.val_mean:.2f} ± {best.val_sd:.2f} ")
    assert "on validation · " in state
    assert "$" not in state
    assert state.endswith("so far")


@pytest.mark.parametrize(("seconds", "words"), [(3600.0, "left"), (0.001, "0s left")])
def test_time_that_is_left_is_never_negative(live_run: Run, seconds: float, words: str) -> None:
    assert told(live_run, io.StringIO(), seconds=seconds).state().endswith(words)


def test_before_the_first_score_the_state_says_so() -> None:
    assert Progress(JournalView(), None, None, io.StringIO()).state() == "0 trials · 0 evaluations · no score yet on validation · 0s so far"


def test_the_clock_of_a_terminal_goes_on_without_events_until_it_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentnas.progress.TICK_S", 0.01)
    stream = Terminal()
    progress = Progress(JournalView(), 600.0, None, stream)
    deadline = time.monotonic() + 20
    while "9m59s left" not in stream.getvalue():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    progress.close()
    assert stream.getvalue().endswith("\r\x1b[2K")
    before = stream.getvalue()
    time.sleep(0.1)
    assert stream.getvalue() == before


def test_away_from_a_terminal_nothing_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentnas.progress.TICK_S", 0.01)
    stream, before = io.StringIO(), threading.active_count()
    Progress(JournalView(), 600.0, None, stream)
    assert threading.active_count() == before
    assert stream.getvalue() == ""


def test_a_narrow_terminal_keeps_the_time_longest(live_run: Run) -> None:
    progress = told(live_run, io.StringIO(), seconds=0.001)
    whole = progress.state()
    shown = [progress.state(width) for width in range(len(whole), 0, -1)]
    assert all(len(line) <= width for line, width in zip(shown, range(len(whole), 0, -1), strict=True))
    assert [line.count(" · ") for line in dict.fromkeys(line for line in shown if len(line) >= len("0s left"))] == [3, 2, 1, 0]
    assert all(line.endswith("0s left") for line in shown if len(line) >= len("0s left"))
    assert "evaluations" not in progress.state(len(whole) - 1)


def test_one_of_a_kind_is_singular() -> None:
    assert Progress(JournalView(), None, 1, io.StringIO()).state().startswith("0/1 trial · 0 evaluations")


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (ev.TrialRejected(trial="t0001", reason="parameters 9 > 5"), "  t0001 rejected: parameters 9 > 5"),
        (
            ev.EvaluationFailed(trial="t0001", rung="full", seed=0, split=0, kind="timeout", reason="180 s", seconds=180.0),
            "  t0001 failed (timeout): 180 s",
        ),
        (ev.Noted(level="warning", message="the disk is nearly full"), "  warning: the disk is nearly full"),
        (ev.ProposalsDrafted(round=1, proposals=()), "  nothing new could be proposed"),
        (ev.Noted(message="something small"), None),
    ],
)
def test_a_line_for_what_a_person_wants_to_see(event: ev.AnyEvent, line: str | None) -> None:
    assert tell(event, JournalView()) == line


def waiting(stream: io.StringIO) -> tuple[Progress, JournalView]:
    """A run that stands still before its first plan is carried out."""
    view = JournalView()
    progress = Progress(view, 600.0, None, stream, review="agentnas runs review calm-otter")
    for event in (ev.PlanMade(round=0, author="planner/rules", directions=()), ev.ReviewAwaited(round=0)):
        view.apply(event)
        progress(event)
    return progress, view


def test_a_plan_that_waits_says_how_to_answer_until_it_is_answered() -> None:
    stream = io.StringIO()
    progress, view = waiting(stream)
    line = "round 0: the plan waits for you: agentnas runs review calm-otter"
    assert progress.state() == line
    for event in (
        ev.Noted(level="warning", message="junk"),
        ev.Told(round=0, text="try gat"),
        ev.PlanReviewed(round=0, decision="accepted"),
    ):
        view.apply(event)
        progress(event)
    assert progress.state() == "0 trials · 0 evaluations · no score yet on validation · 10m left"
    assert stream.getvalue().splitlines() == [line, "  warning: junk", "  told: try gat", "  the plan of round 0 was accepted"]


def test_the_live_line_of_a_plan_that_waits_says_how_to_answer_too() -> None:
    stream = Terminal()
    progress, _ = waiting(stream)
    progress.close()
    assert stream.getvalue().endswith("agentnas runs review calm-otter\r\x1b[2K")


def test_what_a_model_plans_and_proposes_is_told_with_its_reasons() -> None:
    view = JournalView()
    heads = {"name": "heads", "share": 0.6, "hypothesis": "fewer heads overfit less"}
    fresh = {"name": "fresh", "share": 0.4, "hypothesis": "unlike all"}
    plan = ev.PlanMade(round=2, author="planner/openai:m", reason="attention paid", directions=(heads, fresh))
    assert tell(plan, view) == "round 2: attention paid\n  60% heads: fewer heads overfit less\n  40% fresh: unlike all"
    proposal = ev.Proposal(trial="t0009", spec={}, spec_hash="x", text="gat64", author="coder/openai:m", parent="t0003", factor="body.op",
                           change="n1.op gcn -> gat", hypothesis="hubs are weighed down")  # fmt: skip
    drafted = ev.ProposalsDrafted(round=2, proposals=(proposal,))
    assert tell(drafted, view) == "  t0009 from t0003: body.op n1.op gcn -> gat · hubs are weighed down"


def test_what_was_sent_back_is_told_and_what_models_cost_is_on_the_line() -> None:
    view = JournalView()
    stream = Terminal()
    progress = Progress(view, None, 9, stream)
    asked = ev.LLMAsked(call="c0001", role="coder", round=1, step=0, attempt=0, model="openai:m", prompt_hash="x", messages=(),
                        input_tokens=100, max_tokens=50, worst_cost=0.01)  # fmt: skip
    answered = ev.LLMAnswered(call="c0001", outcome="answered", text="{}", input_tokens=90, output_tokens=20, cost=0.002)
    judged = ev.LLMJudged(call="c0001", items=10, taken=7, problems=("proposal 3: it repeats t0004", "proposal 5: it cites nothing"))
    states = []
    for event in (asked, answered, judged):
        view.apply(event)
        progress(event)
        states.append(progress.state())
    progress.close()
    assert "1 call, cost $0.0100 · coder thinks" in states[0], "a call in flight counts at its worst"
    assert "1 call, cost $0.0020 · 0s" in states[1]
    assert "  coder: 7 of 10 taken; proposal 3: it repeats t0004\n" in stream.getvalue()
