"""The means as a picture: an SVG of two panels, oracle and honest, over the number of evaluations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from xml.sax.saxutils import escape

from agentnas.bench.measure import Kind
from agentnas.bench.report import KINDS, Outcome
from agentnas.bench.summary import Mean

WIDTH, HEIGHT, MARGIN = 420, 300, 48
# Okabe and Ito's colours, which people who see fewer of them can tell apart.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#888888")


def svg(outcome: Outcome) -> str:
    """The picture as text; the lower end of the scale leaves out the first evaluations of searchers that begin at random."""
    known = outcome.means()
    low, high = _scale(known)
    panels = [_panel(kind, i * (WIDTH + MARGIN), outcome, known, low, high) for i, kind in enumerate(KINDS)]
    legend = [_named(name, i) for i, name in enumerate(outcome.searchers())]
    width, height = 2 * (WIDTH + MARGIN) + 20, HEIGHT + 2 * MARGIN + 18 * math.ceil(len(legend) / 4)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">'
    return "\n".join([head, f'<rect width="{width}" height="{height}" fill="white"/>', *panels, *legend, "</svg>"]) + "\n"


def _scale(known: Sequence[Mean]) -> tuple[float, float]:
    """From the lowest mean at 10 evaluations or more to the highest; widened where they are one."""
    values = [mean.value for mean in known if mean.evaluations >= 10] or [mean.value for mean in known]
    return (min(values), max(values)) if min(values) < max(values) else (values[0] - 1, values[0] + 1)


def _panel(kind: Kind, left: int, outcome: Outcome, known: Sequence[Mean], low: float, high: float) -> str:
    counts = outcome.checkpoints()
    last = math.log(max(counts[-1], 2))

    def place(mean: Mean) -> str:
        x = left + MARGIN + (WIDTH - MARGIN) * math.log(mean.evaluations) / last
        y = MARGIN + HEIGHT * (1 - (max(mean.value, low) - low) / (high - low))
        return f"{x:.1f},{y:.1f}"

    parts = [f'<text x="{left + MARGIN}" y="{MARGIN - 16}" font-weight="bold">{kind}: test score over evaluations</text>']
    for value in (low, (low + high) / 2, high):
        y = MARGIN + HEIGHT * (1 - (value - low) / (high - low))
        parts.append(f'<path d="M{left + MARGIN},{y:.1f} h{WIDTH - MARGIN}" stroke="#ddd"/>')
        parts.append(f'<text x="{left + MARGIN - 4}" y="{y + 4:.1f}" text-anchor="end">{value:.1f}</text>')
    for count in counts:
        x = left + MARGIN + (WIDTH - MARGIN) * math.log(count) / last
        parts.append(f'<text x="{x:.1f}" y="{MARGIN + HEIGHT + 16}" text-anchor="middle">{count}</text>')
    for number, name in enumerate(outcome.searchers()):
        points = " ".join(place(mean) for mean in known if mean.searcher == name and mean.kind == kind)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{_colour(number)}" stroke-width="{2 + (name == outcome.ours)}"/>')
    return "\n".join(parts)


def _named(name: str, number: int) -> str:
    x, y = MARGIN + (number % 4) * (WIDTH // 2), HEIGHT + 2 * MARGIN + 18 * (number // 4)
    line = f'<path d="M{x},{y - 4} h18" stroke="{_colour(number)}" stroke-width="3"/>'
    return f'{line}<text x="{x + 24}" y="{y}">{escape(name)}</text>'


def _colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]
