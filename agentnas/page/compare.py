"""The comparison of runs, as one HTML page and as Markdown: a ranking a task and protocol, never one across."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from agentnas.comparing import Group, changes_from, difference, difference_text, groups_of, settings_that_differ
from agentnas.config import format_duration
from agentnas.page.history import Training, leads, trainings
from agentnas.page.markup import anchor, tag
from agentnas.page.page import render_template
from agentnas.page.plots import Curve, curves
from agentnas.report import profile_text, summarise
from agentnas.report_verdicts import ended_words, verdict
from agentnas.tools.scale import Scale
from agentnas.words import markdown_table, money, plural

if TYPE_CHECKING:
    from agentnas.run import Run

RANKING = ("run", "winner", "validation", "test")
COST = ("run", "trials", "evaluations", "active", "models", "calls", "tokens", "cost")
APART = (
    "These runs are of {} different tasks or protocols. Scores of one say nothing about those of another: each has a ranking of its own, "
    "and nothing is reckoned across."
)
# Where the line of the best so far is read off for its table.
CHECKPOINTS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
QUARTERS = (0.1, 0.25, 0.5, 0.75, 1.0)


def render_comparison(runs: Sequence[Run]) -> str:
    """Several runs as one page, also of runs that are unfinished, failed or never began."""
    groups = groups_of(runs)
    told = [_group(group, number) for number, group in enumerate(groups, start=1)]
    title = f"{plural(len(runs), 'run')} compared"
    return render_template("compare.html", {"title": title, "groups": told, "apart": _apart(groups)})


def _apart(groups: Sequence[Group]) -> str:
    return APART.format(len(groups)) if len(groups) > 1 else ""


def _group(group: Group, number: int) -> dict[str, Any]:
    histories = [trainings(run.events, run.view) for run in group.runs]
    return {
        "id": f"group-{number}", "task": group.task, "protocol": group.protocol, "metric": group.scale.with_direction,
        "first": group.runs[0].name,
        "head": _ranking_head(group), "ranking": _linked(_ranking(group)), "names": [run.name for run in group.runs],
        "plots": _plots(group, histories), "by_evaluations": _read_off(histories, "evaluations", group.scale),
        "by_time": _read_off(histories, "seconds", group.scale), "winners": [_winner(group, run) for run in group.runs],
        "settings": [[name, *map(_value, values)] for name, values in settings_that_differ(group.runs)],
        "cost_head": COST, "cost": _linked(_cost(group)),
    }  # fmt: skip


def _ranking_head(group: Group) -> list[str]:
    """The best of equally many trials is told beside the winners: who ran longer found more."""
    best = f"best of the first {plural(group.rows[0]['best_at'], 'trial')}"
    return [*RANKING[:3], best, *RANKING[3:], f"test minus that of {group.runs[0].name}", "state"]


def _ranking(group: Group) -> list[list[Any]]:
    return [_ranked(group, run, row) for run, row in group.ranked]


def _ranked(group: Group, run: Run, row: dict[str, Any]) -> list[Any]:
    view, scale, chosen = run.view, run.view.scale, run.view.winner
    ended = f"; {ended_words(row['cut'], row['trainings'])}" if row["cut"] else ""
    validation = f"{scale.spread(chosen.val_mean, chosen.val_sd)} ({plural(chosen.seeds, 'seed')}{ended})" if chosen else "–"
    test = f"{scale.spread(row['test'], row['sd'])} ({plural(row['seeds'], 'seed')})" if row["test"] is not None else "sealed"
    against = "–" if row["is_first"] or row["test"] is None else difference_text(difference(view, group.runs[0].view), scale)
    best = "–" if row["best"] is None else scale.number(row["best"])
    return [run.name, view.winner.trial if view.winner else "none yet", validation, best, test, against, summarise(run)["outcome"]]


def _linked(rows: list[list[Any]]) -> list[list[Any]]:
    return [[tag("a", row[0], href=f"#{anchor('run', row[0])}"), *row[1:]] for row in rows]


def _plots(group: Group, histories: Sequence[list[Training]]) -> list[Markup]:
    label = f"validation {group.scale.with_direction}"
    return [
        curves([_curve(run.name, done, field, group.scale) for run, done in zip(group.runs, histories, strict=True) if done], words, label)
        for field, words in (("evaluations", "evaluations"), ("seconds", "active seconds"))
        if any(histories)
    ]  # fmt: skip


def _curve(name: str, done: list[Training], field: str, scale: Scale) -> Curve:
    steps = [
        (float(getattr(t, field)), scale.natural(t.leader), f"{name}: {t.ahead} leads with {scale.number(t.leader)}") for t in leads(done)
    ]
    return Curve(name, steps, float(getattr(done[-1], field)))


def _read_off(histories: Sequence[list[Training]], field: str, scale: Scale) -> list[list[str]]:
    """The leader's mean of every run at some moments; nothing after a run's own end."""
    end = max((float(getattr(done[-1], field)) for done in histories if done), default=0.0)
    places = [n for n in CHECKPOINTS if n < end] + [end] if field == "evaluations" else [share * end for share in QUARTERS]
    return [[f"{place:,.0f}", *(_at(done, field, place, scale) for done in histories)] for place in places] if end else []


def _at(done: Sequence[Training], field: str, place: float, scale: Scale) -> str:
    before = [t for t in done if getattr(t, field) <= place]
    return scale.number(before[-1].leader) if before and getattr(done[-1], field) >= place else "–"


def _winner(group: Group, run: Run) -> dict[str, Any]:
    view, trial = run.view, run.leader
    found: dict[str, Any] = {"id": anchor("run", run.name), "name": run.name, "trial": trial, "chosen": run.winner is not None}
    if trial is None:
        return found
    from agentnas.page.drawing import draw

    changes = changes_from(group.runs[0], run) if run is not group.runs[0] else None
    return found | {
        "svg": draw(run.best, anchor("arrow", run.name)), "text": view.proposals[trial].text,
        "size": profile_text(view.profiles.get(trial, {}), view), "changes": changes,
        "verdicts": [verdict(kind, pair, view) for kind, pair in view.test.comparison.items()] if view.test else [],
    }  # fmt: skip


def _value(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return "–" if value is None else "yes" if value else "no"
    return ", ".join(map(str, value)) or "–" if isinstance(value, list | tuple) else str(value)


def _cost(group: Group) -> list[list[Any]]:
    return [
        [
            row["run"], row["trials"], row["evaluations"], format_duration(round(row["active_seconds"])), row["llm"], row["calls"],
            f"{row['tokens']:,}", money(row["cost"]) if row["calls"] else "–",
        ]
        for row in group.rows
    ]  # fmt: skip


def comparison_markdown(runs: Sequence[Run]) -> str:
    """The same comparison as Markdown."""
    groups = groups_of(runs)
    parts = [f"# {plural(len(runs), 'run')} compared", _apart(groups), *(_group_markdown(group) for group in groups)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _group_markdown(group: Group) -> str:
    names = [run.name for run in group.runs]
    read = _read_off([trainings(run.events, run.view) for run in group.runs], "evaluations", group.scale)
    settings = [[name, *map(_value, values)] for name, values in settings_that_differ(group.runs)]
    parts = [
        f"## {group.task}, {group.protocol}, metric {group.scale.with_direction}", markdown_table(_ranking_head(group), _ranking(group)),
        "### The best so far, by evaluations" if read else "", markdown_table(["evaluations", *names], read) if read else "",
        "### The designs", *(_design_markdown(group, run) for run in group.runs),
        "### Cost", markdown_table(COST, _cost(group)),
        "### Settings that differ", markdown_table(["setting", *names], settings) if settings else "None.",
    ]  # fmt: skip
    return "\n\n".join(part for part in parts if part)


def _design_markdown(group: Group, run: Run) -> str:
    told = _winner(group, run)
    if told["trial"] is None:
        return f"- {run.name}: no trial has finished"
    lines = [f"- {run.name}, {'winner' if told['chosen'] else 'leader so far'} {told['trial']}: `{told['text']}`"]
    lines += [f"  - {line}" for line in told["verdicts"]]
    if told["changes"] is not None:
        lines.append(f"  - against {group.runs[0].name}: {'; '.join(told['changes']) or 'the same design'}")
    return "\n".join(lines)
