"""Draws of a bounded space: plausible architectures with recipes near good defaults, and crossover.

Most published networks are one of a few plans: a stack of convolutions; transform, then propagate (APPNP, DAGNN); propagate, then
transform (SGC, GRAND); parallel branches (MixHop, H2GCN); a stack whose layers all leave the body (jumping knowledge). Samples follow
these plans with operators from the registry, so a new operator takes part as soon as it is registered.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from agentnas.tools.errors import SpecError
from agentnas.tools.operators.base import Value, operator
from agentnas.tools.spec.canonical import IDENTITY, canonical
from agentnas.tools.spec.grafting import with_locks
from agentnas.tools.spec.locks import PARTS
from agentnas.tools.spec.model import ArchitectureSpec, parse_spec

if TYPE_CHECKING:
    from agentnas.tools.spec.bounded import BoundedSpace

ATTEMPTS = 50
PLANS = {"stack": 0.35, "transform_propagate": 0.25, "propagate_transform": 0.15, "branches": 0.1, "jumping": 0.15}
# Layers upon layers; a jump reads out each of them.
DEEP_PLANS = {"stack": 0.8, "jumping": 0.2}
PLAIN = ("gat", "gcn", "sage", "appnp", "sgc", "mlp")
PLAIN_SHARE = 3.0
PLAIN_LOOKS: dict[str, Any] = {"dropout": 0.0, "norm": "none", "activation": "none", "residual": False}
# How likely a field leaves its default; None stands for the factors that are not named.
STRAY = {
    "recipe.learning_rate": 0.5, "recipe.weight_decay": 0.5, "recipe.weight_decay_conv": 0.1, "recipe.weight_decay_out": 0.15,
    "recipe.optimiser": 0.12, "recipe.epochs": 0.3, "recipe.patience": 0.2, "recipe.schedule": 0.12, "recipe.warmup": 0.05,
    "recipe.label_smoothing": 0.15, "recipe.gradient_clip": 0.05, "recipe.drop_edge": 0.2, "recipe.drop_node": 0.1,
    "recipe.feature_dropout": 0.08, "recipe.self_training_rounds": 0.08, "recipe.batching": 0.0, "input.scale": 0.4,
    "input.activation": 0.1, "post.kind": 0.12,
}  # fmt: skip
STRAY_OTHER = 0.25

NodeData = dict[str, Any]


class Draw:
    """One draw from a space: the homogeneous choices that all its nodes share, and its nodes so far."""

    def __init__(self, space: BoundedSpace, rng: random.Random) -> None:
        self.space, self.rng = space, rng
        self.width = self.pick("body.width")
        self.dropout = self.pick("body.dropout")
        self.activation = self.favoured("body.activation", "relu", 0.6)
        self.norm = self.favoured("body.norm", "none", 0.75)
        self.residual = self.favoured("body.residual", space.min_depth > 1, 0.8)
        self.nodes: list[NodeData] = []

    def pick(self, factor: str) -> Any:
        return self.rng.choice(self.space.values_of(factor))

    def favoured(self, factor: str, value: Any, share: float) -> Any:
        """The favoured value with this share, else any; always one that the space allows."""
        values = self.space.values_of(factor)
        return value if value in values and self.rng.random() < share else self.rng.choice(values)

    def operator(self, *kinds: str) -> str | None:
        """An allowed operator of these kinds, common ones more often; None where there is none."""
        names = [name for name in self.space.allowed_operators() if operator(name).kind in kinds and name != IDENTITY]
        weights = [PLAIN_SHARE if name in PLAIN else 1.0 for name in names]
        return self.rng.choices(names, weights)[0] if names else None

    def params(self, op: str) -> dict[str, Value]:
        """Each parameter keeps its default half of the time."""
        return {name: self.rng.choice(values) for name, values in self.space.params_of(op).items() if self.rng.random() < 0.5}

    def add(self, op: str, inputs: Sequence[str], params: dict[str, Value], out: bool = False) -> str:
        """Append a node; its id. Hidden layers share the draw's choices; hops and nodes of width 'out' stay plain where they may."""
        node: NodeData = {"id": f"n{len(self.nodes) + 1}", "op": op, "inputs": list(inputs), "params": params}
        shared = {"dropout": self.dropout, "norm": self.norm, "activation": self.activation, "residual": self.residual}
        plain = {name: PLAIN_LOOKS[name] if self.may_be_plain(name) else value for name, value in shared.items()}
        transforms = operator(op).has_width
        looks = shared if transforms and not out else {**plain, **({"dropout": self.dropout} if transforms else {})}
        if list(inputs) == ["input"] and self.may_be_plain("residual"):
            looks = {**looks, "residual": False}
        self.nodes.append({**node, **looks, **({"width": "out" if out else self.width} if transforms else {})})
        return str(node["id"])

    def may_be_plain(self, name: str) -> bool:
        return PLAIN_LOOKS[name] in self.space.values_of(f"body.{name}")

    def count(self, weights: Sequence[float]) -> int:
        """1, 2, ... with these weights, at most the nodes that are left and the depth that is allowed; in a space of deep ones any number
        from its least depth on, twice as many half as often."""
        most = max(1, min(self.space.max_nodes, self.space.max_depth) - len(self.nodes) - 1)
        if self.space.min_depth > 1:
            least = min(most, self.space.min_depth)
            return round(math.exp(self.rng.uniform(math.log(least), math.log(most))))
        return min(most, self.rng.choices(range(1, len(weights) + 1), weights)[0])


def sample(space: BoundedSpace, rng: random.Random) -> ArchitectureSpec:
    """A spec of the space, in canonical form. Raises SpecError where the space holds nothing that the language allows."""
    reason = ""
    for _ in range(ATTEMPTS):
        try:
            spec = canonical(with_locks(space, parse_spec(_plan(space, rng)), rng))
        except SpecError as error:
            reason = str(error)
            continue
        reason = space.contains(spec) or ""
        if not reason:
            return spec
    raise SpecError(f"space {space.name}: no sample of {ATTEMPTS} lies in it ({reason}); widen its bounds")


def _plan(space: BoundedSpace, rng: random.Random) -> dict[str, Any]:
    draw = Draw(space, rng)
    plans: dict[str, Callable[[Draw], tuple[list[str], bool]]] = {
        "stack": _stack,
        "transform_propagate": _transform_propagate,
        "propagate_transform": _propagate_transform,
        "branches": _branches,
        "jumping": _jumping,
    }
    weights = PLANS if space.min_depth == 1 else DEEP_PLANS
    outputs, out = plans[rng.choices(list(weights), list(weights.values()))[0]](draw)
    settings = {part: _settings(draw, part) for part in ("input", "recipe", "post")}
    settings["input"] |= {"encoder": _encoder(draw), "width": draw.width, "dropout": draw.favoured("input.dropout", draw.dropout, 0.6)}
    settings["recipe"] |= _consistency(draw)
    head = {"decoder": "none"} if out else {"decoder": _decoder(draw), "width": draw.width, "dropout": draw.dropout}
    head |= _of_kind(draw)
    return {**settings, "body": {"nodes": draw.nodes, "outputs": outputs, "jump": draw.pick("body.jump")}, "head": head}


def _of_kind(draw: Draw) -> dict[str, Any]:
    """What a head of graphs or pairs has beside its decoder."""
    if draw.space.kind == "node":
        return {}
    if draw.space.kind == "link":
        return {"kind": "link", "pair_features": draw.pick("head.pair_features")}
    readout = {"pooling": draw.pick("head.pooling"), "virtual_node": draw.favoured("head.virtual_node", False, 0.8)}
    return {"kind": draw.space.kind, **readout}


def _may_end_bare(draw: Draw) -> bool:
    return "none" in draw.space.values_of("head.decoder") and draw.rng.random() < 0.6


def _chain(draw: Draw, start: str, count: int, out: bool) -> list[str]:
    """``count`` convolutions (now and then pointwise layers) one after another, mostly of one operator; their ids."""
    kinds = ("convolution",) if draw.rng.random() < 0.9 else ("convolution", "pointwise")
    op = draw.operator(*kinds) or draw.operator("pointwise") or draw.operator("propagation")
    ids: list[str] = []
    mixed = draw.rng.random() < 0.3
    params = draw.params(op or IDENTITY)
    for i in range(count):
        other = (draw.operator(*kinds) or op) if mixed else op
        own = params if other == op else draw.params(other or IDENTITY)
        ids.append(draw.add(other or IDENTITY, [ids[-1] if ids else start], own, out and i == count - 1))
    return ids


def _layers(draw: Draw, start: str, count: int, out: bool) -> str:
    op = "mlp" if "mlp" in draw.space.allowed_operators() else draw.operator("pointwise") or draw.operator("convolution")
    name = start
    for i in range(count):
        name = draw.add(op, [name], {}, out and i == count - 1) if op else name
    return name


def _propagation(draw: Draw, start: str) -> str:
    op = draw.operator("propagation")
    return draw.add(op, [start], draw.params(op)) if op else start


def _ends_out(draw: Draw) -> bool:
    return any(node.get("width") == "out" for node in draw.nodes)


def _stack(draw: Draw) -> tuple[list[str], bool]:
    out = _may_end_bare(draw)
    last = _chain(draw, "input", draw.count((1, 5, 3, 1)), out)[-1]
    if draw.rng.random() < 0.15:
        last = _propagation(draw, last)
    return [last], _ends_out(draw)


def _transform_propagate(draw: Draw) -> tuple[list[str], bool]:
    """Layers first, then hops: on class scores (APPNP) or on hidden features."""
    out = _may_end_bare(draw)
    last = _propagation(draw, _layers(draw, "input", draw.count((2, 5, 1)), out))
    return [last], _ends_out(draw)


def _propagate_transform(draw: Draw) -> tuple[list[str], bool]:
    """Hops on raw features, or on a projection of them, which is cheaper; then layers (SGC, GRAND)."""
    out = _may_end_bare(draw)
    start = _layers(draw, "input", 1, False) if draw.rng.random() < 0.5 else "input"
    last = _layers(draw, _propagation(draw, start), draw.count((3, 5, 1)), out)
    return [last], _ends_out(draw)


def _branches(draw: Draw) -> tuple[list[str], bool]:
    """Several operators beside one another, merged by the next layer."""
    kinds = ("convolution", "pointwise", "propagation")
    room = max(1, min(3, draw.space.max_inputs, draw.space.max_nodes - 1))
    names: list[str] = []
    for _ in range(draw.rng.randint(min(2, room), room)):
        op = draw.operator(*kinds) or IDENTITY
        names.append(draw.add(op, ["input"], draw.params(op)))
    last = _layers(draw, names[0], 1, _may_end_bare(draw))
    if last != names[0]:
        draw.nodes[-1] |= {"inputs": names, "merge": draw.pick("body.merge")}
    return [last], _ends_out(draw)


def _jumping(draw: Draw) -> tuple[list[str], bool]:
    ids = _chain(draw, "input", draw.count((0, 5, 3, 2)), False)
    return ids, False


def _encoder(draw: Draw) -> str:
    """Mostly none where the first node transforms by itself; hops on raw features are dear and often better after a projection."""
    first = operator(draw.nodes[0]["op"]) if draw.nodes else None
    share = 0.7 if first is not None and first.has_width else 0.5
    return str(draw.favoured("input.encoder", "none", share))


def _decoder(draw: Draw) -> str:
    decoders = [value for value in draw.space.values_of("head.decoder") if value != "none"]
    return draw.rng.choices(decoders, [4.0 if value == "linear" else 1.0 for value in decoders])[0] if decoders else "linear"


def _settings(draw: Draw, part: str) -> dict[str, Any]:
    """Fields near their defaults: each strays with its own probability, and always where the space forbids the default."""
    from agentnas.tools.spec.bounded import searched_values

    found: dict[str, Any] = {}
    for factor in searched_values():
        if factor.startswith(f"{part}.") and factor != "input.encodings":
            name = factor.split(".")[1]
            default = PARTS[part].model_fields[name].default
            values = draw.space.values_of(factor)
            if values == (default,) and factor in ("input.edges", "recipe.ema_decay"):
                continue  # not for this kind of task: nothing is to be drawn
            if default not in values or draw.rng.random() < STRAY.get(factor, STRAY_OTHER):
                found[name] = draw.rng.choice(values)
    if part == "input" and draw.rng.random() < 0.08 and draw.space.values_of("input.encodings"):
        found["encodings"] = [{"kind": draw.pick("input.encodings")}]
    return found


def _consistency(draw: Draw) -> dict[str, Any]:
    """One draw in four trains on several random passes that must agree, with rows dropped and time to converge (GRAND)."""
    several = [value for value in draw.space.values_of("recipe.consistency_samples") if value > 1]
    if not several or draw.rng.random() > 0.25:
        return {"consistency_samples": 1} if 1 in draw.space.values_of("recipe.consistency_samples") else {}
    longest = sorted(draw.space.values_of("recipe.epochs"))[-2:]
    return {
        "consistency_samples": draw.rng.choice(several),
        "drop_node": draw.favoured("recipe.drop_node", 0.5, 0.7),
        "feature_dropout": draw.favoured("recipe.feature_dropout", 0.0, 0.6),
        "epochs": draw.rng.choice(longest),
    }


def crossover(space: BoundedSpace, a: ArchitectureSpec, b: ArchitectureSpec, rng: random.Random) -> ArchitectureSpec:
    """The network of one parent and a recipe drawn field by field from both, or one parent with a node of the other."""
    if rng.random() < 0.5:
        a, b = b, a
    limits = space.tolerated(_worse(space.violations(a), space.violations(b)))
    for maker in rng.sample((_mixed, _mixed, _grafted), 3):
        try:
            child = canonical(parse_spec(maker(a, b, rng)))
        except SpecError:
            continue
        if all(amount <= limits.get(bound, 0.0) for bound, amount in space.violations(child).items()):
            return child
    return canonical(a)


def _worse(first: dict[str, float], second: dict[str, float]) -> dict[str, float]:
    return {bound: max(first.get(bound, 0.0), second.get(bound, 0.0)) for bound in {**first, **second}}


def _mixed(a: ArchitectureSpec, b: ArchitectureSpec, rng: random.Random) -> dict[str, Any]:
    child = a.model_dump()
    other = b.model_dump()
    child["recipe"] = {name: rng.choice((value, other["recipe"][name])) for name, value in child["recipe"].items()}
    child["post"] = rng.choice((child["post"], other["post"]))
    child["input"] |= {name: other["input"][name] for name in ("scale", "dropout") if rng.random() < 0.5}
    seen = (child["head"]["pair_features"], other["head"]["pair_features"])
    child["head"]["pair_features"] = rng.choice(seen) if len(set(seen)) > 1 else seen[0]
    return child


def _grafted(a: ArchitectureSpec, b: ArchitectureSpec, rng: random.Random) -> dict[str, Any]:
    """``_mixed``, and one node takes operator, parameters and looks from a node of the other parent."""
    child = _mixed(a, b, rng)
    nodes = child["body"]["nodes"]
    if nodes and b.body.nodes:
        target = rng.choice(nodes)
        giver = rng.choice(b.body.nodes).model_dump(exclude={"id", "inputs", "merge"})
        if target["width"] == "out" or giver["width"] == "out":
            giver["width"] = target["width"] if operator(giver["op"]).has_width else None
        target |= giver
    return child
