"""Facts that models read: every number is the one that the statistics give, every list is bounded."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agentnas.agents import facts
from agentnas.agents.facts_curves import Curve, curve_lines, curve_of, in_words
from agentnas.agents.situation import Record, Situation
from agentnas.memory.events import EvaluationFinished, RungCorrelation
from agentnas.tools.evaluate.ladder import TABLE
from tests.agents.making import record, situation
from tests.agents.searching import many, searched

FLAT = tuple((float(epoch), 1.0 / epoch, 80.0) for epoch in range(1, 201, 20))


def full(number: int, *scores: float, parent: int | None = None, factor: str | None = None, **fields: object) -> Record:
    """A trial with these scores at full training, one a seed."""
    change = {"parent": f"t{parent:04d}", "factor": factor, "change": "a -> b"} if parent else {}
    return record(number, {"full": dict(enumerate(scores))}, **change, **fields)  # type: ignore[arg-type]


def test_noise_says_from_when_on_designs_differ() -> None:
    lines = facts.noise_lines(situation(full(1, 80.0, 82.0), full(2, 70.0, 72.0)))
    assert lines == [
        "Noise floor 1.41 points (standard deviation between seeds of one design). Two designs differ beyond it from about 4.0 points with"
        " one seed each, from about 2.3 with three seeds each."
    ]


def test_unknown_noise_and_a_table() -> None:
    alone = situation(full(1, 80.0))
    assert facts.noise_lines(alone) == ["Noise floor unknown: no design has two seeds yet. Read gaps below a point as ties."]
    assert "one look-up of a table" in facts.noise_lines(replace(alone, rungs=TABLE))[0]


def test_effects_carry_the_gain_that_claims_are_checked_against() -> None:
    children = [full(n, 80.0 + gain, parent=1, factor="body.width") for n, gain in ((2, 1.0), (3, 1.2), (4, 1.1))]
    found = situation(full(1, 80.0), *children, full(5, 77.9, parent=1, factor="body.op"))
    assert facts.effect_lines(found) == [
        "body.width: gain +0.80 ± 0.06, over parents +1.10, 3 pairs, decided (t0002 t0003 t0004)",
        "body.op: gain -2.40 ± ?, over parents -2.10, one pair, undecided (t0005)",
    ]
    assert facts.effect_lines(situation(full(1, 80.0))) == ["No factor was changed alone yet."]


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
        "rejected before training: 1 of 4 trials",
        "failed by error: 1 (t0002)",
        "failed by timeout: 2 (t0001 t0003), the last: «longer than 90 s»",
        "turned down: «n2.op is 'gnc'; did you mean gcn?»",
    ]
    assert facts.trouble_lines(situation()) == ["Nothing so far."]


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


def test_forecasts_are_held_against_what_came() -> None:
    promised = full(2, 81.0, parent=1, factor="body.op", round_=1, expected_gain=2.0)
    found = situation(full(1, 80.0), promised, full(3, 79.5, parent=1, factor="body.width", round_=1), full(4, 90.0, round_=1))
    assert facts.forecast_lines(found, 1) == [
        "t0002 <- t0001, body.op: promised +2.00, came +1.00",
        "t0003 <- t0001, body.width: promised nothing, came -0.50",
        "What came was -1.00 points from what was promised, on average over 1.",
    ]


@pytest.mark.parametrize(
    ("curve", "words"),
    [
        (Curve((*FLAT[:5], (200.0, 0.1, 76.0)), 80.0, 100.0, 81, 200, 200), "over-fits: validation falls by 4.0 after the best epoch"),
        (Curve(FLAT, 80.0, 99.0, 100, 200, 200), "knows its training nodes by heart (gap 19.0), yet validation holds"),
        (Curve(FLAT, 80.0, 81.0, 100, 200, 200), "under-fits: trains no better than it validates"),
        (Curve(FLAT, 80.0, 86.0, 198, 200, 200), "under-trained: best at the very end, still rising"),
        (Curve(FLAT, 80.0, 86.0, 12, 60, 200), "peaks very early"),
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


def test_noise_decides_what_is_a_fall() -> None:
    falling = Curve((*FLAT[:5], (200.0, 0.1, 76.0)), 80.0, 86.0, 81, 200, 200)
    assert "over-fits" in in_words(falling, noise=1.0)
    assert "over-fits" not in in_words(falling, noise=3.0)


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
    assert all("over-fits: validation falls by" in line for line in lines)
    assert curve_lines(searched(10, table=True)) == ["There are no curves: nothing was trained here, scores were looked up in a table."]


@pytest.mark.parametrize("table", [False, True])
def test_facts_do_not_grow_with_the_run(table: bool) -> None:
    def lines(found: Situation) -> list[int]:
        made = (facts.effect_lines, facts.trouble_lines, facts.tradeoff_lines, facts.noise_lines, curve_lines)
        return [len(make(found)) for make in made]

    small = searched(60, table=table)
    assert all(big <= most for big, most in zip(lines(many(small, 3000)), (17, 12, 9, 1, 8), strict=True))
