"""Several labels and values of nodes through a training: what is learned, with every batching, and what is unknown is left out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from agentnas.tools.nn.sparse import as_dense
from agentnas.tools.spec.model import ArchitectureSpec, parse_spec
from agentnas.tools.tasks import load_task
from agentnas.tools.train.data import PreparedTask
from agentnas.tools.train.targets import ManyLabels
from agentnas.tools.train.trainer import network_for, predict, train
from agentnas.tools.train.views import view_of

BATCHINGS: list[dict[str, Any]] = [
    {"batching": "full"}, {"batching": "cluster", "clusters": 4}, {"batching": "neighbour", "batch_size": 128, "fanout": 5},
]  # fmt: skip


def spec(op: str = "sage", edges: str = "as_given", **recipe: Any) -> ArchitectureSpec:
    nodes = [{"id": "a", "op": op, "width": 32, "activation": "relu"}]
    more = {"learning_rate": 0.02, "epochs": 40, "weight_decay": 0.0, **recipe}
    return parse_spec({"input": {"edges": edges}, "body": {"nodes": nodes, "outputs": ["a"]}, "recipe": more})


@pytest.mark.parametrize("batching", BATCHINGS, ids=lambda batching: batching["batching"])
@pytest.mark.parametrize(("name", "least"), [("labels", 75.0), ("value", 30.0)])
def test_labels_and_values_are_learned_with_every_batching(name: str, least: float, batching: dict[str, Any]) -> None:
    prepared = PreparedTask.from_task(load_task(f"generated:{name},nodes=600,features=6"))
    result = train(spec(**batching), prepared, split=0, seed=0)
    assert result.val > least
    found = predict(spec(**batching), prepared, 0, result.state_dict)
    assert found.shape == (600, 4 if name == "labels" else 1)
    assert prepared.val_score(found, 0) == pytest.approx(result.val)


def test_a_label_that_is_not_known_teaches_nothing() -> None:
    outputs = torch.randn(5, 3, requires_grad=True)
    y = torch.tensor([[1.0, 0.0, float("nan")]] * 5)
    loss = ManyLabels().loss(outputs, y, 0.0)
    (gradient,) = torch.autograd.grad(loss, outputs)
    assert torch.isfinite(loss)
    assert (gradient[:, 2] == 0).all()
    assert (gradient[:, :2] != 0).all()


def test_unknown_labels_of_training_change_nothing_by_their_value() -> None:
    task = load_task("generated:labels,nodes=300,features=4")
    assert task.data is not None
    y = task.data.y.copy()
    y[task.split(0).train[:20]] = np.nan
    result = train(spec(epochs=3), PreparedTask.from_task(replace(task, data=replace(task.data, y=y))), split=0, seed=0)
    assert np.isfinite(result.val)


@pytest.mark.parametrize("batching", BATCHINGS, ids=lambda batching: batching["batching"])
def test_types_go_with_every_batch(batching: dict[str, Any]) -> None:
    prepared = PreparedTask.from_task(load_task("generated:hetero,nodes=500,features=4"))
    one = spec("hgt", **batching)
    view, labels = view_of(network_for(one, prepared, prepared.features(one.input)), prepared, 0), prepared.labels(0)
    view.set_labels(labels.train, labels.y_train)
    seen = set()
    for batch in view:
        kinds, edges = batch.graph.node_type, batch.graph.edge_type
        assert kinds is not None
        assert edges is not None
        assert torch.equal(as_dense(batch.data.x)[:, :2].argmax(1), kinds)  # the first columns say the type
        source, target = batch.graph.edge_index
        assert torch.equal(kinds[target] == 1, edges == 2)  # users buy in shops
        assert torch.equal(kinds[source] == 1, edges == 3)  # shops sell to users
        seen |= set(edges.tolist())
    assert seen >= {0, 1, 3}  # within one hop of users nothing leads to shops


@pytest.mark.parametrize(("op", "name"), [("dirgnn", "directed"), ("rgcn", "hetero"), ("hgt", "hetero")])
def test_operators_that_see_the_structure_win_where_it_decides(op: str, name: str) -> None:
    prepared = PreparedTask.from_task(load_task(f"generated:{name},nodes=1500,features=8"))
    blind = max(train(spec("sage", edges), prepared, split=0, seed=0).val for edges in ("as_given", "both"))
    assert train(spec(op), prepared, split=0, seed=0).val > blind + 5


@pytest.mark.parametrize("edges", ["both", "reversed"])
def test_messages_flow_as_the_input_says(edges: str) -> None:
    task = load_task("generated:directed,nodes=300")
    assert task.data is not None
    ends = task.data.edge_index[::-1] if edges == "reversed" else np.concatenate([task.data.edge_index, task.data.edge_index[::-1]], 1)
    ends = np.unique(ends, axis=1)
    told = PreparedTask.from_task(task)
    made = PreparedTask.from_task(replace(task, data=replace(task.data, edge_index=ends)))
    one, other = (train(spec(edges=way, epochs=5), prepared, split=0, seed=0) for way, prepared in ((edges, told), ("as_given", made)))
    assert one.val == other.val
    assert all(torch.equal(one.state_dict[name], other.state_dict[name]) for name in one.state_dict)
