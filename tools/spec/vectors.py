"""A spec as a vector of fixed length for surrogate models: what it is made of, how deep and wide it is, and its recipe.

Computed from the canonical form, so equal designs have equal vectors. Sizes and rates are on logarithmic scales.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from agentnas.tools.operators.base import Operator, Param, operators
from agentnas.tools.spec.canonical import canonical
from agentnas.tools.spec.fields import choices
from agentnas.tools.spec.model import ArchitectureSpec, Body, Encoding, Head, Input, Node, Part, Post, Recipe

LOGARITHMIC = {
    "width", "learning_rate", "weight_decay", "weight_decay_conv", "weight_decay_out", "epochs", "patience", "batch_size", "fanout",
    "clusters", "self_training_per_class", "hops",
}  # fmt: skip
SMALLEST = 1e-7
PARTS: dict[str, type[Part]] = {"input": Input, "head": Head, "recipe": Recipe, "post": Post}
SHAPE = (
    "nodes", "edges", "outputs", "depth", "convolutions_deep", "propagations_deep", "transformations_deep", "merges", "widest", "narrowest",
    "widths_written", "dropout_mean", "dropout_max", "dropout_first", "residual", "ends_in_out", "skips",
)  # fmt: skip

Features = dict[str, float]


def vector(spec: ArchitectureSpec) -> list[float]:
    """Structure features in the order of ``vector_names()``."""
    spec = canonical(spec)
    known = operators()
    found: Features = {}
    for name in PARTS:
        _add_part(found, name, getattr(spec, name), spec.recipe)
    for encoding in spec.input.encodings:
        found[f"input.encodings={encoding.kind}"] = float(encoding.dim)
    _add_shares(found, spec.body)
    _add_operators(found, spec.body.nodes, known)
    found.update(zip((f"body.{name}" for name in SHAPE), _shape(spec.body, known), strict=True))
    return [found.get(name, 0.0) for name in vector_names()]


def vector_names() -> tuple[str, ...]:
    """What each number of a vector means; grows when operators are added."""
    known = operators()
    return _names(tuple(known.values()))


@lru_cache(maxsize=8)
def _names(known: tuple[Operator, ...]) -> tuple[str, ...]:
    names = [name for part, model in PARTS.items() for name in _field_names(part, model)]
    names += [f"input.encodings={kind}" for kind in choices(Encoding.model_fields["kind"].annotation)]
    for field in ("norm", "activation", "merge"):
        names += [f"body.{field}={value}" for value in choices(Node.model_fields[field].annotation)]
    names += [f"body.jump={value}" for value in choices(Body.model_fields["jump"].annotation)]
    names += [f"body.{name}" for name in SHAPE]
    for operator in known:
        names += [f"op.{operator.name}", *(name for param in operator.params for name in _param_names(operator, param))]
    return tuple(names)


def _field_names(part: str, model: type[Part]) -> list[str]:
    names: list[str] = []
    for name, field in model.model_fields.items():
        values = choices(field.annotation)
        names += [f"{part}.{name}={value}" for value in values] if values else [] if name == "encodings" else [f"{part}.{name}"]
    return names


def _param_names(operator: Operator, param: Param) -> list[str]:
    name = f"op.{operator.name}.{param.name}"
    return [f"{name}={value}" for value in param.search] if isinstance(param.default, str) else [name]


def _add_part(found: Features, part: str, settings: Part, recipe: Recipe) -> None:
    for name, value in settings:
        if isinstance(value, str):
            found[f"{part}.{name}={value}"] = 1.0
        elif name != "encodings":
            # A group without its own weight decay has the common one.
            found[f"{part}.{name}"] = _scaled(name, recipe.weight_decay if value is None else value)


def _scaled(name: str, value: float) -> float:
    return math.log10(max(float(value), SMALLEST)) if name in LOGARITHMIC else float(value)


def _add_shares(found: Features, body: Body) -> None:
    share = 1.0 / max(1, len(body.nodes))
    for node in body.nodes:
        for name, value in (("norm", node.norm), ("activation", node.activation)):
            found[f"body.{name}={value}"] = found.get(f"body.{name}={value}", 0.0) + share
        if len(node.inputs) > 1:
            found[f"body.merge={node.merge}"] = found.get(f"body.merge={node.merge}", 0.0) + 1.0
    if len(body.outputs) > 1:
        found[f"body.jump={body.jump}"] = 1.0


def _add_operators(found: Features, nodes: Sequence[Node], known: Mapping[str, Operator]) -> None:
    counts: dict[str, int] = {}
    for node in nodes:
        counts[node.op] = counts.get(node.op, 0) + 1
    for node in nodes:
        found[f"op.{node.op}"] = float(counts[node.op])
        for param in known[node.op].params:
            value: Any = node.params.get(param.name, param.default)
            name = f"op.{node.op}.{param.name}={value}" if isinstance(value, str) else f"op.{node.op}.{param.name}"
            found[name] = found.get(name, 0.0) + (1.0 if isinstance(value, str) else float(value)) / counts[node.op]


def _shape(body: Body, known: Mapping[str, Operator]) -> list[float]:
    nodes = body.nodes
    widths = [math.log2(node.width) for node in nodes if isinstance(node.width, int)]
    dropouts = [node.dropout for node in nodes] or [0.0]
    consumed = [name for node in nodes for name in node.inputs]
    return [
        float(len(nodes)),
        float(len(consumed)),
        float(len(body.outputs)),
        float(_deepest(body, lambda node: 1)),
        float(_deepest(body, lambda node: known[node.op].kind == "convolution")),
        float(_deepest(body, lambda node: _hops(node, known[node.op]))),
        float(_deepest(body, lambda node: known[node.op].has_width)),
        float(sum(len(node.inputs) > 1 for node in nodes)),
        max(widths, default=0.0),
        min(widths, default=0.0),
        float(len(widths)),
        sum(dropouts) / len(dropouts),
        max(dropouts),
        dropouts[0],
        sum(node.residual for node in nodes) / max(1, len(nodes)),
        float(all(node.width == "out" or not known[node.op].has_width for node in nodes if node.id in body.outputs)),
        float(len(consumed) + len(body.outputs) - len(set(consumed) | set(body.outputs))),
    ]


def _deepest(body: Body, weight: Any) -> int:
    """Largest sum of ``weight(node)`` on a path; canonical nodes come after their inputs."""
    best: dict[str, int] = {"input": 0}
    for node in body.nodes:
        best[node.id] = int(weight(node)) + max(best[name] for name in node.inputs)
    return max(best[name] for name in body.outputs)


def _hops(node: Node, operator: Operator) -> int:
    """Steps of propagation: the operator's ``hops`` where it has them, one for any other operator that uses edges."""
    if operator.kind == "pointwise":
        return 0
    hops = next((node.params.get(param.name, param.default) for param in operator.params if param.name == "hops"), 1)
    return int(hops) if isinstance(hops, (int, float)) else 1
