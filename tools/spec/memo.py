"""Answers about a spec that are worked out once an object: specs are frozen, and a search asks the same of each a hundred times."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import update_wrapper
from typing import Generic, TypeVar

from agentnas.tools.spec.model import ArchitectureSpec

T = TypeVar("T")


class OnceASpec(Generic[T]):
    """A function that answers for a spec object from memory as long as that object lives; equal objects are asked about apart."""

    def __init__(self, function: Callable[[ArchitectureSpec], T]) -> None:
        self._function = function
        self._held: dict[int, tuple[weakref.ref[ArchitectureSpec], T]] = {}
        update_wrapper(self, function)

    def __call__(self, spec: ArchitectureSpec) -> T:
        found = self._held.get(id(spec))
        if found is not None and found[0]() is spec:
            return found[1]
        return self.remember(spec, self._function(spec))

    def remember(self, spec: ArchitectureSpec, answer: T) -> T:
        """Hold an answer that is known already; returns it."""
        held, key = self._held, id(spec)
        held[key] = weakref.ref(spec, lambda _: held.pop(key, None)), answer
        return answer
