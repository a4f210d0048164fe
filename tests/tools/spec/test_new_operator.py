"""One new file, and an operator is in the language, the wire schema, the samples, the mutations, the vectors and the reference."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from agentnas.tools.errors import ConfigError
from agentnas.tools.operators.base import operators
from agentnas.tools.spec.bounded import BoundedSpace
from agentnas.tools.spec.canonical import spec_hash
from agentnas.tools.spec.model import parse_spec
from agentnas.tools.spec.reference import language_reference
from agentnas.tools.spec.space import SearchSpace
from agentnas.tools.spec.wire import wire_schema

SOURCE = """
import no_such_module
OPERATOR = Operator(
    name="swirl", kind="convolution", module="Swirl", doc="swirls | twice", source="Nobody, 2031",
    params=(Param("turns", 3, (1, 3, 9), "number of turns", 1, 9), Param("fast", False, (False, True), "hurry", off_while=("turns", (1,)))),
)
"""


@pytest.fixture
def swirl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "swirl.py").write_text(SOURCE)
    monkeypatch.setenv("AGENTNAS_OPERATORS", str(tmp_path))


def test_without_it_nothing_mentions_it() -> None:
    assert "swirl" not in operators()
    assert "swirl" not in language_reference()


@pytest.mark.usefixtures("swirl")
def test_it_appears_everywhere() -> None:
    space = SearchSpace.default()
    assert "swirl" in wire_schema()["properties"]["nodes"]["items"]["properties"]["op"]["enum"]
    assert {"op.swirl", "op.swirl.turns", "op.swirl.fast"} <= set(space.vector_names())
    assert {"body.params.turns", "body.params.fast"} <= set(space.factors())
    rng = random.Random(0)
    drawn = [space.sample(rng) for _ in range(300)]
    assert any(node.op == "swirl" for spec in drawn for node in spec.body.nodes)
    mutations = [space.mutate(spec, rng, ["body.op"]) for spec in drawn]
    assert any(node.op == "swirl" for found in mutations if found for node in found.spec.body.nodes)
    assert BoundedSpace("swirls", operators=("swirl",)).sample(rng).body.nodes[0].op == "swirl"


@pytest.mark.usefixtures("swirl")
def test_the_reference_describes_it() -> None:
    text = language_reference()
    assert "### swirl\n\nSwirls | twice. A convolution. Source: Nobody, 2031.\n" in text
    assert "| `turns` | `3` | 1 to 9 | 1, 3, 9 | number of turns |" in text
    assert "| `fast` | `false` | true or false | false, true | hurry; no effect while `turns` is 1 |" in text


@pytest.mark.usefixtures("swirl")
def test_a_parameter_that_is_off_is_no_part_of_the_design() -> None:
    def of(**params: object) -> str:
        return spec_hash(parse_spec({"body": {"nodes": [{"id": "a", "op": "swirl", "params": params}], "outputs": ["a"]}}))

    assert of(turns=1, fast=True) == of(turns=1)
    assert of(turns=9, fast=True) != of(turns=9)


def test_every_field_and_operator_is_in_the_reference() -> None:
    text = language_reference()
    for part in ("input", "input.encodings", "body", "body.nodes", "head", "recipe", "post"):
        assert f"## {part}\n" in text
    for name, described in operators().items():
        assert f"### {name}\n" in text
        assert described.source in text
    assert "| `learning_rate` | `0.01` | more than 0 to 10 | learning rate |" in text


def test_a_folder_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTNAS_OPERATORS", "/no/such/folder")
    with pytest.raises(ConfigError, match="AGENTNAS_OPERATORS is '/no/such/folder'"):
        operators()
