from __future__ import annotations

from typing import Any, get_args

import pytest
import torch
from torch import Tensor

from agentnas.tools.nn.flops import count_flops
from agentnas.tools.nn.network import Network, build_network, count_parameters
from agentnas.tools.operators.base import operators
from agentnas.tools.spec import model
from agentnas.tools.spec.model import Recipe, parse_spec
from tests.tools.nn.making import FEATURES, NODES, features, graph, sparse

CLASSES = 3


def network(body: list[dict[str, Any]], outputs: list[str], jump: str = "concat", **parts: Any) -> Network:
    torch.manual_seed(0)
    encodings = sum(e.get("dim", 8) for e in parts.get("input", {}).get("encodings", []))
    edges = parts.pop("edge_channels", 0)
    spec = parse_spec({"body": {"nodes": body, "outputs": outputs, "jump": jump}, **parts})
    return build_network(spec, in_channels=FEATURES, out_channels=CLASSES, encoding_channels=encodings, edge_channels=edges)


def works(net: Network, *args: Any, shape: tuple[int, ...] = (NODES, CLASSES), x: Any = None, edges: int = 0, **keywords: Any) -> Tensor:
    """Forward and backward; every trained parameter gets a finite gradient."""
    out: Tensor = net(sparse(features()) if x is None else x, graph(attributes=edges), *args, **keywords)
    assert out.shape == shape
    loss: Any = (out * torch.randn_like(out)).sum()
    loss.backward()
    for name, parameter in net.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
    return out


TWO: list[dict[str, Any]] = [
    {"id": "a", "op": "gcn", "width": 8, "activation": "relu"},
    {"id": "b", "op": "mlp", "width": 5, "activation": "relu"},
]


@pytest.mark.parametrize("encoder", ["none", "linear", "mlp"])
@pytest.mark.parametrize("name", list(operators()))
def test_every_operator_on_every_input_with_edge_attributes(name: str, encoder: str) -> None:
    width = {"width": 8} if operators()[name].has_width else {}
    body: list[dict[str, Any]] = [
        {"id": "a", "op": name, **width, "dropout": 0.2, "residual": True, "activation": "elu"},
        {"id": "b", "op": name, "inputs": ["a"]},
    ]
    net = network(body, ["b"], input={"encoder": encoder, "width": 6, "dropout": 0.1}, edge_channels=4)
    works(net, edges=4)
    net.eval()
    with torch.no_grad():
        torch.testing.assert_close(net(sparse(features()), graph()), net(features(), graph()), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("merge", get_args(model.Merge))
@pytest.mark.parametrize("inputs", [["a", "b"], ["a", "b", "input"], ["a", "input"]])
def test_merges_of_different_widths_and_raw_features(merge: str, inputs: list[str]) -> None:
    net = network([*TWO, {"id": "c", "op": "gcn", "inputs": inputs, "merge": merge, "width": 4}], ["c"])
    works(net)


def test_merged_inputs_are_projected_to_the_widest_and_raw_features_to_the_others() -> None:
    net = network([*TWO, {"id": "c", "op": "sgc", "inputs": ["input", "a", "b"], "merge": "mean"}], ["c"], head={"decoder": "linear"})
    assert net.layout.modules["head"].args == ([8, CLASSES],)


@pytest.mark.parametrize("merge", ["sum", "mean", "max", "gate"])
def test_merges_do_not_depend_on_order(merge: str) -> None:
    from agentnas.tools.nn import merge as merges

    torch.manual_seed(1)
    module = getattr(merges, f"{merge.capitalize()}Merge")([4, 4], 4)
    a, b = torch.randn(5, 4), torch.randn(5, 4)
    torch.testing.assert_close(module(a, b), module(b, a))


def test_what_merges_compute() -> None:
    from agentnas.tools.nn.merge import ConcatMerge, MaxMerge, MeanMerge, SumMerge

    a, b = torch.tensor([[1.0, 5.0]]), torch.tensor([[3.0, 1.0]])
    assert SumMerge([2, 2], 2)(a, b).tolist() == [[4, 6]]
    assert MeanMerge([2, 2], 2)(a, b).tolist() == [[2, 3]]
    assert MaxMerge([2, 2], 2)(a, b).tolist() == [[3, 5]]
    assert ConcatMerge()(a, b).tolist() == [[1, 5, 3, 1]]


@pytest.mark.parametrize("jump", get_args(model.Jump))
def test_jumping_knowledge(jump: str) -> None:
    works(network(TWO, ["a", "b"], jump))


@pytest.mark.parametrize("norm", ["batch", "layer", "pair", "graph"])
@pytest.mark.parametrize("kind", ["node", "graph"])
def test_norms(norm: str, kind: str) -> None:
    body = [{"id": "a", "op": "gcn", "width": 8, "norm": norm}]
    batch = torch.arange(NODES) // 6
    shape = (NODES, CLASSES) if kind == "node" else (4, CLASSES)
    works(network(body, ["a"], head={"kind": kind}), batch=batch, shape=shape)


def test_pair_and_graph_norms_equal_pyg() -> None:
    import torch_geometric.nn as pyg

    from agentnas.tools.nn.layers import GraphNorm, PairNorm

    x, batch = torch.randn(NODES, 5), torch.arange(NODES) // 6
    for one in (None, batch):
        torch.testing.assert_close(PairNorm(5)(x, one), pyg.PairNorm()(x, one), atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(GraphNorm(5)(x, one), pyg.GraphNorm(5)(x, one), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("activation", get_args(model.Activation))
def test_activations(activation: str) -> None:
    works(
        network([{"id": "a", "op": "gcn", "width": 8, "activation": activation}], ["a"], input={"encoder": "mlp", "activation": activation})
    )


@pytest.mark.parametrize("encoder", ["none", "linear"])
def test_encodings_are_appended(encoder: str) -> None:
    part = {"encoder": encoder, "width": 6, "encodings": [{"kind": "degree", "dim": 4}]}
    net = network([{"id": "a", "op": "gcn", "width": 8}], ["a"], input=part)
    encodings = torch.rand(NODES, 4)
    out = works(net, encodings)
    assert not torch.allclose(out, net(sparse(features()), graph(), 2 * encodings))
    torch.testing.assert_close(out, net(features(), graph(), encodings), atol=1e-5, rtol=1e-5)


def test_a_body_without_nodes_is_a_classifier_of_features() -> None:
    works(network([], ["input"], head={"decoder": "mlp", "width": 8, "layers": 3, "dropout": 0.1}))


def test_decoder_none_ends_in_width_out() -> None:
    works(network([{"id": "a", "op": "gat", "width": "out"}], ["a"], head={"decoder": "none"}))


@pytest.mark.parametrize("structure", ["none", "structure"])
@pytest.mark.parametrize("decoder", ["dot", "linear", "mlp", "common_neighbour"])
def test_link_heads_score_pairs_in_either_order(decoder: str, structure: str) -> None:
    net = network(TWO, ["a", "b"], head={"kind": "link", "decoder": decoder, "pair_features": structure})
    net = build_network(net.spec, in_channels=FEATURES, out_channels=1)
    pairs = torch.tensor([[0, 4, 7, 2, 20], [3, 1, 9, 2, 23]])
    out = works(net, edge_label_index=pairs, shape=(5,))
    torch.testing.assert_close(out, net(sparse(features()), graph(), edge_label_index=pairs.flip(0)))


def test_common_neighbours_are_those_of_both_ends() -> None:
    from agentnas.tools.nn.pairs import common_neighbours
    from tests.tools.nn.making import dense_adjacency

    g = graph(undirected=True)
    pairs = torch.combinations(torch.arange(NODES)).t()
    pair, node = common_neighbours(g, pairs)
    has = dense_adjacency(g) > 0
    both = has[pairs[0]] & has[pairs[1]]
    assert both.any()
    assert {(int(p), int(n)) for p, n in zip(pair, node, strict=True)} == {(int(p), int(n)) for p, n in both.nonzero()}


@pytest.mark.parametrize("pooling", ["mean", "sum", "max", "attention"])
@pytest.mark.parametrize("virtual", [False, True])
def test_graph_heads_read_each_graph_alone(pooling: str, virtual: bool) -> None:
    body = [{"id": "a", "op": "mlp", "width": 8, "activation": "tanh"}]
    net = network(body, ["a"], head={"kind": "graph", "pooling": pooling, "virtual_node": virtual})
    batch = torch.arange(NODES) // 8
    out = works(net, batch=batch, shape=(3, CLASSES))
    alone = net(features()[8:16], graph().subgraph(torch.arange(8, 16)))
    torch.testing.assert_close(out[1:2], alone, atol=1e-5, rtol=1e-5)


def test_virtual_node_joins_the_nodes_of_its_graph_only() -> None:
    from agentnas.tools.nn.heads import VirtualNode

    x = torch.randn(4, 6, requires_grad=True)
    VirtualNode(6)(x, torch.tensor([0, 0, 0, 1]))[0].sum().backward()
    assert x.grad is not None
    assert [bool(row.any()) for row in x.grad] == [True, True, True, False]


def test_virtual_node_follows_each_convolution_or_else_the_body() -> None:
    head = {"kind": "graph", "virtual_node": True}
    convolutions = network([{"id": "a", "op": "gcn", "width": 8}], ["a"], head=head)
    assert [step.module for step in convolutions.layout.steps] == ["input", "n1", "n1_virtual", "pool", "head"]
    without = network([{"id": "a", "op": "mlp", "width": 8}], ["a"], head=head)
    assert [step.module for step in without.layout.steps] == ["input", "n1", "virtual", "pool", "head"]


def test_parameter_groups_follow_the_recipe() -> None:
    body = [*TWO, {"id": "c", "op": "gcn", "inputs": ["a", "b"], "width": "out"}]
    net = network(body, ["c"], head={"decoder": "linear"})
    groups = net.parameter_groups(Recipe(weight_decay=0.1, weight_decay_conv=0.2, weight_decay_out=0.3))
    sizes = {group["weight_decay"]: sum(p.numel() for p in group["params"]) for group in groups}
    gcn, mlp = FEATURES * 8 + 8, FEATURES * 5 + 5
    merge_and_out = 8 * 5 + 8 * CLASSES + CLASSES
    assert sizes == {0.1: mlp, 0.2: gcn, 0.3: merge_and_out + CLASSES * CLASSES + CLASSES}
    assert len(net.parameter_groups(Recipe())) == 1


def test_one_seed_one_network() -> None:
    first, second = (network(TWO, ["a", "b"]) for _ in range(2))
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)


def test_flops_and_parameters_of_a_two_layer_gcn() -> None:
    body: list[dict[str, Any]] = [{"id": "a", "op": "gcn", "width": 16}, {"id": "b", "op": "gcn", "width": "out", "inputs": ["a"]}]
    net = network(body, ["b"], head={"decoder": "none"})
    n, e, nnz = 2708, 10556, 49216
    layers = 2 * (e + n) * 16 + 2 * n * 16 * CLASSES + 2 * (e + n) * CLASSES
    assert count_flops(net, num_nodes=n, num_edges=e, nnz=nnz) == 2 * nnz * 16 + layers
    assert count_flops(net, num_nodes=n, num_edges=e) == 2 * n * FEATURES * 16 + layers
    assert count_parameters(net) == FEATURES * 16 + 16 + 16 * CLASSES + CLASSES


def test_flops_grow_with_hops_and_leave_the_network_as_it_was() -> None:
    def cost(hops: int) -> int:
        spec = parse_spec({"body": {"nodes": [{"id": "a", "op": "appnp", "params": {"hops": hops}}], "outputs": ["a"]}})
        return count_flops(spec, num_nodes=100, num_edges=500, in_channels=FEATURES, out_channels=CLASSES)

    assert cost(20) - cost(10) >= 10 * 2 * 600 * FEATURES
    net = network([{"id": "a", "op": "gcn", "width": 8, "norm": "batch"}], ["a"])
    before = {name: value.clone() for name, value in net.state_dict().items()}
    count_flops(net, num_nodes=10, num_edges=20)
    assert net.training
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_flops_of_stacked_weights_and_attention() -> None:
    def cost(op: str, **params: object) -> int:
        nodes = [{"id": "a", "op": op, "width": 8, "params": params}]
        spec = parse_spec({"body": {"nodes": nodes, "outputs": ["a"]}})
        return count_flops(spec, num_nodes=100, num_edges=500, in_channels=FEATURES, out_channels=CLASSES)

    per_recursion = 2 * 500 * 16 + 2 * 100 * FEATURES * 16 + 2 * 100 * 2 * 8 * 8  # sparse product, root, one weight a stack
    assert cost("arma", stacks=2, layers=3) - cost("arma", stacks=2, layers=2) == per_recursion
    assert cost("gat", heads=8) > cost("gcn")
