"""What is kept of test predictions, and what an exported model prints of them, against scikit-learn and the metrics."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_fscore_support

from agentnas.report_quality import calibration_error
from agentnas.tools.metrics import metric
from agentnas.tools.nn import score
from agentnas.tools.quality import quality

RNG = np.random.default_rng(3)


def shares(rows: int, columns: int) -> NDArray[np.float32]:
    raw = np.exp(RNG.normal(size=(rows, columns)))
    return np.asarray(raw / raw.sum(axis=1, keepdims=True), dtype=np.float32)


def test_counts_of_classes_give_precision_and_recall() -> None:
    y, predicted = RNG.integers(4, size=300), shares(300, 4)
    kept = quality(y, predicted)
    precision, recall, _, support = precision_recall_fscore_support(y, predicted.argmax(1))
    for number, (right, given, held) in enumerate(kept["classes"]):
        assert (right / given, right / held, held) == (pytest.approx(precision[number]), pytest.approx(recall[number]), support[number])
    assert sum(cases for cases, _, _ in kept["bins"]) == 300
    assert sum(so for _, _, so in kept["bins"]) == (predicted.argmax(1) == y).sum()


def test_a_model_that_is_right_as_often_as_it_says_has_no_calibration_error() -> None:
    assert calibration_error([[100, 70.0, 70], [50, 45.0, 45]]) == 0.0
    assert calibration_error([[100, 90.0, 70], [100, 60.0, 70]]) == pytest.approx(0.15)


def test_labels_that_are_not_known_count_for_nothing() -> None:
    y = np.array([[1, np.nan], [0, 1], [1, 0]], dtype=np.float32)
    kept = quality(y, np.array([[0.9, 0.9], [0.8, 0.7], [0.2, 0.1]], dtype=np.float32))
    assert kept["classes"] == [[1, 2, 2], [1, 1, 1]]
    assert sum(cases for cases, _, _ in kept["bins"]) == 5


def test_errors_of_values_add_up() -> None:
    y = RNG.normal(size=50).astype(np.float32)
    predicted = (y + RNG.normal(size=50)).astype(np.float32)[:, None]
    kept = quality(y, predicted)["errors"]
    assert np.sqrt(kept["squares"] / kept["count"]) == pytest.approx(metric("rmse").natural(metric("rmse").score(y, predicted)), rel=1e-5)
    assert kept["absolute"] / kept["count"] == pytest.approx(metric("mae").natural(metric("mae").score(y, predicted)), rel=1e-5)
    assert 100 * (1 - kept["squares"] / kept["around_mean"]) == pytest.approx(metric("r2").score(y, predicted), rel=1e-4)


@pytest.mark.parametrize("name", ["accuracy", "macro_f1", "roc_auc", "ap", "mrr", "hits@20", "hits@50"])
def test_an_exported_model_scores_pairs_as_the_metrics_do(name: str) -> None:
    y, predicted = RNG.integers(2, size=200), shares(200, 2).round(2)
    function, _, k = name.partition("@")
    given = (torch.from_numpy(y), torch.from_numpy(predicted), *([int(k)] if k else []))
    assert getattr(score, function)(*given) == pytest.approx(metric(name).score(y, predicted), abs=1e-4)


@pytest.mark.parametrize("name", ["mae", "rmse", "r2"])
def test_an_exported_model_scores_values_as_the_metrics_do(name: str) -> None:
    y = RNG.normal(size=80).astype(np.float32)
    predicted = (y + 0.3 * RNG.normal(size=80)).astype(np.float32)[:, None]
    found = getattr(score, name)(torch.from_numpy(y), torch.from_numpy(predicted))
    assert found == pytest.approx(metric(name).natural(metric(name).score(y, predicted)), rel=1e-5)


@pytest.mark.parametrize("name", ["accuracy", "roc_auc", "ap", "macro_f1"])
def test_an_exported_model_scores_several_labels_as_the_metrics_do(name: str) -> None:
    y = RNG.integers(2, size=(90, 3)).astype(np.float32)
    y[RNG.random(y.shape) < 0.1] = np.nan
    y[:, 2] = 1.0  # one kind alone: it cannot be scored and does not count
    predicted = RNG.random((90, 3)).astype(np.float32)
    found = score.over_labels(getattr(score, name), torch.from_numpy(y), torch.from_numpy(predicted))
    assert found == pytest.approx(metric(name).score(y, predicted), abs=1e-4)
