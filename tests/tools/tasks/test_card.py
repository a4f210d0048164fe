"""Task cards: numbers that agree with other implementations, a vector of fixed meaning, and no look at test labels by the probes."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch_geometric.utils import homophily as pyg_homophily

from agentnas.tools.metrics import METRICS
from agentnas.tools.tasks import GraphData, Split, Task, TaskCard, load_task, make_card
from agentnas.tools.tasks.base import sorted_edges
from agentnas.tools.tasks.card import vector_names
from agentnas.tools.tasks.probes import probe, undirected
from agentnas.tools.tasks.structure import clustering, homophily, structure


@pytest.fixture(scope="module")
def cora(data_dir: Path) -> Task:
    return load_task("cora", data_dir=data_dir)


def two_groups(*, in_edges: bool, in_features: bool) -> Task:
    """200 nodes of two classes whose labels show in the edges, in the features, or in neither."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 100).astype(np.int64)
    ends = np.stack([rng.integers(0, 200, 1500), rng.integers(0, 200, 1500)])
    if in_edges:
        ends = ends[:, y[ends[0]] == y[ends[1]]]
    x = rng.normal(size=(200, 8)).astype(np.float32) + (3 * y[:, None] if in_features else 0)
    data = GraphData(x.astype(np.float32), sorted_edges(ends, 200, undirected=True, self_loops=False), y, 2)
    parts = rng.permutation(200)
    split = Split(np.sort(parts[:40]), np.sort(parts[40:120]), np.sort(parts[120:]))
    return Task("toy", METRICS["accuracy"], "one split, 40/80/80", 1, data.fingerprint(), "own", data, (split,))


def test_the_card_of_cora(cora: Task) -> None:
    start = time.perf_counter()
    card = make_card(cora)
    assert time.perf_counter() - start < 5
    assert card.text().splitlines()[:7] == [
        "task: cora, node classification, accuracy, public split, 140/500/1000",
        "size: 2708 nodes, 10556 edges, 1433 features, 7 classes",
        "degree: mean 3.90, median 3.0, max 168",
        "shape: 0 isolated nodes, 78 components, clustering 0.25",
        "homophily: edges 0.82, nodes 0.83, adjusted 0.79 (training and validation labels)",
        "features: density 0.0127",
        "labels: train/val/test 140/500/1000, label rate 0.0517, class balance 0.96",
    ]
    assert card.probe_majority == pytest.approx(31.6)
    assert card.probe_features == pytest.approx(58, abs=3)
    assert card.probe_label_propagation == pytest.approx(70, abs=3)
    assert card.probe_linear_propagation == pytest.approx(78, abs=3)


def test_homophily_agrees_with_pyg(cora: Task) -> None:
    assert cora.data is not None
    found = homophily(cora.data, np.arange(cora.data.num_nodes))
    edge_index, y = torch.from_numpy(cora.data.edge_index), torch.from_numpy(cora.data.y)
    assert found["edge_homophily"] == pytest.approx(pyg_homophily(edge_index, y, method="edge"), abs=1e-6)
    assert found["node_homophily"] == pytest.approx(pyg_homophily(edge_index, y, method="node"), abs=1e-6)


def test_heterophily_as_published(data_dir: Path) -> None:
    # Platonov et al. 2023, table 1.
    for name, adjusted in (("actor", 0.00), ("minesweeper", 0.01)):
        data = load_task(name, data_dir=data_dir).data
        assert data is not None
        assert homophily(data, np.arange(data.num_nodes))["adjusted_homophily"] == pytest.approx(adjusted, abs=0.01)


def test_homophily_of_the_labels_at_hand_is_near_that_of_all(data_dir: Path) -> None:
    for name in ("cora", "photo", "texas", "minesweeper"):
        task = load_task(name, data_dir=data_dir)
        assert task.data is not None
        whole, card = homophily(task.data, np.arange(task.data.num_nodes)), make_card(task)
        assert card.edge_homophily == pytest.approx(whole["edge_homophily"], abs=0.08), name


def test_few_labelled_edges_say_nothing() -> None:
    y = np.zeros(40, np.int64)
    ring = np.stack([np.arange(40), np.roll(np.arange(40), -1)])
    data = GraphData(np.ones((40, 2), np.float32), sorted_edges(ring, 40, undirected=True, self_loops=False), y, 2)
    assert homophily(data, np.arange(11))["edge_homophily"] == 1.0
    few = homophily(data, np.arange(10))
    assert (few["edge_homophily"], few["node_homophily"], few["adjusted_homophily"]) == (None, None, None)


def test_structure_agrees_with_networkx() -> None:
    rng = np.random.default_rng(1)
    edges = sorted_edges(rng.integers(0, 60, size=(2, 120)), 60)
    data = GraphData(np.ones((60, 2), np.float32), edges, np.zeros(60, np.int64), 1)
    graph = nx.Graph()
    graph.add_nodes_from(range(60))
    graph.add_edges_from((a, b) for a, b in edges.T.tolist() if a != b)
    degrees = [degree for _, degree in graph.degree()]
    found = structure(data)
    assert found["mean_degree"] == pytest.approx(np.mean(degrees))
    assert (found["median_degree"], found["max_degree"]) == (np.median(degrees), max(degrees))
    assert found["isolated_nodes"] == degrees.count(0)
    assert found["components"] == nx.number_connected_components(graph)
    assert clustering(undirected(data)) == pytest.approx(nx.average_clustering(graph))


def test_probes_say_where_the_labels_show() -> None:
    edges, features, neither = (
        probe(two_groups(in_edges=edges, in_features=features)) for edges, features in ((True, False), (False, True), (False, False))
    )
    assert edges.label_propagation > 95
    assert edges.features < 70
    assert features.features > 95
    assert features.label_propagation < 70
    assert max(neither.label_propagation, neither.features) < 70


def test_the_feature_probe_is_a_logistic_regression(data_dir: Path) -> None:
    task = load_task("texas", data_dir=data_dir)
    assert task.data is not None
    split, x = task.split(0), task.data.x.toarray()
    x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-9)
    best = 0.0
    for penalty in (1e-4, 1e-3, 1e-2):
        model = LogisticRegression(C=1 / (penalty * len(split.train)), max_iter=2000)
        best = max(best, 100 * model.fit(x[split.train], task.data.y[split.train]).score(x[split.val], task.data.y[split.val]))
    assert probe(task).features == pytest.approx(best, abs=3.5)


def test_the_card_does_not_read_test_labels(cora: Task) -> None:
    for task in (two_groups(in_edges=True, in_features=True), cora):
        assert task.data is not None
        y, split = task.data.y.copy(), task.split(0)
        outside = np.setdiff1d(np.arange(len(y)), np.concatenate([split.train, split.val]))
        y[outside] = np.random.default_rng(0).permutation(y[outside])
        assert (y != task.data.y).any()
        other = dataclasses.replace(task, data=dataclasses.replace(task.data, y=y))
        assert make_card(task) == make_card(other)


def test_vectors_lie_in_the_unit_cube_and_tell_tasks_apart(cora: Task, data_dir: Path) -> None:
    vectors = {"cora": make_card(cora).vector(), "table": make_card(load_task("nasbench:cora")).vector()}
    vectors |= {name: make_card(load_task(name, data_dir=data_dir)).vector() for name in ("citeseer", "texas", "minesweeper")}
    for vector in vectors.values():
        assert len(vector) == len(vector_names())
        assert all(0 <= value <= 1 for value in vector)
    distance = {name: float(np.linalg.norm(np.subtract(vectors["cora"], vector))) for name, vector in vectors.items()}
    assert distance["citeseer"] < min(distance["texas"], distance["minesweeper"])


def test_unknown_is_the_middle_in_the_vector_and_a_question_mark_in_the_text() -> None:
    card = make_card(load_task("nasbench:arxiv"))
    assert dict(zip(vector_names(), card.vector(), strict=True))["clustering"] == 0.5
    assert dict(zip(vector_names(), card.vector(), strict=True))["edge_homophily"] == 0.5
    assert "homophily: edges 0.65 (published, over all labels)" in card.text()
    assert "class balance ?" in card.text()


def test_a_card_survives_json(cora: Task) -> None:
    card = make_card(cora)
    assert TaskCard.model_validate_json(card.model_dump_json()) == card
