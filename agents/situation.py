"""What the agents look at: one frozen snapshot of a run, derived from the journal before each round.

Agents read this and nothing else, so the same snapshot gives the same decisions: in a first run, after a crash, and for any number of
workers. Scores are validation scores in percent; higher is better. The test score has no place here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from agentnas.memory.events import EvaluationFinished, FindingsMade, PlanMade, Proposal, RungCorrelation
from agentnas.memory.memory import Evidence
from agentnas.memory.view import JournalView
from agentnas.tools.evaluate.base import CONFIRM, Limits, Rung
from agentnas.tools.spec.model import ArchitectureSpec

if TYPE_CHECKING:
    from agentnas.tools.spec.space import SearchSpace


# Lines on what was turned down that agents are shown: the newest.
TURNED_DOWN = 20


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

    def confirmed(self) -> dict[int, float]:
        """Scores of the confirmation by seed."""
        return dict(sorted(self.scores.get(CONFIRM, {}).items()))


@dataclass(frozen=True)
class Left:
    """What is left of the budget; None is no limit. ``cost`` in US dollars."""

    trials: int | None = None
    seconds: float | None = None
    cost: float | None = None
    tokens: int | None = None
    calls: int | None = None


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
    num_splits: int = 1
    metric: str = "accuracy"
    left: Left = Left()
    told: tuple[str, ...] = ()
    """Messages of a person to the planner, for this round."""
    plans: Mapping[int, PlanMade] = field(default_factory=dict)
    findings: Mapping[int, FindingsMade] = field(default_factory=dict)
    correlations: tuple[RungCorrelation, ...] = ()
    batch: int | None = None
    """Trials that this round may propose; None where that is not known."""
    turned_down: tuple[str, ...] = ()
    """What the checks said of earlier proposals that were not tried: repeated, invalid, citing what does not exist."""

    @cached_property
    def offsets(self) -> dict[int, float]:
        """How much easier (in points) the split behind a seed is than those of the first full rung; 0 where all share one split.

        Trials with more seeds saw other splits than trials with few: without this, a mean over easy splits would look like a better design.
        """
        if self.num_splits == 1:
            return {}
        first = next(rung for rung in self.rungs if rung.epochs >= 1.0).seeds
        gaps: dict[int, list[float]] = {}
        for record in self.records:
            scores = record.full_scores(self.rungs)
            base = [scores[seed] for seed in range(first) if seed in scores]
            for seed in [seed for seed in scores if seed >= first and len(base) == first]:
                gaps.setdefault(seed, []).append(scores[seed] - sum(base) / first)
        return {seed: sum(values) / len(values) for seed, values in gaps.items()}

    def score(self, record: Record) -> float | None:
        """Mean validation score at full fidelity, splits made comparable; None before the trial got there."""
        scores = record.full_scores(self.rungs)
        levelled = [score - self.offsets.get(seed, 0.0) for seed, score in scores.items()]
        return sum(levelled) / len(levelled) if levelled else None

    def ranked(self) -> list[Record]:
        """Trials with a score at full fidelity and no failure, best first; ties go to the earlier trial."""
        scored = [(self.score(record), record) for record in self.records if not record.failures]
        known = [(score, record) for score, record in scored if score is not None]
        return [record for _, record in sorted(known, key=lambda pair: (-pair[0], pair[1].trial))]

    def by_trial(self) -> dict[str, Record]:
        return {record.trial: record for record in self.records}

    def hashes(self) -> set[str]:
        """Canonical hashes of everything that was ever proposed in this run."""
        return {record.proposal.spec_hash for record in self.records}


def turned_down(view: JournalView) -> tuple[str, ...]:
    """Proposals that were not tried and why, newest last: those that the checks sent back, and trials rejected for a limit."""
    told = [
        problem
        for call in view.calls.of("coder")[-TURNED_DOWN:]
        if call.judged is not None
        for problem in call.judged.problems
    ]  # fmt: skip
    rejected = [f"{trial} rejected: {reason}" for trial, reason in list(view.rejected.items())[-TURNED_DOWN:]]
    return tuple((rejected + told)[-TURNED_DOWN:])
