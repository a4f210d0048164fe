"""Answers about a spec that are worked out once an object: specs are frozen, and a search asks the same of each a hundred times."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import wraps
from typing import TypeVar

from agentnas.tools.spec.model import ArchitectureSpec

T = TypeVar("T")


def once_a_spec(function: Callable[[ArchitectureSpec], T]) -> Callable[[ArchitectureSpec], T]:
    """The function, which answers for a spec object from memory as long as that object lives; equal objects are asked about apart."""
    held: dict[int, tuple[weakref.ref[ArchitectureSpec], T]] = {}

    @wraps(function)
    def answered(spec: ArchitectureSpec) -> T:
        key = id(spec)
        found = held.get(key)
        if found is not None and found[0]() is spec:
            return found[1]
        answer = function(spec)
        held[key] = weakref.ref(spec, lambda _: held.pop(key, None)), answer
        return answer

    return answered
