"""What the language models of a run took and said, for reports and tables: calls, tokens, cost, repairs, faults."""

from __future__ import annotations

from collections import Counter
from typing import Any

from agentnas.memory.calls import Call, Spent
from agentnas.memory.view import JournalView
from agentnas.words import markdown_table, money, plural


def spending(view: JournalView) -> dict[str, dict[str, Any]]:
    """Calls, tokens, US dollars (None is unknown) and seconds of each role that asked a model, then of all; empty for rules alone."""
    roles = {role: spent for role, spent in view.calls.by_role.items() if spent.calls}
    if not roles:
        return {}
    models = {role: list(dict.fromkeys(call.asked.model for call in view.calls.of(role))) for role in roles}
    rows = {role: {"models": models[role], **_sums(spent)} for role, spent in roles.items()}
    return rows | {"all": {"models": models_of(view), **_sums(view.calls.total)}}


def _sums(spent: Spent) -> dict[str, Any]:
    return {
        "calls": spent.calls, "input_tokens": spent.input_tokens, "output_tokens": spent.output_tokens,
        "cached_tokens": spent.cached_tokens, "cost": spent.known_cost, "seconds": spent.seconds,
    }  # fmt: skip


def models_of(view: JournalView) -> list[str]:
    """The models that were asked, in order of their first call."""
    return list(dict.fromkeys(call.asked.model for call in view.calls.of()))


def spending_rows(view: JournalView) -> list[list[str]]:
    """The spending as cells of a table: role, models, calls, tokens in and out, cost, seconds."""
    return [
        [
            role, ", ".join(row["models"]), str(row["calls"]), f"{row['input_tokens']:,}", f"{row['output_tokens']:,}", money(row["cost"]),
            f"{row['seconds']:.0f}",
        ]
        for role, row in spending(view).items()
    ]  # fmt: skip


SPENDING_HEAD = ("role", "models", "calls", "tokens in", "tokens out", "cost", "seconds")


def cost_line(view: JournalView) -> str:
    """What the models cost in one sentence; unknown is never nothing."""
    spent = view.calls.total
    if not spent.calls:
        return "no language model was called ($0.00)"
    unpriced = f" (the cost of {spent.unpriced} is unknown; the others cost {money(spent.cost)})" if spent.unpriced else ""
    return f"{plural(spent.calls, 'call')} to language models, {spent.tokens:,} tokens, {money(spent.known_cost)}{unpriced}"


def agents_section(view: JournalView) -> str:
    """Spending by role, what was repaired and what failed, and what the analyst named that would prove it wrong."""
    if not view.calls.total.calls:
        return ""
    lines = [markdown_table(SPENDING_HEAD, spending_rows(view)), "", *_conduct(view), *_falsifications(view)]
    return "## What the agents said\n\n" + "\n".join(lines)


def _conduct(view: JournalView) -> list[str]:
    """How the answers were received, role by role."""
    lines = []
    for role in dict.fromkeys(call.asked.role for call in view.calls.of()):
        calls = view.calls.of(role)
        judged = [call.judged for call in calls if call.judged is not None]
        items, taken = sum(j.items for j in judged), sum(j.taken for j in judged)
        lines.append(f"- {role}: {taken} of {items} items taken, {plural(_repairs(calls), 'repair')}{_failed(calls)}")
    return lines


def _repairs(calls: list[Call]) -> int:
    """Questions that told the model what was wrong with its answer before."""
    return len({(call.asked.round, call.asked.step) for call in calls if call.asked.step})


def _failed(calls: list[Call]) -> str:
    faults = Counter(call.answered.outcome if call.answered else "unanswered" for call in calls)
    del faults["answered"]
    return "".join(f", {number} {kind.replace('_', ' ')}" for kind, number in faults.most_common())


def _falsifications(view: JournalView) -> list[str]:
    named = [made for made in view.findings.values() if made.falsify]
    return [f"- the analyst of round {made.round} would be proved wrong by: {made.falsify}" for made in named[-3:]]
