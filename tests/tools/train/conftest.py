"""A small task on which graph networks learn something within a few epochs."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from agentnas.tools.metrics import metric
from agentnas.tools.tasks.base import GraphData, Split, Task, sorted_edges
from agentnas.tools.train.data import PreparedTask

CLASSES, PER_CLASS, FEATURES = 3, 60, 24


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def make_task(*, noise: float = 0.9, metric_name: str = "accuracy", classes: int = CLASSES) -> Task:
    """Blocks of 60 nodes that mostly link among themselves, with faint binary features; 4 training and 10 validation nodes a class."""
    draw = np.random.default_rng(0)
    y = np.repeat(np.arange(classes), PER_CLASS)
    n = len(y)
    chance = np.where(y[:, None] == y[None, :], 0.06, 0.005)
    source, target = np.nonzero(np.triu(draw.random((n, n)) < chance, 1))
    x = (draw.random((n, FEATURES)) < np.where(np.arange(FEATURES) % classes == y[:, None], 1 - noise, 0.05)).astype(np.float32)
    x[np.arange(n), draw.integers(FEATURES, size=n)] = 1.0
    edges = sorted_edges(np.stack([source, target]).astype(np.int64), n, undirected=True)
    order = [draw.permutation(np.flatnonzero(y == c)) for c in range(classes)]
    splits = tuple(
        Split(*(np.sort(np.concatenate([nodes[(np.arange(PER_CLASS) + shift) % PER_CLASS][part] for nodes in order])) for part in PARTS))
        for shift in (0, 20)
    )
    return Task(
        name="blocks", metric=metric(metric_name), protocol="test", num_splits=2, fingerprint="", split_name="test",
        data=GraphData(sp.csr_matrix(x), edges, y, classes), splits=splits,
    )  # fmt: skip


PARTS = (slice(0, 4), slice(4, 14), slice(14, None))


@pytest.fixture(scope="session")
def task() -> Task:
    return make_task()


@pytest.fixture(scope="session")
def prepared(task: Task) -> PreparedTask:
    return PreparedTask.from_task(task)
