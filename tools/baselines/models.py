"""Constants, linear models and boosted trees, for classes, several labels and values alike."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from agentnas.tools.baselines.base import Fitted, Predict, Scores, chosen, data_of, labelled
from agentnas.tools.baselines.features import dense, telling_columns
from agentnas.tools.tasks.base import Index, Matrix, Split, Task

PENALTIES = (0.001, 0.01, 0.1, 1.0)  # C of a logistic regression; a ridge regression takes 1 over it
SPARSE_PENALTIES = (0.1, 1.0, 10.0, 100.0)
MOST_COLUMNS = 256  # that trees see
TREES, STAGES = 100, (25, 50, 100)  # rounds of boosting, and those that validation chooses among
LEAVES = 15  # of a tree
Columns = Callable[[Index], Scores]
Learn = Callable[[Index, NDArray[Any]], Iterator[tuple[str, Columns]]]


def fit_constant(task: Task, split: Split) -> Fitted:
    """The best constant answer: a class, the labels' shares, the mean and the median."""
    data = data_of(task)
    y = data.y[labelled(data, split.train)]
    if task.target == "classes":
        rows = [(f"class {number}", row) for number, row in enumerate(np.eye(data.num_classes))]
    elif task.target == "labels":
        rows = [("share of each label", np.nan_to_num(np.nanmean(y, axis=0)))]
    else:
        rows = [("mean", np.array([y.mean()])), ("median", np.array([np.median(y)]))]
    return chosen(task, split, [(setting, _always(row)) for setting, row in rows])


def fit_linear(task: Task, split: Split, table: Matrix) -> Fitted:
    """Logistic regression, or ridge regression of values, on columns scaled by the training part."""
    x = _scaled(table, split.train)
    return _fitted(task, split, lambda rows, y: _linear(x, rows, y, task.target == "value"))


def fit_boosting(task: Task, split: Split, table: Matrix) -> Fitted:
    """Histogram gradient boosting on the columns that tell most of the training labels."""
    return _fitted(task, split, lambda rows, y: _boosted(table, rows, y, task))


def _fitted(task: Task, split: Split, learn: Learn) -> Fitted:
    """``learn`` gives settings and what they predict for labels [n] of training rows; several labels are learnt one by one."""
    data = data_of(task)
    rows = labelled(data, split.train)
    if task.target == "labels":
        return chosen(task, split, _label_by_label(data.y, rows, learn))
    y = data.y[rows]
    if task.target == "classes":
        return chosen(task, split, _with_all_classes(learn, rows, y, data.num_classes if data.pairs is None else 2))
    return chosen(task, split, learn(rows, y))


def _with_all_classes(learn: Learn, rows: Index, y: NDArray[Any], classes: int) -> Iterator[tuple[str, Predict]]:
    """Probabilities with a column for every class, also for those that no training item has."""
    known = np.unique(y)
    if len(known) < 2:
        yield "one class alone", _always(np.eye(classes)[known[0]])
        return
    for setting, predict in learn(rows, np.searchsorted(known, y)):
        yield setting, _spread(predict, known, classes)


def _spread(predict: Columns, known: NDArray[Any], classes: int) -> Predict:
    def predict_all(items: Index) -> Scores:
        table = np.zeros((len(items), classes))
        table[:, known] = predict(items)
        return table

    return predict_all


def _label_by_label(y: NDArray[Any], rows: Index, learn: Learn) -> Iterator[tuple[str, Predict]]:
    """One setting for all labels; a label that never varies in training keeps its share."""
    columns = []
    for label in range(y.shape[1]):
        known = rows[np.isfinite(y[rows, label])]
        column = y[known, label].astype(np.int64)
        constant = float(column.mean()) if len(column) else 0.0
        columns.append(constant if constant in (0.0, 1.0) else list(learn(known, column)))
    settings = max((len(column) for column in columns if isinstance(column, list)), default=1)
    for number in range(settings):
        of_label = [column if isinstance(column, float) else column[number][1] for column in columns]
        names = [column[number][0] for column in columns if isinstance(column, list)]
        yield names[0] if names else "share of each label", _together(of_label)


def _together(of_label: list[float | Columns]) -> Predict:
    def predict(items: Index) -> Scores:
        return np.stack([np.full(len(items), c) if isinstance(c, float) else c(items)[:, 1] for c in of_label], axis=1)

    return predict


def _always(row: NDArray[Any]) -> Predict:
    return lambda items: np.tile(row, (len(items), 1))


def _scaled(table: Matrix, train: Index) -> Matrix:
    """Columns with zero mean and unit variance in training; of a sparse table at most 1, so that rare words are not made loud."""
    from sklearn.preprocessing import MaxAbsScaler, StandardScaler

    return (MaxAbsScaler() if sp.issparse(table) else StandardScaler()).fit(table[train]).transform(table)


def _linear(x: Matrix, rows: Index, y: NDArray[Any], values: bool) -> Iterator[tuple[str, Columns]]:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression, Ridge

    for penalty in SPARSE_PENALTIES if sp.issparse(x) else PENALTIES:
        model = Ridge(alpha=1.0 / penalty) if values else LogisticRegression(C=penalty, max_iter=200)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # a penalty that converges slowly is one that validation may turn down
            model.fit(x[rows], y)
        setting = f"alpha {1.0 / penalty:g}" if values else f"C {penalty:g}"
        yield setting, _values(model.predict, x) if values else _table(model.predict_proba, x)


def _boosted(table: Matrix, rows: Index, y: NDArray[Any], task: Task) -> Iterator[tuple[str, Columns]]:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.feature_selection import f_classif, f_regression

    values = task.target == "value"
    x = dense(table[:, telling_columns(table[rows], y, MOST_COLUMNS, f_regression if values else f_classif)])
    least = max(2, min(20, len(rows) // 20))
    usual = {"max_iter": TREES, "max_leaf_nodes": LEAVES, "min_samples_leaf": least, "early_stopping": False, "max_bins": 64}
    if values:
        loss = "absolute_error" if task.metric.name == "mae" else "squared_error"
        model = HistGradientBoostingRegressor(loss=loss, **usual).fit(x[rows], y)
    else:
        model = HistGradientBoostingClassifier(**usual).fit(x[rows], y)
    for stage in STAGES:
        yield f"{stage} rounds, {LEAVES} leaves", _staged(model.staged_predict if values else model.staged_predict_proba, x, stage)


def _values(predict: Callable[[Matrix], Any], x: Matrix) -> Columns:
    return lambda items: np.asarray(predict(x[items])).reshape(len(items), 1)


def _table(predict: Callable[[Matrix], Any], x: Matrix) -> Columns:
    return lambda items: np.asarray(predict(x[items]))


def _staged(predict: Callable[[Matrix], Any], x: Matrix, stage: int) -> Columns:
    """Predictions [n, columns] after so many rounds."""

    def predict_at(items: Index) -> Scores:
        found = next(islice(predict(x[items]), stage - 1, None))
        return np.asarray(found).reshape(len(items), -1)

    return predict_at
