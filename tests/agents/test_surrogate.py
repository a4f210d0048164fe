"""The surrogate: it learns which designs are good, and smooths noise without seeing the answer."""

from __future__ import annotations

import random

import pytest

from agentnas.agents import surrogate
from agentnas.agents.situation import Record, Situation
from tests.agents.making import record, situation

WIDTHS = range(1, 41)


def vectors(told: Situation) -> dict[str, list[float]]:
    return {r.proposal.spec_hash: [float(r.proposal.trial[1:])] for r in told.records}


def truth(width: float) -> float:
    """Good from width 20 on."""
    return 85.0 if width >= 20 else 70.0


def learnt(rung: str = "full", noise: float = 0.0, widths: range = WIDTHS) -> Situation:
    rng = random.Random(0)
    return situation(*(record(width, {rung: {0: truth(width) + rng.gauss(0, noise)}}) for width in widths))


def test_too_few_trials_teach_nothing() -> None:
    few = learnt(widths=range(1, surrogate.LEAST_TRIALS))
    assert surrogate.fit(few, vectors(few)) is None
    enough = learnt(widths=range(1, surrogate.LEAST_TRIALS + 1))
    assert surrogate.fit(enough, vectors(enough)) is not None


def test_it_tells_good_from_bad() -> None:
    told = learnt(noise=1.0)
    model = surrogate.fit(told, vectors(told))
    assert model is not None
    (bad, _), (good, _) = model.predict([[5.5], [30.5]])
    assert bad == pytest.approx(70.0, abs=2.0)
    assert good == pytest.approx(85.0, abs=2.0)


def test_it_is_less_sure_where_scores_disagree() -> None:
    told = learnt(noise=0.0)
    model = surrogate.fit(told, vectors(told))
    assert model is not None
    (_, inside), (_, at_the_edge) = model.predict([[35.0], [19.5]])
    assert at_the_edge > inside


def test_short_trainings_are_not_mistaken_for_full_ones() -> None:
    both = [record(width, {"short": {0: 40.0}, "full": {0: 80.0}}) for width in WIDTHS]
    model = surrogate.fit(situation(*both), vectors(situation(*both)))
    assert model is not None
    assert model.predict([[10.0]])[0][0] == pytest.approx(80.0, abs=1.0)


def test_one_disaster_does_not_spoil_the_model() -> None:
    told = learnt(noise=0.5)
    broken = record(30, {"full": {0: 0.0}})
    spoilt = situation(*(broken if r.trial == broken.trial else r for r in told.records))
    model = surrogate.fit(spoilt, vectors(spoilt))
    assert model is not None
    assert model.predict([[35.0]])[0][0] == pytest.approx(85.0, abs=3.0)


def test_the_same_situation_has_the_same_model() -> None:
    told = learnt(noise=1.0)
    first, second = (surrogate.fit(told, vectors(told)) for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.predict([[12.0]]) == second.predict([[12.0]])


def mean_error(told: Situation, estimate: dict[str, float]) -> float:
    return sum(abs(estimate[r.trial] - truth(float(r.trial[1:]))) for r in told.records) / len(told.records)


def raw(told: Situation) -> dict[str, float]:
    return {r.trial: told.score(r) or 0.0 for r in told.records}


def test_smoothing_comes_nearer_to_the_truth_than_noisy_scores() -> None:
    told = learnt(noise=3.0)
    assert mean_error(told, surrogate.smoothed(told, vectors(told))) < 0.9 * mean_error(told, raw(told))


def test_a_trials_own_score_weighs_three_quarters_and_no_more() -> None:
    """What the surrogate says of a trial must not depend on the trial's own score: only the share does."""

    def with_score(score: float) -> float:
        told = learnt(noise=1.0)
        lucky: list[Record] = [record(25, {"full": {0: score}}) if r.trial == "t0025" else r for r in told.records]
        return surrogate.smoothed(situation(*lucky), vectors(situation(*lucky)))["t0025"]

    assert with_score(99.0) - with_score(89.0) == pytest.approx(7.5)


def test_few_scores_are_left_as_they_are() -> None:
    few = learnt(widths=range(18, 22))
    assert surrogate.smoothed(few, vectors(few)) == raw(few)
