"""Splits of edges: what is hidden stays hidden, what is no edge is none, and what cannot be split is refused in one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from agentnas.tools.errors import UsageError
from agentnas.tools.tasks import load_task
from agentnas.tools.tasks.base import GraphData, Split, sorted_edges
from agentnas.tools.tasks.pairs import MOST_COLUMNS, identity_features, leaks, link_task, no_edges, protocol, training_edges


def graph(n: int, share: float, seed: int = 0, loops: bool = False, attributes: bool = False) -> GraphData:
    """A random undirected graph with ``share`` of all pairs."""
    draw = np.random.default_rng(seed)
    ends = np.stack(np.nonzero(np.triu(draw.random((n, n)) < share, 0 if loops else 1))).astype(np.int64)
    edges = sorted_edges(ends, n, undirected=True)
    lesser, greater = edges.min(axis=0), edges.max(axis=0)
    attr = np.stack([lesser, greater], axis=1).astype(np.float32) if attributes else None
    return GraphData(identity_features(n), edges, np.full(n, -1, np.int64), 1, attr)


def codes(pairs: np.ndarray, n: int) -> set[int]:
    return set((pairs.min(axis=0) * n + pairs.max(axis=0)).tolist())


def parts(split: Split) -> tuple[np.ndarray, ...]:
    return split.train, split.val, split.test


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    n=st.integers(15, 60), share=st.floats(0.08, 0.48), seed=st.integers(0, 99), loops=st.booleans(), attributes=st.booleans(),
    val=st.integers(1, 30), test=st.integers(1, 30), negatives=st.integers(1, 3),
)  # fmt: skip
def test_no_hidden_edge_is_known_and_no_other_pair_is_an_edge(
    n: int, share: float, seed: int, loops: bool, attributes: bool, val: int, test: int, negatives: int
) -> None:
    data = graph(n, share, seed, loops, attributes)
    try:
        linked, splits = link_task(data, 3, val / 100, test / 100, negatives)
    except UsageError:
        assume(False)
    assert linked.pairs is not None
    assert (linked.pairs[0] != linked.pairs[1]).all()
    every = codes(data.edge_index[:, data.edge_index[0] != data.edge_index[1]], n)
    assert codes(linked.pairs[:, linked.y == 1], n) == every
    for split in splits:
        found = [codes(linked.pairs[:, part], n) for part in parts(split)]
        edges = [codes(linked.pairs[:, part[linked.y[part] == 1]], n) for part in parts(split)]
        others = [codes(linked.pairs[:, part[linked.y[part] == 0]], n) for part in parts(split)]
        assert sum(map(len, found)) == len(set.union(*found)) == sum(split.sizes)  # distinct, and no pair is in two parts
        assert set.union(*edges) == every
        assert not set.union(*others) & every
        assert [len(other) for other in others] == [len(edges[0]), negatives * len(edges[1]), negatives * len(edges[2])]
        assert all((np.diff(part) > 0).all() for part in parts(split))
        known = training_edges(linked, split)
        assert codes(known, n) == edges[0]
        assert known.shape[1] == 2 * len(edges[0])
        assert not list(leaks(linked, split))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(n=st.integers(5, 40), seed=st.integers(0, 99), wanted=st.floats(0.01, 1.0))
def test_pairs_without_an_edge_are_different_and_may_be_all_there_are(n: int, seed: int, wanted: float) -> None:
    data = graph(n, 0.3, seed)
    known = np.array(sorted(codes(data.edge_index, n)), np.int64)
    free = n * (n - 1) // 2 - len(known)
    count = max(1, round(wanted * free))
    found = no_edges(known, n, count, np.random.default_rng(seed))
    assert len(codes(found, n)) == found.shape[1] == count
    assert (found[0] < found[1]).all()
    assert not codes(found, n) & set(known.tolist())


def test_pairs_without_an_edge_are_drawn_evenly() -> None:
    n, known = 12, np.array([1, 5, 30], np.int64)
    drawn = [no_edges(known, n, 10, np.random.default_rng(seed)) for seed in range(2000)]
    counts = np.bincount(np.concatenate([d[0] * n + d[1] for d in drawn]), minlength=n * n)
    counts = counts[counts > 0]
    assert len(counts) == 63
    assert np.abs(counts / counts.mean() - 1).max() < 0.25


def test_the_same_seed_gives_the_same_split_and_splits_differ() -> None:
    data = graph(50, 0.2)
    (one, first), (two, second) = link_task(data), link_task(data)
    assert one.fingerprint() == two.fingerprint()
    assert all(np.array_equal(a, b) for x, y in zip(first, second, strict=True) for a, b in zip(parts(x), parts(y), strict=True))
    assert not np.array_equal(first[0].test, first[1].test)
    assert len(first) == 10


def test_edge_attributes_stay_with_their_edges() -> None:
    linked, _ = link_task(graph(30, 0.3, loops=True, attributes=True))
    assert linked.edge_attr is not None
    assert (linked.edge_index[0] != linked.edge_index[1]).all()
    assert np.array_equal(linked.edge_attr, np.stack([linked.edge_index.min(axis=0), linked.edge_index.max(axis=0)], axis=1))


@pytest.mark.parametrize(
    ("data", "arguments", "message"),
    [
        (graph(9, 0.3), {}, "needs 40 edges or more"),
        (graph(30, 0.9), {}, "no more than half of all pairs"),
        (graph(30, 0.3), {"val": 0.0}, "hides 0 and 10 % of the edges; allowed: more than 0 each"),
        (graph(30, 0.3), {"val": 0.5, "test": 0.5}, "together 90 at most"),
        (graph(30, 0.3), {"negatives": 0}, "pairs without an edge to each edge: 0; allowed: 1 to 1000"),
        (graph(30, 0.3), {"negatives": 40}, "pairs without an edge are asked for, the graph has"),
        (graph(30, 0.3), {"splits": 0}, "number of splits: 0"),
    ],
)
def test_what_cannot_be_split_is_refused_in_one_line(data: GraphData, arguments: dict[str, int], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        link_task(data, **arguments)
    assert "\n" not in str(caught.value)


def test_a_direction_that_would_be_lost_is_refused() -> None:
    data = graph(30, 0.3)
    one_way = GraphData(data.x, data.edge_index[:, 1:], data.y, 1)
    with pytest.raises(UsageError, match=r"takes edges as going both ways, but 1 of \d+ have no edge back"):
        link_task(one_way)


def test_a_graph_in_pieces_is_split_like_any_other() -> None:
    one = graph(20, 0.4)
    edges = np.concatenate([one.edge_index, one.edge_index + 20], axis=1)
    linked, splits = link_task(GraphData(identity_features(50), edges, np.full(50, -1, np.int64), 1))
    assert linked.num_nodes == 50
    assert not list(leaks(linked, splits[0]))


def test_leaks_are_found() -> None:
    linked, (split, *_) = link_task(graph(30, 0.3))
    assert linked.pairs is not None
    pairs = linked.pairs.copy()
    pairs[:, split.test[0]] = pairs[::-1, split.train[0]]
    pairs[:, split.val[-1]] = pairs[:, split.val[0]]
    told = list(leaks(GraphData(linked.x, linked.edge_index, linked.y, 1, pairs=pairs), split))
    assert told == [
        "1 pairs are in both train and test, whatever the order of their ends",
        "1 pairs of val are called an edge and are none, or the other way round",
    ]


def test_nodes_without_features_are_named_by_columns_that_do_not_grow_with_the_graph() -> None:
    small, large = identity_features(7), identity_features(200_000)
    assert (small != sp.identity(7)).nnz == 0
    assert large.shape == (200_000, MOST_COLUMNS)
    assert large.nnz <= 4 * 200_000
    rows = [tuple(large.indices[large.indptr[i] : large.indptr[i + 1]]) for i in range(50_000)]
    assert len(set(rows)) == 50_000
    assert (identity_features(200_000) != large).nnz == 0


def test_protocols_say_what_was_split() -> None:
    data = graph(60, 0.3)
    edges = data.num_edges // 2
    _, splits = link_task(data, 2, 0.1, 0.2, 3)
    val, test = round(0.1 * edges), round(0.2 * edges)
    assert protocol(splits, edges, 3) == (
        f"2 random splits of {edges} edges, 70/10/20 %, {edges - val - test}/{val}/{test}, 3 pairs without an edge to each of validation"
        " and test"
    )


def test_shares_and_negatives_can_be_asked_for(data_dir: Path) -> None:
    usual, other = load_task("usair", data_dir=data_dir), load_task("usair", data_dir=data_dir, split="links:10/20/5")
    assert usual.protocol == "10 random splits of 2126 edges, 85/5/10 %, 1807/106/213, as many pairs without an edge"
    assert (usual.split_name, other.split_name) == ("links", "links:10/20/5")
    assert other.protocol.startswith("10 random splits of 2126 edges, 70/10/20 %, 1488/213/425, 5 pairs without an edge to each")
    assert other.split(0).sizes == (2 * 1488, 6 * 213, 6 * 425)
    assert usual.fingerprint == other.fingerprint  # what is split, not how
    assert load_task("usair", data_dir=data_dir, split="links:5/10").split_name == "links"
    with pytest.raises(UsageError, match=r"links:VAL_PERCENT/TEST_PERCENT"):
        load_task("usair", data_dir=data_dir, split="links:x")
    with pytest.raises(UsageError, match=r"links:5/10' does not exist for digits"):
        load_task("digits", split="links:5/10")
