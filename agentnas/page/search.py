"""The section on the search: its plots and tables, as far as there is something to plot."""

from __future__ import annotations

import math
from typing import Any

from markupsafe import Markup

from agentnas.memory.view import Standing
from agentnas.page import plots
from agentnas.page.history import Training, factors, trainings
from agentnas.page.plots import Point
from agentnas.page.sections import Page, tree
from agentnas.tools.evaluate.base import CONFIRM
from agentnas.tools.evaluate.pareto import pareto_front
from agentnas.words import spread


def search(page: Page) -> dict[str, Any]:
    """Plots of the best so far, of score against size and of gains by factor; rank correlations of rungs; the winner's family."""
    effects = factors(page.view)
    return {
        "progress": _progress(page), "front": _front(page), "factors": plots.bars(effects[:16]) if effects else None,
        "rungs": _rungs(page), "tree": tree(page),
    }  # fmt: skip


def _progress(page: Page) -> list[Markup]:
    """Against evaluations and against time; tables have no time to speak of."""
    done = trainings(page.run.events, page.view)
    if not done:
        return []
    label = f"validation {page.view.started.metric if page.view.started else ''}".strip()
    return [_curve(page, done, 2, "evaluations", label), _curve(page, done, 3, "active seconds", label)]


def _curve(page: Page, done: list[Training], field: int, x_label: str, y_label: str) -> Markup:
    points = [
        Point(t.trial, float(t[field]), t.val, f"{t.trial}, seed {t.seed}: {t.val:.2f}", _kind(page, t.trial), t.trial in page.rows)
        for t in done
    ]  # fmt: skip
    steps = [(float(t[field]), t.leader) for before, t in zip([None, *done], done, strict=False) if not before or before.leader != t.leader]
    return plots.progress(points, steps, x_label, y_label)


def _kind(page: Page, trial: str) -> str:
    if trial == page.winner:
        return "winner"
    return "anchor" if page.view.proposals[trial].anchor else "search"


def _front(page: Page) -> dict[str, Any] | None:
    """Trials that were trained in full and whose size is known."""
    view = page.view
    full = (*(view.started.full if view.started else ()), CONFIRM)
    sized = [(s, view.profiles.get(s.trial, {}).get("parameters")) for s in view.leaderboard()]
    points = [(s, float(size)) for s, size in sized if size is not None and s.rung in full and math.isfinite(s.val_mean)]
    if not points:
        return None
    sign = 1 if view.higher_is_better else -1
    best = [standing.trial for standing in pareto_front([(s, sign * s.val_mean, size) for s, size in points])]
    marks = [_sized(page, standing, size) for standing, size in points]
    rows = [(page.link(trial), f"{view.profiles[trial]['parameters']:,.0f}", page.score(trial)) for trial in best]
    return {"svg": plots.front(marks, best, f"validation {view.started.metric if view.started else ''}".strip()), "rows": rows}


def _sized(page: Page, standing: Standing, size: float) -> Point:
    label = f"{standing.trial}: {spread(standing.val_mean, standing.val_sd)}, {size:,.0f} parameters"
    return Point(standing.trial, size, standing.val_mean, label, _kind(page, standing.trial), standing.trial in page.rows)


def _rungs(page: Page) -> list[tuple[str, str, int, str]]:
    last = {(c.lower, c.upper): c for c in page.view.correlations if c.spearman is not None}
    return [(c.lower, c.upper, c.trials, f"{c.spearman:.2f}") for c in last.values()]
