"""A plan as a person edits it: what is right counts, what is wrong is one line."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agentnas.agents.edited_plan import checked_directions, directions_in
from agentnas.agents.roles import Direction
from agentnas.tools.errors import UsageError

FACTORS = ("recipe.learning_rate", "body.op")
DIRECTION: dict[str, Any] = {
    "name": "attention", "factors": ["body.op"], "share": 1.0, "hypothesis": "helps", "expected_gain": 0.5, "evidence": ["card:gat"],
    "mode": "exploit", "parents": ["t0003"],
}  # fmt: skip


def checked(*changes: dict[str, Any]) -> tuple[Direction, ...]:
    return checked_directions([{**DIRECTION, **change} for change in changes], FACTORS, lambda name: name in ("card:gat", "trial:t0003"))


def test_a_direction_comes_back_as_it_was_written() -> None:
    assert [direction.as_dict() for direction in checked({})] == [DIRECTION]


def test_what_is_left_out_has_its_usual_meaning() -> None:
    (direction,) = checked_directions([{"name": "anything", "share": 1}], FACTORS, lambda name: False)
    assert direction == Direction("anything", (), 1.0, "", None, (), "exploit")


def test_shares_that_were_rounded_sum_to_one() -> None:
    shares = [direction.share for direction in checked({"share": 0.33}, {"share": 0.33}, {"share": 0.33})]
    assert shares == pytest.approx([1 / 3] * 3)
    assert sum(shares) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"share": 0.5}, "the shares sum to 0.5; they are parts of the round's trials and must sum to 1"),
        ({"share": -0.5}, "direction 1, share: Input should be greater than 0; seen -0.5"),
        ({"share": "half"}, "direction 1, share: Input should be a valid number, unable to parse string as a number; seen 'half'"),
        ({"name": ""}, "direction 1, name: String should have at least 1 character; seen ''"),
        ({"mode": "gamble"}, "direction 1, mode: Input should be 'exploit', 'explore' or 'recombine'; seen 'gamble'"),
        ({"colour": "red"}, "direction 1, colour: Extra inputs are not permitted; seen 'red'"),
        ({"factors": ["recipe.learning_rat"]},
         "direction 1 (attention): no factor 'recipe.learning_rat' in this space; did you mean recipe.learning_rate?"),
        ({"evidence": ["card:tag"]},
         "direction 1 (attention): evidence 'card:tag' does not exist; allowed: trial:ID, finding:ID and card:ID that do"),
        ({"parents": ["t0009"]},
         "direction 1 (attention): parent 't0009' does not exist; allowed: ids of this run's trials, such as t0003"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_line(change: dict[str, Any], line: str) -> None:
    with pytest.raises(UsageError) as caught:
        checked(change)
    assert str(caught.value) == line


def test_a_plan_has_some_directions_and_not_too_many() -> None:
    with pytest.raises(UsageError, match=r"^the directions: Tuple should have at least 1 item .*; seen \[\]$"):
        checked()
    with pytest.raises(UsageError, match=r"^the directions: Tuple should have at most 8 items"):
        checked(*[{"share": 1 / 9}] * 9)


@pytest.mark.parametrize("data", [[DIRECTION], {"directions": [DIRECTION]}, {"round": 2, "directions": [DIRECTION], "reason": "x"}])
def test_the_file_holds_directions_or_what_review_prints(data: Any) -> None:
    assert directions_in(json.dumps(data).encode(), 2) == [DIRECTION]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (b"{", "not JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        (b"3", 'no directions; allowed: {"directions": [...]} as agentnas runs review --json prints it'),
        (b"{}", 'no directions; allowed: {"directions": [...]} as agentnas runs review --json prints it'),
        (b'{"round": 1, "directions": []}', "this is the plan of round 1, the one that waits is of round 2; edit that one"),
    ],
)
def test_a_file_that_holds_no_plan_is_one_line(text: bytes, line: str) -> None:
    with pytest.raises(UsageError) as caught:
        directions_in(text, 2)
    assert str(caught.value) == line
