"""The planner that thinks with a model: it names the directions of a round; tools check every share, factor and citation.

The first round belongs to the anchors, which the rules plan. Where the model gives no usable plan, the rule-based planner takes the turn.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from agentnas.agents.checking import resolve
from agentnas.agents.dialogue import Checked, author_of, converse, was_answered
from agentnas.agents.llm.base import Message
from agentnas.agents.llm.consult import Consultant
from agentnas.agents.planner import RulePlanner, groups_of
from agentnas.agents.roles import Direction, Plan
from agentnas.agents.situation import Situation
from agentnas.memory.memory import Memory, one_line
from agentnas.tools.errors import UsageError, suggest
from agentnas.tools.spec.bounded import BoundedSpace
from agentnas.tools.spec.edits import CELL_ALIASES
from agentnas.tools.spec.narrowing import LIFTED, narrowed, read_bounds

ROLE = "planner"
FEWEST, MOST = 2, 4
MOST_PARENTS = 6
# Shares whose sum is this near to 1 were rounded and are scaled; others were misunderstood and are asked for again.
NEARLY = 0.05
# Percentage points that no change of a score can exceed.
MOST_GAIN = 100.0
LONGEST_NAME, LONGEST_TEXT = 60, 400
# Factors that are listed where a name is like none of them; of more than these, the groups alone.
MOST_LISTED = 12
AGAIN = "Answer again with the whole plan, corrected."


class DirectionAnswer(BaseModel):
    """One direction of the search."""

    model_config = ConfigDict(allow_inf_nan=False)

    name: str = Field(description="two to five words")
    mode: Literal["exploit", "explore", "recombine"] = Field(
        description="exploit: change factors of the best trials; recombine: join parts of two good trials; explore: fresh designs"
    )
    factors: list[str] = Field(description="factors to vary, or names of groups of factors; empty means all")
    share: float = Field(description="share of the round's trials, above 0; the shares of all directions sum to 1")
    hypothesis: str = Field(description="what changes, what it does to the score, and why, in one or two sentences")
    expected_gain: float = Field(
        description="mean of its trials, in percentage points over their parents (explore: over the best so far); may be negative"
    )
    evidence: list[str] = Field(description="ids of what this rests on, such as trial:t0003, finding:r1-2 or card:gcnii; at least one")
    parents: list[str] = Field(default_factory=list, description="ids of the trials to start from, such as t0003; empty leaves it open")


class PlanAnswer(BaseModel):
    """Where the trials of the next round go."""

    reason: str = Field(description="why these directions now, in one or two sentences")
    directions: list[DirectionAnswer] = Field(description=f"{FEWEST} to {MOST} directions")


class Bound(BaseModel):
    """One bound on what is searched."""

    path: str = Field(description="operators, max_depth, min_depth, max_nodes, max_inputs, a setting such as recipe.learning_rate; or all")
    value: str = Field(
        description="what alone is allowed: names or numbers with commas, or 0.001 to 0.01; empty with all, which lifts bounds"
    )


class BoundedPlanAnswer(PlanAnswer):
    """Where the trials of the next round go, and what alone may be searched because the owner asked for it."""

    bounds: list[Bound] = Field(description="bounds that the owner's words ask for; empty leaves those in force")


class PlannerBriefing(Protocol):
    """Who writes the planner's prompt."""

    def planner(self, situation: Situation) -> Sequence[Message]: ...


@dataclass(frozen=True)
class LLMPlanner:
    """See the module's docstring. Deterministic given the situation and the model's answers."""

    consultant: Consultant
    briefing: PlannerBriefing
    fallback: RulePlanner
    memory: Memory

    def plan(self, situation: Situation) -> Plan:
        if not situation.records:
            return self.fallback.plan(situation)
        opening = self.briefing.planner(situation)
        check = _Check(situation, self.memory)
        form = BoundedPlanAnswer if may_bound(situation) else PlanAnswer
        found = converse(self.consultant, ROLE, situation.round, opening, form, check.plan, AGAIN)
        author = author_of(self.consultant, ROLE, situation.round)
        if (usable := _least_wrong(found)) is not None:
            reason, directions, bounds = usable
            return Plan(author, directions, reason, bounds)
        ruled = self.fallback.plan(situation)
        answered = was_answered(self.consultant, ROLE, situation.round)
        return replace(ruled, reason=f"the model gave no usable plan; {ruled.reason}") if answered else ruled


# The reason, the directions and the bounds of a plan that can be carried out.
Usable = tuple[str, tuple[Direction, ...], Mapping[str, Any]]


def may_bound(situation: Situation) -> bool:
    """Whether the planner may narrow the space: only a person's words are a reason to, and only bounds can be narrowed."""
    return bool(situation.goal or situation.told or situation.bounds) and isinstance(situation.space, BoundedSpace)


def _least_wrong(found: Sequence[Checked[Usable | None]]) -> Usable | None:
    """The plan that needed the least taking out; the latest of several. One without a single sound direction is none."""
    usable = [
        (len(checked.problems), -i, checked.result) for i, checked in enumerate(found) if checked.result is not None and checked.taken
    ]
    return min(usable)[2] if usable else None


class _Check:
    """What may be named in a situation: its factors and groups, and all that memory holds."""

    def __init__(self, situation: Situation, memory: Memory) -> None:
        self.space, self.in_force = situation.space, situation.bounds
        self.factors = tuple(situation.space.factors())
        self.groups: Mapping[str, tuple[str, ...]] = groups_of(self.factors)
        leading = [f"trial:{record.trial}" for record in situation.ranked()[:1]]
        self.examples = list(dict.fromkeys([*(item.id for item in situation.evidence[:2]), *leading]))
        self.memory = memory
        self.trials = situation.by_trial()

    def plan(self, answer: PlanAnswer) -> Checked[Usable | None]:
        """The plan with all that is wrong taken out, or None where too little of it is left; and what is wrong."""
        read = [self._direction(f"direction {i} ({_name(given)})", given) for i, given in enumerate(answer.directions, start=1)]
        whole = _wrong_as_a_whole(answer.directions)
        kept = [direction for direction, _ in read if direction.share > 0]
        kept = sorted(sorted(kept, key=lambda d: -d.share)[:MOST], key=kept.index)
        bounds, wrong = self._bounds(answer)
        usable = (one_line(answer.reason, LONGEST_TEXT), _scaled(kept), bounds) if len(kept) >= FEWEST else None
        taken = sum(not problems for _, problems in read)
        return Checked(usable, len(read), taken, (*whole, *wrong, *(problem for _, problems in read for problem in problems)))

    def _bounds(self, answer: PlanAnswer) -> tuple[Mapping[str, Any], list[str]]:
        """The bounds from now on, and what is wrong with those that were given; those in force where none are."""
        given = answer.bounds if isinstance(answer, BoundedPlanAnswer) else []
        if any(bound.path.strip() == LIFTED for bound in given):
            return {}, []
        if not given or not isinstance(self.space, BoundedSpace):
            return self.in_force, []
        try:
            read = read_bounds([(bound.path, bound.value) for bound in given], self.space)
            narrowed(self.space, read)
        except UsageError as error:
            return self.in_force, [str(error)]
        return read, []

    def _direction(self, where: str, given: DirectionAnswer) -> tuple[Direction, list[str]]:
        factors, unknown = self._factors(given.factors)
        evidence, missing = self._evidence(given.evidence)
        parents, strangers = self._parents(given.parents)
        gain, problems = given.expected_gain, [*unknown, *missing, *strangers]
        if abs(gain) > MOST_GAIN:
            problems.append(f"expected_gain is {gain:g}; allowed: percentage points, {-MOST_GAIN:g} to {MOST_GAIN:g}")
        if given.share <= 0:
            problems.append(f"share is {given.share:g}; allowed: above 0")
        if not evidence and not missing and self.examples:
            problems.append(f"it cites nothing; name what it rests on in evidence, such as {' or '.join(self.examples)}")
        hypothesis = one_line(given.hypothesis, LONGEST_TEXT)
        expected = gain if abs(gain) <= MOST_GAIN else None
        made = Direction(_name(given), factors, given.share, hypothesis, expected, evidence, given.mode, parents)
        return made, [f"{where}: {problem}" for problem in problems]

    def _parents(self, names: Sequence[str]) -> tuple[tuple[str, ...], list[str]]:
        bare = {name: name.strip(" []()`'\"").removeprefix("trial:") for name in names}
        known = tuple(dict.fromkeys(trial for trial in bare.values() if trial in self.trials))[:MOST_PARENTS]
        strange = [name for name, trial in bare.items() if trial and trial not in self.trials]
        return known, [
            f"parent {one_line(name, LONGEST_NAME)!r} is no trial of this run; name trials that you were shown" for name in strange
        ]

    def _factors(self, names: Sequence[str]) -> tuple[tuple[str, ...], list[str]]:
        found: dict[str, None] = {}
        problems = []
        for name in names:
            meant = self._meant(name.strip())
            found.update(dict.fromkeys(meant))
            if not meant:
                problems.append(f"factor {one_line(name, LONGEST_NAME)!r} does not exist; {self._nearest(name)}")
        return tuple(found), problems

    def _meant(self, name: str) -> tuple[str, ...]:
        """A factor, a group, or all that begin or end so: ``recipe.*``, ``learning_rate``; ``body.op*`` is in one node or in all."""
        if name in self.factors:
            return (name,)
        if name.endswith("*") and (one := name.rstrip("*")) in self.factors:
            return tuple(factor for factor in (one, one.replace("body.", "body.*.", 1)) if factor in self.factors)
        if (alias := CELL_ALIASES.get(name)) in self.factors:
            return (str(alias),)
        part = name.strip(".*")
        return self.groups.get(name) or tuple(f for f in self.factors if f.startswith(f"{part}.") or f.endswith(f".{part}"))

    def _nearest(self, name: str) -> str:
        names = [*self.factors, *self.groups]
        near = suggest(name, names)
        if len(names) <= MOST_LISTED or near.startswith("did you mean"):
            return near
        return f"allowed: the factors that you were shown, and the groups {', '.join(self.groups)}"

    def _evidence(self, ids: Sequence[str]) -> tuple[tuple[str, ...], list[str]]:
        resolved = {given: resolve(given, self.memory) for given in ids}
        example = f", such as {' or '.join(self.examples)}" if self.examples else ""
        problems = [
            f"evidence {one_line(given, LONGEST_NAME)!r} does not exist; cite only ids that you were shown{example}"
            for given, known in resolved.items()
            if known is None
        ]
        return tuple(dict.fromkeys(known for known in resolved.values() if known)), problems


def _name(given: DirectionAnswer) -> str:
    return one_line(given.name, LONGEST_NAME) or given.mode


def _wrong_as_a_whole(directions: Sequence[DirectionAnswer]) -> list[str]:
    problems = []
    if not FEWEST <= len(directions) <= MOST:
        problems.append(f"the plan has {len(directions)} directions; allowed: {FEWEST} to {MOST}")
    total = math.fsum(direction.share for direction in directions)
    if directions and abs(total - 1) > NEARLY:
        problems.append(f"the shares sum to {total:.4g}; they must sum to 1")
    return problems


def _scaled(directions: Sequence[Direction]) -> tuple[Direction, ...]:
    total = math.fsum(direction.share for direction in directions)
    return tuple(replace(direction, share=direction.share / total) for direction in directions)
