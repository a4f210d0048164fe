"""Run a design that kills its own process group at a chosen moment: ``python -m tests.proofs.killed_run SETTINGS EVENT COUNT DELAY``.

SETTINGS is the JSON of the arguments of ``agentnas.design``. After COUNT events of type EVENT and DELAY seconds everything dies by SIGKILL:
no handler runs, no file is flushed. An EVENT of ``node:plan`` is the moment at which the graph enters that node. An EVENT of ``-`` lets the
run end. Trainings are short: more moments can be tried.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from typing import Any

import agentnas
from agentnas.agents import graph
from tests.quick import shorten


def kill_group() -> None:
    os.killpg(os.getpgid(0), signal.SIGKILL)


class Killer:
    """A journal listener that counts events of one type and then kills."""

    def __init__(self, kind: str, count: int, delay: float) -> None:
        self.kind, self.left, self.delay = kind, count, delay

    def __call__(self, event: Any) -> None:
        self.seen(event.type)

    def watch_nodes(self) -> None:
        """See each node of the graph as it is entered."""
        run_node = graph._synced

        def seen(node: Any, house: Any, state: Any) -> Any:
            self.seen(f"node:{node.__name__}")
            return run_node(node, house, state)

        graph._synced = seen

    def seen(self, kind: str) -> None:
        if kind != self.kind:
            return
        self.left -= 1
        if self.left == 0:
            if self.delay == 0:
                kill_group()
            threading.Timer(self.delay, kill_group).start()


if __name__ == "__main__":
    settings, kind, count, delay = json.loads(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
    shorten()
    killer = Killer(kind, count, delay)
    killer.watch_nodes()
    run = agentnas.design(**settings, on_event=killer)
    sys.stdout.write(run.name + "\n")
