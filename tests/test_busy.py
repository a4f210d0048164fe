"""How busy the workers were: read from the journal, told in the report, drawn on the page."""

from __future__ import annotations

import re

import pytest

from agentnas.busy import busy_line, race_lines, spans, utilisation
from agentnas.memory import events as ev
from agentnas.memory.view import JournalView
from agentnas.page.timeline import MOST, timeline
from agentnas.run import Run
from agentnas.tools.evaluate.base import CONFIRM


def ended(t: float, seconds: float, trial: str = "t0001", rung: str = "full", seed: int = 0) -> ev.EvaluationFinished:
    return ev.EvaluationFinished(t=t, trial=trial, rung=rung, seed=seed, split=0, val=80.0, seconds=seconds)


def started(workers: int | None) -> ev.RunStarted:
    config = {"workers": workers}
    return ev.RunStarted(task="digits", protocol="", config=config, environment={}, rungs=("full", CONFIRM), full=("full",))


DRAFTED = ev.ProposalsDrafted(t=10.0, round=0, proposals=())
CHOSEN = ev.FinalistsChosen(t=30.0, finalists=("t0001",), plain_anchor=None, strong_anchor=None, reason="")


def test_trainings_side_by_side_are_on_different_workers() -> None:
    first, second, third = spans([ended(20, 10), ended(25, 10, seed=1), ended(30, 9.98, seed=2)])
    assert [(span.worker, span.start, span.end) for span in (first, second, third)] == [
        (0, 10.0, 20.0), (1, 15.0, 25.0), (0, pytest.approx(20.02), 30.0),
    ]  # fmt: skip
    failed = ev.EvaluationFailed(t=40, trial="t0002", rung="full", seed=0, split=0, kind="timeout", reason="", seconds=5.0)
    assert [span.failed for span in spans([ended(20, 10), failed])] == [False, True]


def test_utilisation_is_the_share_of_all_workers_time_in_each_part_of_the_run() -> None:
    events: list[ev.AnyEvent] = [
        started(None),
        DRAFTED,
        ended(20, 10),
        ended(25, 10, seed=1),
        CHOSEN,
        ended(40, 10, rung=CONFIRM, seed=100),
    ]
    found = utilisation(events)
    assert found is not None
    assert (found.workers, found.search, found.confirmation) == (2, 20 / 40, 10 / 20)
    assert (
        busy_line(JournalView(events), events)
        == "2 workers trained for 50 % of the search and 50 % of the confirmation, their start included"
    )
    four: list[ev.AnyEvent] = [started(4), *events[1:]]
    assert busy_line(JournalView(four), four).startswith("4 workers trained for 25 % of the search")


def test_a_run_that_trained_nothing_has_no_utilisation(table_run: Run) -> None:
    assert utilisation(table_run.events) is None
    assert busy_line(table_run.view, table_run.events) == ""
    assert "workers trained" not in table_run.report()


def test_what_the_race_spared_is_told() -> None:
    stopped = ev.SeedsStopped(trial="t0001", rung=CONFIRM, rival="t0002", difference=-1.2, se=0.3, seeds=2, planned=10,
                              reason="behind t0002 by 1.20 ± 0.30 over 2 shared seeds")  # fmt: skip
    events: list[ev.AnyEvent] = [started(2), *(ended(20 + i, 1, rung=CONFIRM, seed=100 + i) for i in range(4)), stopped]
    assert race_lines(JournalView(events)) == [
        "1 race for seeds was ended early, which spared 6 trainings: more seeds would not have turned the decision.",
        "- t0001, confirm: 4 of 10 seeds, behind t0002 by 1.20 ± 0.30 over 2 shared seeds",
    ]
    assert race_lines(JournalView([started(2)])) == []
    of_errors = started(2).model_copy(update={"metric": "rmse", "unit": 2.0})
    assert race_lines(JournalView([of_errors, *events[1:]]))[1].endswith("behind t0002 by RMSE 0.02 ± 0.01 over 2 shared seeds")


def test_report_and_page_say_how_busy_the_workers_were(live_run: Run) -> None:
    line = busy_line(live_run.view, live_run.events)
    assert re.fullmatch(r"1 worker trained for \d+ % of the search and \d+ % of the confirmation, their start included", line)
    assert line in live_run.report()
    assert line in live_run.page()
    assert live_run.page().count('class="span ') == live_run.view.num_evaluations


def test_a_long_run_is_drawn_with_bars_that_can_be_told_apart() -> None:
    many = [ended(float(i + 1), 1.0, seed=i) for i in range(2 * MOST)]
    drawn = str(timeline(spans(many)))
    assert drawn.count("<rect") == 1
    assert f"{2 * MOST} trainings, 0.0 to {2 * MOST}.0 s" in drawn
    assert timeline([]) is None
