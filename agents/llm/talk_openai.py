"""Conversations in OpenAI's two protocols: requests, and the events of their streams."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from agentnas.agents.llm.base import Finish, Usage
from agentnas.agents.llm.failures import Address, from_stream
from agentnas.agents.llm.provider import count
from agentnas.agents.llm.talk import Ended, Part, ToolCall, ToolForm, Turn, object_of


def chat_request(turns: Sequence[Turn], tools: Sequence[ToolForm]) -> dict[str, Any]:
    """Turns and tools as chat completions take them."""
    forms = [{"type": "function", "function": {"name": t.name, "description": t.description, "parameters": t.schema()}} for t in tools]
    asked: dict[str, Any] = {"messages": [_chat_turn(turn) for turn in turns], "stream_options": {"include_usage": True}}
    return asked | ({"tools": forms} if forms else {})


def _chat_turn(turn: Turn) -> dict[str, Any]:
    if turn.role == "tool":
        return {"role": "tool", "tool_call_id": turn.call, "content": turn.text}
    made: dict[str, Any] = {"role": turn.role, "content": turn.text}
    if turn.calls:
        calls = [{"id": c.id, "type": "function", "function": {"name": c.name, "arguments": _object(c.arguments)}} for c in turn.calls]
        made |= {"content": turn.text or None, "tool_calls": calls}
    return made


def chat_parts(chunks: Iterable[Any]) -> Iterator[Part]:
    """The parts of a streamed chat completion. One that ends without a reason gives no Ended: it was cut."""
    calls: dict[int, list[str]] = {}
    finish, usage, refused = None, Usage(), False
    for chunk in chunks:
        usage = usage if getattr(chunk, "usage", None) is None else chat_usage(chunk.usage.to_dict())
        for choice in (getattr(chunk, "choices", None) or [])[:1]:
            delta = choice.delta
            refused = refused or bool(getattr(delta, "refusal", None))
            yield getattr(delta, "content", None) or getattr(delta, "refusal", None) or ""
            for part in getattr(delta, "tool_calls", None) or ():
                _collect(calls, part)
            finish = choice.finish_reason or finish
    if finish:
        yield from (ToolCall(*calls[index]) for index in sorted(calls))
        yield Ended(chat_finish(finish, refused=refused), usage)


def _collect(calls: dict[int, list[str]], part: Any) -> None:
    """A piece of a call; some servers number nothing and send each call whole."""
    index = part.index if part.index is not None else len(calls)
    held = calls.setdefault(index, [part.id or f"call_{index + 1}", "", ""])
    if part.function is not None:
        held[1] += part.function.name or ""
        held[2] += part.function.arguments or ""


def chat_usage(usage: Mapping[str, Any]) -> Usage:
    """Tokens as a chat completion counts them."""
    cached = count((usage.get("prompt_tokens_details") or {}).get("cached_tokens"))
    return Usage(count(usage.get("prompt_tokens")), count(usage.get("completion_tokens")), cached)


def chat_finish(reason: str | None, *, refused: bool) -> Finish:
    """How a chat completion with this ``finish_reason`` ended."""
    return "refusal" if refused or reason == "content_filter" else "length" if reason == "length" else "stop"


def responses_request(turns: Sequence[Turn], tools: Sequence[ToolForm]) -> dict[str, Any]:
    """Turns and tools as responses take them."""
    forms = [{"type": "function", "name": t.name, "description": t.description, "parameters": t.schema(), "strict": False} for t in tools]
    return {"input": [item for turn in turns for item in _items(turn)]} | ({"tools": forms} if forms else {})


def _items(turn: Turn) -> Iterator[dict[str, Any]]:
    if turn.role == "tool":
        yield {"type": "function_call_output", "call_id": turn.call, "output": turn.text}
        return
    if turn.text or not turn.calls:
        yield {"role": turn.role, "content": turn.text}
    for call in turn.calls:
        yield {"type": "function_call", "call_id": call.id, "name": call.name, "arguments": _object(call.arguments)}


def responses_parts(events: Iterable[Any], where: Address) -> Iterator[Part]:
    """The parts of a streamed response; raises the error that it reports."""
    refused = False
    for event in events:
        kind = getattr(event, "type", "")
        if kind in ("response.output_text.delta", "response.refusal.delta"):
            refused = refused or kind == "response.refusal.delta"
            yield event.delta
        elif kind in ("response.completed", "response.incomplete"):
            yield from _response_end(event.response.to_dict(), refused)
        elif kind in ("response.failed", "error"):
            raise from_stream(where, event.to_dict().get("response") or event.to_dict())


def _response_end(whole: Mapping[str, Any], refused: bool) -> Iterator[Part]:
    for item in whole.get("output") or ():
        if item.get("type") == "function_call":
            yield ToolCall(item.get("call_id") or "call_1", item.get("name") or "", item.get("arguments") or "")
    yield Ended(response_finish(whole, refused=refused), response_usage(whole))


def response_usage(whole: Mapping[str, Any]) -> Usage:
    """Tokens as a response counts them."""
    usage = whole.get("usage") or {}
    cached = count((usage.get("input_tokens_details") or {}).get("cached_tokens"))
    return Usage(count(usage.get("input_tokens")), count(usage.get("output_tokens")), cached)


def response_finish(whole: Mapping[str, Any], *, refused: bool) -> Finish:
    """How a response ended."""
    reason = (whole.get("incomplete_details") or {}).get("reason")
    return "refusal" if refused or reason == "content_filter" else "length" if reason else "stop"


def _object(arguments: str) -> str:
    """What a model wrote, if it is an object: servers refuse to be sent anything else back."""
    return "{}" if object_of(arguments) is None else arguments
