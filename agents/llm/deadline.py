"""A deadline for a whole call, whatever the server does, and a limit on the calls that a process makes at a time."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from agentnas.agents.llm.base import LLMError

X = TypeVar("X")

CONCURRENT_CALLS = 4
SLOTS = threading.BoundedSemaphore(CONCURRENT_CALLS)


@contextmanager
def slot(seconds: float, late: LLMError) -> Iterator[None]:
    """One of the places for calls of this process; raises ``late`` where none is free in time."""
    if not SLOTS.acquire(timeout=max(0.0, seconds)):
        raise late
    try:
        yield
    finally:
        SLOTS.release()


def within(seconds: float, produce: Callable[[], Iterator[X]], late: LLMError) -> Iterator[X]:
    """Items as they are made, the last of them inside ``seconds``; raises ``late`` then, or the LLMError of ``produce``.

    They are made in a thread of their own, which is left behind when time is over: timeouts of sockets bound each read alone, and a
    server that sends a byte a second never runs into one.
    """
    made: queue.SimpleQueue[X | LLMError | None] = queue.SimpleQueue()
    abandoned = threading.Event()
    end = time.monotonic() + seconds
    threading.Thread(target=_make, args=(produce, made, abandoned), daemon=True, name="agentnas-llm").start()
    try:
        while True:
            try:
                item = made.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                raise late from None
            if item is None:
                return
            if isinstance(item, LLMError):
                raise item
            yield item
    finally:
        abandoned.set()


def _make(produce: Callable[[], Iterator[X]], made: queue.SimpleQueue[X | LLMError | None], abandoned: threading.Event) -> None:
    try:
        for item in produce():
            made.put(item)
            if abandoned.is_set():
                return
    except LLMError as error:
        made.put(error)
    finally:
        made.put(None)  # also after a fault of ours, which the thread reports: who waits must not wait for ever
