"""Operators that see direction and types equal PyTorch Geometric's, outputs and gradients, or their formula; they work without either."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from agentnas.tools.nn.graph import Graph
from agentnas.tools.operators.base import operator, operator_module
from tests.tools.nn.making import FEATURES, NODES, features, graph, sparse

OUT, RELATIONS, FIRST = 6, 3, 14  # width, types of edges, and nodes of the first of two types
ENDS = [(0, 0), (1, 0), (0, 1)]  # types of source and target of each type of edge


def typed(seed: int = 0) -> Graph:
    """Nodes of two types; edges of three, each between nodes of its own types, sometimes several between two nodes."""
    generator = torch.Generator().manual_seed(seed)
    parts = []
    for number, (source, target) in enumerate(ENDS):
        ends = [
            torch.randint(FIRST if kind == 0 else NODES - FIRST, (30,), generator=generator) + FIRST * kind for kind in (source, target)
        ]
        parts.append(torch.unique(torch.stack([*ends, torch.full_like(ends[0], number)]), dim=1))
    edges = torch.cat(parts, 1)
    edges = edges[:, torch.randperm(edges.shape[1], generator=generator)]
    return Graph(edges[:2], NODES, None, None, edges[2], (torch.arange(NODES) >= FIRST).long())


def random_weights(module: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.5)
    return module


def same_gradients(mine: Tensor, wanted: Tensor, pairs: list[tuple[Tensor, Tensor]]) -> None:
    """Outputs, and gradients of a random direction of theirs, for pairs of inputs or parameters."""
    torch.testing.assert_close(mine, wanted, atol=1e-5, rtol=1e-5)
    direction = torch.randn(mine.shape)
    own = torch.autograd.grad((mine * direction).sum(), [a for a, _ in pairs], retain_graph=True)
    other = torch.autograd.grad((wanted * direction).sum(), [b for _, b in pairs], retain_graph=True)
    for a, b in zip(own, other, strict=True):
        torch.testing.assert_close(a, b.view(a.shape), atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("bases", [0, 2])
@pytest.mark.parametrize("aggregation", ["mean", "sum"])
@pytest.mark.parametrize("inverse", [False, True])
def test_rgcn_equals_pyg(bases: int, aggregation: str, inverse: bool) -> None:
    import torch_geometric.nn as pyg

    g, relations = typed(), RELATIONS * (1 + inverse)
    ours: Any = random_weights(operator_module("rgcn")(FEATURES, OUT, aggregation, bases, inverse, 2, RELATIONS))
    theirs = pyg.RGCNConv(FEATURES, OUT, relations, num_bases=bases or None, aggr=aggregation)
    same = [(ours.weight, theirs.weight), (ours.lin_self.bias, theirs.bias), *([(ours.shares, theirs.comp)] if bases else [])]
    with torch.no_grad():
        theirs.root.copy_(ours.lin_self.weight.t())
        for own, other in same:
            other.copy_(own)
    assert g.edge_type is not None
    edge_index = torch.cat([g.edge_index, g.edge_index.flip(0)], 1) if inverse else g.edge_index
    edge_type = torch.cat([g.edge_type, g.edge_type + RELATIONS]) if inverse else g.edge_type
    x, y = (features().requires_grad_() for _ in range(2))
    same_gradients(ours(x, g), theirs(y, edge_index, edge_type), [(x, y), *same])


@pytest.mark.parametrize("width", [FEATURES, 12])
def test_hgt_equals_pyg(width: int) -> None:
    import torch_geometric.nn as pyg

    g, heads = typed(), 2
    names = ["0", "1"]
    kinds = [(names[source], f"r{number}", names[target]) for number, (source, target) in enumerate(ENDS)]
    ours: Any = random_weights(operator_module("hgt")(FEATURES, width, heads, node_types=2, edge_types=RELATIONS))
    theirs: Any = pyg.HGTConv(FEATURES, width, (names, kinds), heads=heads)
    with torch.no_grad():
        for number, name in enumerate(names):
            lin = theirs.kqv_lin.lins[name]
            rows = slice(number * width, (number + 1) * width)
            lin.weight.copy_(torch.cat([part.weight[rows] for part in (ours.lin_key, ours.lin_query, ours.lin_value)]))
            lin.bias.copy_(torch.cat([part.bias[rows] for part in (ours.lin_key, ours.lin_query, ours.lin_value)]))
            theirs.out_lin.lins[name].weight.copy_(ours.lin_out.weight[rows])
            theirs.out_lin.lins[name].bias.copy_(ours.lin_out.bias[rows])
            if ours.skip is not None:
                theirs.skip[name].copy_(ours.skip[number : number + 1])
        for own, other in ((ours.key_of_edge, theirs.k_rel.weight), (ours.value_of_edge, theirs.v_rel.weight)):
            other.copy_(own.transpose(0, 1).reshape(other.shape))
        for number, kind in enumerate(kinds):
            theirs.p_rel["__".join(kind)].copy_(ours.prior[number : number + 1])
    x, y = (features().requires_grad_() for _ in range(2))
    assert g.edge_type is not None
    edges = {
        kind: g.edge_index[:, g.edge_type == number] - FIRST * torch.tensor(ENDS[number])[:, None] for number, kind in enumerate(kinds)
    }
    found = theirs({"0": y[:FIRST], "1": y[FIRST:]}, edges)
    wanted = torch.cat([found["0"], found["1"]])
    same_gradients(ours(x, g), wanted, [(x, y)])
    mine = torch.autograd.grad(ours(x, g).square().sum(), ours.key_of_edge)[0]
    other = torch.autograd.grad(wanted.square().sum(), theirs.k_rel.weight)[0]
    torch.testing.assert_close(mine.transpose(0, 1).reshape(other.shape), other, atol=1e-3, rtol=1e-3)


def test_dirgnn_equals_pyg() -> None:
    import torch_geometric.nn as pyg

    g = graph()
    ours: Any = random_weights(operator_module("dirgnn")(FEATURES, OUT, alpha=0.3))
    theirs: Any = pyg.DirGNNConv(pyg.SAGEConv(FEATURES, OUT), alpha=0.3)
    same = [
        (ours.lin_in.weight, theirs.conv_in.lin_l.weight), (ours.lin_out.weight, theirs.conv_out.lin_l.weight),
        (ours.lin_self.weight, theirs.lin.weight), (ours.lin_self.bias, theirs.lin.bias),
    ]  # fmt: skip
    with torch.no_grad():
        for own, other in same:
            other.copy_(own)
        for conv in (theirs.conv_in, theirs.conv_out):
            conv.lin_l.bias.zero_()
    x, y = (features().requires_grad_() for _ in range(2))
    same_gradients(ours(x, g), theirs(y, g.edge_index), [(x, y), *same])


def test_dirgnn_normalises_by_both_degrees_or_takes_maxima() -> None:
    g, x = graph(), features()
    matrix = torch.zeros(NODES, NODES)
    matrix[g.edge_index[1], g.edge_index[0]] = 1.0
    into, out = (matrix.sum(axis).clamp(min=1).rsqrt() for axis in (1, 0))
    module: Any = random_weights(operator_module("dirgnn")(FEATURES, OUT, aggregation="sym", alpha=0.25))
    normal = into[:, None] * matrix * out[None, :]
    wanted = 0.75 * normal @ module.lin_in(x) + 0.25 * normal.t() @ module.lin_out(x) + module.lin_self(x)
    torch.testing.assert_close(module(x, g), wanted, atol=1e-5, rtol=1e-5)

    module = random_weights(operator_module("dirgnn")(FEATURES, OUT, aggregation="max", alpha=1.0))
    said = module.lin_out(x)
    for node in range(NODES):
        heads = g.edge_index[1][g.edge_index[0] == node]
        best = said[heads].max(0).values if heads.numel() else torch.zeros(OUT)
        torch.testing.assert_close(module(x, g)[node], module.lin_self(x)[node] + best, atol=1e-5, rtol=1e-5)


MODULES = [("dirgnn", {}), ("dirgnn", {"aggregation": "sym"}), ("dirgnn", {"aggregation": "max"}), ("rgcn", {"inverse": True}),
           ("rgcn", {"bases": 2}), ("hgt", {"heads": 2})]  # fmt: skip


def made(name: str, params: dict[str, Any], typed_data: bool) -> nn.Module:
    types = {"node_types": 2, "edge_types": RELATIONS} if typed_data and operator(name).uses_types else {}
    return random_weights(operator_module(name)(FEATURES, OUT, **params, **types)).eval()


@pytest.mark.parametrize(("name", "params"), MODULES)
def test_edges_that_are_dropped_or_masked_give_the_same(name: str, params: dict[str, Any]) -> None:
    g, module, x = typed(), made(name, params, True), features()
    keep = torch.rand(g.num_edges, generator=torch.Generator().manual_seed(1)) < 0.6
    assert g.edge_type is not None
    fresh = Graph(g.edge_index[:, keep], NODES, None, None, g.edge_type[keep], g.node_type)
    torch.testing.assert_close(module(x, g._select(keep)), module(x, fresh), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(module(x, g._mask(keep)), module(x, fresh), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("name", "params"), MODULES)
@pytest.mark.parametrize("typed_data", [False, True])
def test_sparse_features_and_plain_graphs_give_finite_and_equal_outputs(name: str, params: dict[str, Any], typed_data: bool) -> None:
    g, module, x = typed() if typed_data else graph(), made(name, params, typed_data), features()
    torch.testing.assert_close(module(x, g), module(sparse(x), g), atol=1e-5, rtol=1e-5)
    assert torch.isfinite(module(x, g)).all()


def test_types_decide_and_without_them_they_do_not() -> None:
    g, x = typed(), features()
    assert g.edge_type is not None
    other = Graph(g.edge_index, NODES, None, None, (g.edge_type + 1) % RELATIONS, g.node_type)
    for name in ("rgcn", "hgt"):
        module = made(name, {}, True)
        assert not torch.allclose(module(x, g), module(x, other))
    flipped = made("dirgnn", {"alpha": 0.1}, False)
    assert not torch.allclose(flipped(x, graph()), flipped(x, graph().reversed))
