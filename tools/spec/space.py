"""What a search space is: bounds on specs, and the moves inside them."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from agentnas.tools.errors import UsageError, suggest
from agentnas.tools.spec.canonical import spec_hash, tidied
from agentnas.tools.spec.diff import describe, written
from agentnas.tools.spec.model import ArchitectureSpec

TRIES_PER_FACTOR = 6


@dataclass(frozen=True)
class Mutation:
    """A changed spec, the one factor that was varied, and the change in words."""

    spec: ArchitectureSpec
    factor: str
    change: str


class SearchSpace(ABC):
    """Bounds on specs plus the moves inside them. Spaces are immutable, torch-free, and draw only from the ``rng`` that they are given.

    A factor is one thing that can be varied by itself, such as ``recipe.learning_rate``, ``body.op`` or ``body.*.dropout`` (the same
    value in several nodes at once). A parent may lie outside the space (a published recipe often does): its children are never
    further outside than it is, and a parent inside has all its children inside.
    """

    name: str
    is_table: bool = False
    """Whether scores in this space are looked up in a table: they say little about trained ones."""
    strict: bool = False
    """Whether a parent outside may have no children outside: the space was asked for, not only the usual one."""

    @staticmethod
    def default() -> SearchSpace:
        """The whole language within sensible sizes, for node tasks."""
        from agentnas.tools.spec.bounded import BoundedSpace

        return BoundedSpace("default")

    @staticmethod
    def small() -> SearchSpace:
        """Common operators, at most four nodes and the settings that matter most; for quick runs and small data."""
        from agentnas.tools.spec.bounded import small_space

        return small_space()

    @staticmethod
    def nasbench(dataset: str) -> SearchSpace:
        """The cells of NAS-Bench-Graph with the training settings of one of its data sets."""
        from agentnas.tools.spec.cellspace import CellSpace

        return CellSpace.of(dataset)

    @staticmethod
    def named(name: str) -> SearchSpace:
        """A space by name: ``default``, ``small`` or ``nasbench:<data set>``; raises UsageError for others."""
        if name.startswith("nasbench:"):
            return SearchSpace.nasbench(name.removeprefix("nasbench:"))
        makers = {"default": SearchSpace.default, "small": SearchSpace.small}
        if name not in makers:
            raise UsageError(f"unknown space {name!r}; {suggest(name, [*makers, 'nasbench:cora'])}")
        return makers[name]()

    @abstractmethod
    def factors(self) -> list[str]:
        """Names of everything that can be varied, in a fixed order."""

    @abstractmethod
    def options(self, spec: ArchitectureSpec, factor: str) -> list[ArchitectureSpec]:
        """Specs that vary this factor of ``spec`` and nothing else; not yet checked against the language or the bounds."""

    @abstractmethod
    def violations(self, spec: ArchitectureSpec) -> dict[str, float]:
        """How far outside the spec is, by the name of the bound; empty inside."""

    @abstractmethod
    def explain(self, spec: ArchitectureSpec, bound: str) -> str:
        """One line on a broken bound: the value seen and what is allowed."""

    @abstractmethod
    def sample(self, rng: random.Random) -> ArchitectureSpec:
        """A spec of the space, in canonical form."""

    @abstractmethod
    def crossover(self, a: ArchitectureSpec, b: ArchitectureSpec, rng: random.Random) -> ArchitectureSpec:
        """A spec with parts of both, in canonical form; no further outside the space than the worse parent. May equal a parent."""

    @abstractmethod
    def vector(self, spec: ArchitectureSpec) -> list[float]:
        """Structure features for surrogate models, in the order of ``vector_names()``; equal for equal canonical forms."""

    @abstractmethod
    def vector_names(self) -> list[str]:
        """What each number of ``vector`` means."""

    @abstractmethod
    def log10_size(self) -> float:
        """How many designs the space holds, as a power of ten; from above where isomorphic ones are not told apart."""

    @abstractmethod
    def as_dict(self) -> dict[str, Any]:
        """Plain data that two spaces share exactly when they are equal; for run configurations."""

    def adopt(self, spec: ArchitectureSpec) -> ArchitectureSpec | None:
        """A design of another task as it would be tried on this one; None where the space cannot say it."""
        return spec

    @property
    def guarded(self) -> bool:
        """Whether there is anything that this space refuses."""
        return self.strict

    def refuses(self, spec: ArchitectureSpec) -> str | None:
        """Why no agent may propose the spec, whatever its parent was: it lies outside of a strict space, or lacks what is locked. One line;
        None where it may."""
        return self.contains(spec) if self.strict else None

    def tolerated(self, outside: dict[str, float]) -> dict[str, float]:
        """Of how far a parent is outside, what its children may be."""
        return {} if self.strict else outside

    def contains(self, spec: ArchitectureSpec) -> str | None:
        """None inside, else one line that says why not."""
        broken = self.violations(spec)
        return self.explain(spec, min(broken)) if broken else None

    def mutate(self, spec: ArchitectureSpec, rng: random.Random, factors: Sequence[str] | None = None) -> Mutation | None:
        """A child that differs in exactly one factor (one of ``factors`` where given); names of nodes stay the parent's.

        None where none of the factors can be varied. Raises UsageError for a factor that the space does not have.
        """
        names = self._checked_factors(factors)
        spec = tidied(spec)
        weights = {name: self.weight(name) for name in names}
        parent_hash, outside = spec_hash(spec), self.violations(spec)
        if len(outside) - len(self.tolerated(outside)) > 1:
            return None  # one factor does not mend two bounds
        while weights:
            factor = rng.choices(list(weights), list(weights.values()))[0]
            del weights[factor]
            candidates = self.options(spec, factor)
            for candidate in rng.sample(candidates, min(TRIES_PER_FACTOR, len(candidates))):
                child = self._accepted(candidate, outside)
                if child is not None and spec_hash(child) != parent_hash:
                    return Mutation(child, factor, describe(written(spec, child)))
        return None

    def neighbours(self, spec: ArchitectureSpec) -> Iterator[Mutation]:
        """Every child that is one move away, each once (by canonical hash), in a fixed order."""
        spec = tidied(spec)
        seen, outside = {spec_hash(spec)}, self.violations(spec)
        for factor in self.factors():
            for candidate in self.options(spec, factor):
                child = self._accepted(candidate, outside)
                if child is not None and (found := spec_hash(child)) not in seen:
                    seen.add(found)
                    yield Mutation(child, factor, describe(written(spec, child)))

    def weight(self, factor: str) -> float:
        """How often a mutation picks this factor, relative to others."""
        del factor
        return 1.0

    def _checked_factors(self, factors: Sequence[str] | None) -> list[str]:
        known = self.factors()
        for name in factors or ():
            if name not in known:
                raise UsageError(f"space {self.name} has no factor {name!r}; {suggest(name, known)}")
        return known if factors is None else list(dict.fromkeys(factors))

    def _accepted(self, candidate: ArchitectureSpec, outside: dict[str, float]) -> ArchitectureSpec | None:
        """The candidate, checked against the language; None where it is invalid or further outside than its parent."""
        child = checked(candidate)
        if child is None or len(tidied(child).body.nodes) < len(child.body.nodes):
            return None  # a change that idles a node varies the structure, and the structural factors do that by name
        now, tolerated = self.violations(child), self.tolerated(outside)
        return child if all(amount <= tolerated.get(bound, 0.0) for bound, amount in now.items()) else None


def checked(candidate: ArchitectureSpec) -> ArchitectureSpec | None:
    """The candidate validated as if it were read from a file; None where the language does not allow it."""
    try:
        return ArchitectureSpec.model_validate(candidate.model_dump())
    except ValidationError:
        return None
