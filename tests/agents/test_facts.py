"""Facts that models read: every number is the one that the statistics give, every list is bounded."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from agentnas.agents import facts
from agentnas.agents.briefing_designs import result_lines
from agentnas.agents.claims import Claims, FindingAnswer
from agentnas.agents.facts_cells import cell_lines
from agentnas.agents.facts_curves import Curve, curve_lines, curve_of, in_words
from agentnas.agents.facts_round import round_lines
from agentnas.agents.situation import Record, Situation
from agentnas.memory.events import EvaluationFinished, RungCorrelation
from agentnas.tools.evaluate.base import PLANNED
from agentnas.tools.evaluate.ladder import TABLE
from agentnas.tools.spec.cells import cell_to_spec
from agentnas.tools.spec.space import SearchSpace
from tests.agents.making import record, situation
from tests.agents.searching import many, searched

RUNGS = (
    "Rungs, each for the best of the one before: short is 25 % of the epochs, 1 seed; full is all epochs, 1 seed; seeds is all epochs,"
    " 3 seeds."
)
RISING = tuple((float(epoch), 1.0 / epoch, 60.0 + epoch / 10) for epoch in range(1, 201, 20))
FLAT = tuple((float(epoch), 1.0 / epoch, 80.0) for epoch in range(1, 201, 20))


def newest_lines(found: Situation) -> list[str]:
    return round_lines(found, found.round)


def full(number: int, *scores: float, parent: int | None = None, factor: str | None = None, **fields: object) -> Record:
    """A trial with these scores at full training, one a seed."""
    change = {"parent": f"t{parent:04d}", "factor": factor, "change": "a -> b"} if parent else {}
    return record(number, {"full": dict(enumerate(scores))}, **change, **fields)  # type: ignore[arg-type]


def test_noise_says_from_when_on_designs_differ() -> None:
    lines = facts.noise_lines(situation(full(1, 80.0, 82.0), full(2, 70.0, 72.0)))
    assert lines == [
        "Noise floor 1.41 points (standard deviation between seeds of one design). Two designs differ beyond it from about 4.0 points with"
        " one seed each, from about 2.3 with three seeds each.",
        RUNGS,
    ]


def test_the_leader_is_held_against_the_best_anchor_and_those_near_it() -> None:
    anchor = full(1, 80.0, 80.4, anchor="strong", name="gcnii")
    found = situation(anchor, full(2, 83.0, 83.4), full(3, 82.9, 83.1), full(4, 70.0, 70.1))
    assert facts.noise_lines(found)[2:] == [
        "Within twice the noise floor of the leader t0002: t0003.",
        "The leader t0002 over the best anchor t0001: +3.00, standard error 0.00 over 2 seeds, 2 pairs are too few to tell; being"
        " picked as the best flatters it.",
    ]
    broken = replace(full(1, 80.0, 80.4), failures={("seeds", 2): "diverged: nan"})
    assert len(facts.noise_lines(situation(broken))) == 2
    assert len(facts.noise_lines(situation(full(1, 83.0, 83.4, anchor="plain", name="gcn"), full(2, 70.0, 70.4)))) == 2


def test_unknown_noise_and_a_table() -> None:
    alone = situation(full(1, 80.0))
    rule = "A gap is decided above 1.0 points, and a tie up to there."
    assert facts.noise_lines(alone) == [f"Noise floor unknown: no design has two seeds yet. {rule}", RUNGS]
    assert facts.noise_lines(replace(alone, rungs=TABLE)) == [
        "Each score is one look-up of a table: asking again gives the same. The trainings behind it were noisy, though: as evidence about"
        " designs a gap is decided above 1.0 points, and a tie up to there."
    ]


@pytest.mark.parametrize(("gap", "decided"), [(1.05, True), (0.95, False)])
def test_the_rule_that_is_told_is_the_one_that_findings_are_checked_by(gap: float, decided: bool) -> None:
    run = replace(situation(record(1, {"table": {0: 80.0}}), record(2, {"table": {0: 80.0 + gap}})), rungs=TABLE)
    answer = FindingAnswer(
        text="it is", claim="comparison", trials=["t0001"], factor="", better="t0002", worse="t0001", gain=gap, se=0.0, decided=True
    )
    assert (Claims(run).check(answer)[1] == []) is decided


def test_effects_carry_the_gain_that_claims_are_checked_against() -> None:
    children = [full(n, 80.0 + gain, parent=1, factor="body.width") for n, gain in ((2, 1.0), (3, 1.2), (4, 1.1))]
    found = situation(full(1, 80.0), *children, full(5, 77.9, parent=1, factor="body.op"))
    assert facts.effect_lines(found) == [
        "body.width: gain +1.10 ± 0.06, against the usual change +1.60, 3 pairs, decided (t0002 t0003 t0004)",
        "body.op: gain -2.10 ± ?, one pair, beyond the noise between t0005 and t0001; for the factor one pair is undecided (t0005)",
    ]
    assert facts.effect_lines(situation(full(1, 80.0))) == ["No factor was changed alone yet."]


def test_what_a_short_training_compared_stands_apart_and_decides_nothing() -> None:
    parent = record(1, {"short": {0: 75.0}, "full": {0: 80.0}})
    cut = record(3, {"short": {0: 70.0}}, parent="t0001", factor="body.width", change="64 -> 8")
    found = situation(parent, full(2, 80.2, parent=1, factor="body.width"), cut)
    early = "cut before full training, so gains of short trainings (pairs), which decide nothing: body.width -5.00 (1: t0003)"
    assert facts.effect_lines(found) == ["body.width: gain +0.20 ± ?, one pair, undecided (t0002)", early]
    assert facts.effect_lines(situation(parent, cut)) == [early]
    answer = FindingAnswer(
        text="it loses", claim="effect", trials=["t0003"], factor="body.width", better="", worse="", gain=-5.0, se=0.0, decided=False
    )
    assert Claims(situation(parent, cut)).check(answer)[1] == [
        "body.width was compared before full training alone (-5.00), which decides nothing; make it an observation"
    ]


def test_trials_that_were_cut_are_no_losers_for_certain() -> None:
    rising = [[epoch, 1.0, 50.0 + epoch / 4] for epoch in range(1, 76, 5)]
    training = EvaluationFinished(
        trial="t0003", rung="short", seed=0, split=0, val=69.0, seconds=1.0, epochs=75, best_epoch=75, details={"curve": rising}
    )  # fmt: skip
    slow = replace(record(3, {"short": {0: 69.0}}), trainings=(training,))
    lines = result_lines(situation(full(1, 80.0), record(2, {"short": {0: 70.0}}), slow))
    assert lines[-5:] == [
        "2 trials were cut at rung short (25 % of the epochs) and never trained in full: what they would reach is not known, and a slow"
        " starter looks worse there than it is.",
        "Still improving when they were cut: t0003.",
        "The lowest of them:",
        "t0003: 69.00: gcn",
        "t0002: 70.00: gcn",
    ]


def test_many_effects_keep_both_ends() -> None:
    children = [full(n, 70.0 + n / 10, parent=1, factor=f"factor{n:02d}") for n in range(2, 42)]
    lines = facts.effect_lines(situation(full(1, 80.0), *children))
    assert len(lines) == facts.BEST_EFFECTS + facts.WORST_EFFECTS + 1
    assert lines[0].startswith("factor41: ")
    assert lines[-2].startswith("factor02: ")
    assert lines[-1] == "(24 factors between these are left out)"


def test_failures_by_kind_with_reasons_of_our_own_words_alone() -> None:
    broken = [
        record(1, {}, failures={("short", 0): "timeout: longer than 60 s"}),
        record(2, {}, failures={("short", 0): "error: ValueError: /home/anna/patients.csv, row 7"}),
        record(3, {}, failures={("short", 0): "timeout: longer than 90 s"}),
    ]
    rejected = replace(record(4, {}), rejected="parameters 9 > 8")
    assert facts.trouble_lines(replace(situation(*broken, rejected), turned_down=("n2.op is 'gnc'; did you mean gcn?",))) == [
        "rejected before any score: 1 of 4 trials",
        "failed by error: 1 (t0002)",
        "failed by timeout: 2 (t0001 t0003), the last: «longer than 90 s»",
        "turned down: «n2.op is 'gnc'; did you mean gcn?»",
    ]
    assert facts.trouble_lines(situation()) == ["Nothing so far."]


def test_what_the_time_limit_ended_is_told() -> None:
    late = EvaluationFinished(trial="t0002", rung="full", seed=0, split=0, val=70.0, seconds=60.0, epochs=58, details={PLANNED: 400})
    whole = EvaluationFinished(trial="t0001", rung="full", seed=0, split=0, val=71.0, seconds=9.0, epochs=400)
    records = [replace(full(1, 71.0), trainings=(whole,)), replace(full(2, 70.0), trainings=(late,))]
    assert facts.trouble_lines(situation(*records)) == [
        "ended by the time limit of a training, with the best epoch until then: 1 (t0002), the last, t0002, after 58 of 400 epochs"
    ]


def test_score_against_size_is_the_front() -> None:
    sized = [full(n, score, profile={"parameters": size}) for n, score, size in ((1, 80.0, 5000), (2, 79.0, 9000), (3, 82.0, 60000))]
    assert facts.tradeoff_lines(situation(*sized)) == ["t0001: 80.00 with 5,000 parameters", "t0003: 82.00 with 60,000 parameters"]
    long = [full(n, 60.0 + n, profile={"parameters": 1000 * n}) for n in range(1, 21)]
    lines = facts.tradeoff_lines(situation(*long))
    assert (lines[0], len(lines)) == ("(12 smaller ones are left out)", facts.MOST_FRONT + 1)


def test_the_newest_correlation_of_each_pair() -> None:
    made = [RungCorrelation(round=r, lower="short", upper="full", trials=5 + r, spearman=value) for r, value in ((0, 0.1), (1, 0.7))]
    unknown = RungCorrelation(round=1, lower="full", upper="seeds", trials=2, spearman=None)
    found = replace(situation(full(1, 80.0)), correlations=(*made, unknown))
    assert facts.correlation_lines(found) == ["Rung short ranks trials as rung full does with Spearman 0.70 (6 trials)"]


def test_each_trial_of_a_round_is_held_against_its_parent() -> None:
    promised = full(2, 81.0, parent=1, factor="body.op", round_=1, expected_gain=2.0)
    stopped = record(5, {"short": {0: 70.0}}, parent="t0001", factor="body.width", change="n1.width 64 -> 8", round_=1)
    parent = record(1, {"short": {0: 75.0}, "full": {0: 80.0}})
    lost = record(6, {}, parent="t0001", change="n1.op gcn -> gat", round_=1, failures={("short", 0): "diverged: nan"}, expected_gain=1.0)
    found = situation(parent, promised, full(4, 90.0, round_=1, expected_gain=-1.0), stopped, lost)
    assert round_lines(found, 1) == [
        "t0002 81.00 ± ? (1) = t0001 80.00 ± ? (1) with a -> b; promised +2.00, came +1.00",
        "t0004 90.00 ± ? (1): gcn, without a parent; promised -1.00, came +10.00 against t0001, the best before",
        "t0005 cut at rung short with 70.00 = t0001 80.00 ± ? (1) with n1.width 64 -> 8; came -5.00 (both at rung short)",
        "t0006 failed = t0001 80.00 ± ? (1) with n1.op gcn -> gat; promised +1.00, came no score that can be compared",
        "What came was +5.00 points from what was promised, on average over 2.",
    ]
    assert round_lines(found, 0) == ["t0001 80.00 ± ? (1): gcn, without a parent"]
    assert round_lines(found, 7) == ["No trial of this round but anchors."]


def test_who_drafted_a_round_is_told_where_evolution_filled_it() -> None:
    held = full(2, 81.0, parent=1, factor="body.op", round_=1)
    evolved = replace(held, proposal=held.proposal.model_copy(update={"trial": "t0003", "author": "coder/evolution"}))
    told = round_lines(situation(full(1, 80.0), held, evolved), 1)
    assert told[-1] == "1 of these 2 were drafted by evolution, where the coder gave too few."


def cell(number: int, links: tuple[int, ...], ops: str, score: float, **fields: Any) -> Record:
    spec = cell_to_spec(links, tuple(ops.split()), "cora")
    return replace(record(number, {"table": {0: score}}, **fields), spec=spec)


CHAIN = (0, 1, 2, 3)
CELLS = replace(
    situation(
        cell(1, CHAIN, "skip skip gcn gcn", 79.0),
        cell(2, CHAIN, "skip skip gin gcn", 80.5, parent="t0001", factor="cell.op", expected_gain=0.5, round_=1),
        cell(3, CHAIN, "skip skip gat gcn", 79.5, parent="t0001", factor="cell.op", round_=1),
        cell(4, (0, 1, 1, 2), "gin gcn gat gcn", 82.0, round_=1),
    ),
    space=SearchSpace.nasbench("cora"), rungs=TABLE,
)  # fmt: skip


def test_cells_are_told_by_what_they_have_in_common() -> None:
    assert cell_lines(CELLS) == [
        "Means over the cells tried (number, best); what they have in common may still differ in the rest:",
        "by shape: 0,1,1,2 82.00 (1, best 82.00); 0,1,2,3 79.67 (3, best 80.50);"
        " none yet: 0,0,0,0 0,0,0,1 0,0,1,1 0,0,1,2 0,0,1,3 0,1,1,1 0,1,2,2",
        "by operator that reads the input: gin 81.25 (2, best 82.00); gat 79.50 (1, best 79.50); gcn 79.00 (1, best 79.00);"
        " none yet: cheb sage arma graph fc",
        "by operator anywhere: gin 81.25 (2, best 82.00); gat 80.75 (2, best 82.00); gcn 80.25 (4, best 82.00);"
        " none yet: cheb sage arma graph fc skip",
        "by propagating steps on the longest path: 3 82.00 (1, best 82.00); 2 79.67 (3, best 80.50); none yet: 0 1 4",
        "cells alike but for the operator of one node that reads the input, mean gain (pairs):"
        " gin instead of gcn +1.50 (1); gin instead of gat +1.00 (1); gat instead of gcn +0.50 (1)",
    ]
    assert cell_lines(replace(CELLS, records=())) == []
    assert cell_lines(situation(full(1, 80.0))) == []


def test_a_finding_may_quote_what_the_lines_on_cells_say_and_nothing_else() -> None:
    def wrong(text: str) -> list[str]:
        said = {"claim": "observation", "trials": ["t0001"], "factor": "", "better": "", "worse": "", "gain": 0, "se": 0, "decided": False}
        return Claims(CELLS).check(FindingAnswer.model_validate({"text": text, **said}))[1]

    assert wrong("cells whose first operator is gin reach 81.25 on average, and in cell.op gin for gcn gains +1.50") == []
    assert wrong("cells whose first operator is gin reach 81.87 on average") != []
    assert wrong("in cell.op gin for gcn gains +1.75") != []


def test_a_round_of_cells_shows_both_cells() -> None:
    assert round_lines(CELLS, 1) == [
        "t0002 80.50: 0,1,2,3 skip,skip,gin,gcn <- t0001 79.00: 0,1,2,3 skip,skip,gcn,gcn; promised +0.50, came +1.50",
        "t0003 79.50: 0,1,2,3 skip,skip,gat,gcn <- t0001 79.00: 0,1,2,3 skip,skip,gcn,gcn; came +0.50",
        "t0004 82.00: 0,1,1,2 gin,gcn,gat,gcn, without a parent; came +3.00 against t0001, the best before",
        "What came was +1.00 points from what was promised, on average over 1.",
    ]


def test_what_nobody_varied_is_counted_by_code() -> None:
    lines = facts.unvaried_lines(situation(full(1, 80.0), full(2, 81.0, parent=1, factor="recipe.learning_rate")))
    assert [line.partition(": ")[0] for line in lines] == ["operators in no trial", "groups of which no factor was changed alone"]
    assert "gat" in lines[0].partition(": ")[2].split(", ")
    assert "gcn" not in lines[0].partition(": ")[2].split(", ")
    assert lines[1].partition(": ")[2].split(", ") == [
        "augmentation", "capacity", "input", "post-processing", "propagation", "regularisation", "structure"
    ]  # fmt: skip
    assert facts.unvaried_lines(CELLS) == []


@pytest.mark.parametrize(
    ("curve", "words"),
    [
        (Curve((*FLAT[:5], (200.0, 0.1, 76.0)), 80.0, 100.0, 81, 200, 200), "overfits: validation ends 4.0 below its best epoch"),
        (Curve(FLAT, 80.0, 100.0, 100, 200, 200), "nothing unusual"),  # a training score of 100 on few nodes is no sign
        (Curve(FLAT, 80.0, 80.5, 100, 200, 200), "underfits: no better on what it is trained on than on validation"),
        (Curve(FLAT, 80.0, 82.0, 100, 200, 200), "nothing unusual"),
        (Curve(RISING, 80.0, 86.0, 198, 200, 200), "still improving at the end: +4.0 over its last fifth"),
        (Curve(FLAT, 80.0, 86.0, 198, 200, 200), "nothing unusual"),  # the best epoch is late by luck alone
        (Curve(FLAT, 80.0, 86.0, 8, 60, 200), "best within its first 10 epochs"),
        (Curve(FLAT, 80.0, 86.0, 12, 60, 200), "nothing unusual"),
        (Curve(tuple((e, 1.0, 80.0 - 6 * (e % 2)) for e in range(1, 11)), 80.0, 86.0, 5, 10, 10), "unstable: swings of 6.0 points"),
        (Curve(FLAT, 80.0, 86.0, 100, 200, 200), "nothing unusual"),
    ],
)
def test_curves_in_words(curve: Curve, words: str) -> None:
    said = in_words(curve, noise=0.3)
    assert said.partition("; ")[2] == words
    stopped = f", stopped at {curve.epochs}" if curve.epochs < curve.planned else ""
    numbers = f"train {curve.train:.1f}, validation 80.0, best epoch {curve.best_epoch} of {curve.planned}{stopped}, training loss "
    assert said.startswith(numbers)


def test_a_training_that_the_time_limit_ended_is_read_up_to_there() -> None:
    still = Curve(RISING, 80.0, 86.0, 198, 200, 1000, cut=True)
    assert in_words(still, noise=0.3).startswith("train 86.0, validation 80.0, best epoch 198 of 1000, ended by the time limit at 200")
    assert "still improving at the end" in in_words(still, noise=0.3)
    assert in_words(Curve(FLAT, 80.0, 86.0, 8, 9, 200, cut=True), noise=0.3).partition("; ")[2] == "nothing unusual", "it had no more"


def test_a_training_that_is_best_at_the_end_does_not_overfit() -> None:
    late = Curve((*FLAT[:5], (400.0, 0.1, 76.2)), 80.0, 86.0, 394, 400, 400)
    assert in_words(late, noise=0.3).partition("; ")[2] == "nothing unusual"


def test_noise_decides_what_is_a_fall_and_what_a_rise() -> None:
    falling = Curve((*FLAT[:5], (200.0, 0.1, 76.0)), 80.0, 86.0, 81, 200, 200)
    assert "overfits" in in_words(falling, noise=1.0)
    assert "overfits" not in in_words(falling, noise=1.5)
    rising = Curve(RISING, 80.0, 86.0, 198, 200, 200)
    assert "still improving" in in_words(rising, noise=3.0)
    assert "still improving" not in in_words(rising, noise=5.0)


def test_one_last_epoch_of_many_is_no_end() -> None:
    """Of 60 points the last six are averaged: a swing in the last one is no overfitting."""
    points = tuple((float(epoch), 1.0, 80.0) for epoch in range(1, 60))
    assert in_words(Curve((*points, (60.0, 1.0, 75.0)), 80.0, 86.0, 30, 60, 60), noise=0.3).partition("; ")[2] == "nothing unusual"


def test_a_curve_with_numbers_that_json_cannot_say() -> None:
    """Journals hold nan as text."""
    training = EvaluationFinished(
        trial="t0001", rung="full", seed=0, split=0, val=80.0, seconds=1.0, epochs=2, best_epoch=1,
        details={"curve": [[1, 0.5, 80.0], [2, "NaN", 79.5]], "train_score": 90.0},
    )  # fmt: skip
    found = replace(full(1, 80.0), trainings=(training,))
    curve = curve_of(found, situation(found))
    assert curve is not None
    assert in_words(curve, 0.0).startswith("train 90.0, validation 80.0, best epoch 1 of 300, stopped at 2, training loss 0.50 -> 0.50;")


def test_curves_of_leaders_and_of_the_rounds_losers() -> None:
    found = searched(40)
    lines = curve_lines(found)
    leaders = [record.trial for record in found.ranked()[:5]]
    assert [line.split()[0] for line in lines[:5]] == leaders
    assert len(lines) <= 8
    assert all("overfits: validation ends" in line for line in lines)
    assert curve_lines(searched(10, table=True)) == ["There are no curves: nothing was trained here, scores were looked up in a table."]


@pytest.mark.parametrize("table", [False, True])
def test_facts_do_not_grow_with_the_run(table: bool) -> None:
    def lines(found: Situation) -> list[int]:
        made = (facts.effect_lines, facts.trouble_lines, facts.tradeoff_lines, facts.noise_lines, curve_lines, cell_lines, newest_lines)
        return [len(make(found)) for make in made]

    small = searched(60, table=table)
    assert all(big <= most for big, most in zip(lines(many(small, 3000)), (18, 12, 9, 4, 8, 7, 15), strict=True))
