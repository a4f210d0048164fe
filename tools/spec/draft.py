"""A spec in the making: its parts and nodes as plain data, changed path by path, checked by the language at the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, get_args

from agentnas.tools.errors import SpecError, UsageError, suggest
from agentnas.tools.operators.base import Operator, operator
from agentnas.tools.spec.canonical import canonical, reachable
from agentnas.tools.spec.fields import ALIASES
from agentnas.tools.spec.model import ArchitectureSpec, Jump, Node, check_param, parse_spec, topological_order
from agentnas.tools.spec.notation import DEFAULT, plain, read_encodings, read_inputs, read_node, read_param, read_setting
from agentnas.tools.spec.wire import PARTS

RESERVED = (*PARTS, "body", "cell", "nodes", "output", "outputs", "jump")
NODE_FIELDS = tuple(name for name in Node.model_fields if name not in ("id", "params"))
ONE_BY_ONE = ("op", "inputs", "merge")


@dataclass
class SpecDraft:
    """The canonical form of a parent, or an empty body with default settings, open to changes. All that does not fit raises SpecError."""

    data: dict[str, Any]
    nodes: dict[str, dict[str, Any]]
    added: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, parent: ArchitectureSpec | None) -> SpecDraft:
        data = (canonical(parent) if parent is not None else ArchitectureSpec()).model_dump(mode="json")
        return cls(data, {node["id"]: node for node in data["body"]["nodes"]})

    def finished(self) -> ArchitectureSpec:
        """The spec; every new node must lead to the output."""
        self.data["body"]["nodes"] = list(self.nodes.values())
        try:
            spec = parse_spec(self.data)
        except SpecError as error:
            raise SpecError(str(error).replace("body.nodes.", "")) from None
        read = {node.id for node in reachable(topological_order(spec.body.nodes), spec.body.outputs)}
        lost = [name for name in self.added if name in self.nodes and name not in read]
        if lost:
            raise SpecError(f"+{lost[0]}: nothing reads it; name it in the inputs of a node that reaches the output, or in body.outputs")
        return spec

    def set_part(self, path: str, part: str, name: str, text: str) -> None:
        """One setting of input, head, recipe or post."""
        fields = PARTS[part].model_fields
        known = _named(path, name, tuple(fields))
        self.data[part][known] = read_encodings(text) if known == "encodings" else read_setting(fields[known], text)

    def set_outputs(self, text: str) -> None:
        """``n2``, ``n2, n3``, or with the way they are joined: ``mean(n2, n3)``."""
        names, jump = read_inputs(text, "body.outputs")
        self.data["body"] |= {"outputs": names} | ({"jump": jump} if jump in get_args(Jump) else {})

    def set_jump(self, text: str) -> None:
        self.data["body"]["jump"] = plain(text)

    def add(self, name: str, text: str) -> None:
        """A new node, from its line."""
        if name in self.nodes:
            raise SpecError(f"+{name}: the parent has a node {name}; give the new one another name, or path {name} to replace it")
        if name in RESERVED or not name:
            raise SpecError(f"+{name}: no name for a node; allowed: n and a number, such as n{len(self.nodes) + 1}")
        self.nodes[name] = read_node(name, text)
        self.added.append(name)

    def remove(self, name: str) -> None:
        """Users take over the node's inputs, and how these were merged where they have no other."""
        if name not in self.nodes:
            raise SpecError(f"-{name}: the parent has no such node; {suggest(name, self.nodes)}")
        gone, body = self.nodes.pop(name), self.data["body"]
        for user in self.nodes.values():
            if user["inputs"] == [name]:
                user["merge"] = gone["merge"]
            user["inputs"] = _replaced(user["inputs"], name, gone["inputs"])
        if body["outputs"] == [name] and gone["merge"] in get_args(Jump):
            body["jump"] = gone["merge"]
        body["outputs"] = _replaced(body["outputs"], name, gone["inputs"])

    def replace(self, name: str, text: str) -> None:
        """A node's whole line."""
        self.nodes[name] = read_node(name, text)

    def set_all(self, path: str, name: str, text: str) -> None:
        """One setting of every node that has it; a width only where a number was chosen."""
        wanted = ALIASES.get(name, name) if name not in NODE_FIELDS else name
        if wanted in ONE_BY_ONE:
            raise SpecError(f"{path}: nodes differ in it; name them one by one, such as n1.{wanted}")
        having = [node for node, held in self.nodes.items() if wanted in NODE_FIELDS or _param(name) in _params_of(held)]
        if wanted == "width":
            having = [node for node in having if isinstance(self.nodes[node]["width"], int)]
        if not having:
            params = {param for held in self.nodes.values() for param in _params_of(held)}
            raise SpecError(f"{path}: no node has it; {suggest(_param(name), params.union(NODE_FIELDS).difference(ONE_BY_ONE))}")
        for node in having:
            self.set_node(f"{node}.{name}", node, name, text)

    def set_node(self, path: str, node: str, name: str, text: str) -> None:
        """One setting of a node, or one parameter of its operator (``params.hops``, or ``hops`` where no setting is called so)."""
        held = self.nodes[node]
        if name not in NODE_FIELDS and (_param(name) != name or name in _params_of(held)):
            _set_param(held, _param(name), text)
        elif (known := _named(path, name, NODE_FIELDS, _params_of(held))) == "op":
            _set_op(held, text)
        elif known == "inputs":
            names, merge = read_inputs(text, path)
            held |= {"inputs": names} | ({"merge": merge} if merge else {})
        else:
            held[known] = read_setting(Node.model_fields[known], text)


def _param(name: str) -> str:
    return name.removeprefix("params.")


def _named(path: str, name: str, known: tuple[str, ...], params: tuple[str, ...] = ()) -> str:
    found = name if name in known else ALIASES.get(name, name)
    if found not in known:
        raise SpecError(f"{path} does not exist; {suggest(name, [*known, *params])}")
    return found


def _operator(node: dict[str, Any]) -> Operator:
    try:
        return operator(node["op"])
    except UsageError as error:
        raise SpecError(f"{node['id']}.op: {error}") from None


def _params_of(node: dict[str, Any]) -> tuple[str, ...]:
    return tuple(param.name for param in _operator(node).params)


def _set_param(node: dict[str, Any], name: str, text: str) -> None:
    if plain(text) == DEFAULT and name in _params_of(node):
        node["params"].pop(name, None)
    else:
        node["params"][name] = read_param(node["op"], name, text, node["id"])


def _set_op(node: dict[str, Any], text: str) -> None:
    """The operator, maybe with parameters and width; what is not said stays as far as the new operator has it."""
    read = read_node(node["id"], f"{plain(text)} <- input")
    described = _operator(read)
    kept = {name: value for name, value in node["params"].items() if _fits(described, name, value)}
    width = read["width"] or (node["width"] if described.has_width else None)
    node |= {"op": read["op"], "params": {**kept, **read["params"]}, "width": width}


def _fits(described: Operator, name: str, value: Any) -> bool:
    try:
        check_param(described.param(name), value)
    except UsageError:
        return False
    return True


def _replaced(names: list[str], old: str, new: list[str]) -> list[str]:
    if old not in names:
        return names
    return list(dict.fromkeys(part for name in names for part in (new if name == old else [name])))
