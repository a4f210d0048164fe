"""What a user would write: PyTorch Geometric's own modules with dense features, and a loop that validates and reads numbers every epoch."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from agentnas.tools.spec.model import ArchitectureSpec, parse_spec
from agentnas.tools.tasks.base import GraphData, Split

EPOCHS = 200


@dataclass(frozen=True)
class Design:
    """One design in both tongues: ``kind`` gcn, gat, sage, appnp or gcnii; the hidden ``width``; convolutions or hops.

    ``heads`` is GAT's (the width is shared among them), ``alpha`` the share of the start in APPNP and GCNII, ``theta`` GCNII's. ``norm``
    puts batch normalisation after each hidden convolution of a stack, ``rows`` scales raw features so that rows sum to 1. ``decay`` is
    the L2 penalty, without ``decay_last`` not of the last layer.
    """

    kind: str
    width: int = 64
    layers: int = 2
    dropout: float = 0.5
    rate: float = 0.01
    decay: float = 5e-4
    decay_last: bool = True
    heads: int = 8
    alpha: float = 0.1
    theta: float = 0.5
    norm: bool = False
    rows: bool = True

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.width}-{self.layers}"


DESIGNS = tuple(
    Design(kind, width, layers)
    for kind, depths in {"gcn": (2, 3), "sage": (2, 3), "gat": (2,), "appnp": (10,), "gcnii": (8, 16)}.items()
    for layers in depths
    for width in (32, 64, 128)
)


def spec_of(design: Design, epochs: int = EPOCHS, **recipe: Any) -> ArchitectureSpec:
    """The design as a spec with the usual recipe."""
    last = {} if design.decay_last else {"weight_decay_out": 0.0}
    settings = {"learning_rate": design.rate, "weight_decay": design.decay, **last, "epochs": epochs, "patience": 0, **recipe}
    nodes = _NODES.get(design.kind, _stack)(design)
    body = {"nodes": nodes, "outputs": [nodes[-1]["id"]]}
    scale = {"scale": "row" if design.rows else "none"}
    return parse_spec({"input": scale, "body": body, "head": {"decoder": "none"}, "recipe": settings})


def _stack(design: Design) -> list[dict[str, Any]]:
    ids, heads = [f"n{i}" for i in range(design.layers)], {"heads": design.heads} if design.kind == "gat" else {}
    hidden = {"op": design.kind, "dropout": design.dropout, "activation": "relu", "width": design.width, "params": heads}
    hidden |= {"norm": "batch"} if design.norm else {}
    nodes = [{**hidden, "id": own, "inputs": [before]} for before, own in zip(["input", *ids], ids, strict=False)]
    last = {"heads": 1} if heads else {}
    return [*nodes[:-1], {**nodes[-1], "width": "out", "activation": "none", "norm": "none", "params": last}]


def _appnp(design: Design) -> list[dict[str, Any]]:
    return [
        {"id": "a", "op": "mlp", "width": design.width, "dropout": design.dropout, "activation": "relu"},
        {"id": "b", "op": "mlp", "inputs": ["a"], "width": "out", "dropout": design.dropout},
        {"id": "c", "op": "appnp", "inputs": ["b"], "params": {"hops": design.layers, "alpha": design.alpha}},
    ]


def _gcnii(design: Design) -> list[dict[str, Any]]:
    params = {"layers": design.layers, "alpha": design.alpha, "theta": design.theta, "dropout": design.dropout}
    return [
        {"id": "a", "op": "mlp", "width": design.width, "dropout": design.dropout, "activation": "relu"},
        {"id": "b", "op": "gcnii", "inputs": ["a"], "activation": "relu", "params": params},
        {"id": "c", "op": "mlp", "inputs": ["b"], "width": "out", "dropout": design.dropout},
    ]


_NODES = {"appnp": _appnp, "gcnii": _gcnii}


class PyG(nn.Module):
    """The design of PyTorch Geometric's modules."""

    def __init__(self, design: Design, features: int, classes: int) -> None:
        import torch_geometric.nn as pyg

        super().__init__()
        self.design, width = design, design.width
        self.first = self.last = None
        if design.kind in ("appnp", "gcnii"):
            self.first, self.last = nn.Linear(features, width), nn.Linear(width, classes)
        if design.kind == "appnp":
            self.convs = nn.ModuleList([pyg.APPNP(design.layers, design.alpha)])
        elif design.kind == "gcnii":
            self.convs = nn.ModuleList(pyg.GCN2Conv(width, design.alpha, design.theta, i + 1) for i in range(design.layers))
        else:
            widths = [features, *[width] * (design.layers - 1), classes]
            make: Any = {"gcn": pyg.GCNConv, "sage": pyg.SAGEConv, "gat": partial(_gat, design.heads)}[design.kind]
            self.convs = nn.ModuleList(make(a, b) for a, b in pairwise(widths[:-1]))
            self.convs.append(pyg.GATConv(width, classes, heads=1, concat=False) if design.kind == "gat" else make(width, classes))
            self.norms = nn.ModuleList(nn.BatchNorm1d(width) if design.norm else nn.Identity() for _ in self.convs[:-1])

    def groups(self) -> list[dict[str, Any]]:
        """Parameters for an optimiser; where the design wants it, those of the last layer without decay."""
        if self.design.decay_last:
            return [{"params": list(self.parameters()), "weight_decay": self.design.decay}]
        last = self.last or self.convs[-1]
        own = {id(parameter) for parameter in last.parameters()}
        others = [parameter for parameter in self.parameters() if id(parameter) not in own]
        return [{"params": others, "weight_decay": self.design.decay}, {"params": list(last.parameters()), "weight_decay": 0.0}]

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        if self.design.kind == "appnp":
            assert self.first is not None
            assert self.last is not None
            h = self._drop(self.first(self._drop(x)).relu())
            out: Tensor = self.convs[0](self.last(h), edge_index)
            return out
        if self.design.kind == "gcnii":
            return self._deep(x, edge_index)
        for conv, norm in zip(self.convs[:-1], self.norms, strict=True):
            x = norm(conv(self._drop(x), edge_index)).relu()
        last: Tensor = self.convs[-1](self._drop(x), edge_index)
        return last

    def _deep(self, x: Tensor, edge_index: Tensor) -> Tensor:
        assert self.first is not None
        assert self.last is not None
        start = h = self.first(self._drop(x)).relu()
        for number, conv in enumerate(self.convs):
            h = conv(self._drop(h) if number else h, start, edge_index).relu()
        out: Tensor = self.last(self._drop(h))
        return out

    def _drop(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.design.dropout, self.training)


def _gat(heads: int, width_in: int, width_out: int) -> nn.Module:
    import torch_geometric.nn as pyg

    return pyg.GATConv(width_in, width_out // heads, heads=heads)  # type: ignore[no-any-return]


@dataclass
class LoopData:
    """Dense features, edges, labels and a split on a device."""

    x: Tensor
    edge_index: Tensor
    y: Tensor
    train: Tensor
    val: Tensor
    classes: int

    @classmethod
    def of(cls, data: GraphData, split: Split, device: str, *, rows: bool = True) -> LoopData:
        x = data.x.toarray() if hasattr(data.x, "toarray") else np.asarray(data.x)
        if rows:
            x = x / np.maximum(np.abs(x).sum(1, keepdims=True), 1e-9)
        arrays = (x.astype(np.float32, copy=False), data.edge_index, data.y, split.train, split.val)
        features, edges, y, train, val = (torch.from_numpy(np.ascontiguousarray(array)).to(device) for array in arrays)
        return cls(features, edges, y, train, val, data.num_classes)

    def on(self, split: Split) -> LoopData:
        """The same graph with another split."""
        train, val = (torch.from_numpy(np.ascontiguousarray(part)).to(self.x.device) for part in (split.train, split.val))
        return replace(self, train=train, val=val)


@dataclass
class Trained:
    """``epoch_ms`` is the median without the first epochs; ``network`` holds the weights of the chosen epoch."""

    val: float
    seconds: float
    epoch_ms: float
    epochs: int
    network: PyG

    @torch.no_grad()
    def classes(self, data: LoopData) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Predicted class of every node, [N]."""
        self.network.eval()
        found: np.ndarray[Any, np.dtype[np.int64]] = self.network(data.x, data.edge_index).argmax(1).cpu().numpy()
        return found


@dataclass
class Best:
    """The chosen epoch, and how long nothing was better: highest score, ties by lower loss; both count against ``patience``.

    With ``patience`` 0 nothing ends early, and no loss is read.
    """

    patience: int
    val: float = -1.0
    loss: float = math.inf
    state: dict[str, Tensor] = field(default_factory=dict)
    waited: int = 0
    _lowest: float = math.inf

    def add(self, val: float, loss: float, network: nn.Module) -> None:
        self.waited = 0 if val > self.val or loss < self._lowest else self.waited + 1
        self._lowest = min(self._lowest, loss)
        if val > self.val or (val == self.val and loss < self.loss):
            self.val, self.loss = val, loss
            self.state = {name: value.clone() for name, value in network.state_dict().items()}

    @property
    def spent(self) -> bool:
        return 0 < self.patience <= self.waited


def usual_training(
    design: Design, data: LoopData, epochs: int = EPOCHS, seed: int = 0, patience: int = 0,
    told: Callable[[int, float], bool] = lambda epoch, val: False,
) -> Trained:  # fmt: skip
    """The loop of PyTorch Geometric's examples: step, validation pass, ``.item()``, the best weights kept.

    ``told`` hears every epoch's number (from 1) and validation accuracy in percent; the training ends where it returns True.
    """
    torch.manual_seed(seed)
    network = PyG(design, data.x.shape[1], data.classes).to(data.x.device)
    optimiser = torch.optim.Adam(network.groups(), lr=design.rate)
    began, best, times = time.perf_counter(), Best(patience), list[float]()
    ends = False
    while len(times) < epochs and not best.spent and not ends:
        start = time.perf_counter()
        network.train()
        optimiser.zero_grad()
        loss: Any = F.cross_entropy(network(data.x, data.edge_index)[data.train], data.y[data.train])
        loss.backward()
        optimiser.step()
        loss.item()
        val, val_loss = _validation(network, data, bool(patience))
        best.add(val, val_loss, network)
        times.append(time.perf_counter() - start)
        ends = told(len(times), val)
    network.load_state_dict(best.state)
    return Trained(best.val, time.perf_counter() - began, 1000 * float(np.median(times[3:] or times)), len(times), network)


@torch.no_grad()
def _validation(network: PyG, data: LoopData, with_loss: bool) -> tuple[float, float]:
    """Accuracy in percent and loss of the validation nodes; without the loss infinity stands for it."""
    network.eval()
    scores = network(data.x, data.edge_index)[data.val]
    right = 100 * (scores.argmax(1) == data.y[data.val]).float().mean().item()
    return right, F.cross_entropy(scores, data.y[data.val]).item() if with_loss else math.inf
