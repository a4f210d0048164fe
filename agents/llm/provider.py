"""What all providers share: how a form is asked for, the deadline, errors, looking a model up. A provider adds its protocol.

An answer is asked for in the strictest way that the server takes: by schema, as a call of a tool, as JSON in text. A server that refuses
one is asked in the next, and what it took is remembered for the rest of the process.
"""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel

from agentnas.agents.llm.base import (
    BadRequestError,
    CredentialsError,
    Finish,
    LLMError,
    Message,
    RateLimitedError,
    Reply,
    ServerError,
    UnknownModelError,
    Usage,
)
from agentnas.agents.llm.deadline import slot, within
from agentnas.agents.llm.failures import Address, from_status, from_stream, unreachable
from agentnas.agents.llm.reading import read_reply
from agentnas.agents.llm.schema import Schema, strict_schema
from agentnas.agents.llm.talk import Ended, Part, ToolForm, Turn
from agentnas.tools.errors import suggest

T = TypeVar("T", bound=BaseModel)
Mode = Literal["schema", "tool", "text"]
MODES: tuple[Mode, ...] = ("schema", "tool", "text")
TOOL = "answer"
CONNECT_S = 10.0
# By name of the model: the mode that its server took last.
_taken: dict[str, Mode] = {}


@dataclass(frozen=True)
class Said:
    """The text of a response, how it ended, and its tokens."""

    text: str
    finish: Finish
    usage: Usage


class Provider(ABC):
    """A model behind an official SDK. ``url`` is an address of the person's own, None the provider's; ``mode`` is the first to be tried."""

    free = False
    demonstration = False

    def __init__(self, where: Address, url: str | None = None, mode: Mode | None = None) -> None:
        self.name = where.name
        self._where, self._url, self._mode = where, url, mode
        self._sdk: Any = None
        self._lock = Lock()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    @abstractmethod
    def _make_sdk(self) -> Any:
        """The SDK's client: no retries, no telemetry."""

    @abstractmethod
    def _sdk_error(self) -> type[Exception]:
        """The base of the SDK's errors."""

    @abstractmethod
    def _request(self, turns: list[dict[str, str]], mode: Mode, schema: Schema, max_tokens: int) -> dict[str, Any]:
        """The arguments of a call that asks for an answer in this mode; in mode text, for free text."""

    @abstractmethod
    def _post(self, arguments: dict[str, Any]) -> Any:
        """Make the call with the SDK, which gives its raw response."""

    @abstractmethod
    def _read(self, data: Mapping[str, Any]) -> Said | None:
        """What a response says; None where it is none of this protocol."""

    @abstractmethod
    def _pieces(self, arguments: dict[str, Any]) -> Iterator[str | None]:
        """Text of a streamed response; None when it says that it is complete."""

    @abstractmethod
    def _dialogue(self, turns: Sequence[Turn], tools: Sequence[ToolForm]) -> dict[str, Any]:
        """Turns and tools as arguments of a call."""

    @abstractmethod
    def _parts(self, arguments: dict[str, Any]) -> Iterator[Part]:
        """The parts of a streamed answer with tools; Ended when it says that it is complete."""

    def ask(self, role: str, messages: Sequence[Message], answer: type[T], *, max_tokens: int, timeout_s: float) -> Reply[T]:
        """One answer; a request in a mode that the server refuses costs a further request, but no tokens."""
        self._client()  # importing an SDK takes seconds that are no part of the call
        schema, end = strict_schema(answer), time.monotonic() + timeout_s
        refused: BadRequestError | None = None
        with slot(timeout_s, self._late(timeout_s)):
            for mode in self._modes():
                try:
                    said = self._say(self._request(_turns(messages, mode, schema), mode, schema, max_tokens), end, timeout_s)
                except BadRequestError as error:
                    refused = refused or error
                    continue
                reply = read_reply(said.text, answer, said.finish, said.usage, self._where.model)
                _taken[self.name] = "text" if self._ignores_form(mode, reply) else mode
                return reply
        assert refused is not None
        raise refused

    def stream(self, role: str, messages: Sequence[Message], *, max_tokens: int, timeout_s: float) -> Iterator[str]:
        """Pieces of text; a response that ends before it says so raises ConnectionFailedError after its last piece."""
        self._client()
        arguments = self._request([message.as_dict() for message in messages], "text", {}, max_tokens)
        with slot(timeout_s, self._late(timeout_s)):
            yield from within(timeout_s, lambda: self._streamed(arguments | {"timeout": self._timeout(timeout_s)}), self._late(timeout_s))

    def converse(self, role: str, turns: Sequence[Turn], tools: Sequence[ToolForm], *, max_tokens: int, timeout_s: float) -> Iterator[Part]:
        """Text as it comes, calls of tools, the end; one that is cut off raises ConnectionFailedError after its last part."""
        self._client()
        arguments = self._request([], "text", {}, max_tokens) | self._dialogue(turns, tools)
        with slot(timeout_s, self._late(timeout_s)):
            timed = arguments | {"timeout": self._timeout(timeout_s)}
            yield from within(timeout_s, lambda: self._conversed(timed), self._late(timeout_s))

    def check(self, timeout_s: float = 10.0) -> None:
        """Look the model up. Passing troubles are no reason to give up, nor is a server that lists no models."""
        self._client()
        # A server that is overloaded now, has no such path, or gives keys that may ask but not list.
        with suppress(ServerError, RateLimitedError, BadRequestError):
            list(within(timeout_s, lambda: iter([self._look_up(timeout_s)]), self._late(timeout_s)))

    def close(self) -> None:
        """Free the connections; a later call opens new ones."""
        with self._lock:
            sdk, self._sdk = self._sdk, None
        if sdk is not None:
            sdk.close()

    def _client(self) -> Any:
        with self._lock:
            if self._sdk is None:
                self._sdk = self._make_sdk()
            return self._sdk

    def _modes(self) -> tuple[Mode, ...]:
        return MODES[max(MODES.index(mode or MODES[0]) for mode in (self._mode, _taken.get(self.name))) :]

    def _ignores_form(self, mode: Mode, reply: Reply[T]) -> bool:
        """Whether a server took a schema or tool without heeding it, as some do that know neither."""
        return self._url is not None and mode != "text" and reply.finish == "stop" and bool(reply.text) and "{" not in reply.text

    def _say(self, arguments: dict[str, Any], end: float, timeout_s: float) -> Said:
        left = max(0.01, end - time.monotonic())
        timed = arguments | {"timeout": self._timeout(left)}
        for said in within(left, lambda: iter([self._called(timed)]), self._late(timeout_s)):
            return said
        raise unreachable(self._where, "the call ended without an answer")

    def _called(self, arguments: dict[str, Any]) -> Said:
        with self._translated():
            data = _json(self._post(arguments).http_response)
        if isinstance(data, Mapping) and data.get("error"):
            raise from_stream(self._where, data)
        said = self._read(data) if isinstance(data, Mapping) else None
        if said is None:
            raise ServerError(f"{self.name}: the server's answer is none of this protocol; check the address")
        return said

    def _streamed(self, arguments: dict[str, Any]) -> Iterator[str]:
        complete = False
        with self._translated():
            for piece in self._pieces(arguments):
                complete = complete or piece is None
                if piece:
                    yield piece
        if not complete:
            raise unreachable(self._where, "the connection was cut in the middle of the answer")

    def _conversed(self, arguments: dict[str, Any]) -> Iterator[Part]:
        complete = False
        with self._translated():
            for part in self._parts(arguments):
                complete = complete or isinstance(part, Ended)
                if part:
                    yield part
        if not complete:
            raise unreachable(self._where, "the connection was cut in the middle of the answer")

    def _look_up(self, timeout_s: float) -> bool:
        """True; raises UnknownModelError where the server lists models and this is none of them."""
        timeout = {"timeout": self._timeout(timeout_s)}
        try:
            with self._translated():
                self._client().models.with_raw_response.retrieve(self._where.model, **timeout)
        except (UnknownModelError, BadRequestError) as error:
            known = self._listed(timeout)
            if known and not {self._where.model, f"{self._where.model}:latest"} & set(known):
                line = f"{self.name}: unknown model {self._where.model!r}; {suggest(self._where.model, known)}"
                raise UnknownModelError(self._where.scrubbed(line)) from None
            if not known and self._url is None:
                raise error from None
        except CredentialsError as error:
            if "scope" not in str(error):
                raise
        return True

    def _listed(self, timeout: dict[str, Any]) -> list[str]:
        try:
            with self._translated():
                data = _json(self._client().models.with_raw_response.list(**timeout).http_response)
        except LLMError:
            return []
        items = data.get("data") if isinstance(data, Mapping) else None
        return [str(item["id"]) for item in items if isinstance(item, Mapping) and "id" in item] if isinstance(items, list) else []

    def _timeout(self, seconds: float) -> Any:
        import httpx2

        return httpx2.Timeout(seconds, connect=min(CONNECT_S, seconds))

    def _late(self, timeout_s: float) -> LLMError:
        return unreachable(self._where, f"no answer within {timeout_s:g} s")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Errors of the SDK, and of the connection below it, as ours."""
        import httpx2

        try:
            yield
        except self._sdk_error() as error:
            raise self._ours(error) from None
        except httpx2.TimeoutException:
            raise unreachable(self._where, "the server stopped answering") from None
        except (httpx2.HTTPError, httpx2.StreamError, ValueError) as error:  # ValueError: an answer or event that is no JSON
            raise unreachable(self._where, f"the answer broke off or is not readable: {error}") from None

    def _ours(self, error: Exception) -> LLMError:
        response, body = getattr(error, "response", None), getattr(error, "body", None)
        if response is not None:
            return from_status(self._where, response.status_code, body if body is not None else str(error), response.headers)
        if "Timeout" in type(error).__name__:
            return unreachable(self._where, "the server did not answer in time")
        if "Connection" in type(error).__name__:
            return unreachable(self._where, f"cannot be reached, or cut the connection ({error.__cause__ or error})")
        return from_stream(self._where, body if body is not None else str(error))


def _json(response: Any) -> Any:
    """The body of a response as data; text that is no JSON stays text."""
    try:
        return json.loads(response.text)
    except ValueError:
        return response.text


def _turns(messages: Sequence[Message], mode: Mode, schema: Schema) -> list[dict[str, str]]:
    """The messages; in mode text the last one ends with the schema, where small models heed it best."""
    if mode != "text":
        return [message.as_dict() for message in messages]
    form = json.dumps(schema, ensure_ascii=False, separators=(",", ":"))
    asked = f"\n\nAnswer with one JSON object and nothing else: no prose, no code fence. It must fit this JSON schema:\n{form}"
    last = replace(messages[-1], content=messages[-1].content + asked)
    return [message.as_dict() for message in (*messages[:-1], last)]


def count(value: Any) -> int | None:
    """A number of tokens, where the provider gave one."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def http_client(sdk: Any, url: str | None) -> Any:
    """A client that goes past the proxies of the environment to this machine; elsewhere None, the SDK's own."""
    local = url is not None and is_local(url)
    return sdk.DefaultHttpxClient(trust_env=False) if local else None


def is_local(url: str) -> bool:
    """Whether an address is this machine."""
    host = urlsplit(url).hostname or ""
    return host in {"localhost", "::1"} or host.startswith("127.") or host.endswith(".localhost")
