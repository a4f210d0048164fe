"""Schemas of answers: what is sent is what both providers document, and says to the model what the type says."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, create_model

from agentnas.agents.llm.names import make_llm
from agentnas.agents.llm.schema import strict_schema
from agentnas.agents.llm_analyst import AnalysisAnswer
from agentnas.agents.llm_planner import PlanAnswer
from agentnas.agents.proposing import answer_type
from agentnas.tools.spec.space import SearchSpace
from agentnas.tools.spec.wire import wire_schema
from tests.agents.llm.answers import QUESTION, Plan, Verdict
from tests.agents.llm.schema_lint import lint
from tests.llm_server import LLMServer


class Odd(BaseModel):
    """A type with all that providers refuse and that can still be said."""

    model_config = ConfigDict(extra="allow", title="Strange")

    title: str = Field("none", max_length=20, pattern="^[a-z]+$", description="what it is", examples=["a"])
    kind: Literal["one"] = "one"
    gain: float | None = Field(None, ge=-1, lt=1)
    steps: tuple[int, ...] = Field((), min_length=1)
    plan: Plan = Field(description="where to look")
    default: bool = False


class Tree(BaseModel):
    children: list[Tree]


def test_everything_is_required_and_bounds_become_words() -> None:
    direction = {
        "type": "object",
        "description": "Where to look next.",
        "properties": {
            "name": {"type": "string"},
            "share": {"type": "number", "description": "share of the round's trials; more than 0, at most 1"},
            "mode": {"type": "string", "enum": ["explore", "exploit"]},
            "evidence": {"type": "array", "description": "ids that it rests on", "items": {"type": "string"}},
        },
        "required": ["name", "share", "mode", "evidence"],
        "additionalProperties": False,
    }
    plan = {"type": "array", "description": "at least 1 items, at most 4 items", "items": direction}
    whole = {"type": "object", "properties": {"directions": plan}, "required": ["directions"], "additionalProperties": False}
    assert strict_schema(Plan) == whole
    assert strict_schema(Odd) == {
        "type": "object",
        "description": "A type with all that providers refuse and that can still be said.",
        "properties": {
            "title": {"type": "string", "description": "what it is; at most 20 characters, matches ^[a-z]+$"},
            "kind": {"type": "string", "enum": ["one"]},
            "gain": {"anyOf": [{"type": "number", "description": "at least -1, less than 1"}, {"type": "null"}]},
            "steps": {"type": "array", "description": "at least 1 items", "items": {"type": "integer"}},
            "plan": {**whole, "description": "where to look"},
            "default": {"type": "boolean"},
        },
        "required": ["title", "kind", "gain", "steps", "plan", "default"],
        "additionalProperties": False,
    }


def holding(schema: dict[str, Any]) -> type[BaseModel]:
    """An answer with one field of the given schema."""
    return create_model("Holding", field=(Annotated[Any, WithJsonSchema(schema)], ...))


@pytest.mark.parametrize("answer", [Plan, Verdict, Odd, holding(wire_schema())], ids=lambda answer: answer.__name__)
def test_both_providers_take_it(answer: type[BaseModel]) -> None:
    assert lint(strict_schema(answer)) == []


SPACE, CELLS = SearchSpace.named("default"), SearchSpace.named("nasbench:cora")
ANSWERS = (
    PlanAnswer, AnalysisAnswer, answer_type("diff", SPACE), answer_type("full", SPACE), answer_type("full", CELLS),
    answer_type("diff", CELLS),
)  # fmt: skip


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: answer.__name__)
@pytest.mark.parametrize("kind", ["openai-chat", "openai-responses", "anthropic"])
def test_what_is_sent_for_the_agents_is_within_the_documented_limits(kind: str, answer: type[BaseModel]) -> None:
    with LLMServer(["{}", "{}"]) as server:
        for mode in ("schema", "tool"):
            model = make_llm(f"{kind}:{mode}@{server.root if kind == 'anthropic' else server.url}?mode={mode}", environment={})
            model.ask("coder", QUESTION, answer, max_tokens=100, timeout_s=5.0)
            model.close()
    assert [asked.mode for asked in server.history] == ["schema", "tool"]
    assert [lint(asked.schema or {}) for asked in server.history] == [[], []]


def test_the_lint_finds_what_pydantic_alone_would_send() -> None:
    assert lint(Plan.model_json_schema()) == [
        "$: keyword $defs",
        "$: keyword title",
        "$: additionalProperties is not false",
        "$.directions: keyword maxItems",
        "$.directions: keyword minItems",
        "$.directions: keyword title",
        "$.directions[]: keyword $ref",
        "$.directions[]: type None",
    ]


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (dict[str, float], "free names"),
        (tuple[int, str], "fixed length"),
        (Any, "refuse {'title'"),
        (Plan | Verdict, "unions of objects"),
        (Plan | None, "unions of objects"),
        (list[Tree], "recursive"),
    ],
    ids=str,
)
def test_a_type_that_cannot_be_sent_is_refused(kind: Any, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        strict_schema(create_model("Held", field=(kind, ...)))
