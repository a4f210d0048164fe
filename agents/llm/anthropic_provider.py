"""Anthropic's messages: structured outputs, else the call of a tool, else JSON in text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from agentnas.agents.llm import talk_anthropic
from agentnas.agents.llm.provider import TOOL, Mode, Provider, Said, http_client
from agentnas.agents.llm.schema import Schema
from agentnas.agents.llm.talk import Part, ToolForm, Turn

OFFICIAL = "https://api.anthropic.com"


class AnthropicMessages(Provider):
    """A model behind the messages protocol."""

    def _make_sdk(self) -> Any:
        import anthropic

        return anthropic.Anthropic(
            api_key=self._where.key or "none",
            base_url=self._url or OFFICIAL,
            max_retries=0,
            open_telemetry=False,
            http_client=http_client(anthropic, self._url),
        )

    def _sdk_error(self) -> type[Exception]:
        from anthropic import AnthropicError

        return AnthropicError

    def _request(self, turns: list[dict[str, str]], mode: Mode, schema: Schema, max_tokens: int) -> dict[str, Any]:
        system = "\n\n".join(turn["content"] for turn in turns if turn["role"] == "system")
        spoken = [turn for turn in turns if turn["role"] != "system"]
        asked: dict[str, Any] = {"model": self._where.model, "messages": spoken, "max_tokens": max_tokens}
        if system:
            asked["system"] = system
        if mode == "schema":
            asked["output_config"] = {"format": {"type": "json_schema", "schema": schema}}
        elif mode == "tool":
            asked["tools"] = [{"name": TOOL, "description": "Give the answer.", "input_schema": schema}]
            asked["tool_choice"] = {"type": "tool", "name": TOOL}
        return asked

    def _post(self, arguments: dict[str, Any]) -> Any:
        return self._client().messages.with_raw_response.create(**arguments)

    def _read(self, data: Mapping[str, Any]) -> Said | None:
        if not isinstance(data.get("content"), list):
            return None
        blocks = [block for block in data["content"] if isinstance(block, Mapping)]
        inputs = [block.get("input") for block in blocks if block.get("type") == "tool_use"]
        text = _json(inputs[0]) if inputs else "".join(block.get("text") or "" for block in blocks if block.get("type") == "text")
        return Said(text, talk_anthropic.finish_of(data.get("stop_reason")), talk_anthropic.usage_of(data.get("usage") or {}))

    def _pieces(self, arguments: dict[str, Any]) -> Iterator[str | None]:
        for event in self._client().messages.create(**arguments, stream=True):
            kind = getattr(event, "type", "")
            if kind == "content_block_delta" and getattr(event.delta, "type", "") == "text_delta":
                yield event.delta.text
            elif kind == "message_stop":
                yield None

    def _dialogue(self, turns: Sequence[Turn], tools: Sequence[ToolForm]) -> dict[str, Any]:
        return talk_anthropic.request(turns, tools)

    def _parts(self, arguments: dict[str, Any]) -> Iterator[Part]:
        yield from talk_anthropic.parts(self._client().messages.create(**arguments, stream=True))


def _json(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
