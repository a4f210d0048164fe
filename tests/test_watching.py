"""The screen of a run: what it says, and that it fits."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from agentnas.memory import events as ev
from agentnas.run import Run
from agentnas.tools.evaluate.base import PLANNED
from agentnas.watching import Moment, Watched, screen, shares
from agentnas.watching_curve import curve_lines, sampled
from tests.agent_runs import asked, finished, make_agent_run, proposal

RUNNING = Moment("running", 12.0)
STARTED = ev.RunStarted(
    task="cora", protocol="public", config={"trials": 10, "time_s": 60.0, "max_cost": 1.0}, environment={}, metric="accuracy"
)


def watched(*events: ev.AnyEvent) -> Watched:
    state = Watched("20260131-093000-cora-calm-fox")
    for event in events:
        state.apply(event)
    return state


@pytest.fixture
def agents(tmp_path: Path) -> Watched:
    return watched(*make_agent_run(tmp_path).events())


def text(state: Watched, moment: Moment = RUNNING, width: int = 100, height: int | None = None, *, utf8: bool = True) -> str:
    return "\n".join(line.plain for line in screen(state, moment, width, height, utf8=utf8))


def test_the_whole_screen_of_a_run(agents: Watched) -> None:
    assert [line.rstrip() for line in text(agents, Moment("finished", 12.0), 80).splitlines()][:16] == [
        f"finished · {agents.name}",
        "cora, public",
        "winner t0002: validation 81.75 ± 0.35, test 81.50 ± 0.71",
        "trials 2 · 4 evaluations · time 12s of 10m · calls 5 · tokens 10,400",
        "cost $0.0500 of $1.0000",
        "",
        "Round 1, plan by planner/openai:big: attention was not tried ───────────────────",
        "60% attention, 40% explore",
        "t0002 81.75 ± 0.35  coder/openai:small t0001: n1.op gcn -> gat",
        "t0003 rejected      coder/openai:small t0002: n1.width 64 -> 128",
        "attention: neighbours differ in usefulness",
        "explore: the unknown",
        "",
        "Leaderboard: validation accuracy ± sd over seeds ───────────────────────────────",
        " 1 t0002 81.75 ± 0.35  full 2 seeds  coder/openai:small gat64 > gcn64",
        " 2 t0001 80.50 ± 0.71  full 2 seeds  gcn gcn64 > gcn64",
    ]


@pytest.mark.parametrize("height", [5, 20, 24, 45, 80])
@pytest.mark.parametrize("width", [20, 60, 80, 109, 110, 160, 200])
@pytest.mark.parametrize("utf8", [True, False])
def test_it_fits_any_terminal(agents: Watched, width: int, height: int, utf8: bool) -> None:
    lines = screen(agents, RUNNING, width, height, utf8=utf8)
    assert len(lines) == height
    assert max(cell_len(line.plain) for line in lines) <= width
    assert not any("\n" in line.plain for line in lines)
    assert utf8 or all(line.plain.isascii() for line in lines)


@pytest.mark.parametrize("width", [60, 120, 200])
def test_every_section_is_seen_from_60_by_20_on(agents: Watched, width: int) -> None:
    shown = text(agents, RUNNING, width, 20)
    for part in (
        "Round 1",
        "t0002 81.75 ± 0.35",
        "coder/openai",
        "Leaderboard",
        " 1 t0002",
        "Score of the leader",
        "Last events",
        "ended: designed",
    ):
        assert part in shown


def test_a_real_run_is_shown_with_its_leader_and_its_winner(table_run: Run) -> None:
    shown = text(watched(*table_run.events), Moment("finished", 5.0))
    best = table_run.view.best
    assert best is not None
    assert f" 1 {best.trial} {best.val_mean:.2f} ± ?" in shown
    assert f"winner {table_run.winner}: validation" in shown


def test_what_is_left_is_told_while_the_run_goes_on() -> None:
    state = watched(STARTED, finished("t0001", 80.0))
    assert "trials 1 of 10 (9 left) · 1 evaluation · time 12s of 1m (48s left)" in text(state)
    assert "20%  preparing" in text(state)
    assert "(48s left)" not in text(state, Moment("interrupted", 12.0))


def test_a_resumed_run_has_the_budget_of_its_resuming() -> None:
    state = watched(STARTED, ev.RunResumed(config={"trials": 20, "time_s": None}))
    assert "trials 0 of 20 (20 left) · 0 evaluations · time 12s\n" in text(state)


def test_who_thinks_and_who_waits_is_told() -> None:
    plan = ev.PlanMade(round=3, author="planner/rules", directions=(), reason="why not")
    assert "searching, round 3, coder thinks" in text(watched(STARTED, plan, asked("c0001", "coder")))
    waits = text(watched(STARTED, plan, ev.ReviewAwaited(round=3)), Moment("running", 1.0, "agentnas runs review latest"))
    assert "round 3 stands still" in waits
    assert "the plan of round 3 waits for you: agentnas runs review latest" in waits


def test_a_run_without_an_event_waits_for_it() -> None:
    assert "waiting for its first event" in text(watched())


def test_failures_stand_among_the_last_events() -> None:
    failed = ev.EvaluationFailed(trial="t0001", rung="full", seed=0, split=0, kind="memory", reason="out of memory", seconds=1.0)
    assert "t0001 failed (memory): out of memory" in text(watched(STARTED, failed))


def test_a_training_that_the_time_limit_ended_is_told_as_that() -> None:
    late = finished("t0001", 70.0).model_copy(update={"epochs": 58, "details": {PLANNED: 400}})
    drafted = ev.ProposalsDrafted(round=0, proposals=(proposal("t0001", "gcn"),))
    assert "t0001 70.00 on full, seed 0, in 1.0 s, ended by the time limit after 58 epochs" in text(watched(STARTED, drafted, late))


def test_nothing_that_a_model_wrote_commands_the_terminal() -> None:
    evil = proposal("t0001", "\x1b[2Jgat", author="coder/\x1b]0;x\x07", change="[red]a[/red] \x1b[31m\nb")
    direction = {"name": "\x1b[1m", "share": 0.5, "hypothesis": "\x9b2J\u202e"}
    plan = ev.PlanMade(round=0, author="planner/\x1bc", directions=(direction,), reason="\x1b[H\r\n")
    state = watched(
        STARTED, plan, ev.ProposalsDrafted(round=0, proposals=(evil,)), finished("t0001", 80.0), ev.Told(round=0, text="\x1b[2J")
    )
    assert all(character.isprintable() for character in text(state).replace("\n", ""))
    assert "[red]a[/red]" in text(state)


def test_scores_that_are_not_numbers_do_not_break_it() -> None:
    assert "nan" in text(watched(STARTED, finished("t0001", math.nan)))


@given(st.integers(0, 60), st.lists(st.integers(0, 30), max_size=5))
def test_sections_share_the_room_and_no_more(room: int, wants: list[int]) -> None:
    given_ = shares(room, wants)
    assert sum(given_) <= room
    assert all(got <= want and got != 1 for got, want in zip(given_, wants, strict=True))
    assert sum(given_) == room or all(got in (0, want) for got, want in zip(given_, wants, strict=True))


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=50), st.integers(1, 200), st.integers(1, 20))
def test_a_curve_of_anything_has_its_height(values: list[float], width: int, height: int) -> None:
    lines = curve_lines(values, width, height)
    assert len(lines) == (height if any(map(math.isfinite, values)) else 1)


@pytest.mark.parametrize(
    ("values", "lines"),
    [
        ([1.0, 2.0, 3.0], ["3.00   █", "1.00 ▁██"]),
        ([], ["no score yet"]),
        ([5.0], ["5.00 ████", "5.00 ████"]),
    ],
)
def test_a_curve_rises_from_the_lowest_to_the_highest(values: list[float], lines: list[str]) -> None:
    assert curve_lines(values, 9, 2) == lines


def test_the_worst_tenth_does_not_set_the_scale() -> None:
    scores = [10.0, *[80.0] * 5, *[82.0] * 4]
    assert curve_lines(scores, 17, 2) == [" 82.00       ████", "<80.00 ▁▁▁▁▁▁████"]
    assert curve_lines([-s for s in scores], 18, 2, higher_is_better=False) == [">-80.00 ██████", " -82.00 ██████▁▁▁▁"]


def test_more_values_than_columns_end_with_the_last() -> None:
    assert sampled([float(i) for i in range(10)], 4) == [1.0, 4.0, 6.0, 9.0]
    assert sampled([1.0, 2.0], 5) == [1.0, 1.0, 2.0, 2.0]
