"""Noise, effects, progress and paired differences, against numbers worked out by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import ttest_1samp

from agentnas.agents.statistics import (
    beyond_noise,
    early_effects,
    effects,
    held,
    is_beyond,
    noise_floor,
    paired_difference,
    rounds_without_progress,
)
from agentnas.memory.events import EvaluationFinished
from agentnas.tools.evaluate.base import CONFIRM, PLANNED
from tests.agents.making import record, situation


def test_the_noise_floor_pools_the_spread_between_seeds() -> None:
    first = record(1, {"full": {0: 80.0}, "seeds": {1: 82.0, 2: 81.0}})
    second = record(2, {"full": {0: 70.0}, "seeds": {1: 70.0, 2: 70.0}})
    assert noise_floor(situation(first, second)) == math.sqrt(2.0 / 4)


def test_one_seed_a_trial_leaves_the_noise_unknown() -> None:
    assert noise_floor(situation(record(1, {"full": {0: 80.0}}))) is None


def test_confirmation_adds_to_the_noise_floor() -> None:
    confirmed = record(1, {"full": {0: 80.0}, CONFIRM: {100: 80.0, 101: 82.0}})
    assert noise_floor(situation(confirmed)) == math.sqrt(2.0)


def test_what_a_split_does_to_all_specs_is_no_noise() -> None:
    """Two specs, three splits of very different difficulty, and one point of disagreement on the last."""
    hard_and_easy = {0: 60.0, 1: 80.0, 2: 90.0}
    first = record(1, {"full": hard_and_easy})
    second = record(2, {"full": {**hard_and_easy, 2: 93.0}})
    noise = noise_floor(replace(situation(first, second), num_splits=3))
    # residuals after row and column means: -0.5, -0.5, 1 and their opposites; four of them free by rows, two less by columns
    assert noise is not None
    assert math.isclose(noise, math.sqrt(3.0 / 2))
    assert noise_floor(situation(first, second)) > 10.0  # type: ignore[operator]  # two seeds a spec: it is known


def test_scores_on_more_splits_are_levelled_with_scores_on_few() -> None:
    """An easy extra split must not make a design look better than one that never saw it; who has all keeps its mean."""
    few = record(1, {"full": {0: 80.0}})
    many = record(2, {"full": {0: 80.0}, "seeds": {1: 90.0, 2: 94.0}})
    told = replace(situation(few, many), num_splits=10)
    assert (told.score(few), told.score(many)) == (88.0, 88.0)
    assert situation(few, many).score(many) == 88.0


def test_without_a_training_the_noise_is_unknown_on_splits_too() -> None:
    assert noise_floor(replace(situation(record(1, {})), num_splits=10)) is None


def test_one_collapse_does_not_make_the_other_factors_look_good() -> None:
    gains = {"body.op": (0.1, -0.1), "body.width": (0.0, 0.2), "recipe.epochs": (-0.1, 0.1), "recipe.weight_decay": (-10.0,)}
    children = [
        record(10 * i + j, {"full": {0: 80.0 + gain}}, parent="t0001", factor=factor)
        for i, (factor, values) in enumerate(gains.items(), start=1)
        for j, gain in enumerate(values)
    ]
    found = {effect.factor: effect for effect in effects(situation(record(1, {"full": {0: 80.0}}), *children))}
    assert found["body.op"].mean == pytest.approx(0.0)
    assert found["body.width"].mean == pytest.approx(0.1)
    assert found["recipe.weight_decay"].mean == pytest.approx(-10.0)


def test_an_effect_is_paired_by_seed_and_what_was_cut_is_apart() -> None:
    parent = record(1, {"short": {0: 50.0}, "full": {0: 80.0}, "seeds": {1: 84.0}})
    child = record(2, {"short": {0: 90.0}, "full": {0: 81.0}}, parent="t0001", factor="recipe.learning_rate")
    other = record(3, {"short": {0: 49.0}}, parent="t0001", factor="recipe.learning_rate")
    (effect,) = effects(situation(parent, child, other))
    assert (effect.trials, effect.mean, effect.early) == (("t0002",), 1.0, False), "+1 at full fidelity on the common seed 0"
    (early,) = early_effects(situation(parent, child, other))
    assert (early.trials, early.mean, early.early) == (("t0003",), -1.0, True), "-1 on the short rung, beyond which it did not come"


def cut(trial: str, rung: str, seed: int, val: float) -> EvaluationFinished:
    """A training that its time limit ended."""
    return EvaluationFinished(trial=trial, rung=rung, seed=seed, split=0, val=val, seconds=20.0, epochs=58, details={PLANNED: 400})


def test_a_training_that_its_time_limit_ended_is_paired_with_such_a_one_alone() -> None:
    """The child is cut on the full rung, and its whole short training says what there is to say; two that were cut are alike."""
    whole = record(1, {"short": {0: 50.0}, "full": {0: 80.0, 1: 81.0}})
    child = record(2, {"short": {0: 52.0}, "full": {0: 70.0}}, parent="t0001", factor="body.width")
    ended = replace(child, trainings=(cut("t0002", "full", 0, 70.0),))
    assert [effect.mean for effect in effects(situation(whole, child))] == [-10.0]
    assert effects(situation(whole, ended)) == []
    assert [effect.mean for effect in early_effects(situation(whole, ended))] == [2.0]
    alike = replace(whole, trainings=(cut("t0001", "full", 0, 80.0),))
    assert [effect.mean for effect in effects(situation(alike, ended))] == [-10.0]


def test_of_several_seeds_those_are_paired_that_ended_alike() -> None:
    parent = replace(record(1, {"full": {0: 80.0, 1: 60.0}}), trainings=(cut("t0001", "full", 1, 60.0),))
    child = record(2, {"full": {0: 81.0, 1: 90.0}}, parent="t0001", factor="body.width")
    assert [effect.mean for effect in effects(situation(parent, child))] == [1.0]


def test_the_luck_of_chosen_parents_is_taken_out() -> None:
    """All children fall behind their parent, which was chosen for its score; the factor that falls least comes first."""
    parent = record(1, {"full": {0: 85.0}})
    scores = {"recipe.epochs": (83.0, 83.0), "recipe.momentum": (81.0, 81.0)}
    children = [
        record(10 * i + j, {"full": {0: score}}, parent="t0001", factor=factor)
        for i, (factor, values) in enumerate(scores.items(), start=1)
        for j, score in enumerate(values)
    ]
    best, worst = effects(situation(parent, *children))
    assert (best.factor, best.mean, worst.mean) == ("recipe.epochs", 1.0, -1.0)


def test_a_crossover_changes_no_single_factor_and_counts_for_none() -> None:
    parent = record(1, {"full": {0: 80.0}})
    assert effects(situation(parent, record(2, {"full": {0: 90.0}}, parent="t0001", change="crossover with t0003"))) == []


def test_a_rise_inside_the_noise_is_no_progress() -> None:
    records = [record(i + 1, {"full": {0: score}}, round_=i) for i, score in enumerate((80.0, 82.0, 82.2, 82.3))]
    assert rounds_without_progress(situation(*records), noise=1.0) == 2
    assert rounds_without_progress(situation(*records), noise=0.0) == 0


def test_a_difference_within_its_interval_is_inside_the_noise() -> None:
    wide = paired_difference({0: 80.0, 1: 82.0, 2: 84.0}, {0: 80.0, 1: 81.0, 2: 82.0})
    assert (wide["difference"], wide["seeds"], wide["inside_noise"]) == (1.0, 3, True)
    tight = paired_difference({0: 81.0, 1: 82.1, 2: 83.0}, {0: 80.0, 1: 81.0, 2: 82.0})
    assert tight["inside_noise"] is False
    assert paired_difference({0: 81.0}, {0: 80.0}) == {"difference": 1.0, "se": None, "seeds": 1, "inside_noise": None}


def test_few_seeds_need_a_larger_difference() -> None:
    """Three seeds: the 95 % interval is 4.3 standard errors wide on each side, not two."""
    assert not beyond_noise(3.0, 1.0, 3)
    assert beyond_noise(3.0, 1.0, 10)


@pytest.mark.parametrize(("ours", "theirs"), [((84.4, 84.1), (84.1, 83.8)), ((81.0, 82.0), (80.0, 81.0)), ((81.0, 82.1), (80.0, 81.0))])
def test_two_pairs_decide_nothing(ours: tuple[float, ...], theirs: tuple[float, ...]) -> None:
    """Equal but for rounding, equal, and near each other: each would be a gain by its standard error."""
    found = paired_difference(dict(enumerate(ours)), dict(enumerate(theirs)))
    assert (found["inside_noise"], "p" in found, is_beyond(found)) == (True, False, False)
    assert held(found) == "2 pairs are too few to tell"


def test_a_gain_that_was_journalled_of_two_pairs_is_none_any_more() -> None:
    old = {"difference": 0.3, "se": 0.0, "seeds": 2, "inside_noise": False, "p": 0.0}
    assert not is_beyond(old)
    assert held(old) == "2 pairs are too few to tell"


@pytest.mark.parametrize(("count", "p", "beyond"), [(3, 0.25, False), (5, 0.0625, False), (6, 0.03125, True), (10, 2**-9, True)])
def test_differences_that_are_all_equal_are_judged_by_their_signs(count: int, p: float, beyond: bool) -> None:
    found = paired_difference({i: 80.3 + i for i in range(count)}, {i: 80.0 + i for i in range(count)})
    assert (found["p"], is_beyond(found)) == (p, beyond)


def test_equal_scores_differ_by_nothing() -> None:
    found = paired_difference(dict.fromkeys(range(10), 80.0), dict.fromkeys(range(10), 80.0))
    assert (found["p"], found["inside_noise"], held(found)) == (1.0, True, "inside the noise")


def test_seeds_that_all_came_out_the_same_leave_the_noise_unknown() -> None:
    assert noise_floor(situation(record(1, {"full": {0: 80.0}, "seeds": {1: 80.0, 2: 80.0}}))) is None


def test_pairs_are_made_by_seed_and_not_by_position() -> None:
    pair = paired_difference({100: 90.0, 102: 70.0}, {100: 91.0, 101: 60.0, 102: 71.0})
    assert (pair["difference"], pair["seeds"]) == (-1.0, 2)


def test_overlapping_splits_make_a_difference_less_certain() -> None:
    """Nadeau and Bengio (2003): the variance of the mean is (1/n + test/train) of the sample variance, in place of 1/n."""
    ours, theirs = {i: 80.0 + i for i in range(10)}, {i: 79.0 + 1.1 * i for i in range(10)}
    plain, corrected = paired_difference(ours, theirs), paired_difference(ours, theirs, 0.125)
    assert corrected["difference"] == plain["difference"]
    assert corrected["se"] == pytest.approx(plain["se"] * math.sqrt(10 * (1 / 10 + 0.125)))
    assert corrected["p"] > plain["p"]


@given(st.lists(st.floats(-5, 5), min_size=3, max_size=12))
def test_p_is_that_of_the_paired_t_test(differences: list[float]) -> None:
    assume(np.std(differences) > 1e-6)
    found = paired_difference(dict(enumerate(differences)), dict.fromkeys(range(len(differences)), 0.0))
    assert found["p"] == pytest.approx(float(ttest_1samp(differences, 0.0).pvalue), abs=1e-9)
    assert found["inside_noise"] is (found["p"] > 0.05)
