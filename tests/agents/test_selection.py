"""Finalists and the choice: by validation, over equal numbers of seeds, never by luck or by failure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentnas.agents.selection import Finalists, best_confirmed, choose, comparison, estimated, finalists, median_seed
from agentnas.agents.situation import Record
from agentnas.agents.validation_noise import gap_over_items
from agentnas.memory.events import EvaluationFinished
from agentnas.tools.errors import BudgetEndedError
from agentnas.tools.evaluate.base import CONFIRM
from agentnas.tools.evaluate.right import DETAIL, packed, unpacked
from agentnas.tools.spec.model import parse_spec
from tests.agents.making import record, situation, spec_of_width


def confirmed(*scores: float) -> dict[str, dict[int, float]]:
    return {"full": {0: 50.0}, CONFIRM: {100 + i: score for i, score in enumerate(scores)}}


def test_a_mean_over_seeds_is_preferred_to_one_lucky_seed() -> None:
    lucky = record(1, {"full": {0: 90.0}})
    steady = record(2, {"full": {0: 84.0}, "seeds": {1: 84.0, 2: 84.0}}, anchor="plain", name="gcn")
    assert finalists(situation(lucky, steady), 2) == Finalists(("t0002", "t0001"), "t0002", None)


def test_the_best_anchor_of_each_kind_is_confirmed_too() -> None:
    records = [
        record(1, {"full": {0: 80.0}}, anchor="plain", name="mlp"),
        record(2, {"full": {0: 82.0}}, anchor="plain", name="gcn"),
        record(3, {"full": {0: 83.0}}, anchor="strong", name="grand"),
        record(4, {"full": {0: 85.0}}),
    ]
    assert finalists(situation(*records), 1).all() == ("t0004", "t0002", "t0003")


def test_estimates_order_those_with_the_most_seeds_alone() -> None:
    most = {"full": {0: 80.0}, "seeds": {1: 80.0, 2: 80.0}}
    told = situation(record(1, {"full": {0: 95.0}}), record(2, most), record(3, {"full": {0: 81.0}, "seeds": {1: 81.0, 2: 81.0}}))
    estimates = {"t0001": 99.0, "t0002": 82.0, "t0003": 80.5}
    assert finalists(told, 3, estimates).finalists == ("t0002", "t0003", "t0001")
    assert finalists(told, 3).finalists == ("t0003", "t0002", "t0001")


def test_who_is_behind_for_good_is_no_finalist_however_many_seeds_it_has() -> None:
    leader = record(1, {"full": {0: 90.0}, "seeds": {1: 91.0, 2: 90.0}}, anchor="strong", name="h2gcn")
    hopeless = record(2, {"full": {0: 72.0}, "seeds": {1: 72.5, 2: 71.0}}, anchor="plain", name="gat")
    near = record(3, {"full": {0: 89.5}})
    chosen = finalists(situation(leader, hopeless, near), 3)
    assert (chosen.finalists, chosen.plain_anchor) == (("t0001", "t0003"), "t0002")


def test_an_estimate_draws_a_lucky_leader_towards_designs_like_it() -> None:
    """Wide designs score 80 and narrow ones 70; a narrow one that got 81 once is not thought that good."""
    scored = [record(width, {"full": {0: 80.0 if width > 100 else 70.0}}) for width in range(8, 200, 8)]
    lucky = record(4, {"full": {0: 81.0}})
    estimates, reason = estimated(situation(*scored, lucky))
    assert reason == "smoothed validation (0.75 own score, 0.25 surrogate fitted without it)"
    assert max(estimates, key=lambda trial: estimates[trial]) != "t0004"
    assert estimates["t0152"] == pytest.approx(80.0, abs=0.5)


def test_the_choice_compares_equal_numbers_of_seeds() -> None:
    ended_early = record(1, confirmed(80.0, 81.0))
    complete = record(2, confirmed(82.0, 82.0, 10.0, 10.0))
    choice = choose(situation(ended_early, complete), ["t0001", "t0002"])
    assert (choice.trial, choice.mean, choice.seeds) == ("t0002", 82.0, 2)


def test_the_choice_pairs_by_seed() -> None:
    """On the seeds that both have the second wins, though its mean over all of its own is lower."""
    first = record(1, {"full": {0: 50.0}, CONFIRM: {100: 90.0, 102: 70.0}})
    second = record(2, {"full": {0: 50.0}, CONFIRM: {100: 91.0, 101: 10.0, 102: 71.0}})
    assert choose(situation(first, second), ["t0001", "t0002"]).trial == "t0002"


def test_one_that_is_confirmed_alone_is_compared_with_nobody() -> None:
    alone, untouched = record(1, confirmed(80.0, 81.0)), record(2, {"full": {0: 85.0}})
    reason = choose(situation(alone, untouched), ["t0001", "t0002"]).reason
    assert reason == "the only trial that was confirmed to the end, over 2 fresh seeds"
    assert choose(situation(record(1, confirmed(80.0))), ["t0001"]).reason.endswith("over 1 fresh seed")


def test_equal_means_go_to_the_smaller_model() -> None:
    big = record(1, confirmed(82.0, 82.0), profile={"parameters": 100})
    small = record(2, confirmed(82.0, 82.0), profile={"parameters": 10})
    assert choose(situation(big, small), ["t0001", "t0002"]).trial == "t0002"


def test_a_lead_inside_the_noise_leaves_the_anchor_in_place() -> None:
    found = record(1, confirmed(82.0, 84.0, 83.0))
    anchor = record(2, confirmed(82.5, 82.5, 82.5), anchor="strong", name="grand")
    choice = choose(situation(found, anchor), ["t0001", "t0002"])
    assert (choice.trial, choice.mean) == ("t0002", 82.5)
    assert choice.reason == (
        "best anchor over 3 fresh seeds among 2 confirmed trials; t0001 leads it by 0.50 ± 0.58, inside the noise, which is no gain"
    )


def test_a_lead_beyond_the_noise_wins() -> None:
    found = record(1, confirmed(83.0, 83.1, 82.9))
    anchor = record(2, confirmed(82.0, 82.2, 81.9), anchor="strong", name="grand")
    assert choose(situation(found, anchor), ["t0001", "t0002"]).trial == "t0001"


def test_a_finalist_that_failed_is_not_chosen() -> None:
    failed = record(1, confirmed(90.0, 90.0), failures={(CONFIRM, 102): "memory: over 8192 MiB"})
    sound = record(2, confirmed(80.0, 80.0, 80.0))
    assert choose(situation(failed, sound), ["t0001", "t0002"]).trial == "t0002"


def test_nothing_confirmed_is_an_ended_budget() -> None:
    with pytest.raises(BudgetEndedError, match="more --time"):
        choose(situation(record(1, {"full": {0: 80.0}})), ["t0001"])


def test_the_comparison_says_when_the_search_returned_its_own_anchor() -> None:
    scores = {"t0001": {100: 84.0, 101: 85.0, 102: 85.0}, "t0002": {100: 82.0, 101: 82.0, 102: 82.0}}
    compared = comparison("t0001", Finalists(("t0001",), "t0002", "t0001"), scores)
    assert compared["strong"] == {"anchor": "t0001", "is_winner": True}
    assert compared["plain"]["difference"] == pytest.approx(8 / 3)
    assert compared["plain"]["se"] == pytest.approx(1 / 3)
    assert compared["plain"]["inside_noise"] is False


def test_the_anchors_that_are_compared_are_those_that_confirmation_put_first() -> None:
    """The search had the second plain anchor behind the first; on fresh seeds it is ahead, and the strong one was confirmed alone."""
    first = record(1, confirmed(80.0, 81.0), anchor="plain", name="sage")
    second = record(2, confirmed(82.0, 83.0), anchor="plain", name="appnp")
    strong = record(3, confirmed(70.0, 71.0), anchor="strong", name="grand")
    chosen = Finalists(("t0002", "t0001"), "t0001", "t0003")
    assert best_confirmed(situation(first, second, strong), chosen) == Finalists(("t0002", "t0001"), "t0002", "t0003")


def test_anchors_that_were_not_confirmed_stay_as_the_search_had_them() -> None:
    only = record(1, {"full": {0: 80.0}}, anchor="plain", name="sage")
    assert best_confirmed(situation(only), Finalists(("t0001",), "t0001", None)) == Finalists(("t0001",), "t0001", None)


def test_the_shipped_seed_is_the_median_one() -> None:
    assert median_seed({100: 80.0, 101: 84.0, 102: 82.0}) == 102
    assert median_seed({100: 80.0, 101: 84.0}) == 100, "of two, the lower: never the lucky one"


GRAND: dict[str, Any] = {"anchor": "strong", "profile": {"flops": 10.0}}
NEAR: dict[str, Any] = {"anchor": "strong", "profile": {"flops": 4.0}}


def on_nodes(number: int, right: list[list[int]], **fields: Any) -> Record:
    """A confirmed trial of one architecture, and which validation nodes each of its seeds got right."""
    scores = {seed: 100.0 * sum(row) / len(row) for seed, row in enumerate(right, 100)}
    done = tuple(
        EvaluationFinished(
            trial=f"t{number:04d}", rung=CONFIRM, seed=seed, split=0, val=scores[seed], seconds=1.0, details={DETAIL: packed(np.array(row))}
        )
        for seed, row in enumerate(right, 100)
    )
    made = record(number, {"full": {0: 50.0}, CONFIRM: scores}, **fields)
    return replace(made, spec=spec_of_width(1), trainings=done)


def swapped(wins: int, losses: int, common: int) -> tuple[list[list[int]], list[list[int]]]:
    """Two designs over 100 nodes and six seeds, the fewest whose equal differences are no noise: ``common`` right by both, then those
    that one of them alone gets right."""
    rest = 100 - common - wins - losses
    first = [1] * common + [1] * wins + [0] * (losses + rest)
    second = [1] * common + [0] * wins + [1] * losses + [0] * rest
    return [first] * 6, [second] * 6


def test_an_anchor_gives_way_to_its_cheaper_setting_that_the_validation_nodes_cannot_tell_from_it() -> None:
    """Ten nodes more and eight less: every seed says 2 points, and other nodes could have said the contrary."""
    far, near = swapped(10, 8, 60)
    choice = choose(situation(on_nodes(1, far, **GRAND), on_nodes(2, near, **NEAR)), ["t0001", "t0002"])
    assert (choice.trial, choice.mean) == ("t0002", 68.0)
    assert choice.reason == (
        "the same method as t0001 in a cheaper setting, 6 fresh seeds each; t0001 leads it by 2.00 ± 4.26 over the 100 validation nodes, "
        "less than one standard error"
    )


def test_an_anchor_stays_where_the_nodes_tell_it_from_the_cheaper_one() -> None:
    far, near = swapped(10, 2, 60)
    assert choose(situation(on_nodes(1, far, **GRAND), on_nodes(2, near, **NEAR)), ["t0001", "t0002"]).trial == "t0001"


@pytest.mark.parametrize("other", [{**NEAR, "anchor": None}, {**NEAR, "profile": {"flops": 20.0}}, {**NEAR, "profile": {"flops": 10.0}}])
def test_nothing_but_a_cheaper_anchor_is_preferred_to_an_anchor_with_a_higher_score(other: dict[str, Any]) -> None:
    far, near = swapped(10, 8, 60)
    assert choose(situation(on_nodes(1, far, **GRAND), on_nodes(2, near, **other)), ["t0001", "t0002"]).trial == "t0001"


def test_another_method_is_no_cheaper_setting() -> None:
    far, near = swapped(10, 8, 60)
    other = replace(
        on_nodes(2, near, **NEAR), spec=parse_spec({"body": {"nodes": [{"id": "a", "op": "mlp", "width": 8}], "outputs": ["a"]}})
    )
    assert choose(situation(on_nodes(1, far, **GRAND), other), ["t0001", "t0002"]).trial == "t0001"


def test_a_lead_that_every_seed_shows_and_the_nodes_do_not_leaves_the_anchor_in_place() -> None:
    found, anchor = swapped(10, 8, 60)
    choice = choose(situation(on_nodes(1, found), on_nodes(2, anchor, **GRAND)), ["t0001", "t0002"])
    assert choice.trial == "t0002"
    assert choice.reason == (
        "best anchor over 6 fresh seeds among 2 confirmed trials; t0001 leads it by 2.00 ± 4.26 over the 100 validation nodes, "
        "less than one standard error, which is no gain"
    )


@pytest.mark.parametrize(("kind", "items"), [("graph", "graphs"), ("link", "pairs")])
def test_a_reason_names_the_items_of_the_task(kind: str, items: str) -> None:
    far, near = swapped(10, 8, 60)
    spec = parse_spec({**spec_of_width(1).model_dump(mode="json", exclude_defaults=True), "head": {"kind": kind}})
    found, anchor = (replace(made, spec=spec) for made in (on_nodes(1, far), on_nodes(2, near, **GRAND)))
    assert f"over the 100 validation {items}, less" in choose(situation(found, anchor), ["t0001", "t0002"]).reason


def test_one_seed_is_said_as_one() -> None:
    choice = choose(situation(record(1, {"full": {0: 50.0}, CONFIRM: {100: 80.0}})), ["t0001"])
    assert choice.reason == "the only trial that was confirmed to the end, over 1 fresh seed"


def test_a_cheaper_setting_of_the_best_strong_anchor_is_confirmed_with_it() -> None:
    records = [
        replace(record(1, {"full": {0: 83.0}}, **GRAND), spec=spec_of_width(1)),
        replace(record(2, {"full": {0: 81.0}}, **NEAR), spec=spec_of_width(1)),
        record(3, {"full": {0: 85.0}}),
        record(4, {"full": {0: 84.0}}),
    ]
    assert finalists(situation(*records), 2) == Finalists(("t0003", "t0004", "t0002"), None, "t0001")
    assert finalists(situation(*records), 1) == Finalists(("t0003",), None, "t0001")


@given(st.lists(st.booleans(), min_size=1, max_size=40))
def test_which_nodes_were_right_reads_back(right: list[bool]) -> None:
    assert unpacked(packed(np.array(right))).tolist() == right


def test_a_training_that_does_not_say_which_nodes_were_right_leaves_the_seeds_to_decide() -> None:
    far, near = swapped(10, 8, 60)
    silent = replace(on_nodes(2, near, **NEAR), trainings=())
    assert gap_over_items(on_nodes(1, far), silent, {100, 101, 102}) is None
    assert choose(situation(on_nodes(1, far, **GRAND), silent), ["t0001", "t0002"]).trial == "t0001"
