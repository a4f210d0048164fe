"""Link prediction: which pairs of nodes are edges. Its files, and splits that keep what is to be predicted out of the messages.

Each split hides some edges from training: those of validation and test. Beside them stand as many pairs that are no edges, drawn once for
the split. The training part holds the other edges, which messages may pass along, and as many pairs without an edge; trainings draw fresh
ones at each step, knowing the edges of the training part alone.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from agentnas.tools.errors import DataError, UsageError
from agentnas.tools.tasks.base import GraphData, Index, Split, sorted_edges
from agentnas.tools.tasks.catalog import DataSet

VAL_SHARE, TEST_SHARE = 0.05, 0.10
SPLITS = 10
FEWEST_EDGES = 40


def read_mat(data: DataSet, folder: Path) -> GraphData:
    """A graph of the SEAL collection (Zhang and Chen, 2018): the sparse matrix ``net`` of a MATLAB file; a node's feature is itself."""
    from scipy.io import loadmat

    path = folder / f"{data.stem}.mat"
    try:
        net = loadmat(path, variable_names=["net"])["net"]
        net = sp.coo_matrix(net)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}); expected a MATLAB file with a sparse matrix 'net'") from None
    except Exception as error:  # noqa: BLE001
        # The reader of MATLAB files meets damage with errors of many kinds; whatever it says, the file is not one.
        raise DataError(
            f"{path}: truncated or damaged ({type(error).__name__}); expected a MATLAB file with a sparse matrix 'net'"
        ) from None
    if net.shape[0] != net.shape[1] or not net.nnz:
        raise DataError(f"{path}: 'net' is {net.shape[0]} x {net.shape[1]} with {net.nnz} entries; expected a square matrix with edges")
    ends = np.stack([net.row, net.col]).astype(np.int64)
    n = int(net.shape[0])
    edges = sorted_edges(ends, n, undirected=True, self_loops=False)
    return GraphData(sp.identity(n, dtype=np.float32, format="csr"), edges, np.full(n, -1, np.int64), 1)


def link_task(
    data: GraphData, splits: int = SPLITS, val: float = VAL_SHARE, test: float = TEST_SHARE
) -> tuple[GraphData, tuple[Split, ...]]:
    """The data with pairs as its items, and random splits of its edges; edges count once, whatever their direction.

    Raises UsageError for a graph with too few edges, or with too few pairs that are none.
    """
    n = data.num_nodes
    if data.edge_type is not None:
        raise UsageError("link prediction does not tell types of edges apart; leave the types of edges out")
    edge_index = data.edge_index if data.edge_attr is not None else sorted_edges(data.edge_index, n, undirected=True, self_loops=False)
    source, target = edge_index
    edges = edge_index[:, source < target]
    count = edges.shape[1]
    if count < FEWEST_EDGES or count > n * (n - 1) // 4:
        raise UsageError(
            f"link prediction needs {FEWEST_EDGES} edges or more, and no more than half of all pairs; got {count} on {n} nodes"
        )
    pairs, made = [edges], []
    known = np.sort(edges[0] * np.int64(n) + edges[1])
    for seed in range(splits):
        rng = np.random.Generator(np.random.PCG64(seed))
        parts = _parted(rng.permutation(count), round(val * count), round(test * count))
        others = no_edges(known, n, count, rng)
        start = count * (seed + 1)
        apart = np.split(np.arange(start, start + count), np.cumsum([len(part) for part in parts])[:-1])
        pairs.append(others)
        made.append(Split(*(np.sort(np.concatenate([part, more])) for part, more in zip(parts, apart, strict=True))))
    y = np.zeros(count * (splits + 1), np.int64)
    y[:count] = 1
    linked = replace(data, edge_index=edge_index, y=y, num_classes=1, pairs=np.concatenate(pairs, axis=1))
    return linked, tuple(made)


def _parted(order: Index, val: int, test: int) -> tuple[Index, Index, Index]:
    return order[val + test :], order[:val], order[val : val + test]


def no_edges(known: Index, n: int, count: int, rng: np.random.Generator) -> Index:
    """[2, count] different pairs (smaller node first) whose codes ``first * n + second`` are not among the known ones (sorted)."""
    found = np.empty(0, np.int64)
    while len(found) < count:
        a, b = rng.integers(n, size=(2, 2 * (count - len(found)) + 16))
        codes = np.minimum(a, b) * np.int64(n) + np.maximum(a, b)
        codes = codes[(a != b) & ~np.isin(codes, known)]
        fresh = codes[~np.isin(codes, found)]
        _, first = np.unique(fresh, return_index=True)
        found = np.concatenate([found, fresh[np.sort(first)]])[:count]
    return np.stack([found // n, found % n])


def protocol(splits: tuple[Split, ...], edges: int) -> str:
    """The line that describes splits of edges."""
    train, val, test = (len(part) // 2 for part in (splits[0].train, splits[0].val, splits[0].test))
    shares = "/".join(f"{100 * part / edges:.0f}" for part in (train, val, test))
    return f"{len(splits)} random splits of {edges} edges, {shares} %, {train}/{val}/{test}, as many pairs without an edge"
