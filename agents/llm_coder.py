"""The coder that thinks with a model: it writes the designs of a round; tools check each, and what is missing comes from evolution.

The anchors are drafted by the rules, and the first round, theirs, without a question. A proposal that fails a check is sent back with
what is wrong, at most twice; what changed against the parent is computed from the designs, whatever the model calls it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from agentnas.agents.checking import Price, Weigh, outside, overpriced, resolve, told
from agentnas.agents.coder import RuleCoder
from agentnas.agents.dialogue import Checked, author_of, converse
from agentnas.agents.llm.base import Message
from agentnas.agents.llm.consult import Consultant
from agentnas.agents.proposing import Claim, Form, Proposals, answer_type, spec_of
from agentnas.agents.roles import Draft, Plan
from agentnas.agents.situation import Record, Situation
from agentnas.memory.memory import Memory, one_line
from agentnas.tools.errors import SpecError, UsageError
from agentnas.tools.spec.canonical import spec_hash
from agentnas.tools.spec.edits import difference
from agentnas.tools.spec.model import ArchitectureSpec

ROLE = "coder"
# Proposals of one answer: with more, the last ones are careless, and a cut answer costs more.
MOST_A_CALL = 12
LONGEST_TEXT, LONGEST_NAME, LONGEST_PROBLEM = 400, 60, 400
MOST_CITED = 8
# Percentage points that no change of a score can exceed.
MOST_GAIN = 100.0


class CoderBriefing(Protocol):
    """Who writes the coder's prompt."""

    def coder(self, situation: Situation, plan: Plan, count: int, form: Form) -> Sequence[Message]: ...


@dataclass(frozen=True)
class LLMCoder:
    """See the module's docstring. Deterministic given the situation and the model's answers.

    ``price`` gives static figures of a spec, ``weigh`` (where they can be known) the parameters of each of its parts.
    """

    consultant: Consultant
    briefing: CoderBriefing
    fallback: RuleCoder
    memory: Memory
    price: Price
    form: Form = "diff"
    weigh: Weigh | None = None

    def draft(self, situation: Situation, plan: Plan, count: int) -> list[Draft]:
        anchors = self.fallback.untried_anchors(situation)[: max(0, count)]
        if not situation.records or len(anchors) >= count:
            return self.fallback.draft(situation, plan, count)
        intake = _Intake(self, situation, count - len(anchors), tuple(anchors), tuple(direction.name for direction in plan.directions))
        opening = self.briefing.coder(situation, plan, intake.asked, self.form)
        converse(self.consultant, ROLE, situation.round, opening, answer_type(self.form, situation.space), intake.take, intake.again)
        author = author_of(self.consultant, ROLE, situation.round)
        drafts = anchors + intake.drafts(author)
        return drafts + self.fallback.evolve(situation, plan, count - len(drafts), drafts)


@dataclass
class _Intake:
    """The proposals of one round's answers, checked one by one: those taken, and those that were only sent back for want of evidence."""

    coder: LLMCoder
    situation: Situation
    count: int
    anchors: tuple[Draft, ...] = ()
    directions: tuple[str, ...] = ()
    asked: int = 0
    taken: dict[str, Draft] = field(default_factory=dict)
    uncited: dict[str, Draft] = field(default_factory=dict)
    _sent_back: dict[str, int] = field(default_factory=dict)
    _places: dict[str, str] = field(default_factory=dict)
    _answers: int = 0
    _read: bool = False

    def __post_init__(self) -> None:
        self.asked = min(self.count, MOST_A_CALL)
        self._tried = {record.proposal.spec_hash: record for record in self.situation.records}
        self._places = {spec_hash(draft.spec): f"the anchor {draft.name}" for draft in self.anchors}

    @property
    def missing(self) -> int:
        return self.count - len(self.taken)

    def drafts(self, author: str) -> list[Draft]:
        """What is good enough to be tried; a design without evidence is, where there is no better."""
        spare = [draft for key, draft in self.uncited.items() if key not in self.taken]
        return [replace(draft, author=author) for draft in [*self.taken.values(), *spare][: self.count]]

    def take(self, answer: Proposals) -> Checked[None]:
        """Take what passes every check; the model is told about the others only where something is still missing."""
        before, problems, notes = len(self.taken), list[str](), list[str]()
        self._answers += 1
        self._read = True
        for number, claim in enumerate(answer.proposals, start=1):
            if self.missing == 0:
                notes.append(f"proposal {number} and what follows was more than asked for")
                break
            problem, note = self._consider(number, claim)
            problems += [f"proposal {number}: {one_line(problem, LONGEST_PROBLEM)}"] if problem else []
            notes += [f"proposal {number}: {note}"] if note else []
        if self.missing and not problems:
            problems.append(f"{len(answer.proposals)} proposals were given, {self.missing} are still missing")
        told_to_model, told_to_journal = (problems, notes) if self.missing else ([], problems + notes)
        return Checked(None, len(answer.proposals), len(self.taken) - before, tuple(told_to_model), tuple(told_to_journal))

    def again(self, problems: Sequence[str]) -> str:
        """What the model is told after an answer that leaves something to wish. An answer that could not be read may have been too long."""
        self.asked = min(self.missing, MOST_A_CALL) if self._read else max(1, self.asked // 2)
        kept = {0: "No proposal is taken yet.", 1: "1 proposal is taken; do not give it again."}
        lead = "Not taken, and why:" if self._read else "Your answer could not be used:"
        self._read = False
        taken = kept.get(len(self.taken), f"{len(self.taken)} proposals are taken; do not give them again.")
        wanted = f"Give {self.asked} proposal{'s' if self.asked > 1 else ''} in the same form: these repaired, or others in their place."
        return "\n".join([lead, *(f"- {problem}" for problem in problems), taken, wanted])

    def _consider(self, number: int, claim: Claim) -> tuple[str | None, str | None]:
        """What the model must be told about a proposal that is not taken, and what the journal should know of one that is."""
        try:
            parent = self._parent(claim.parent)
            spec = spec_of(claim, parent.spec if parent else None, self.situation.space)
        except UsageError as error:  # of the language, or of the space
            return str(error), None
        problem = self._unfit(spec, parent)
        if problem:
            return problem, None
        return self._cited(number, claim, spec, parent)

    def _parent(self, name: str) -> Record | None:
        bare = name.strip(" []()`'\"").removeprefix("trial:")
        if bare.lower() in ("", "none", "null"):
            return None
        record = self.situation.find(bare)
        if record is None:
            shown = one_line(bare, LONGEST_NAME)
            raise SpecError(f"parent {shown!r} does not exist; allowed: ids of trials that you were shown, or an empty text for none")
        return record

    def _unfit(self, spec: ArchitectureSpec, parent: Record | None) -> str | None:
        """Why the design cannot be tried: known already, outside the space, or over a limit."""
        key, situation = spec_hash(spec), self.situation
        if parent is not None and key == parent.proposal.spec_hash:
            return f"nothing that it changes has an effect: it is its parent {parent.trial} again, which {told(parent, situation)}"
        if key in self._tried:
            return f"it repeats {self._tried[key].trial}, which {told(self._tried[key], situation)}"
        if key in self._places:
            return f"it is the same design as {self._places[key]}, which was taken"
        return outside(spec, parent.spec if parent else None, situation.space) or overpriced(
            spec, situation.limits, self.coder.price, self.coder.weigh
        )

    def _cited(self, number: int, claim: Claim, spec: ArchitectureSpec, parent: Record | None) -> tuple[str | None, str | None]:
        """Take the design if it rests on something; without evidence it is sent back once."""
        key = spec_hash(spec)
        resolved = {given: resolve(given, self.coder.memory) for given in claim.evidence}
        valid = tuple(dict.fromkeys(known for known in resolved.values() if known))[:MOST_CITED]
        unknown = ", ".join(one_line(given, LONGEST_NAME) for given, known in resolved.items() if not known)
        draft = self._draft(claim, spec, parent, valid)
        if not valid and self._sent_back.setdefault(key, self._answers) == self._answers:
            self.uncited[key] = draft
            why = f"it cites {unknown}, which does not exist" if unknown else "it cites nothing"
            return f"{why}; give it again with ids that you were shown in evidence{self._example(parent)}", None
        self.taken[key] = draft
        self._places[key] = f"proposal {number}" + (f" of answer {self._answers}" if self._answers > 1 else "")
        return None, f"evidence {unknown} does not exist; citation dropped" if unknown else None

    def _example(self, parent: Record | None) -> str:
        known = [f"trial:{parent.trial}"] if parent else [item.id for item in self.situation.evidence]
        return f", such as {known[0]}" if known else ""

    def _draft(self, claim: Claim, spec: ArchitectureSpec, parent: Record | None, evidence: tuple[str, ...]) -> Draft:
        factor, change = difference(parent.spec, spec, self.situation.space) if parent else (None, None)
        gain = round(claim.expected_gain, 2) if abs(claim.expected_gain) <= MOST_GAIN else None
        hypothesis, origin = one_line(claim.hypothesis, LONGEST_TEXT), parent.trial if parent else None
        return Draft(spec, ROLE, hypothesis, evidence, origin, factor, change, gain, direction=self._direction(claim.direction))

    def _direction(self, name: str) -> str | None:
        """The direction that is meant; a name that none has is no reason to turn a design down."""
        bare = name.strip(" «»\"'").casefold()
        return next((known for known in self.directions if known.casefold() == bare), None)
