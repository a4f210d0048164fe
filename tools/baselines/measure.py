"""Which baselines fit a task, and what they reach on a split: validation, by which their settings are chosen, and test."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from agentnas.tools.baselines import links, models
from agentnas.tools.baselines.base import Baseline, Fitted, data_of
from agentnas.tools.baselines.features import HOPS, ItemTables
from agentnas.tools.tasks.base import GraphData, Matrix, Split, Task

Fit = Callable[[Task, Split, Matrix], Fitted]
# Seconds of one step on the machine that they were measured on: a tree's round, an entry of its histograms, a product of a regression.
ROUND_S, ENTRY_S, PRODUCT_S = 1.2e-3, 4e-9, 2e-9


class Measured(NamedTuple):
    """Scores of one baseline on one split, in percent, and the setting that validation chose."""

    val: float
    test: float
    setting: str
    seconds: float


def baselines_for(task: Task) -> tuple[Baseline, ...]:
    """The baselines of a task that has data, the cheap ones first."""
    return _of_links(task) if task.kind == "link" else _of_items(task)


def measure(task: Task, baseline: Baseline, split: int) -> Measured:
    """Fit on a split and score both other parts; reads the labels of the test part, and belongs after the winner's choice."""
    from threadpoolctl import threadpool_limits

    begin, parts, data = time.perf_counter(), task.split(split), data_of(task)
    with threadpool_limits(1):  # threads that wait for each other take ten times as long on a busy machine
        fitted = baseline.fit(parts)
        test = task.metric.score(data.y[parts.test], fitted.predict(parts.test))
    return Measured(fitted.val, test, fitted.setting, time.perf_counter() - begin)


def _of_items(task: Task) -> tuple[Baseline, ...]:
    data = data_of(task)
    tables, regression = ItemTables(data), "ridge regression" if task.target == "value" else "logistic regression"
    on = "pooled features and graph statistics" if task.kind == "graph" else "features and degrees"
    found = [
        Baseline("constant", "the best constant", partial(models.fit_constant, task), 0.01),
        _of_table(task, "linear", f"{regression} on {on}", models.fit_linear, lambda: tables.own),
        _of_table(task, "boosting", f"gradient boosting on {on}", models.fit_boosting, lambda: tables.own),
    ]
    if task.kind == "node" and data.num_edges:
        near = "features averaged over neighbours"
        found += [
            _of_table(task, "linear-propagated", f"{regression} on {near}", models.fit_linear, lambda: tables.propagated, HOPS + 1),
            _of_table(task, "boosting-propagated", f"gradient boosting on {near}", models.fit_boosting, lambda: tables.propagated),
        ]
    return tuple(sorted(found, key=lambda baseline: baseline.work))


def _of_table(task: Task, name: str, told: str, fit: Fit, table: Callable[[], Matrix], times: int = 1) -> Baseline:
    work = _boosting_s(task) if fit is models.fit_boosting else times * _linear_s(task)
    return Baseline(name, told, lambda split: fit(task, split, table()), work)


def _outputs(data: GraphData) -> int:
    if data.target == "value" or data.pairs is not None or (data.target == "classes" and data.num_classes == 2):
        return 1
    return data.num_classes


def _boosting_s(task: Task) -> float:
    rows, columns = len(task.split(0).train), min(models.MOST_COLUMNS, data_of(task).num_features + 8)
    trees = _outputs(data_of(task)) * models.TREES
    return trees * (ROUND_S + ENTRY_S * rows * columns)


def _linear_s(task: Task) -> float:
    data = data_of(task)
    entries = len(task.split(0).train) * max(1.0, data.nnz / data.num_nodes + 4)
    return 0.05 + PRODUCT_S * entries * _outputs(data) * 200 * len(models.PENALTIES)


def _of_links(task: Task) -> tuple[Baseline, ...]:
    data = data_of(task)
    edges, n = len(task.split(0).train) // 2, data.num_nodes
    shared = 0.02 + 1e-7 * edges * max(1.0, 2 * edges / n)
    kinds: list[tuple[str, str, Any]] = [
        ("common-neighbours", "common neighbours", links.equal_weights),
        ("adamic-adar", "Adamic-Adar", links.adamic_adar),
        ("resource-allocation", "resource allocation", links.resource_allocation),
    ]
    found = [Baseline(name, told, partial(links.fit_shared, task, weigh=weigh), shared) for name, told, weigh in kinds]
    paths = len(links.DAMPING) * links.LENGTH * 4e-9 * 4 * edges * n
    return (
        *found,
        Baseline("katz", f"Katz over paths of {links.LENGTH} edges", partial(links.fit_katz, task), 0.05 + paths),
        Baseline("factorisation", "matrix factorisation", partial(links.fit_factors, task), 0.1 + 2e-6 * links.RANKS[-1] * (n + edges)),
        Baseline("boosting", "gradient boosting on shared neighbours, degrees and features", partial(links.fit_boosted_pairs, task),
                 _boosting_s(task) + 5 * shared),
    )  # fmt: skip
