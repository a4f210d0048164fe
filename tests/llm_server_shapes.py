"""The three protocols as the official SDKs speak them: what was asked, in one form, and an answer in the form of each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

Protocol = Literal["chat", "responses", "messages"]
PATHS: dict[str, Protocol] = {"chat/completions": "chat", "responses": "responses", "messages": "messages"}
Data = dict[str, Any]
Event = tuple[str | None, Data | str]


@dataclass(frozen=True)
class Asked:
    """One request. ``mode`` is how the answer is wanted: by schema, as a call of a tool, or as text."""

    protocol: Protocol
    model: str
    messages: tuple[tuple[str, str], ...]
    """Role and text of each turn, the system's first."""
    mode: Literal["schema", "tool", "text"]
    schema: Data | None
    stream: bool
    max_tokens: int | None
    key: str
    body: Data = field(repr=False)
    headers: dict[str, str] = field(repr=False)
    role: str = ""
    """The agent that asks, as far as the server was told how to see that."""

    @property
    def text(self) -> str:
        """All turns."""
        return "\n\n".join(content for _, content in self.messages)


@dataclass(frozen=True)
class Said:
    """One answer, before it has the form of a protocol."""

    text: str
    finish: Literal["stop", "length", "refusal", "filtered"] = "stop"
    tokens: tuple[int, int, int] = (0, 0, 0)
    """Input, output, and how much of the input was cached."""
    calls: tuple[tuple[str, str], ...] = ()
    """Tools that a streamed answer calls: name and arguments as text."""


def asked(protocol: Protocol, body: Data, key: str, headers: dict[str, str]) -> Asked:
    """What a request asks for."""
    turns = body.get("input") if protocol == "responses" else body.get("messages")
    before = [("system", text_of(body[name])) for name in ("system", "instructions") if body.get(name)]
    listed = [{"role": "user", "content": turns}] if isinstance(turns, str) else turns or []
    messages = (*before, *((role_in(turn), text_of(turn.get("content", turn.get("output")))) for turn in listed))
    schema, tool = schema_of(protocol, body), tool_of(protocol, body)
    limit = body.get("max_output_tokens") or body.get("max_completion_tokens") or body.get("max_tokens")
    return Asked(
        protocol, body["model"], messages, "schema" if schema else "tool" if tool else "text", schema or tool, bool(body.get("stream")),
        limit, key, body, headers,
    )  # fmt: skip


def role_in(turn: Data) -> str:
    """Who says it; the results of tools are the tool's, in whatever turn they come."""
    if turn.get("type") == "function_call_output" or any(p.get("type") == "tool_result" for p in parts_in(turn)):
        return "tool"
    return str(turn.get("role", "assistant"))


def parts_in(turn: Data) -> list[Data]:
    content = turn.get("content")
    return [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []


def text_of(content: Any) -> str:
    if isinstance(content, str) or content is None:
        return content or ""
    return "".join(part.get("text") or (part["content"] if isinstance(part.get("content"), str) else "") for part in content)


def schema_of(protocol: Protocol, body: Data) -> Data | None:
    if protocol == "chat":
        found = body.get("response_format", {}).get("json_schema", {}).get("schema")
    elif protocol == "responses":
        found = body.get("text", {}).get("format", {}).get("schema")
    else:
        found = body.get("output_config", {}).get("format", {}).get("schema")
    return found or None


def tool_of(protocol: Protocol, body: Data) -> Data | None:
    if not body.get("tools"):
        return None
    tool = body["tools"][0]
    found: Data = (
        tool["function"]["parameters"] if protocol == "chat" else tool["parameters" if protocol == "responses" else "input_schema"]
    )
    return found


def reply(request: Asked, said: Said) -> Data:
    """The body of a response."""
    return {"chat": chat, "responses": responses, "messages": anthropic}[request.protocol](request, said)


def tool_name(request: Asked) -> str:
    tool = request.body["tools"][0]
    name: str = tool["function"]["name"] if request.protocol == "chat" else tool["name"]
    return name


def calls_tool(request: Asked, said: Said) -> bool:
    return request.mode == "tool" and not request.stream and said.finish == "stop" and bool(said.text)


def chat(request: Asked, said: Said) -> Data:
    message: Data = {"role": "assistant", "content": said.text, "refusal": None}
    if said.finish == "refusal":
        message = {"role": "assistant", "content": None, "refusal": said.text}
    finish = {"length": "length", "filtered": "content_filter"}.get(said.finish, "stop")
    if calls_tool(request, said):
        call = {"id": "call_1", "type": "function", "function": {"name": tool_name(request), "arguments": said.text}}
        message, finish = {"role": "assistant", "content": None, "refusal": None, "tool_calls": [call]}, "tool_calls"
    tokens, written, cached = said.tokens
    usage = {"prompt_tokens": tokens, "completion_tokens": written, "total_tokens": tokens + written}
    return {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": request.model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
        "usage": usage | {"prompt_tokens_details": {"cached_tokens": cached}},
    }  # fmt: skip


def responses(request: Asked, said: Said) -> Data:
    part: Data = {"type": "output_text", "text": said.text, "annotations": []}
    if said.finish == "refusal":
        part = {"type": "refusal", "refusal": said.text}
    output: list[Data] = (
        [{"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]}] if said.text else []
    )
    if calls_tool(request, said):
        call = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": tool_name(request), "status": "completed"}
        output = [call | {"arguments": said.text}]
    reason = {"length": "max_output_tokens", "filtered": "content_filter"}.get(said.finish)
    tokens, written, cached = said.tokens
    return {
        "id": "resp_1", "object": "response", "created_at": 1, "model": request.model, "status": "incomplete" if reason else "completed",
        "error": None, "incomplete_details": {"reason": reason} if reason else None, "instructions": None, "metadata": {},
        "output": [{"type": "reasoning", "id": "rs_1", "summary": []}, *output], "parallel_tool_calls": True, "tool_choice": "auto",
        "tools": [], "temperature": None, "top_p": None,
        "usage": {
            "input_tokens": tokens, "output_tokens": written, "total_tokens": tokens + written,
            "input_tokens_details": {"cached_tokens": cached}, "output_tokens_details": {"reasoning_tokens": 0},
        },
    }  # fmt: skip


def anthropic(request: Asked, said: Said) -> Data:
    content: list[Data] = [{"type": "text", "text": said.text}] if said.text else []
    stop = {"length": "max_tokens", "refusal": "refusal", "filtered": "refusal"}.get(said.finish, "end_turn")
    if calls_tool(request, said):
        content, stop = [{"type": "tool_use", "id": "toolu_1", "name": tool_name(request), "input": as_object(said.text)}], "tool_use"
    tokens, written, cached = said.tokens
    usage = {"input_tokens": tokens - cached, "cache_read_input_tokens": cached, "cache_creation_input_tokens": 0, "output_tokens": written}
    return {
        "id": "msg_1", "type": "message", "role": "assistant", "model": request.model, "content": content, "stop_reason": stop,
        "stop_sequence": None, "usage": usage,
    }  # fmt: skip


def as_object(text: str) -> Data:
    """The input of a tool is an object, whatever a model wrote."""
    try:
        found = json.loads(text)
    except ValueError:
        return {"text": text}
    return found if isinstance(found, dict) else {"text": text}


def pieces(text: str) -> Iterator[str]:
    """A text as a stream brings it: several words at a time."""
    return (text[at : at + 12] for at in range(0, len(text), 12))


def events(request: Asked, said: Said) -> list[Event]:
    """The events of a streamed answer, text alone."""
    return {"chat": chat_events, "responses": responses_events, "messages": anthropic_events}[request.protocol](request, said)


def chat_events(request: Asked, said: Said) -> list[Event]:
    whole = chat(request, said)
    head = {"id": whole["id"], "object": "chat.completion.chunk", "created": 1, "model": request.model}
    field_ = "refusal" if said.finish == "refusal" else "content"
    deltas: list[Data] = [{"role": "assistant", "content": ""}, *({field_: piece} for piece in pieces(said.text))]
    chunks: list[Event] = [(None, head | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}) for delta in deltas]
    chunks += [(None, head | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}) for delta in chat_calls(said)]
    last: Data = {"index": 0, "delta": {}, "finish_reason": "tool_calls" if said.calls else whole["choices"][0]["finish_reason"]}
    return [*chunks, (None, head | {"choices": [last]}), (None, head | {"choices": [], "usage": whole["usage"]}), (None, "[DONE]")]


def chat_calls(said: Said) -> Iterator[Data]:
    """A call's name, then its arguments in pieces."""
    for index, (name, arguments) in enumerate(said.calls):
        opened = {"index": index, "id": call_id(index), "type": "function", "function": {"name": name, "arguments": ""}}
        yield {"tool_calls": [opened]}
        yield from ({"tool_calls": [{"index": index, "function": {"arguments": piece}}]} for piece in pieces(arguments))


def call_id(index: int) -> str:
    return f"call_{index + 1}"


def responses_events(request: Asked, said: Said) -> list[Event]:
    whole = responses(request, said)
    whole["output"] += [
        {"type": "function_call", "id": f"fc_{i}", "call_id": call_id(i), "name": name, "arguments": text, "status": "completed"}
        for i, (name, text) in enumerate(said.calls)
    ]
    kind = "refusal" if said.finish == "refusal" else "output_text"
    at = {"item_id": "msg_1", "output_index": 1, "content_index": 0}
    opened = whole | {"status": "in_progress", "output": [], "usage": None}
    listed: list[Data] = [{"type": "response.created", "response": opened}]
    listed += [{"type": f"response.{kind}.delta", **at, "delta": piece, "logprobs": []} for piece in pieces(said.text)]
    listed += [{"type": "response.incomplete" if whole["incomplete_details"] else "response.completed", "response": whole}]
    return [(event["type"], event | {"sequence_number": number}) for number, event in enumerate(listed)]


def anthropic_events(request: Asked, said: Said) -> list[Event]:
    whole = anthropic(request, said)
    stopped = "tool_use" if said.calls else whole["stop_reason"]
    deltas: list[Data] = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}} for piece in pieces(said.text)
    ]
    listed: list[Data] = [
        {"type": "message_start", "message": whole | {"content": [], "stop_reason": None}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        *deltas,
        {"type": "content_block_stop", "index": 0},
        *anthropic_calls(said),
        {"type": "message_delta", "delta": {"stop_reason": stopped, "stop_sequence": None}, "usage": whole["usage"]},
        {"type": "message_stop"},
    ]
    return [(event["type"], event) for event in listed]


def anthropic_calls(said: Said) -> Iterator[Data]:
    for index, (name, arguments) in enumerate(said.calls, start=1):
        block = {"type": "tool_use", "id": call_id(index - 1), "name": name, "input": {}}
        yield {"type": "content_block_start", "index": index, "content_block": block}
        for piece in pieces(arguments):
            yield {"type": "content_block_delta", "index": index, "delta": {"type": "input_json_delta", "partial_json": piece}}
        yield {"type": "content_block_stop", "index": index}


def failure(protocol: Protocol, status: int, message: str) -> Data:
    """The body of an error."""
    kinds = {
        400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error",
        529: "overloaded_error",
    }  # fmt: skip
    kind = kinds.get(status, "api_error")
    if protocol == "messages":
        return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}
    return {"error": {"message": message, "type": kind, "param": None, "code": None}}
