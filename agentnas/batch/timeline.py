"""The night as a picture: a line a job, a bar an attempt, the deadline dashed."""

from __future__ import annotations

import time

from markupsafe import Markup

from agentnas.batch.journal import BatchView, JobEnded, JobStarted, JobState
from agentnas.batch.progress import clock, rough
from agentnas.page.markup import tag

WIDTH, LEFT, RIGHT, ROW, BOTTOM = 900, 220, 40, 24, 34
LONGEST = 28
MOST_ROWS = 60
TICKS = 6


def timeline(view: BatchView, end: float) -> Markup:
    """Bars of all attempts from the start to ``end``; of many jobs the first ones."""
    assert view.started is not None
    begin = view.started.at
    last = max(end, begin + 1.0)
    jobs = list(view.jobs.values())[:MOST_ROWS]
    base = ROW * len(jobs) + 6
    parts = [*_axis(begin, last, base)]
    for row, state in enumerate(jobs):
        y = row * ROW + 6
        parts.append(tag("text", _cut(state.job.name), x=LEFT - 10, y=y + 13, class_="tick y"))
        parts += [_bar(span, begin, last, y) for span in _spans(state, last)]
    if view.deadline is not None and view.deadline <= last:
        x = _x(view.deadline, begin, last)
        parts.append(tag("line", tag("title", f"deadline {clock(view.deadline)}"), x1=x, x2=x, y1=0, y2=base, class_="deadline"))
    label = f"When each of {len(view.jobs)} jobs ran, from {clock(begin)} to {clock(last)}"
    return tag("svg", *parts, viewBox=f"0 0 {WIDTH} {base + BOTTOM}", class_="timeline", role="img", aria_label=label)


def _axis(begin: float, end: float, base: float) -> list[Markup]:
    parts = [tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=base, y2=base, class_="axis")]
    shape = "%H:%M:%S" if end - begin < 600 else "%H:%M"
    for number in range(TICKS + 1):
        at = begin + (end - begin) * number / TICKS
        x = _x(at, begin, end)
        parts.append(tag("line", x1=x, x2=x, y1=0, y2=base, class_="grid"))
        parts.append(tag("text", time.strftime(shape, time.localtime(at)), x=x, y=base + 18, class_="tick"))
    return parts


def _spans(state: JobState, end: float) -> list[tuple[float, float, str, str]]:
    """Begin, end, class and words of each attempt."""
    found: list[tuple[float, float, str, str]] = []
    opened: JobStarted | None = None
    for event in state.history:
        if isinstance(event, JobStarted):
            opened = event
        elif opened is not None:
            found.append((opened.at, event.at, _kind(event), f"attempt {opened.attempt}: {event.outcome.replace('_', ' ')}"))
            opened = None
    if opened is not None:
        found.append((opened.at, end, "", f"attempt {opened.attempt}: running"))
    return found


def _kind(event: JobEnded) -> str:
    if event.outcome == "designed":
        return "found"
    return "bad" if event.outcome in ("failed", "retried", "wrong_settings") else "late"


def _bar(span: tuple[float, float, str, str], begin: float, end: float, y: float) -> Markup:
    start, stop, kind, words = span
    x = _x(start, begin, end)
    title = tag("title", f"{words}, {rough(stop - start)}")
    return tag(
        "g", title, tag("rect", x=x, y=y, width=max(2.0, _x(stop, begin, end) - x), height=ROW - 8, rx=3, class_=f"span {kind}".strip())
    )


def _x(at: float, begin: float, end: float) -> float:
    return LEFT + (WIDTH - RIGHT - LEFT) * (at - begin) / (end - begin)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
