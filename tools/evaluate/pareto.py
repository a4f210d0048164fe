"""The Pareto front of score against cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")


def pareto_front(points: Sequence[tuple[Item, float, float]]) -> list[Item]:
    """Items that no other beats on both: ``(item, score, cost)``, higher score and lower cost are better; cheapest first."""
    front: list[Item] = []
    best = float("-inf")
    for item, score, _ in sorted(points, key=lambda p: (p[2], -p[1])):
        if score > best:
            front.append(item)
            best = score
    return front
