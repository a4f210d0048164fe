"""The race for fresh seeds: the clearly worse get no more of them, the same in any order; anchors and the winner have all."""

from __future__ import annotations

import random
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentnas.tools.evaluate.base import CONFIRM_SEED, Request
from agentnas.tools.evaluate.race import CLEAR, HOPELESS, Climber, Confirmation, gap, is_behind
from tests.agents.making import spec_of_width

SPEC = spec_of_width(8)
SEEDS = 10
Results = Mapping[tuple[str, int], float | None]


def test_a_gap_is_paired_and_its_noise_is_never_below_the_pooled_one() -> None:
    assert gap({0: 80.0, 1: 81.0, 7: 1.0}, {0: 81.0, 1: 82.0, 9: 99.0}, noise=0.5) == (-1.0, 0.5, 2)
    assert gap({0: 80.0, 1: 84.0}, {0: 81.0, 1: 81.0}, noise=0.1) == (1.0, 2.0, 2)
    assert gap({0: 80.0}, {1: 80.0}, 0.5) is None


@pytest.mark.parametrize(("count", "bound"), [(1, HOPELESS), (2, CLEAR), (10, CLEAR)])
def test_behind_is_behind_by_more_than_the_bound(count: int, bound: float) -> None:
    assert is_behind((-bound - 0.01, 1.0, count))
    assert not is_behind((-bound + 0.01, 1.0, count))
    assert not is_behind((5.0, 1.0, count))
    assert not is_behind(None)


def raced(climbers: list[Climber], results: Results, workers: int, rng: random.Random, noise: float | None = 0.4) -> Confirmation:
    """A confirmation with so many workers that end in any order; its requests in ``asked``."""
    race = Confirmation(climbers, SEEDS, 1, noise, "{}-{}".format)
    running: list[Request] = []
    seen = set()
    while not race.over:
        while len(running) < workers and (due := race.next()) is not None:
            running.append(due)
        request = running.pop(rng.randrange(len(running)))
        assert (request.trial, request.seed) not in seen
        seen.add((request.trial, request.seed))
        race.tell(request.trial, request.rung, request.seed, results[request.trial, request.seed - CONFIRM_SEED])
    assert not running, "it is not over while something runs"
    return race


@st.composite
def fields(draw: st.DrawFn) -> tuple[list[Climber], Results]:
    count, luck, failing = draw(st.integers(1, 6)), draw(st.integers(0, 9999)), draw(st.sampled_from([0.0, 0.1]))
    rng = random.Random(luck)
    climbers = [Climber(f"t{i}", SPEC, rng.choice([None, None, "plain"]), rng.random()) for i in range(count)]
    worth = {climber.trial: rng.gauss(80, 1) for climber in climbers}
    results = {(c.trial, s): None if rng.random() < failing else rng.gauss(worth[c.trial], 0.4) for c in climbers for s in range(SEEDS)}
    return climbers, results


def trained(race: Confirmation) -> dict[str, set[int]]:
    return {trial: set(seeds) for trial, seeds in race._results.items()}


@given(fields(), st.integers(1, 8), st.integers(0, 99))
def test_a_race_is_the_same_for_any_number_of_workers_and_any_order(made: tuple[list[Climber], Results], workers: int, luck: int) -> None:
    one, many = raced(*made, 1, random.Random(0)), raced(*made, workers, random.Random(luck))
    assert trained(one) == trained(many)
    assert one.stopped == many.stopped
    assert all(len(trained(one)[climber.trial]) == SEEDS for climber in made[0] if climber.anchor or climber.trial not in one.stopped)
    assert len(one.stopped) < len(made[0]), "somebody is left to win"


def test_a_race_that_a_kill_cut_goes_on_as_it_was() -> None:
    climbers = [Climber("t1", SPEC), Climber("t2", SPEC)]
    results = {(trial, seed): 80.0 - (trial == "t2") * 2 + 0.1 * seed for trial in ("t1", "t2") for seed in range(SEEDS)}
    whole = raced(climbers, results, 2, random.Random(0))
    assert list(whole.stopped) == ["t2"]
    assert whole.stopped["t2"].reason == "behind t1 by 2.00 ± 0.57 over the first seed" or whole.stopped["t2"].seeds >= 2
    resumed = Confirmation(climbers, SEEDS, 1, 0.4, "{}-{}".format)
    for trial, seeds in whole._results.items():
        for seed, val in seeds.items():
            resumed.tell(trial, "confirm", CONFIRM_SEED + seed, val)
    assert resumed.next() is None
    assert resumed.over
    assert resumed.stopped == whole.stopped


def test_without_a_noise_estimate_all_have_all_seeds() -> None:
    climbers = [Climber("t1", SPEC), Climber("t2", SPEC)]
    results = {(trial, seed): 80.0 - (trial == "t2") * 20 for trial in ("t1", "t2") for seed in range(SEEDS)}
    race = raced(climbers, results, 2, random.Random(0), noise=None)
    assert race.stopped == {}
    assert {len(seeds) for seeds in trained(race).values()} == {SEEDS}


def test_the_longest_trainings_of_a_level_come_first() -> None:
    race = Confirmation([Climber("t1", SPEC, None, 1.0), Climber("t2", SPEC, None, 9.0)], 2, 1, 0.4, "{}-{}".format)
    asked = [(request.trial, request.seed) for _ in range(4) if (request := race.next())]
    assert asked == [("t2", 100), ("t1", 100), ("t2", 101), ("t1", 101)]


def test_what_cannot_win_comes_last_of_its_level() -> None:
    climbers = [Climber("t1", SPEC, "plain", 9.0, reference=True), Climber("t2", SPEC, None, 1.0)]
    race = Confirmation(climbers, 2, 1, 0.4, "{}-{}".format)
    asked = [(request.trial, request.seed) for _ in range(4) if (request := race.next())]
    assert asked == [("t2", 100), ("t1", 100), ("t2", 101), ("t1", 101)]
