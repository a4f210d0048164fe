"""Metrics agree with scikit-learn, know their direction, and refuse what they cannot score."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

from agentnas.tools.errors import UsageError
from agentnas.tools.metrics import METRICS, Metric, metric


@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), rows=st.integers(2, 40), classes=st.integers(2, 6))
def test_accuracy_and_macro_f1_agree_with_scikit_learn(seed: int, rows: int, classes: int) -> None:
    rng = np.random.default_rng(seed)
    y, scores = rng.integers(0, classes, rows), rng.normal(size=(rows, classes))
    predicted = scores.argmax(axis=1)
    assert METRICS["accuracy"].score(y, scores) == pytest.approx(100 * accuracy_score(y, predicted))
    assert METRICS["macro_f1"].score(y, scores) == pytest.approx(100 * f1_score(y, predicted, average="macro"))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), rows=st.integers(2, 40))
def test_roc_auc_agrees_with_scikit_learn_also_on_ties(seed: int, rows: int) -> None:
    rng = np.random.default_rng(seed)
    y = np.array([0, 1, *rng.integers(0, 2, rows)])
    logits = rng.integers(0, 4, size=(len(y), 2)).astype(float)
    expected = 100 * roc_auc_score(y, logits[:, 1] - logits[:, 0])
    assert METRICS["roc_auc"].score(y, logits) == pytest.approx(expected)


def test_roc_auc_is_the_same_for_logits_and_probabilities() -> None:
    rng = np.random.default_rng(0)
    y, logits = rng.integers(0, 2, 50), rng.normal(size=(50, 2))
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert METRICS["roc_auc"].score(y, logits) == pytest.approx(METRICS["roc_auc"].score(y, probabilities))


def test_equal_is_not_better_and_lower_may_be() -> None:
    accuracy = metric("accuracy")
    assert accuracy.better(50.1, 50.0)
    assert not accuracy.better(50.0, 50.0)
    assert Metric("accuracy", higher_is_better=False).better(1.0, 2.0)


@pytest.mark.parametrize(
    ("name", "y", "scores", "message"),
    [
        ("accuracy", [], np.zeros((0, 2)), "n > 0"),
        ("accuracy", [0, 1], np.zeros((3, 2)), r"got \[2\] and \[3, 2\]"),
        ("accuracy", [0, -1], np.zeros((2, 2)), r"labels in 0\.\.1; got -1\.\.0"),
        ("accuracy", [0, 2], np.zeros((2, 2)), r"labels in 0\.\.1; got 0\.\.2"),
        ("accuracy", [0, 1], np.array([[0.0, np.nan], [0.0, 1.0]]), "NaN"),
        ("roc_auc", [1, 1], np.zeros((2, 2)), "both present"),
        ("roc_auc", [0, 1], np.zeros((2, 3)), "got 3 columns"),
    ],
)
def test_what_cannot_be_scored_is_refused(name: str, y: list[int], scores: np.ndarray, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        metric(name).score(np.array(y, dtype=np.int64), scores)


def test_unknown_metric_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean accuracy"):
        metric("acuracy")
