"""The server of the tests speaks as the installed SDKs expect it, checked through the SDKs themselves."""

from __future__ import annotations

from typing import Any

import pytest

from tests.llm_server import Cut, Fault, LLMServer

TOOL = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}


def client(kind: str, server: LLMServer, key: str = "k") -> Any:
    import anthropic
    import openai

    if kind == "anthropic":
        return anthropic.Anthropic(api_key=key, base_url=server.root, max_retries=0, open_telemetry=False)
    return openai.OpenAI(api_key=key, base_url=server.url, max_retries=0)


def test_chat_completions() -> None:
    with LLMServer(['{"a": 1}', "hello there, dear reader"]) as server:
        sdk = client("openai", server)
        tools = [{"type": "function", "function": {"name": "answer", "parameters": TOOL}}]
        said = sdk.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}], tools=tools)
        assert said.choices[0].message.tool_calls[0].function.arguments == '{"a": 1}'
        chunks = sdk.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}], stream=True)
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "hello there, dear reader"
    assert [(asked.mode, asked.messages) for asked in server.history] == [("tool", (("user", "hi"),)), ("text", (("user", "hi"),))]


def test_responses() -> None:
    with LLMServer(['{"a": 1}', "hello there, dear reader"]) as server:
        sdk = client("openai", server)
        form = {"format": {"type": "json_schema", "name": "answer", "schema": TOOL, "strict": True}}
        assert sdk.responses.create(model="m", input="hi", text=form).output_text == '{"a": 1}'
        events = sdk.responses.create(model="m", input="hi", stream=True)
        assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == "hello there, dear reader"
    assert server.history[0].schema == TOOL


def test_messages() -> None:
    with LLMServer(['{"a": 1}', "hello there, dear reader"]) as server:
        sdk = client("anthropic", server)
        asked = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
        said = sdk.messages.create(**asked, tools=[{"name": "answer", "input_schema": TOOL}], system="be short")
        assert (said.content[0].input, said.stop_reason) == ({"a": 1}, "tool_use")
        with sdk.messages.stream(**asked) as stream:
            assert "".join(stream.text_stream) == "hello there, dear reader"
    assert server.history[0].messages == (("system", "be short"), ("user", "hi"))


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
def test_turned_away(kind: str) -> None:
    import anthropic
    import openai

    sdk_errors: Any = anthropic if kind == "anthropic" else openai
    with LLMServer([Fault(429, retry_after=7), Cut("x" * 99)], key="right", models=["m"]) as server:
        for key, model, error in (("wrong", "m", sdk_errors.AuthenticationError), ("right", "other", sdk_errors.NotFoundError),
                                  ("right", "m", sdk_errors.RateLimitError), ("right", "m", sdk_errors.APIConnectionError)):  # fmt: skip
            with pytest.raises(error):
                ask(client(kind, server, key), model)
        assert [model.id for model in client(kind, server, "right").models.list()] == ["m"]


def ask(sdk: Any, model: str) -> Any:
    turns = [{"role": "user", "content": "hi"}]
    if hasattr(sdk, "chat"):
        return sdk.chat.completions.create(model=model, messages=turns)
    return sdk.messages.create(model=model, messages=turns, max_tokens=9)
