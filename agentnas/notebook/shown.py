"""A run as a notebook shows it: the answer first, then the drawing and the leaders. Every text is escaped, nothing is loaded or run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from agentnas.page.markup import anchor, tag
from agentnas.scores import repeats, task_line

if TYPE_CHECKING:
    from agentnas.run import Run

LEADERS = 5
# Lines and letters take the notebook's own colour, so that light and dark themes both fit; all rules stay inside the box.
STYLE = """
.agentnas-run { max-width: 60rem; font: 14px/1.5 system-ui, sans-serif; }
.agentnas-run h4 { margin: .2rem 0 .6rem; font-size: 1.15rem; overflow-wrap: anywhere; }
.agentnas-run p { margin: .3rem 0; overflow-wrap: anywhere; }
.agentnas-run .quiet { opacity: .75; font-size: .9em; }
.agentnas-run .figures { display: flex; flex-wrap: wrap; gap: .4rem 2.2rem; margin: .5rem 0; }
.agentnas-run .figures b { display: block; font-size: 1.5rem; font-weight: 650; line-height: 1.25; }
.agentnas-run .figures span { opacity: .75; font-size: .9em; }
.agentnas-run ul { margin: .4rem 0; padding-left: 1.2rem; }
.agentnas-run table { border-collapse: collapse; margin: .6rem 0; font-size: .92em; }
.agentnas-run th, .agentnas-run td { text-align: left; vertical-align: top; padding: .25rem .8rem .25rem 0; background: none;
  border-bottom: 1px solid color-mix(in srgb, currentColor 25%, transparent); }
.agentnas-run .figure { white-space: nowrap; font-variant-numeric: tabular-nums; }
.agentnas-run code { background: none; color: inherit; padding: 0; font-size: .95em; white-space: normal; }
.agentnas-run svg { display: block; max-width: 100%; height: auto; margin: .8rem 0; }
.agentnas-run svg text { fill: currentColor; font-size: 12px; text-anchor: middle; }
.agentnas-run svg .op { font-size: 14px; font-weight: 600; }
.agentnas-run .box rect { fill: none; stroke: currentColor; stroke-width: 1.4; }
.agentnas-run .link { fill: none; stroke: currentColor; stroke-width: 1.4; opacity: .6; }
.agentnas-run .arrow { fill: currentColor; }
.agentnas-run progress { width: 100%; max-width: 30rem; height: .9rem; }
.agentnas-run pre { margin: .4rem 0; white-space: pre-wrap; background: none; color: inherit; font-size: .9em; }
"""


def boxed(*parts: Any) -> str:
    """The parts in a box of their own style, as HTML."""
    return str(tag("div", tag("style", Markup(STYLE)), *parts, class_="agentnas-run"))


def show_run(run: Run) -> str:
    """HTML of a run; also of one that is unfinished, failed, or died before it began."""
    if run.view.started is None:
        return boxed(tag("p", f"{run.name}: nothing has happened yet"))
    parts = [_headline(run), _figures(run), _verdicts(run), _drawing(run), _leaders(run), _foot(run)]
    return boxed(*[part for part in parts if part])


def _headline(run: Run) -> Markup:
    view, trial = run.view, run.leader
    if trial is None:
        why = view.finished.message if view.finished else "no trial has finished yet"
        return tag("h4", f"No design yet: {why}")
    words = "Best design" if run.winner else "Best so far"
    return tag("h4", f"{words}: {trial} ", tag("code", view.proposals[trial].text))


def _figures(run: Run) -> Markup:
    summary, view, scale = run.summary(), run.view, run.view.scale
    unit = "" if scale.is_error else ", %"
    found = []
    if summary["test"]:
        test = summary["test"]
        found.append((scale.spread(test["mean"], test["sd"]), f"test {scale.with_direction}{unit} over {repeats(view, test['seeds'])}"))
    if summary["validation"]:
        validation = summary["validation"]
        found.append((scale.spread(validation["mean"], validation["sd"]), f"validation{unit} over {repeats(view, validation['seeds'])}"))
    elif view.best:
        found.append((scale.spread(view.best.val_mean, view.best.val_sd), f"validation{unit} over {repeats(view, view.best.seeds)}"))
    found.append((str(summary["trials"]), "trials"))
    return tag("div", *(tag("div", tag("b", figure), tag("span", words)) for figure, words in found), class_="figures")


def _verdicts(run: Run) -> Markup:
    from agentnas.report_verdicts import notes, time_lines, verdict

    view = run.view
    if view.test is None:
        return tag("p", "The test is still sealed.", class_="quiet")
    chosen = [f"chosen: {view.winner.reason}"] if view.winner else []
    said = [verdict(kind, pair, view) for kind, pair in view.test.comparison.items()]
    return tag("ul", *(tag("li", line) for line in (*said, *chosen, *time_lines(view), *notes(view))))


def _drawing(run: Run) -> Markup:
    from agentnas.page.drawing import draw

    if run.leader is None:
        return Markup("")
    # Ids hold for the whole notebook: each drawing has an arrow of its own, for that of a hidden output would be invisible.
    return draw(run.best, anchor("arrow", run.name))


def _leaders(run: Run) -> Markup:
    from agentnas.notebook.trials import trials_table

    leaders = [row for row in run.trials.best_first() if row.rank is not None][:LEADERS]
    return trials_table(leaders, run.winner, run.view.scale) if leaders else Markup("")


def _foot(run: Run) -> Markup:
    started = run.view.started
    assert started is not None
    return tag("p", f"run {run.name} · {task_line(run.view)} · {run.view.active_seconds:.0f} s", class_="quiet")
