"""What language models are shown: a schema that providers accept, and data that comes back as the same spec."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentnas.tools.errors import SpecError, UsageError
from agentnas.tools.spec.model import ArchitectureSpec, parse_spec
from agentnas.tools.spec.space import SearchSpace
from agentnas.tools.spec.wire import from_wire, to_wire, wire_schema
from tests.tools.spec.strategies import specs

# Documented limits of OpenAI's strict mode, and the keywords that Anthropic's structured outputs know.
MOST_PROPERTIES, MOST_LEVELS, MOST_ENUM_VALUES, MOST_ENUM_OF_ONE, MOST_CHARACTERS = 5000, 5, 500, 250, 15_000
KEYWORDS = {"type", "description", "properties", "required", "additionalProperties", "items", "enum"}
TYPES = {"object", "array", "string", "integer", "number", "boolean"}


def parts(schema: dict[str, Any], level: int = 1) -> Iterator[tuple[dict[str, Any], int]]:
    """Every subschema with the number of objects and arrays around it, itself included where it is one."""
    yield schema, level
    for inner in schema.get("properties", {}).values():
        yield from parts(inner, level + (inner["type"] in ("object", "array")))
    if "items" in schema:
        inner = schema["items"]
        yield from parts(inner, level + (inner["type"] in ("object", "array")))


def problems(schema: dict[str, Any]) -> list[str]:
    """What a provider would refuse."""
    found: list[str] = []
    everything = list(parts(schema))
    for part, level in everything:
        found += [f"keyword {keyword}" for keyword in part if keyword not in KEYWORDS]
        found += [f"type {part['type']!r}"] if not isinstance(part["type"], str) or part["type"] not in TYPES else []
        found += [f"{level} levels"] if level > MOST_LEVELS else []
        if part["type"] == "object":
            found += ["open object"] if part.get("additionalProperties") is not False else []
            found += ["optional fields"] if sorted(part.get("required", [])) != sorted(part["properties"]) else []
        found += ["array without items"] if part["type"] == "array" and "items" not in part else []
    names = [name for part, _ in everything for name in part.get("properties", {})]
    enums = [part["enum"] for part, _ in everything if "enum" in part]
    found += ["an enum is empty or has a value twice" for enum in enums if len(enum) != len(set(enum)) or not enum]
    found += ["an enum is too long" for enum in enums if len(enum) > MOST_ENUM_OF_ONE]
    found += ["too many properties"] if len(names) > MOST_PROPERTIES else []
    found += ["too many enum values"] if sum(map(len, enums)) > MOST_ENUM_VALUES else []
    found += ["names too long"] if sum(map(len, names)) + sum(len(str(v)) for enum in enums for v in enum) > MOST_CHARACTERS else []
    return found


@pytest.mark.parametrize("operators", [None, ["gcn"], ["h2gcn", "mlp", "appnp"]])
def test_providers_accept_the_schema(operators: list[str] | None) -> None:
    schema = wire_schema(operators)
    assert problems(schema) == []
    assert json.loads(json.dumps(schema)) == schema


@pytest.mark.parametrize("wrong", ["$ref", "default", "anyOf", "optional", "minimum", "open", "null"])
def test_the_lint_sees_what_providers_refuse(wrong: str) -> None:
    schema = copy.deepcopy(wire_schema(["gcn"]))
    node = schema["properties"]["nodes"]["items"]
    if wrong == "optional":
        node["required"].remove("width")
    elif wrong == "open":
        node["additionalProperties"] = True
    elif wrong == "null":
        node["properties"]["width"]["type"] = ["integer", "null"]
    else:
        node["properties"]["width"][wrong] = 0
    assert problems(schema) != []


def fits(data: Any, schema: dict[str, Any]) -> bool:
    """Validation by hand of the few keywords that the schema uses."""
    kind = schema["type"]
    if kind == "object":
        inner = schema["properties"]
        return isinstance(data, dict) and set(data) == set(inner) and all(fits(data[name], inner[name]) for name in inner)
    if kind == "array":
        return isinstance(data, list) and all(fits(item, schema["items"]) for item in data)
    if kind == "integer":
        return isinstance(data, int) and not isinstance(data, bool)
    wants: Any = {"string": str, "boolean": bool, "number": (int, float)}[kind]
    return isinstance(data, wants) and ("enum" not in schema or data in schema["enum"])


@given(specs())
def test_wire_round_trip(spec: ArchitectureSpec) -> None:
    data = to_wire(spec)
    assert fits(data, wire_schema())
    read = from_wire(json.loads(json.dumps(data)))
    assert parse_spec(_with_all_params(spec)) == read


def _with_all_params(spec: ArchitectureSpec) -> dict[str, Any]:
    """On the wire every parameter is written out."""
    from agentnas.tools.operators.base import operator

    data = spec.model_dump()
    for node in data["body"]["nodes"]:
        node["params"] = {param.name: node["params"].get(param.name, param.default) for param in operator(node["op"]).params}
    return data


def test_the_schema_names_operators_and_their_parameters() -> None:
    schema = wire_schema(["gcn", "appnp"])
    node = schema["properties"]["nodes"]["items"]["properties"]
    assert node["op"]["enum"] == ["appnp", "gcn"]
    assert "appnp (propagation, width must be 0)" in node["op"]["description"]
    assert node["params"]["items"]["properties"]["name"]["enum"] == ["alpha", "hops"]
    assert "appnp: hops 1 to 128 (whole), alpha 0 to 1" in node["params"]["items"]["properties"]["name"]["description"]
    with pytest.raises(UsageError, match="unknown operator 'gnc'"):
        wire_schema(["gnc"])


def wire_with(**node: Any) -> dict[str, Any]:
    spec = SearchSpace.small().sample(random.Random(0))
    data = to_wire(spec)
    plain = {"id": "a", "op": "appnp", "inputs": ["input"], "merge": "sum", "width": 0, "params": [], "dropout": 0.0, "norm": "none"}
    data["nodes"] = [{**plain, "residual": False, "activation": "none", **node}]
    return {**data, "outputs": ["a"], "head": {**data["head"], "decoder": "linear"}}


@pytest.mark.parametrize(
    ("node", "words"),
    [
        ({"op": "appn"}, "body.nodes.a.op: unknown operator 'appn'; did you mean appnp?"),
        ({"width": 64}, "operator appnp keeps the width of its input; width is 64, allowed: null"),
        ({"params": [{"name": "hop", "value": "3"}]}, "node a: operator appnp has no parameter 'hop'; did you mean hops?"),
        ({"params": [{"name": "hops", "value": "many"}]}, "node a: params.hops is 'many'; allowed: a whole number"),
        ({"params": [{"name": "hops", "value": "2.5"}]}, "node a: params.hops is '2.5'; allowed: a whole number"),
        ({"params": [{"name": "hops", "value": "1000"}]}, "params.hops is 1000, allowed: 1 to 128"),
        ({"params": [{"name": "hops", "value": "nan"}]}, "node a: params.hops is 'nan'; allowed: a whole number"),
        ({"params": [{"name": "hops", "value": "3"}, {"name": "hops", "value": "4"}]}, "node a: parameter 'hops' is named twice"),
        ({"params": [{"hops": 3}]}, "node a: params holds {'hops': 3}; allowed: objects with name and value"),
        ({"op": "sgc", "params": [{"name": "average", "value": "maybe"}]}, "node a: params.average is 'maybe'; allowed: true or false"),
        ({"inputs": ["b"]}, "node a: input 'b' does not exist"),
    ],
)
def test_what_a_model_gets_wrong_is_named(node: dict[str, Any], words: str) -> None:
    with pytest.raises(SpecError) as raised:
        from_wire(wire_with(**node))
    assert words in str(raised.value)


@pytest.mark.parametrize(
    "data", [None, [], {"body": {}}, {"nodes": 3}, {"nodes": [3]}, {"recipe": 1}, {"nodes": [{"id": "a", "op": 3, "params": 1}]}]
)
def test_what_is_no_spec_is_refused_in_one_line(data: Any) -> None:
    with pytest.raises(SpecError) as raised:
        from_wire(data)
    assert "\n" not in str(raised.value)


def test_sentinels_and_missing_fields() -> None:
    data = wire_with(op="gcn", width=-1)
    data["head"]["decoder"] = "none"
    data["recipe"]["weight_decay_out"] = -1
    del data["recipe"]["weight_decay_conv"], data["post"]
    spec = from_wire(data)
    assert spec.body.nodes[0].width == "out"
    assert spec.recipe.weight_decay_out is None
    assert spec.recipe.weight_decay_conv is None
    assert from_wire(wire_with(width=0)).body.nodes[0].width is None


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=4),
        lambda x: st.lists(x, max_size=2) | st.dictionaries(st.sampled_from(("nodes", "id", "op", "params", "name", "value", "recipe")), x),
        max_leaves=10,
    )
)
def test_nonsense_on_the_wire_never_escapes(data: Any) -> None:
    message = ""
    try:
        assert isinstance(from_wire(data), ArchitectureSpec)
    except SpecError as error:
        message = str(error)
    assert "\n" not in message
