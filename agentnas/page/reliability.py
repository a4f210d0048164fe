"""The reliability diagram: how often it was so, against how sure the model was."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from agentnas.page.axes import Axis, tick_text
from agentnas.page.markup import tag

SIZE, LEFT, BOTTOM, EDGE = 320, 56, 46, 14


def reliability(bins: Sequence[Sequence[float]]) -> Markup:
    """A dot for each bin of (number, summed probability, number that was so); its area grows with the number. On the line both agree."""
    x = Axis("probability said, %", 0.0, 100.0, LEFT, SIZE - EDGE)
    y = Axis("was so, %", 0.0, 100.0, SIZE - BOTTOM, EDGE)
    most = max(number for number, _, _ in bins)
    dots = [_dot(number, 100 * said / number, 100 * so / number, most, x, y) for number, said, so in bins if number]
    line = tag("path", d=f"M{x(0):.1f} {y(0):.1f}L{x(100):.1f} {y(100):.1f}", class_="diagonal")
    return tag(
        "svg", *_grid(x, y), line, *dots, viewBox=f"0 0 {SIZE} {SIZE}", class_="plot square", role="img",
        aria_label="How often it was so, against the probability that was said",
    )  # fmt: skip


def _dot(number: float, said: float, so: float, most: float, x: Axis, y: Axis) -> Markup:
    words = f"said {said:.1f} %, was so in {so:.1f} % of {number:,.0f} cases"
    return tag(
        "g", tag("title", words), tag("circle", cx=x(said), cy=y(so), r=f"{3 + 7 * (number / most) ** 0.5:.1f}"), class_="dot search"
    )


def _grid(x: Axis, y: Axis) -> list[Markup]:
    ticks = (0, 20, 40, 60, 80, 100)
    parts = [tag("line", x1=x.start, x2=x.end, y1=y(t), y2=y(t), class_="grid") for t in ticks]
    parts += [tag("text", tick_text(t), x=x.start - 8, y=y(t) + 4, class_="tick y") for t in ticks]
    parts += [tag("text", tick_text(t), x=x(t), y=y.start + 17, class_="tick") for t in ticks]
    parts += [tag("line", x1=x.start, x2=x.end, y1=y.start, y2=y.start, class_="axis")]
    middle = (y.start + y.end) / 2
    upright = tag("text", y.label, x=14, y=middle, class_="label", transform=f"rotate(-90 14 {middle:.0f})")
    return [*parts, tag("text", x.label, x=(x.start + x.end) / 2, y=y.start + 38, class_="label"), upright]
