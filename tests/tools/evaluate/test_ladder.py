"""Promotion, rank correlation, limits and the Pareto front."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from agentnas.tools.evaluate.base import Limits
from agentnas.tools.evaluate.ladder import promoted, rungs_for, spearman
from agentnas.tools.evaluate.pareto import pareto_front


def test_the_best_share_is_promoted_and_ties_go_to_the_earlier_trial() -> None:
    scores = {"t1": 80.0, "t2": 82.0, "t3": 82.0, "t4": 70.0}
    assert promoted(scores, 0.5) == ["t2", "t3"]
    assert promoted(scores, 0.25) == ["t2"]
    assert promoted(scores, 0.01) == ["t2"], "at least one climbs"
    assert promoted({}, 0.5) == []


def test_every_ladder_rises_in_fidelity_and_narrows() -> None:
    for num_splits, val_items in ((1, None), (10, None), (10, 19), (10, 500)):
        rungs = rungs_for(num_splits, val_items)
        assert [rung.epochs for rung in rungs] == sorted(rung.epochs for rung in rungs)
        assert [rung.seeds for rung in rungs] == sorted(rung.seeds for rung in rungs)
        assert [rung.promoted for rung in rungs] == sorted((rung.promoted for rung in rungs), reverse=True)


def test_small_folds_are_screened_by_several_of_them() -> None:
    assert rungs_for(10, 19)[0].seeds == 3
    assert rungs_for(10, 19)[-1].seeds == 10
    assert rungs_for(10, 100) == rungs_for(10) != rungs_for(10, 19)
    assert rungs_for(4, 19) == rungs_for(4)
    assert rungs_for(1, 19) == rungs_for(1)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=3, max_size=30))
def test_spearman_equals_scipys(pairs: list[tuple[int, int]]) -> None:
    ours = spearman([(float(a), float(b)) for a, b in pairs])
    first, second = zip(*pairs, strict=True)
    if len(set(first)) == 1 or len(set(second)) == 1:
        assert ours is None
    else:
        assert ours is not None
        assert math.isclose(ours, stats.spearmanr(first, second).statistic, abs_tol=1e-9)


def test_spearman_of_two_pairs_is_unknown() -> None:
    assert spearman([(1.0, 2.0), (2.0, 3.0)]) is None


def test_a_broken_limit_names_both_numbers() -> None:
    limits = Limits(max_params=50_000, max_latency_ms=2.0)
    assert limits.violations({"parameters": 61_003, "latency_ms_p50": 1.5}) == ["parameters 61,003 > 50,000"]
    assert limits.violations({"parameters": 50_000}) == []
    assert limits.violations({"parameters": None}) == []
    assert limits.measured
    assert not Limits(max_params=1).measured


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(1, 1e6)), max_size=30))
def test_no_point_of_the_front_is_beaten_on_both(points: list[tuple[float, float]]) -> None:
    front = pareto_front([(i, score, cost) for i, (score, cost) in enumerate(points)])
    for i in front:
        assert not any(s >= points[i][0] and c <= points[i][1] and (s, c) != points[i] for s, c in points)
    assert bool(front) == bool(points)


@pytest.mark.parametrize(("score", "cost", "kept"), [(81.0, 5.0, True), (79.0, 5.0, True), (79.0, 20.0, False), (80.0, 10.0, False)])
def test_the_front_keeps_what_is_better_or_cheaper(score: float, cost: float, kept: bool) -> None:
    assert ("new" in pareto_front([("old", 80.0, 10.0), ("new", score, cost)])) is kept
