"""Cards of tasks other than node classification: what they say, what they must not have seen, and vectors that lie apart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import networkx as nx
import numpy as np
import pytest

from agentnas.tools.metrics import Metric, metric
from agentnas.tools.tasks import GraphData, Split, Task, TaskCard, load_task, make_card
from agentnas.tools.tasks.base import sorted_edges
from agentnas.tools.tasks.card import AIMS, NODES, vector_names
from agentnas.tools.tasks.folds import folds
from agentnas.tools.tasks.kind_facts import assortativity, reciprocity
from agentnas.tools.tasks.pairs import link_task

SIZE = 80


def ring(n: int) -> np.ndarray:
    return sorted_edges(np.stack([np.arange(n), np.roll(np.arange(n), -1)]), n, undirected=True)


def task_of(data: GraphData, score: Metric, splits: tuple[Split, ...] = ()) -> Task:
    parts = np.split(np.random.default_rng(0).permutation(data.num_items), [data.num_items // 2, 3 * data.num_items // 4])
    return Task("made", score, "made up", 1, "", "own", data, splits or (Split(*map(np.sort, parts)),))


def values() -> Task:
    """A ring whose values rise and fall slowly: neighbours are alike; one feature tells a half of it."""
    value = 10 + 3 * np.sin(2 * np.pi * np.arange(SIZE) / SIZE)
    x = np.stack([value > 10, np.ones(SIZE)], 1).astype(np.float32)
    return task_of(GraphData(x, ring(SIZE), value.astype(np.float32), 1), metric("rmse", float(value.std())))


def labels() -> Task:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(SIZE, 3)).astype(np.float32)
    y = np.where(rng.random((SIZE, 3)) < 0.1, np.nan, x > [0.0, 0.5, 1.0]).astype(np.float32)
    return task_of(GraphData(x, ring(SIZE), y, 3), metric("roc_auc"))


def graphs(target: str = "classes") -> Task:
    made = [nx.cycle_graph(5 + i % 7) if i % 2 else nx.star_graph(4 + i % 7) for i in range(40)]
    union = nx.disjoint_union_all(made)
    edges = sorted_edges(np.array(list(union.edges), dtype=np.int64).T, len(union), undirected=True)
    y = np.arange(40, dtype=np.int64) % 2 if target == "classes" else np.array([len(graph) for graph in made], np.float32)
    data = GraphData(
        np.ones((len(union), 2), np.float32), edges, y, 2 if target == "classes" else 1,
        np.ones((edges.shape[1], 3), np.float32), np.repeat(np.arange(40), [len(graph) for graph in made]),
    )  # fmt: skip
    return task_of(data, metric("accuracy") if target == "classes" else metric("mae", 2.0), folds(y, data.labelled))


def pairs() -> Task:
    graph = nx.planted_partition_graph(5, 12, 0.7, 0.02, seed=3)
    edges = sorted_edges(np.array(list(graph.edges), dtype=np.int64).T, 60, undirected=True)
    linked, splits = link_task(GraphData(np.eye(60, dtype=np.float32), edges, np.full(60, -1, np.int64), 1), splits=2)
    return task_of(linked, metric("roc_auc"), splits)


MADE = {"values": values, "labels": labels, "graphs": graphs, "sizes": lambda: graphs("value"), "pairs": pairs}


def test_what_a_card_of_values_says() -> None:
    lines = make_card(values()).text().splitlines()
    assert lines[0] == "task: made, node regression, rmse, made up"
    assert lines[1] == "size: 80 nodes, 160 edges, 2 features"
    assert lines[-2].startswith("values: train/val/test 40/20/20, mean ")
    assert lines[-1].startswith("validation: best constant ")
    assert lines[-1].endswith("(rmse, lower is better)")
    card = make_card(values())
    assert card.assortativity == pytest.approx(1.0, abs=0.02)
    assert card.probe_neighbours is not None
    assert card.probe_features is not None
    assert card.probe_neighbours > card.probe_features > 40


def test_what_a_card_of_labels_says() -> None:
    lines = make_card(labels()).text().splitlines()
    assert lines[:2] == [
        "task: made, node classification with several labels, roc_auc, made up",
        "size: 80 nodes, 160 edges, 3 features, 3 labels an item",
    ]
    told = next(line for line in lines if line.startswith("labels:"))
    assert told.startswith("labels: train/val/test 40/20/20, share of a label from 0.")
    assert " of them known; correlation of neighbours " in told


def test_what_a_card_of_graphs_says() -> None:
    card = make_card(graphs())
    assert card.text().splitlines()[:2] == [
        "task: made, graph classification, accuracy, made up",
        f"size: 40 graphs of 5 to 11 nodes (median 8), together {card.nodes} nodes, {card.edges} edges, 2 features, 2 classes",
    ]
    assert "edges: 3 edge attributes" in card.text()
    assert card.probe_structure == 100.0
    assert "homophily" not in card.text()


def test_what_a_card_of_pairs_says() -> None:
    card = make_card(pairs())
    assert card.text().splitlines()[0] == "task: made, link prediction, roc_auc, made up"
    assert "(of the training edges)" in card.text()
    assert "common neighbours" in card.text().splitlines()[-1]
    assert card.probe_neighbours is not None
    assert card.probe_neighbours > 75
    assert card.probe_features == 50.0  # a node's feature is itself: no two are alike


@pytest.mark.parametrize("name", MADE)
def test_a_card_reads_no_test_label(name: str) -> None:
    task = MADE[name]()
    assert task.data is not None
    y, test = task.data.y.copy(), task.split(0).test
    y[test] = 1 - y[test]
    assert make_card(task) == make_card(replace(task, data=replace(task.data, y=y)))


def test_a_card_of_pairs_knows_the_training_edges_alone() -> None:
    task = pairs()
    assert task.data is not None
    assert task.data.pairs is not None
    train = task.split(0).train
    kept = task.data.pairs[:, train[task.data.y[train] == 1]]
    blind = replace(task, data=replace(task.data, edge_index=sorted_edges(kept, 60, undirected=True)))
    seen, told = make_card(task), make_card(blind)
    assert seen.model_copy(update={"edges": 0}) == told.model_copy(update={"edges": 0})
    graph = nx.Graph(kept.T.tolist())
    graph.add_nodes_from(range(60))
    assert seen.clustering == pytest.approx(nx.average_clustering(graph))


@pytest.mark.parametrize("name", MADE)
def test_vectors_lie_in_the_unit_cube_and_survive_json(name: str) -> None:
    card = make_card(MADE[name]())
    assert card.aim in AIMS
    assert len(card.vector()) == len(vector_names(card.aim)) != len(vector_names(NODES))
    assert all(0 <= value <= 1 for value in card.vector())
    assert TaskCard.model_validate_json(card.model_dump_json()) == card


def test_graphs_of_one_kind_are_nearer_than_those_of_another(data_dir: Path) -> None:
    cards = {name: make_card(load_task(name, data_dir=data_dir)).vector() for name in ("mutag", "proteins", "usair")}
    near, far = (float(np.linalg.norm(np.subtract(cards["mutag"], cards[name]))) for name in ("proteins", "usair"))
    assert near < far


def test_reciprocity_and_assortativity_are_networkxs() -> None:
    graph = nx.gnp_random_graph(30, 0.15, seed=4, directed=True)
    rng = np.random.default_rng(2)
    value = rng.normal(size=30).astype(np.float32)
    data = GraphData(np.ones((30, 1), np.float32), sorted_edges(np.array(list(graph.edges)).T, 30), value, 1)
    assert reciprocity(data) == pytest.approx(nx.reciprocity(graph))
    nx.set_node_attributes(graph, dict(enumerate(value.tolist())), "value")
    assert assortativity(data, np.arange(30)) == pytest.approx(nx.numeric_assortativity_coefficient(graph, "value"), abs=1e-5)


def test_types_and_directions_are_told() -> None:
    task = values()
    assert task.data is not None
    one_way = sorted_edges(np.stack([np.arange(SIZE), np.roll(np.arange(SIZE), -1)]), SIZE)
    typed = replace(task.data, edge_index=one_way, node_type=np.arange(SIZE) % 3, edge_type=np.arange(SIZE) % 2)
    told = make_card(replace(task, data=typed)).text()
    line = next(line for line in told.splitlines() if line.startswith("edges: "))
    assert line.startswith("edges: directed, reciprocity 0.00, direction score ")
    assert "; degree, shape and propagation on this card take edges both ways and say nothing of direction; " in line
    assert "both ways" not in make_card(task).text()
    assert line.endswith("; heterogeneous: 3 types of nodes, 2 types of edges (relations)")


def test_labels_of_one_kind_in_validation_leave_a_probe_out() -> None:
    task = labels()
    assert task.data is not None
    y = task.data.y.copy()
    y[task.split(0).val] = 1.0
    card = make_card(replace(task, data=replace(task.data, y=y)))
    assert (card.probe_majority, card.probe_features) == (None, None)
    assert card.text().splitlines()[-1] == "validation: "
