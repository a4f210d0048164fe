"""What a report says of the space that was searched, and of the designs that a person started from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentnas.memory.events import PlanMade, Proposal
from agentnas.memory.view import JournalView
from agentnas.words import plural


def verdict_on_start(name: str, pair: Mapping[str, Any]) -> str:
    """The comparison with the design that a person started from."""
    if pair["is_winner"]:
        return f"the search returned your own {name}: nothing that it tried was better on validation by more than the noise"
    if pair["se"] is None:
        return f"against your own {name}: {pair['difference']:+.2f} on one score each, noise unknown"
    gap = f"{pair['difference']:+.2f} ± {pair['se']:.2f} (standard error, {plural(pair['seeds'], 'paired seed')})"
    what = "inside the noise, no gain" if pair["inside_noise"] else f"a {'gain' if pair['difference'] > 0 else 'loss'}"
    return f"against your own {name}: {gap}: {what}"


def role_of(proposal: Proposal) -> str:
    """What an anchor is in a table of scores."""
    role = "your start" if proposal.anchor == "start" else f"best {proposal.anchor} anchor"
    return f"{role}, outside the space" if proposal.reference else role


def space_lines(view: JournalView) -> str:
    """What was searched, what was locked, and which anchors lay outside; nothing for the usual space."""
    from agentnas.searched import told_space

    assert view.started is not None
    lines = told_space(view.started.searched)
    return "\n\n" + "\n".join(f"- {line}" for line in lines) if lines else ""


def plan_text(event: PlanMade) -> str:
    """Why a round looked where it did, and within which bounds."""
    from agentnas.tools.spec.narrowing import in_words

    return event.reason + (f"; only {in_words(event.bounds)}, as the owner asked" if event.bounds else "")
