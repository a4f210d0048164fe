"""What the agents look at: one frozen snapshot of a run, derived from the journal before each round.

Agents read this and nothing else, so the same snapshot gives the same decisions: in a first run, after a crash, and for any number of
workers. Scores are validation scores in percent; higher is better. The test score has no place here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

from agentnas.agents.history import History
from agentnas.agents.record import Record as Record  # a situation is made of them
from agentnas.agents.record import full_mean
from agentnas.agents.splits import levelled, split_offsets
from agentnas.memory.events import FindingsMade, PlanMade, RungCorrelation
from agentnas.memory.memory import Evidence, drafting
from agentnas.memory.view import JournalView
from agentnas.tools.evaluate.base import Limits, Rung
from agentnas.tools.scale import Scale

if TYPE_CHECKING:
    from agentnas.tools.spec.space import SearchSpace


# Lines on what was turned down that agents are shown: the newest.
TURNED_DOWN = 20
# What is computed from many trials takes so many of them: below it nothing is left out, above it a round costs the same.
MANY = 300


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
    unit: float = 1.0
    """Error of the best constant, where the metric is an error: scores are what is taken away of it, in percent."""
    left: Left = Left()
    told: tuple[str, ...] = ()
    """Messages of a person to the planner, for this round."""
    plans: Mapping[int, PlanMade] = field(default_factory=dict)
    findings: Mapping[int, FindingsMade] = field(default_factory=dict)
    correlations: tuple[RungCorrelation, ...] = ()
    batch: int | None = None
    """Trials that this round may propose; None where that is not known."""
    goal: str = ""
    """What the owner wants searched, in their words, for the whole run."""
    bounds: Mapping[str, Any] = field(default_factory=dict)
    """Bounds on the space that an earlier plan made of the owner's words."""
    turned_down: tuple[str, ...] = ()
    """What the checks said of earlier proposals that were not tried: repeated, invalid, citing what does not exist."""

    @property
    def scale(self) -> Scale:
        """How scores are told."""
        return Scale(self.metric or "accuracy", self.unit)

    @cached_property
    def offsets(self) -> dict[int, float]:
        """What the split behind a seed makes easier, see ``split_offsets``; empty where all share one split."""
        if self.num_splits == 1:
            return {}
        first = next(rung for rung in self.rungs if rung.epochs >= 1.0).seeds
        return split_offsets((record.full_scores(self.rungs) for record in self.records), first)

    def score(self, record: Record) -> float | None:
        """Mean validation score at full fidelity, splits made comparable; None before the trial got there."""
        if self.num_splits == 1:
            return full_mean(record, self.rungs)
        scores = record.full_scores(self.rungs)
        return levelled(scores, self.offsets) if scores else None

    def ranked(self, until: int | None = None) -> list[Record]:
        """Trials with a score at full fidelity and no failure, best first, ties by age; of the first ``until`` trials if that is given."""
        if until is None or until >= len(self.records):
            return list(self._ranked)
        if self.kept is not None:
            return [self.records[place] for _, place in self.kept.board if place < until]
        first = {record.trial for record in self.records[:until]}
        return [record for record in self._ranked if record.trial in first]

    def best(self, count: int) -> list[Record]:
        """The first ``count`` of those."""
        return self.kept.best(count) if self.kept is not None else list(self._ranked[:count])

    @property
    def kept(self) -> History | None:
        """The records as their ledger keeps them in order; None for others, and where splits have to be made comparable first."""
        return self.records if isinstance(self.records, History) and self.num_splits == 1 else None

    @cached_property
    def _ranked(self) -> Sequence[Record]:
        if self.kept is not None:
            return self.kept.ranked
        scored = [(self.score(record), record) for record in self.records if not record.failures]
        known = [(score, record) for score, record in scored if score is not None]
        return [record for _, record in sorted(known, key=lambda pair: (-pair[0], drafted(pair[1])))]

    def trusted(self, count: int | None = None) -> list[Record]:
        """The best ``count`` trials, those with the most seeds first: a mean over seeds is not compared with one lucky seed."""
        if self.kept is not None and count is not None:
            return self.kept.trusted(count)
        seeds = [len(record.full_scores(self.rungs)) for record in self._ranked]
        most = max(seeds, default=0)
        first = [record for record, number in zip(self._ranked, seeds, strict=True) if number == most]
        return (first + [record for record, number in zip(self._ranked, seeds, strict=True) if number != most])[:count]

    def anchors(self, kind: str) -> list[Record]:
        """The anchors of a kind that have a score, best first."""
        ranked = self._ranked if self.kept is None else self.kept.ranked_anchors()
        return [record for record in ranked if record.proposal.anchor == kind]

    def best_by_round(self) -> Mapping[int, tuple[float, int]]:
        """Best score of each round that has any, and its number of seeds."""
        if self.kept is not None:
            return self.kept.best_by_round
        best: dict[int, tuple[float, int]] = {}
        for record in self.records:
            score = self.score(record)
            if score is not None:
                found = (score, len(record.full_scores(self.rungs)))
                best[record.round] = max(found, best.get(record.round, (-math.inf, 1)))
        return best

    def failed(self) -> Sequence[Record]:
        """Trials of which an evaluation failed, in the order of drafting."""
        if isinstance(self.records, History):
            return [self.records[place] for place in self.records.failed]
        return [record for record in self.records if record.failures]

    def repeated(self) -> Sequence[Record]:
        """Trials with several seeds in training or in confirmation, the newest ``MANY``, in the order of drafting."""
        if isinstance(self.records, History):
            return [self.records[place] for place in self.records.repeated[-MANY:]]
        return [record for record in self.records if record.is_repeated(self.rungs)][-MANY:]

    def find(self, trial: str | None) -> Record | None:
        """The record of a trial; None where there is none."""
        if isinstance(self.records, History):
            return self.records.find(trial or "")
        return next((record for record in self.records if record.trial == trial), None)

    def by_trial(self) -> dict[str, Record]:
        return {record.trial: record for record in self.records}

    def hashes(self) -> Set[str]:
        """Canonical hashes of everything that was ever proposed in this run."""
        if isinstance(self.records, History):
            return self.records.hashes
        return {record.proposal.spec_hash for record in self.records}


def drafted(record: Record) -> tuple[int, str]:
    """The order of drafting."""
    return drafting(record.trial)


def bounds_before(view: JournalView, round_: int) -> Mapping[str, Any]:
    """The bounds on the space that the last plan before a round left in force."""
    earlier = [planned for planned in view.plans if planned < round_]
    return view.plans[max(earlier)].bounds if earlier else {}


def turned_down(view: JournalView) -> tuple[str, ...]:
    """Proposals that were not tried and why, newest last: those that the checks sent back, and trials rejected for a limit."""
    told = [
        problem
        for call in view.calls.newest("coder", TURNED_DOWN)
        if call.judged is not None
        for problem in call.judged.problems
    ]  # fmt: skip
    newest = reversed(list(islice(reversed(view.rejected.items()), TURNED_DOWN)))
    rejected = [f"{trial} rejected: {reason}" for trial, reason in newest]
    return tuple((rejected + told)[-TURNED_DOWN:])
