"""What the search itself taught, for the report: findings, cheap rungs, seeds that were not needed."""

from __future__ import annotations

from collections.abc import Sequence

from agentnas.busy import race_lines
from agentnas.memory.view import JournalView
from agentnas.words import markdown_table


def factors_section(view: JournalView) -> str:
    """What the analyst found last, with the trials behind it; nothing where there is none."""
    last = view.findings[max(view.findings)] if view.findings else None
    if last is None or not last.findings:
        return ""
    lines = [
        f"- `finding:{finding.get('id') or f'r{last.round}-{number}'}` {finding['text']} ({_few(finding['trials'])})"
        for number, finding in enumerate(last.findings, start=1)
    ]
    return f"## What the analyst found\n\nAfter round {last.round}:\n\n" + "\n".join(lines)


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:6]) + (f", {len(names) - 6} more" if len(names) > 6 else "")


def rungs_section(view: JournalView) -> str:
    """How well a lower rung foretells the next; nothing where too few trials were promoted."""
    last = {(c.lower, c.upper): c for c in view.correlations if c.spearman is not None}
    if not last:
        return ""
    rows = [[c.lower, c.upper, str(c.trials), f"{c.spearman:.2f}"] for c in last.values()]
    header = ["lower rung", "upper rung", "trials", "rank correlation"]
    note = "Only promoted trials reach the upper rung, which makes the correlation smaller than it is over all trials."
    return "## Can the cheap rungs be trusted?\n\n" + markdown_table(header, rows) + f"\n\n{note}"


def race_section(view: JournalView) -> str:
    """Seeds that the race spared; nothing where it spared none."""
    lines = race_lines(view)
    return "## Seeds that were not needed\n\n" + "\n".join([lines[0], "", *lines[1:]]) if lines else ""
