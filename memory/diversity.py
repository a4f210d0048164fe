"""Choosing what is worth telling: useful, near the question, and not the same thing twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

from agentnas.memory.stems import words

K = TypeVar("K")


def spread_out(worth: Mapping[K, float], bags: Mapping[K, frozenset[str]]) -> Iterator[K]:
    """Maximal marginal relevance (Carbonell and Goldstein, 1998): each next one has most worth less its likeness to what was taken."""
    left, likeness = dict(worth), dict.fromkeys(worth, 0.0)
    while left:
        best = max(left, key=lambda key: left[key] - likeness[key])
        yield best
        del left[best]
        for key in left:
            likeness[key] = max(likeness[key], jaccard(bags[best], bags[key]))


def overlap(asked: frozenset[str], text: str) -> float:
    """Share of the asked words that the text has."""
    return len(asked & frozenset(words(text))) / len(asked) if asked else 0.0


def jaccard(a: frozenset[str], b: frozenset[str]) -> float:
    """Shared words over all words of the two."""
    return len(a & b) / len(a | b) if a or b else 0.0
