"""How likely two nodes are joined, by the neighbourhoods that they share: scores that see the edges of the training part alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from agentnas.tools.baselines.base import Fitted, Predict, Scores, chosen, data_of
from agentnas.tools.baselines.models import fit_boosting
from agentnas.tools.tasks.base import Index, Matrix, Split, Task
from agentnas.tools.tasks.pairs import training_edges

LENGTH = 4  # edges of the longest paths that Katz counts
DAMPING = (0.02, 0.1, 0.3, 0.6)  # of a path's next edge, relative to one over the spectral radius
RANKS = (4, 8, 16, 32, 64, 128)
TOLERANCE = 1e-8  # relative, of an eigenvalue
CHUNK = 20_000_000  # entries of a block of rows that is made dense, or of neighbours that are compared


def training_graph(task: Task, split: Split) -> sp.csr_matrix:
    """[nodes, nodes] adjacency of 0 and 1, both ways, of the training part's edges: no validation or test edge is in it."""
    data = data_of(task)
    ends = training_edges(data, split)
    return sp.csr_matrix((np.ones(ends.shape[1], np.float32), (ends[0], ends[1])), shape=(data.num_nodes,) * 2)


def fit_shared(task: Task, split: Split, weigh: Callable[[NDArray[Any]], NDArray[Any]]) -> Fitted:
    """Sum of a weight over the neighbours that both ends have; ``weigh`` makes it from the neighbours' degrees [nodes]."""
    adjacency = training_graph(task, split)
    weights = weigh(np.asarray(adjacency.sum(axis=1)).ravel())
    return _chosen(task, split, [("", partial(_shared, adjacency, weights))])


def equal_weights(degrees: NDArray[Any]) -> NDArray[Any]:
    """Common neighbours (Newman, 2001)."""
    return np.ones_like(degrees)


def adamic_adar(degrees: NDArray[Any]) -> NDArray[Any]:
    """One over the logarithm of the degree (Adamic and Adar, 2003)."""
    return np.asarray(1.0 / np.log(np.maximum(degrees, 2)))


def resource_allocation(degrees: NDArray[Any]) -> NDArray[Any]:
    """One over the degree (Zhou, Lu and Zhang, 2009)."""
    return np.asarray(1.0 / np.maximum(degrees, 1))


def fit_katz(task: Task, split: Split) -> Fitted:
    """Paths between the ends, of at most ``LENGTH`` edges, each edge damped (Katz, 1953)."""
    adjacency = training_graph(task, split)
    radius = float(sp.linalg.eigsh(adjacency.astype(np.float64), 1, return_eigenvectors=False, v0=np.ones(adjacency.shape[0]), tol=1e-3)[0])
    return _chosen(task, split, [(f"damping {d:g}", partial(_katz, adjacency, d / max(radius, 1e-9))) for d in DAMPING])


def fit_factors(task: Task, split: Split) -> Fitted:
    """Entries of a truncated singular value decomposition of the adjacency, as it is and over the roots of the degrees."""
    return _chosen(task, split, _factor_scores(training_graph(task, split)))


def fit_boosted_pairs(task: Task, split: Split) -> Fitted:
    """Boosted trees over shared neighbours, degrees without the pair's own edge, and the likeness of features."""
    adjacency = training_graph(task, split)
    return fit_boosting(task, split, pair_table(task, adjacency))


def pair_table(task: Task, adjacency: sp.csr_matrix) -> NDArray[np.float32]:
    """[pairs, 7]: three sums over shared neighbours, the smaller and larger degree, cosine of features, features in common."""
    data = data_of(task)
    assert data.pairs is not None
    pairs, degrees = data.pairs, np.asarray(adjacency.sum(axis=1)).ravel()
    joined = np.asarray(adjacency[pairs[0], pairs[1]]).ravel()  # an edge of the training part must not be seen in its own degrees
    ends = np.sort(np.log1p(degrees[pairs] - joined), axis=0)
    shared = [_shared(adjacency, weigh(degrees), pairs) for weigh in (equal_weights, adamic_adar, resource_allocation)]
    return np.stack([*shared, *ends, *_likeness(data.x, pairs)], axis=1).astype(np.float32)


def _likeness(x: Matrix, pairs: Index) -> list[NDArray[Any]]:
    squares = x.multiply(x).sum(axis=1) if sp.issparse(x) else (x * x).sum(axis=1)
    norms = np.sqrt(np.asarray(squares, dtype=np.float64)).ravel()
    product = np.concatenate([_dot(x, pairs[:, part]) for part in _chunks(pairs, x.shape[1])])
    return [product / np.maximum(norms[pairs[0]] * norms[pairs[1]], 1e-9), product]


def _dot(x: Matrix, pairs: Index) -> NDArray[Any]:
    a, b = x[pairs[0]], x[pairs[1]]
    return np.asarray((a.multiply(b) if sp.issparse(x) else a * b).sum(axis=1)).ravel()


def _chosen(task: Task, split: Split, scorers: Iterator[tuple[str, Callable[[Index], Scores]]] | list[Any]) -> Fitted:
    """Of scores of pairs, the best by validation."""
    return chosen(task, split, ((setting, _predictor(task, split, score)) for setting, score in scorers))


def _predictor(task: Task, split: Split, score: Callable[[Index], Scores]) -> Predict:
    """Columns 'no edge' and 'edge'; an edge is what scores above the value that parts the validation pairs best."""
    data = data_of(task)
    assert data.pairs is not None
    pairs = data.pairs
    border = _border(data.y[split.val], score(pairs[:, split.val]))

    def predict(items: Index) -> Scores:
        found = score(pairs[:, items]) - border
        return np.stack([np.zeros_like(found), found], axis=1)

    return predict


def _border(y: Index, scores: Scores) -> float:
    """Halfway between two scores where most pairs are told right."""
    order = np.argsort(scores, kind="stable")
    ordered, signs = scores[order], np.where(y[order] == 1, -1, 1)
    right = np.concatenate([[0], np.cumsum(signs)])  # told right beyond calling all of them edges, if the first k are called none
    possible = np.concatenate([[True], ordered[1:] > ordered[:-1], [True]])
    k = int(np.flatnonzero(possible)[np.argmax(right[possible])])
    low = ordered[k - 1] if k else ordered[0] - 1.0
    high = ordered[k] if k < len(ordered) else ordered[-1] + 1.0
    return float((low + high) / 2)


def _chunks(pairs: Index, entries: float) -> Iterator[slice]:
    size = max(1, int(CHUNK / max(1.0, entries)))
    return (slice(start, start + size) for start in range(0, pairs.shape[1], size))


def _shared(adjacency: sp.csr_matrix, weights: NDArray[Any], pairs: Index) -> NDArray[Any]:
    """[pairs]: sum of the weights of common neighbours."""
    weighted = sp.csr_matrix(adjacency @ sp.diags(weights))
    mean = adjacency.nnz / max(1, adjacency.shape[0])
    parts = [weighted[pairs[0, part]].multiply(adjacency[pairs[1, part]]).sum(axis=1) for part in _chunks(pairs, mean)]
    return np.concatenate([np.asarray(part).ravel() for part in parts]).astype(np.float64) if parts else np.zeros(0)


def _katz(adjacency: sp.csr_matrix, damping: float, pairs: Index) -> NDArray[Any]:
    """[pairs]; the rows of the pairs' first ends are followed for ``LENGTH`` edges, some at a time."""
    first, which = np.unique(pairs[0], return_inverse=True)
    order = np.argsort(which, kind="stable")
    found = np.zeros(pairs.shape[1])
    size = max(1, CHUNK // adjacency.shape[0])
    for start in range(0, len(first), size):
        block = _paths(adjacency, damping, first[start : start + size])
        mine = order[np.searchsorted(which[order], start) : np.searchsorted(which[order], start + size)]
        found[mine] = block[which[mine] - start, pairs[1, mine]]
    return found


def _paths(adjacency: sp.csr_matrix, damping: float, nodes: Index) -> NDArray[Any]:
    step = (damping * adjacency[nodes].astype(np.float64)).toarray()
    total = step.copy()
    for _ in range(LENGTH - 1):
        step = damping * (adjacency @ step.T).T  # the adjacency is symmetric
        total += step
    return np.asarray(total)


def _factor_scores(adjacency: sp.csr_matrix) -> Iterator[tuple[str, Callable[[Index], Scores]]]:
    degrees = np.maximum(np.asarray(adjacency.sum(axis=1)).ravel(), 1)
    root = sp.diags(1.0 / np.sqrt(degrees))
    for words, matrix in (("", adjacency), (" over the roots of degrees", root @ adjacency @ root)):
        values, vectors = _spectrum(sp.csr_matrix(matrix, dtype=np.float64))
        for rank in dict.fromkeys(min(rank, len(values)) for rank in RANKS):
            yield f"rank {rank}{words}", partial(_product, values[:rank], vectors[:, :rank])


def _spectrum(matrix: sp.csr_matrix) -> tuple[NDArray[Any], NDArray[Any]]:
    """Eigenvalues of a symmetric matrix, largest by size first, and their vectors [nodes, values]: its singular values, with signs."""
    n = matrix.shape[0]
    values, vectors = sp.linalg.eigsh(matrix, min(RANKS[-1], n - 1), which="LM", v0=np.random.default_rng(0).normal(size=n), tol=TOLERANCE)
    order = np.argsort(-np.abs(values), kind="stable")
    return values[order], vectors[:, order]


def _product(values: NDArray[Any], vectors: NDArray[Any], pairs: Index) -> NDArray[Any]:
    return np.asarray((vectors[pairs[0]] * values * vectors[pairs[1]]).sum(axis=1))
