"""Anchors of tasks whose items are graphs or pairs of nodes: what a practitioner would try first, and what is hard to beat."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from agentnas.tools.anchors import Anchor
from agentnas.tools.spec.model import ArchitectureSpec, parse_spec

# Averaged weights: with a few steps an epoch and batch norm, single epochs differ by several items of a fold (docs/graphs.md).
GRAPHS = {
    "batching": "minibatch", "batch_size": 64, "learning_rate": 0.005, "weight_decay": 5e-4, "ema_decay": 0.9,
    "epochs": 100, "patience": 30,
}  # fmt: skip
# Share of edges within a class below which neighbours are taken to be unlike.
UNLIKE = 0.4
NODES = {"learning_rate": 0.005, "weight_decay": 5e-4, "epochs": 300, "patience": 75}
PAIRS = {"batching": "minibatch", "batch_size": 1024, "learning_rate": 0.01, "weight_decay": 0.0, "epochs": 300, "patience": 30}


def graph_anchors() -> tuple[Anchor, ...]:
    """MLP on pooled features, GIN with all its layers read out, GCN with a virtual node, SAGE, PNA, and GINE, which reads edges.

    Settings by validation alone, on folds of MUTAG and PROTEINS and a split of ESOL (docs/graphs.md); PNA is narrow, for it costs most.
    """
    small = {"width": 32, "norm": "batch", "activation": "relu"}
    wide = {**small, "width": 64, "residual": True}
    decayed = {"weight_decay": 0.0, "schedule": "cosine"}
    return (
        Anchor("mlp", "plain", "fair-graph-classification", _graphs(_chain("mlp", 2, width=64, activation="relu"), {}, pooling="sum")),
        Anchor("gin", "plain", "gin", _graphs(_chain("gin", 3, **small), {}, jump="concat", pooling="mean", dropout=0.3)),
        Anchor("gcn-virtual", "plain", "virtual-node", _graphs(_chain("gcn", 3, **small), {}, pooling="mean", virtual_node=True)),
        Anchor("sage", "plain", "graphsage", _graphs(_chain("sage", 2, **small), {}, pooling="mean", dropout=0.3)),
        Anchor("pna", "strong", "pna", _graphs(_chain("pna", 2, residual=True, **small), {**decayed, "learning_rate": 0.002})),
        Anchor("gine", "strong", "gine", _graphs(_chain("gine", 3, **wide), decayed, pooling="mean")),
    )


def structure_anchors(offers: Collection[str]) -> tuple[Anchor, ...]:
    """Of node tasks: Dir-GNN where edges have directions, R-GCN and HGT where there are types of nodes or edges."""
    first = {"width": 64, "dropout": 0.3, "activation": "relu"}
    found = []
    if "directions" in offers:
        found.append(Anchor("dirgnn", "strong", "dir-gnn", _nodes(_chain("dirgnn", 2, **first))))
    if "types" in offers:
        found.append(Anchor("rgcn", "strong", "rgcn", _nodes(_chain("rgcn", 2, params={"inverse": "directions" in offers}, **first))))
        found.append(
            Anchor("hgt", "strong", "hgt", _nodes(_chain("hgt", 2, **first), edges="both" if "directions" in offers else "as_given"))
        )
    return tuple(found)


def unlike_anchors(edge_homophily: float | None) -> tuple[Anchor, ...]:
    """Of node tasks whose neighbours seldom share a class, a deeper MLP with more dropout: there what reads no edge is hard to beat.

    ``edge_homophily``: share of edges within a class, of labels that may be seen; None: unknown.
    """
    if edge_homophily is None or edge_homophily >= UNLIKE:
        return ()
    first, second = _chain("mlp", 2, width=64, dropout=0.5)
    nodes = [{**first, "activation": "relu"}, {**second, "dropout": 0.8}]
    body = {"nodes": nodes, "outputs": [second["id"]]}
    spec = parse_spec({"body": body, "recipe": {"epochs": 400}, "head": {"decoder": "mlp"}})
    return (Anchor("mlp-deep", "strong", "linkx", spec),)


def link_anchors() -> tuple[Anchor, ...]:
    """Pairs of features alone, graph auto-encoder (GCN and dot product), SAGE and a perceptron, SAGE with common neighbours, and SAGE
    beside what the edges around a pair say.

    SAGE keeps what a node is beside what is around it, which a GCN averages away; on validation that was worth 1 to 2 points of AUC.
    """
    first = {"width": 128, "activation": "relu", "dropout": 0.5}
    return (
        Anchor("mlp", "plain", "ncn", _pairs(_chain("mlp", 2, **first), decoder="mlp")),
        Anchor("gae", "plain", "graph-autoencoder", _pairs(_chain("gcn", 2, **first), decoder="dot")),
        Anchor("sage", "plain", "graphsage", _pairs(_chain("sage", 2, **first), decoder="mlp")),
        Anchor("ncn", "strong", "ncn", _pairs(_chain("sage", 2, **first), decoder="common_neighbour", dropout=0.5)),
        Anchor("sage-structure", "strong", "buddy", _pairs(_chain("sage", 2, **first), decoder="mlp", pair_features="structure")),
    )


def _chain(op: str, layers: int, **looks: Any) -> list[dict[str, Any]]:
    names = [f"n{number}" for number in range(layers)]
    return [{"id": name, "op": op, "inputs": [before], **looks} for before, name in zip(["input", *names], names, strict=False)]


def _nodes(nodes: list[dict[str, Any]], **part: Any) -> ArchitectureSpec:
    """All layers read out, as directed and typed networks usually are."""
    body = {"nodes": nodes, "outputs": [node["id"] for node in nodes], "jump": "concat"}
    return parse_spec({"input": part, "body": body, "recipe": NODES})


def _graphs(nodes: list[dict[str, Any]], recipe: dict[str, Any], *, jump: str | None = None, **head: Any) -> ArchitectureSpec:
    outputs = [node["id"] for node in nodes] if jump else [nodes[-1]["id"]]
    body = {"nodes": nodes, "outputs": outputs, "jump": jump or "concat"}
    encoded = {"encoder": "linear", "width": nodes[0]["width"]}
    head = {"kind": "graph", "decoder": "mlp", **head}
    return parse_spec({"input": encoded, "body": body, "recipe": {**GRAPHS, **recipe}, "head": head})


def _pairs(nodes: list[dict[str, Any]], **head: Any) -> ArchitectureSpec:
    nodes = [*nodes[:-1], {**nodes[-1], "activation": "none"}]
    return parse_spec({"body": {"nodes": nodes, "outputs": [nodes[-1]["id"]]}, "recipe": PAIRS, "head": {"kind": "link", **head}})
