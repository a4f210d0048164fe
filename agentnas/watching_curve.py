"""A curve in characters, as wide and as high as there is room."""

from __future__ import annotations

import math
from collections.abc import Sequence

EIGHTHS = " ▁▂▃▄▅▆▇█"
# The first designs of a run are often far worse than all later ones; the worst tenth does not set the scale.
OUTSIDE = 10


def curve_lines(values: Sequence[float], width: int, height: int, *, higher_is_better: bool = True, digits: int = 2) -> list[str]:
    """Columns from left to right, the scale at the left, ``<`` or ``>`` before an end of it beyond which the worst values lie.

    More values than columns: each column shows the last of its share. Values that are not finite leave their column empty. Without a finite
    value one line says so.
    """
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return ["no score yet"]
    low, high = _scale(finite, higher_is_better)
    bottom = f"{'<' if min(finite) < low else ''}{low:.{digits}f}"
    top = f"{'>' if max(finite) > high else ''}{high:.{digits}f}"
    label = max(len(bottom), len(top))
    heights = [_eighths(value, low, high, height) for value in sampled(values, max(1, width - label - 1))]
    scales = [top, *[""] * (height - 2), bottom]
    return [f"{scale:>{label}} {_row(heights, height - 1 - i)}".rstrip() for i, scale in enumerate(scales[:height])]


def sampled(values: Sequence[float], columns: int) -> list[float]:
    """At most ``columns`` of the values, in order, the last one among them; fewer values are stretched, each to as many columns."""
    if len(values) <= columns:
        return [value for value in values for _ in range(columns // len(values))]
    return [values[(i + 1) * len(values) // columns - 1] for i in range(columns)]


def _scale(finite: Sequence[float], higher_is_better: bool) -> tuple[float, float]:
    """Lowest and highest value that are told apart."""
    ordered, outside = sorted(finite), len(finite) // OUTSIDE
    return (ordered[outside], ordered[-1]) if higher_is_better else (ordered[0], ordered[-1 - outside])


def _eighths(value: float, low: float, high: float, height: int) -> int:
    """Eighths of a row that the column is high: at least one, so that the lowest value is seen too."""
    if not math.isfinite(value):
        return 0
    share = min(1.0, max(0.0, (value - low) / (high - low))) if high > low else 1.0
    return max(1, round(share * height * 8))


def _row(heights: Sequence[int], row: int) -> str:
    return "".join(EIGHTHS[min(8, max(0, eighths - row * 8))] for eighths in heights)
