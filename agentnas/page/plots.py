"""Plots as inline SVG. Points are links to the rows of their trials; the page's script adds what a pointer or the arrow keys ask for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from markupsafe import Markup

from agentnas.page.axes import Axis, apart, axis, tick_text, usual_range
from agentnas.page.markup import anchor, tag

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 300, 62, 14, 14, 46
LONGEST = 34  # letters of a label that stands upright
BAR = 26  # pixels from one bar to the next


class Point(NamedTuple):
    """One trial in a plot. ``kind`` is its class: search, anchor, winner. ``linked`` trials have a row on the page."""

    trial: str
    x: float
    y: float
    label: str
    kind: str = "search"
    linked: bool = True


class Bar(NamedTuple):
    """A mean gain with its standard error (None where unknown), over a number of pairs."""

    name: str
    mean: float
    se: float | None
    pairs: int


class Curve(NamedTuple):
    """The best so far of one run: ``(x, mean, label)`` wherever it changed, and where the run ended."""

    name: str
    steps: Sequence[tuple[float, float, str]]
    end: float


SERIES = 6  # looks of a line, by colour, dashes and mark together


def curves(runs: Sequence[Curve], x_label: str, y_label: str) -> Markup:
    """Lines of several runs in one plot; no line goes on after its run."""
    x = axis(x_label, [run.end for run in runs], LEFT, WIDTH - RIGHT, zero=True)
    values = [y for run in runs for _, y, _ in run.steps]
    low, high = usual_range(values)
    y = axis(y_label, [v for v in values if low <= v <= high] + [run.steps[-1][1] for run in runs], HEIGHT - BOTTOM, TOP)
    return _chart(f"{y_label} against {x_label}, a line a run", x, y, [_series(run, number, x, y) for number, run in enumerate(runs)])


def _series(run: Curve, number: int, x: Axis, y: Axis) -> Markup:
    line = tag("path", d=_staircase([(at, value) for at, value, _ in run.steps], x, y, x(run.end)))
    marks = [tag("circle", tag("title", label), cx=x(at), cy=y.within(value), r=4.0) for at, value, label in run.steps]
    return tag("g", tag("title", run.name), line, *marks, class_=f"series s{number % SERIES}")


def progress(points: Sequence[Point], steps: Sequence[tuple[float, float]], x_label: str, y_label: str) -> Markup:
    """Every training in full as a dot, and the leader's mean as a line of steps: ``(x, mean)`` wherever it changed."""
    ends = [max(p.x for p in points), *(x for x, _ in steps)]
    x = axis(x_label, ends, LEFT, WIDTH - RIGHT, zero=True)
    y = _height(points, y_label, [steps[-1][1]])
    line = tag("path", d=_staircase(steps, x, y), class_="curve")
    return _chart(f"{y_label} against {x_label}", x, y, [line, *_dots(points, x, y)])


def _height(points: Sequence[Point], label: str, kept: Sequence[float]) -> Axis:
    """An axis for the scores that are no outliers, the winner's and those in ``kept``: one collapse would press all others together."""
    values = [point.y for point in points]
    low, high = usual_range(values)
    inside = [value for value in values if low <= value <= high]
    return axis(label, [*inside, *kept, *(p.y for p in points if p.kind == "winner")], HEIGHT - BOTTOM, TOP)


def _staircase(steps: Sequence[tuple[float, float]], x: Axis, y: Axis, end: float | None = None) -> str:
    first, *others = steps
    words = [f"M{x(first[0]):.1f} {y.within(first[1]):.1f}"]
    words += [f"H{x(at):.1f}V{y.within(value):.1f}" for at, value in others]
    return "".join([*words, f"H{x.end if end is None else end:.1f}"])


def front(points: Sequence[Point], best: Sequence[str], y_label: str) -> Markup:
    """Validation against parameters; the trials in ``best``, cheapest first, are joined to the front."""
    places = {point.trial: point for point in points}
    x = axis("parameters", [p.x for p in points], LEFT, WIDTH - RIGHT, log=min(p.x for p in points) > 0)
    y = _height(points, y_label, [places[trial].y for trial in best])
    corners = [(places[trial].x, places[trial].y) for trial in best]
    return _chart(f"{y_label} against parameters", x, y, [tag("path", d=_staircase(corners, x, y), class_="curve"), *_dots(points, x, y)])


def _dots(points: Iterable[Point], x: Axis, y: Axis) -> list[Markup]:
    """The winner's last, so that it lies on top; the first can be reached by Tab, the others from it by the arrow keys."""
    ordered = sorted(points, key=lambda point: ("search", "anchor", "winner").index(point.kind))
    return [_dot(point, x(point.x), y, "0" if number == 0 else "-1") for number, point in enumerate(ordered)]


def _dot(point: Point, x: float, axis_y: Axis, tabindex: str) -> Markup:
    """A score outside of the plot is drawn hollow, on its edge."""
    y = axis_y.within(point.y)
    kind = point.kind if axis_y.low <= point.y <= axis_y.high else f"{point.kind} outside"
    size = 6.0 if point.kind == "winner" else 4.5
    shape = tag("circle", cx=x, cy=y, r=size) if point.kind != "anchor" else tag("rect", x=x - 4, y=y - 4, width=8, height=8)
    shown = tag("title", point.label)
    if not point.linked:
        return tag("g", shown, shape, class_=f"dot {kind}")
    return tag(
        "a", shown, shape, href=f"#{anchor('trial', point.trial)}", class_=f"dot {kind}", data_trial=point.trial,
        aria_label=point.label, tabindex=tabindex,
    )  # fmt: skip


def _chart(title: str, x: Axis, y: Axis, marks: Sequence[Markup]) -> Markup:
    return tag(
        "svg", *_grid(x, y), *marks,
        viewBox=f"0 0 {WIDTH} {HEIGHT}", class_="plot", role="group", aria_label=title,
    )  # fmt: skip


def _grid(x: Axis, y: Axis) -> list[Markup]:
    base, left = y.start, x.start
    parts = [tag("line", x1=left, x2=x.end, y1=y(t), y2=y(t), class_="grid") for t in y.ticks(5)]
    parts += [tag("text", tick_text(t), x=left - 8, y=y(t) + 4, class_="tick y") for t in y.ticks(5)]
    parts += [tag("text", tick_text(t), x=x(t), y=base + 17, class_="tick") for t in apart(x)]
    parts += [tag("line", x1=left, x2=x.end, y1=base, y2=base, class_="axis")]
    middle = (base + y.end) / 2
    parts += [tag("text", x.label, x=(left + x.end) / 2, y=base + 38, class_="label")]
    label = y.label if len(y.label) <= LONGEST else f"{y.label[: LONGEST - 1]}…"
    return [*parts, tag("text", label, x=14, y=middle, class_="label", transform=f"rotate(-90 14 {middle:.0f})")]


def bars(effects: Sequence[Bar], words: str, digits: int = 2, title: str = "Mean gain by changed factor") -> Markup:
    """Mean gain of each factor with an interval of two standard errors around it; the line in the middle is no gain."""
    reach = max(abs(bar.mean) + 2 * (bar.se or 0.0) for bar in effects) or 1.0
    x = axis(words, [-reach, reach], 200, WIDTH - 60)
    height = TOP + BAR * len(effects) + BOTTOM
    base = height - BOTTOM
    parts = [tag("line", x1=x(t), x2=x(t), y1=TOP, y2=base, class_="grid") for t in x.ticks()]
    parts += [tag("text", tick_text(t), x=x(t), y=base + 17, class_="tick") for t in x.ticks()]
    parts += [tag("line", x1=x(0), x2=x(0), y1=TOP, y2=base, class_="axis")]
    parts += [mark for row, bar in enumerate(effects) for mark in _bar(bar, x, TOP + BAR * (row + 0.5), digits)]
    parts += [tag("text", x.label, x=(x.start + x.end) / 2, y=base + 38, class_="label")]
    return tag("svg", *parts, viewBox=f"0 0 {WIDTH} {height}", class_="plot", role="img", aria_label=title)


def _bar(bar: Bar, x: Axis, y: float, digits: int) -> list[Markup]:
    told = f"{bar.name}: {bar.mean:+.{digits}f} ± {'?' if bar.se is None else f'{bar.se:.{digits}f}'} (standard error, {bar.pairs} pairs)"
    reach = 2 * (bar.se or 0.0)
    name = bar.name if len(bar.name) <= 26 else f"{bar.name[:25]}…"
    whisker = tag("line", x1=x(bar.mean - reach), x2=x(bar.mean + reach), y1=y, y2=y, class_="whisker")
    dot = tag("circle", cx=x(bar.mean), cy=y, r=5, class_="mean")
    label = tag("text", name, x=190, y=y + 4, class_="tick y")
    count = tag("text", f"n = {bar.pairs}", x=WIDTH - 50, y=y + 4, class_="tick start")
    return [label, tag("g", tag("title", told), whisker, dot), count]
