"""The language as language models see it: a flat JSON schema that every provider's structured output accepts.

Providers refuse or choke on optional fields, defaults, unions, recursion and numeric constraints. So every field is required, nodes are
one flat type, parameters are a list of names and texts, and what the language writes as null or 'out' is a number here: width 0 inherits,
width -1 is 'out', a weight decay of -1 is the common one. Ranges stand in descriptions; ``from_wire`` checks them afterwards.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic.fields import FieldInfo

from agentnas.tools.errors import SpecError, suggest
from agentnas.tools.operators.base import Operator, Param, Value, operator
from agentnas.tools.operators.base import operators as all_operators
from agentnas.tools.spec.fields import allowed, choices, short
from agentnas.tools.spec.model import ArchitectureSpec, Body, Encoding, Head, Input, Node, Part, Post, Recipe, parse_spec

INHERIT, OUT, COMMON = 0, -1, -1.0
TRUTH = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
PARTS: dict[str, type[Part]] = {"input": Input, "head": Head, "recipe": Recipe, "post": Post}
COMMON_DECAY = ("weight_decay_conv", "weight_decay_out")

Schema = dict[str, Any]


def wire_schema(operators: Iterable[str] | None = None) -> Schema:
    """The JSON schema of a spec on the wire. ``operators`` restricts those that may be named; raises UsageError for unknown ones."""
    known = list(all_operators().values()) if operators is None else [operator(name) for name in sorted(set(operators))]
    properties = {"input": _part_schema(Input)}
    properties["nodes"] = _array(_node_schema(known), "the body: a directed acyclic graph of operators, at least one node")
    properties["outputs"] = _array({"type": "string"}, "ids of the nodes whose values leave the body, at least one")
    properties["jump"] = _field_schema(Body.model_fields["jump"])
    properties |= {part: _part_schema(PARTS[part]) for part in ("head", "recipe", "post")}
    return _object(properties, "a graph neural network and its training recipe")


def to_wire(spec: ArchitectureSpec) -> dict[str, Any]:
    """The spec as data that fits ``wire_schema``; every parameter of a node is written out."""
    data = spec.model_dump(mode="json")
    body = data["body"]
    for name in COMMON_DECAY:
        data["recipe"][name] = COMMON if data["recipe"][name] is None else data["recipe"][name]
    nodes = [_node_to_wire(node) for node in body["nodes"]]
    return {
        "input": data["input"], "nodes": nodes, "outputs": body["outputs"], "jump": body["jump"],
        "head": data["head"], "recipe": data["recipe"], "post": data["post"],
    }  # fmt: skip


def from_wire(data: Any) -> ArchitectureSpec:
    """A spec from wire data; raises SpecError that names field, value and what is allowed. Fields that are missing take their defaults."""
    if not isinstance(data, Mapping):
        raise SpecError(f"spec is {short(data)}; allowed: an object with {', '.join(_TOP)}")
    for name in data:
        if name not in _TOP:
            raise SpecError(f"{name}: unknown field; {suggest(str(name), _TOP)}")
    nodes = data.get("nodes", [])
    body = {"nodes": [_node_from_wire(node) for node in nodes] if isinstance(nodes, list) else nodes}
    body |= {name: data[name] for name in ("outputs", "jump") if name in data}
    parts = {name: dict(data[name]) if isinstance(data[name], Mapping) else data[name] for name in PARTS if name in data}
    recipe = parts.get("recipe")
    if isinstance(recipe, dict):
        for name in COMMON_DECAY:
            recipe[name] = None if recipe.get(name) == COMMON else recipe.get(name)
    return parse_spec({**parts, "body": body})


_TOP = ("input", "nodes", "outputs", "jump", "head", "recipe", "post")


def _object(properties: dict[str, Schema], description: str) -> Schema:
    return {
        "type": "object",
        "description": description,
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _array(items: Schema, description: str) -> Schema:
    return {"type": "array", "description": description, "items": items}


def _part_schema(model: type[Part]) -> Schema:
    properties = {name: _field_schema(field, name) for name, field in model.model_fields.items()}
    return _object(properties, " ".join((model.__doc__ or "").split("\n\n")[0].split()))


def _field_schema(field: FieldInfo, name: str = "") -> Schema:
    description = field.description or ""
    if name == "encodings":
        return _array(_part_schema(Encoding), f"{description}; at most 3, often none")
    values = choices(field.annotation)
    if values:
        return {"type": "string", "description": description, "enum": list(values)}
    if name in COMMON_DECAY:
        return {"type": "number", "description": f"{description}; -1 takes weight_decay; 0 to 1"}
    kind = "boolean" if field.annotation is bool else "number" if field.annotation is float else "integer"
    return {"type": kind, "description": description if kind == "boolean" else f"{description}; {allowed(field)}"}


def _node_schema(known: list[Operator]) -> Schema:
    fields = Node.model_fields
    properties: dict[str, Schema] = {
        "id": {"type": "string", "description": "name of the node: lower-case letters, digits and _, unique, not 'input'"},
        "op": {"type": "string", "description": _operator_list(known), "enum": [found.name for found in known]},
        "inputs": _array({"type": "string"}, "ids of other nodes, or 'input' for the encoded features; 1 to 16"),
        "merge": _field_schema(fields["merge"]),
        "width": {
            "type": "integer",
            "description": "output width, 1 to 4096; 0 keeps the input's width; -1 is the number of outputs of the task",
        },
        "params": _array(_param_schema(known), "the operator's own parameters; those that are not named take their defaults"),
    }
    properties |= {name: _field_schema(fields[name], name) for name in ("dropout", "norm", "residual", "activation")}
    return _object(properties, "merge inputs -> dropout -> operator -> norm -> + residual -> activation")


def _operator_list(known: list[Operator]) -> str:
    lines = [f"{found.name} ({found.kind}{'' if found.has_width else ', width must be 0'}): {found.doc}" for found in known]
    return "operator; " + "; ".join(lines)


def _param_schema(known: list[Operator]) -> Schema:
    lines = [f"{found.name}: {', '.join(map(_param_words, found.params))}" for found in known if found.params]
    names = sorted({param.name for found in known for param in found.params})
    properties: dict[str, Schema] = {
        "name": {"type": "string", "description": "name of the parameter; " + "; ".join(lines)},
        "value": {"type": "string", "description": "its value as text, such as 8, 0.1, true or mean"},
    }
    if names:
        properties["name"]["enum"] = names
    return _object(properties, "one parameter")


def _param_words(param: Param) -> str:
    if isinstance(param.default, bool):
        return f"{param.name} true or false"
    if isinstance(param.default, str):
        return f"{param.name} {' or '.join(map(str, param.search))}"
    low, high = param.low, param.high
    limits = "" if low is None or high is None else f" {low:g} to {high:g}"
    return f"{param.name}{limits}{' (whole)' if isinstance(param.default, int) else ''}"


def _node_to_wire(node: dict[str, Any]) -> dict[str, Any]:
    described = operator(node["op"])
    held = {param.name: node["params"].get(param.name, param.default) for param in described.params}
    width = INHERIT if node["width"] is None else OUT if node["width"] == "out" else node["width"]
    params = [{"name": name, "value": str(value).lower() if isinstance(value, bool) else str(value)} for name, value in held.items()]
    return {**node, "width": width, "params": params}


def _node_from_wire(node: Any) -> Any:
    """Plain data of a node; what does not look like one is left for the validator to explain."""
    if not isinstance(node, Mapping):
        return node
    found = dict(node)
    if "width" in found:
        sentinels: dict[Any, Any] = {INHERIT: None, OUT: "out"}
        found["width"] = sentinels.get(found["width"], found["width"]) if isinstance(found["width"], int) else found["width"]
    if "params" in found:
        found["params"] = _params_from_wire(found)
    return found


def _params_from_wire(node: dict[str, Any]) -> Any:
    params, op = node["params"], node.get("op")
    if not isinstance(params, list) or not isinstance(op, str) or op not in all_operators():
        return params
    found: dict[str, Value] = {}
    for param in params:
        where = f"node {node.get('id', '?')}"
        if not isinstance(param, Mapping) or set(param) != {"name", "value"}:
            raise SpecError(f"{where}: params holds {short(param)}; allowed: objects with name and value")
        name = str(param["name"])
        known = {described.name: described for described in operator(op).params}
        if name not in known:
            raise SpecError(f"{where}: operator {op} has no parameter {name!r}; {suggest(name, known) if known else 'it has none'}")
        if name in found:
            raise SpecError(f"{where}: parameter {name!r} is named twice; name it once")
        found[name] = typed(known[name], param["value"], where)
    return found


def typed(param: Param, value: Any, where: str) -> Any:
    """The text as the parameter's type; raises SpecError for text that is no such value."""
    wants = type(param.default)
    text = str(value).strip()
    if wants is bool and text.lower() in TRUTH:
        return TRUTH[text.lower()]
    if wants is str:
        return text
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if wants is bool or math.isnan(number) or (wants is int and not number.is_integer()):
        limits = {bool: "true or false", int: "a whole number"}.get(wants, "a number")
        raise SpecError(f"{where}: params.{param.name} is {short(value)}; allowed: {limits}")
    return int(number) if wants is int else number
