"""Metrics of ranked pairs agree with scikit-learn, with the definition of the Open Graph Benchmark, and with counting by hand."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from agentnas.tools.errors import UsageError
from agentnas.tools.metrics import METRICS, fitting

Array = np.ndarray


def drawn(seed: int, rows: int, levels: int) -> tuple[Array, Array, Array]:
    """Labels of which both kinds are present, scores [rows, 2] as pairs have them, and their margins; few levels make many ties."""
    rng = np.random.default_rng(seed)
    y = np.array([0, 1, *rng.integers(0, 2, rows)])
    margin = rng.integers(0, levels, len(y)) / levels
    return y, np.stack([np.zeros_like(margin), margin], axis=1), margin


@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), rows=st.integers(0, 40), levels=st.integers(1, 30))
def test_average_precision_agrees_with_scikit_learn_also_on_ties(seed: int, rows: int, levels: int) -> None:
    y, scores, margin = drawn(seed, rows, levels)
    assert METRICS["ap"].score(y, scores) == pytest.approx(100 * average_precision_score(y, margin))


def _ogb_hits(positive: Array, negative: Array, k: int) -> float:
    """``_eval_hits`` of the Open Graph Benchmark (Hu et al., 2020): strictly above the k-th largest negative."""
    if len(negative) < k:
        return 1.0
    return float((positive > np.sort(negative)[::-1][k - 1]).sum() / len(positive))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), rows=st.integers(0, 300), levels=st.integers(1, 200), k=st.sampled_from([20, 50, 100]))
def test_hits_are_those_of_the_open_graph_benchmark(seed: int, rows: int, levels: int, k: int) -> None:
    y, scores, margin = drawn(seed, rows, levels)
    assert METRICS[f"hits@{k}"].score(y, scores) == pytest.approx(100 * _ogb_hits(margin[y == 1], margin[y == 0], k))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), rows=st.integers(0, 40), levels=st.integers(1, 30))
def test_reciprocal_ranks_are_halfway_between_best_and_worst_case_on_ties(seed: int, rows: int, levels: int) -> None:
    """The Open Graph Benchmark's rank: the mean of the optimistic and the pessimistic one, here among all other pairs."""
    y, scores, margin = drawn(seed, rows, levels)
    negative = margin[y == 0]
    ranks = [((negative > p).sum() + (negative >= p).sum()) / 2 + 1 for p in margin[y == 1]]
    assert METRICS["mrr"].score(y, scores) == pytest.approx(100 * np.mean([1 / rank for rank in ranks]))


def test_a_perfect_and_a_blind_order() -> None:
    y = np.repeat([1, 0], [30, 200])
    best, blind = np.stack([np.zeros(230), y], 1), np.zeros((230, 2))
    found = {name: (METRICS[name].score(y, best), METRICS[name].score(y, blind)) for name in ("roc_auc", "ap", "mrr", "hits@20")}
    assert found["roc_auc"] == (100.0, 50.0)
    assert found["ap"] == pytest.approx((100.0, 100 * 30 / 230))
    assert found["mrr"] == pytest.approx((100.0, 100 / 101))
    assert found["hits@20"] == (100.0, 0.0)


def test_metrics_of_ranks_are_of_pairs_alone() -> None:
    assert set(fitting("classes", pairs=True)) - set(fitting("classes")) == {"mrr", "hits@20", "hits@50", "hits@100"}
    with pytest.raises(UsageError, match="mrr does not fit a target that is a number"):
        METRICS["mrr"].score(np.array([0.5, 0.25]), np.zeros((2, 1)))


@pytest.mark.parametrize("name", fitting("classes", pairs=True))
def test_many_pairs_are_scored_within_a_moment(name: str) -> None:
    """Every epoch is validated: 200,000 pairs take milliseconds, not the seconds of a comparison of each with each."""
    y, scores, _ = drawn(0, 200_000, 1_000_000)
    began = time.process_time()
    METRICS[name].score(y, scores)
    assert time.process_time() - began < 1.0
