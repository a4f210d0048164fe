"""Link prediction: which pairs of nodes are edges. Its files, and splits that keep what is to be predicted out of the messages.

Each split hides some edges from training: those of validation and test. Beside them stand pairs that are no edges, drawn once for the
split, as many or more. The training part holds the other edges, which messages may pass along, and as many pairs without an edge;
trainings draw fresh ones at each step, knowing the edges of the training part alone.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from agentnas.tools.errors import DataError, UsageError
from agentnas.tools.tasks.base import GraphData, Index, Split, distinct, sorted_edges, sorted_with_attributes
from agentnas.tools.tasks.catalog import DataSet

VAL_SHARE, TEST_SHARE = 0.05, 0.10
SPLITS = 10
FEWEST_EDGES = 40
MOST_NEGATIVES = 1000  # to an edge
MOST_PAIRS = 20_000_000  # over all splits
MOST_COLUMNS = 20_000  # of features that name nodes
NAMES = 4  # columns that name a node where there are fewer columns than nodes
SPARSE_DRAW = 0.25  # share of the free pairs up to which drawing until enough are free is the faster way


# sha256 of the files that are known. The reader of MATLAB files follows damaged lengths out of its memory, so it is given no others.
DIGESTS = {
    "NS": "c69258a674e13115e34ec11343c92f352bcec635baf3fe40f0adf6e8a5037019",
    "USAir": "6b48a37e2bb398234e5383787c30dca087de704366a2b7b05d64cc2f53210e0b",
}


def read_mat(data: DataSet, folder: Path) -> GraphData:
    """A graph of the SEAL collection (Zhang and Chen, 2018): the sparse matrix ``net`` of a MATLAB file; a node's feature is itself."""
    from scipy.io import loadmat

    path = folder / f"{data.stem}.mat"
    expected = f"the file {path.name} of the SEAL collection"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}); expected {expected}") from None
    if hashlib.sha256(content).hexdigest() != DIGESTS[data.stem]:
        raise DataError(f"{path}: truncated, damaged or another file; expected {expected}, delete the file and load it again")
    net = sp.coo_matrix(loadmat(io.BytesIO(content), variable_names=["net"])["net"])
    ends = np.stack([net.row, net.col]).astype(np.int64)
    n = int(net.shape[0])
    edges = sorted_edges(ends, n, undirected=True, self_loops=False)
    return GraphData(identity_features(n), edges, np.full(n, -1, np.int64), 1)


def identity_features(n: int) -> sp.csr_matrix:
    """What stands for nodes that have no features: the node itself, so that a network learns a vector for each; CSR [n, columns].

    Up to 20,000 nodes the identity. Beyond, each node is named by four of 20,000 columns, drawn once and shared with others (hash
    embeddings; Svenstrup et al., 2017): the weights do not grow with the graph, and hardly any two nodes have the same four.
    """
    if n <= MOST_COLUMNS:
        return sp.identity(n, dtype=np.float32, format="csr")
    columns = np.random.Generator(np.random.PCG64(0)).integers(MOST_COLUMNS, size=(n, NAMES), dtype=np.int32)
    values = np.full(n * NAMES, NAMES**-0.5, np.float32)
    named = sp.csr_matrix((values, columns.ravel(), np.arange(0, n * NAMES + 1, NAMES)), shape=(n, MOST_COLUMNS))
    named.sum_duplicates()
    return named


def link_task(
    data: GraphData, splits: int = SPLITS, val: float = VAL_SHARE, test: float = TEST_SHARE, negatives: int = 1, seed: int = 0
) -> tuple[GraphData, tuple[Split, ...]]:
    """The data with pairs as its items, and random splits of its edges; edges count once, whatever their direction.

    ``val``, ``test``: shares of the edges. ``negatives``: pairs without an edge to each edge of validation and test; no pair is in two
    parts of a split. Edges from a node to itself are left out. The same data and arguments give the same splits on every machine.
    Raises UsageError for a directed graph, one with too few edges or too few pairs that are none, and shares that leave a part empty.
    """
    _check_arguments(splits, val, test, negatives)
    if data.edge_type is not None:
        raise UsageError("link prediction does not tell types of edges apart; leave the types of edges out")
    linked = _both_ways(data)
    n, edges = linked.num_nodes, linked.edge_index[:, linked.edge_index[0] < linked.edge_index[1]]
    count = edges.shape[1]
    hidden = max(1, round(val * count)), max(1, round(test * count))
    others = count + (negatives - 1) * sum(hidden)
    _check_counts(n, count, sum(hidden), others, splits)
    known = edges[0] * np.int64(n) + edges[1]
    pairs, made = [edges], []
    for number in range(splits):
        rng = np.random.Generator(np.random.PCG64(seed + number))
        parts = _parted(rng.permutation(count), *hidden)
        pairs.append(no_edges(known, n, others, rng))
        sizes = (len(parts[0]), negatives * hidden[0], negatives * hidden[1])
        made.append(_split(parts, count + others * number, sizes))
    y = np.zeros(count + others * splits, np.int64)
    y[:count] = 1
    return replace(linked, y=y, num_classes=1, pairs=np.concatenate(pairs, axis=1)), tuple(made)


def _check_arguments(splits: int, val: float, test: float, negatives: int) -> None:
    if not (val > 0 and test > 0 and val + test <= 0.9):
        raise UsageError(
            f"link prediction hides {100 * val:g} and {100 * test:g} % of the edges; allowed: more than 0 each, together 90 at most"
        )
    if not 1 <= negatives <= MOST_NEGATIVES:
        raise UsageError(f"pairs without an edge to each edge: {negatives}; allowed: 1 to {MOST_NEGATIVES}")
    if splits < 1:
        raise UsageError(f"number of splits: {splits}; allowed: 1 or more")


def _check_counts(n: int, count: int, hidden: int, others: int, splits: int) -> None:
    free = n * (n - 1) // 2 - count
    if count < FEWEST_EDGES or count > n * (n - 1) // 4:
        raise UsageError(
            f"link prediction needs {FEWEST_EDGES} edges or more, and no more than half of all pairs; got {count} on {n} nodes"
        )
    if hidden >= count:
        raise UsageError(f"no edge of {count} is left to train on; hide fewer in validation and test")
    if others > free:
        raise UsageError(f"{others} pairs without an edge are asked for, the graph has {free}; give fewer to each edge")
    if count + others * splits > MOST_PAIRS:
        raise UsageError(f"{splits} splits have {count + others * splits} pairs, allowed: {MOST_PAIRS}; give fewer splits or pairs")


def _both_ways(data: GraphData) -> GraphData:
    """The graph without edges from a node to itself; refuses one whose edges have a direction."""
    if data.directed:
        n, (source, target) = np.int64(data.num_nodes), data.edge_index
        one_way = int((~np.isin(source * n + target, target * n + source)).sum())
        raise UsageError(
            f"link prediction takes edges as going both ways, but {one_way} of {data.num_edges} have no edge back; give the edges as"
            " undirected to predict links whatever their direction"
        )
    if data.edge_attr is None:
        return replace(data, edge_index=sorted_edges(data.edge_index, data.num_nodes, self_loops=False))
    kept = data.edge_index[0] != data.edge_index[1]
    edges, attr = sorted_with_attributes(data.edge_index[:, kept], data.edge_attr[kept], data.num_nodes)
    return replace(data, edge_index=edges, edge_attr=attr)


def _parted(order: Index, val: int, test: int) -> tuple[Index, Index, Index]:
    return order[val + test :], order[:val], order[val : val + test]


def _split(edges: tuple[Index, Index, Index], start: int, sizes: tuple[int, int, int]) -> Split:
    """Numbers of edges, with as many numbers of other pairs as ``sizes`` says, which follow one another from ``start``."""
    ends = start + np.cumsum(sizes)
    others = (np.arange(end - size, end) for end, size in zip(ends, sizes, strict=True))
    return Split(*(np.concatenate([np.sort(part), more]) for part, more in zip(edges, others, strict=True)))


def no_edges(known: Index, n: int, count: int, rng: np.random.Generator) -> Index:
    """[2, count] different pairs (smaller node first) whose codes ``first * n + second`` are not among the known ones (sorted)."""
    free = n * (n - 1) // 2 - len(known)
    codes = _chosen(known, n, count, rng) if count > SPARSE_DRAW * free else _drawn(known, n, count, rng)
    return np.stack([codes // n, codes % n])


def _chosen(known: Index, n: int, count: int, rng: np.random.Generator) -> Index:
    """Codes drawn from a list of all that are free: where most of them are wanted, chance would find the last ones late."""
    first, second = np.triu_indices(n, 1)
    free = np.setdiff1d(first * np.int64(n) + second, known, assume_unique=True)
    return rng.choice(free, count, replace=False)


def _drawn(known: Index, n: int, count: int, rng: np.random.Generator) -> Index:
    """Codes drawn until enough are free and different."""
    found = np.empty(0, np.int64)
    while len(found) < count:
        a, b = rng.integers(n, size=(2, 2 * (count - len(found)) + 16))
        codes = np.minimum(a, b) * np.int64(n) + np.maximum(a, b)
        codes = codes[(a != b) & ~_among(codes, known)]
        fresh = codes[~_among(codes, np.sort(found))]
        _, first = np.unique(fresh, return_index=True)
        found = np.concatenate([found, fresh[np.sort(first)]])[:count]
    return found


def _among(codes: Index, known: Index) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """Whether each code is among the known ones, which are sorted."""
    if not len(known):
        return np.zeros(len(codes), np.bool_)
    return np.asarray(known[np.searchsorted(known, codes).clip(max=len(known) - 1)] == codes)


def link_fingerprint(of_graph: str) -> str:
    """The fingerprint of a task on the edges of a graph, which other predictions on that graph do not share; as everywhere, how the items
    are split is no part of it."""
    return hashlib.sha256(f"links {of_graph}".encode()).hexdigest()


def training_edges(data: GraphData, split: Split) -> Index:
    """[2, 2 x edges]: the edges of the training part, both ways: all that anything fitted on this split may know of the graph."""
    assert data.pairs is not None, "items are not pairs"
    edges = data.pairs[:, split.train[data.y[split.train] == 1]]
    return sorted_edges(edges, data.num_nodes, undirected=True)


def leaks(data: GraphData, split: Split) -> Iterator[str]:
    """What a split of pairs gives away, in words; nothing for one that ``link_task`` made."""
    assert data.pairs is not None, "items are not pairs"
    codes = {
        name: pair_codes(data.pairs[:, part], data.num_nodes)
        for name, part in (("train", split.train), ("val", split.val), ("test", split.test))
    }
    for one, other in (("train", "val"), ("train", "test"), ("val", "test")):
        if shared := len(np.intersect1d(codes[one], codes[other])):
            yield f"{shared} pairs are in both {one} and {other}, whatever the order of their ends"
    edges = distinct(pair_codes(data.edge_index, data.num_nodes))
    for name, part in (("val", split.val), ("test", split.test)):
        if false := int((_among(codes[name], edges) != (data.y[part] == 1)).sum()):
            yield f"{false} pairs of {name} are called an edge and are none, or the other way round"


def pair_codes(pairs: Index, n: int) -> Index:
    """A number for each pair [2, pairs] of ``n`` nodes that does not depend on the order of its ends."""
    return np.asarray(pairs.min(axis=0) * np.int64(n) + pairs.max(axis=0))


def protocol(splits: tuple[Split, ...], edges: int, negatives: int = 1) -> str:
    """The line that describes splits of edges."""
    val, test = (len(part) // (1 + negatives) for part in (splits[0].val, splits[0].test))
    train = edges - val - test
    shares = "/".join(f"{100 * part / edges:.0f}" for part in (train, val, test))
    others = "as many pairs without an edge" if negatives == 1 else f"{negatives} pairs without an edge to each of validation and test"
    return f"{len(splits)} random splits of {edges} edges, {shares} %, {train}/{val}/{test}, {others}"
