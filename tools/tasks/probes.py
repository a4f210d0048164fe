"""What three simple methods reach on validation in about a second: they say whether features, edges, or both carry the labels.

Validation only: test labels are never read here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from agentnas.tools.tasks.base import GraphData, Index, Matrix, Task, one_hot, some

MAX_ROWS = 2000  # training and validation nodes that a probe looks at
PENALTIES = (1e-4, 1e-3, 1e-2)
ITERATIONS = 60
HOPS = 2
SPREAD, SPREAD_STEPS = 0.9, 30


@dataclass(frozen=True)
class Probes:
    """Validation scores in percent, on the task's first split."""

    majority: float
    features: float
    label_propagation: float
    linear_propagation: float


def probe(task: Task) -> Probes:
    """Probe a task that has data.

    The best constant answer, logistic regression on features, label propagation (Zhou et al. 2004), and logistic regression on features
    averaged over two hops (SGC, Wu et al. 2019); penalties are chosen on validation.
    """
    assert task.data is not None, "a table has no data to probe"
    data, split = task.data, task.split(0)
    train, val = some(split.train, MAX_ROWS), some(split.val, MAX_ROWS)
    rows = np.concatenate([train, val])
    adjacency = normalised_adjacency(data)
    labels = (data.y[train], data.y[val])
    return Probes(
        majority=_best(task, labels[1], [np.tile(row, (len(val), 1)) for row in np.eye(data.num_classes)]),
        features=_best(task, labels[1], _logistic(data.x[rows], *labels, data.num_classes)),
        label_propagation=_best(task, labels[1], [propagate_labels(data, adjacency, split.train)[val]]),
        linear_propagation=_best(task, labels[1], _logistic(_averaged(adjacency, rows, data.x), *labels, data.num_classes)),
    )


def normalised_adjacency(data: GraphData) -> sp.csr_matrix:
    """D^-1/2 (A + I) D^-1/2 of the graph with every edge in both directions, [num_nodes, num_nodes]."""
    adjacency = undirected(data) + sp.identity(data.num_nodes, dtype=np.float32, format="csr")
    scale = sp.diags(1.0 / np.sqrt(np.asarray(adjacency.sum(axis=1)).ravel())).astype(np.float32)
    return sp.csr_matrix(scale @ adjacency @ scale)


def undirected(data: GraphData) -> sp.csr_matrix:
    """Adjacency of 0 and 1 with every edge in both directions and no self-loops, [num_nodes, num_nodes]."""
    source, target = data.edge_index[:, data.edge_index[0] != data.edge_index[1]]
    ones = np.ones(2 * len(source), np.float32)
    ends = (np.concatenate([source, target]), np.concatenate([target, source]))
    adjacency = sp.csr_matrix((ones, ends), shape=(data.num_nodes, data.num_nodes))
    adjacency.data[:] = 1
    return adjacency


def propagate_labels(data: GraphData, adjacency: sp.csr_matrix, train: Index) -> NDArray[np.float32]:
    """Scores [num_nodes, classes] after spreading the training labels over the edges."""
    start = np.zeros((data.num_nodes, data.num_classes), np.float32)
    start[train] = one_hot(data.y[train], data.num_classes)
    scores = start
    for _ in range(SPREAD_STEPS):
        scores = SPREAD * (adjacency @ scores) + (1 - SPREAD) * start
    return scores


def _best(task: Task, y: Index, candidates: list[NDArray[Any]]) -> float:
    return max(task.metric.score(y, scores) for scores in candidates)


def _averaged(adjacency: sp.csr_matrix, rows: Index, x: Matrix) -> Matrix:
    weights = adjacency[rows]
    for _ in range(HOPS - 1):
        weights = weights @ adjacency
    return weights @ x


def _logistic(x: Matrix, y_train: Index, y_val: Index, classes: int) -> list[NDArray[Any]]:
    """Validation scores of a multinomial logistic regression for each penalty; the first rows of ``x`` are the training nodes."""
    from scipy.optimize import minimize

    x_train, x_val = _design(x, len(y_train))
    target = one_hot(y_train, classes).astype(np.float64)
    weights, found = np.zeros(x_train.shape[1] * classes), []
    # From the strongest penalty to the weakest, each starting from the solution before it.
    for penalty in sorted(PENALTIES, reverse=True):
        weights = minimize(_loss, weights, (x_train, target, penalty), "L-BFGS-B", jac=True, options={"maxiter": ITERATIONS}).x
        found.append(x_val @ weights.reshape(-1, classes))
    return found


def _design(x: Matrix, num_train: int) -> tuple[Matrix, Matrix]:
    """Rows scaled to unit length, and a constant column; columns that no training row uses keep a weight of 0, so they are left out."""
    if sp.issparse(x):
        norms = np.sqrt(np.asarray(x.multiply(x).sum(axis=1)).ravel())
        x = sp.diags(1.0 / np.where(norms > 0, norms, 1.0)) @ x
        x = sp.csr_matrix(x)[:, np.flatnonzero(x[:num_train].getnnz(axis=0))]
        x = x.toarray() if x.nnz > 0.2 * x.shape[0] * x.shape[1] else x
    else:
        norms = np.sqrt((x * x).sum(axis=1))
        x = x / np.where(norms > 0, norms, 1.0)[:, None]
    constant = np.ones((x.shape[0], 1))
    x = sp.hstack([x, constant], format="csr") if sp.issparse(x) else np.hstack([x, constant])
    return x[:num_train].astype(np.float64), x[num_train:].astype(np.float64)


def _loss(weights: NDArray[Any], x: Matrix, target: NDArray[Any], penalty: float) -> tuple[float, NDArray[Any]]:
    """Mean cross-entropy + penalty / 2 |weights|^2, and its gradient."""
    table = weights.reshape(-1, target.shape[1])
    logits = x @ table
    logits -= logits.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(logits).sum(axis=1, keepdims=True))
    loss = float((log_sum.ravel() - (logits * target).sum(axis=1)).mean() + penalty / 2 * (weights @ weights))
    gradient = x.T @ ((np.exp(logits - log_sum) - target) / len(target)) + penalty * table
    return loss, gradient.ravel()
