"""The replay stops who is behind at a checkpoint, slow learners too, and counts what that spares and loses."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentnas.memory import events as ev
from agentnas.memory.rundir import RunDirectory
from tests.benchmarks.abandonment import LEAST, Rule, Search, Training, main, noise, replay, spared, with_hindsight

EPOCHS, NOISE = 200, 0.5


def curve(half: int, end: float) -> tuple[tuple[int, float], ...]:
    """Half of the way to ``end`` until epoch ``half``, and all of it from then on."""
    return tuple((epoch, end / 2 if epoch < half else end) for epoch in range(1, EPOCHS + 1, 10))


def training(trial: str, round_: int, half: int, end: float, seed: int = 0, rung: str = "full") -> Training:
    began = 100.0 * round_ + seed
    return Training(trial, round_, rung, seed, 0, began, began + 1, EPOCHS, EPOCHS, end, curve(half, end))


def field() -> list[Training]:
    """A first round of ``LEAST`` quick learners, two seeds each, which differ by twice the noise times the square root of a half."""
    luck = NOISE / 2**0.5
    pairs = [(f"t{i}", 80.0 + i, seed) for i in range(LEAST) for seed in (0, 1)]
    return [training(trial, 0, 20, end + luck * (1 - 2 * seed), seed) for trial, end, seed in pairs]


def search(*newcomers: Training, chosen: tuple[str, ...] = ()) -> Search:
    trainings = (*field(), *newcomers)
    return Search("toy", trainings, frozenset(), {one.trial: one.trial for one in trainings}, frozenset(chosen), None)


def test_the_noise_is_pooled_over_trials() -> None:
    found = {one: one.val for one in field()}
    assert noise(found) == pytest.approx(NOISE)
    assert noise(dict(list(found.items())[:4])) is None  # two degrees of freedom


@pytest.mark.parametrize(("end", "margin", "stopped"), [(83.0, 2.0, True), (83.4, 2.0, False), (83.4, 1.0, True), (84.0, 1.0, False)])
def test_who_is_behind_the_worst_of_the_best_third_by_the_margin_is_stopped(end: float, margin: float, stopped: bool) -> None:
    # The best third of six are two; the worse of them had 84 + luck with this seed.
    found = replay(search(training("new", 1, 20, end)), Rule((50.0,), False, margin))
    assert found == ({"new": (training("new", 1, 20, end), 50.0)} if stopped else {})


def test_a_slow_learner_is_lost_though_it_ends_first() -> None:
    slow = training("slow", 1, 140, 90.0)
    known = search(slow, training("slow", 1, 140, 90.0, 1, "seeds"), chosen=("slow",))
    found = replay(known, Rule((50.0,), False, 2.0))
    assert list(found) == ["slow"]
    assert spared(known, found) == EPOCHS - 50 + EPOCHS, "the rest of its training, and all of its other seed"
    assert with_hindsight(known) == {}
    assert replay(known, Rule((0.75,), True, 2.0)) == {}, "at three quarters it had caught up"


def test_nobody_is_stopped_without_enough_trials_or_by_its_own_round() -> None:
    bad = training("bad", 1, 20, 10.0)
    few = [one for one in field() if one.trial != "t0"]
    assert replay(Search("toy", (*few, bad), frozenset(), {}, frozenset(), None), Rule((50.0,), False, 1.0)) == {}
    assert replay(search(training("bad", 0, 20, 10.0)), Rule((50.0,), False, 1.0)) == {}
    assert with_hindsight(search(bad)) == {"bad": (bad, 50)}


def written(folder: Path) -> None:
    """A run in which the field and a bad newcomer trained."""
    known = [*field(), training("bad", 1, 20, 10.0)]
    with RunDirectory.create(folder, "toy").journal() as journal:
        journal.append(ev.RunStarted(task="toy", protocol="", config={}, environment={}, full=("full", "seeds")))
        for round_ in (0, 1):
            trials = sorted({one.trial for one in known if one.round == round_})
            drafts = tuple(ev.Proposal(trial=trial, spec={}, spec_hash=trial, text=trial, author="test") for trial in trials)
            journal.append(ev.ProposalsDrafted(round=round_, proposals=drafts))
        for one in known:
            details = {"curve": [(epoch, 0.0, val) for epoch, val in one.curve]}
            journal.append(ev.EvaluationFinished(
                trial=one.trial, rung=one.rung, seed=one.seed, split=0, val=one.val, seconds=0.0, epochs=EPOCHS, details=details
            ))  # fmt: skip


def test_the_tables_are_made_of_journals_and_a_copy_counts_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in ("first", "copy"):
        written(tmp_path)
    assert main([str(tmp_path), "--least", "7"]) == 0
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in capsys.readouterr().out.splitlines()]
    assert ["toy", "1", "7", "0 %", "100 %", "0 %", "0 %", "6 %"] in rows
    assert ["after 50 epochs", "1", "1", "5.8 %", "75.0 %", "5.8 %", "0", "0", "0"] in rows


def test_without_searches_one_line_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 1
    assert capsys.readouterr().err == f"no search with 10 full trainings below {tmp_path}\n"
