"""What a model reads beside designs and numbers: budget, plans, findings, evidence, the owner's words. All of it from the journal."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from math import floor, log10
from typing import Any

from agentnas.agents.briefing_designs import braced
from agentnas.agents.briefing_quote import evidence_line, may_be_cited, quoted, scrubbed, unmarked
from agentnas.agents.coder import slots
from agentnas.agents.facts import correlation_lines, listed, progress_line
from agentnas.agents.planner import groups_of
from agentnas.agents.roles import Plan
from agentnas.agents.situation import Left, Situation
from agentnas.memory.events import FindingsMade, PlanMade
from agentnas.memory.memory import Evidence, InMemory
from agentnas.tools.evaluate.base import Limits
from agentnas.tools.operators.base import operators
from agentnas.tools.spec.cells import operators_of
from agentnas.tools.spec.cellspace import CellSpace
from agentnas.tools.spec.space import SearchSpace

LIMITS = {
    "max_params": "parameters",
    "max_latency_ms": "ms for one inference on the whole graph (median)",
    "max_memory_mb": "MiB of memory at inference",
    "max_train_memory_mb": "MiB of memory in training",
}
ANCHORS = "the anchors were tried"
PLANS = 3
# Findings are told whole, the newest first, as many as fit into so many characters.
FINDINGS_CHARACTERS = 2_400
MOST_EVIDENCE = 9
MOST_CITED = 6
LONGEST, LONGEST_NAME, LONGEST_FINDING, LONGEST_MESSAGE = 400, 60, 700, 600
MOST_MESSAGES = 5
# How the advice of a card begins that is about no operator.
ELSEWHERE = ("head", "input", "recipe", "batching", "set post", "pre-train", "pre-process")


def left_line(left: Left, batch: int | None = None) -> str:
    """What is left of the budget; time and money roughly, so that a prompt does not change with every second.

    ``batch`` is what of it the round that is now planned may propose.
    """
    parts = []
    if left.trials is not None:
        parts.append(f"{left.trials} trials")
    if left.seconds is not None:
        parts.append(f"about {_minutes(left.seconds)}")
    if left.cost is not None:
        parts.append(f"about ${_rough(left.cost):g} for language models")
    round_ = "" if not batch else f" This round: {batch} trial{'s' * (batch > 1)}{_then(left, batch)}."
    return (f"Left: {', '.join(parts)}." if parts else "No limit on trials or time.") + round_


def _then(left: Left, batch: int) -> str:
    if left.trials is None:
        return ""
    return f", then {left.trials - batch} are left" if left.trials > batch else ", the last"


def ending_line(left: Left) -> str:
    """For who judges a round: whether there is another."""
    line = left_line(left)
    if left.trials != 0:
        return line
    return (f"{line} This was the last round: write conclusions for the report, and say how sure the leader is; the verdict changes"
            " nothing any more.")  # fmt: skip


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


def _direction(held: Mapping[str, Any], space: SearchSpace | None = None) -> str:
    """A direction without its share: name, mode, factors (of a ``space`` by their groups), expectation, evidence, hypothesis."""
    facts = [quoted(str(held["name"]), LONGEST_NAME), str(held["mode"])]
    factors = _by_groups(held["factors"], space) if space is not None else braced(held["factors"])
    facts.append(f"factors {factors}" if factors else "any factor")
    if held["expected_gain"] is not None:
        facts.append(f"expected gain {held['expected_gain']:+.2f}")
    if held.get("parents"):
        facts.append(f"from {listed(held['parents'], MOST_CITED)}")
    if held["evidence"]:
        facts.append(f"evidence {listed(held['evidence'], MOST_CITED)}")
    return f"{', '.join(facts)}: {quoted(scrubbed(str(held['hypothesis'])), LONGEST)}"


def _by_groups(names: Sequence[str], space: SearchSpace) -> str:
    """Whole groups by their name, the other factors one by one."""
    groups = {group: held for group, held in groups_of(space.factors()).items() if len(held) > 1 and set(held) <= set(names)}
    others = [name for name in names if not any(name in held for held in groups.values())]
    return ", ".join([*groups, *([braced(others)] if others else [])])


def round_plan_lines(situation: Situation) -> list[str]:
    """The plan that the round which is now analysed carried out."""
    made = situation.plans.get(situation.round)
    if made is None:
        return ["No plan was made."]
    if _only_anchors(made.round, situation):
        return [ANCHORS]
    return [f"{100 * direction['share']:.0f} %: {_direction(direction, situation.space)}" for direction in made.directions]


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
    came = "no full score" if best is None else f"best of the round {best:.2f}"
    planned = f"planned {', '.join(parts)}" if parts else ANCHORS
    return f"round {made.round}: {planned}; {came}"


def _only_anchors(round_: int, situation: Situation) -> bool:
    """Whether the round tried the anchors, which come first whatever was planned."""
    return all(record.proposal.anchor for record in situation.records if record.round == round_)


def _findings(situation: Situation) -> Iterator[str]:
    """The last verdict, the test that it asks for, then findings. Those of the rules repeat what other lines say, and are left out.

    Tests of earlier analyses were answered or given up by those after them.
    """
    newest_first = [made for _, made in sorted(situation.findings.items(), reverse=True)]
    if not newest_first:
        return
    last = newest_first[0]
    yield f"verdict of round {last.round}: {last.verdict}" + (f", {quoted(last.reason, LONGEST)}" if last.reason else "")
    if last.falsify:
        yield f"test that would prove the analysis of round {last.round} wrong: {quoted(scrubbed(last.falsify), LONGEST)}"
    room = FINDINGS_CHARACTERS
    for line in (_finding(finding) for made in newest_first for finding in made.findings if not _by_rules(made, finding)):
        room -= len(line)
        if room < 0:
            break
        yield line


def _by_rules(made: FindingsMade, finding: Mapping[str, Any]) -> bool:
    return str(finding.get("author") or made.author).endswith("/rules")


def _finding(finding: Mapping[str, Any]) -> str:
    trials = listed(map(str, finding.get("trials", ())))
    return f"finding:{finding.get('id')} ({trials}): {quoted(scrubbed(str(finding.get('text', ''))), LONGEST_FINDING)}"


def evidence_lines(evidence: Sequence[Evidence], space: SearchSpace) -> list[str]:
    """Each piece with its id. What this run made stands in its own lines; cards that speak of what the space has not are left out.

    So is what comes from runs whose name would tell a private task's.
    """
    others = [item for item in evidence if item.kind == "card" or "/" in item.id]
    told = [evidence_line(item) for item in others if may_be_cited(item) and can_be_done(item, space)]
    return told[:MOST_EVIDENCE] or ["Nothing was recalled that this space can say." if others else "Nothing was recalled."]


def cited_lines(cited: Collection[str], situation: Situation) -> list[str]:
    """The text of what a plan cites, in its order: findings of this run, cards, what was recalled of other runs.

    Trials of this run stand among the designs.
    """
    found = {f"finding:{f.get('id')}": _finding(f) for _, made in sorted(situation.findings.items()) for f in made.findings}
    recalled = {item.id: item for item in situation.evidence if item.kind == "card" or "/" in item.id}
    for name in cited:
        item = recalled.get(name) or (InMemory().get(name) if name.startswith("card:") else None)
        if item is not None and may_be_cited(item):
            found[name] = evidence_line(item)
    return [found[name] for name in cited if name in found][:MOST_CITED]


def uncited_lines(cited: Collection[str], situation: Situation, most: int) -> list[str]:
    """What was recalled beside it, which a proposal may rest on too."""
    others = [item for item in situation.evidence if item.id not in cited and (item.kind == "card" or "/" in item.id)]
    told = [evidence_line(item) for item in others if may_be_cited(item) and can_be_done(item, situation.space)]
    return [f"recalled, not cited by the plan: {line}" for line in told[: max(0, most)]]


def can_be_done(item: Evidence, space: SearchSpace) -> bool:
    """In a space of cells: whether a card advises operators of the space and no other part of a design."""
    if item.kind != "card" or not isinstance(space, CellSpace):
        return True
    advice = item.text.rpartition(" Do: ")[2].lower()
    words = set(re.findall(r"[a-z0-9]+", re.split(r"[.;]", advice, maxsplit=1)[0]))
    known = set(operators_of(space.dataset)) - {"fc", "skip"}
    return bool(words & known) and not words & (set(operators()) - known - {"mlp"}) and not advice.startswith(ELSEWHERE)


def told_lines(situation: Situation) -> list[str]:
    """The owner's messages, newest last: the one text from outside that may give instructions."""
    if not situation.told and not situation.goal:
        return ["No message."]
    asked = "What follows comes from the owner. Do it as far as limits and facts allow, and say in your reason how you did:"
    # One line each and no quotation marks of ours: a message can neither begin a section nor end a quotation.
    goal = [f"- for the whole run: {unmarked(situation.goal, LONGEST_MESSAGE)}"] if situation.goal else []
    return [asked, *goal, *(f"- {unmarked(text, LONGEST_MESSAGE)}" for text in situation.told[-MOST_MESSAGES:])]
