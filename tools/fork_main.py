"""The fork server: ``python -m agentnas.tools.fork_main FD`` imports what a training needs, loads the task, and forks workers when asked.

It runs on one thread and trains nothing, so that a fork of it is whole. It tells its parent who was born and how each ended, and leaves
when the parent hangs up.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import sys
import traceback
from contextlib import suppress
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any

from agentnas.tools.errors import AgentNASError

if TYPE_CHECKING:
    from agentnas.tools.tasks import Task
    from agentnas.tools.train.data import PreparedTask
    from agentnas.tools.worker_main import Loaded

# Above so many edges adjacencies are made where a training wants them: a big graph may be trained by neighbours alone.
SHARED_EDGES = 5_000_000
MESSAGE = 65536


def main(descriptor: int) -> None:
    """Fork workers until the parent hangs up."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    control = socket.socket(fileno=descriptor)
    _warm_up()
    server = _Server(control)
    while True:
        server.serve()


def _warm_up() -> None:
    """Import what each worker would import."""
    import torch

    from agentnas.tools import packed, profiling, tasks, worker_main
    from agentnas.tools.train import trainer

    del packed, profiling, tasks, worker_main, trainer
    torch.set_num_threads(1)


class _Server:
    """The task as it is loaded, and the workers that live, by the descriptor that tells of their end."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._asked: dict[str, Any] = {}
        self._loaded: Loaded = AgentNASError("no task was named")
        self._workers: dict[int, tuple[int, int]] = {}

    def serve(self) -> None:
        """Wait for a message or the end of a worker, and see to it."""
        for ready in wait([self._control, *self._workers]):
            if isinstance(ready, int):
                self._ended(ready)
            else:
                self._heard()

    def _heard(self) -> None:
        message, descriptors, _, _ = socket.recv_fds(self._control, MESSAGE, 2)
        if not message:
            os._exit(0)
        said = json.loads(message)
        if "prepare" in said:
            self._prepare(said["prepare"])
        else:
            self._fork(said["fork"], *descriptors)

    def _prepare(self, asked: dict[str, Any]) -> None:
        """Load the task, unless it is there; what goes wrong is for the workers to tell."""
        from agentnas.tools.worker_main import load

        if asked == self._asked:
            return
        self._loaded = AgentNASError("the task is being loaded")  # the old one's memory is free meanwhile
        try:
            self._loaded = shared(load(asked["task"]), asked["device"])
        except AgentNASError as error:
            self._loaded = error
        self._asked = asked
        gc.collect()
        gc.freeze()  # a collection in a worker would write to pages that all share

    def _fork(self, number: int, connection: int, log: int) -> None:
        pid = os.fork()
        if pid == 0:
            self._become_worker(connection, log)
        os.close(connection)
        os.close(log)
        self._workers[os.pidfd_open(pid)] = number, pid
        self._tell({"worker": number, "pid": pid})

    def _become_worker(self, connection: int, log: int) -> None:
        """In the new process: keep nothing of the server's but what it loaded, and never return."""
        from agentnas.tools import worker_main

        code = 1
        try:
            for stream in (1, 2):
                os.dup2(log, stream)
            for descriptor in (log, self._control.fileno(), *self._workers):
                os.close(descriptor)
            worker_main.serve(connection, self._loaded)
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else 1
        finally:  # whatever it was: its last words, and no second server
            if sys.exception() is not None:
                with suppress(OSError):
                    os.write(2, traceback.format_exc().encode())
            os._exit(code)

    def _ended(self, descriptor: int) -> None:
        number, pid = self._workers.pop(descriptor)
        os.close(descriptor)
        self._tell({"worker": number, "code": os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])})

    def _tell(self, news: dict[str, Any]) -> None:
        with suppress(OSError):
            self._control.send(json.dumps(news).encode())


def shared(task: Task, device: str) -> Task | PreparedTask:
    """The task as workers are to share it: with features, labels and the adjacencies that most specs want on the CPU, its arrays for CUDA,
    which a process cannot hand to its forks."""
    from agentnas.tools.spec.model import Input
    from agentnas.tools.train.data import PreparedTask

    if device != "cpu":
        return task
    prepared = PreparedTask.from_task(task, device)
    prepared.features(Input())
    prepared.labels(0)
    if prepared.num_edges <= SHARED_EDGES:
        for loops in (False, True):
            prepared.graph.adjacency("sym", loops)
    return prepared


if __name__ == "__main__":
    main(int(sys.argv[1]))
