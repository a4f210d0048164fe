"""Memory predicted from four tiny graphs is what a step holds on a larger one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from agentnas.tools.evaluate.live import LiveEvaluator
from agentnas.tools.nn.network import build_network
from agentnas.tools.nn.sparse import hear_beta_warning
from agentnas.tools.operators.base import operators
from agentnas.tools.room import MIB
from agentnas.tools.sizes import Sizes
from agentnas.tools.spec.model import ArchitectureSpec, parse_spec
from agentnas.tools.train.memory import Held, _extended, _moments, predicted_mib
from agentnas.tools.workers import TaskRef, WorkerPool
from tests.tools.candidates import write_operators

SIZES = (300, 1500, 900)  # nodes, edges, non-zeros


def spec(op: str, width: int = 16, **recipe: Any) -> ArchitectureSpec:
    wide = {"width": width} if operators()[op].has_width else {}
    nodes = [{"id": "a", "op": op, **wide, "activation": "elu", "dropout": 0.5}, {"id": "b", "op": op, "inputs": ["a"]}]
    return parse_spec({"body": {"nodes": nodes, "outputs": ["b"]}, "recipe": recipe})


@pytest.mark.parametrize("recipe", [{}, {"drop_edge": 0.3, "drop_node": 0.1, "feature_dropout": 0.1, "consistency_samples": 2}])
@pytest.mark.parametrize("op", list(operators()))
def test_moments_extend_to_a_larger_graph(op: str, recipe: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentnas.tools.nn.sparse.LEAST", 2**62)  # as a device steps, also on the larger graph
    design = spec(op, **recipe)
    network = build_network(design, in_channels=40, out_channels=5)
    for sparse in (False, True):
        held = float(_moments(network, design.recipe, SIZES, sparse).max())
        assert _extended(network, design.recipe, SIZES, sparse) == pytest.approx(held, rel=0.05)


@pytest.mark.parametrize("op", ["mlp", "pna", "sage"])
def test_the_first_design_that_a_process_weighs_is_weighed_like_any_other(op: str) -> None:
    design = spec(op)
    network = build_network(design, in_channels=40, out_channels=5)
    hear_beta_warning.cache_clear()  # as in a process that has made no sparse matrix yet
    first, second = (_extended(network, design.recipe, SIZES, True) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("op", ["gat", "gatv2", "transformer"])
def test_operators_over_edges_hold_a_value_an_edge_and_channel(op: str) -> None:
    """Their backward pass gathers both ends of each edge."""
    edges, width = 1_000_000, 256
    found = predicted_mib(spec(op, width), Sizes(100_000, edges, 128, 16))
    assert found > 2 * 4 * edges * width / MIB


def test_predictions_grow_with_what_is_asked() -> None:
    sizes = Sizes(100_000, 1_000_000, 128, 16)
    narrow, wide = (predicted_mib(spec("gcn", width), sizes) for width in (16, 512))
    twice = predicted_mib(spec("gcn", 512, consistency_samples=2), sizes)
    assert narrow + 500 < wide < twice - 300


def test_rows_of_what_was_propagated_take_less_than_the_graph() -> None:
    nodes = [{"id": "a", "op": "sgc"}, {"id": "b", "op": "mlp", "width": 256, "inputs": ["a"]}]
    whole = parse_spec({"body": {"nodes": nodes, "outputs": ["b"]}})
    rows = parse_spec({"body": {"nodes": nodes, "outputs": ["b"]}, "recipe": {"batching": "precomputed"}})
    sizes = Sizes(1_000_000, 10_000_000, 64, 10)
    values = 4 * sizes.num_nodes * sizes.in_channels / MIB
    assert 2 * values < predicted_mib(rows, sizes) < 0.5 * predicted_mib(whole, sizes)


DECODERS = ("dot", "mlp", "common_neighbour")  # the last one looks at edges too
HEADS: list[dict[str, Any]] = [{"kind": "graph", "decoder": "mlp"}, *({"kind": "link", "decoder": name} for name in DECODERS)]
HEADS.append({"kind": "link", "decoder": "mlp", "pair_features": "structure"})


def named(head: dict[str, Any]) -> str:
    return "-".join(head.values())


def headed(head: dict[str, Any], **recipe: Any) -> ArchitectureSpec:
    nodes = [{"id": "a", "op": "gcn", "width": 8}]
    return parse_spec({"body": {"nodes": nodes, "outputs": ["a"]}, "head": {"width": 256, **head}, "recipe": recipe})


@pytest.mark.parametrize("items", [40, 280])
@pytest.mark.parametrize("head", HEADS[:3], ids=named)
def test_moments_extend_to_more_graphs_and_more_pairs(head: dict[str, Any], items: int) -> None:
    network = build_network(headed(head), in_channels=8, out_channels=3 if head["kind"] == "graph" else 1)
    sizes = (300, 1500, 0, items)
    held = float(_moments(network, network.spec.recipe, sizes, False).max())
    assert _extended(network, network.spec.recipe, sizes, False) == pytest.approx(held, rel=0.05)


@pytest.mark.parametrize("head", HEADS, ids=named)
def test_predictions_grow_with_the_items_of_a_step(head: dict[str, Any]) -> None:
    one, many = Sizes(3000, 20_000, 8, 1), 100_000
    axis = {"num_graphs": 2000} if head["kind"] == "graph" else {"pairs": 2 * many, "validated": 10, "looked_at": 5.0}
    found = [predicted_mib(headed(head, batching="full"), sizes) for sizes in (one, replace(one, **axis))]
    wide = 8 if head["decoder"] == "dot" else 256
    assert found[1] > found[0] + 4 * wide * (2000 if head["kind"] == "graph" else many) / MIB
    if head["kind"] == "link":
        assert predicted_mib(headed(head, batching="minibatch", batch_size=512), replace(one, **axis)) < found[1] - 4 * wide * many / MIB


def test_what_is_measured_on_cora() -> None:
    """Allocated on an H100 in trainings of cora, in MiB (docs/gpu.md)."""
    cora = Sizes(2708, 10556, 1433, 7, 49216)
    nodes = [{"id": "a", "op": "gat", "width": 256, "dropout": 0.5}, {"id": "b", "op": "gat", "inputs": ["a"], "width": "out"}]
    gat = parse_spec({"body": {"nodes": nodes, "outputs": ["b"]}, "head": {"decoder": "none"}})
    assert 0.9 < predicted_mib(gat, cora) / 89 < 4


def test_held_counts_what_lives() -> None:
    with Held() as held:
        a = torch.zeros(1000)
        b = a.view(10, 100) + 1
        del a
        c = b.t() * 2
        b.add_(1)
        del b, c
        torch.zeros(10)
    assert held.moments == [0, 4000, 8000, 8000, 40]


def test_a_random_state_stays() -> None:
    before = torch.get_rng_state()
    predicted_mib(spec("mlp", 24), Sizes(100, 100, 8, 3))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_candidate_that_cannot_be_probed_is_left_to_its_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_operators(tmp_path)
    monkeypatch.setenv("AGENTNAS_OPERATORS", str(tmp_path))
    sizes = Sizes(100, 400, 8, 3)
    evaluator = LiveEvaluator.__new__(LiveEvaluator)
    evaluator._sizes, evaluator._pool = sizes, WorkerPool(TaskRef("digits"), 1, "cuda")
    assert evaluator._device_mib(spec("raiser")) is None
    assert evaluator._device_mib(spec("gcn")) == predicted_mib(spec("gcn"), sizes)
    evaluator._pool = WorkerPool(TaskRef("digits"), 1, "cpu")
    assert evaluator._device_mib(spec("gcn")) is None
