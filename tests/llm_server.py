"""A language model's server for tests: real HTTP on 127.0.0.1, three protocols, answers from a queue or a function, faults on request.

    with LLMServer(['{"verdict": "stop"}', Fault(429, retry_after=0.1), Cut('{"ver')]) as server:
        model = make_llm(f"openai:m@{server.url}", environment={})
        ...
        server.history[0].messages

An answer is text, plain data (written as JSON), or one of the misdeeds below. ``FAULTS`` has every misdeed by name.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import unquote

from tests.llm_server_shapes import PATHS, Asked, Protocol, Said, asked, events, failure, reply

MESSAGES = {
    400: "the request is not valid", 401: "Incorrect API key provided: {key}. Find yours in your account.",
    403: "Your account may not use this.", 404: "The model `{model}` does not exist.", 429: "Rate limit reached for requests.",
    500: "The server had an error.", 529: "Overloaded.",
}  # fmt: skip


@dataclass(frozen=True)
class Fault:
    """An answer by status alone. ``retry_after`` is in seconds, or a text for the header as it stands."""

    status: int
    message: str = ""
    retry_after: float | str | None = None
    headers: Mapping[str, str] | None = None
    raw: str = ""
    """The body as it stands, in place of the provider's form."""


@dataclass(frozen=True)
class Stall:
    """Nothing for so many seconds, then the answer; ends at once when the server is closed."""

    seconds: float
    text: str = "{}"


@dataclass(frozen=True)
class Dribble:
    """The answer, a byte at a time, with so many seconds in between: no single read is ever slow."""

    seconds: float
    text: str = "{}"
    headers_too: bool = False


@dataclass(frozen=True)
class Cut:
    """The connection ends in the middle of the answer."""

    text: str = "{}"


@dataclass(frozen=True)
class Raw:
    """A body as it stands, with status 200."""

    body: str
    content_type: str = "application/json"


@dataclass(frozen=True)
class Finished:
    """An answer that ends in a way of its own: ``length``, ``refusal`` or ``filtered``."""

    text: str
    finish: Any


@dataclass(frozen=True)
class Calls:
    """A streamed answer that calls tools, each by name and arguments; arguments that are text are sent as they stand."""

    calls: tuple[tuple[str, dict[str, Any] | str], ...]
    text: str = ""


def calls(name: str, arguments: dict[str, Any] | str | None = None, text: str = "") -> Calls:
    """An answer that calls one tool."""
    return Calls(((name, {} if arguments is None else arguments),), text)


Answer = str | dict[str, Any] | list[Any] | Fault | Stall | Dribble | Cut | Raw | Finished | Calls
SHORT = 0.02
# The client did not wait for the end.
GONE = (BrokenPipeError, ConnectionResetError)
# Every way to misbehave. The waits of stall and dribble are for clients that wait less than a second.
FAULTS: dict[str, Callable[[str], Answer]] = {
    "unauthorised": lambda _: Fault(401),
    "forbidden": lambda _: Fault(403),
    "unknown_model": lambda _: Fault(404),
    "bad_request": lambda _: Fault(400),
    "rate_limited": lambda _: Fault(429, retry_after=SHORT),
    "server_error": lambda _: Fault(500),
    "overloaded": lambda _: Fault(529, retry_after=SHORT),
    "stall": lambda text: Stall(30.0, text),
    "dribble": lambda text: Dribble(0.2, text),
    "cut": lambda text: Cut(text),
    "truncated": lambda text: Finished(text[: len(text) // 2], "length"),
    "not_json": lambda _: "I would rather talk about the weather.",
    "html": lambda _: Raw("<html><body>502 Bad Gateway</body></html>", "text/html"),
    "broken_body": lambda _: Raw('{"id": "x", "choi'),
    "other_json": lambda _: {"weather": ["rain", {"tomorrow": None}]},
    "refusal": lambda _: Finished("I cannot help with that.", "refusal"),
    "filtered": lambda _: Finished("", "filtered"),
    "empty": lambda _: "",
}


class LLMServer:
    """Answers requests until it is closed; a context manager.

    ``answers`` is a queue (when it is empty, the answer is status 500), or a function of the request. ``key``: any other is turned away
    with 401. ``models``: any other is turned away with 404, and ``/models`` lists them; None knows every name and lists nothing.
    ``knows``: the ways to ask for a form that this server understands; the others are refused with 400. ``role_of`` says which agent asks.
    ``stall_lists``: a question about models is never answered.
    """

    def __init__(
        self,
        answers: Iterable[Answer] | Callable[[Asked], Answer],
        *,
        key: str | None = None,
        models: Iterable[str] | None = None,
        knows: Iterable[str] = ("schema", "tool"),
        role_of: Callable[[Asked], str] | None = None,
        stall_lists: bool = False,
    ) -> None:
        self.history: list[Asked] = []
        self.stall_lists = stall_lists
        self.key, self.models, self.knows = key, None if models is None else list(models), set(knows)
        self.closing = threading.Event()
        self._queue = [] if callable(answers) else list(answers)
        self._answer = answers if callable(answers) else self._next
        self._role_of, self._lock = role_of, threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"owner": self}))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        """The address for OpenAI's protocols."""
        return f"{self.root}/v1"

    @property
    def root(self) -> str:
        """The address for Anthropic's protocol."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> LLMServer:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def enqueue(self, *answers: Answer) -> None:
        """Put answers at the end of the queue."""
        with self._lock:
            self._queue.extend(answers)

    def answer(self, request: Asked) -> Answer:
        """Remember the request, and answer it."""
        request = replace(request, role=self._role_of(request) if self._role_of else "")
        with self._lock:
            self.history.append(request)
        return self.turned_away(request) or self._answer(request)

    def turned_away(self, request: Asked) -> Fault | None:
        """What the server says before any model is asked."""
        if self.key is not None and request.key != self.key:
            return Fault(401)
        if self.models is not None and request.model not in self.models:
            return Fault(404)
        if request.mode != "text" and request.mode not in self.knows:
            field = "tools" if request.mode == "tool" else "response_format" if request.protocol == "chat" else "json_schema"
            return Fault(400, f"Unsupported parameter: {field} is not supported by this server.")
        return None

    def _next(self, _: Asked) -> Answer:
        with self._lock:
            return self._queue.pop(0) if self._queue else Fault(500, "the test's server has no further answer")


class _Handler(BaseHTTPRequestHandler):
    owner: LLMServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # header and body are two writes: the second would wait 40 ms for the first one's receipt

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Tests look at ``history``."""

    def _key(self) -> str:
        return self.headers.get("x-api-key") or self.headers.get("authorization", "").removeprefix("Bearer ")

    def do_GET(self) -> None:
        """The list of models, or one of them."""
        owner, name = self.owner, unquote(self.path.partition("/models")[2]).strip("/")
        if owner.stall_lists:
            owner.closing.wait(30.0)
        if "/models" not in self.path or (owner.models is None and not name):
            self._fail("chat", Fault(404, "no such path"))
        elif owner.key is not None and self._key() != owner.key:
            self._fail("chat", Fault(401))
        elif not name:
            data = [{"id": model, "object": "model", "type": "model", "created": 1, "owned_by": "tests"} for model in owner.models or ()]
            self._send(200, json.dumps({"object": "list", "data": data, "has_more": False}))
        elif owner.models is None or name in owner.models:
            self._send(200, json.dumps({"id": name, "object": "model", "type": "model", "created": 1, "owned_by": "tests"}))
        else:
            self._fail("chat", Fault(404, f"The model `{name}` does not exist."))

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length", 0)))
        protocol = PATHS.get(self.path.split("?")[0].partition("/v1/")[2])
        if protocol is None:
            return self._fail("chat", Fault(404, f"no such path: {self.path}"))
        request = asked(protocol, json.loads(raw), self._key(), {name.lower(): value for name, value in self.headers.items()})
        answer = self.owner.answer(request)
        if isinstance(answer, Fault):
            return self._fail(protocol, answer, request.model)
        if isinstance(answer, Raw):
            return self._send(200, answer.body, answer.content_type)
        return self._say(request, answer)

    def _say(self, request: Asked, answer: Any) -> None:
        if isinstance(answer, Stall):
            self.owner.closing.wait(answer.seconds)
        text = answer.text if isinstance(answer, (Stall, Dribble, Cut, Finished, Calls)) else answer
        text = text if isinstance(text, str) else json.dumps(text)
        tokens = (len(request.text) // 4, len(text) // 4, len(request.text) // 8)
        wanted = answer.calls if isinstance(answer, Calls) else ()
        called = tuple((name, given if isinstance(given, str) else json.dumps(given)) for name, given in wanted)
        said = Said(text, answer.finish if isinstance(answer, Finished) else "stop", tokens, called)
        body, kind = json.dumps(reply(request, said)), "application/json"
        if request.stream:
            body, kind = "".join(_event(name, data) for name, data in events(request, said)), "text/event-stream"
        if isinstance(answer, Dribble):
            self._dribble(body, kind, answer)
        elif isinstance(answer, Cut):
            self._send(200, body, kind, upto=len(body) * 2 // 3)
        else:
            self._send(200, body, kind)

    def _fail(self, protocol: Protocol, fault: Fault, model: str = "") -> None:
        message = fault.message or MESSAGES.get(fault.status, "something went wrong").format(key=self._key(), model=model)
        headers = dict(fault.headers or {})
        if fault.retry_after is not None:
            headers["retry-after"] = str(fault.retry_after)
        self._send(fault.status, fault.raw or json.dumps(failure(protocol, fault.status, message)), headers=headers)

    def _send(
        self, status: int, body: str, kind: str = "application/json", *, headers: Mapping[str, str] | None = None, upto: int | None = None
    ) -> None:
        data = body.encode()
        self.send_response(status)
        for name, value in {"content-type": kind, "content-length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.close_connection = upto is not None
        with suppress(*GONE):
            self.end_headers()
            self.wfile.write(data[:upto])

    def _dribble(self, body: str, kind: str, answer: Dribble) -> None:
        data = body.encode()
        head = f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {len(data)}\r\nx-slow: ".encode()
        rest = b"yes\r\n\r\n" + data
        slow = rest if answer.headers_too else data
        self.close_connection = True
        with suppress(*GONE):
            self.wfile.write(head + rest[: len(rest) - len(slow)])
            for byte in slow:
                if self.owner.closing.wait(answer.seconds):
                    return
                self.wfile.write(bytes([byte]))


def _event(name: str | None, data: Any) -> str:
    line = data if isinstance(data, str) else json.dumps(data)
    return (f"event: {name}\n" if name else "") + f"data: {line}\n\n"
