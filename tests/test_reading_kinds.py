"""What a report says of tasks whose seeds stand for splits or folds, of errors, and of designs that read no edges."""

from __future__ import annotations

from typing import Any

import pytest

from agentnas.memory import events as ev
from agentnas.memory.view import JournalView
from agentnas.report import reading
from agentnas.report_baselines import baseline_head, baseline_rows
from agentnas.report_search import order_text, progress_text
from agentnas.report_verdicts import notes, verdict
from agentnas.scores import offsets_of, repeats
from agentnas.tools.evaluate.base import CONFIRM
from agentnas.tools.scale import Scale

FOLDS = "10 stratified folds, one to choose by and one to test on, 150-152/18-19/18-19"
MLP = {"body": {"nodes": [{"id": "a", "op": "mlp", "width": 8}], "outputs": ["a"]}}
GCN = {"body": {"nodes": [{"id": "a", "op": "gcn", "width": 8}], "outputs": ["a"]}}


def begun(protocol: str = FOLDS, **fields: Any) -> ev.RunStarted:
    return ev.RunStarted(
        task="mutag", protocol=protocol, config={"time_s": 600.0}, environment={}, metric="accuracy", higher_is_better=True,
        rungs=("short", "full", "seeds", CONFIRM), full=("full", "seeds"), **fields,
    )  # fmt: skip


def trial(number: int, spec: dict[str, Any] = GCN, **fields: Any) -> ev.Proposal:
    return ev.Proposal(trial=f"t000{number}", spec=spec, spec_hash=f"{number}", text="gcn8", author="test", **fields)


def trained(number: int, rung: str, **by_seed: float) -> list[ev.EvaluationFinished]:
    seeds = {int(seed[1:]): val for seed, val in by_seed.items()}
    return [
        ev.EvaluationFinished(trial=f"t000{number}", rung=rung, seed=seed, split=seed % 10, val=val, seconds=1.0)
        for seed, val in seeds.items()
    ]


def planned(round_: int = 0) -> ev.PlanMade:
    return ev.PlanMade(round=round_, author="planner/rules", directions=(), reason="established designs first")


def drafted(*proposals: ev.Proposal, round_: int = 0) -> ev.ProposalsDrafted:
    return ev.ProposalsDrafted(round=round_, proposals=proposals)


def won(number: int = 1) -> ev.WinnerChosen:
    return ev.WinnerChosen(trial=f"t000{number}", val_mean=94.0, val_sd=1.0, seeds=3, reason="the best")


@pytest.mark.parametrize(
    ("protocol", "count", "told"),
    [
        ("public split, 140/500/1000", 10, "10 seeds"),
        ("10 random splits, 80/10/10 %, 904/112/112", 10, "10 splits"),
        ("10 random splits of 2126 edges, 85/5/10 %", 1, "1 split"),
        (FOLDS, 4, "4 folds"),
        ("splits of the data, column part", 3, "3 splits"),
        ("3 stratified folds, one to choose by", 10, "10 seeds"),
        ("", 2, "2 seeds"),
    ],
)
def test_scores_are_of_what_each_seed_stands_for(protocol: str, count: int, told: str) -> None:
    assert repeats(JournalView([begun(protocol)]), count) == told


def test_a_verdict_names_the_folds_it_is_paired_over() -> None:
    view = JournalView([begun(), drafted(trial(1, anchor="plain", name="gin"))])
    pair = {"anchor": "t0001", "is_winner": False, "difference": 1.5, "se": 3.2, "seeds": 10, "inside_noise": True, "p": 0.64}
    assert verdict("plain", pair, view).endswith("+1.50 ± 3.20 (standard error, 10 paired folds, p = 0.640): inside the noise, no gain")


def two_trials() -> list[ev.AnyEvent]:
    """The second is better on the two easy folds that both were trained on, and was never trained on the hard ones."""
    return [
        begun(), planned(), drafted(trial(1)), *trained(1, "full", s0=90.0, s1=92.0), *trained(1, "seeds", s2=70.0, s3=72.0),
        planned(1), drafted(trial(2), round_=1), *trained(2, "full", s0=90.0, s1=93.0),
    ]  # fmt: skip


def test_the_best_so_far_is_of_the_same_folds() -> None:
    view = JournalView(two_trials())
    assert offsets_of(view) == {0: 10.0, 1: 10.0, 2: -11.0, 3: -9.0}
    table = progress_text(view)
    assert "as if each trial had been trained on the same folds" in table
    assert "| 0 | 1 | 81.00 |" in table
    assert "| 1 | 1 | 81.50 |" in table
    assert order_text(view).endswith("some folds are easier than others, so means over few and over many of them cannot be compared")


def test_on_one_split_nothing_is_made_comparable() -> None:
    view = JournalView([begun("public split, 140/500/1000"), *two_trials()[1:]])
    assert offsets_of(view) == {}
    assert "| 1 | 1 | 91.50 |" in progress_text(view)
    assert order_text(view) == "The highest rung first, then the best validation"


def opened(**scores: float) -> ev.TestOpened:
    return ev.TestOpened(scores={"t0001": {seed[1:]: score for seed, score in scores.items()}}, comparison={})


def test_validation_that_runs_ahead_of_the_test_is_said_to() -> None:
    events: list[ev.AnyEvent] = [begun(), drafted(trial(1), trial(2)), *trained(1, CONFIRM, s100=94.0, s101=95.0, s102=93.0), won()]
    ahead = JournalView([*events, opened(s100=82.0, s101=83.5, s102=80.5)])
    assert reading(ahead)[1] == (
        "validation is better than the test by 12.00 ± 0.29 (standard error): design and epochs were chosen by it; go by the test"
    )
    alike = JournalView([*events, *trained(2, CONFIRM, s100=90.0), opened(s100=94.0, s101=93.5, s102=95.0)])
    assert (
        reading(alike)[1] == "the winner has the highest of several confirmed means, so its validation is likely too high; the test is not"
    )


def test_a_winner_that_gave_way_to_nobody_is_not_said_to_lead() -> None:
    others = [*trained(1, CONFIRM, s100=90.0, s101=91.0), *trained(2, CONFIRM, s100=92.0, s101=91.0)]
    told = reading(JournalView([begun(), drafted(trial(1), trial(2)), *others, won()]))
    assert told[0].startswith("scores are mean ± standard deviation over folds;")
    assert told[1] == "the winner was chosen by its validation, which may be too high for that; the test is not"


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        (GCN, []),
        (MLP, ["the winner reads no edges: it predicts from the features of nodes alone"]),
        ({**MLP, "input": {"encodings": [{"kind": "degree", "dim": 8}]}}, []),
        ({**MLP, "head": {"kind": "link", "decoder": "common_neighbour"}}, []),
        ({**MLP, "head": {"kind": "link", "decoder": "mlp", "pair_features": "structure"}}, []),
    ],
)
def test_a_winner_that_reads_no_edges_says_so(spec: dict[str, Any], told: list[str]) -> None:
    assert notes(JournalView([begun(), drafted(trial(1, spec)), won()])) == told


def test_a_search_that_its_analyst_ended_says_what_was_left() -> None:
    found = ev.FindingsMade(round=12, author="analyst/rules", findings=(), verdict="stop", reason="no gain beyond the noise for 12 rounds")
    ended = ev.RunFinished(t=302.0, outcome="designed", exit_code=0)
    (line,) = notes(JournalView([begun(), drafted(trial(1)), found, won(), ended]))
    assert line == ("the analyst ended the search after 13 rounds: no gain beyond the noise for 12 rounds; 298 of 600 s were not used")
    longer = ev.RunResumed(config={"time_s": 900.0})
    (resumed,) = notes(JournalView([begun(), longer, drafted(trial(1)), found, won(), ended]))
    assert resumed.endswith("; 598 of 900 s were not used")
    by_trials = begun().model_copy(update={"config": {"trials": 1}})
    assert notes(JournalView([by_trials, drafted(trial(1)), *trained(1, "full", s0=90.0), found, won(), ended])) == []
    went_on = found.model_copy(update={"verdict": "go_on"})
    assert notes(JournalView([begun(), drafted(trial(1)), went_on, won(), ended])) == []


def test_a_table_of_errors_says_whose_difference_it_is() -> None:
    measured = ev.BaselineMeasured(name="linear", told="ridge regression", val={"0": 60.0, "1": 62.0}, test={"0": 60.0, "1": 61.0})
    events: list[ev.AnyEvent] = [
        begun("10 random splits, 80/10/10 %").model_copy(update={"metric": "rmse", "unit": 2.0}), drafted(trial(1)),
        *trained(1, CONFIRM, s100=70.0, s101=71.0), won(), opened(s100=70.0, s101=72.0), measured,
    ]  # fmt: skip
    view = JournalView(events)
    assert baseline_head(view)[-1] == "RMSE of the network minus it"
    assert baseline_rows(view) == [["ridge regression", "0.78 ± 0.03", "0.79 ± 0.01", "-0.21 ± 0.01, 2 pairs are too few to tell"]]
    accuracy = JournalView([begun(), *events[1:]])
    assert baseline_head(accuracy)[-1] == "the network's gain"
    once = measured.model_copy(update={"val": {"0": 60.0}, "test": {"0": 60.0}})
    assert baseline_rows(JournalView([begun(), *events[1:-1], once])) == [["ridge regression", "60.00", "60.00", "+10.00"]]


def test_metrics_are_written_as_people_do() -> None:
    assert [Scale(name).with_direction for name in ("roc_auc", "accuracy", "rmse")] == ["ROC AUC", "accuracy", "RMSE (lower is better)"]
