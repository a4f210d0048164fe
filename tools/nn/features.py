"""Preparing a task's features once, before training: scaling, sparsity, and positional or structural encodings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from agentnas.tools.nn.graph import Graph
from agentnas.tools.nn.sparse import Features, SparseFeatures
from agentnas.tools.spec.model import Input

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Array = np.ndarray[Any, Any]

DENSE_ABOVE = 0.1  # share of non-zeros from which a dense product is as fast as a sparse one
EXACT_WALK_COST = 500_000_000  # multiply-adds up to which return probabilities are exact
PROBES = 256  # random vectors that estimate them beyond
MOST_SPREAD = 2**24  # numbers that walks from several components at once may hold
EIGEN_SEED = 0


def prepare_features(part: Input, x: Any, graph: Graph) -> tuple[Features, Tensor | None]:
    """Scaled features, and the encodings [N, k] that the input part asks for, else None.

    ``x``: scipy sparse matrix, numpy array or tensor [N, F]. The result is ``SparseFeatures`` where at most a tenth is non-zero, else a
    dense float tensor. ``row``: absolute values of a row sum to 1. ``standard``: columns to zero mean and unit variance; sparse columns
    are scaled but not centred, as they would no longer be sparse. Same input, same result: nothing here draws on global random state.
    """
    return scaled_features(x, part.scale).to(graph.device), encodings_of(part, graph)


def scaled_features(x: Any, scale: str) -> Features:
    """The features alone, on the CPU."""
    return _as_features(_scaled(as_matrix(x), scale))


def encodings_of(part: Input, graph: Graph) -> Tensor | None:
    """The encodings alone."""
    wanted = sorted(part.encodings, key=lambda e: (e.kind, e.dim))  # a spec's encodings have no order
    columns = [ENCODERS[e.kind](graph, e.dim) for e in wanted]
    return torch.from_numpy(np.concatenate(columns, 1).astype(np.float32)).to(graph.device) if columns else None


def as_matrix(x: Any) -> csr_matrix | Array:
    """float32 csr where at most ``DENSE_ABOVE`` is non-zero, else a float32 array."""
    from scipy import sparse

    if isinstance(x, Tensor):
        x = x.detach().cpu().numpy()
    density = (x.nnz if sparse.issparse(x) else np.count_nonzero(x)) / max(1, x.shape[0] * x.shape[1])
    if density > DENSE_ABOVE:
        return dense_array(x)
    matrix = sparse.csr_matrix(x, dtype=np.float32)
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    return matrix


def dense_array(x: Any) -> Array:
    """A scipy sparse matrix or an array as a float32 array."""
    return np.asarray(x.toarray() if hasattr(x, "toarray") else x, dtype=np.float32)


def _scaled(x: csr_matrix | Array, scale: str) -> csr_matrix | Array:
    if scale == "none":
        return x
    if isinstance(x, np.ndarray):
        return _dense_scaled(x, scale)
    factor = inverse(np.asarray(abs(x).sum(1)).reshape(-1, 1)) if scale == "row" else column_factors(x)
    return x.multiply(factor).tocsr()


def column_factors(x: csr_matrix) -> Array:
    """1 / standard deviation of each column, and 1 where a column is constant; float32 [1, F]."""
    mean, square = np.asarray(x.mean(0)), np.asarray(x.multiply(x).mean(0))
    return inverse(np.sqrt(np.maximum(square - mean**2, 0)))


def _dense_scaled(x: Array, scale: str) -> Array:
    if scale == "row":
        scaled: Array = x * inverse(np.abs(x).sum(1, keepdims=True))
        return scaled
    standard: Array = (x - x.mean(0)) * inverse(x.std(0))
    return standard


def inverse(x: Array) -> Array:
    """1 / x, and 1 where x is 0; float32."""
    return (1 / np.where(x > 0, x, 1)).astype(np.float32)


def _as_features(x: csr_matrix | Array) -> Features:
    if isinstance(x, np.ndarray):
        return torch.from_numpy(np.require(x, requirements=["C", "W"]))
    pointers, columns = (torch.from_numpy(a.astype(np.int64)) for a in (x.indptr, x.indices))
    return SparseFeatures.from_csr(pointers, columns, torch.from_numpy(x.data.astype(np.float32)), (x.shape[0], x.shape[1]))


def degree_encoding(graph: Graph, dim: int) -> Array:
    """One-hot bucket of log2(1 + degree), the last bucket open; [N, dim]."""
    bucket = np.minimum(np.log2(1 + graph.degree.cpu().numpy()).astype(np.int64), dim - 1)
    one_hot: Array = np.eye(dim)[bucket]
    return one_hot


def random_walk_encoding(graph: Graph, dim: int) -> Array:
    """Probability of being back after 1 .. ``dim`` steps of a random walk (Dwivedi et al., 2022); [N, dim].

    Exact where that is cheap, as on components of some thousands of nodes, however many there are; on larger ones estimated with fixed
    random sign vectors (Hutchinson, 1990). What is said of a component does not depend on the others.
    """
    walk = _symmetric(graph, 1.0)
    out = np.zeros((walk.shape[0], dim), np.float32)
    for nodes, place, widest in _alike_components(walk):
        within = walk[nodes][:, nodes]
        largest = within.nnz * widest / len(nodes)  # edges of the largest component, about
        exact = widest * max(largest, 1) * dim <= EXACT_WALK_COST
        out[nodes] = _returns(within, place, widest, dim) if exact else _estimated_returns(within, dim)
    return out


def _alike_components(walk: csr_matrix) -> Iterator[tuple[Array, Array, int]]:
    """Components of like size side by side: their nodes, the place of each node within its component, and the size of the largest.

    As many as ``MOST_SPREAD`` allows at a time.
    """
    from scipy.sparse.csgraph import connected_components

    if not walk.shape[0]:
        return
    _, label = connected_components(walk, directed=False)
    size = np.bincount(label)
    rank = np.argsort(np.argsort(size, kind="stable"), kind="stable")  # components by size
    order = np.argsort(rank[label], kind="stable")
    sizes = np.sort(size)
    ends = np.cumsum(sizes)
    first = 0
    while first < len(sizes):
        begin = ends[first] - sizes[first]
        wide = np.maximum(sizes[first:], 1)
        allowed = (wide <= 2 * wide[0]) & ((ends[first:] - begin) * wide <= MOST_SPREAD)
        last = first + max(1, int(allowed.argmin()) if not allowed.all() else len(wide))
        starts = np.repeat(ends[first:last] - sizes[first:last], sizes[first:last])
        yield order[begin : ends[last - 1]], np.arange(begin, ends[last - 1]) - starts, int(sizes[last - 1])
        first = last


def _returns(walk: csr_matrix, place: Array, widest: int, dim: int) -> Array:
    """Walks from the first node of each component at once, then from the second, and so on: components do not meet."""
    out = np.zeros((walk.shape[0], dim), np.float32)
    for at in range(0, widest, 512):
        nodes = np.flatnonzero((place >= at) & (place < at + 512))
        column = place[nodes] - at
        spread = np.zeros((walk.shape[0], int(column.max()) + 1), np.float32)
        spread[nodes, column] = 1
        for step in range(dim):
            spread = walk @ spread
            out[nodes, step] = spread[nodes, column]
    return out


def _estimated_returns(walk: csr_matrix, dim: int) -> Array:
    signs = np.random.default_rng(EIGEN_SEED).choice(np.array([-1, 1], dtype=np.float32), size=(walk.shape[0], PROBES))
    spread, columns = signs, []
    for _ in range(dim):
        spread = walk @ spread
        columns.append((signs * spread).mean(1))
    return np.stack(columns, 1).clip(0, 1)


def laplacian_encoding(graph: Graph, dim: int) -> Array:
    """Eigenvectors of the symmetric Laplacian with the smallest non-trivial eigenvalues, by component (Dwivedi et al., 2023); [N, dim].

    Edges count in both directions. Columns have unit variance over a component and a fixed sign; small components are padded with zeros.
    """
    from scipy.sparse.csgraph import connected_components

    adjacency = _symmetric(graph, 0.5)
    out = np.zeros((adjacency.shape[0], dim))
    _, label = connected_components(adjacency, directed=False)
    order = np.argsort(label, kind="stable")
    for nodes in np.split(order, np.flatnonzero(np.diff(label[order])) + 1):
        if nodes.size > 1:
            vectors = _eigenvectors(adjacency[nodes][:, nodes], dim)
            out[nodes, : vectors.shape[1]] = vectors
    return out


def _eigenvectors(adjacency: csr_matrix, dim: int) -> Array:
    """Eigenvectors after the first, by falling eigenvalue; at most ``dim``."""
    from scipy.sparse.linalg import eigsh

    n = adjacency.shape[0]
    if n <= max(200, dim + 2):
        values, vectors = np.linalg.eigh(adjacency.toarray())
    else:
        start = np.random.default_rng(EIGEN_SEED).standard_normal(n)
        values, vectors = eigsh(adjacency.astype(np.float64), k=dim + 1, which="LA", v0=start, tol=1e-5, ncv=min(n, 4 * dim + 20))
    vectors = vectors[:, np.argsort(-values, kind="stable")[1 : dim + 1]]
    peak = np.abs(vectors).argmax(0)
    signs = np.sign(vectors[peak, np.arange(vectors.shape[1])])
    scaled: Array = vectors * signs * np.sqrt(n)
    return scaled


def _symmetric(graph: Graph, power: float) -> csr_matrix:
    """Undirected 0/1 adjacency without self-loops, as D^-power A D^-(1 - power); float32 csr."""
    from scipy import sparse

    source, target = graph.edge_index.cpu().numpy()
    n = graph.num_nodes
    matrix = sparse.csr_matrix((np.ones(source.size, dtype=np.float32), (target, source)), shape=(n, n))
    matrix = matrix.maximum(matrix.T)
    matrix.setdiag(0)
    matrix.eliminate_zeros()
    matrix.data[:] = 1
    degree = np.maximum(np.asarray(matrix.sum(1)).ravel(), 1)
    return (sparse.diags(degree**-power) @ matrix @ sparse.diags(degree ** (power - 1.0))).tocsr().astype(np.float32)


ENCODERS = {"laplacian": laplacian_encoding, "random_walk": random_walk_encoding, "degree": degree_encoding}
