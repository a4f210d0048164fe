"""The moves of a bounded space: for one factor, every spec that varies it and nothing else.

A move edits frozen parts by copying; whether its result is valid and inside the space is for the caller to check.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from agentnas.tools.operators.base import Param, operator
from agentnas.tools.spec.diff import fresh_name
from agentnas.tools.spec.model import ArchitectureSpec, Body, Encoding, Node, topological_order

if TYPE_CHECKING:
    from agentnas.tools.spec.bounded import BoundedSpace

# Numbers move at most so many places along their values: far jumps are for samples and crossover.
REACH = 2

Specs = Iterator[ArchitectureSpec]


def options(space: BoundedSpace, spec: ArchitectureSpec, factor: str) -> list[ArchitectureSpec]:
    """Every spec that varies the factor; may hold invalid ones, and ones that change nothing that matters."""
    structural = {
        "body.op": _swap_one,
        "body.*.op": _swap_all,
        "body.add_node": _add_node,
        "body.remove_node": _remove_node,
        "body.inputs": _rewire,
        "body.outputs": _outputs,
        "input.encodings": _encodings,
        "head.decoder": _decoder,
    }
    if factor in structural:
        return list(structural[factor](space, spec))
    part, *_, name = factor.split(".")
    if ".params." in factor:
        return list(_params(space, spec, name, tied=".*." in factor))
    if part == "body" and name == "jump":
        return [_with_body(spec, jump=value) for value in _near(space.values_of(factor), spec.body.jump)]
    if part == "body":
        return list(_node_field(space, spec, name, tied=".*." in factor))
    old = getattr(getattr(spec, part), name)
    return [_with_part(spec, part, name, value) for value in _near(space.values_of(factor), old)]


def depth(body: Body) -> int:
    """Nodes on the longest path."""
    deepest: dict[str, int] = {"input": 0}
    for node in topological_order(body.nodes):
        deepest[node.id] = 1 + max(deepest[name] for name in node.inputs)
    return max(deepest.values())


def _near(values: tuple[Any, ...], old: Any) -> list[Any]:
    """The values other than the old one; of ordered numbers only the nearest on both sides."""
    others = [value for value in values if value != old]
    numeric = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in [*values, old])
    if not numeric:
        return others
    below = sorted(value for value in others if value < old)[-REACH:]
    return below + sorted(value for value in others if value > old)[:REACH]


def _with_part(spec: ArchitectureSpec, part: str, name: str, value: Any) -> ArchitectureSpec:
    return spec.model_copy(update={part: getattr(spec, part).model_copy(update={name: value})})


def _with_body(spec: ArchitectureSpec, **update: Any) -> ArchitectureSpec:
    return spec.model_copy(update={"body": spec.body.model_copy(update=update)})


def _with_nodes(spec: ArchitectureSpec, changed: Iterable[Node], **update: Any) -> ArchitectureSpec:
    """The spec with nodes of the same names replaced, and new ones appended."""
    new = {node.id: node for node in changed}
    nodes = [new.pop(node.id, node) for node in spec.body.nodes]
    return _with_body(spec, nodes=(*nodes, *new.values()), **update)


def _fields_applies(node: Node, name: str) -> bool:
    if name == "width":
        return operator(node.op).has_width and node.width != "out"
    return name != "merge" or len(node.inputs) > 1


def _node_field(space: BoundedSpace, spec: ArchitectureSpec, name: str, tied: bool) -> Specs:
    nodes = [node for node in spec.body.nodes if _fields_applies(node, name)]
    if tied and name == "width":
        nodes = [node for node in nodes if node.width is not None]  # the others follow their inputs by themselves
    for group, old in _groups([(node, getattr(node, name)) for node in nodes], tied):
        for value in _near(space.values_of(f"body.{name}"), old):
            yield _with_nodes(spec, [node.model_copy(update={name: value}) for node in group])


def _groups(held: list[tuple[Node, Any]], tied: bool) -> list[tuple[list[Node], Any]]:
    """Single nodes, or for tied factors all nodes that hold the same value (two at least)."""
    if not tied:
        return [([node], value) for node, value in held]
    values = list(dict.fromkeys(value for _, value in held))
    groups = [([node for node, other in held if other == value], value) for value in values]
    return [(nodes, value) for nodes, value in groups if len(nodes) > 1]


def _params(space: BoundedSpace, spec: ArchitectureSpec, name: str, tied: bool) -> Specs:
    by_op: dict[str, list[tuple[Node, Any]]] = {}
    for node in spec.body.nodes:
        for param in operator(node.op).params:
            if param.name == name and not _is_off(node, param):
                by_op.setdefault(node.op, []).append((node, node.params.get(name, param.default)))
    for op, held in by_op.items():
        for group, old in _groups(held, tied):
            for value in _near(space.params_of(op)[name], old):
                yield _with_nodes(spec, [node.model_copy(update={"params": {**node.params, name: value}}) for node in group])


def _is_off(node: Node, param: Param) -> bool:
    governor, values = param.off_while or (param.name, ())
    return node.params.get(governor, operator(node.op).param(governor).default) in values


def _swapped(node: Node, op: str) -> Node:
    """The node with another operator: parameters at their defaults, a width only where the operator has one."""
    width = node.width if operator(op).has_width else None
    return node.model_copy(update={"op": op, "params": {}, "width": width})


def _swap_one(space: BoundedSpace, spec: ArchitectureSpec) -> Specs:
    for node in spec.body.nodes:
        for op in space.allowed_operators():
            if op != node.op:
                yield _with_nodes(spec, [_swapped(node, op)])


def _swap_all(space: BoundedSpace, spec: ArchitectureSpec) -> Specs:
    """Every node of one operator takes another operator of the same kind."""
    for old, count in Counter(node.op for node in spec.body.nodes).items():
        for op in space.allowed_operators():
            if count > 1 and op != old and operator(op).kind == operator(old).kind:
                yield _with_nodes(spec, [_swapped(node, op) for node in spec.body.nodes if node.op == old])


def _add_node(space: BoundedSpace, spec: ArchitectureSpec) -> Specs:
    """A new node on an edge, after a node for all its users, or beside a node (same inputs, same users)."""
    for op in space.allowed_operators():
        for name in ("input", *(node.id for node in spec.body.nodes)):
            yield _inserted(space, spec, op, name)
        for node in spec.body.nodes:
            yield _beside(space, spec, op, node)


def _inserted(space: BoundedSpace, spec: ArchitectureSpec, op: str, name: str) -> ArchitectureSpec:
    new = _new_node(space, spec, op, (name,))
    users = [node.model_copy(update={"inputs": _replaced(node.inputs, name, (new.id,))}) for node in spec.body.nodes]
    return _with_nodes(spec, [*users, new], outputs=_replaced(spec.body.outputs, name, (new.id,)))


def _beside(space: BoundedSpace, spec: ArchitectureSpec, op: str, node: Node) -> ArchitectureSpec:
    new = _new_node(space, spec, op, node.inputs)
    new = new.model_copy(update={"width": node.width if operator(op).has_width else None, "merge": node.merge})
    users = [user.model_copy(update={"inputs": _replaced(user.inputs, node.id, (node.id, new.id))}) for user in spec.body.nodes]
    outputs = _replaced(spec.body.outputs, node.id, (node.id, new.id))
    jump = "sum" if node.width == "out" and len(spec.body.outputs) == 1 else spec.body.jump
    return _with_nodes(spec, [*users, new], outputs=outputs, jump=jump)


def _new_node(space: BoundedSpace, spec: ArchitectureSpec, op: str, inputs: tuple[str, ...]) -> Node:
    """A node that looks like its neighbours: the width, dropout and activation that most of them have."""
    described = operator(op)
    alike = [node for node in spec.body.nodes if node.width != "out"] or list(spec.body.nodes)
    transforming = [node for node in alike if operator(node.op).has_width]
    widths = [node.width for node in transforming if isinstance(node.width, int)]
    width = _common(widths) or (64 if 64 in space.values_of("body.width") else space.values_of("body.width")[0])
    name = fresh_name({node.id for node in spec.body.nodes} | {"input"})
    if not described.has_width:
        return Node.model_construct(id=name, op=op, inputs=inputs)
    dropout = _common([node.dropout for node in transforming]) or 0.0
    activation: Any = _common([node.activation for node in transforming]) or "relu"
    return Node.model_construct(id=name, op=op, inputs=inputs, width=width, dropout=dropout, activation=activation)


def _common(values: list[Any]) -> Any:
    return Counter(values).most_common(1)[0][0] if values else None


def _replaced(names: tuple[str, ...], old: str, new: tuple[str, ...]) -> tuple[str, ...]:
    """The names with ``old`` replaced, no name twice."""
    return tuple(dict.fromkeys(part for name in names for part in (new if name == old else (name,))))


def _remove_node(space: BoundedSpace, spec: ArchitectureSpec) -> Specs:
    """Users of the node take its inputs instead; a node that hands the task's width on cannot go."""
    for node in spec.body.nodes:
        users = [n.model_copy(update={"inputs": _replaced(n.inputs, node.id, node.inputs)}) for n in spec.body.nodes if n.id != node.id]
        outputs = _replaced(spec.body.outputs, node.id, node.inputs)
        without = _with_body(spec, nodes=tuple(users), outputs=outputs)
        if users and not _has_idle(without.body):
            yield without


def _has_idle(body: Body) -> bool:
    wanted = set(body.outputs)
    for node in reversed(topological_order(body.nodes)):
        if node.id in wanted:
            wanted |= set(node.inputs)
    return any(node.id not in wanted for node in body.nodes)


def _rewire(space: BoundedSpace, spec: ArchitectureSpec) -> Specs:
    """One node gains an input, loses one, or exchanges one, so that every node still matters."""
    order = ["input", *(node.id for node in topological_order(spec.body.nodes))]
    for node in spec.body.nodes:
        earlier = [name for name in order[: order.index(node.id)] if name not in node.inputs]
        wirings = [(*node.inputs, name) for name in earlier if len(node.inputs) < space.max_inputs]
        for old in dict.fromkeys(node.inputs):
            wirings += [_replaced(node.inputs, old, (name,)) for name in earlier]
            wirings += [_replaced(node.inputs, old, ())] if len(node.inputs) > 1 else []
        for inputs in wirings:
            child = _with_nodes(spec, [node.model_copy(update={"inputs": inputs})])
            if inputs and not _has_idle(child.body):
                yield child


def _outputs(space: BoundedSpace, spec: ArchitectureSpec) -> Specs:
    """One more node leaves the body, or one less."""
    outputs = spec.body.outputs
    wirings = [(*outputs, node.id) for node in spec.body.nodes if node.id not in outputs]
    wirings += [tuple(name for name in outputs if name != old) for old in outputs if len(outputs) > 1]
    for wiring in wirings:
        child = _with_body(spec, outputs=wiring)
        if wiring and not _has_idle(child.body):
            yield child


def _encodings(space: BoundedSpace, spec: ArchitectureSpec) -> Specs:
    held = spec.input.encodings
    kinds = {encoding.kind for encoding in held}
    choices = [(*held, Encoding(kind=kind)) for kind in space.values_of("input.encodings") if kind not in kinds]
    choices += [tuple(other for other in held if other != encoding) for encoding in held]
    for encoding in held:
        for dim in (4, 8, 16):
            changed = encoding.model_copy(update={"dim": dim})
            choices.append(tuple(changed if other == encoding else other for other in held))
    for choice in choices:
        yield _with_part(spec, "input", "encodings", choice)


def _decoder(space: BoundedSpace, spec: ArchitectureSpec) -> Specs:
    """A body that ends in width 'out' needs no decoder; with a decoder its ends are hidden, so the width moves along."""
    for decoder in space.values_of("head.decoder"):
        if decoder == spec.head.decoder:
            continue
        child = _with_part(spec, "head", "decoder", decoder)
        if "none" in {decoder, spec.head.decoder}:
            child = _with_nodes(child, _moved_width(space, spec, to_out=decoder == "none"))
        yield child


def _moved_width(space: BoundedSpace, spec: ArchitectureSpec, to_out: bool) -> Iterator[Node]:
    """The last transforming nodes, with width 'out' or with a hidden width."""
    by_name = {node.id: node for node in spec.body.nodes}
    widths = [node.width for node in spec.body.nodes if isinstance(node.width, int)]
    hidden = _common(widths) or space.values_of("body.width")[0]
    pending, seen = list(spec.body.outputs), set()
    while pending:
        name = pending.pop()
        if name in seen or name == "input":
            continue
        seen.add(name)
        node = by_name[name]
        if operator(node.op).has_width:
            if (node.width == "out") != to_out:
                yield node.model_copy(update={"width": "out" if to_out else hidden})
        else:
            pending += node.inputs
