"""What a round tried: each trial with its design against its parent's, what was promised and what came."""

from __future__ import annotations

from collections.abc import Sequence

from agentnas.agents.briefing_designs import in_short, score_text, varied
from agentnas.agents.situation import Record, Situation
from agentnas.agents.statistics import gain_and_rung
from agentnas.tools.spec.cellspace import CellSpace

MOST_LINES = 12
LONGEST_CHANGE = 120
EVOLVED = "coder/evolution"
NOTHING = "no score that can be compared"


def round_lines(situation: Situation, round_: int) -> list[str]:
    """A line a trial that is no anchor, then who drafted them and how far promises were off; bounded."""
    drafted = [record for record in situation.records if record.round == round_ and not record.proposal.anchor]
    if not drafted:
        return ["No trial of this round but anchors."]
    best = next((record for record in situation.ranked() if record.round < round_), None)
    rivals = [situation.find(record.proposal.parent) or best for record in drafted]
    pairs = list(zip(drafted, rivals, strict=True))
    lines = [_line(record, rival, situation) for record, rival in pairs[:MOST_LINES]]
    lines += [f"({len(pairs) - MOST_LINES} more)"] if len(pairs) > MOST_LINES else []
    return [*lines, *_authors(drafted), *_bias(pairs, situation)]


def _line(record: Record, rival: Record | None, situation: Situation) -> str:
    expected = record.proposal.expected_gain
    promised = "" if expected is None else f"promised {expected:+.2f}, "
    came = _came(record, rival, situation)
    return f"{_design(record, rival, situation)}" + (f"; {promised}came {came}" if expected is not None or came != NOTHING else "")


def _design(record: Record, rival: Record | None, situation: Situation) -> str:
    """``t0012 83.53 ± 0.12 (3) = t0010 83.27 ± 0.12 (3) with input.dropout 0.5 -> 0.6``; cells are written out on both sides."""
    own = f"{record.trial} {score_text(record, situation)}"
    if rival is None or record.proposal.parent != rival.trial:
        return f"{own}: {in_short(record, situation.space)}, without a parent"
    parent = f"{rival.trial} {score_text(rival, situation)}"
    if isinstance(situation.space, CellSpace):
        return f"{own}: {in_short(record, situation.space)} <- {parent}: {in_short(rival, situation.space)}"
    return f"{own} = {parent} with {varied(record, situation, LONGEST_CHANGE)}"


def _came(record: Record, rival: Record | None, situation: Situation) -> str:
    found = gain_and_rung(record, rival, situation.rungs) if rival is not None else None
    if rival is None or found is None:
        return NOTHING
    gain, rung = found
    lower = f" (both at rung {rung.name})" if rung.epochs < 1.0 else ""
    return f"{gain:+.2f}{lower}" + ("" if record.proposal.parent == rival.trial else f" against {rival.trial}, the best before")


def _authors(drafted: Sequence[Record]) -> list[str]:
    evolved = sum(record.proposal.author == EVOLVED for record in drafted)
    return [f"{evolved} of these {len(drafted)} were drafted by evolution, where the coder gave too few."] if evolved else []


def _bias(pairs: Sequence[tuple[Record, Record | None]], situation: Situation) -> list[str]:
    measured = [
        found[0] - record.proposal.expected_gain
        for record, rival in pairs
        if record.proposal.expected_gain is not None and rival is not None and (found := gain_and_rung(record, rival, situation.rungs))
    ]
    if not measured:
        return []
    return [f"What came was {sum(measured) / len(measured):+.2f} points from what was promised, on average over {len(measured)}."]
