"""Which training ran when, as inline SVG: a row for each worker, a bar for each training."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from markupsafe import Markup

from agentnas.busy import Span
from agentnas.page.axes import apart, axis, tick_text
from agentnas.page.markup import tag
from agentnas.page.plots import BOTTOM, LEFT, RIGHT, TOP, WIDTH

ROW, BAR = 30, 20
# With more trainings than this, those of one worker that follow each other at once are drawn as one bar.
MOST = 600
# Seconds between two trainings that no eye sees, as a share of the run.
UNSEEN = 0.002


def timeline(spans: Sequence[Span]) -> Markup | None:
    """The trainings of a run; None where there are none."""
    if not spans:
        return None
    workers = 1 + max(span.worker for span in spans)
    height = TOP + ROW * workers + BOTTOM
    x = axis("active seconds since the run began", [span.end for span in spans], LEFT, WIDTH - RIGHT, zero=True)
    base = height - BOTTOM
    parts = [tag("text", tick_text(t), x=x(t), y=base + 17, class_="tick") for t in apart(x)]
    parts += [tag("line", x1=x(t), x2=x(t), y1=TOP, y2=base, class_="grid") for t in apart(x)]
    parts += [tag("text", f"{row + 1}", x=LEFT - 8, y=TOP + ROW * row + 19, class_="tick y") for row in range(workers)]
    parts += [_bar(told, start, end, x(start), x(end), row, kind) for row, start, end, kind, told in _drawn(spans, x.high)]
    parts += [tag("line", x1=LEFT, x2=x.end, y1=base, y2=base, class_="axis")]
    parts += [tag("text", x.label, x=(LEFT + x.end) / 2, y=base + 38, class_="label")]
    return tag("svg", *parts, viewBox=f"0 0 {WIDTH} {height}", class_="plot", role="img", aria_label="Trainings by worker over time")


def _bar(told: str, start: float, end: float, left: float, right: float, row: int, kind: str) -> Markup:
    bar = tag("rect", x=left, y=float(TOP + ROW * row + 5), width=max(right - left, 0.8), height=BAR)
    return tag("g", tag("title", f"{told}, {start:.1f} to {end:.1f} s"), bar, class_=f"span {kind}")


def _drawn(spans: Sequence[Span], length: float) -> list[tuple[int, float, float, str, str]]:
    """Row, start, end, class and words of each bar."""
    bars = [(s.worker, s.start, s.end, s.rung, f"{s.trial} {s.rung} seed {s.seed}" + " (failed)" * s.failed) for s in spans]
    if len(bars) <= MOST:
        return [(row, start, end, _kind(rung), told) for row, start, end, rung, told in bars]
    merged: list[tuple[int, float, float, str, str]] = []
    for _, own in groupby(sorted(bars), key=lambda bar: bar[0]):
        count = 0
        for row, start, end, rung, _told in own:
            last = merged[-1] if count else None
            joins = last is not None and start - last[2] <= UNSEEN * length and last[3] == _kind(rung)
            count = count + 1 if joins else 1
            since = last[1] if joins and last is not None else start
            merged[-1 if joins else len(merged) :] = [(row, since, end, _kind(rung), f"{count} trainings" if count > 1 else _told)]
    return merged


def _kind(rung: str) -> str:
    return rung if rung in ("short", "full", "seeds", "confirm") else "other"
