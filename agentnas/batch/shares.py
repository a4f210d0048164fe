"""How a night's time, money and cores are shared out over its jobs, by priority; asked anew whenever a job is about to begin.

What finished jobs left over is thereby in the shares of those to come.
"""

from __future__ import annotations

import heapq
import math
import os
from collections.abc import Sequence
from typing import NamedTuple

# Kept at the end for jobs to save what they have: this share of the time left, this many seconds at most.
CLOSING_SHARE, MOST_CLOSING_S = 0.1, 60.0
# What a process needs to load and to close, of the share of time that its job has.
OVERHEAD_S = 5.0
# Below, a job's process has not even loaded.
LEAST_S = 5.0
# Memory of a job with one worker, for how many are run at a time where nobody says, MiB.
JOB_MB = 1500.0
_HALVINGS = 50


class Claim(NamedTuple):
    """What a waiting job asks for: its priority, and the most seconds that it wants (infinite: all it can get)."""

    priority: float
    most_s: float = math.inf


def closing(seconds: float) -> float:
    """Seconds before the deadline at which jobs are asked to stop."""
    return min(MOST_CLOSING_S, CLOSING_SHARE * seconds)


def time_shares(seconds: float, claims: Sequence[Claim], busy: Sequence[float], slots: int) -> list[float]:
    """Seconds for each waiting job, in the order in which they begin, so that all end within ``seconds``.

    ``busy`` are the seconds that running jobs still have; ``slots`` how many jobs run at a time. Times are in proportion to priorities, but
    for jobs that want less; as large as they can be without the last one ending too late.
    """
    if not claims or seconds <= 0:
        return [0.0] * len(claims)
    low, high = 0.0, seconds / min(claim.priority for claim in claims)
    if _end(_scaled(claims, high), busy, slots) <= seconds:
        return _scaled(claims, high)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if _end(_scaled(claims, middle), busy, slots) <= seconds else (low, middle)
    # Where the running jobs hold up everything, what is left after them.
    return [min(share, seconds) for share in _scaled(claims, low)]


def _scaled(claims: Sequence[Claim], scale: float) -> list[float]:
    return [min(claim.priority * scale, claim.most_s) for claim in claims]


def _end(durations: Sequence[float], busy: Sequence[float], slots: int) -> float:
    """When the last of these jobs ends, each begun as soon as a slot is free."""
    return max((begin + length for begin, length in zip(starts(durations, busy, slots), durations, strict=True)), default=0.0)


def starts(durations: Sequence[float], busy: Sequence[float], slots: int) -> list[float]:
    """When each job begins, each as soon as a slot is free."""
    free = [*busy, *([0.0] * max(0, slots - len(busy)))]
    heapq.heapify(free)
    found = []
    for length in durations:
        begin = heapq.heappop(free)
        found.append(begin)
        heapq.heappush(free, begin + length)
    return found


def money_share(left: float, own: float | None, priority: float, others: Sequence[float]) -> float:
    """US dollars for a job that is about to begin: its part of what is left by priority, or its own limit if that is less."""
    part = max(0.0, left) * priority / (priority + math.fsum(others))
    return part if own is None else min(own, part)


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def usual_parallel(jobs: int, places: int) -> int:
    """Jobs at a time where nobody says: one a core (or a GPU), as far as they and the memory reach."""
    import psutil

    room = int(psutil.virtual_memory().available / 2**20 / JOB_MB)
    return max(1, min(jobs, places, room))
