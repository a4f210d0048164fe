"""Shares of time and money: all that there is is given out, by priority, and nobody ends too late."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentnas.batch.shares import Claim, money_share, starts, time_shares


def test_shares_are_in_proportion_to_priorities() -> None:
    assert time_shares(100, [Claim(3), Claim(1)], [], 1) == pytest.approx([75, 25])


def test_three_equal_jobs_in_two_slots_have_two_rounds() -> None:
    assert time_shares(60, [Claim(1)] * 3, [], 2) == pytest.approx([30, 30, 30])


def test_what_one_job_does_not_want_is_the_others() -> None:
    assert time_shares(100, [Claim(1, 10), Claim(1)], [], 1) == pytest.approx([10, 90])


def test_jobs_wait_for_those_that_run() -> None:
    assert time_shares(100, [Claim(1), Claim(1)], [40], 1) == pytest.approx([30, 30])


def test_nothing_is_left_after_the_deadline() -> None:
    assert time_shares(-5, [Claim(1)], [], 1) == [0.0]
    assert time_shares(10, [Claim(1)], [20], 1) == pytest.approx([0.0])


@given(
    st.floats(1, 1e5),
    st.lists(st.tuples(st.floats(0.1, 100), st.one_of(st.just(math.inf), st.floats(1, 1e4))), min_size=1, max_size=12),
    st.integers(1, 5),
)
def test_the_last_job_ends_in_time_and_as_late_as_can_be(seconds: float, wanted: list[tuple[float, float]], slots: int) -> None:
    claims = [Claim(*one) for one in wanted]
    lengths = time_shares(seconds, claims, [], slots)
    ends = [begin + length for begin, length in zip(starts(lengths, [], slots), lengths, strict=True)]
    assert max(ends) <= seconds * (1 + 1e-9)
    assert max(ends) >= seconds * 0.999 or lengths == pytest.approx([claim.most_s for claim in claims])


def test_money_is_shared_by_priority_and_bounded_by_ones_own_limit() -> None:
    assert money_share(4.0, None, 3, [1]) == 3.0
    assert money_share(4.0, 1.0, 3, [1]) == 1.0
    assert money_share(-1.0, 1.0, 1, []) == 0.0
