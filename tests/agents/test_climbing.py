"""Who climbs: decided by the rung below, the same before and after a crash."""

from __future__ import annotations

from agentnas.agents.climbing import HEAD, confirmation, entitled, requests
from agentnas.tools.evaluate.base import CONFIRM
from agentnas.tools.evaluate.ladder import ONE_SPLIT
from tests.agents.making import record, situation

SHORT, FULL, SEEDS = ONE_SPLIT


def names(records: list[object]) -> list[str]:
    return [str(getattr(record, "trial", record)) for record in records]


def test_half_a_round_climbs_and_anchors_always_do() -> None:
    records = [record(i, {"short": {0: 70.0 + i}}, round_=1) for i in range(1, 5)]
    anchor = record(5, {"short": {0: 10.0}}, round_=1, anchor="plain", name="mlp")
    assert names(list(entitled(situation(*records, anchor), 1, FULL))) == ["t0004", "t0003", "t0002", "t0005"], "most promising first"


def test_failed_and_rejected_trials_stay_where_they_are() -> None:
    failed = record(1, {"short": {0: 90.0}}, round_=1, failures={("short", 0): "timeout: 180 s"})
    sound = record(2, {"short": {0: 70.0}}, round_=1)
    assert names(list(entitled(situation(failed, sound), 1, FULL))) == ["t0002"]


def test_only_the_head_of_the_leaderboard_gets_more_seeds() -> None:
    earlier = [record(i, {"full": {0: 80.0 + i}}) for i in range(1, HEAD + 1)]
    better, worse = record(50, {"full": {0: 99.0}}, round_=1), record(51, {"full": {0: 1.0}}, round_=1)
    assert names(list(entitled(situation(*earlier, better, worse), 1, SEEDS))) == ["t0050"]


def test_scores_that_come_in_on_a_rung_do_not_change_who_is_entitled_to_it() -> None:
    """A run that is killed between two seeds decides as the run that was not killed."""
    rivals = [record(i, {"full": {0: 80.0 + i}}, round_=1) for i in range(1, HEAD + 3)]
    before = names(list(entitled(situation(*rivals), 1, SEEDS)))
    rivals[-1] = record(HEAD + 2, {"full": {0: 80.0 + HEAD + 2}, "seeds": {1: 1.0}}, round_=1)
    assert names(list(entitled(situation(*rivals), 1, SEEDS))) == before


def test_a_lucky_seed_of_an_earlier_round_does_not_keep_its_place() -> None:
    lucky = [record(i, {"full": {0: 84.0}, "seeds": {1: 81.0, 2: 81.0}}) for i in range(1, HEAD + 1)]
    fresh = record(50, {"full": {0: 83.9}}, round_=1)
    assert names(list(entitled(situation(*lucky, fresh), 1, SEEDS))) == ["t0050"]


def test_a_seed_that_was_trained_in_full_is_not_trained_again() -> None:
    known = record(1, {"full": {0: 80.0}, "seeds": {1: 81.0}})
    assert [request.seed for request in requests([known], SEEDS, ONE_SPLIT, 1)] == [2]
    assert requests([known], FULL, ONE_SPLIT, 1) == []


def test_the_short_rung_trains_a_quarter_of_the_epochs() -> None:
    (request,) = requests([record(1, {})], SHORT, ONE_SPLIT, 1)
    assert (request.epochs, request.seed, request.split) == (75, 0, 0)


def test_confirmation_goes_seed_by_seed_on_its_own_splits_and_skips_what_is_done() -> None:
    half = record(1, {CONFIRM: {100: 80.0}})
    fresh = record(2, {}, failures={(CONFIRM, 101): "crashed: signal 11"})
    asked = [(request.trial, request.seed, request.split) for request in confirmation([half, fresh], 2, 10)]
    assert asked == [("t0002", 100, 0), ("t0001", 101, 1)]
