"""The page of a run, served to this machine alone while the run goes on.

Two addresses and nothing else: ``/`` is the page as the run stands now, ``/version`` says whether that changed. No file is served, nothing
can be written. It listens on 127.0.0.1, and it answers only those who ask for this machine by name: a site of somebody else whose name is
made to lead here (DNS rebinding) is refused.
"""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from pydantic_core import to_json

from agentnas.memory.rundir import RunDirectory
from agentnas.page.page import assets, render_page
from agentnas.run import Run
from agentnas.tools.errors import RunError, UsageError

HOST = "127.0.0.1"
NAMES = (HOST, "localhost")
# Seconds that a slow reader may take; the least share of time that drawing leaves to the run.
PATIENCE_S = 30.0
SPARED = 4.0
ALLOWED = "; connect-src 'self'"
HEADERS = {
    "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin",
}  # fmt: skip
GOES_ON = "This run goes on; the page follows it by itself."
ENDED = "This run does not go on; what you see is how it stands."


class State(NamedTuple):
    """How far the journal is, and whether a process writes it."""

    version: str
    goes_on: bool


class Drawn(NamedTuple):
    """A page and the state that it shows."""

    state: State
    page: bytes


class LivePage:
    """The page of one run, drawn anew when it is asked for and the journal has grown; safe for several readers at once."""

    def __init__(self, directory: RunDirectory) -> None:
        self.directory = directory
        self._guard = threading.Lock()
        self._drawn: Drawn | None = None
        self._rest_until = 0.0

    def state(self) -> State:
        """How the run stands, without reading it."""
        goes_on = self.directory.writer() is not None
        try:
            found = self.directory.journal_file.stat()
        except OSError:
            return State(f"0.{goes_on:d}", goes_on)
        return State(f"{found.st_size}.{found.st_mtime_ns}.{goes_on:d}", goes_on)

    def state_shown(self) -> State:
        """What ``draw`` would show now: while drawing rests, that of the page before."""
        if self._drawn is not None and time.monotonic() < self._rest_until:
            return self._drawn.state
        return self.state()

    def draw(self) -> bytes:
        """The page; drawing takes at most a fifth of the time, the rest is the run's. Raises RunError where the journal cannot be read."""
        with self._guard:
            state = self.state_shown()
            if self._drawn is None or self._drawn.state != state:
                begun = time.monotonic()
                live = {"version": state.version, "goes_on": state.goes_on, "text": GOES_ON if state.goes_on else ENDED}
                page = render_page(Run(self.directory), live=live, **assets("live.js", allowed=ALLOWED))
                self._drawn = Drawn(state, page.encode())
                if state.goes_on:
                    self._rest_until = time.monotonic() + SPARED * (time.monotonic() - begun)
            return self._drawn.page


class LiveServer(ThreadingHTTPServer):
    """Serves one run. Raises UsageError where the port is taken or may not be used."""

    daemon_threads = True
    request_queue_size = 32

    def __init__(self, directory: RunDirectory, port: int) -> None:
        self.live = LivePage(directory)
        try:
            super().__init__((HOST, port), LiveHandler)
        except OSError as error:
            what = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
            raise UsageError(f"--port {port} {what}; give another one, or leave it out for any that is free") from None

    def server_bind(self) -> None:
        """As HTTPServer binds, without asking the network for this machine's name."""
        super(ThreadingHTTPServer, self).server_bind()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A reader that went away in the middle is no news."""

    @property
    def url(self) -> str:
        """Where a browser finds the page."""
        return f"http://{HOST}:{self.server_address[1]}/"


class LiveHandler(BaseHTTPRequestHandler):
    """Answers GET and HEAD of the two addresses, each on a connection of its own (HTTP/1.0): none outlives the server."""

    server: LiveServer
    server_version = "AgentNAS"
    sys_version = ""
    timeout = PATIENCE_S

    def do_GET(self) -> None:
        routes: dict[str, Callable[[], tuple[str, bytes]]] = {"/": self._page, "/version": self._version}
        path = urlsplit(self.path).path
        if not self._is_asked_by_name():
            self._refuse(HTTPStatus.MISDIRECTED_REQUEST, f"this page is at {self.server.url}")
        elif path not in routes:
            self._refuse(HTTPStatus.NOT_FOUND, "there is / and nothing else")
        else:
            self._send(HTTPStatus.OK, *routes[path]())

    do_HEAD = do_GET

    def _page(self) -> tuple[str, bytes]:
        try:
            return "text/html; charset=utf-8", self.server.live.draw()
        except RunError as error:
            return "text/plain; charset=utf-8", f"{error}\n".encode()

    def _version(self) -> tuple[str, bytes]:
        return "application/json", to_json({"version": self.server.live.state_shown().version})

    def _is_asked_by_name(self) -> bool:
        """The port may be another one: a tunnel of ssh has its own."""
        hosts = self.headers.get_all("Host") or []
        return len(hosts) == 1 and hosts[0].partition(":")[0].lower() in NAMES

    def __getattr__(self, name: str) -> Any:
        """Every other method is refused in the same way."""
        if name.startswith("do_"):
            return lambda: self._refuse(HTTPStatus.METHOD_NOT_ALLOWED, "this page is for reading")
        raise AttributeError(name)

    def _refuse(self, status: HTTPStatus, text: str) -> None:
        self._send(status, "text/plain; charset=utf-8", f"{text}\n".encode())

    def _send(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self.send_response(status)
        for name, value in {**HEADERS, "Content-Type": kind, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        if status is HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET, HEAD")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the library's name
        """Nothing: a page that asks every second would fill the terminal."""
