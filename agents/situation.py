"""What the agents look at: one frozen snapshot of a run, derived from the journal before each round.

Agents read this and nothing else, so the same snapshot gives the same decisions: in a first run, after a crash, and for any number of
workers. Scores are validation scores in percent; higher is better. The test score has no place here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from agentnas.memory.events import Proposal
from agentnas.memory.memory import Evidence
from agentnas.tools.evaluate.base import CONFIRM, Limits, Rung
from agentnas.tools.spec.model import ArchitectureSpec

if TYPE_CHECKING:
    from agentnas.tools.spec.space import SearchSpace


@dataclass(frozen=True)
class Record:
    """One trial as the agents see it. ``scores[rung]`` maps each seed to its validation score, ``failures`` (rung, seed) to the reason."""

    proposal: Proposal
    spec: ArchitectureSpec
    scores: Mapping[str, Mapping[int, float]]
    round: int = 0
    profile: Mapping[str, Any] = field(default_factory=dict)
    rejected: str | None = None
    failures: Mapping[tuple[str, int], str] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def trial(self) -> str:
        return self.proposal.trial

    def at(self, rung: str) -> float | None:
        """Mean over the seeds of one rung."""
        seeds = self.scores.get(rung)
        return sum(seeds.values()) / len(seeds) if seeds else None

    def full_scores(self, rungs: Sequence[Rung]) -> dict[int, float]:
        """Scores at full fidelity by seed, from every rung that trains all epochs (confirmation apart)."""
        merged: dict[int, float] = {}
        for rung in rungs:
            if rung.epochs >= 1.0:
                merged.update(self.scores.get(rung.name, {}))
        return merged

    def score(self, rungs: Sequence[Rung]) -> float | None:
        """Mean validation score at full fidelity; None before the trial got there."""
        scores = self.full_scores(rungs)
        return sum(scores.values()) / len(scores) if scores else None

    def confirmed(self) -> list[float]:
        """Scores of the confirmation in the order of its seeds."""
        return [score for _, score in sorted(self.scores.get(CONFIRM, {}).items())]


@dataclass(frozen=True)
class Situation:
    """Everything that planner, coder and analyst know at the start of a round."""

    round: int
    seed: int
    card_text: str
    records: tuple[Record, ...]
    rungs: tuple[Rung, ...]
    space: SearchSpace
    limits: Limits
    evidence: tuple[Evidence, ...] = ()
    trials_left: int | None = None
    seconds_left: float | None = None

    def ranked(self) -> list[Record]:
        """Trials with a score at full fidelity and no failure, best first; ties go to the earlier trial."""
        scored = [(record.score(self.rungs), record) for record in self.records if not record.failures]
        known = [(score, record) for score, record in scored if score is not None]
        return [record for _, record in sorted(known, key=lambda pair: (-pair[0], pair[1].trial))]

    def by_trial(self) -> dict[str, Record]:
        return {record.trial: record for record in self.records}

    def hashes(self) -> set[str]:
        """Canonical hashes of everything that was ever proposed in this run."""
        return {record.proposal.spec_hash for record in self.records}
