"""Locked parts: what every design of a space keeps, whatever else is searched.

A lock is a path and what stands there: a part (``input``, ``head``, ``recipe``, ``post``, or the whole ``body``), a setting
(``recipe.learning_rate``, ``body.jump``), a node of the body (``body.n1``: its operator with all that it is set to, and what it reads) or
one thing about a node (``body.n1.op``, ``body.n1.heads``). Node names are only names: a design keeps ``body.n1`` if it has such a node,
wherever it stands and whatever it is called there.

A setting is kept where writing the locked value changes nothing: a value without effect is not counted as another.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from pydantic import ValidationError

from agentnas.tools.errors import SpecError, UsageError, suggest
from agentnas.tools.operators.base import operator
from agentnas.tools.spec.canonical import canonical, canonical_names, hash_of, tidied
from agentnas.tools.spec.fields import explain, short
from agentnas.tools.spec.model import ArchitectureSpec, Body, Head, Input, Node, Part, Post, Recipe, parse_spec

M = TypeVar("M", bound=Part)

PARTS: dict[str, type[Part]] = {"input": Input, "head": Head, "recipe": Recipe, "post": Post}
NODE_FIELDS = ("op", "params", "width", "dropout", "norm", "residual", "activation", "merge")
# In the inputs of a locked node: something that is not locked, and may be anything.
ANYTHING = "*"
LOCK = "lock "
_MISSING = object()


@dataclass(frozen=True)
class Locks:
    """What is kept, by path: a value for a setting, plain data for a part, fields (with ``inputs``) for a node. See the module."""

    held: Mapping[str, Any]

    def __bool__(self) -> bool:
        return bool(self.held)

    @cached_property
    def fields(self) -> dict[str, Any]:
        """Value of each locked setting by its factor; those of whole parts among them."""
        found: dict[str, Any] = {}
        for path, value in self.held.items():
            part, _, name = path.partition(".")
            if part in PARTS:
                found |= {path: value} if name else {f"{part}.{field}": held for field, held in value.items()}
        if "body.jump" in self.held:
            found["body.jump"] = self.held["body.jump"]
        return found

    @cached_property
    def body(self) -> Body | None:
        """The body, where all of it is locked."""
        return Body.model_validate(self.held["body"]) if "body" in self.held else None

    @cached_property
    def nodes(self) -> dict[str, dict[str, Any]]:
        """What is locked about single nodes, by their names; what ``inputs`` names is a locked node, the features, or anything."""
        found: dict[str, dict[str, Any]] = {}
        for path, value in self.held.items():
            _, name, field = (*path.split("."), "", "")[:3]
            if path.startswith("body.") and path != "body.jump":
                known = found.setdefault(name, {})
                if not field:
                    known |= value
                elif field in NODE_FIELDS:
                    known[field] = value
                else:
                    known["params"] = {**known.get("params", {}), field: value}
        return found

    def broken(self, spec: ArchitectureSpec) -> list[str]:
        """Paths of the locks that the spec does not keep, in the order of the locks."""
        form = canonical(spec)
        found = [path for path in self.held if path.partition(".")[0] in PARTS and not self._keeps(form, path)]
        if "body.jump" in self.held and not self._keeps(form, "body.jump"):
            found.append("body.jump")
        if self.body is not None and hash_of(canonical(spec.model_copy(update={"body": self.body}))) != hash_of(form):
            found.append("body")
        return found + self._broken_nodes(form)

    def _keeps(self, form: ArchitectureSpec, path: str) -> bool:
        part, _, name = path.partition(".")
        wanted = {name: self.held[path]} if name else dict(self.held[path])
        now = getattr(form, part).model_dump(mode="json")
        if all(now[field] == value for field, value in wanted.items()):
            return True
        return hash_of(canonical(with_fields(form, part, wanted))) == hash_of(form)

    def _broken_nodes(self, form: ArchitectureSpec) -> list[str]:
        if not self.nodes:
            return []
        alike = self._alike(form)
        missing = [name for name, found in alike.items() if not found]
        if not missing and _placed(list(self.nodes), alike, self.nodes, {}) is not None:
            return []
        wrong = missing or list(self.nodes)
        return [path for path in self.held if path.startswith("body.") and path.split(".")[1] in wrong]

    def settled(self, form: ArchitectureSpec) -> dict[str, frozenset[str]]:
        """Of a canonical form that keeps the locked nodes: what is locked about each of them, by its name there."""
        found = _placed(list(self.nodes), self._alike(form), self.nodes, {}) or {}
        return {node.id: frozenset(self.nodes[name]) for name, node in found.items()}

    def _alike(self, form: ArchitectureSpec) -> dict[str, list[Node]]:
        """Nodes of a canonical form that have what is locked about a node, by its name; what they read is looked at elsewhere."""
        return {name: [node for node in form.body.nodes if _fits(node, wanted)] for name, wanted in self.nodes.items()}

    def imposed(self, spec: ArchitectureSpec) -> ArchitectureSpec | None:
        """The spec with the locked settings written into it; None where the language does not allow that. Nodes are not added."""
        made = spec
        for path, value in self.held.items():
            part, _, name = path.partition(".")
            if part in PARTS or path == "body.jump":
                made = with_fields(made, part, {name: value} if name else value)
        if self.body is not None:
            made = made.model_copy(update={"body": self.body})
        try:
            return parse_spec(made.model_dump())
        except SpecError:
            return None

    def told(self, path: str) -> str:
        """One lock in words: ``recipe.learning_rate 0.01``, ``body.n1 (gat)``."""
        value = self.held[path]
        if isinstance(value, Mapping):
            op = value.get("op")
            return f"{path} ({op})" if op else path
        return f"{path} {value}"

    def written(self) -> list[str]:
        """Each lock as designs are written, for prompts."""
        return [_written(path, value) for path, value in self.held.items()]

    def __str__(self) -> str:
        return ", ".join(map(self.told, self.held))


def _written(path: str, value: Any) -> str:
    from agentnas.tools.spec.render import node_text, value_text

    if path == "body":
        return "the whole body: " + ", ".join(node_text(Node.model_validate(node)) for node in value["nodes"])
    if path.startswith("body.") and isinstance(value, Mapping) and "op" in value:
        free = {"inputs": ["input" if name == ANYTHING else name for name in value.get("inputs", ["input"])]}
        reads = "" if value.get("inputs") else " (whatever it reads)"
        return node_text(Node.model_validate({"id": path.split(".")[1], **value, **free})) + reads
    if isinstance(value, Mapping):
        return ", ".join(f"{path}.{name} {value_text(held)}" for name, held in value.items() if not isinstance(held, (list, dict)))
    return f"{path} {value_text(value)}"


def with_fields(spec: ArchitectureSpec, part: str, values: Mapping[str, Any]) -> ArchitectureSpec:
    """The spec with fields of a part at other values, which are plain data; not checked against the other parts."""
    model: type[Part] = Body if part == "body" else PARTS[part]
    read = _read(model, values, "lock")
    return spec.model_copy(update={part: getattr(spec, part).model_copy(update={name: getattr(read, name) for name in values})})


def _fits(node: Node, wanted: Mapping[str, Any]) -> bool:
    """Whether a node of a canonical form has all that is wanted; its inputs are looked at elsewhere."""
    for name, value in wanted.items():
        if name == "params":
            held = _params(node)
            if any(held.get(param, _MISSING) != given for param, given in value.items()):
                return False
        elif name != "inputs" and getattr(node, name) != value:
            return False
    return True


def _params(node: Node) -> dict[str, Any]:
    """All parameters of the node's operator, also those at their defaults."""
    return {param.name: node.params.get(param.name, param.default) for param in operator(node.op).params}


def _placed(
    left: Sequence[str], alike: Mapping[str, Sequence[Node]], wanted: Mapping[str, Mapping[str, Any]], found: dict[str, Node]
) -> dict[str, Node] | None:
    """A node of its own for each locked node that reads what it should; None where there is no such choice."""
    if not left:
        return found if all(_reads(found[name], wanted[name].get("inputs"), found) for name in found) else None
    taken = {node.id for node in found.values()}
    tried = (_placed(left[1:], alike, wanted, {**found, left[0]: node}) for node in alike[left[0]] if node.id not in taken)
    return next((placed for placed in tried if placed is not None), None)


def _reads(node: Node, inputs: Sequence[str] | None, found: Mapping[str, Node]) -> bool:
    if inputs is None:
        return True
    named = [found[name].id if name in found else name for name in inputs if name != ANYTHING]
    held = list(node.inputs)
    for name in named:
        if name not in held:
            return False
        held.remove(name)
    return ANYTHING in inputs or not held


def read_locks(wanted: Iterable[str] | Mapping[str, Any], start: ArchitectureSpec | None, where: str = "--lock") -> Locks:
    """Locks from paths, ``path=value`` or a mapping; what a path without a value is locked to stands in ``start``.

    Raises UsageError for a path that names nothing, with the nearest that does.
    """
    pairs = wanted.items() if isinstance(wanted, Mapping) else map(_pair, wanted)
    held: dict[str, Any] = {}
    for path, value in pairs:
        held |= _given(path, value, where) if value is not None else _of_start(path, start, where)
    return _with_free_inputs(held)


def _with_free_inputs(held: Mapping[str, Any]) -> Locks:
    """Locked nodes that read nodes which are not locked: what they read there may be anything."""
    whole = {path.removeprefix("body.") for path, value in held.items() if _is_node(path, value)}

    def settled(path: str, value: Any) -> Any:
        if not _is_node(path, value):
            return value
        return {**value, "inputs": [name if name in whole or name == "input" else ANYTHING for name in value["inputs"]]}

    return Locks({path: settled(path, value) for path, value in held.items()})


def _is_node(path: str, value: Any) -> bool:
    return path.startswith("body.") and isinstance(value, Mapping) and "inputs" in value


def _pair(text: str) -> tuple[str, Any]:
    path, found, value = text.partition("=")
    if not found:
        return path.strip(), None
    try:
        return path.strip(), json.loads(value)
    except ValueError:
        return path.strip(), value.strip()


def _given(path: str, value: Any, where: str) -> dict[str, Any]:
    """Locks that say themselves what is kept, checked against the language."""
    part, _, name = path.partition(".")
    if part in PARTS and (name or isinstance(value, Mapping)):
        values = {name: value} if name else dict(value)
        read = _read(PARTS[part], values, where, f"{part}.").model_dump(mode="json")
        return {f"{part}.{field}": read[field] for field in values}
    if path == "body.jump":
        return {path: _read(Body, {"jump": value}, where, "body.").model_dump(mode="json")["jump"]}
    if part == "body" and name and "." not in name and isinstance(value, Mapping):
        return {path: _node(path, value, where)}
    raise UsageError(
        f"{where}: {path} is {short(value)}; allowed: a value for a setting such as recipe.learning_rate, fields for a part such as recipe,"
        " or fields of a node, its op among them, for body.NAME"
    )


def _read(model: type[M], values: Mapping[str, Any], where: str, prefix: str = "") -> M:
    """Part of a spec by itself, which decides nothing about the others."""
    kind = {"kind": "link"} if values.get("decoder") in ("dot", "common_neighbour") else {}
    try:
        return model.model_validate({**kind, **values})
    except ValidationError as error:
        raise UsageError(f"{where}: {prefix}{explain(error, model, values)}") from None


def _node(path: str, given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Fields of a node as a file writes them; with ``inputs: [input]`` it reads the features and nothing else."""
    read = _read(Node, {"id": "n1", **given}, where, f"{path}.").model_dump(mode="json")
    if "inputs" in given and read["inputs"] != ["input"]:
        raise UsageError(f"{where}: {path}.inputs is {short(given['inputs'])}; allowed: [input], or leave it out")
    return {name: read[name] for name in (*NODE_FIELDS, "inputs") if name in given}


def _of_start(path: str, start: ArchitectureSpec | None, where: str) -> dict[str, Any]:
    """A lock on what stands in the start."""
    part, _, rest = path.partition(".")
    if part not in (*PARTS, "body"):
        raise UsageError(f"{where}: {path!r} is no part of a design; {suggest(path, _paths(start))}")
    if part in PARTS and rest and rest not in PARTS[part].model_fields:
        raise UsageError(f"{where}: {path} is no setting; {suggest(rest, PARTS[part].model_fields)}")
    if start is None:
        example = f"{path}=VALUE" if part in PARTS and rest else "recipe.learning_rate=0.01"
        raise UsageError(f"{where}: {path} says which part stays, not what stands there; give --start SPEC too, or a value: {example}")
    form = tidied(start)
    if part in PARTS or rest in ("", "jump"):
        held = getattr(form, part).model_dump(mode="json")
        return {path: held[rest] if rest else held}
    return {path: _of_node(start, path, where)}


def _paths(start: ArchitectureSpec | None) -> list[str]:
    return [*PARTS, "body", "body.jump", *(f"body.{node.id}" for node in (start.body.nodes if start else ()))]


def _of_node(start: ArchitectureSpec, path: str, where: str) -> Any:
    """A node of the start by the name that it has there, or one thing about it."""
    _, name, field = (*path.split(".", 2), "")[:3]
    names = canonical_names(start)
    if name not in names:
        why = "does nothing in the start" if any(node.id == name for node in start.body.nodes) else "is no node of the start"
        raise UsageError(f"{where}: body.{name} {why}; {suggest(f'body.{name}', [*(f'body.{known}' for known in names), 'body.jump'])}")
    node = next(node for node in canonical(start).body.nodes if node.id == names[name])
    params = _params(node)
    settings = node.model_dump(mode="json", include=set(NODE_FIELDS) - {"params"} - ({"merge"} if len(node.inputs) == 1 else set()))
    if not field:
        back = {new: old for old, new in names.items()}
        return {**settings, "params": params, "inputs": [back.get(read, read) for read in node.inputs]}
    if field not in {**settings, **params}:
        raise UsageError(f"{where}: body.{name}: {node.op} has no {field!r}; {suggest(field, {**settings, **params})}")
    return {**settings, **params}[field]
