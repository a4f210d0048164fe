"""How many workers a task leaves room for on this machine, and what each of them may take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentnas.tools.errors import UsageError
from agentnas.tools.room import available_mib, gib
from agentnas.words import plural

if TYPE_CHECKING:
    from agentnas.tools.evaluate.fitting import Room
    from agentnas.tools.spec.model import ArchitectureSpec
    from agentnas.tools.tasks import Task

SHARE = 0.95  # of what is available; the rest is for this process and what else runs
USUAL_WIDTH = 64  # of the two-layer GCN that a task must have room for


@dataclass(frozen=True)
class Crew:
    """``workers`` processes, ``room`` for each, and a line to tell where they are fewer than were asked for."""

    workers: int
    room: Room
    note: str | None = None


def crew(task: Task, workers: int, worker_mib: float, available: float | None = None) -> Crew:
    """As many of ``workers`` as can train the usual GCN side by side, on the whole graph if one can, else on sampled batches.

    ``worker_mib``: the limit of each; ``available``: MiB of this machine that may be taken (None: measured). Raises UsageError where the
    task has no room for one.
    """
    most = SHARE * (available_mib() if available is None else available)
    fits: tuple[Callable[[Room, ArchitectureSpec], bool], ...] = (_fits, _fits_sampled)
    for fit in fits:
        for number in range(workers, 0, -1):
            room = _room(task, most, number, worker_mib)
            if room.certain or fit(room, _usual()):
                return Crew(number, room, _note(task, number, workers, room))
    room = _room(task, most, 1, worker_mib)
    raise UsageError(
        f"task {task.name} does not fit: a two-layer GCN of width {USUAL_WIDTH} {room.refusal(_least(room))}; choose a smaller task, or a"
        " machine with more memory"
    )


def _room(task: Task, most: float, number: int, worker_mib: float) -> Room:
    from agentnas.tools.evaluate.fitting import Room

    if worker_mib < most / number:
        return Room(worker_mib, "are allowed to a worker (--worker-memory-mb)", task)
    return Room(most / number, "are available" if number == 1 else f"are available to each of {number} workers", task)


def _usual() -> ArchitectureSpec:
    from agentnas.tools.spec.model import parse_spec

    nodes = [
        {"id": "a", "op": "gcn", "width": USUAL_WIDTH, "activation": "relu", "dropout": 0.5},
        {"id": "b", "op": "gcn", "width": "out", "inputs": ["a"]},
    ]
    return parse_spec({"body": {"nodes": nodes, "outputs": ["b"]}, "head": {"decoder": "none"}})


def _fits(room: Room, spec: ArchitectureSpec) -> bool:
    return room.refusal(spec) is None


def _fits_sampled(room: Room, spec: ArchitectureSpec) -> bool:
    return room.refusal(room.fitted(spec)[0]) is None


def _least(room: Room) -> ArchitectureSpec:
    """The usual GCN with the batches that take least."""
    from agentnas.tools.evaluate.fitting import CLUSTERS

    usual = _usual()
    return usual.model_copy(update={"recipe": usual.recipe.model_copy(update={"batching": "cluster", "clusters": CLUSTERS[-1]})})


def _note(task: Task, number: int, asked: int, room: Room) -> str | None:
    if number == asked:
        return None
    needs = room.needs(_usual())
    assert needs is not None, "a task that is certain to fit leaves room for all workers"
    usual = f"on {task.name} a two-layer GCN of width {USUAL_WIDTH} needs {gib(needs.total)}, {gib(room.mib)} {room.whose}"
    return f"{plural(number, 'worker')} instead of {asked}: {usual}"
