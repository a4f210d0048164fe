"""The three roles and what they hand to one another. Rule-based agents fill them here; other makers follow the same contracts.

A role never raises because of what it was shown: it answers with what it can. Whatever it answers is checked by tools before it counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from agentnas.agents.situation import Situation
from agentnas.tools.spec.model import ArchitectureSpec


@dataclass(frozen=True)
class Direction:
    """Where to look next: the factors to vary, the share of the round's trials, and why. ``parents`` are trials to start from, if any."""

    name: str
    factors: tuple[str, ...]
    share: float
    hypothesis: str
    expected_gain: float | None
    evidence: tuple[str, ...]
    mode: str = "exploit"
    parents: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        return {
            "name": self.name, "factors": list(self.factors), "share": self.share, "hypothesis": self.hypothesis,
            "expected_gain": self.expected_gain, "evidence": list(self.evidence), "mode": self.mode,
            "parents": list(self.parents),
        }  # fmt: skip

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Direction:
        """The direction of a journal; older ones name no parents."""
        lists = {name: tuple(data.get(name, ())) for name in ("factors", "evidence", "parents")}
        return cls(**{**data, **lists})


@dataclass(frozen=True)
class Plan:
    """The directions of one round; shares sum to 1."""

    author: str
    directions: tuple[Direction, ...]
    reason: str
    bounds: Mapping[str, Any] = field(default_factory=dict)
    """What alone may be searched, as ``narrowing.read_bounds`` gives it; empty: the whole space."""


@dataclass(frozen=True)
class Draft:
    """A spec that an agent wants to try, before it has been checked and given a trial id. ``direction`` is the name of that it follows."""

    spec: ArchitectureSpec
    author: str
    hypothesis: str
    evidence: tuple[str, ...]
    parent: str | None = None
    factor: str | None = None
    change: str | None = None
    expected_gain: float | None = None
    anchor: str | None = None
    name: str | None = None
    direction: str | None = None
    reference: bool = False
    """Outside of the space that was asked for: compared with, neither chosen nor varied."""


@dataclass(frozen=True)
class Finding:
    """What the analyst concluded, and the trials that support it. ``gain`` and ``se`` are measured by code, whoever the author is."""

    id: str
    text: str
    trials: tuple[str, ...]
    factor: str | None = None
    gain: float | None = None
    se: float | None = None
    author: str = ""

    def as_dict(self) -> dict[str, Any]:
        return {
            "id": self.id, "text": self.text, "trials": list(self.trials), "factor": self.factor, "gain": self.gain, "se": self.se,
            "author": self.author,
        }  # fmt: skip


@dataclass(frozen=True)
class Analysis:
    """Findings and a verdict: ``go_on``, ``change_direction`` or ``stop``, its reason, and what test would prove the analyst wrong."""

    author: str
    findings: tuple[Finding, ...]
    verdict: str
    reason: str = ""
    falsify: str = ""


class Planner(Protocol):
    def plan(self, situation: Situation) -> Plan:
        """Directions for the next round."""


class Coder(Protocol):
    def draft(self, situation: Situation, plan: Plan, count: int) -> list[Draft]:
        """At most ``count`` drafts whose canonical hashes are new; fewer only where the space holds no more."""


class Analyst(Protocol):
    def analyse(self, situation: Situation) -> Analysis:
        """What the finished round taught."""
