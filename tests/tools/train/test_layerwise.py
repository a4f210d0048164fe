"""Passes layer by layer: the numbers of a pass over the whole graph, for the nodes that are asked for."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from agentnas.tools.nn.graph import Graph
from agentnas.tools.nn.network import Network, build_network
from agentnas.tools.nn.sparse import Features
from agentnas.tools.operators.base import operator_module, operators
from agentnas.tools.spec.model import parse_spec
from agentnas.tools.train import layerwise
from agentnas.tools.train.data import PreparedTask
from agentnas.tools.train.layerwise import Layerwise, in_pieces, reach_of
from agentnas.tools.train.trainer import train

NODES, WIDTH = 90, 6
REACH = {
    "edges": {"gat", "gatv2", "hgt", "rgcn", "transformer"},
    "matrix": {"arma", "gcn", "gin", "gine", "graphconv", "pna", "sage"},
    "rows": {"mlp"},
}  # the others look further, or at edges that leave a node


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layerwise, "PIECE_ROWS", 20)
    monkeypatch.setattr(layerwise, "PIECE_EDGES", 30)


def graph(attributes: int = 0, types: int = 1) -> Graph:
    """A directed graph with a hub that has more edges than a piece."""
    draw = torch.Generator().manual_seed(1)
    hub = torch.stack([torch.arange(1, 60), torch.zeros(59, dtype=torch.long)])
    index = torch.unique(torch.cat([torch.randint(NODES, (2, 300), generator=draw), hub], 1), dim=1)
    attr = torch.rand(index.shape[1], attributes, generator=draw) if attributes else None
    kinds = (torch.randint(types, (count,), generator=draw) if types > 1 else None for count in (index.shape[1], NODES))
    return Graph(index, NODES, None, attr, *kinds)


def network(nodes: list[dict[str, Any]], attributes: int = 0, types: int = 1, **parts: Any) -> Network:
    torch.manual_seed(0)
    made = parse_spec({"body": {"nodes": nodes, "outputs": [nodes[-1]["id"]]}, **parts})
    kinds = (types, types)
    sizes = {"in_channels": WIDTH, "out_channels": 3, "encoding_channels": made.input.encoding_channels, "edge_channels": attributes}
    return build_network(made, **sizes, types=kinds).eval()


def check(net: Network, g: Graph, x: Features | None = None, encodings: torch.Tensor | None = None) -> None:
    x = torch.randn(NODES, WIDTH) if x is None else x
    with torch.no_grad():
        wanted = net(x, g, encodings)
    by_layers = Layerwise(net, x, g, encodings)
    torch.testing.assert_close(by_layers.outputs(net), wanted, atol=1e-5, rtol=1e-4)
    for items in (torch.tensor([40, 0, 7]), torch.tensor([3])):
        torch.testing.assert_close(by_layers.outputs(net, items), wanted[items], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("attributes", [0, 2])
@pytest.mark.parametrize("op", list(operators()))
def test_every_operator_gives_what_it_gives_on_the_whole_graph(op: str, attributes: int) -> None:
    wide = {"width": WIDTH} if operators()[op].has_width else {}
    nodes = [{"id": "a", "op": op, **wide, "activation": "relu"}, {"id": "b", "op": op, **wide, "inputs": ["a"], "norm": "batch"}]
    check(network(nodes, attributes), graph(attributes))
    if operators()[op].uses_types:
        check(network(nodes, attributes, types=3), graph(attributes, types=3))


@pytest.mark.parametrize("op", sorted(set(operators()) - {"identity"}))
def test_how_far_an_operator_reaches_is_found(op: str) -> None:
    assert _reach(op) == next((reach for reach, found in REACH.items() if op in found), "whole")


@pytest.mark.parametrize(("width", "hidden"), [(16, 256), (512, 256), (1433, 64)])
def test_rounding_in_wide_layers_is_not_taken_for_reach(width: int, hidden: int) -> None:
    made = parse_spec({"body": {"nodes": [{"id": "a", "op": "pna", "width": hidden}], "outputs": ["a"]}})
    layout = build_network(made, in_channels=width, out_channels=3).layout
    assert reach_of(layout, next(step for step in layout.steps if step.module == "n1")) == "matrix"


def test_an_operator_that_cannot_be_tried_passes_over_the_whole_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing(self: Any, x: torch.Tensor, g: Graph) -> torch.Tensor:
        raise RuntimeError("this operator asks for more than twelve nodes")

    monkeypatch.setattr(operator_module("gcn"), "forward", refusing)
    layerwise._measured.cache_clear()
    assert _reach("gcn") == "whole"
    layerwise._measured.cache_clear()


def _reach(op: str) -> str:
    net = network([{"id": "a", "op": op, **({"width": WIDTH} if operators()[op].has_width else {})}])
    return reach_of(net.layout, next(step for step in net.layout.steps if step.module == "n1"))


def test_bodies_of_many_kinds() -> None:
    branches: list[dict[str, Any]] = [
        {"id": "a", "op": "gcn", "width": 8, "residual": True},
        {"id": "b", "op": "gat", "width": 8, "inputs": ["a", "input"], "merge": "concat", "norm": "pair"},
        {"id": "c", "op": "appnp", "inputs": ["b"]},
        {"id": "d", "op": "sage", "width": 5, "inputs": ["a", "c"], "merge": "gate"},
    ]
    encoded = {"encoder": "mlp", "width": 7, "encodings": [{"kind": "degree", "dim": 4}]}
    check(network(branches, input=encoded), graph(), encodings=torch.rand(NODES, 4))
    check(network(branches, head={"decoder": "mlp"}), graph())
    jump = parse_spec({"body": {"nodes": branches, "outputs": ["a", "d", "input"], "jump": "attention"}})
    torch.manual_seed(0)
    check(build_network(jump, in_channels=WIDTH, out_channels=3).eval(), graph())


def test_few_outputs_ask_for_their_neighbourhood_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    ring = torch.arange(NODES)
    g = Graph(torch.stack([ring, (ring + 1) % NODES]), NODES)
    net = network([{"id": "a", "op": "gcn", "width": 8}, {"id": "b", "op": "gcn", "width": 8, "inputs": ["a"]}])
    by_layers = Layerwise(net, torch.randn(NODES, WIDTH), g, None)
    seen: list[int] = []
    real = layerwise.Piece.__init__

    def noting(piece: layerwise.Piece, whole: Graph, targets: torch.Tensor, number: torch.Tensor) -> None:
        seen.append(targets.numel())
        real(piece, whole, targets, number)

    monkeypatch.setattr(layerwise.Piece, "__init__", noting)
    by_layers.outputs(net, torch.tensor([5, 50]))
    assert seen == [4, 2]


@pytest.mark.parametrize("batching", [{"batching": "neighbour", "batch_size": 5}, {"batching": "cluster", "clusters": 3}])
def test_training_on_parts_chooses_by_the_same_numbers(batching: dict[str, Any], task: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = [{"id": "a", "op": "gcn", "width": 8, "dropout": 0.5}, {"id": "b", "op": "sage", "width": 8, "inputs": ["a"]}]
    made = parse_spec({"body": {"nodes": nodes, "outputs": ["b"]}, "recipe": {"epochs": 4, **batching}})
    prepared = PreparedTask.from_task(task)
    assert in_pieces(prepared.num_nodes, prepared.num_edges)
    pieces = train(made, prepared, split=0, seed=0)
    monkeypatch.setattr(layerwise, "PIECE_ROWS", 2**20)
    monkeypatch.setattr(layerwise, "PIECE_EDGES", 2**20)
    whole = train(made, prepared, split=0, seed=0)
    assert pieces.curve == whole.curve
    assert all(torch.equal(value, whole.state_dict[name]) for name, value in pieces.state_dict.items())
