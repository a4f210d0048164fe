"""Operators that PyTorch Geometric does not have, against their formulas with dense matrices; and what holds for all operators."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from agentnas.tools.nn.graph import Graph
from agentnas.tools.operators.base import operator_module, operators
from tests.tools.nn.making import FEATURES, NODES, dense_adjacency, features, graph, symmetric

OUT = 6


def with_loops(g: Graph) -> Tensor:
    return symmetric(dense_adjacency(g, loops=True))


def powers(matrix: Tensor, x: Tensor, hops: int) -> list[Tensor]:
    out = [x]
    for _ in range(hops):
        out.append(matrix @ out[-1])
    return out


def test_gpr_is_a_polynomial_with_learned_weights() -> None:
    g, x = graph(undirected=True), features()
    module = operator_module("gpr")(FEATURES, FEATURES, hops=4, alpha=0.3)
    assert module.gamma.tolist() == pytest.approx([0.3, 0.21, 0.147, 0.1029, 0.2401])
    wanted = sum(gamma * h for gamma, h in zip(module.gamma, powers(with_loops(g), x, 4), strict=True))
    torch.testing.assert_close(module(x, g), wanted, atol=1e-5, rtol=1e-5)
    module(x, g).sum().backward()
    assert (module.gamma.grad.abs() > 0).all()


def test_gpr_starts_as_personalised_page_rank() -> None:
    g, x = graph(), features()
    ours = operator_module("gpr")(FEATURES, FEATURES, hops=6, alpha=0.2)(x, g)
    torch.testing.assert_close(ours, operator_module("appnp")(FEATURES, FEATURES, hops=6, alpha=0.2)(x, g), atol=1e-5, rtol=1e-5)


def test_dagnn_gates_each_hop_by_node() -> None:
    g, x = graph(), features()
    module = operator_module("dagnn")(FEATURES, FEATURES, hops=3)
    stacked = torch.stack(powers(with_loops(g), x, 3), 1)  # [N, hops + 1, width]
    shares = torch.sigmoid(stacked @ module.score.weight.t() + module.score.bias)
    torch.testing.assert_close(module(x, g), (shares * stacked).sum(1), atol=1e-5, rtol=1e-5)


def test_sgc_averages_its_powers() -> None:
    g, x = graph(), features()
    wanted = torch.stack(powers(with_loops(g), x, 5)).mean(0)
    torch.testing.assert_close(operator_module("sgc")(FEATURES, FEATURES, hops=5, average=True)(x, g), wanted, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("undirected", [True, False])
def test_h2gcn_keeps_ego_one_and_two_hops_apart(undirected: bool) -> None:
    g, x = graph(undirected=undirected), features()
    module = operator_module("h2gcn")(FEATURES, OUT)
    one = symmetric(dense_adjacency(g))
    two = one @ one
    two = two - torch.diag(two.diagonal())
    wanted = module.lin_ego(x) + one @ module.lin_one(x) + two @ module.lin_two(x)
    torch.testing.assert_close(module(x, g), wanted, atol=1e-5, rtol=1e-5)


def test_sage_maximum_of_projected_neighbours() -> None:
    g, x = graph(), features()
    module = operator_module("sage")(FEATURES, OUT, aggregation="max")
    h = module.lin_neighbours(x)
    has = dense_adjacency(g) > 0
    best = torch.where(has[:, :, None], h[None], -torch.inf).amax(1)
    wanted = torch.where(has.any(1, keepdim=True), best, 0.0) + module.lin_self(x)
    torch.testing.assert_close(module(x, g), wanted, atol=1e-5, rtol=1e-5)


def test_mixhop_shares_a_width_that_does_not_divide() -> None:
    g, x = graph(), features()
    module = operator_module("mixhop")(FEATURES, 7, hops=2)
    first, second, third = torch.split(x @ module.lin.weight.t(), [3, 2, 2], 1)
    a = with_loops(g)
    wanted = torch.cat([first, a @ second, a @ (a @ third)], 1) + module.bias
    torch.testing.assert_close(module(x, g), wanted, atol=1e-5, rtol=1e-5)


def test_gine_without_edge_features_sums_rectified_neighbours() -> None:
    g, x = graph(), features()
    module = operator_module("gine")(FEATURES, OUT)
    wanted = module.rest(module.first(x + dense_adjacency(g) @ x.relu()) + module.bias)
    torch.testing.assert_close(module(x, g), wanted, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("attributes", [0, 3])
@pytest.mark.parametrize("layers", [1, 3])
def test_gatedgcn_updates_edges_and_nodes_in_turn(attributes: int, layers: int) -> None:
    """Edge by edge and node by node, as Bresson and Laurent write it."""
    g, x = graph(attributes=attributes), features()
    more = {"edge_channels": attributes} if attributes else {}
    module = operator_module("gatedgcn")(FEATURES, OUT, layers=layers, **more)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    h = module.lin_in(x)
    edges = [None] * g.num_edges if g.edge_attr is None else [module.encoder(row) for row in g.edge_attr]
    for number, layer in enumerate(module.layers):
        total, gates, mixed = torch.zeros(NODES, OUT), torch.zeros(NODES, OUT), []
        for place, (source, target) in enumerate(g.edge_index.T.tolist()):
            e = layer.lin_target(h[target]) + layer.lin_source(h[source])
            state = edges[place]
            e = e if state is None else e + layer.lin_edge(state)
            gates[target] += e.sigmoid()
            total[target] += e.sigmoid() * layer.lin_value(h[source])
            mixed.append(e)
        new = layer.lin_own(h) + total / (gates + 1e-6)
        if number < layers - 1:
            risen = [module.edge_norms[number](e).relu() for e in mixed]
            edges = [r if state is None else state + r for r, state in zip(risen, edges, strict=True)]
            h = h + module.node_norms[number](new).relu()
    torch.testing.assert_close(module(x, g), new, atol=1e-5, rtol=1e-5)


EDGE_READERS = [name for name, o in operators().items() if o.uses_edge_attr]


@pytest.mark.parametrize("name", EDGE_READERS)
def test_edge_attributes_are_used_and_learned_from(name: str) -> None:
    module = operator_module(name)(FEATURES, OUT, edge_channels=3)
    g, x = graph(attributes=3), features()
    assert g.edge_attr is not None
    out = module(x, g)
    other = Graph(g.edge_index, NODES, None, g.edge_attr.flip(0))
    assert not torch.allclose(out, module(x, other), atol=1e-4), "other attributes, the same result"
    out.square().sum().backward()
    idle = [p for p, weight in module.named_parameters() if weight.requires_grad and (weight.grad is None or not weight.grad.any())]
    assert idle == []


@pytest.mark.parametrize("name", EDGE_READERS)
def test_masked_edges_with_attributes_count_for_nothing(name: str) -> None:
    module = operator_module(name)(FEATURES, OUT, edge_channels=3).eval()
    g, x = graph(attributes=3), features()
    keep = torch.arange(g.num_edges) % 3 > 0
    torch.testing.assert_close(module(x, g._mask(keep)), module(x, g._select(keep)), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["gat", "gatv2", "transformer"])
def test_heads_that_do_not_divide_the_width_are_averaged(name: str) -> None:
    module = operator_module(name)(FEATURES, 7, heads=8)
    assert module.mean
    assert module(features(), graph()).shape == (NODES, 7)


def test_attention_dropout_acts_in_training_only() -> None:
    g, x = graph(), features()
    for name in ("gat", "gatv2", "transformer", "fagcn"):
        module = operator_module(name)(FEATURES, FEATURES, attention_dropout=0.5)
        assert not torch.equal(module(x, g), module(x, g)), name
        module.eval()
        assert torch.equal(module(x, g), module(x, g)), name


def test_kinds_tell_transformation_from_propagation() -> None:
    kinds = {name: o.kind for name, o in operators().items()}
    assert sorted(n for n, kind in kinds.items() if kind == "propagation") == ["appnp", "dagnn", "fagcn", "gpr", "sgc"]
    assert sorted(n for n, kind in kinds.items() if kind == "pointwise") == ["identity", "mlp"]
    assert all(not operators()[n].has_width for n, kind in kinds.items() if kind == "propagation")


@pytest.mark.parametrize("name", list(operators()))
def test_what_is_said_to_have_no_weights_has_none_and_treats_each_column_alone(name: str) -> None:
    described = operators()[name]
    module, g, x = operator_module(name)(FEATURES, FEATURES), graph(), features()
    assert described.weights == any(True for _ in module.parameters())
    if not described.weights:
        state = torch.get_rng_state()
        whole = module.train()(x, g)
        assert torch.equal(torch.get_rng_state(), state)
        torch.testing.assert_close(torch.cat([module(x[:, :2], g), module(x[:, 2:], g)], 1), whole)


@pytest.mark.parametrize("name", list(operators()))
def test_every_searched_parameter_value_runs_both_ways(name: str) -> None:
    described = operators()[name]
    g, width = graph(), FEATURES if not described.has_width else OUT
    for param in described.params:
        for value in (*param.search[:1], *param.search[-1:]):
            x = features().requires_grad_()
            module = operator_module(name)(FEATURES, width, **{param.name: value})
            out = module(x, g)
            assert out.shape == (NODES, width)
            out.square().sum().backward()
            assert x.grad is not None
            assert x.grad.isfinite().all()


@pytest.mark.parametrize("name", list(operators()))
def test_a_graph_without_edges_is_no_problem(name: str) -> None:
    width = OUT if operators()[name].has_width else FEATURES
    out = operator_module(name)(FEATURES, width)(features(nodes=3), Graph(torch.zeros(2, 0, dtype=torch.long), 3))
    assert out.shape == (3, width)
    assert out.isfinite().all()
