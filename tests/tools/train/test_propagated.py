"""Propagation that is computed once: the same numbers as on the whole graph, and as seldom as promised."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from agentnas.tools.nn.sparse import Pattern, SparseFeatures
from agentnas.tools.spec.model import ArchitectureSpec, parse_spec
from agentnas.tools.train import propagated as module
from agentnas.tools.train.data import PreparedTask
from agentnas.tools.train.memory import Held
from agentnas.tools.train.trainer import Session, network_for, predict, train
from agentnas.tools.train.views import view_of

HOPS = [{"id": "h1", "op": "sgc", "params": {"hops": 1}}, {"id": "h2", "op": "sgc", "params": {"hops": 1}, "inputs": ["h1"]}]
OUT = {"id": "o", "op": "mlp", "width": "out"}
BODIES: dict[str, list[dict[str, Any]]] = {
    "sgc": [{"id": "h", "op": "sgc", "params": {"hops": 3, "average": True}}, {**OUT, "inputs": ["h"]}],
    "sign": [*HOPS, {"id": "m", "op": "mlp", "width": 16, "inputs": ["input", "h1", "h2"], "merge": "concat"}, {**OUT, "inputs": ["m"]}],
    "appnp": [
        {"id": "h", "op": "appnp", "activation": "relu", "residual": True},
        {"id": "m", "op": "mlp", "width": 16, "inputs": ["h"], "norm": "layer", "activation": "elu"},
        {**OUT, "inputs": ["m", "h"], "merge": "gate"},
    ],
    "mlp": [{"id": "m", "op": "mlp", "width": 16, "activation": "relu"}, {**OUT, "inputs": ["m"]}],
}
ENCODED = {"scale": "row", "encodings": [{"kind": "random_walk", "dim": 4}]}


def spec(body: str, source: dict[str, Any] | None = None, **recipe: Any) -> ArchitectureSpec:
    nodes = {"nodes": BODIES[body], "outputs": ["o"]}
    return parse_spec({"input": source or {}, "body": nodes, "head": {"decoder": "none"}, "recipe": {"epochs": 5, **recipe}})


def gradients(chosen: ArchitectureSpec, prepared: PreparedTask) -> dict[str, torch.Tensor]:
    """Of one step on all labels, with the weights of a seed."""
    torch.manual_seed(0)
    session = Session(chosen, prepared, 0, 5)
    (batch,) = session.batches
    session.network.train()
    torch.autograd.backward(session.loss(batch))
    return {name: weight.grad for name, weight in session.network.named_parameters() if weight.grad is not None}


@pytest.mark.parametrize("piece_bytes", [module.PIECE_BYTES, 4 * 180 * 5], ids=["all columns", "five columns at a time"])
@pytest.mark.parametrize("source", [{}, ENCODED], ids=["plain", "encoded"])
@pytest.mark.parametrize("body", BODIES)
def test_rows_give_what_the_whole_graph_gives(
    body: str, source: dict[str, Any], piece_bytes: int, task: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PIECE_BYTES", piece_bytes)
    rows, whole = spec(body, source, batching="precomputed"), spec(body, source)
    prepared, other = PreparedTask.from_task(task), PreparedTask.from_task(task)
    network = network_for(rows, prepared, prepared.features(rows.input)).eval()
    items = torch.tensor([5, 3, 170])
    with torch.no_grad():
        wanted = network(other.features(whole.input).x, other.graph, other.features(whole.input).encodings)
        view = view_of(network, prepared, 0)
        torch.testing.assert_close(view.outputs(network), wanted, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(view.outputs(network, items), wanted[items], atol=1e-5, rtol=1e-5)
    found, expected = gradients(rows, prepared), gradients(whole, other)
    assert found.keys() == expected.keys() != set()
    for name, gradient in found.items():
        torch.testing.assert_close(gradient, expected[name], atol=1e-5, rtol=1e-4)


def test_it_is_computed_once_for_training_and_predicting(task: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    real = module.propagated

    def counted(*args: Any) -> dict[str, torch.Tensor]:
        calls.append(1)
        return real(*args)

    monkeypatch.setattr(module, "propagated", counted)
    prepared, chosen = PreparedTask.from_task(task), spec("sign", batching="precomputed")
    for seed in (0, 1):
        predict(chosen, prepared, 0, train(chosen, prepared, split=0, seed=seed).state_dict)
    assert len(calls) == 1
    train(spec("mlp"), prepared, split=0, seed=0)
    assert prepared._propagated == {}  # what no training reads is not kept in memory
    train(chosen, prepared, split=0, seed=0)
    assert len(calls) == 2


@pytest.mark.parametrize("then", ["gcn", "mlp"])
def test_a_prefix_is_kept_on_the_whole_graph_too_and_changes_no_bit(then: str, task: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = [{"id": "h", "op": "sgc"}, {"id": "c", "op": then, "width": 8, "inputs": ["h"], "dropout": 0.5}, {**OUT, "inputs": ["c"]}]
    chosen = parse_spec({"body": {"nodes": nodes, "outputs": ["o"]}, "head": {"decoder": "none"}, "recipe": {"epochs": 4}})
    kept = train(chosen, PreparedTask.from_task(task), split=0, seed=3)
    monkeypatch.setattr(module, "kept_nodes", lambda network: ())
    again = train(chosen, PreparedTask.from_task(task), split=0, seed=3)
    assert kept.curve == again.curve
    assert all(torch.equal(value, again.state_dict[name]) for name, value in kept.state_dict.items())


@pytest.mark.parametrize(("size", "sizes"), [(1024, [12]), (5, [4, 4, 4]), (11, [6, 6])])
def test_an_epoch_shows_each_label_once_in_batches_of_like_size(prepared: PreparedTask, size: int, sizes: list[int]) -> None:
    session = Session(spec("sign", batching="precomputed", batch_size=size), prepared, 0, 5)
    batches = list(session.batches)
    assert [batch.y.numel() for batch in batches] == sizes
    assert sorted(torch.cat([batch.y for batch in batches]).tolist()) == sorted(session.labels.y_train.tolist())


def test_later_labels_and_smoothing_find_their_rows(prepared: PreparedTask) -> None:
    chosen = spec("sign", batching="precomputed", self_training_rounds=1, self_training_per_class=3)
    posted = chosen.model_copy(update={"post": parse_spec({"post": {"kind": "correct_and_smooth"}}).post})
    found = train(posted, prepared, split=0, seed=0)
    assert found.details["pseudo_labels"] > 0
    assert predict(posted, prepared, 0, found.state_dict).shape == (180, 3)


def test_raw_features_are_gathered_where_they_are_read_alone(prepared: PreparedTask) -> None:
    columns = {body: next(iter(Session(spec(body, batching="precomputed"), prepared, 0, 5).batches)).data.x.shape[1] for body in BODIES}
    assert columns == {"sgc": 0, "sign": prepared.num_features, "appnp": 0, "mlp": prepared.num_features}


def test_columns_of_sparse_features_take_no_square_of_their_number() -> None:
    dense = torch.eye(400)[:30]
    sparse = SparseFeatures(Pattern(*dense.nonzero().t(), (30, 400)), torch.ones(30))
    with Held() as held:
        found = module._columns(sparse, slice(10, 15))
    torch.testing.assert_close(found, dense[:, 10:15])
    assert max(held.moments) < 400 * 400
