"""What the kind of a task asks of a spec: its head, how its batches are made, and which settings have a meaning."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from agentnas.tools.operators.base import operators
from agentnas.tools.spec.model import ArchitectureSpec, parse_spec

# Settings that learn from predicted classes of nodes that are not trained on, or from labels of neighbours.
NODES_ONLY = {
    "post.kind": ("none",), "recipe.self_training_rounds": (0,), "recipe.consistency_samples": (1,),
}  # fmt: skip
NO_CLASSES = {"recipe.label_smoothing": (0.0,)}
OF_KIND: dict[str, dict[str, tuple[Any, ...]]] = {
    "node": {},
    "graph": {
        **NODES_ONLY, "recipe.batching": ("full", "minibatch"), "recipe.batch_size": (16, 32, 64, 128),
        # A set is gone through some ten times an epoch: a few epochs are many steps.
        "recipe.epochs": (50, 100, 200), "recipe.patience": (20, 30, 50), "recipe.learning_rate": (0.001, 0.002, 0.005, 0.01, 0.02),
        "body.norm": ("none", "batch", "layer", "graph"),
        # Few and short steps an epoch: scores of small folds go up and down by several items from epoch to epoch.
        "recipe.ema_decay": (0.0, 0.9, 0.97),
    },
    "link": {
        **NODES_ONLY, "recipe.batching": ("minibatch",), "recipe.batch_size": (256, 1024, 4096), "recipe.epochs": (50, 100, 200, 300),
        "recipe.patience": (20, 30, 50), "recipe.weight_decay": (0.0, 5e-6, 5e-5, 5e-4), "recipe.label_smoothing": (0.0,),
        "body.width": (32, 64, 128, 256), "head.decoder": ("dot", "mlp", "common_neighbour"),
    },
}  # fmt: skip
DIRECTED = {"input.edges": ("as_given", "both", "reversed")}
BATCH_SIZE = {"graph": 64, "link": 1024}


def values_for(kind: str, target: str, offers: Collection[str] = ()) -> Mapping[str, tuple[Any, ...]]:
    """Values of single fields that a space for such tasks searches, where they differ from those of node classification.

    ``offers``: what the task's graph has, as ``Task.offers``.
    """
    return {
        **OF_KIND[kind],
        **(DIRECTED if "directions" in offers else {}),
        **({} if target == "classes" else {**NODES_ONLY, **NO_CLASSES}),
    }


def for_kind(spec: ArchitectureSpec, kind: str, target: str = "classes") -> ArchitectureSpec:
    """The network of a spec with a head for another kind of task, and a recipe that has a meaning there; itself where it fits already."""
    data = spec.model_dump(mode="json")
    if spec.head.kind != kind:
        data["head"] = _head(spec, kind)
        data["recipe"] |= {"batching": "minibatch", "batch_size": BATCH_SIZE[kind]} if kind in BATCH_SIZE else {"batching": "full"}
        if kind == "link":
            data["body"] = _hidden(data["body"], spec)
    for factor, values in values_for(kind, target).items():
        part, name = factor.split(".")
        if len(values) == 1:
            data[part][name] = values[0]
    return parse_spec(data)


def reads_edges(spec: ArchitectureSpec) -> bool:
    """Whether edges have any part in what the network says: by messages, encodings, what surrounds a pair, or post-processing."""
    known = operators()
    messages = any(known[node.op].kind != "pointwise" for node in spec.body.nodes)
    around = spec.head.decoder == "common_neighbour" or spec.head.pair_features != "none"
    return messages or bool(spec.input.encodings) or around or spec.post.kind != "none"


def _head(spec: ArchitectureSpec, kind: str) -> dict[str, Any]:
    if kind == "link":
        return {"kind": kind, "decoder": "mlp", "width": 64}
    decoder = spec.head.decoder if spec.head.decoder in ("none", "linear", "mlp") else "linear"
    return {**spec.head.model_dump(mode="json", include={"width", "layers", "dropout"}), "kind": kind, "decoder": decoder}


def _hidden(body: dict[str, Any], spec: ArchitectureSpec) -> dict[str, Any]:
    """The body with a width in place of 'out': the ends of a pair are compared in a space that is wide enough."""
    widths = [node.width for node in spec.body.nodes if isinstance(node.width, int)]
    width = max(widths, default=64)
    return {**body, "nodes": [{**node, "width": width if node["width"] == "out" else node["width"]} for node in body["nodes"]]}
