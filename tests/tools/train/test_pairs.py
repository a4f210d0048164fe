"""What a network that predicts links is shown: no hidden edge in messages or encodings, and no edge that a step is to learn."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agentnas.tools.baselines.links import adamic_adar, fit_factors, fit_katz, fit_shared, pair_table, training_graph
from agentnas.tools.metrics import metric
from agentnas.tools.nn.graph import Graph
from agentnas.tools.spec.model import ArchitectureSpec, parse_spec
from agentnas.tools.tasks.base import GraphData, Task, sorted_edges
from agentnas.tools.tasks.pairs import identity_features, link_task, training_edges
from agentnas.tools.train.data import SPLITS_KEPT, PreparedTask
from agentnas.tools.train.trainer import network_for, predict, train
from agentnas.tools.train.views import PairView

ENCODINGS = [{"kind": "degree", "dim": 4}, {"kind": "random_walk", "dim": 4}, {"kind": "laplacian", "dim": 4}]


def blocks(n: int = 60, seed: int = 0, splits: int = 6, attributes: bool = False) -> Task:
    """Two blocks of nodes that mostly link among themselves."""
    draw = np.random.default_rng(seed)
    side = np.arange(n) % 2
    chance = np.where(side[:, None] == side[None, :], 0.4, 0.02)
    edges = sorted_edges(np.stack(np.nonzero(np.triu(draw.random((n, n)) < chance, 1))).astype(np.int64), n, undirected=True)
    attr = np.stack([edges.min(axis=0), edges.max(axis=0)], axis=1).astype(np.float32) if attributes else None
    data, made = link_task(GraphData(identity_features(n), edges, np.full(n, -1, np.int64), 1, attr), splits)
    return Task("blocks", metric("roc_auc"), "test", len(made), "", "links", data, made)


def spec(decoder: str = "mlp", encodings: list[dict[str, Any]] | None = None, structure: str = "none", **recipe: Any) -> ArchitectureSpec:
    usual = {"batching": "minibatch", "batch_size": 40, "epochs": 30, "patience": 0, "learning_rate": 0.02, "weight_decay": 0.0}
    nodes = [{"id": "a", "op": "gcn", "width": 16, "activation": "relu"}, {"id": "b", "op": "gcn", "width": 16, "inputs": ["a"]}]
    head = {"kind": "link", "decoder": decoder, "width": 16, "pair_features": structure}
    given = {"encodings": encodings or []}
    return parse_spec({"input": given, "body": {"nodes": nodes, "outputs": ["b"]}, "head": head, "recipe": usual | recipe})


def codes(pairs: torch.Tensor, n: int) -> set[int]:
    return set((pairs.min(0).values * n + pairs.max(0).values).tolist())


def of(task: Task) -> tuple[GraphData, torch.Tensor]:
    assert task.data is not None
    assert task.data.pairs is not None
    return task.data, torch.from_numpy(task.data.pairs)


def view(task: Task, split: int, **recipe: Any) -> PairView:
    prepared = PreparedTask.from_task(task)
    design = spec(**recipe)
    found = PairView(network_for(design, prepared, prepared.features(design.input, split)), prepared, split)
    labels = prepared.labels(split)
    found.set_labels(labels.train, labels.y_train)
    return found


@settings(max_examples=20, deadline=None, derandomize=True)
@given(seed=st.integers(0, 99), split=st.integers(0, 9), batch=st.sampled_from(["full", 3, 50, 1000]), attributes=st.booleans())
def test_messages_hold_neither_hidden_edges_nor_those_of_the_step(seed: int, split: int, batch: str | int, attributes: bool) -> None:
    task = blocks(30, seed, attributes=attributes)
    data, pairs = of(task)
    n, parts = data.num_nodes, task.split(split)
    hidden = {name: codes(pairs[:, part[data.y[part] == 1]], n) for name, part in (("val", parts.val), ("test", parts.test))}
    training = codes(pairs[:, parts.train[data.y[parts.train] == 1]], n)
    recipe = {"batching": "full"} if batch == "full" else {"batch_size": batch}
    torch.manual_seed(seed)
    learned: list[int] = []
    for step in view(task, split, **recipe):
        assert step.pairs is not None
        messages, targets = codes(step.graph.edge_index, n), codes(step.pairs[:, step.y == 1], n)
        others = codes(step.pairs[:, step.y == 0], n)
        assert messages == training - targets
        assert targets <= training
        assert not others & training
        assert not messages & (hidden["val"] | hidden["test"])
        assert len(targets) <= (len(training) + 1) // 2
        assert (step.pairs[0] != step.pairs[1]).all()
        if attributes:
            assert step.graph.edge_attr is not None
            ends = step.graph.edge_index
            assert torch.equal(step.graph.edge_attr, torch.stack([ends.min(0).values, ends.max(0).values], 1).float())
        learned += targets
    assert sorted(learned) == sorted(training)  # an epoch learns each edge once


def with_other_tests(task: Task) -> Task:
    """The task with all test pairs of the first split replaced, edges and others, also in the graph."""
    data, pairs = of(task)
    test = task.split(0).test
    other = pairs.numpy().copy()
    other[:, test] = np.random.default_rng(1).integers(data.num_nodes, size=(2, len(test)))
    kept = np.concatenate([task.split(0).train, task.split(0).val])
    edges = other[:, kept[data.y[kept] == 1]]
    return replace(task, data=replace(data, pairs=other, edge_index=sorted_edges(edges, data.num_nodes, undirected=True)))


HEADS = [("dot", "none"), ("mlp", "none"), ("common_neighbour", "none"), ("dot", "structure"), ("mlp", "structure")]


@pytest.mark.parametrize(("decoder", "structure"), HEADS)
def test_hidden_pairs_change_nothing_that_is_trained(decoder: str, structure: str) -> None:
    """Neither a weight nor a validation score moves with the test pairs."""
    design, task = spec(decoder, ENCODINGS, structure, epochs=3), blocks()
    one, two = (train(design, PreparedTask.from_task(shown), split=0, seed=0) for shown in (task, with_other_tests(task)))
    assert one.curve == two.curve
    assert all(torch.equal(value, two.state_dict[name]) for name, value in one.state_dict.items())


def test_hidden_pairs_change_nothing_that_baselines_say() -> None:
    """Nor does what is computed without a network: not the graph, not what it says of validation pairs."""
    task = blocks()
    other, split = with_other_tests(task), task.split(0)
    assert (training_graph(task, split) != training_graph(other, split)).nnz == 0
    assert training_graph(task, split).nnz == training_edges(of(task)[0], split).shape[1]
    for fit in (partial(fit_shared, weigh=adamic_adar), fit_katz, fit_factors):
        one, two = (fit(shown, split) for shown in (task, other))
        assert (one.setting, one.val) == (two.setting, two.val)
        np.testing.assert_array_equal(one.predict(split.val), two.predict(split.val))
    kept = np.concatenate([split.train, split.val])
    np.testing.assert_array_equal(*(pair_table(shown, training_graph(shown, split))[kept] for shown in (task, other)))


@pytest.mark.parametrize(("decoder", "structure"), HEADS)
def test_training_learns_and_predictions_repeat_its_scores(decoder: str, structure: str) -> None:
    task, design = blocks(), spec(decoder, structure=structure)
    prepared = PreparedTask.from_task(task)
    result = train(design, prepared, split=1, seed=0)
    scores = predict(design, prepared, 1, result.state_dict)
    assert result.val > (80 if structure == "none" else 75)  # within a block nothing tells an edge; numbers are not learned by heart
    assert prepared.val_score(scores, 1) == pytest.approx(result.val)
    assert prepared.test_score(scores, 1) > 75
    parts = task.split(1)
    own = np.concatenate([parts.train, parts.val, parts.test])
    assert np.isfinite(scores[own]).all()
    assert np.isnan(np.delete(scores, own, axis=0)).all()


def test_encodings_are_of_the_edges_that_messages_pass_along() -> None:
    task = blocks()
    prepared = PreparedTask.from_task(task)
    part = spec(encodings=ENCODINGS).input
    for split in (0, 1):
        alone = PreparedTask.from_task(task)
        alone.graph = prepared.messages(split)
        alone._messages[split] = alone.graph
        expected, found = alone.features(part, split).encodings, prepared.features(part, split).encodings
        assert expected is not None
        assert found is not None
        assert torch.equal(found, expected)
    assert not torch.equal(*(prepared.features(part, split).encodings for split in (0, 1)))  # type: ignore[arg-type]


def test_messages_of_few_splits_are_kept_and_made_again_alike() -> None:
    prepared = PreparedTask.from_task(blocks())
    first = prepared.messages(0).edge_index
    kept = [prepared.messages(split) for split in range(prepared.num_splits)]
    assert len(prepared._messages) == SPLITS_KEPT < len(kept)
    assert torch.equal(prepared.messages(0).edge_index, first)


def test_outputs_do_not_depend_on_the_pieces_they_are_made_in(monkeypatch: pytest.MonkeyPatch) -> None:
    task = blocks()
    prepared = PreparedTask.from_task(task)
    for decoder, structure in HEADS:
        design = spec(decoder, structure=structure)
        torch.manual_seed(0)
        network = network_for(design, prepared, prepared.features(design.input, 0)).eval()
        shown = PairView(network, prepared, 0)
        with torch.no_grad():
            whole = shown.outputs(network)
            monkeypatch.setattr("agentnas.tools.nn.pairs.MOST_SCORED", 7)
            monkeypatch.setattr("agentnas.tools.nn.pairs.MOST_LOOKED_AT", 50)
            torch.testing.assert_close(shown.outputs(network), whole)
            monkeypatch.undo()


def test_edges_that_are_masked_have_no_common_neighbours() -> None:
    """On a device edges are taken out by a mask; what is left must be as if they were gone."""
    from agentnas.tools.nn.pairs import common_neighbours

    data, pairs = of(blocks())
    graph = Graph(torch.from_numpy(data.edge_index), data.num_nodes)
    keep = torch.rand(graph.num_edges, generator=torch.Generator().manual_seed(0)) > 0.4
    masked, gone = graph._mask(keep), graph._select(keep)
    found = [set(zip(*(t.tolist() for t in common_neighbours(g, pairs)), strict=True)) for g in (masked, gone, graph)]
    assert found[0] == found[1] < found[2]


def test_common_neighbours_of_a_graph_without_edges_are_none() -> None:
    from agentnas.tools.nn.pairs import common_neighbours

    none = Graph(torch.empty(2, 0, dtype=torch.long), 5)
    pair, node = common_neighbours(none, torch.tensor([[0, 1], [2, 3]]))
    assert pair.numel() == node.numel() == 0
