"""The section on the search: its plots and tables, as far as there is something to plot."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from agentnas.memory.view import Standing
from agentnas.page import plots
from agentnas.page.history import Training, factors, leads, trainings
from agentnas.page.plots import Point
from agentnas.page.sections import Page, tree
from agentnas.report_front import front_of, sized
from agentnas.tools.scale import Scale

FACTORS = 16  # those with the largest gain


def search(page: Page) -> dict[str, Any]:
    """Plots of the best so far, of score against size and of gains by factor; rank correlations of rungs; the winner's family."""
    view, scale = page.view, page.view.scale
    effects = [bar._replace(mean=scale.size(bar.mean), se=scale.width(bar.se)) for bar in factors(view)[:FACTORS]]
    gain = f"Reduction of {scale.name} beyond the usual change" if scale.is_error else "Gain over the usual change, in points"
    done = trainings(page.run.events, view)
    return {
        "progress": _progress(page, done), "leads": [_lead(page, training) for training in leads(done)], "front": _front(page),
        "factors": plots.bars(effects, _axis_words(scale), scale.digits) if effects else None,
        "gains": [_gain(effect, scale.digits) for effect in effects], "gain_words": gain,
        "rungs": _rungs(page), "tree": tree(page),
    }  # fmt: skip


def _progress(page: Page, done: list[Training]) -> list[Markup]:
    """Against evaluations and against time; tables have no time to speak of."""
    if not done:
        return []
    label = _label(page)
    return [_curve(page, done, 2, "evaluations", label), _curve(page, done, 3, "active seconds", label)]


def _lead(page: Page, training: Training) -> tuple[int, str, Markup, str]:
    return training.evaluations, f"{training.seconds:.1f}", page.link(training.ahead), page.view.scale.number(training.leader)


def _gain(effect: plots.Bar, digits: int) -> tuple[str, str, str, int]:
    return effect.name, f"{effect.mean:+.{digits}f}", "?" if effect.se is None else f"{effect.se:.{digits}f}", effect.pairs


def _axis_words(scale: Scale) -> str:
    return f"mean reduction of {scale.name} beyond the usual change" if scale.is_error else "mean gain over the usual change, points"


def _label(page: Page) -> str:
    """What the upright axis of a plot is of."""
    return f"validation {page.view.scale.with_direction if page.view.started else ''}".strip()


def _curve(page: Page, done: list[Training], field: int, x_label: str, y_label: str) -> Markup:
    scale = page.view.scale
    points = [
        Point(t.trial, float(t[field]), scale.natural(t.val), f"{t.trial}, seed {t.seed}: {scale.number(t.val)}", _kind(page, t.trial),
              t.trial in page.rows)
        for t in done
    ]  # fmt: skip
    steps = [(float(t[field]), scale.natural(t.leader)) for t in leads(done)]
    return plots.progress(points, steps, x_label, y_label)


def _kind(page: Page, trial: str) -> str:
    if trial == page.winner:
        return "winner"
    return "anchor" if page.view.proposals[trial].anchor else "search"


def _front(page: Page) -> dict[str, Any] | None:
    view = page.view
    points = sized(view)
    if not points:
        return None
    best = [standing.trial for standing in front_of(points, view)]
    marks = [_sized(page, standing, size) for standing, size in points]
    rows = [(page.link(trial), f"{view.profiles[trial]['parameters']:,.0f}", page.score(trial)) for trial in best]
    return {"svg": plots.front(marks, best, _label(page)), "rows": rows}


def _sized(page: Page, standing: Standing, size: float) -> Point:
    scale = page.view.scale
    label = f"{standing.trial}: {scale.spread(standing.val_mean, standing.val_sd)}, {size:,.0f} parameters"
    return Point(
        standing.trial, size, page.view.scale.natural(standing.val_mean), label, _kind(page, standing.trial), standing.trial in page.rows
    )


def _rungs(page: Page) -> list[tuple[str, str, int, str]]:
    last = {(c.lower, c.upper): c for c in page.view.correlations if c.spearman is not None}
    return [(c.lower, c.upper, c.trials, f"{c.spearman:.2f}") for c in last.values()]
