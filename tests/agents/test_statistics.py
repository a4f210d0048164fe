"""Noise, effects, progress and paired differences, against numbers worked out by hand."""

from __future__ import annotations

import math

from agentnas.agents.statistics import effects, noise_floor, paired_difference, rounds_without_progress
from agentnas.tools.evaluate.base import CONFIRM
from agentnas.tools.evaluate.ladder import ONE_SPLIT
from tests.agents.making import record, situation


def test_the_noise_floor_pools_the_spread_between_seeds() -> None:
    first = record(1, {"full": {0: 80.0}, "seeds": {1: 82.0, 2: 81.0}})
    second = record(2, {"full": {0: 70.0}, "seeds": {1: 70.0, 2: 70.0}})
    assert noise_floor([first, second], ONE_SPLIT) == math.sqrt(2.0 / 4)


def test_one_seed_a_trial_leaves_the_noise_unknown() -> None:
    assert noise_floor([record(1, {"full": {0: 80.0}})], ONE_SPLIT) is None


def test_confirmation_adds_to_the_noise_floor() -> None:
    confirmed = record(1, {"full": {0: 80.0}, CONFIRM: {100: 80.0, 101: 82.0}})
    assert noise_floor([confirmed], ONE_SPLIT) == math.sqrt(2.0)


def test_an_effect_is_paired_by_seed_at_the_highest_common_rung() -> None:
    parent = record(1, {"short": {0: 50.0}, "full": {0: 80.0}, "seeds": {1: 84.0}})
    child = record(2, {"short": {0: 90.0}, "full": {0: 81.0}}, parent="t0001", factor="recipe.learning_rate")
    other = record(3, {"short": {0: 49.0}}, parent="t0001", factor="recipe.learning_rate")
    (effect,) = effects(situation(parent, child, other))
    assert effect.trials == ("t0002", "t0003")
    assert effect.mean == 0.0, "+1 at full fidelity on the common seed 0, -1 on the short rung"
    assert effect.se == 1.0


def test_a_crossover_changes_no_single_factor_and_counts_for_none() -> None:
    parent = record(1, {"full": {0: 80.0}})
    assert effects(situation(parent, record(2, {"full": {0: 90.0}}, parent="t0001", change="crossover with t0003"))) == []


def test_a_rise_inside_the_noise_is_no_progress() -> None:
    records = [record(i + 1, {"full": {0: score}}, round_=i) for i, score in enumerate((80.0, 82.0, 82.2, 82.3))]
    assert rounds_without_progress(situation(*records), noise=1.0) == 2
    assert rounds_without_progress(situation(*records), noise=0.0) == 0


def test_a_difference_below_two_standard_errors_is_inside_the_noise() -> None:
    wide = paired_difference([80.0, 82.0, 84.0], [80.0, 81.0, 82.0])
    assert (wide["difference"], wide["seeds"], wide["inside_noise"]) == (1.0, 3, True)
    tight = paired_difference([81.0, 82.1, 83.0], [80.0, 81.0, 82.0])
    assert tight["inside_noise"] is False
    assert paired_difference([81.0], [80.0]) == {"difference": 1.0, "se": None, "seeds": 1, "inside_noise": None}
