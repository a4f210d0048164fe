"""Who climbs, taken up from the records of a journal: decided by the rung below, the same before and after a crash."""

from __future__ import annotations

from agentnas.agents.climbing import HEAD, before, confirmation, ladder
from agentnas.agents.situation import Record
from agentnas.tools.evaluate.base import CONFIRM, Request
from agentnas.tools.evaluate.ladder import Ladder
from agentnas.tools.evaluate.race import Confirmation
from tests.agents.making import record, situation


def due(made: Ladder | Confirmation) -> list[Request]:
    found: list[Request] = []
    while (request := made.next()) is not None:
        found.append(request)
    return found


def on(rung: str, *records: Record, round_: int = 1) -> list[str]:
    """Trials that are due on a rung in this round, in order."""
    return [request.trial for request in due(ladder(situation(*records), round_)) if request.rung == rung]


def test_half_a_round_climbs_and_anchors_always_do() -> None:
    records = [record(i, {"short": {0: 70.0 + i}}, round_=1) for i in range(1, 5)]
    anchor = record(5, {"short": {0: 10.0}}, round_=1, anchor="plain", name="mlp")
    assert on("full", *records, anchor) == ["t0004", "t0003", "t0002", "t0005"], "most promising first"


def test_failed_and_rejected_trials_stay_where_they_are() -> None:
    failed = record(1, {"short": {0: 90.0}}, round_=1, failures={("short", 0): "timeout: 180 s"})
    broken = record(3, {}, round_=1, failures={("short", 0): "timeout: 180 s"})
    sound = record(2, {"short": {0: 70.0}}, round_=1)
    assert on("full", broken, sound) == ["t0002"]
    assert on("short", failed, broken, sound) == []


def seeds_of(records: list[Record]) -> set[str]:
    return set(on("seeds", *records))


def test_only_the_head_of_the_leaderboard_gets_more_seeds() -> None:
    earlier = [record(i, {"full": {0: 80.0 + i}}) for i in range(1, HEAD + 1)]
    better, worse = (record(50 + i, {"short": {0: 70.0}, "full": {0: full}}, round_=1) for i, full in enumerate((99.0, 1.0)))
    assert seeds_of([*earlier, better, worse]) == {"t0050"}


def test_scores_that_come_in_on_a_rung_do_not_change_who_is_entitled_to_it() -> None:
    """A run that is killed between two seeds decides as the run that was not killed."""
    rivals = [record(i, {"short": {0: 70.0}, "full": {0: 80.0 + i}}, round_=1, anchor="plain") for i in range(1, HEAD + 3)]
    first = seeds_of(rivals)
    rivals[-1] = record(HEAD + 2, {**rivals[-1].scores, "seeds": {1: 1.0}}, round_=1, anchor="plain")
    assert seeds_of(rivals) == first


def test_a_lucky_seed_of_an_earlier_round_does_not_keep_its_place() -> None:
    lucky = [record(i, {"full": {0: 84.0}, "seeds": {1: 81.0, 2: 81.0}}) for i in range(1, HEAD + 1)]
    fresh = record(50, {"short": {0: 70.0}, "full": {0: 83.9}}, round_=1)
    assert seeds_of([*lucky, fresh]) == {"t0050"}


def test_a_seed_that_was_trained_in_full_is_not_trained_again() -> None:
    known = record(1, {"short": {0: 70.0}, "full": {0: 80.0}, "seeds": {1: 81.0}})
    assert [(request.rung, request.seed) for request in due(ladder(situation(known), 0))] == [("seeds", 2)]


def test_the_short_rung_trains_a_quarter_of_the_epochs() -> None:
    (request,) = due(ladder(situation(record(1, {})), 0))
    assert (request.epochs, request.seed, request.split) == (75, 0, 0)


def test_the_rival_is_the_best_trial_with_the_most_seeds() -> None:
    sure = record(1, {"full": {0: 83.0}, "seeds": {1: 83.2, 2: 83.1}})
    lucky, later = record(2, {"full": {0: 85.0}}), record(3, {"full": {0: 99.0}}, round_=1)
    begun = before(situation(sure, lucky, later), 1)
    assert (begun.rival, begun.rival_scores) == ("t0001", {0: 83.0, 1: 83.2, 2: 83.1})
    assert begun.scores == {"t0001": sum((83.0, 83.2, 83.1)) / 3, "t0002": 85.0}
    assert begun.noise is not None


def test_confirmation_goes_seed_by_seed_on_its_own_splits_and_skips_what_is_done() -> None:
    half = record(1, {CONFIRM: {100: 80.0}})
    fresh = record(2, {}, failures={(CONFIRM, 101): "crashed: signal 11"})
    made = confirmation(situation(half, fresh), ["t0001", "t0002"], 2)
    assert [(r.trial, r.seed, r.split, r.weights) for r in due(made)] == [
        ("t0002", 100, 0, "weights/t0002-100.pt"), ("t0001", 101, 0, "weights/t0001-101.pt"),
    ]  # fmt: skip


def test_the_race_knows_the_noise_of_the_search_alone() -> None:
    """Or a resumed confirmation, which holds scores of its own, would decide otherwise."""
    searched = {"full": {0: 80.0}, "seeds": {1: 80.5, 2: 79.5}}
    first = confirmation(situation(record(1, searched), record(2, searched)), ["t0001", "t0002"], 5)
    wild = {**searched, CONFIRM: {100: 50.0, 101: 90.0}}
    resumed = confirmation(situation(record(1, wild), record(2, searched)), ["t0001", "t0002"], 5)
    assert first._noise == resumed._noise == 0.5
