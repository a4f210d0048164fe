"""Conversations in Anthropic's protocol: requests, and the events of their streams."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from agentnas.agents.llm.base import Finish, Usage
from agentnas.agents.llm.provider import count
from agentnas.agents.llm.talk import Ended, Part, ToolCall, ToolForm, Turn, object_of

_CUT = ("max_tokens", "model_context_window_exceeded")


def request(turns: Sequence[Turn], tools: Sequence[ToolForm]) -> dict[str, Any]:
    """Turns and tools as messages take them: roles in turn, the results of tools in the person's."""
    system = "\n\n".join(turn.text for turn in turns if turn.role == "system")
    messages: list[dict[str, Any]] = []
    for turn in turns:
        if turn.role == "system" or not (blocks := _blocks(turn)):
            continue
        role = "assistant" if turn.role == "assistant" else "user"
        if messages and messages[-1]["role"] == role:
            messages[-1]["content"] += blocks
        else:
            messages.append({"role": role, "content": blocks})
    forms = [{"name": t.name, "description": t.description, "input_schema": t.schema()} for t in tools]
    return {"messages": messages} | ({"system": system} if system else {}) | ({"tools": forms} if forms else {})


def _blocks(turn: Turn) -> list[dict[str, Any]]:
    if turn.role == "tool":
        return [{"type": "tool_result", "tool_use_id": turn.call, "content": turn.text}]
    said = [{"type": "text", "text": turn.text}] if turn.text.strip() else []
    return said + [{"type": "tool_use", "id": c.id, "name": c.name, "input": object_of(c.arguments) or {}} for c in turn.calls]


def parts(events: Iterable[Any]) -> Iterator[Part]:
    """The parts of a streamed message. One that ends before it says so gives no Ended: it was cut."""
    call: list[str] | None = None
    read, written, stopped = Usage(), None, "end_turn"
    for event in events:
        kind = getattr(event, "type", "")
        if kind == "message_start":
            read = usage_of(event.message.usage.to_dict())
        elif kind == "content_block_start" and event.content_block.type == "tool_use":
            call = [event.content_block.id, event.content_block.name, ""]
        elif kind == "content_block_delta":
            if event.delta.type == "text_delta":
                yield event.delta.text
            elif event.delta.type == "input_json_delta" and call is not None:
                call[2] += event.delta.partial_json
        elif kind == "content_block_stop" and call is not None:
            yield ToolCall(*call)
            call = None
        elif kind == "message_delta":
            stopped, written = event.delta.stop_reason or stopped, count(event.usage.output_tokens)
        elif kind == "message_stop":
            yield Ended(finish_of(stopped), Usage(read.input, written, read.cached))


def usage_of(usage: Mapping[str, Any]) -> Usage:
    """Tokens read from and written to the cache are not part of ``input_tokens`` here; elsewhere they are, and so they are in ours."""
    parts = [count(usage.get(name)) for name in ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")]
    whole = None if parts[0] is None else sum(part or 0 for part in parts)
    return Usage(whole, count(usage.get("output_tokens")), parts[1])


def finish_of(stop_reason: str | None) -> Finish:
    """How an answer with this ``stop_reason`` ended."""
    return "refusal" if stop_reason == "refusal" else "length" if stop_reason in _CUT else "stop"
