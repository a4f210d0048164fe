"""check_task finds what would make scores wrong or weak, and is silent about sound data."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from agentnas.tools.metrics import METRICS
from agentnas.tools.tasks import GraphData, Split, Task, check_task, load_task
from agentnas.tools.tasks.base import sorted_edges

NODES = 400


def sound() -> Task:
    rng = np.random.default_rng(0)
    ring = np.stack([np.arange(NODES), (np.arange(NODES) + 1) % NODES])
    y = np.arange(NODES, dtype=np.int64) % 4
    x = rng.normal(size=(NODES, 5)).astype(np.float32)
    data = GraphData(x, sorted_edges(ring, NODES, undirected=True), y, 4)
    split = Split(np.arange(100), np.arange(100, 250), np.arange(250, 400))
    return Task("ring", METRICS["accuracy"], "one split", 1, data.fingerprint(), "own", data, (split,))


def changed(**changes: object) -> Task:
    """The sound task with fields of its data replaced."""
    task = sound()
    assert task.data is not None
    return dataclasses.replace(task, data=dataclasses.replace(task.data, **changes))  # type: ignore[arg-type]


def with_split(train: np.ndarray, val: np.ndarray, test: np.ndarray) -> Task:
    return dataclasses.replace(sound(), splits=(Split(train, val, test),))


def codes(task: Task) -> dict[str, str]:
    return {problem.code: problem.severity for problem in check_task(task)}


def edges(*extra: tuple[int, int]) -> np.ndarray:
    data = sound().data
    assert data is not None
    return np.concatenate([data.edge_index, np.array(extra, dtype=np.int64).reshape(-1, 2).T], axis=1)


def features(column: int, value: float) -> np.ndarray:
    data = sound().data
    assert isinstance(data, GraphData)
    x = np.array(data.x)
    x[:, column] = value
    return x


def test_sound_data_has_no_problems() -> None:
    assert check_task(sound()) == []


@pytest.mark.parametrize(
    ("task", "code", "severity"),
    [
        (changed(edge_index=edges((0, 1))), "duplicate-edges", "warning"),
        (changed(edge_index=edges((3, 3))), "self-loops", "note"),
        (changed(edge_index=edges((0, 7))), "nearly-undirected", "warning"),
        (changed(edge_index=np.stack([np.arange(NODES), np.roll(np.arange(NODES), 1)])), "directed", "note"),
        (changed(edge_index=np.stack([np.arange(NODES - 1), np.arange(1, NODES)])), "edges-listed-once", "warning"),
        (changed(edge_index=edges((0, NODES))), "edge-range", "error"),
        (changed(edge_index=np.zeros((2, 0), np.int64)), "no-edges", "warning"),
        (changed(edge_index=edges()[:, (edges() != 5).all(axis=0)]), "isolated-nodes", "note"),
        (changed(x=features(2, 1.0)), "constant-features", "note"),
        (changed(x=features(2, np.nan)), "features-not-finite", "error"),
        (changed(x=sp.csr_matrix(np.tril(np.ones((NODES, 5)), -1), dtype=np.float32)), "empty-rows", "note"),
        (changed(y=np.arange(NODES) % 5), "label-range", "error"),
        (changed(y=np.arange(NODES) % 3), "empty-class", "warning"),
        (changed(y=np.where(np.arange(NODES) % 10, 0, np.arange(NODES) % 4)), "imbalance", "warning"),
        (changed(y=np.where(np.arange(NODES) == 399, -1, np.arange(NODES) % 4)), "unlabelled", "note"),
        (changed(y=np.where(np.arange(NODES) == 399, -1, np.arange(NODES) % 4)), "unlabelled-in-split", "error"),
        (with_split(np.arange(101), np.arange(100, 250), np.arange(250, 400)), "leak", "error"),
        (with_split(np.arange(0), np.arange(100, 250), np.arange(250, 400)), "empty-part", "error"),
        (with_split(np.arange(100), np.arange(100, 250), np.arange(250, 401)), "split-range", "error"),
        (with_split(np.zeros(8, np.int64), np.arange(100, 250), np.arange(250, 400)), "repeated-in-split", "error"),
        (with_split(np.arange(0, 100, 2), np.arange(100, 250), np.arange(250, 400)), "class-absent-from-train", "warning"),
        (with_split(np.arange(100), np.arange(100, 250, 4), np.arange(250, 400)), "class-absent-from-val", "note"),
        (with_split(np.arange(100), np.arange(100, 150), np.arange(250, 400)), "small-val", "warning"),
        (dataclasses.replace(sound(), name="cora"), "fingerprint", "warning"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_problem_is_found(task: Task, code: str, severity: str) -> None:
    assert codes(task)[code] == severity


def test_the_gravest_comes_first_and_splits_are_numbered() -> None:
    good, leaking = sound().splits[0], Split(np.arange(120), np.arange(100, 250), np.arange(250, 400))
    task = dataclasses.replace(changed(edge_index=edges((3, 3))), splits=(good, leaking), num_splits=2)
    assert [str(problem) for problem in check_task(task)] == [
        "error: nodes are in both train and val (20) (splits 1) [leak]",
        "note: 1 nodes have an edge to themselves [self-loops]",
    ]


def test_the_public_data_sets_have_no_errors_and_known_fingerprints(data_dir: Path) -> None:
    for name in ("cora", "citeseer", "photo", "cs", "texas", "wisconsin", "actor", "minesweeper", "digits"):
        found = codes(load_task(name, data_dir=data_dir, download=False))
        assert "error" not in found.values()
        assert "fingerprint" not in found
    assert check_task(load_task("nasbench:cora")) == []
