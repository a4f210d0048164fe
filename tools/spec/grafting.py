"""Draws of a space with locked parts: what was drawn freely is joined with what every design keeps.

Locked nodes that read the features alone (or one another) stand at the beginning, and what was drawn reads them instead of the features:
an encoder that is kept. Locked nodes that may read anything stand at the end, and read what was drawn.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from agentnas.tools.errors import SpecError
from agentnas.tools.operators.base import operator
from agentnas.tools.spec.diff import fresh_name
from agentnas.tools.spec.locks import ANYTHING
from agentnas.tools.spec.model import ArchitectureSpec, parse_spec

if TYPE_CHECKING:
    from agentnas.tools.spec.bounded import BoundedSpace

# How often nothing is drawn between what is locked and the head.
BARE = 0.15

NodeData = dict[str, Any]


def with_locks(space: BoundedSpace, drawn: ArchitectureSpec, rng: random.Random) -> ArchitectureSpec:
    """The draw with the locked nodes grafted and the locked settings written; raises SpecError where the language does not allow it."""
    if not space.locks:
        return drawn
    made = _grafted(space, drawn, rng) if space.locks.nodes else drawn
    kept = space.locks.imposed(made)
    if kept is None:
        raise SpecError(f"locked {space.locks} does not fit this draw")
    return kept


def _grafted(space: BoundedSpace, drawn: ArchitectureSpec, rng: random.Random) -> ArchitectureSpec:
    nodes = {name: _node(space, name, wanted, rng) for name, wanted in space.locks.nodes.items()}
    last = _last(nodes)
    first = {name: node for name, node in nodes.items() if name not in last}
    data = drawn.model_dump()
    hidden = space.values_of("body.width")[0] if not _widths(drawn) else rng.choice(_widths(drawn))
    source = _tops(first) or ["input"]
    # Behind scores of the task's width nothing more is put: it would see as many columns as there are classes.
    bare = rng.random() < BARE or any(first[name]["width"] == "out" for name in source if name in first)
    names = {} if bare else _fresh(data["body"]["nodes"], set(nodes))
    body = [_renamed(node, names, source) for node in data["body"]["nodes"] if node["id"] in names]
    outputs = [names[name] for name in data["body"]["outputs"] if name in names] or source
    if last:
        body = [{**node, "width": hidden if node["width"] == "out" else node["width"]} for node in body]
        for node in last.values():
            node["inputs"] = [name for read in node["inputs"] for name in (outputs if read == ANYTHING else [read])]
        outputs = _tops(last)
    data["body"] |= {"nodes": [*first.values(), *body, *last.values()], "outputs": outputs}
    _end(data)
    return parse_spec(data)


def _node(space: BoundedSpace, name: str, wanted: Mapping[str, Any], rng: random.Random) -> NodeData:
    """A node with all that is locked about it, and what it needs beside that."""
    op = wanted.get("op") or _operator_with(space, wanted, rng)
    width = wanted.get("width")
    if width is None and operator(op).has_width and "width" not in wanted:
        width = rng.choice(space.values_of("body.width"))
    held = {key: value for key, value in wanted.items() if key not in ("op", "width", "inputs")}
    return {"id": name, "op": op, "inputs": list(wanted.get("inputs", ["input"])), "width": width, **held}


def _operator_with(space: BoundedSpace, wanted: Mapping[str, Any], rng: random.Random) -> str:
    """An operator that has the locked parameters, and a width where one is locked."""
    params = set(wanted.get("params", {}))
    fitting = [op for op in space.allowed_operators() if params <= {param.name for param in operator(op).params}]
    fitting = [op for op in fitting if wanted.get("width") is None or operator(op).has_width]
    if not fitting:
        raise SpecError(f"no operator of space {space.name} has {', '.join(sorted(params))}")
    return rng.choice(fitting)


def _last(nodes: Mapping[str, NodeData]) -> dict[str, NodeData]:
    """The locked nodes that may read anything, and those that read them."""
    found = {name for name, node in nodes.items() if ANYTHING in node["inputs"]}
    while more := {name for name, node in nodes.items() if name not in found and found & set(node["inputs"])}:
        found |= more
    return {name: node for name, node in nodes.items() if name in found}


def _tops(nodes: Mapping[str, NodeData]) -> list[str]:
    read = {name for node in nodes.values() for name in node["inputs"]}
    return [name for name in nodes if name not in read]


def _fresh(nodes: list[NodeData], taken: set[str]) -> dict[str, str]:
    """Names for the drawn nodes that no locked node has, by their own."""
    names: dict[str, str] = {}
    for node in nodes:
        names[node["id"]] = fresh_name(taken | set(names.values()) | {"input"})
    return names


def _renamed(node: NodeData, names: Mapping[str, str], source: list[str]) -> NodeData:
    """The drawn node under its new name, reading the sources in place of the features."""
    inputs = [new for read in node["inputs"] for new in ([names[read]] if read in names else source)]
    return {**node, "id": names[node["id"]], "inputs": inputs}


def _widths(drawn: ArchitectureSpec) -> list[int]:
    return [node.width for node in drawn.body.nodes if isinstance(node.width, int)]


def _end(data: dict[str, Any]) -> None:
    """A head that fits what the body ends in."""
    by_name = {node["id"]: node for node in data["body"]["nodes"]}
    ends = [by_name[name]["width"] for name in data["body"]["outputs"] if name in by_name]
    if data["head"]["decoder"] == "none" and any(width != "out" for width in ends):
        data["head"]["decoder"] = "linear" if data["head"]["kind"] != "link" else "dot"
    elif ends and all(width == "out" for width in ends) and data["head"]["kind"] != "link":
        data["head"]["decoder"] = "none"
        data["body"]["jump"] = "sum"
