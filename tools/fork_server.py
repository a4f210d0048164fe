"""Where worker processes come from: a fork server that has torch imported and the task loaded, or a fresh interpreter each.

A forked worker begins at once, and shares torch, the task and what is derived from it with its siblings, page by page, as long as nobody
writes there: nothing is copied. The fork server itself runs no candidate and starts no thread, and CUDA is first touched by the workers.
Forking needs Linux; elsewhere each worker is an interpreter of its own.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import psutil

from agentnas.tools.room import MIB


class WorkerProcess:
    """A worker: ``pid`` (waits until it is known), ``returncode`` once it ended, ``wait`` and ``kill`` as those of ``Popen``."""

    def __init__(self) -> None:
        self.log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the worker
        self.returncode: int | None = None
        self._watch: psutil.Process | None = None

    @property
    def began(self) -> bool:
        """Whether there is a process yet."""
        return self._watch is not None

    @property
    def pid(self) -> int:
        raise NotImplementedError

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait for its end; raises subprocess.TimeoutExpired."""
        raise NotImplementedError

    def kill(self) -> None:
        raise NotImplementedError

    def resident_mib(self) -> float:
        """Resident set size in MiB; 0 before it began, and where it is gone."""
        try:
            return float(self._watch.memory_info().rss) / MIB if self._watch else 0.0
        except psutil.Error:
            return 0.0

    def last_words(self) -> str:
        """The last line that it wrote."""
        return _last_line(self.log)


class Spawned(WorkerProcess):
    """A worker in an interpreter of its own, which reads its messages from ``connection``."""

    def __init__(self, connection: int) -> None:
        super().__init__()
        self._process = _python("agentnas.tools.worker_main", connection, self.log)
        with contextlib.suppress(psutil.Error):
            self._watch = psutil.Process(self._process.pid)

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait(self, timeout_s: float | None = None) -> None:
        self.returncode = self._process.wait(timeout_s)

    def kill(self) -> None:
        self._process.kill()


class Forked(WorkerProcess):
    """A worker that the fork server makes. Until it is made it cannot be killed: it then finds that its parent hung up, and leaves."""

    def __init__(self, server: ForkServer, connection: int) -> None:
        super().__init__()
        self._server = server
        self._pid: int | None = None
        self._gone = False
        server.ask(self, connection)

    @property
    def pid(self) -> int:
        while self._pid is None and self._server.listen(None):
            pass
        return self._pid or 0

    def made(self, pid: int) -> None:
        self._pid = pid
        with contextlib.suppress(psutil.Error):
            self._watch = psutil.Process(pid)

    def resident_mib(self) -> float:
        self._server.listen(0.0)
        return super().resident_mib()

    def wait(self, timeout_s: float | None = None) -> None:
        until = None if timeout_s is None else time.monotonic() + timeout_s
        while self.returncode is None and not self._gone:
            left = None if until is None else max(0.0, until - time.monotonic())
            if not self._server.listen(left):
                self._without_server()
            elif left == 0.0 and self.returncode is None:
                raise subprocess.TimeoutExpired("worker", timeout_s or 0.0)

    def kill(self) -> None:
        self._server.listen(0.0)
        if self._pid is None:
            self._gone = True
        elif self.returncode is None and self._watch:
            with contextlib.suppress(psutil.Error):
                self._watch.kill()

    def last_words(self) -> str:
        return super().last_words() or self._server.last_words()

    def _without_server(self) -> None:
        """The fork server is gone: so is a worker that it had not made, and nobody tells how another one ended."""
        self._gone = True
        if self._pid is None:
            self.returncode = self._server.returncode


class ForkServer:
    """The parent's end of a fork server, which begins to import at once; one server makes the workers of one pool after the other.

    ``listen`` reads what it tells of its workers. A server that died is noticed there; its workers go on, but nobody reports their end.
    """

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the server
        self._workers: dict[int, Forked] = {}
        self._asked = 0
        self._alive = True
        with theirs:
            self._process = _python("agentnas.tools.fork_main", theirs.fileno(), self._log)

    @staticmethod
    def possible() -> bool:
        """Whether this system can fork a process that has torch in it, and tell when one ends."""
        if sys.platform != "linux" or not hasattr(os, "pidfd_open"):
            return False
        try:
            os.close(os.pidfd_open(os.getpid()))
        except OSError:  # a sandbox or a kernel that does not know the call
            return False
        return True

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it can make workers, as far as is known."""
        return self._alive and self._process.poll() is None

    @property
    def returncode(self) -> int | None:
        """Its exit code once it has ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5.0)
        return self._process.returncode

    def prepare(self, task: dict[str, Any], device: str) -> None:
        """Have it load a task (the fields of a ``TaskRef``) before a worker is asked for."""
        self._send({"prepare": {"task": task, "device": device}}, [])

    def ask(self, worker: Forked, connection: int) -> None:
        """Have it make a worker that reads ``connection``; a worker whose server is gone ends as one that did not start."""
        self._asked += 1
        self._workers[self._asked] = worker
        self._send({"fork": self._asked}, [connection, worker.log.fileno()])

    def listen(self, timeout_s: float | None) -> bool:
        """Wait for news of workers, at most so long (None: for ever), and pass them on; false once the server is gone."""
        wait = timeout_s
        while self._alive:
            self._control.settimeout(wait if wait is None or wait > 0 else 1e-6)
            try:
                message = self._control.recv(65536)
            except TimeoutError:
                return True
            except OSError:
                message = b""
            if not message:
                self._alive = False
                break
            self._heard(json.loads(message))
            wait = 0.0  # and what else is there
        return self._alive

    def last_words(self) -> str:
        """The last line that it wrote."""
        return _last_line(self._log)

    def close(self) -> None:
        """End it; safe to call twice. Its workers leave when their own parent hangs up."""
        self._alive = False
        self._control.close()
        self._process.kill()
        self._process.wait()
        self._log.close()

    def _heard(self, news: dict[str, Any]) -> None:
        worker = self._workers[news["worker"]]
        if "pid" in news:
            worker.made(news["pid"])
        else:
            worker.returncode = news["code"]
            del self._workers[news["worker"]]

    def _send(self, message: dict[str, Any], files: list[int]) -> None:
        # A server that died is noticed when its end of the socket is read.
        with contextlib.suppress(OSError):
            self._control.settimeout(None)
            socket.send_fds(self._control, [json.dumps(message).encode()], files)


def _last_line(log: IO[bytes]) -> str:
    log.seek(0, os.SEEK_END)
    log.seek(max(0, log.tell() - 4096))
    lines = log.read().decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _python(module: str, descriptor: int, log: IO[bytes]) -> subprocess.Popen[bytes]:
    """An interpreter that runs a module of this package with an inherited socket."""
    with _interrupts_held():
        return subprocess.Popen(
            [sys.executable, "-P", "-m", module, str(descriptor)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=[descriptor], env=_environment(),
        )  # fmt: skip


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """Ctrl-C and SIGTERM are for the parent: a process started in here is born with them blocked, before it could ask for that itself."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _environment() -> dict[str, str]:
    """One thread in every numeric library, and the package found where the parent found it."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    package = sys.modules["agentnas"].__file__
    assert package is not None
    path = os.pathsep.join(filter(None, [str(Path(package).absolute().parents[1]), os.environ.get("PYTHONPATH")]))
    return {**os.environ, **threads, "PYTHONPATH": path}
