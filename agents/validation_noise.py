"""How far the validation nodes themselves can tell two designs apart.

On one fixed split every seed is scored on the same nodes. The spread over seeds then says how much training varies, and nothing about
which nodes happen to be in the validation part: 500 other nodes would have ranked close designs otherwise.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from agentnas.agents.situation import Record
from agentnas.tools.evaluate.base import CONFIRM
from agentnas.tools.evaluate.right import DETAIL, share_right


@dataclass(frozen=True)
class NodeGap:
    """Mean difference of two designs over the validation nodes, and its standard error over them; percentage points."""

    difference: float
    se: float
    nodes: int

    @property
    def undecided(self) -> bool:
        """Whether the lead is less than one standard error (the one-standard-error rule, Breiman et al., 1984)."""
        return self.difference < self.se

    def __str__(self) -> str:
        return f"{self.difference:.2f} ± {self.se:.2f} over the {self.nodes} validation nodes"


def gap_over_nodes(ours: Record, theirs: Record, seeds: Collection[int]) -> NodeGap | None:
    """Ours minus theirs over the confirmations of these seeds; None where their trainings did not say which nodes were right."""
    told = [_told(record, seeds) for record in (ours, theirs)]
    if not all(told):
        return None
    first, second = (share_right(texts) for texts in told)
    gap = 100.0 * (first - second)
    return NodeGap(float(gap.mean()), float(gap.std(ddof=1)) / len(gap) ** 0.5, len(gap)) if len(gap) > 1 else None


def _told(record: Record, seeds: Collection[int]) -> list[str]:
    """What each of these seeds' confirmations got right; empty where one does not say."""
    done = [e.details.get(DETAIL) for e in record.trainings if e.rung == CONFIRM and e.seed in seeds]
    return [str(text) for text in done] if all(done) else []
