"""What a model reads beside designs and numbers: budget, plans, findings, evidence, the owner's words. All of it from the journal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import floor, log10
from typing import Any

from agentnas.agents.briefing_designs import braced
from agentnas.agents.briefing_quote import evidence_line, may_be_cited, quoted, scrubbed, unmarked
from agentnas.agents.coder import slots
from agentnas.agents.facts import correlation_lines, listed, progress_line
from agentnas.agents.roles import Plan
from agentnas.agents.situation import Left, Situation
from agentnas.memory.events import FindingsMade, PlanMade
from agentnas.memory.memory import Evidence
from agentnas.tools.evaluate.base import Limits

LIMITS = {
    "max_params": "parameters",
    "max_latency_ms": "ms for one inference on the whole graph (median)",
    "max_memory_mb": "MiB of memory at inference",
    "max_train_memory_mb": "MiB of memory in training",
}
ANCHORS = "the anchors were tried"
PLANS, FINDINGS, OLDER_FINDINGS = 3, 6, 4
MOST_EVIDENCE = 10
MOST_CITED = 6
LONGEST, LONGEST_NAME, LONGEST_FINDING, LONGEST_MESSAGE = 400, 60, 300, 600
MOST_MESSAGES = 5


def left_line(left: Left) -> str:
    """What is left of the budget; time and money roughly, so that a prompt does not change with every second."""
    parts = []
    if left.trials is not None:
        parts.append(f"{left.trials} trials")
    if left.seconds is not None:
        parts.append(f"about {_minutes(left.seconds)}")
    if left.cost is not None:
        parts.append(f"about ${_rough(left.cost):g} for language models")
    return f"Left: {', '.join(parts)}." if parts else "No limit on trials or time."


def _minutes(seconds: float) -> str:
    minutes = _rough(seconds / 60)
    return "a minute or less" if minutes <= 1 else f"{minutes:g} minutes"


def _rough(value: float) -> float:
    """One significant digit, rounded down."""
    if value <= 0:
        return 0.0
    step = 10.0 ** floor(log10(value))
    return round(floor(value / step) * step, 12)


def limit_line(limits: Limits) -> str:
    """The hard limits in words."""
    held = [f"at most {limit:,.6g} {words}" for name, words in LIMITS.items() if (limit := getattr(limits, name)) is not None]
    return f"A design has {', '.join(held)}." if held else "No limit on a design's size or speed."


def plan_lines(plan: Plan, count: int) -> list[str]:
    """Every direction that gets proposals, with their number."""
    lines = [f"Why: {quoted(plan.reason, LONGEST)}"] if plan.reason else []
    for direction, number in slots(plan, count):
        lines.append(f"{number} of {count}: {_direction(direction.as_dict())}")
    return lines


def _direction(held: Mapping[str, Any]) -> str:
    """A direction without its share: name, mode, factors, expectation, evidence, hypothesis."""
    facts = [quoted(str(held["name"]), LONGEST_NAME), str(held["mode"])]
    facts.append(f"factors {braced(held['factors'])}" if held["factors"] else "any factor")
    if held["expected_gain"] is not None:
        facts.append(f"expected gain {held['expected_gain']:+.2f}")
    if held["evidence"]:
        facts.append(f"evidence {listed(held['evidence'], MOST_CITED)}")
    return f"{', '.join(facts)}: {quoted(scrubbed(str(held['hypothesis'])), LONGEST)}"


def round_plan_lines(situation: Situation) -> list[str]:
    """The plan that the round which is now analysed carried out."""
    made = situation.plans.get(situation.round)
    if made is None:
        return ["No plan was made."]
    if _only_anchors(made.round, situation):
        return [ANCHORS]
    return [f"{100 * direction['share']:.0f} %: {_direction(direction)}" for direction in made.directions]


def earlier_lines(situation: Situation) -> list[str]:
    """Progress, the last plans in short, findings of the last round, older ones of models, and what was to be tested."""
    lines = [*correlation_lines(situation), *([progress_line(situation)] if situation.records else [])]
    before = [made for round_, made in sorted(situation.plans.items()) if round_ < situation.round]
    lines += [_plan_in_short(made, situation) for made in before[-PLANS:]]
    return lines + list(_findings(situation)) or ["This is the first round."]


def _plan_in_short(made: PlanMade, situation: Situation) -> str:
    parts = (
        []
        if _only_anchors(made.round, situation)
        else [f"{100 * d['share']:.0f} % {quoted(str(d['name']), LONGEST_NAME)} ({d['mode']})" for d in made.directions]
    )
    best = max((score for r in situation.records if r.round == made.round if (score := situation.score(r)) is not None), default=None)
    came = "nothing trained in full" if best is None else f"best of the round {best:.2f}"
    planned = f"planned {', '.join(parts)}" if parts else ANCHORS
    return f"round {made.round}: {planned}; {came}"


def _only_anchors(round_: int, situation: Situation) -> bool:
    """Whether the round tried the anchors, which come first whatever was planned."""
    return all(record.proposal.anchor for record in situation.records if record.round == round_)


def _findings(situation: Situation) -> Iterator[str]:
    """Effects of factors stand in their own table, so findings of the rules that repeat it are left out."""
    before = [made for _, made in sorted(situation.findings.items())]
    if not before:
        return
    last = before[-1]
    older = [(made, f) for made in before[:-1] for f in made.findings if not _by_rules(made, f)][-OLDER_FINDINGS:]
    newest = [(last, f) for f in last.findings if not (_by_rules(last, f) and f.get("factor"))][:FINDINGS]
    yield from (_finding(f) for _, f in (*older, *newest))
    yield f"verdict of round {last.round}: {last.verdict}" + (f", {quoted(last.reason, LONGEST_FINDING)}" if last.reason else "")
    if last.falsify:
        yield f"what would prove the last analysis wrong: {quoted(last.falsify, LONGEST_FINDING)}"


def _by_rules(made: FindingsMade, finding: Mapping[str, Any]) -> bool:
    return str(finding.get("author") or made.author).endswith("/rules")


def _finding(finding: Mapping[str, Any]) -> str:
    trials = listed(map(str, finding.get("trials", ())))
    return f"finding:{finding.get('id')} ({trials}): {quoted(scrubbed(str(finding.get('text', ''))), LONGEST_FINDING)}"


def evidence_lines(evidence: Sequence[Evidence], situation: Situation) -> list[str]:
    """Each piece with its id, those of this run by id alone, for its tables tell them.

    Those of runs whose name would tell a private task's are left out.
    """
    own = [item.id for item in evidence if item.kind != "card" and "/" not in item.id]
    told = [evidence_line(item) for item in evidence if item.id not in own and may_be_cited(item)][:MOST_EVIDENCE]
    also = [f"of this run, by their ids: {listed(own, MOST_EVIDENCE)}"] if own else []
    return told + also or ["Nothing was recalled."]


def told_lines(situation: Situation) -> list[str]:
    """The owner's messages, newest last: the one text from outside that may give instructions."""
    if not situation.told:
        return ["No message."]
    asked = "What follows comes from the owner. Do it as far as limits and facts allow, and say in your reason how you did:"
    # One line each and no quotation marks of ours: a message can neither begin a section nor end a quotation.
    return [asked, *(f"- {unmarked(text, LONGEST_MESSAGE)}" for text in situation.told[-MOST_MESSAGES:])]
