"""The Pareto front of a run: validation against size."""

from __future__ import annotations

import math
from collections.abc import Sequence

from agentnas.memory.view import JournalView, Standing
from agentnas.tools.evaluate.base import CONFIRM
from agentnas.tools.evaluate.pareto import pareto_front
from agentnas.words import markdown_table


def front_section(view: JournalView) -> str:
    rows = [
        [s.trial, f"{view.profiles[s.trial]['parameters']:,.0f}", view.scale.spread(s.val_mean, s.val_sd)]
        for s in front_of(sized(view), view)
    ]
    return "## Pareto front: validation against size\n\n" + markdown_table(["trial", "parameters", "validation"], rows) if rows else ""


def sized(view: JournalView) -> list[tuple[Standing, float]]:
    """Trials that were trained in full and whose size is known, each with its number of parameters; best first."""
    full = (*(view.started.full if view.started else ()), CONFIRM)
    known = [(standing, view.profiles.get(standing.trial, {}).get("parameters")) for standing in view.leaderboard()]
    return [(s, float(size)) for s, size in known if size is not None and s.rung in full and math.isfinite(s.val_mean)]


def front_of(points: Sequence[tuple[Standing, float]], view: JournalView) -> list[Standing]:
    """Those of which none is smaller and better, in the direction of the metric; smallest first."""
    sign = 1 if view.higher_is_better else -1
    return pareto_front([(standing, sign * standing.val_mean, size) for standing, size in points])
