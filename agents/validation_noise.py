"""How far the validation items themselves can tell two designs apart.

On one fixed split every seed is scored on the same nodes, graphs or pairs. The spread over seeds then says how much training varies, and
nothing about which of them happen to be in the validation part: 500 other nodes would have ranked close designs otherwise.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from agentnas.agents.situation import Record
from agentnas.tools.evaluate.base import CONFIRM
from agentnas.tools.evaluate.right import DETAIL, share_right
from agentnas.tools.scale import ITEMS


@dataclass(frozen=True)
class Gap:
    """Mean difference of two designs over the validation items, and its standard error over them; percentage points."""

    difference: float
    se: float
    count: int
    items: str
    """What is predicted of: ``nodes``, ``graphs`` or ``pairs``."""

    @property
    def undecided(self) -> bool:
        """Whether the lead is less than one standard error (the one-standard-error rule, Breiman et al., 1984)."""
        return self.difference < self.se

    def __str__(self) -> str:
        return f"{self.difference:.2f} ± {self.se:.2f} over the {self.count} validation {self.items}"


def gap_over_items(ours: Record, theirs: Record, seeds: Collection[int]) -> Gap | None:
    """Ours minus theirs over the confirmations of these seeds; None where their trainings did not say which items were right."""
    told = [_told(record, seeds) for record in (ours, theirs)]
    if not all(told):
        return None
    first, second = (share_right(texts) for texts in told)
    gap = 100.0 * (first - second)
    if len(gap) < 2:
        return None
    return Gap(float(gap.mean()), float(gap.std(ddof=1)) / len(gap) ** 0.5, len(gap), f"{ITEMS[ours.spec.head.kind]}s")


def _told(record: Record, seeds: Collection[int]) -> list[str]:
    """What each of these seeds' confirmations got right; empty where one does not say."""
    done = [e.details.get(DETAIL) for e in record.trainings if e.rung == CONFIRM and e.seed in seeds]
    return [str(text) for text in done] if all(done) else []
