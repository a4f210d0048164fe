"""The difference of two specs as the least list of changes that turns one into the other, for machines and for people.

A change has a path (``recipe.learning_rate``, ``body.nodes.n1.width``, ``body.nodes.n3`` for a whole node), an old and a new value. Nodes
of the two specs are paired by name or by what they are, whichever explains the difference with fewer changes; paths use the first
spec's names. ``factor_of`` names the one thing that was varied, in the words that a search space uses for its mutations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agentnas.tools.errors import SpecError
from agentnas.tools.operators.base import operator
from agentnas.tools.spec.canonical import node_label, spec_hash, tidied
from agentnas.tools.spec.model import ArchitectureSpec, Node, parse_spec, topological_order

NODES = "body.nodes."
PARAMS = ".params."
WIRING = {"body.inputs", "body.outputs", "body.merge", "body.jump"}


@dataclass(frozen=True)
class Change:
    """One difference. ``old`` is None for a node that was added, ``new`` is None for one that was removed.

    A parameter of an operator is None where the node does not say it; ``defaults`` are what old and new then are, None where the
    operator has no such parameter.
    """

    path: str
    old: Any
    new: Any
    defaults: tuple[Any, Any] = field(default=(None, None), compare=False)

    @property
    def is_node(self) -> bool:
        """True for a node that was added or removed as a whole."""
        return self.path.startswith(NODES) and self.path.count(".") == 2

    @property
    def node(self) -> str | None:
        return self.path.split(".")[2] if self.path.startswith(NODES) else None

    @property
    def factor(self) -> str:
        """The path without the name of the node: ``body.width``, ``body.params.hops``, ``body.add_node``."""
        if self.is_node:
            return "body.add_node" if self.old is None else "body.remove_node"
        return "body." + ".".join(self.path.split(".")[3:]) if self.node else self.path

    def as_dict(self) -> dict[str, Any]:
        """Plain data for journals."""
        return {"path": self.path, "old": self.old, "new": self.new}


def diff(a: ArchitectureSpec, b: ArchitectureSpec) -> list[Change]:
    """The least changes that turn ``a`` into ``b``; empty exactly when both have the same canonical form."""
    if spec_hash(a) == spec_hash(b):
        return []
    first, second = tidied(a), tidied(b)
    pairings = [_by_name(first, second), _by_likeness(first, second)]
    lists = [_effective(first, _changes(first, second, pairs), spec_hash(b)) for pairs in pairings]
    return min(lists, key=len)


def written(a: ArchitectureSpec, b: ArchitectureSpec) -> list[Change]:
    """Every difference as it is written, nodes paired by name, also where it has no effect; for a child that keeps its parent's names."""
    return _changes(a, b, _by_name(a, b))


def apply(a: ArchitectureSpec, changes: Sequence[Change]) -> ArchitectureSpec:
    """``a`` with the changes made; ``apply(a, diff(a, b))`` has the canonical form of ``b``. Raises SpecError where they do not fit."""
    return parse_spec(_edited(tidied(a), changes))


def describe(changes: Sequence[Change]) -> str:
    """One line for people, what others drag along last: ``recipe.learning_rate 0.01 -> 0.005; + n3 appnp(n2)``."""
    leading = _leading(changes)
    ordered = [*leading, *(change for change in changes if change not in leading)]
    return "; ".join(_in_words(change) for change in ordered) or "no difference"


def factor_of(changes: Sequence[Change]) -> str | None:
    """The one factor that the changes vary, or None for none or several. ``body.*.width`` is one factor varied in many nodes.

    What a change drags along counts with it: rewiring around an added or removed node, parameters and width of a node whose operator
    changed, the width 'out' that moves between body and head with the decoder, and settings that gain or lose their effect: patience with
    the epochs, the join of heads with their number or the width.
    """
    names = {change.factor for change in _leading(changes)}
    if names and names <= WIRING and len(names) > 1:
        return "body.inputs"
    if len(names) != 1:
        return None
    name = names.pop()
    tied = name.startswith("body.") and name not in {*WIRING - {"body.merge"}, "body.add_node", "body.remove_node"}
    several = len({change.node for change in _leading(changes)}) > 1
    return name.replace("body.", "body.*.", 1) if tied and several else name


def _leading(changes: Sequence[Change]) -> list[Change]:
    """The changes without those that others drag along."""
    factors = {change.factor for change in changes}
    swapped = {change.node for change in changes if change.factor == "body.op"}
    structural = bool(factors & {"body.add_node", "body.remove_node"})

    def dragged(change: Change) -> bool:
        if structural and change.factor in WIRING:
            return True
        if change.factor != "body.op" and change.node in swapped and change.factor.startswith(("body.params.", "body.width")):
            return True
        if change.factor == "recipe.patience" and "recipe.epochs" in factors and 0 in (change.old, change.new):
            return True
        if change.factor == "body.params.join" and factors & {"body.width", "body.params.heads"}:
            return True
        return "head.decoder" in factors and change.factor == "body.width" and "out" in (change.old, change.new)

    return [change for change in changes if not dragged(change)]


def _in_words(change: Change) -> str:
    if change.is_node:
        node = change.new if change.old is None else change.old
        return f"{'+' if change.old is None else '-'} {change.node} {node['op']}({', '.join(node['inputs'])})"
    old, new = (_side(change, value, default) for value, default in zip((change.old, change.new), change.defaults, strict=True))
    return f"{change.path.removeprefix(NODES)} {old} -> {new}"


def _side(change: Change, value: Any, default: Any) -> str:
    if value is not None or PARAMS not in change.path:
        return _value(value)
    return "none" if default is None else f"{_value(default)} (default)"


def _value(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, dict):
        return " ".join(_value(part) for part in value.values())
    return f"{value:g}" if isinstance(value, float) else "inherited" if value is None else str(value)


def _effective(a: ArchitectureSpec, changes: list[Change], wanted: str) -> list[Change]:
    """Leave out every change without which the result is the same; added and removed nodes always stay."""
    kept = list(changes)
    for change in changes:
        fewer = [other for other in kept if other != change]
        if len(kept) > 1 and not change.is_node and _hash_after(a, fewer) == wanted:
            kept = fewer
    return kept


def _hash_after(a: ArchitectureSpec, changes: Sequence[Change]) -> str | None:
    try:
        return spec_hash(parse_spec(_edited(a, changes)))
    except SpecError:
        return None


def _by_name(a: ArchitectureSpec, b: ArchitectureSpec) -> dict[str, str]:
    """Nodes of ``b`` to nodes of ``a`` with the same name."""
    return {node.id: node.id for node in b.body.nodes if node.id in {other.id for other in a.body.nodes}}


def _by_likeness(a: ArchitectureSpec, b: ArchitectureSpec) -> dict[str, str]:
    """Pair nodes with the same settings first, then those of the same operator, then those with the same inputs."""
    mine, theirs = topological_order(a.body.nodes), topological_order(b.body.nodes)
    labels = {id(node): node_label(node) for node in (*mine, *theirs)}
    tests: list[Callable[[Node, Node], bool]] = [
        lambda node, other: labels[id(node)] == labels[id(other)],
        lambda node, other: node.op == other.op,
        lambda node, other: _has_paired_inputs(node, other, pairs),
    ]
    left = {node.id: place for place, node in enumerate(mine)}
    pairs = {"input": "input"}
    for alike in tests:
        for place, node in enumerate(theirs):
            candidates = [other for other in mine if other.id in left and alike(node, other)]
            if node.id not in pairs and candidates:
                nearest = min(candidates, key=lambda other: (not _has_paired_inputs(node, other, pairs), abs(left[other.id] - place)))
                pairs[node.id] = nearest.id
                del left[nearest.id]
    return {name: pairs[name] for name in pairs if name != "input"}


def _has_paired_inputs(node: Node, other: Node, pairs: Mapping[str, str]) -> bool:
    return sorted(pairs.get(name, "") for name in node.inputs) == sorted(other.inputs)


def _changes(a: ArchitectureSpec, b: ArchitectureSpec, pairs: Mapping[str, str]) -> list[Change]:
    names = {"input": "input", **_names_in_a(a, b, pairs)}
    found = [change for part in ("input", "head", "recipe", "post") for change in _part_changes(a, b, part)]
    old = {node.id: node for node in a.body.nodes}
    for node in topological_order(b.body.nodes):
        data = {**node.model_dump(mode="json"), "id": names[node.id], "inputs": [names[name] for name in node.inputs]}
        if node.id in pairs:
            found += _node_changes(old.pop(pairs[node.id]), data)
        else:
            found.append(Change(f"{NODES}{names[node.id]}", None, data))
    found += [Change(f"{NODES}{name}", node.model_dump(mode="json"), None) for name, node in old.items()]
    return found + list(_output_changes(a, b, names))


def _output_changes(a: ArchitectureSpec, b: ArchitectureSpec, names: Mapping[str, str]) -> Iterator[Change]:
    outputs = [names[name] for name in b.body.outputs]
    if sorted(outputs) != sorted(a.body.outputs):
        yield Change("body.outputs", list(a.body.outputs), outputs)
    if a.body.jump != b.body.jump:
        yield Change("body.jump", a.body.jump, b.body.jump)


def _names_in_a(a: ArchitectureSpec, b: ArchitectureSpec, pairs: Mapping[str, str]) -> dict[str, str]:
    taken = {node.id for node in a.body.nodes} | {"input"}
    names: dict[str, str] = {}
    for node in b.body.nodes:
        names[node.id] = pairs[node.id] if node.id in pairs else fresh_name(taken, node.id)
        taken.add(names[node.id])
    return names


def fresh_name(taken: set[str] | frozenset[str], wished: str = "n1") -> str:
    """The wished name, or else the first of n1, n2, ... that is not taken."""
    names = [wished, *(f"n{i}" for i in range(1, len(taken) + 2))]
    return next(name for name in names if name not in taken)


def _part_changes(a: ArchitectureSpec, b: ArchitectureSpec, part: str) -> Iterator[Change]:
    old, new = getattr(a, part).model_dump(mode="json"), getattr(b, part).model_dump(mode="json")
    for name in old:
        if old[name] != new[name]:
            yield Change(f"{part}.{name}", old[name], new[name])


def _node_changes(node: Node, new: dict[str, Any]) -> Iterator[Change]:
    old = node.model_dump(mode="json")
    for name in old:
        path = f"{NODES}{node.id}.{name}"
        if name == "params":
            mine, theirs = _defaults(node.op), _defaults(new["op"])
            for param in sorted({**old["params"], **new["params"]}):
                if old["params"].get(param) != new["params"].get(param):
                    defaults = (mine.get(param), theirs.get(param))
                    yield Change(f"{path}.{param}", old["params"].get(param), new["params"].get(param), defaults)
        elif old[name] != new[name] and not (name == "inputs" and sorted(old[name]) == sorted(new[name])):
            yield Change(path, old[name], new[name])


def _defaults(op: str) -> dict[str, Any]:
    return {param.name: param.default for param in operator(op).params}


def _edited(a: ArchitectureSpec, changes: Sequence[Change]) -> dict[str, Any]:
    data = a.model_dump(mode="json")
    nodes: dict[str, Any] = {node["id"]: node for node in data["body"]["nodes"]}
    for change in changes:
        if change.is_node:
            nodes.pop(str(change.node), None)
            if change.new is not None:
                nodes[str(change.node)] = change.new
        else:
            _set(nodes if change.node else data, change)
    data["body"]["nodes"] = list(nodes.values())
    return data


def _set(target: dict[str, Any], change: Change) -> None:
    steps = change.path.removeprefix(NODES).split(".")
    for step in steps[:-1]:
        if step not in target:
            raise SpecError(f"change {change.path}: {step!r} does not exist in the spec that it is applied to")
        target = target[step]
    if "params" in steps and change.new is None:
        target.pop(steps[-1], None)
    else:
        target[steps[-1]] = change.new
