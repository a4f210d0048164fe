"""Anchors of tasks whose items are graphs or pairs of nodes: what a practitioner would try first, and what is hard to beat."""

from __future__ import annotations

from typing import Any

from agentnas.tools.anchors import Anchor
from agentnas.tools.spec.model import ArchitectureSpec, parse_spec

GRAPHS = {"batching": "minibatch", "batch_size": 64, "learning_rate": 0.005, "weight_decay": 5e-4, "epochs": 100, "patience": 30}
PAIRS = {"batching": "minibatch", "batch_size": 1024, "learning_rate": 0.01, "weight_decay": 0.0, "epochs": 300, "patience": 50}


def graph_anchors() -> tuple[Anchor, ...]:
    """MLP on pooled features, GIN with all its layers read out, GCN with a virtual node, SAGE, PNA, and GINE, which reads edges.

    Settings by validation alone, on folds of MUTAG and PROTEINS and a split of ESOL (docs/graphs.md); PNA is narrow, for it costs most.
    """
    small = {"width": 32, "norm": "batch", "activation": "relu"}
    wide = {**small, "width": 64, "residual": True}
    decayed = {"weight_decay": 0.0, "schedule": "cosine"}
    return (
        Anchor("mlp", "plain", "gin", _graphs(_chain("mlp", 2, width=64, activation="relu"), {}, pooling="sum")),
        Anchor("gin", "plain", "gin", _graphs(_chain("gin", 3, **small), {}, jump="concat", pooling="mean", dropout=0.3)),
        Anchor("gcn-virtual", "plain", "gcn", _graphs(_chain("gcn", 3, **small), {}, pooling="mean", virtual_node=True)),
        Anchor("sage", "plain", "graphsage", _graphs(_chain("sage", 2, **small), {}, pooling="mean", dropout=0.3)),
        Anchor("pna", "strong", "pna", _graphs(_chain("pna", 2, residual=True, **small), {**decayed, "learning_rate": 0.002})),
        Anchor("gine", "strong", "gin", _graphs(_chain("gine", 3, **wide), decayed, pooling="mean")),
    )


def link_anchors() -> tuple[Anchor, ...]:
    """Pairs of features alone, graph auto-encoder (GCN and dot product), SAGE and a perceptron, GCN with common neighbours."""
    first = {"width": 128, "activation": "relu", "dropout": 0.3}
    return (
        Anchor("mlp", "plain", "ncn", _pairs(_chain("mlp", 2, **first), decoder="mlp")),
        Anchor("gae", "plain", "gcn", _pairs(_chain("gcn", 2, **first), decoder="dot")),
        Anchor("sage", "plain", "graphsage", _pairs(_chain("sage", 2, **first), decoder="mlp")),
        Anchor("ncn", "strong", "ncn", _pairs(_chain("gcn", 2, **first), decoder="common_neighbour", dropout=0.3)),
    )


def _chain(op: str, layers: int, **looks: Any) -> list[dict[str, Any]]:
    names = [f"n{number}" for number in range(layers)]
    return [{"id": name, "op": op, "inputs": [before], **looks} for before, name in zip(["input", *names], names, strict=False)]


def _graphs(nodes: list[dict[str, Any]], recipe: dict[str, Any], *, jump: str | None = None, **head: Any) -> ArchitectureSpec:
    outputs = [node["id"] for node in nodes] if jump else [nodes[-1]["id"]]
    body = {"nodes": nodes, "outputs": outputs, "jump": jump or "concat"}
    encoded = {"encoder": "linear", "width": nodes[0]["width"]}
    head = {"kind": "graph", "decoder": "mlp", **head}
    return parse_spec({"input": encoded, "body": body, "recipe": {**GRAPHS, **recipe}, "head": head})


def _pairs(nodes: list[dict[str, Any]], **head: Any) -> ArchitectureSpec:
    nodes = [*nodes[:-1], {**nodes[-1], "activation": "none"}]
    return parse_spec({"body": {"nodes": nodes, "outputs": [nodes[-1]["id"]]}, "recipe": PAIRS, "head": {"kind": "link", **head}})
