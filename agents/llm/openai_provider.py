"""OpenAI's two protocols: responses, which OpenAI itself speaks best, and chat completions, which most compatible servers know alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from agentnas.agents.llm.base import BadRequestError
from agentnas.agents.llm.failures import Address, from_stream
from agentnas.agents.llm.provider import TOOL, Mode, Provider, Said, http_client
from agentnas.agents.llm.schema import Schema
from agentnas.agents.llm.talk import Part, ToolForm, Turn
from agentnas.agents.llm.talk_openai import (
    chat_finish,
    chat_parts,
    chat_request,
    chat_usage,
    response_finish,
    response_usage,
    responses_parts,
    responses_request,
)

OFFICIAL = "https://api.openai.com/v1"
ABOUT = "Give the answer."
# The responses protocol takes no lower limit.
FEWEST_TOKENS = 16


class _OpenAI(Provider):
    def _make_sdk(self) -> Any:
        import openai

        sdk = openai.OpenAI(
            api_key=self._where.key or "none",
            base_url=self._url or OFFICIAL,
            max_retries=0,
            http_client=http_client(openai, self._url),
        )
        if self._url is not None:  # the account at OpenAI is nobody else's business
            sdk.organization = sdk.project = None
        return sdk

    def _sdk_error(self) -> type[Exception]:
        from openai import OpenAIError

        return OpenAIError


class OpenAIResponses(_OpenAI):
    """A model behind the responses protocol."""

    def _request(self, turns: list[dict[str, str]], mode: Mode, schema: Schema, max_tokens: int) -> dict[str, Any]:
        asked: dict[str, Any] = {
            "model": self._where.model, "input": turns, "max_output_tokens": max(FEWEST_TOKENS, max_tokens), "store": False,
        }  # fmt: skip
        if mode == "schema":
            asked["text"] = {"format": {"type": "json_schema", "name": TOOL, "schema": schema, "strict": True}}
        elif mode == "tool":
            asked["tools"] = [{"type": "function", "name": TOOL, "description": ABOUT, "parameters": schema, "strict": False}]
            asked["tool_choice"] = {"type": "function", "name": TOOL}
        return asked

    def _post(self, arguments: dict[str, Any]) -> Any:
        return self._client().responses.with_raw_response.create(**arguments)

    def _read(self, data: Mapping[str, Any]) -> Said | None:
        if not isinstance(data.get("output"), list):
            return None
        items = [item for item in data["output"] if isinstance(item, Mapping)]
        calls = [item.get("arguments") or "" for item in items if item.get("type") == "function_call"]
        parts = [part for item in items if item.get("type") == "message" for part in item.get("content") or ()]
        refusals = [part["refusal"] for part in parts if part.get("refusal")]
        text = calls[0] if calls else "".join(part.get("text") or "" for part in parts) or "".join(refusals)
        return Said(text, response_finish(data, refused=bool(refusals)), response_usage(data))

    def _pieces(self, arguments: dict[str, Any]) -> Iterator[str | None]:
        for event in self._client().responses.create(**arguments, stream=True):
            kind = getattr(event, "type", "")
            if kind in ("response.output_text.delta", "response.refusal.delta"):
                yield event.delta
            elif kind in ("response.completed", "response.incomplete"):
                yield None
            elif kind in ("response.failed", "error"):
                raise from_stream(self._where, event.to_dict().get("response") or event.to_dict())

    def _dialogue(self, turns: Sequence[Turn], tools: Sequence[ToolForm]) -> dict[str, Any]:
        return responses_request(turns, tools)

    def _parts(self, arguments: dict[str, Any]) -> Iterator[Part]:
        yield from responses_parts(self._client().responses.create(**arguments, stream=True), self._where)


class OpenAIChat(_OpenAI):
    """A model behind chat completions."""

    def __init__(self, where: Address, url: str | None = None, mode: Mode | None = None) -> None:
        super().__init__(where, url, mode)
        # Compatible servers know the older name; OpenAI's reasoning models take the newer one alone.
        self._limit = "max_completion_tokens" if url is None else "max_tokens"

    def _request(self, turns: list[dict[str, str]], mode: Mode, schema: Schema, max_tokens: int) -> dict[str, Any]:
        asked: dict[str, Any] = {"model": self._where.model, "messages": turns, self._limit: max_tokens}
        if mode == "schema":
            form = {"name": TOOL, "schema": schema, "strict": True}
            asked["response_format"] = {"type": "json_schema", "json_schema": form}
        elif mode == "tool":
            asked["tools"] = [{"type": "function", "function": {"name": TOOL, "description": ABOUT, "parameters": schema}}]
            asked["tool_choice"] = {"type": "function", "function": {"name": TOOL}}
        return asked

    def _called(self, arguments: dict[str, Any]) -> Said:
        try:
            return super()._called(arguments)
        except BadRequestError as error:
            if "max_completion_tokens" not in str(error) or "max_tokens" not in arguments:
                raise
        self._limit = "max_completion_tokens"
        return super()._called({**arguments, self._limit: arguments["max_tokens"], "max_tokens": None})

    def _post(self, arguments: dict[str, Any]) -> Any:
        given = {name: value for name, value in arguments.items() if value is not None}
        return self._client().chat.completions.with_raw_response.create(**given)

    def _read(self, data: Mapping[str, Any]) -> Said | None:
        choices = data.get("choices")
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], Mapping):
            return None
        message, ended = choices[0].get("message") or {}, choices[0].get("finish_reason")
        calls = [(call.get("function") or {}).get("arguments") or "" for call in message.get("tool_calls") or ()]
        refusal = message.get("refusal")
        text = calls[0] if calls else _text(message.get("content")) or refusal or ""
        return Said(text, chat_finish(ended, refused=bool(refusal)), chat_usage(data.get("usage") or {}))

    def _pieces(self, arguments: dict[str, Any]) -> Iterator[str | None]:
        for chunk in self._client().chat.completions.create(**arguments, stream=True):
            for choice in (getattr(chunk, "choices", None) or [])[:1]:
                delta = choice.delta
                yield getattr(delta, "content", None) or getattr(delta, "refusal", None) or ""
                if choice.finish_reason:
                    yield None

    def _dialogue(self, turns: Sequence[Turn], tools: Sequence[ToolForm]) -> dict[str, Any]:
        return chat_request(turns, tools)

    def _parts(self, arguments: dict[str, Any]) -> Iterator[Part]:
        yield from chat_parts(self._client().chat.completions.create(**arguments, stream=True))


def _text(content: Any) -> str:
    """Text of a message, which some servers send in parts."""
    if isinstance(content, list):
        return "".join(part.get("text") or "" for part in content if isinstance(part, Mapping))
    return content if isinstance(content, str) else ""
