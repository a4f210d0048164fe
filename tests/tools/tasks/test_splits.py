"""Random splits are balanced, fixed and disjoint; every protocol says what it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentnas.tools.errors import UsageError
from agentnas.tools.tasks import Task, load_task
from agentnas.tools.tasks.splits import SplitRequest, random_split


@pytest.fixture(scope="module")
def digits() -> Task:
    return load_task("digits")


def test_digits_needs_no_files_and_is_a_symmetric_neighbour_graph(digits: Task) -> None:
    data = digits.data
    assert data is not None
    assert (data.num_nodes, data.num_edges, data.num_features, data.num_classes) == (1797, 12618, 64, 10)
    edges = set(map(tuple, data.edge_index.T.tolist()))
    assert all((target, source) in edges and source != target for source, target in edges)
    assert np.bincount(data.edge_index[0]).min() >= 5
    assert digits.protocol == "10 random splits, 20/30/rest per class, 200/300/1297"


@settings(max_examples=40, deadline=None, derandomize=True)
@given(train=st.integers(1, 6), val=st.integers(1, 6), seed=st.integers(0, 1000))
def test_random_splits_are_balanced_disjoint_and_reproducible(train: int, val: int, seed: int) -> None:
    y = np.random.default_rng(seed).permutation(np.repeat([-1, 0, 1, 2], 15))
    split = random_split(y, SplitRequest("random", train, val), seed)
    again = random_split(y, SplitRequest("random", train, val), seed)
    assert np.bincount(y[split.train]).tolist() == [train] * 3
    assert np.bincount(y[split.val]).tolist() == [val] * 3
    together = np.concatenate([split.train, split.val, split.test])
    assert np.array_equal(np.sort(together), np.flatnonzero(y >= 0))
    assert all(
        np.array_equal(a, b) for a, b in zip((split.train, split.val, split.test), (again.train, again.val, again.test), strict=True)
    )


def test_seeds_choose_splits_in_turn_and_splits_differ(digits: Task) -> None:
    assert digits.num_splits == 10
    assert digits.split(13) is digits.splits[3]
    assert not np.array_equal(digits.split(0).train, digits.split(1).train)


def test_the_first_random_split_never_changes(digits: Task) -> None:
    assert digits.split(0).train[:6].tolist() == [14, 16, 17, 19, 23, 24]


def test_sizes_per_class_can_be_chosen() -> None:
    task = load_task("digits", split="random:5/10")
    assert task.protocol == "10 random splits, 5/10/rest per class, 50/100/1647"
    assert task.split_name == "random:5/10"
    assert load_task("digits", split="random:20/30").split_name == "random"


def test_protocols_of_the_public_data_sets(data_dir: Path) -> None:
    protocols = {
        ("cora", None): "public split, 140/500/1000",
        ("citeseer", None): "public split, 120/500/1000",
        ("cora", "random"): "10 random splits, 20/30/rest per class, 140/210/2358",
        ("cora", "geom-gcn"): "10 geom-gcn splits, 1192/796/497",
        ("texas", None): "10 geom-gcn splits, 87/59/37",
        ("minesweeper", None): "10 splits of the data set, 5000/2500/2500",
    }
    for (name, split), protocol in protocols.items():
        assert load_task(name, data_dir=data_dir, split=split, download=False).protocol == protocol


@pytest.mark.parametrize(
    ("name", "split", "message"),
    [
        ("cora", "publik", "split 'publik' does not exist for cora; did you mean public"),
        ("digits", "public", "does not exist for digits; allowed: random, random:TRAIN_PER_CLASS/VAL_PER_CLASS"),
        ("digits", "random:0/5", "does not exist for digits"),
        ("digits", "random:5", "does not exist for digits"),
        ("digits", "random:200/100", r"needs more than 300 nodes in each class, class 0 has 178"),
        ("nasbench:cora", "random", "a table has its own"),
    ],
)
def test_splits_that_do_not_exist(name: str, split: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load_task(name, split=split, download=False)


def test_a_class_that_is_too_small_for_a_random_split_is_named(data_dir: Path) -> None:
    with pytest.raises(UsageError, match="class 1 has 1; give smaller numbers"):
        load_task("texas", data_dir=data_dir, split="random:1/1", download=False)
