"""Baselines in a run: measured after the choice on the winner's splits, within their time, each once whatever happens."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

import agentnas
from agentnas.agents.baselines import Baselines, measure_baselines, seconds_for
from agentnas.agents.house import House
from agentnas.memory import events as ev
from agentnas.memory.journal import Journal
from agentnas.memory.rundir import RunDirectory
from agentnas.report_baselines import baseline_lines, baseline_rows, baselines_summary, compared, told
from agentnas.tools.baselines import Baseline, Measured
from agentnas.tools.errors import UsageError
from tests import quick
from tests.memory.samples import drafted, started

SPLITS = 4


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """A run with a winner, confirmed on four splits, and an open test."""
    with RunDirectory.create(tmp_path / "runs", "made").journal() as held:
        for event in (started(), drafted("t0001")):
            held.append(event)
        for seed in range(SPLITS):
            held.append(ev.EvaluationFinished(trial="t0001", rung="confirm", seed=100 + seed, split=seed, val=80.0, seconds=1.0))
        held.append(ev.WinnerChosen(trial="t0001", val_mean=80.0, val_sd=0.0, seeds=SPLITS, reason="best"))
        held.append(ev.TestOpened(scores={"t0001": {str(100 + seed): 80.0 + seed for seed in range(SPLITS)}}, comparison={}))
        yield held


def method(name: str, work: float = 0.0) -> Baseline:
    def fit(split: Any) -> Any:
        raise AssertionError("the measure is a stand-in")

    return Baseline(name, f"the {name} method", fit, work)


def house(
    journal: Journal, measure: Callable[[Baseline, int], Measured], methods: Sequence[Baseline], seconds: float | None = None
) -> House:
    made = SimpleNamespace(
        view=journal.view, journal=journal, baselines=Baselines(lambda: methods, measure), budget=SimpleNamespace(seconds=seconds),
        stop_requested=threading.Event(),
    )  # fmt: skip
    return cast(House, made)


def scores(baseline: Baseline, split: int) -> Measured:
    return Measured(70.0 + len(baseline.name) + split, 60.0 + len(baseline.name) + split, "C 1", 0.01)


def test_each_is_measured_once_on_the_splits_of_the_confirmation(journal: Journal) -> None:
    asked: list[tuple[str, int]] = []

    def measure(baseline: Baseline, split: int) -> Measured:
        asked.append((baseline.name, split))
        return scores(baseline, split)

    methods = [method("linear"), method("trees")]
    measure_baselines(house(journal, measure, methods[:1]))
    measure_baselines(house(journal, measure, methods))  # a run that was killed after the first
    assert asked == [(name, split) for name in ("linear", "trees") for split in range(SPLITS)]
    assert list(journal.view.baselines) == ["linear", "trees"]
    assert journal.view.baselines["trees"].test == {"0": 65.0, "1": 66.0, "2": 67.0, "3": 68.0}


def test_what_takes_too_long_or_fails_is_left_out_with_its_reason(journal: Journal) -> None:
    def measure(baseline: Baseline, split: int) -> Measured:
        raise UsageError("roc_auc needs two classes")

    measure_baselines(house(journal, measure, [method("slow", 1000.0), method("odd")], 600.0))
    slow, odd = journal.view.baselines.values()
    assert (slow.val, slow.reason) == ({}, "one fit takes about 1000 s, more than the 15 s that it may take")
    assert (odd.val, odd.reason) == ({}, "UsageError: roc_auc needs two classes")
    assert told(odd, journal.view) == "baseline: the odd method was left out: UsageError: roc_auc needs two classes"


def test_time_that_is_up_leaves_splits_out(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr("agentnas.agents.baselines.time.monotonic", lambda: float(next(clock)))
    measure_baselines(house(journal, scores, [method("linear")]))
    found = journal.view.baselines["linear"]
    assert 1 <= len(found.val) < SPLITS
    assert found.reason == f"{len(found.val)} of 4 splits: one more would have taken it beyond the 50 s that it may take"
    assert told(found, journal.view).endswith(f" ({found.reason})")
    assert baseline_rows(journal.view)[0][-1].endswith(f" ({found.reason})")


def test_nothing_is_measured_before_the_choice_or_for_a_table(tmp_path: Path) -> None:
    with RunDirectory.create(tmp_path / "runs", "made").journal() as empty:
        empty.append(started())
        measure_baselines(house(empty, scores, [method("linear")]))
        assert empty.view.baselines == {}
    run = agentnas.design("nasbench:cora", trials=7, without_baselines=False, runs_dir=tmp_path / "runs")
    assert run.view.baselines == {}
    assert "Without a neural network" not in run.report()


def test_they_take_a_bounded_share_of_the_time() -> None:
    assert [seconds_for(budget) for budget in (None, 60.0, 600.0, 86_400.0)] == [60.0, 3.0, 30.0, 60.0]


def gaining(journal: Journal, by: Sequence[float]) -> None:
    """Baselines under which the winner's four scores lie by so much."""
    won = [80.0, 81.0, 82.0, 83.0]
    journal.append(ev.BaselineMeasured(
        name="trees", told="gradient boosting on features and degrees", val={str(i): 70.0 for i in range(SPLITS)},
        test={str(i): score - gap for i, (score, gap) in enumerate(zip(won, by, strict=True))}, setting="25 rounds",
    ))  # fmt: skip


def test_a_gain_is_told_with_its_noise(journal: Journal) -> None:
    gaining(journal, (3.0, 4.0, 5.0, 4.0))
    assert baseline_lines(journal.view) == [
        "without a network, gradient boosting on features and degrees reaches 77.50 ± 1.00: the network gains +4.00 ± 0.41"
    ]
    assert not compared(journal.view)[0].needless


@pytest.mark.parametrize(
    ("by", "words"),
    [
        ((-1.0, 1.0, 0.5, 0.0), "the network's difference of +0.12 ± 0.43 is inside the noise (4 paired seeds)"),
        ((-3.0, -4.0, -5.0, -4.0), "the network loses 4.00 ± 0.41"),
    ],
)
def test_where_nothing_is_gained_it_is_said_plainly(journal: Journal, by: Sequence[float], words: str) -> None:
    gaining(journal, by)
    (line,) = baseline_lines(journal.view)
    assert line.endswith(f": {words}: a graph neural network may not be needed here")
    assert baselines_summary(journal.view)[0]["network_needless"] is True


def test_what_one_split_says_the_same_of_is_no_loss(tmp_path: Path) -> None:
    with RunDirectory.create(tmp_path / "runs", "made").journal() as held:
        for event in (started(), drafted("t0001")):
            held.append(event)
        held.append(ev.EvaluationFinished(trial="t0001", rung="confirm", seed=100, split=0, val=80.0, seconds=1.0))
        held.append(ev.WinnerChosen(trial="t0001", val_mean=80.0, val_sd=None, seeds=1, reason="best"))
        held.append(ev.TestOpened(scores={"t0001": {"100": 80.0}}, comparison={}))
        held.append(ev.BaselineMeasured(name="trees", told="trees", val={"0": 70.0}, test={"0": 80.0}))
        (line,) = baseline_lines(held.view)
    assert line == "without a network, trees reaches 80.00: the network reaches the same: a graph neural network may not be needed here"


def test_the_best_by_validation_is_held_against_the_winner(journal: Journal) -> None:
    gaining(journal, (3.0, 4.0, 5.0, 4.0))
    journal.append(ev.BaselineMeasured(name="lucky", told="luck", val={"0": 60.0}, test={"0": 99.0}))
    journal.append(ev.BaselineMeasured(name="late", told="a slow one", val={}, test={}, reason="no time"))
    assert baseline_lines(journal.view)[0].startswith("without a network, gradient boosting")
    assert [row[0] for row in baseline_rows(journal.view)] == ["gradient boosting on features and degrees", "luck", "a slow one"]
    assert baseline_rows(journal.view)[2][1:] == ["left out", "", "no time"]


def test_a_whole_run_reports_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quick.shorten(monkeypatch)
    heard: list[str] = []
    settings = {**quick.LIVE, "trials": 1, "confirm_seeds": 1, "without_baselines": False, "runs_dir": tmp_path / "runs"}
    run = agentnas.design(**settings, on_event=lambda event: heard.append(event.type))
    assert heard.index("test_opened") < heard.index("baseline_measured") < heard.index("exported")
    assert {"constant", "linear", "linear-propagated"} <= {name for name, found in run.view.baselines.items() if found.val}
    assert "## Without a neural network" in run.report()
    assert "| logistic regression on features and degrees |" in run.report()
    assert "without a network, " in run.page()
    assert len(run.summary()["baselines"]) == len(run.view.baselines)
    assert "--without-baselines" not in run.report()
