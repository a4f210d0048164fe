"""The morning page, as one HTML file and as Markdown: what was found for each task, against which baseline, what failed, what it cost.

It shares its style with the report of a run, and its policy: no script, nothing from the network, every text escaped.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

from markupsafe import Markup

from agentnas.batch.file import told
from agentnas.batch.folder import COPY_FILE, MARKDOWN_FILE, PAGE_FILE, job_folder
from agentnas.batch.journal import BatchView, JobEnded
from agentnas.batch.process import log_file
from agentnas.batch.progress import Standing, best_words, clock, counts, dollars, resume_command, rough, standings, total_cost
from agentnas.batch.timeline import timeline
from agentnas.memory.rundir import write_atomic
from agentnas.page.markup import joined, tag
from agentnas.page.page import hash_of
from agentnas.report import PAGE_FILE as RUN_PAGE_FILE
from agentnas.report import REPORT_FILE
from agentnas.report_verdicts import verdict
from agentnas.tools.scale import Scale
from agentnas.words import markdown_table, plural

HEAD = ("job", "test", "validation", "design", "against the baselines", "trials", "report")
COST_HEAD = ("job", "state", "began", "active", "attempts", "calls", "tokens", "cost")
FAILED_HEAD = ("job", "task", "state", "why", "attempts", "best validation", "log")
_CLASSES = {"test": "figure", "validation": "figure", "best validation": "figure", "design": "design", "why": "design",
            "against the baselines": "design"}  # fmt: skip
STYLE = """
.batch td:last-child { min-width: 0; } .batch td, .batch tbody th { overflow-wrap: break-word; } .batch .design { min-width: 14rem; }
.batch td.figure { overflow-wrap: normal; } .batch td ul { margin: 0; padding-left: 1rem; }
.span { fill: var(--searched); } .span.found { fill: var(--curve); } .span.bad { fill: var(--winner); } .span.late { fill: var(--anchor); }
.timeline text { font-size: 12px; } .deadline { stroke: var(--winner); stroke-dasharray: 4 3; stroke-width: 1.5; }
.key.found::before { background: var(--curve); } .key.bad::before { background: var(--winner); }
.key.late::before { background: var(--anchor); }
"""


class Link(NamedTuple):
    """A file beside the page, by the name that it is shown under."""

    name: str
    path: str


Cell = str | Link | Sequence[str]


class Table(NamedTuple):
    """A table of the page; ``caption`` says what it is."""

    caption: str
    head: Sequence[str]
    rows: list[list[Cell]]
    note: str = ""


class Section(NamedTuple):
    """A heading, sentences, and tables."""

    key: str
    title: str
    lines: list[str]
    tables: list[Table]


def write_page(folder: Path, view: BatchView) -> None:
    """Write ``report.html`` and ``report.md`` into the batch's folder, replacing an earlier state; raises RunError."""
    jobs = standings(folder, view)
    write_atomic(folder / PAGE_FILE, render_html(folder, view, jobs).encode())
    write_atomic(folder / MARKDOWN_FILE, render_markdown(folder, view, jobs).encode())


def sections(folder: Path, view: BatchView, jobs: list[Standing]) -> list[Section]:
    """All that the page tells, in its order."""
    found = [job for job in jobs if job.state.outcome == "designed"]
    others = [job for job in jobs if job.state.outcome != "designed"]
    return [_found(folder, found), _not_found(folder, others), _cost(view, jobs), _again(folder, view)]


def headline(view: BatchView, jobs: list[Standing]) -> str:
    """How many jobs found a design, and what became of the others."""
    numbers = counts(jobs)
    parts = [f"{count} {state}" for state, count in numbers.items() if state != "found"]
    return f"{numbers.get('found', 0)} of {plural(len(jobs), 'job')} found a design" + (f"; {', '.join(parts)}" if parts else "") + "."


def state_words(view: BatchView) -> str:
    """Whether the night is over, and when the page was written."""
    if view.finished is not None:
        return f"ended {clock(view.last_at)}"
    if view.interrupted is not None:
        return f"interrupted {clock(view.last_at)}"
    return f"under way, as of {time.strftime('%Y-%m-%d %H:%M:%S')}; reload for news"


# Sections


def _found(folder: Path, jobs: list[Standing]) -> Section:
    groups: dict[tuple[str, str], list[Standing]] = {}
    for job in jobs:
        groups.setdefault((job.task, job.protocol), []).append(job)
    tables = [_task_table(folder, task, protocol, members) for (task, protocol), members in groups.items()]
    lines = [
        "Scores are mean ± standard deviation over seeds. A difference is paired over the seeds that both were trained on; it is a gain"
        " only where zero lies outside of its 95 % interval. Jobs of one task and protocol stand together, best validation first; jobs of"
        " different protocols are never ranked against each other."
    ]
    return Section("found", "What was found", lines if jobs else ["Nothing yet."], tables)


def _task_table(folder: Path, task: str, protocol: str, jobs: list[Standing]) -> Table:
    higher = all(job.run.view.higher_is_better for job in jobs if job.run)
    ranked = sorted(jobs, key=lambda job: job.run.view.winner.val_mean if job.run and job.run.view.winner else 0.0, reverse=higher)
    metric = next((job.run.view.scale.with_direction for job in ranked if job.run and job.run.view.started), "")
    note = "" if len(jobs) == 1 else f"{ranked[0].name} leads by validation; a difference between jobs was not tested."
    return Table(f"{task}: {metric}, {protocol}", HEAD, [_found_row(folder, job) for job in ranked], note)


def _found_row(folder: Path, job: Standing) -> list[Cell]:
    assert job.run is not None
    view, summary = job.run.view, job.run.summary()
    winner, test, validation = summary["winner"], summary["test"], summary["validation"]
    verdicts = [verdict(kind, pair, view) for kind, pair in (view.test.comparison if view.test else {}).items()]
    limits = _limits(job)
    return [
        f"{job.name}{f' ({limits})' if limits else ''}", _score(test, view.scale), _score(validation, view.scale),
        winner["architecture"] if winner else "-", verdicts, str(view.num_tried), _report_link(folder, job),
    ]  # fmt: skip


def _score(score: dict[str, Any] | None, scale: Scale) -> str:
    return "-" if score is None else f"{scale.spread(score['mean'], score['sd'])} ({plural(score['seeds'], 'seed')})"


def _limits(job: Standing) -> str:
    """The hard limits that the job asked for: designs under different limits answer different questions."""
    settings = job.state.job.settings
    return ", ".join(f"{key} {settings[key]:,}" for key in settings if key.startswith("max_") and isinstance(settings[key], (int, float))
                     and key not in ("max_cost", "max_tokens", "max_llm_calls"))  # fmt: skip


def _report_link(folder: Path, job: Standing) -> Cell:
    if job.run is None:
        return "-"
    file = next((name for name in (RUN_PAGE_FILE, REPORT_FILE) if (job.run.path / name).exists()), None)
    return Link("report", os.path.relpath(job.run.path / file, folder)) if file else job.run.name


def _not_found(folder: Path, jobs: list[Standing]) -> Section:
    ended = [job for job in jobs if job.state.is_over or job.state.failures]
    waiting = [job for job in jobs if job not in ended]
    rows: list[list[Cell]] = [
        [job.name, job.task, job.state.state, _why(job), str(job.state.attempts), best_words(job), _log_link(folder, job)] for job in ended
    ]
    lines = [] if rows else ["None."]
    lines += [f"Under way or waiting: {', '.join(f'{job.name} ({job.state.state})' for job in waiting)}."] if waiting else []
    lines += [f"Left aside, since it cannot be read: {problem}" for job in jobs for problem in job.problems]
    return Section("failed", "What was not found, and why", lines, [Table("Jobs without a design", FAILED_HEAD, rows)] if rows else [])


def _why(job: Standing) -> list[str]:
    """The last reason, and those of attempts before it that were other ones."""
    last = job.state.message or "-"
    earlier = [event.message for event in job.state.history if isinstance(event, JobEnded) and event.message]
    return list(dict.fromkeys([last, *(f"before: {message}" for message in earlier if message != last)]))


def _log_link(folder: Path, job: Standing) -> Cell:
    if not job.state.attempts:
        return "-"
    log = log_file(job_folder(folder, job.name), job.state.attempts)
    return Link(log.name, os.path.relpath(log, folder))


def _cost(view: BatchView, jobs: list[Standing]) -> Section:
    rows: list[list[Cell]] = []
    for job in jobs:
        run = job.run.view if job.run else None
        spent = run.calls.total if run else None
        rows.append([
            job.name, job.state.state, clock(job.state.began), rough(run.active_seconds) if run else "-", str(job.state.attempts),
            f"{spent.calls:,}" if spent else "0", f"{spent.tokens:,}" if spent else "0", dollars(job.cost),
        ])  # fmt: skip
    limit = f" of at most ${view.night.max_cost:g}" if view.night.max_cost is not None else ""
    active = sum(job.run.view.active_seconds for job in jobs if job.run)
    total = total_cost(jobs)
    unknown = "; the price of at least one call is unknown" if total is None else ""
    lines = [f"Language models: {dollars(total)}{limit}{unknown}. Active time of all jobs: {rough(active)}."]
    return Section("cost", "What it cost", lines, [Table("Time and money by job", COST_HEAD, rows)])


def _again(folder: Path, view: BatchView) -> Section:
    assert view.started is not None
    lines = [f"File: {Path(view.started.file).name}; as it was when the night began, it lies beside this page as {COPY_FILE}."]
    lines.append(f"Night: {told(view.night)}; {plural(view.resumes, 'resume')}.")
    if view.finished is None or any(state.outcome == "out_of_time" for state in view.jobs.values()):
        lines.append(f"To go on: {resume_command(view, folder)}")
    return Section("again", "The night itself", lines, [])


# HTML


def render_html(folder: Path, view: BatchView, jobs: list[Standing]) -> str:
    """The page as HTML that needs no network and runs no script."""
    assert view.started is not None
    style = resources.files("agentnas.page").joinpath("page.css").read_text(encoding="utf-8") + STYLE
    policy = f"default-src 'none'; style-src '{hash_of(style)}'; base-uri 'none'; form-action 'none'"
    name = Path(view.started.file).stem
    parts = sections(folder, view, jobs)
    links = joined(item for part in parts for item in (tag("a", part.title, href=f"#{part.key}"), " "))
    lead = tag("p", headline(view, jobs), class_="lead")
    header = tag(
        "header", tag("p", "AgentNAS batch", class_="kicker"), tag("h1", f"Batch {name}"), lead,
        tag("p", tag("span", state_words(view), class_="state")), tag("nav", links, aria_label="Sections"),
    )  # fmt: skip
    main = tag("main", _figures(view, jobs), *(_section(part) for part in parts), id="main")
    return Markup(
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<meta http-equiv="Content-Security-Policy" content="{}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta name="color-scheme" content="light dark">\n'
        '<meta name="referrer" content="no-referrer">\n<title>Batch {} · AgentNAS</title>\n<style>{}</style>\n</head>\n'
        '<body class="batch">\n<a class="skip" href="#main">Skip to the results</a>\n{}\n{}\n</body>\n</html>\n'
    ).format(Markup(policy), name, Markup(style), header, main)


def _figures(view: BatchView, jobs: list[Standing]) -> Markup:
    """The night in four figures, and as a picture."""
    assert view.started is not None
    numbers = counts(jobs)
    end = view.last_at if view.finished or view.interrupted else time.time()
    figures = [
        ("found a design", f"{numbers.get('found', 0)} of {len(jobs)}", "main"),
        ("evaluations", f"{sum(job.run.view.num_evaluations for job in jobs if job.run):,}", None),
        ("from start to end", rough(end - view.started.at), None),
        ("language models", dollars(total_cost(jobs)), None),
    ]
    boxes = [tag("div", tag("dt", name), tag("dd", value), class_=kind) for name, value, kind in figures]
    kinds = (("found", "found"), ("late", "out of time or budget, stopped"), ("bad", "failed or tried again"), ("search", "running"))
    legend = [tag("span", words, class_=f"key {kind}") for kind, words in kinds]
    note = "Each bar is an attempt at a job; the table of costs below has the same times."
    picture = tag("figure", timeline(view, end), tag("figcaption", note))
    return tag("section", tag("h2", "The night"), tag("dl", *boxes, class_="figures"), tag("p", *legend, class_="legend"), picture)


def _section(part: Section) -> Markup:
    heading = f"h-{part.key}"
    return tag(
        "section", tag("h2", part.title, id=heading), *(tag("p", line) for line in part.lines), *map(_table, part.tables),
        id=part.key, aria_labelledby=heading,
    )  # fmt: skip


def _table(table: Table) -> Markup:
    head = tag("thead", tag("tr", *(tag("th", name, scope="col") for name in table.head)))
    body = tag("tbody", *(_row(table.head, row) for row in table.rows))
    region = tag("div", tag("table", head, body), class_="wide", tabindex="0", role="region", aria_label=table.caption)
    return joined([tag("h3", table.caption), region, tag("p", table.note, class_="quiet") if table.note else ""])


def _row(head: Sequence[str], row: Sequence[Cell]) -> Markup:
    first, *others = row
    cells = (tag("td", _cell(cell, str(first)), class_=_CLASSES.get(name)) for name, cell in zip(head[1:], others, strict=True))
    return tag("tr", tag("th", first, scope="row"), *cells)


def _cell(cell: Cell, job: str) -> Any:
    if isinstance(cell, Link):
        return tag("a", cell.name, href=_url(cell.path), aria_label=f"{cell.name} of {job}")
    if isinstance(cell, str):
        return cell
    return tag("ul", *(tag("li", line) for line in cell)) if len(cell) > 1 else "".join(cell)


def _url(path: str) -> str:
    """A relative path as a link: its letters can say nothing else than a path."""
    from urllib.parse import quote

    return f"./{quote(path)}"


# Markdown


def render_markdown(folder: Path, view: BatchView, jobs: list[Standing]) -> str:
    """The same as Markdown."""
    assert view.started is not None
    parts = [f"# Batch {Path(view.started.file).stem}", f"**{headline(view, jobs)}** {state_words(view).capitalize()}."]
    for part in sections(folder, view, jobs):
        parts += [f"## {part.title}", *part.lines]
        for table in part.tables:
            parts += [f"### {table.caption}", markdown_table(table.head, [[_words(cell) for cell in row] for row in table.rows])]
            parts += [table.note] if table.note else []
    return "\n\n".join(parts) + "\n"


def _words(cell: Cell) -> str:
    if isinstance(cell, Link):
        return f"[{cell.name}]({_url(cell.path)})"
    text = cell if isinstance(cell, str) else "; ".join(cell)
    return " ".join(text.replace("<", "&lt;").split())
