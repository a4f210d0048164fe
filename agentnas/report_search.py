"""What the search itself taught, for the report: findings, cheap rungs, seeds that were not needed."""

from __future__ import annotations

import math
from collections.abc import Sequence

from agentnas.agents.splits import levelled
from agentnas.busy import race_lines
from agentnas.memory.events import PlanMade
from agentnas.memory.view import JournalView
from agentnas.scores import full_scores, offsets_of, repeat_of
from agentnas.words import markdown_table


def progress_text(view: JournalView) -> str:
    """Best mean at full fidelity as rounds went by; where splits differ in difficulty, made comparable."""
    rows, best, offsets = [], -math.inf, offsets_of(view)
    for round_, trials in sorted(view.rounds.items()):
        if means := [levelled(scores, offsets) for trial in trials if (scores := full_scores(view, trial))]:
            best = max(best, *means)
            rows.append([str(round_), str(len(trials)), view.scale.number(best), _plan(view.plans[round_])])
    each = repeat_of(view)
    note = f", as if each trial had been trained on the same {each}s: some are easier than others" if offsets else ""
    return f"Best validation so far, by round{note}:\n\n" + markdown_table(["round", "trials", "best", "plan"], rows)


def order_text(view: JournalView) -> str:
    """How the leaderboard is ordered, and what in it cannot be compared."""
    apart = f"; some {repeat_of(view)}s are easier than others, so means over few and over many of them cannot be compared"
    return "The highest rung first, then the best validation" + (apart if offsets_of(view) else "")


def _plan(event: PlanMade) -> str:
    """Why a round looked where it did, and within which bounds."""
    from agentnas.tools.spec.narrowing import in_words

    return event.reason + (f"; only {in_words(event.bounds)}, as the owner asked" if event.bounds else "")


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
