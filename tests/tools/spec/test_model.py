"""What is wrong with a spec is said in one line that names field, value and what is allowed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentnas.tools.errors import SpecError
from agentnas.tools.spec import ArchitectureSpec, canonical_json, parse_spec, spec_hash


def body(*nodes: dict[str, Any], outputs: tuple[str, ...] = ("a",)) -> dict[str, Any]:
    return {"body": {"nodes": list(nodes), "outputs": list(outputs)}}


GCN = {"id": "a", "op": "gcn"}
WRONG: dict[str, tuple[Any, str]] = {
    "huge width": (body({**GCN, "width": 10**9}), "body.nodes.a.width is 1000000000; allowed: 1 to 4096, 'out' or null"),
    "huger width": (
        body({**GCN, "width": 10**400}),
        "body.nodes.a.width is a whole number of about 400 digits; allowed: 1 to 4096, 'out' or null",
    ),
    "text for a width": (body({**GCN, "width": "wide"}), "body.nodes.a.width is 'wide'; allowed: 1 to 4096, 'out' or null"),
    "unknown operator": (body({"id": "a", "op": "gnc"}), "body.nodes.a.op: unknown operator 'gnc'; did you mean "),
    "no operator": (body({"id": "a"}), "body.nodes.a.op is missing; allowed: text"),
    "cycle": (
        body({**GCN, "inputs": ["b"]}, {"id": "b", "op": "gcn", "inputs": ["a"]}),
        "body: nodes: a, b form a cycle; the body must be acyclic",
    ),
    "dangling input": (body({**GCN, "inputs": ["inputt"]}), "body: node a: input 'inputt' does not exist; did you mean input?"),
    "dangling output": (body(GCN, outputs=("b",)), "body: outputs: 'b' does not exist; allowed: a, input"),
    "no input": (body({**GCN, "inputs": []}), "body.nodes.a.inputs is []; allowed: a list of text (at least 1 and at most 16)"),
    "twice the same id": (body(GCN, GCN), "body: nodes: id 'a' is used twice; give each node its own id"),
    "reserved id": (body({**GCN, "id": "input"}), "body: nodes: id 'input' is reserved; give each node its own id"),
    "bad id": (body({**GCN, "id": "A b"}), "body.nodes.A b.id is 'A b'; allowed: text like ^[a-z][a-z0-9_]{0,31}$"),
    "unknown parameter": (
        body({"id": "a", "op": "appnp", "params": {"hop": 3}}),
        "body.nodes.a: params.hop: operator appnp has no parameter 'hop'; did you mean hops?",
    ),
    "parameter out of bounds": (
        body({"id": "a", "op": "appnp", "params": {"hops": 0}}),
        "body.nodes.a: params.hops is 0, allowed: 1 to 128",
    ),
    "parameter of a wrong type": (
        body({"id": "a", "op": "appnp", "params": {"hops": 2.5}}),
        "body.nodes.a: params.hops is 2.5, allowed: int",
    ),
    "parameter that is a list": (
        body({"id": "a", "op": "appnp", "params": {"hops": [1]}}),
        "body.nodes.a.params.hops is [1]; allowed: true or false, a number, a number or text",
    ),
    "a width for hops": (
        body({"id": "a", "op": "appnp", "width": 8}),
        "body.nodes.a: operator appnp keeps the width of its input; width is 8, allowed: null",
    ),
    "near miss": ({"recipe": {"optimiser": "adm"}}, "recipe.optimiser is 'adm'; did you mean adam or adamw?"),
    "unknown field": ({"recipe": {"lr": 0.1}}, "recipe.lr: unknown field; did you mean learning_rate?"),
    "another's name for decay": ({"recipe": {"wd": 0.1}}, "recipe.wd: unknown field; did you mean weight_decay?"),
    "another's name for width": ({"input": {"hidden": 8}}, "input.hidden: unknown field; did you mean width?"),
    "another's name for nodes": ({"body": {"layers": 2}}, "body.layers: unknown field; did you mean nodes?"),
    "unknown part": ({"recipes": {}}, "recipes: unknown field; did you mean recipe?"),
    "out of range": ({"recipe": {"learning_rate": -1}}, "recipe.learning_rate is -1; allowed: more than 0 to 10"),
    "not a number": ({"recipe": {"learning_rate": float("nan")}}, "recipe.learning_rate is nan; allowed: more than 0 to 10"),
    "several": (
        {"recipe": {"epochs": 0}, "input": {"dropout": 1.0}},
        "input.dropout is 1.0; allowed: 0 to below 1; recipe.epochs is 0; allowed: 1 to 100000",
    ),
    "no decoder": ({"head": {"decoder": "none"}}, "spec: head.decoder 'none' needs a body that ends in width 'out'"),
    "decoder of links": ({"head": {"decoder": "dot"}}, "head: decoder 'dot' predicts links; kind is 'node', allowed: link"),
    "a list": ([1], "spec is [1]; allowed: an object with input, body, head, recipe, post"),
    "broken JSON": ('{"body": ', "spec is not JSON: EOF while parsing a value"),
    "a newer language": ({"language": 99}, "language is 99, allowed: 1 to 1; a newer AgentNAS may read this spec"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_specs(name: str) -> None:
    data, expected = WRONG[name]
    with pytest.raises(SpecError) as raised:
        parse_spec(data)
    message = str(raised.value)
    assert message.startswith(expected)
    assert "\n" not in message
    assert raised.value.exit_code == 2


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(("body", "nodes", "id", "op", "width", "recipe", "x")), inner)
    ),
    max_leaves=12,
)


@given(anything)
def test_nonsense_is_either_read_or_refused_in_one_line(data: Any) -> None:
    message = ""
    try:
        assert isinstance(parse_spec(data), ArchitectureSpec)
    except SpecError as error:
        message = str(error)
    assert "\n" not in message


def test_the_package_offers_the_language() -> None:
    spec = parse_spec(canonical_json(ArchitectureSpec()))
    assert spec_hash(spec) == spec_hash(ArchitectureSpec())
