"""Conversations with tools: turns and tools in; text as it comes, calls of tools and an end out.

    for part in model.converse("chat", turns, tools, max_tokens=4000, timeout_s=60):
        part is a piece of text, a ToolCall, or last of all an Ended

What a tool's arguments are is said by a pydantic model; what a model wrote is read with the same patience as any other answer.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

from pydantic import BaseModel

from agentnas.agents.llm.base import LLM, Finish, Usage
from agentnas.agents.llm.reading import read_answer
from agentnas.agents.llm.schema import Schema, strict_schema

A = TypeVar("A", bound=BaseModel)


@dataclass(frozen=True)
class ToolCall:
    """A tool that a model wants called. ``arguments`` is what it wrote, JSON if all is well; ``id`` ties the result to it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True)
class Turn:
    """One turn. An assistant's may hold calls; each is answered by a turn of role ``tool`` that names it in ``call``."""

    role: Literal["system", "user", "assistant", "tool"]
    text: str
    calls: tuple[ToolCall, ...] = ()
    call: str = ""


@dataclass(frozen=True)
class Ended:
    """The end of an answer: how, and its tokens."""

    finish: Finish
    usage: Usage


Part = str | ToolCall | Ended


@dataclass(frozen=True)
class ToolForm:
    """A tool as a model is told of it."""

    name: str
    description: str
    arguments: type[BaseModel]

    def schema(self) -> Schema:
        """The schema of the arguments; those that have a default may be left out."""
        whole = strict_schema(self.arguments)
        needed = [name for name, field in self.arguments.model_fields.items() if field.is_required()]
        return {**whole, "required": needed}


class Talker(LLM, Protocol):
    """A language model that can hold a conversation with tools."""

    def converse(self, role: str, turns: Sequence[Turn], tools: Sequence[ToolForm], *, max_tokens: int, timeout_s: float) -> Iterator[Part]:
        """One answer as it comes; its last part is an Ended. Raises LLMError, also in the middle."""


def read_arguments(text: str, arguments: type[A]) -> tuple[A | None, str]:
    """The arguments of a call, or None and what is wrong with them, addressed to the model."""
    value, problem = read_answer(text if text.strip() else "{}", arguments)
    return value, (problem or "").replace("The answer does not", "The arguments do not").replace("The answer holds", "The arguments hold")


def as_text(said: str, calls: Sequence[ToolCall]) -> str:
    """An answer as one text, for scripts and recordings: as it is where it calls nothing, else JSON."""
    if not calls:
        return said
    called = [{"name": call.name, "arguments": _loaded(call.arguments)} for call in calls]
    return json.dumps({"say": said, "calls": called}, ensure_ascii=False)


def from_text(text: str) -> tuple[str, tuple[ToolCall, ...]]:
    """What ``as_text`` wrote."""
    held = object_of(text)
    if held is None or not isinstance(held.get("calls"), list):
        return text, ()
    calls = [call for call in held["calls"] if isinstance(call, Mapping)]
    made = (ToolCall(f"call_{i}", str(call.get("name")), _dumped(call.get("arguments", {}))) for i, call in enumerate(calls, start=1))
    return str(held.get("say") or ""), tuple(made)


def written_call(text: str, names: Sequence[str]) -> ToolCall | None:
    """The call that a small model wrote as its answer in place of making it: ``{"name": "plan", "arguments": {...}}``, fenced or not."""
    bare = text.strip().removeprefix("```json").removeprefix("```").removesuffix("```").strip()
    held = object_of(bare)
    if held is None:
        return None
    name = held.get("name") or held.get("tool") or held.get("function")
    given: Any = next((held[key] for key in ("arguments", "parameters", "input") if key in held), {})
    return ToolCall("call_1", str(name), _dumped(given)) if name in names else None


def object_of(text: str) -> dict[str, Any] | None:
    """The JSON object that a text is, such as a call's arguments; None for any other text."""
    held = _loaded(text)
    return held if isinstance(held, dict) else None


def _loaded(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # a model may nest deeper than Python reads
        return text


def _dumped(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
