"""The analyst that thinks with a model: it says what a round taught; what the numbers contradict is refused and never journalled.

The facts that the rules compute (leader, noise, failures, effects) stay in the journal beside the model's findings. A model can neither
end a run that still progresses nor keep one going that the rules give up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from pydantic import BaseModel, Field

from agentnas.agents.analyst import RuleAnalyst
from agentnas.agents.claims import Claims, FindingAnswer
from agentnas.agents.dialogue import Checked, author_of, converse, was_answered
from agentnas.agents.llm.base import Message
from agentnas.agents.llm.consult import Consultant
from agentnas.agents.roles import Analysis, Finding
from agentnas.agents.situation import Situation
from agentnas.memory.memory import one_line

ROLE = "analyst"
FEWEST_FINDINGS, MOST_FINDINGS = 2, 6
LONGEST_TEXT, LONGEST_EXCERPT = 400, 50
AGAIN = (
    "Findings that are not named here are accepted. Answer again: put into findings only the corrected ones, with numbers that agree, or "
    "none to withdraw them; repeat verdict, reason and falsify."
)


class AnalysisAnswer(BaseModel):
    """What the run has taught, and whether to go on."""

    findings: list[FindingAnswer] = Field(
        description=f"what the run has taught so far, most useful first; {FEWEST_FINDINGS} to {MOST_FINDINGS}"
    )
    verdict: Literal["go_on", "change_direction", "stop"] = Field(description="stop only if no further gain is likely")
    reason: str = Field(description="why this verdict, in one or two sentences")
    falsify: str = Field(description="the one trial or comparison that would show the most important finding to be wrong")


class AnalystBriefing(Protocol):
    """Who writes the analyst's prompt."""

    def analyst(self, situation: Situation) -> Sequence[Message]: ...


@dataclass(frozen=True)
class Judged:
    """What was left of one answer: the findings that agree with the numbers, the verdict that counts and why, the test."""

    findings: tuple[Finding, ...]
    verdict: str
    reason: str
    falsify: str


@dataclass(frozen=True)
class LLMAnalyst:
    """See the module's docstring. Deterministic given the situation and the model's answers."""

    consultant: Consultant
    briefing: AnalystBriefing
    fallback: RuleAnalyst

    def analyse(self, situation: Situation) -> Analysis:
        ruled = self.fallback.analyse(situation)
        if not any(record.scores or record.failures for record in situation.records):
            return ruled
        check = _Check(situation, ruled.verdict)
        found = converse(self.consultant, ROLE, situation.round, self.briefing.analyst(situation), AnalysisAnswer, check.answer, AGAIN)
        author = author_of(self.consultant, ROLE, situation.round)
        # Who was wrong in all that can be checked is not believed in what cannot.
        sound = [checked.result for checked in found if checked.taken or not checked.items]
        if sound:
            return _joined(ruled, sound, author, situation.round)
        answered = was_answered(self.consultant, ROLE, situation.round)
        return replace(ruled, reason="the model gave no usable analysis") if answered else ruled


class _Check:
    """The numbers of a situation, and the verdict of the rules on it."""

    def __init__(self, situation: Situation, ruled: str) -> None:
        self.claims, self.ruled = Claims(situation), ruled

    def answer(self, answer: AnalysisAnswer) -> Checked[Judged]:
        """The findings that agree with the numbers, and what is wrong with the others."""
        read = [self.claims.check(given) for given in answer.findings[:MOST_FINDINGS]]
        problems = [
            f"finding {i} ({one_line(answer.findings[i - 1].text, LONGEST_EXCERPT)}): {problem}"
            for i, (_, wrong) in enumerate(read, start=1)
            for problem in wrong
        ]
        falsify = one_line(answer.falsify, LONGEST_TEXT)
        if not falsify:
            problems.append("falsify is empty; name the trial or comparison that would show the most important finding to be wrong")
        kept = tuple(finding for finding, _ in read if finding is not None)
        verdict, overruled = settled(answer.verdict, self.ruled)
        reason = "; ".join(filter(None, (one_line(answer.reason, LONGEST_TEXT), overruled)))
        notes = [overruled] if overruled else []
        if len(answer.findings) > MOST_FINDINGS:
            notes.append(f"{len(answer.findings)} findings, of which the first {MOST_FINDINGS} were read")
        judged = Judged(kept, verdict, reason, falsify)
        return Checked(judged, len(answer.findings), len(kept), tuple(problems), tuple(notes))


def settled(model: str, rules: str) -> tuple[str, str]:
    """The verdict that counts, and why it is not the model's where it is not."""
    if rules == "stop" and model != "stop":
        return "stop", f"the model says {model}, but the rules stop a run that made no progress for so long"
    if model == "stop" and rules == "go_on":
        return "change_direction", "the model says stop, but the run made progress only lately, so it goes on in another direction"
    return model, ""


def _joined(ruled: Analysis, judged: Sequence[Judged], author: str, round_: int) -> Analysis:
    """The rules' findings first, then the model's, numbered through. An effect that both speak of is told once, in the model's words."""
    own = list(_distinct(finding for one in judged for finding in one.findings))[:MOST_FINDINGS]
    claimed = {finding.factor for finding in own if finding.factor}
    facts = [finding for finding in ruled.findings if finding.factor not in claimed]
    findings = [*facts, *(replace(finding, author=author) for finding in own)]
    numbered = tuple(replace(finding, id=f"r{round_}-{i}") for i, finding in enumerate(findings, start=1))
    falsify = next((one.falsify for one in reversed(judged) if one.falsify), "")
    return Analysis(author, numbered, judged[-1].verdict, judged[-1].reason, falsify)


def _distinct(findings: Iterator[Finding]) -> Iterator[Finding]:
    """Each effect and each text once: a model may repeat in a repair what was accepted before."""
    seen = set()
    for finding in findings:
        key = finding.factor or finding.text.casefold()
        if key not in seen:
            seen.add(key)
            yield finding
