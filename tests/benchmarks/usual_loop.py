"""What a user would write: PyTorch Geometric's own modules with dense features, and a loop that validates and reads numbers every epoch."""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from agentnas.tools.spec.model import ArchitectureSpec, parse_spec
from agentnas.tools.tasks.base import NodeData, Split

EPOCHS, PATIENCE = 200, 200


@dataclass(frozen=True)
class Design:
    """One design in both tongues: ``kind`` gcn, gat, sage, appnp or gcnii; the hidden ``width``; convolutions or hops."""

    kind: str
    width: int = 64
    layers: int = 2
    dropout: float = 0.5
    rate: float = 0.01

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
    settings = {"learning_rate": design.rate, "weight_decay": 5e-4, "epochs": epochs, "patience": 0, **recipe}
    nodes = _NODES.get(design.kind, _stack)(design)
    body = {"nodes": nodes, "outputs": [nodes[-1]["id"]]}
    return parse_spec({"input": {"scale": "row"}, "body": body, "head": {"decoder": "none"}, "recipe": settings})


def _stack(design: Design) -> list[dict[str, Any]]:
    ids, heads = [f"n{i}" for i in range(design.layers)], {"heads": 8} if design.kind == "gat" else {}
    hidden = {"op": design.kind, "dropout": design.dropout, "activation": "relu", "width": design.width, "params": heads}
    nodes = [{**hidden, "id": own, "inputs": [before]} for before, own in zip(["input", *ids], ids, strict=False)]
    last = {"heads": 1} if heads else {}
    return [*nodes[:-1], {**nodes[-1], "width": "out", "activation": "none", "params": last}]


def _appnp(design: Design) -> list[dict[str, Any]]:
    return [
        {"id": "a", "op": "mlp", "width": design.width, "dropout": design.dropout, "activation": "relu"},
        {"id": "b", "op": "mlp", "inputs": ["a"], "width": "out", "dropout": design.dropout},
        {"id": "c", "op": "appnp", "inputs": ["b"], "params": {"hops": design.layers, "alpha": 0.1}},
    ]


def _gcnii(design: Design) -> list[dict[str, Any]]:
    return [
        {"id": "a", "op": "mlp", "width": design.width, "dropout": design.dropout, "activation": "relu"},
        {"id": "b", "op": "gcnii", "inputs": ["a"], "dropout": design.dropout, "params": {"layers": design.layers}},
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
            self.convs = nn.ModuleList([pyg.APPNP(design.layers, 0.1)])
        elif design.kind == "gcnii":
            self.convs = nn.ModuleList(pyg.GCN2Conv(width, 0.1, 0.5, i + 1) for i in range(design.layers))
        else:
            widths = [features, *[width] * (design.layers - 1), classes]
            make = {"gcn": pyg.GCNConv, "sage": pyg.SAGEConv, "gat": _gat}[design.kind]
            self.convs = nn.ModuleList(make(a, b) for a, b in pairwise(widths))
            if design.kind == "gat":
                self.convs[-1] = pyg.GATConv(width, classes, heads=1, concat=False)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        if self.design.kind == "appnp":
            assert self.first is not None
            assert self.last is not None
            h = self._drop(self.first(self._drop(x)).relu())
            out: Tensor = self.convs[0](self.last(h), edge_index)
            return out
        if self.design.kind == "gcnii":
            return self._deep(x, edge_index)
        for conv in self.convs[:-1]:
            x = conv(self._drop(x), edge_index).relu()
        last: Tensor = self.convs[-1](self._drop(x), edge_index)
        return last

    def _deep(self, x: Tensor, edge_index: Tensor) -> Tensor:
        assert self.first is not None
        assert self.last is not None
        start = h = self.first(self._drop(x)).relu()
        for conv in self.convs:
            h = conv(self._drop(h), start, edge_index).relu()
        out: Tensor = self.last(self._drop(h))
        return out

    def _drop(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.design.dropout, self.training)


def _gat(width_in: int, width_out: int) -> nn.Module:
    import torch_geometric.nn as pyg

    return pyg.GATConv(width_in, width_out // 8, heads=8)  # type: ignore[no-any-return]


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
    def of(cls, data: NodeData, split: Split, device: str) -> LoopData:
        x = data.x.toarray() if hasattr(data.x, "toarray") else np.asarray(data.x)
        x = x / np.maximum(np.abs(x).sum(1, keepdims=True), 1e-9)
        arrays = (x.astype(np.float32), data.edge_index, data.y, split.train, split.val)
        features, edges, y, train, val = (torch.from_numpy(np.ascontiguousarray(array)).to(device) for array in arrays)
        return cls(features, edges, y, train, val, data.num_classes)


@dataclass
class Trained:
    """``epoch_ms`` is the median without the first epochs."""

    val: float
    seconds: float
    epoch_ms: float


def usual_training(design: Design, data: LoopData, epochs: int = EPOCHS, seed: int = 0) -> Trained:
    """The loop of PyTorch Geometric's examples: step, validation pass, ``.item()``, the best weights kept."""
    torch.manual_seed(seed)
    network = PyG(design, data.x.shape[1], data.classes).to(data.x.device)
    optimiser = torch.optim.Adam(network.parameters(), lr=design.rate, weight_decay=5e-4)
    began, best, times = time.perf_counter(), -1.0, []
    for _ in range(epochs):
        start = time.perf_counter()
        network.train()
        optimiser.zero_grad()
        loss: Any = F.cross_entropy(network(data.x, data.edge_index)[data.train], data.y[data.train])
        loss.backward()
        optimiser.step()
        loss.item()
        network.eval()
        with torch.no_grad():
            right = network(data.x, data.edge_index)[data.val].argmax(1) == data.y[data.val]
        val = 100 * right.float().mean().item()
        if val > best:
            best, _kept = val, {name: value.clone() for name, value in network.state_dict().items()}
        times.append(time.perf_counter() - start)
    return Trained(best, time.perf_counter() - began, 1000 * float(np.median(times[3:] or times)))
