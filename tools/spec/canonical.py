"""The canonical form of a spec, its JSON and its hash: specs that build the same network with the same recipe have the same hash.

What has no effect takes its default (unreachable nodes go, settings of features that are off are reset), identities that change nothing
collapse, inputs and outputs whose order means nothing are sorted, and nodes are named n1, n2, ... in canonical topological order.
Nodes are never merged: a shared node and two equal nodes are different networks, with one set of weights or two.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from agentnas.tools.operators.base import Operator, Value, operators
from agentnas.tools.spec.isomorphism import SOURCE, LabelledDag, canonical_order
from agentnas.tools.spec.memo import OnceASpec
from agentnas.tools.spec.model import (
    LANGUAGE_VERSION,
    MAX_WIDTH,
    ArchitectureSpec,
    Body,
    Input,
    Node,
    Part,
    Recipe,
    topological_order,
)

IDENTITY = "identity"
RAW = "raw"  # width of features that no encoder has projected: among other inputs of a merge it is projected, and counts for nothing
JOINING = ("gat", "gatv2", "transformer")  # average their heads, whatever ``join`` says, where these do not divide the width

# Field -> the field beside it that switches it off, and the values that do.
OFF_WHILE: dict[str, tuple[str, tuple[Any, ...]]] = {
    "input.width": ("encoder", ("none",)),
    "input.activation": ("encoder", ("none",)),
    "head.width": ("decoder", ("none", "linear", "dot")),
    "head.layers": ("decoder", ("none", "linear", "dot")),
    "head.dropout": ("decoder", ("none", "dot")),
    "head.pair_features": ("kind", ("node", "graph")),
    "head.pooling": ("kind", ("node", "link")),
    "head.virtual_node": ("kind", ("node", "link")),
    "recipe.momentum": ("optimiser", ("adam", "adamw")),
    "recipe.consistency_weight": ("consistency_samples", (1,)),
    "recipe.consistency_temperature": ("consistency_samples", (1,)),
    "recipe.self_training_per_class": ("self_training_rounds", (0,)),
    "recipe.self_training_confidence": ("self_training_rounds", (0,)),
    "recipe.batch_size": ("batching", ("full", "cluster")),
    "recipe.fanout": ("batching", ("full", "cluster", "precomputed", "minibatch")),
    "recipe.clusters": ("batching", ("full", "neighbour", "precomputed", "minibatch")),
    "post.alpha": ("kind", ("none",)),
    "post.hops": ("kind", ("none",)),
    "post.weight": ("kind", ("none",)),
}

Symbol = int | str | None
PartT = TypeVar("PartT", bound=Part)


def canonical(spec: ArchitectureSpec) -> ArchitectureSpec:
    """The canonical form: equal for specs that differ only in names, orders, dead nodes, pass-throughs or settings without effect."""
    source = _input(spec.input)
    return _with_parts(spec, source, _body(spec.body, source, operators()))


def tidied(spec: ArchitectureSpec) -> ArchitectureSpec:
    """The same spec without unreachable nodes, pass-throughs and settings without effect; names, orders and widths stay as written."""
    source = _input(spec.input)
    known = operators()
    nodes, outputs = _simplified(spec.body, source, known)
    widths = {node.id: node.width for node in spec.body.nodes}
    kept = [node.model_copy(update={"width": widths[node.id]}) for node in reachable(nodes, outputs)]
    written = [node.id for node in spec.body.nodes]
    kept.sort(key=lambda node: written.index(node.id))
    body = Body.model_construct(nodes=tuple(kept), outputs=tuple(outputs), jump="concat" if len(outputs) == 1 else spec.body.jump)
    return _with_parts(spec, source, body)


def canonical_names(spec: ArchitectureSpec) -> dict[str, str]:
    """The name in the canonical form of each node that is still there, by its own; those that do nothing are left out."""
    nodes, outputs = _simplified(spec.body, _input(spec.input), operators())
    nodes = reachable(_absorb_merges(reachable(nodes, outputs), outputs), outputs)
    return {nodes[i].id: f"n{place}" for place, i in enumerate(_order(nodes, outputs), 1)}


def _with_parts(spec: ArchitectureSpec, source: Input, body: Body) -> ArchitectureSpec:
    known = operators()
    # A convolution of width 'out' decays with the group of the outputs.
    hidden = any(known[node.op].kind == "convolution" and node.width != "out" for node in body.nodes)
    local = all(known[node.op].kind == "pointwise" for node in body.nodes) and spec.head.kind == "node"
    # Without messages, encodings and post-processing nobody asks which way edges point.
    unseen = local and not source.encodings and spec.post.kind == "none"
    return ArchitectureSpec.model_construct(
        input=_reset(source, "edges") if unseen else source,
        body=body,
        head=_without_effect_reset("head", spec.head),
        recipe=_recipe(spec.recipe, hidden, local),
        post=_without_effect_reset("post", spec.post),
    )


def canonical_data(spec: ArchitectureSpec) -> dict[str, Any]:
    """The canonical form as plain data: defaults are omitted, ``language`` is the version of the language."""
    return _data_of(canonical(spec))


def _data_of(form: ArchitectureSpec) -> dict[str, Any]:
    parts = form.model_dump(mode="json", exclude_defaults=True)
    return {"language": LANGUAGE_VERSION, **{name: part for name, part in parts.items() if part}}


def canonical_json(spec: ArchitectureSpec) -> str:
    """The canonical form as one line of JSON with sorted keys; ``parse_spec`` reads it back."""
    return _json_of(canonical(spec))


def _json_of(form: ArchitectureSpec) -> str:
    return json.dumps(_data_of(form), sort_keys=True, separators=(",", ":"))


@OnceASpec
def spec_hash(spec: ArchitectureSpec) -> str:
    """16 hexadecimal digits that are equal exactly for specs with the same canonical form."""
    return hash_of(canonical(spec))


def hash_of(form: ArchitectureSpec) -> str:
    """``spec_hash`` of a spec that is in canonical form already."""
    return hashlib.sha256(_json_of(form).encode()).hexdigest()[:16]


def is_off(part: str, name: str, settings: Part) -> bool:
    """True where the field has no effect because of the value of the field that governs it."""
    governor, values = OFF_WHILE.get(f"{part}.{name}", (name, ()))
    return getattr(settings, governor) in values


def _without_effect_reset(part: str, settings: PartT) -> PartT:
    return _reset(settings, *(name for name in type(settings).model_fields if is_off(part, name, settings)))


def _reset(settings: PartT, *names: str) -> PartT:
    """The part with the named fields at their defaults."""
    fields = type(settings).model_fields
    changed = {name: fields[name].default for name in names if getattr(settings, name) != fields[name].default}
    return settings.model_copy(update=changed) if changed else settings


def _input(source: Input) -> Input:
    encodings = tuple(sorted(source.encodings, key=lambda encoding: (encoding.kind, encoding.dim)))
    return _without_effect_reset("input", source.model_copy(update={"encodings": encodings}))


def _recipe(recipe: Recipe, has_hidden_convolutions: bool, ignores_edges: bool) -> Recipe:
    """Resets what is off; a group's own weight decay that equals the common one says nothing new, nor does patience beyond the end."""
    if recipe.patience >= recipe.epochs:
        recipe = recipe.model_copy(update={"patience": 0})
    names = [name for name in ("weight_decay_conv", "weight_decay_out") if getattr(recipe, name) == recipe.weight_decay]
    if not has_hidden_convolutions:
        names.append("weight_decay_conv")
    if ignores_edges:
        names.append("drop_edge")
    return _without_effect_reset("recipe", _reset(recipe, *names))


def _body(body: Body, source: Input, known: Mapping[str, Operator]) -> Body:
    nodes, outputs = _simplified(body, source, known)
    nodes = reachable(_absorb_merges(reachable(nodes, outputs), outputs), outputs)
    named, names = _named(nodes, outputs)
    return Body.model_construct(nodes=named, outputs=names, jump="concat" if len(outputs) == 1 else body.jump)


def _simplified(body: Body, source: Input, known: Mapping[str, Operator]) -> tuple[list[Node], list[str]]:
    """Nodes in topological order without pass-throughs, widths written out where they are known, parameters without defaults."""
    widths: dict[str, Symbol] = {"input": RAW if source.encoder == "none" else None if source.encodings else source.width}
    alias = {"input": "input"}
    kept: list[Node] = []
    for node in topological_order(body.nodes):
        node = _with_inputs(node, [alias[name] for name in node.inputs])
        inherited = merged_width([widths[name] for name in node.inputs], node.merge)
        if _passes_through(node, inherited):
            alias[node.id] = node.inputs[0]
            continue
        node = _settled(node, inherited, known[node.op])
        alias[node.id] = node.id
        widths[node.id] = inherited if node.width is None else node.width
        kept.append(node)
    return kept, _distinct([alias[name] for name in body.outputs], body.jump)


def _with_inputs(node: Node, inputs: list[str]) -> Node:
    inputs = _distinct(inputs, node.merge)
    merge = node.merge if len(inputs) > 1 else "sum"
    return node.model_copy(update={"inputs": tuple(inputs), "merge": merge})


def _distinct(names: list[str], merge: str) -> list[str]:
    """The mean or maximum of one value with itself is that value."""
    return names[:1] if merge in {"mean", "max"} and len(set(names)) == 1 else names


def merged_width(widths: list[Symbol], merge: str) -> Symbol:
    """Width of merged inputs: a number (the widest's, to which the others are projected), 'out', or None where the data decides."""
    if len(widths) > 1 and merge == "concat":
        total = sum(width if isinstance(width, int) else MAX_WIDTH + 1 for width in widths)
        return total if total <= MAX_WIDTH else None
    counted = [width for width in widths if width != RAW] or [None]
    if len(set(counted)) == 1:
        return counted[0]
    known = [width for width in counted if isinstance(width, int)]
    return max(known) if len(known) == len(counted) else None


def _does_nothing(node: Node, inherited: Symbol) -> bool:
    plain = not node.dropout and node.norm == "none" and not node.residual and node.activation == "none"
    return node.op == IDENTITY and plain and (node.width is None or node.width == inherited)


def _passes_through(node: Node, inherited: Symbol) -> bool:
    return len(node.inputs) == 1 and _does_nothing(node, inherited)


def _settled(node: Node, inherited: Symbol, operator: Operator) -> Node:
    """Width written out, parameters in the order and type of their description, without defaults, -0.0 as 0.0."""
    held: dict[str, Value] = {param.name: node.params.get(param.name, param.default) for param in operator.params}
    params: dict[str, Value] = {}
    for param in operator.params:
        value = held[param.name]
        governor, off = param.off_while or (param.name, ())
        if value != param.default and held[governor] not in off:
            params[param.name] = float(value) + 0.0 if isinstance(param.default, float) else value
    width = inherited if node.width is None and operator.has_width else node.width
    if node.op in JOINING and isinstance(width, int) and width % int(held["heads"]):
        params.pop("join", None)
    return node.model_copy(update={"params": params, "width": width, "dropout": node.dropout + 0.0})


def _absorb_merges(nodes: list[Node], outputs: list[str]) -> list[Node]:
    """An identity that only merges, for one user without other inputs, is that user's own merge."""
    uses = Counter(name for node in nodes for name in node.inputs) + Counter(outputs)
    merges = {node.id: node for node in nodes if len(node.inputs) > 1 and _does_nothing(node, None) and uses[node.id] == 1}
    kept: list[Node] = []
    for node in nodes:
        while len(node.inputs) == 1 and node.inputs[0] in merges:
            inner = merges[node.inputs[0]]
            node = node.model_copy(update={"inputs": inner.inputs, "merge": inner.merge})
        kept.append(node)
    return kept


def reachable(nodes: list[Node], outputs: Sequence[str]) -> list[Node]:
    """The nodes that an output depends on; they are given in topological order, and stay so."""
    wanted = set(outputs)
    for node in reversed(nodes):
        if node.id in wanted:
            wanted |= set(node.inputs)
    return [node for node in nodes if node.id in wanted]


def _named(nodes: list[Node], outputs: list[str]) -> tuple[tuple[Node, ...], tuple[str, ...]]:
    order = _order(nodes, outputs)
    rank = {"input": 0, **{nodes[i].id: place for place, i in enumerate(order, 1)}}

    def names(given: list[str]) -> tuple[str, ...]:
        return tuple(f"n{place}" if place else "input" for place in sorted(rank[name] for name in given))

    renamed = tuple(nodes[i].model_copy(update={"id": f"n{rank[nodes[i].id]}", "inputs": names(list(nodes[i].inputs))}) for i in order)
    return renamed, names(outputs)


def _order(nodes: list[Node], outputs: list[str]) -> list[int]:
    place = {"input": SOURCE, **{node.id: i for i, node in enumerate(nodes)}}
    left = Counter(outputs)
    labels = tuple(f"{left[node.id]} {node_label(node)}" for node in nodes)
    return canonical_order(LabelledDag(labels, tuple(tuple(place[name] for name in node.inputs) for node in nodes)))


def node_label(node: Node) -> str:
    """All that a node says apart from its name and the names of its inputs."""
    return json.dumps(node.model_dump(exclude={"id", "inputs"}, exclude_defaults=True), sort_keys=True)
