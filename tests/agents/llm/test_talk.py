"""Conversations with tools, over all three protocols of a real server, and from scripts and recordings."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import BaseModel, Field

from agentnas.agents.llm.base import BadRequestError, ConnectionFailedError, LLMError
from agentnas.agents.llm.names import make_llm
from agentnas.agents.llm.recording import Recording, Replay
from agentnas.agents.llm.scripted import Scripted
from agentnas.agents.llm.talk import Ended, Talker, ToolCall, ToolForm, Turn, read_arguments, written_call
from tests.llm_server import Calls, Cut, Fault, Finished, LLMServer, calls

KINDS = ("openai-chat", "openai-responses", "anthropic")


class Look(BaseModel):
    """What to look at."""

    name: str = Field(description="of the task")
    top: int | None = Field(None, description="lines", ge=1)


TOOLS = (ToolForm("look", "Look at a task.", Look), ToolForm("stop", "Stop.", Look))
TURNS = (
    Turn("system", "Be short."),
    Turn("user", "look at cora"),
    Turn("assistant", "I look.", (ToolCall("a1", "look", '{"name": "cora"}'),)),
    Turn("tool", "2708 nodes", call="a1"),
)


def talker(kind: str, server: LLMServer) -> Talker:
    return cast(Talker, make_llm(f"{kind}:m@{server.root if kind == 'anthropic' else server.url}", environment={}))


def said(model: Talker, turns: tuple[Turn, ...] = TURNS) -> tuple[str, list[ToolCall], Ended]:
    with closing(model):
        *parts, end = model.converse("chat", turns, TOOLS, max_tokens=100, timeout_s=10.0)
    assert isinstance(end, Ended)
    return "".join(p for p in parts if isinstance(p, str)), [p for p in parts if isinstance(p, ToolCall)], end


@pytest.mark.parametrize("kind", KINDS)
def test_text_streams_with_its_tokens(kind: str) -> None:
    with LLMServer(["Cora has 2708 nodes, dear reader."]) as server:
        text, called, end = said(talker(kind, server))
    assert (text, called, end.finish) == ("Cora has 2708 nodes, dear reader.", [], "stop")
    assert end.usage.output == len(text) // 4
    assert [role for role, _ in server.history[0].messages] == ["system", "user", "assistant", *["assistant"] * (kind == KINDS[1]), "tool"]
    assert server.history[0].messages[-1][1] == "2708 nodes"


@pytest.mark.parametrize("kind", KINDS)
def test_calls_arrive_whole_after_the_text(kind: str) -> None:
    both = Calls((("look", {"name": "citeseer, and more letters"}), ("stop", "no json")), "First ")
    with LLMServer([both]) as server:
        text, called, _ = said(talker(kind, server))
        body = server.history[0].body
    assert text == "First "
    assert [(c.name, c.arguments) for c in called] == [("look", '{"name": "citeseer, and more letters"}'), ("stop", "no json")]
    assert len({c.id for c in called}) == 2
    form = body["tools"][0].get("function", body["tools"][0])
    schema = form.get("parameters") or form.get("input_schema")
    assert (schema["required"], list(schema["properties"])) == (["name"], ["name", "top"])


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_model_wrote_wrongly_is_sent_back_as_an_object(kind: str) -> None:
    """Servers refuse a conversation in which a call's arguments are no object."""
    turns = (*TURNS[:2], Turn("assistant", "", (ToolCall("a1", "look", "cora!"),)), Turn("tool", "not JSON", call="a1"))
    with LLMServer(["Sorry."]) as server:
        assert said(talker(kind, server), turns)[0] == "Sorry."
        assert "cora!" not in json.dumps(server.history[0].body)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("answer", "error"),
    [(Cut("a text that is never finished"), ConnectionFailedError), (Fault(500), LLMError), (Fault(400), BadRequestError)],
)
def test_faults_are_ours(kind: str, answer: Any, error: type[LLMError]) -> None:
    with LLMServer([answer]) as server, pytest.raises(error):
        said(talker(kind, server))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("finish", "expected"), [("length", "length"), ("refusal", "refusal")])
def test_an_answer_says_how_it_ended(kind: str, finish: str, expected: str) -> None:
    with LLMServer([Finished("I will not", finish)]) as server:
        text, _, end = said(talker(kind, server))
    assert (text, end.finish) == ("I will not" if kind != "anthropic" or text else "", expected)


def test_a_recorded_conversation_is_replayed(tmp_path: Path) -> None:
    file = tmp_path / "talk.jsonl"
    with LLMServer([calls("look", {"name": "cora"}, "I look."), "It has 2708 nodes."]) as server:
        recording = Recording(talker("openai-chat", server), file)
        first = [said(cast(Talker, recording), TURNS[:2]), said(cast(Talker, recording))]
    replay = Replay(file, "replay:talk")
    again = [said(cast(Talker, replay), TURNS[:2]), said(cast(Talker, replay))]
    assert [(text, [(c.name, c.arguments) for c in called]) for text, called, _ in again] == [
        (text, [(c.name, c.arguments) for c in called]) for text, called, _ in first
    ]
    assert replay.warnings == []


def test_a_script_calls_tools() -> None:
    script = Scripted([{"say": "I look.", "calls": [{"name": "look", "arguments": {"name": "cora"}}]}, "Done."])
    assert said(cast(Talker, script))[:2] == ("I look.", [ToolCall("call_1", "look", '{"name": "cora"}')])
    assert said(cast(Talker, script))[:2] == ("Done.", [])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"nam": "cora"}', "- name is missing; allowed: text (of the task)"),
        ('{"name": "cora", "top": "many"}', "- top is 'many'; allowed"),
        ("cora!", "The arguments hold no JSON object; it begins 'cora!'"),
        ("", "- name is missing"),
    ],
)
def test_wrong_arguments_are_told_precisely(text: str, problem: str) -> None:
    value, told = read_arguments(text, Look)
    assert value is None
    assert problem in told


def test_arguments_with_careless_spelling_are_read() -> None:
    assert read_arguments('```json\n{"name": "cora", "top": 3,}\n```', Look)[0] == Look(name="cora", top=3)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"name": "look", "arguments": {"name": "cora"}}', ToolCall("call_1", "look", '{"name": "cora"}')),
        ('```json\n{"tool": "look", "parameters": {}}\n```', ToolCall("call_1", "look", "{}")),
        ('{"name": "dance"}', None),
        ("look", None),
    ],
)
def test_a_call_that_was_written_as_text(text: str, expected: ToolCall | None) -> None:
    assert written_call(text, ["look"]) == expected
