"""One trial as agents see it, and what its scores say."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agentnas.memory.events import EvaluationFinished, Proposal
from agentnas.tools.evaluate.base import CONFIRM, PLANNED, Rung
from agentnas.tools.spec.model import ArchitectureSpec


@dataclass(frozen=True)
class Record:
    """One trial as the agents see it. ``scores[rung]`` maps each seed to its validation score, ``failures`` (rung, seed) to the reason;
    ``trainings`` are the finished evaluations themselves, with their curves."""

    proposal: Proposal
    spec: ArchitectureSpec
    scores: Mapping[str, Mapping[int, float]]
    round: int = 0
    profile: Mapping[str, Any] = field(default_factory=dict)
    rejected: str | None = None
    failures: Mapping[tuple[str, int], str] = field(default_factory=dict)
    seconds: float = 0.0
    trainings: tuple[EvaluationFinished, ...] = ()
    stopped: Mapping[str, str] = field(default_factory=dict)
    """Rungs on which it got no more seeds because it was behind, each with the reason."""

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

    def cut_seeds(self, rungs: Collection[str]) -> set[int]:
        """Seeds whose training on one of these rungs its time limit ended."""
        return {done.seed for done in self.trainings if done.rung in rungs and PLANNED in done.details}

    def full_seconds(self, rungs: Sequence[Rung]) -> float:
        """Mean seconds of a training at full fidelity (confirmation apart); 0 before there was one."""
        full = {rung.name for rung in rungs if rung.epochs >= 1.0}
        return _mean([done.seconds for done in self.trainings if done.rung in full])

    def confirmation_seconds(self) -> float:
        """Mean seconds of a training of the confirmation; 0 before there was one."""
        return _mean([done.seconds for done in self.trainings if done.rung == CONFIRM])

    def foreseen_seconds(self) -> float:
        """Seconds that all epochs are expected to take by the longest training so far; 0 before there was one."""
        longest = max(self.trainings, key=lambda done: done.epochs or 0, default=None)
        return longest.seconds * self.spec.recipe.epochs / longest.epochs if longest and longest.epochs else 0.0

    def confirmed(self) -> dict[int, float]:
        """Scores of the confirmation by seed."""
        return dict(sorted(self.scores.get(CONFIRM, {}).items()))

    def is_repeated(self, rungs: Sequence[Rung]) -> bool:
        """Whether it has several seeds, in full training or in confirmation."""
        return len(self.full_scores(rungs)) > 1 or len(self.confirmed()) > 1


def _mean(times: Sequence[float]) -> float:
    return sum(times) / len(times) if times else 0.0


def full_mean(record: Record, rungs: Sequence[Rung]) -> float | None:
    """Mean validation score at full fidelity; None before the trial got there."""
    scores = list(record.full_scores(rungs).values())
    return sum(scores) / len(scores) if scores else None
