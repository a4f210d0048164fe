"""Where jobs are done: the contract that the local pool and a Ray cluster both fulfil, and the setting that chooses between them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from agentnas.tools.workers import Job, JobResult

LOCAL, RAY = "local", "ray"
ALLOWED = "allowed: local, ray, ray:auto, ray:HOST:PORT or ray://HOST:PORT"


class Executor(Protocol):
    """Does jobs in warm workers. A candidate that misbehaves fails alone with its reason; that a machine is lost is no failure of it."""

    @property
    def device(self) -> str:
        """Where candidates are trained: ``cpu``, ``cuda`` or ``cuda:N``."""

    def run(self, jobs: Iterable[Job | None], stop: Callable[[], bool]) -> Iterator[JobResult]:
        """Results as they finish, one for each job that was handed out; a job whose worker was lost is handed out again.

        Jobs are drawn when a worker is free; a None among them says that nothing is due now: the next is drawn after the next result, or
        a moment later. Once ``stop()`` is true no further job is drawn, running ones are finished, and what was lost
        is not begun again. Leaving the iterator early ends the running jobs. Raises what loading the task raises in a worker, or RunError
        where there are no workers to be had.
        """

    def close(self) -> None:
        """Release the workers; safe to call twice."""


def address_of(executor: str) -> str | None:
    """The address in ``ray:ADDRESS`` (``ray`` alone: None, start a cluster here); raises ValueError for what is no executor."""
    kind, _, address = executor.partition(":")
    if executor == RAY:
        return None
    if address.startswith("//"):
        address = executor
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if kind != RAY or (address != "auto" and not (host and port.isdigit() and 0 < int(port) < 2**16)):
        raise ValueError(ALLOWED)
    return address
