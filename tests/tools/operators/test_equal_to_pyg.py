"""Operators equal PyTorch Geometric's own modules with the same weights: outputs and all gradients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from agentnas.tools.operators.base import operator_module
from tests.tools.nn.making import FEATURES, NODES, features, graph, sparse

OUT = 6
Same = tuple[str, str, Callable[[Tensor], Tensor]]  # our parameter, theirs, and how ours is laid out as theirs


def plain(t: Tensor) -> Tensor:
    return t


def lead(t: Tensor) -> Tensor:
    return t[None]


@dataclass(frozen=True)
class Case:
    """One operator with its parameters, PyG's counterpart, and which parameters are the same."""

    operator: str
    make: Callable[[Any], nn.Module]
    same: tuple[Same, ...] = ()
    params: dict[str, Any] = field(default_factory=dict)
    width: int = OUT
    weighted: bool = False
    attributes: int = 0
    label: str = ""
    exact: bool = False  # PyG computes in 64 bits: its deviation is a difference of two squares, whose derivatives lose digits in 32


def by_name(*names: str) -> tuple[Same, ...]:
    return tuple((name, name, plain) for name in names)


def pairs(**names: str) -> tuple[Same, ...]:
    return tuple((ours.replace("__", "."), theirs, plain) for ours, theirs in names.items())


def _two_layers(pyg: Any) -> nn.Module:
    return nn.Sequential(nn.Linear(FEATURES, OUT), nn.ReLU(), nn.Linear(OUT, OUT))


MLP_SAME = pairs(first__weight="nn.0.weight", bias="nn.0.bias", rest__1__weight="nn.2.weight", rest__1__bias="nn.2.bias")
GAT_SAME: tuple[Same, ...] = (
    *pairs(lin__weight="lin.weight", bias="bias"),
    ("att_source", "att_src", lead),
    ("att_target", "att_dst", lead),
)
GATV2_SAME: tuple[Same, ...] = (
    *pairs(lin_source__weight="lin_l.weight", lin_source__bias="lin_l.bias"),
    *pairs(lin_target__weight="lin_r.weight", lin_target__bias="lin_r.bias", bias="bias"),
    ("att", "att", lead),
)
TRANSFORMER_SAME = by_name(*(f"lin_{name}.{part}" for name in ("query", "key", "value", "skip") for part in ("weight", "bias")))


def _stacks(t: Tensor, stacks: int = 2) -> Tensor:
    """Our [stacks * out, in] as [stacks, in, out]."""
    return t.view(stacks, -1, t.shape[1]).transpose(1, 2)


class StackedGCN2(nn.Module):
    """GCNII as its authors stack GCN2Conv, ReLU between layers."""

    def __init__(self, pyg: Any) -> None:
        super().__init__()
        self.convs = nn.ModuleList(pyg.GCN2Conv(FEATURES, alpha=0.2, theta=0.7, layer=k) for k in (1, 2, 3))

    def forward(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None) -> Tensor:
        h = x
        for number, conv in enumerate(self.convs):
            h = conv(h.relu() if number else h, x, edge_index, edge_weight)
        return h


class StackedFA(nn.Module):
    def __init__(self, pyg: Any) -> None:
        super().__init__()
        self.convs = nn.ModuleList(pyg.FAConv(FEATURES, eps=0.3) for _ in range(2))

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        h = x
        for conv in self.convs:
            h = conv(h, x, edge_index)
        return h


def _arma_same(layers: int) -> tuple[Same, ...]:
    if layers == 1:
        return (("init.weight", "init_weight", _stacks), ("roots.0.weight", "root_weight", lambda t: _stacks(t)[None]))
    return (
        ("init.weight", "init_weight", _stacks),
        ("weights.0", "weight", lead),
        ("roots.0.weight", "root_weight", lambda t: _stacks(t)[None]),
        ("roots.0.bias", "bias", lambda t: t.view(1, 2, 1, -1)),
    )


def _sgc(pyg: Any) -> nn.Module:
    conv: Any = pyg.SGConv(FEATURES, FEATURES, K=3, bias=False)
    nn.init.eye_(conv.lin.weight)
    conv.lin.weight.requires_grad_(False)
    module: nn.Module = conv
    return module


def _pna(pyg: Any, loops: bool, attributes: int = 0) -> nn.Module:
    histogram = torch.bincount(graph(loops=loops).degree.long())
    aggregators, scalers = ["mean", "min", "max", "std"], ["identity", "amplification", "attenuation"]
    conv: Any = pyg.PNAConv(FEATURES, FEATURES, aggregators, scalers, histogram, edge_dim=attributes or None)
    if attributes:  # theirs projects edges twice, which is one projection
        with torch.no_grad():
            conv.pre_nns[0][0].weight[:, 2 * FEATURES :] = torch.eye(FEATURES)
            conv.edge_encoder.bias.zero_()
    module: nn.Module = conv
    return module


PNA_SAME: tuple[Same, ...] = (
    ("lin_target.weight", "pre_nns.0.0.weight", lambda t: t),
    ("lin_source.weight", "pre_nns.0.0.weight", lambda t: t),
    *pairs(lin_target__bias="pre_nns.0.0.bias", post__weight="post_nns.0.0.weight", post__bias="post_nns.0.0.bias"),
    *pairs(lin_out__weight="lin.weight", lin_out__bias="lin.bias"),
)


CASES = [
    Case("gcn", lambda p: p.GCNConv(FEATURES, OUT), by_name("lin.weight", "bias")),
    Case("gcn", lambda p: p.GCNConv(FEATURES, OUT), by_name("lin.weight", "bias"), weighted=True, label="weighted"),
    Case("gat", lambda p: p.GATConv(FEATURES, 2, heads=3), GAT_SAME, {"heads": 3}),
    Case("gat", lambda p: p.GATConv(FEATURES, 6, heads=3, concat=False), GAT_SAME, {"heads": 3, "join": "mean"}, label="mean"),
    Case(
        "gat",
        lambda p: p.GATConv(FEATURES, 3, heads=2, edge_dim=4),
        (*GAT_SAME, *pairs(lin_edge__weight="lin_edge.weight"), ("att_edge", "att_edge", lead)),
        {"heads": 2},
        attributes=4,
        label="edges",
    ),
    Case("gatv2", lambda p: p.GATv2Conv(FEATURES, 2, heads=3), GATV2_SAME, {"heads": 3}),
    Case(
        "gatv2",
        lambda p: p.GATv2Conv(FEATURES, 6, heads=2, concat=False, share_weights=True, edge_dim=3),
        (
            *pairs(lin_source__weight="lin_l.weight", lin_source__bias="lin_l.bias", bias="bias"),
            *pairs(lin_edge__weight="lin_edge.weight"),
            ("att", "att", lead),
        ),
        {"heads": 2, "join": "mean", "share_weights": True},
        attributes=3,
        label="edges-shared-mean",
    ),
    Case(
        "sage",
        lambda p: p.SAGEConv(FEATURES, OUT),
        pairs(lin_neighbours__weight="lin_l.weight", lin_self__bias="lin_l.bias", lin_self__weight="lin_r.weight"),
    ),
    Case(
        "sage",
        lambda p: p.SAGEConv(FEATURES, OUT, aggr="sum", normalize=True),
        pairs(lin_neighbours__weight="lin_l.weight", lin_self__bias="lin_l.bias", lin_self__weight="lin_r.weight"),
        {"aggregation": "sum", "normalize": True},
        label="sum-normalised",
    ),
    Case("gin", lambda p: p.GINConv(_two_layers(p), train_eps=True), (*MLP_SAME, *by_name("eps")), {"train_eps": True}),
    Case(
        "gine",
        lambda p: p.GINEConv(_two_layers(p), edge_dim=4),
        (*MLP_SAME, *pairs(lin_edge__weight="lin.weight", lin_edge__bias="lin.bias")),
        attributes=4,
    ),
    Case(
        "cheb",
        lambda p: p.ChebConv(FEATURES, OUT, K=4),
        by_name("lins.0.weight", "lins.1.weight", "lins.2.weight", "lins.3.weight", "bias"),
        {"order": 4},
        weighted=True,
    ),
    Case("cheb", lambda p: p.ChebConv(FEATURES, OUT, K=1), by_name("lins.0.weight", "bias"), {"order": 1}, label="order-1"),
    Case("arma", lambda p: p.ARMAConv(FEATURES, OUT, num_stacks=2), _arma_same(1), {"stacks": 2}),
    Case(
        "arma",
        lambda p: p.ARMAConv(FEATURES, OUT, num_stacks=2, num_layers=3, shared_weights=True),
        _arma_same(3),
        {"stacks": 2, "layers": 3, "shared_weights": True},
        weighted=True,
        label="shared",
    ),
    Case(
        "graphconv",
        lambda p: p.GraphConv(FEATURES, OUT),
        pairs(lin_neighbours__weight="lin_rel.weight", lin_self__bias="lin_rel.bias", lin_self__weight="lin_root.weight"),
        weighted=True,
    ),
    Case(
        "graphconv",
        lambda p: p.GraphConv(FEATURES, OUT, aggr="mean"),
        pairs(lin_neighbours__weight="lin_rel.weight", lin_self__bias="lin_rel.bias", lin_self__weight="lin_root.weight"),
        {"aggregation": "mean"},
        label="mean",
    ),
    Case("sgc", _sgc, (), {"hops": 3}, FEATURES, weighted=True),
    Case("appnp", lambda p: p.APPNP(K=5, alpha=0.3), (), {"hops": 5, "alpha": 0.3}, FEATURES, weighted=True),
    Case(
        "gcnii",
        StackedGCN2,
        tuple((f"weights.{k}", f"convs.{k}.weight1", plain) for k in range(3)),
        {"layers": 3, "alpha": 0.2, "theta": 0.7},
        FEATURES,
        weighted=True,
    ),
    Case(
        "fagcn",
        StackedFA,
        tuple(
            (f"{ours}.{k}.weight", f"convs.{k}.{theirs}.weight", plain)
            for k in range(2)
            for ours, theirs in (("sources", "att_l"), ("targets", "att_r"))
        ),
        {"hops": 2, "eps": 0.3},
        FEATURES,
    ),
    Case(
        "mixhop",
        lambda p: p.MixHopConv(FEATURES, 2, powers=[0, 1, 2]),
        (
            *((("lin.weight", f"lins.{k}.weight", lambda t, k=k: t[2 * k : 2 * k + 2])) for k in range(3)),
            ("bias", "bias", plain),
        ),
        weighted=True,
    ),
    Case(
        "pna",
        lambda p: _pna(p, False),
        PNA_SAME,
        {},
        FEATURES,
    ),
    Case(
        "pna",
        lambda p: _pna(p, False, 4),
        (*PNA_SAME, *pairs(lin_edge__weight="edge_encoder.weight")),
        {},
        FEATURES,
        attributes=4,
        label="edges",
        exact=True,
    ),
    Case("transformer", lambda p: p.TransformerConv(FEATURES, 3, heads=2), TRANSFORMER_SAME, {"heads": 2}),
    Case(
        "transformer",
        lambda p: p.TransformerConv(FEATURES, 6, heads=2, concat=False, beta=True, edge_dim=4),
        (*TRANSFORMER_SAME, *by_name("lin_beta.weight", "lin_edge.weight")),
        {"heads": 2, "join": "mean", "beta": True},
        attributes=4,
        label="edges-beta-mean",
    ),
]


def _name(case: Case) -> str:
    return f"{case.operator}-{case.label}".strip("-")


def _slot(case: Case, same: Same, theirs: Tensor) -> Tensor:
    """The part of PyG's parameter that one of ours stands for; PNA's first Linear takes both ends side by side."""
    ours, name, _ = same
    if case.operator == "pna" and name == "pre_nns.0.0.weight":
        return theirs[:, :FEATURES] if ours.startswith("lin_target") else theirs[:, FEATURES : 2 * FEATURES]
    return theirs


@pytest.fixture(params=["small", "large", "beyond-cache"])
def _kernels(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ways in which products are computed, which otherwise depend on their size."""
    if request.param != "small":
        monkeypatch.setattr("agentnas.tools.nn.dense.LEAST_PRODUCTS", 1)
        monkeypatch.setattr("agentnas.tools.nn.sparse.LEAST", 1)
    if request.param == "beyond-cache":
        monkeypatch.setattr("agentnas.tools.nn.sparse.CACHED", 1)


@pytest.mark.usefixtures("_kernels")
@pytest.mark.parametrize("loops", [False, True], ids=["", "loops"])
@pytest.mark.parametrize("case", CASES, ids=_name)
def test_equals_pyg_forwards_and_backwards(case: Case, loops: bool) -> None:
    import torch_geometric.nn as pyg

    torch.manual_seed(0)
    edge_channels = {"edge_channels": case.attributes} if case.attributes else {}
    ours: nn.Module = operator_module(case.operator)(FEATURES, case.width, **case.params, **edge_channels)
    theirs = _pna(pyg, loops, case.attributes) if case.operator == "pna" else case.make(pyg)
    for parameter in ours.parameters():
        if parameter.requires_grad:
            nn.init.normal_(parameter, std=0.5)
    own, other = dict(ours.named_parameters()), dict(theirs.named_parameters())
    with torch.no_grad():
        for same in case.same:
            _slot(case, same, other[same[1]]).copy_(same[2](own[same[0]]))
    if case.operator == "arma" and "roots.0.bias" not in [same[0] for same in case.same]:
        nn.init.zeros_(own["roots.0.bias"])

    g = graph(weighted=case.weighted, attributes=case.attributes, loops=loops)
    x, y = (features().requires_grad_() for _ in range(2))
    mine = ours(x, g)
    more = [g.edge_weight] if case.weighted else [g.edge_attr] if case.attributes else []
    if case.exact:
        theirs, more = theirs.double(), [value.double() for value in more if value is not None]
    wanted = theirs(y.double() if case.exact else y, g.edge_index, *more).float()
    torch.testing.assert_close(mine, wanted, atol=1e-5, rtol=1e-5)

    direction = torch.randn(NODES, case.width)
    (mine * direction).sum().backward()
    (wanted * direction).sum().backward()
    torch.testing.assert_close(x.grad, y.grad, atol=1e-5, rtol=1e-4)
    for same in case.same:
        gradient, wanted_gradient = own[same[0]].grad, other[same[1]].grad
        assert gradient is not None
        assert wanted_gradient is not None
        torch.testing.assert_close(
            same[2](gradient), _slot(case, same, wanted_gradient).float(), atol=2e-4 if case.exact else 2e-5, rtol=1e-4
        )


@pytest.mark.usefixtures("_kernels")
@pytest.mark.parametrize("case", [case for case in CASES if getattr(operator_module(case.operator), "takes_sparse", False)], ids=_name)
def test_sparse_features_give_the_same(case: Case) -> None:
    module = operator_module(case.operator)
    edge_channels = {"edge_channels": case.attributes} if case.attributes else {}
    ours: nn.Module = module(FEATURES, case.width, **case.params, **edge_channels)
    g = graph(weighted=case.weighted, attributes=case.attributes)
    x = features()
    dense = ours(x, g)
    (dense**2).sum().backward()
    gradients = [None if p.grad is None else p.grad.clone() for p in ours.parameters()]
    ours.zero_grad()
    thin = ours(sparse(x), g)
    (thin**2).sum().backward()
    torch.testing.assert_close(dense, thin, atol=1e-5, rtol=1e-5)
    for parameter, wanted in zip(ours.parameters(), gradients, strict=True):
        torch.testing.assert_close(parameter.grad, wanted, atol=1e-4, rtol=1e-4)
