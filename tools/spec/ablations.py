"""What a design could do without: each choice taken back by itself, so that training the rest says what the choice is worth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from agentnas.tools.operators.base import operator
from agentnas.tools.spec.bounded import BoundedSpace
from agentnas.tools.spec.canonical import spec_hash, tidied
from agentnas.tools.spec.diff import describe, diff
from agentnas.tools.spec.model import ArchitectureSpec
from agentnas.tools.spec.moves import options
from agentnas.tools.spec.render import value_text
from agentnas.tools.spec.space import checked

# What a field is without the choice that it holds, in the order in which people would ask.
PLAIN: dict[str, Any] = {
    "input.encodings": (), "input.scale": "none", "input.dropout": 0.0, "recipe.consistency_samples": 1, "recipe.drop_edge": 0.0,
    "recipe.drop_node": 0.0, "recipe.feature_dropout": 0.0, "recipe.label_smoothing": 0.0, "recipe.self_training_rounds": 0,
    "post.kind": "none", "recipe.weight_decay": 0.0, "recipe.weight_decay_conv": None, "recipe.weight_decay_out": None,
    "recipe.schedule": "none", "recipe.warmup": 0, "recipe.gradient_clip": 0.0, "recipe.ema_decay": 0.0, "head.virtual_node": False,
    "head.pooling": "mean", "head.pair_features": "none", "head.dropout": 0.0,
}  # fmt: skip
NODE_PLAIN: dict[str, Any] = {"dropout": 0.0, "norm": "none", "residual": False}


@dataclass(frozen=True)
class Ablation:
    """A design without one of its choices: ``factor`` names the choice, ``change`` says in words what was taken back."""

    factor: str
    change: str
    spec: ArchitectureSpec


def ablations(spec: ArchitectureSpec) -> list[Ablation]:
    """Every choice taken back once, the structure first; variants that would be the design itself, or each other, are left out."""
    spec = tidied(spec)
    found: list[Ablation] = []
    seen = {spec_hash(spec)}
    for factor, words, candidate in _candidates(spec):
        variant = checked(candidate)
        if variant is not None and (hashed := spec_hash(variant)) not in seen:
            seen.add(hashed)
            found.append(Ablation(factor, words or describe(diff(spec, variant)), variant))
    return found


Candidates = Iterator[tuple[str, str, ArchitectureSpec]]


def _candidates(spec: ArchitectureSpec) -> Candidates:
    yield from _without_edges(spec)
    yield from _without_nodes(spec)
    yield from _without_looks(spec)
    yield from _without_settings(spec)
    yield from _usual_params(spec)


def _without_edges(spec: ArchitectureSpec) -> Candidates:
    """The same layers on each node alone."""
    kinds = {node.id: operator(node.op).kind for node in spec.body.nodes}
    if set(kinds.values()) <= {"pointwise"}:
        return
    nodes = []
    for node in spec.body.nodes:
        if kinds[node.id] == "pointwise":
            nodes.append(node)
        else:
            plain = "mlp" if operator(node.op).has_width else "identity"
            nodes.append(node.model_copy(update={"op": plain, "params": {}}))
    yield "edges", "no edges: every operator that uses them looks at a node alone", _with_body(spec, nodes=tuple(nodes))


def _without_nodes(spec: ArchitectureSpec) -> Candidates:
    space = BoundedSpace("ablation", kind=spec.head.kind)
    if len(spec.body.nodes) > 1:
        for variant in options(space, spec, "body.remove_node"):
            yield "body.remove_node", "", variant
    if len(spec.body.outputs) > 1:
        for name in spec.body.outputs:
            kept = tuple(other for other in spec.body.outputs if other != name)
            yield "body.outputs", f"{name} no longer leaves the body", _with_body(spec, outputs=kept)


def _without_looks(spec: ArchitectureSpec) -> Candidates:
    for name, plain in NODE_PLAIN.items():
        nodes = tuple(node.model_copy(update={name: plain}) for node in spec.body.nodes)
        held = dict.fromkeys(value_text(value) for node in spec.body.nodes if (value := getattr(node, name)) != plain)
        yield f"body.*.{name}", f"{name} {', '.join(held)} -> {value_text(plain)} in every node", _with_body(spec, nodes=nodes)


def _without_settings(spec: ArchitectureSpec) -> Candidates:
    for factor, plain in PLAIN.items():
        part, name = factor.split(".")
        settings = getattr(spec, part)
        yield factor, "", spec.model_copy(update={part: settings.model_copy(update={name: plain})})


def _usual_params(spec: ArchitectureSpec) -> Candidates:
    """Each parameter of an operator as it usually is."""
    for place, node in enumerate(spec.body.nodes):
        for name in node.params:
            params = {other: value for other, value in node.params.items() if other != name}
            nodes = list(spec.body.nodes)
            nodes[place] = node.model_copy(update={"params": params})
            yield f"body.params.{name}", "", _with_body(spec, nodes=tuple(nodes))


def _with_body(spec: ArchitectureSpec, **changes: Any) -> ArchitectureSpec:
    return spec.model_copy(update={"body": spec.body.model_copy(update=changes)})
