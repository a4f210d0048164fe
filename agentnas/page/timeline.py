"""Which training ran when, as inline SVG: a row for each worker, a bar for each training."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from agentnas.busy import Span
from agentnas.page.axes import Axis, apart, axis, tick_text
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
    groups = [[span] for span in spans] if len(spans) <= MOST else _joined(spans, UNSEEN * x.high)
    parts += [_bar(group, x) for group in groups]
    parts += [tag("line", x1=LEFT, x2=x.end, y1=base, y2=base, class_="axis")]
    parts += [tag("text", x.label, x=(LEFT + x.end) / 2, y=base + 38, class_="label")]
    return tag("svg", *parts, viewBox=f"0 0 {WIDTH} {height}", class_="plot", role="img", aria_label="Trainings by worker over time")


def _bar(group: Sequence[Span], x: Axis) -> Markup:
    first, last = group[0], group[-1]
    one = f"{first.trial} {first.rung} seed {first.seed}" + " (failed)" * first.failed
    told = f"{one if len(group) == 1 else f'{len(group)} trainings'}, {first.start:.1f} to {last.end:.1f} s"
    width = max(x(last.end) - x(first.start), 0.8)
    bar = tag("rect", x=x(first.start), y=float(TOP + ROW * first.worker + 5), width=width, height=BAR)
    return tag("g", tag("title", told), bar, class_=f"span {_kind(first.rung)}")


def _joined(spans: Sequence[Span], unseen_s: float) -> list[list[Span]]:
    """Trainings of one worker and kind that follow each other at once, as one group."""
    groups: list[list[Span]] = []
    for span in sorted(spans, key=lambda span: (span.worker, span.start, span.end)):
        last = groups[-1][-1] if groups else None
        if last and (last.worker, _kind(last.rung)) == (span.worker, _kind(span.rung)) and span.start - last.end <= unseen_s:
            groups[-1].append(span)
        else:
            groups.append([span])
    return groups


def _kind(rung: str) -> str:
    return rung if rung in ("short", "full", "seeds", "confirm") else "other"
