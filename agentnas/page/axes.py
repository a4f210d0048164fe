"""Axes of a plot: numbers to pixels, and round numbers to label them with."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

STEPS = (1, 2, 5, 10)
ROOM = 64  # pixels that the label of a tick takes
FENCE = 4


@dataclass(frozen=True)
class Axis:
    """Maps ``low`` to ``high`` onto pixels from ``start`` to ``end``; a logarithmic one needs positive numbers."""

    label: str
    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high, value = (math.log10(v) if self.log else v for v in (self.low, self.high, value))
        return self.start + (value - low) / (high - low) * (self.end - self.start)

    def within(self, value: float) -> float:
        """The pixel of a number, or the edge that is nearest to it."""
        return self(min(max(value, self.low), self.high))

    def ticks(self, count: int = 6) -> list[float]:
        """At most ``count`` + 1 round numbers inside the axis."""
        if self.log and self.high / self.low >= 10:
            found = [10.0**power * step for power in range(-6, 13) for step in (1, 2, 5) if self.low <= 10.0**power * step <= self.high]
            return found if len(found) <= count + 1 else [tick for tick in found if math.log10(tick).is_integer()]
        step = _step((self.high - self.low) / count)
        first = math.ceil(self.low / step - 1e-9)
        return [n * step for n in range(first, math.floor(self.high / step + 1e-9) + 1)]


def _step(least: float) -> float:
    power: float = 10.0 ** math.floor(math.log10(least))
    return next(power * step for step in STEPS if power * step >= least * (1 - 1e-9))


def axis(label: str, values: Sequence[float], start: float, end: float, *, log: bool = False, zero: bool = False) -> Axis:
    """An axis that holds all values with some room; ``zero`` begins it at nothing."""
    low, high = (0.0 if zero else min(values)), max(values)
    if log:
        return Axis(label, low / 1.25, high * 1.25, start, end, log=True)
    room = (high - low) * 0.06 or max(abs(high) * 0.01, 0.5)
    return Axis(label, low if zero else low - room, high + room, start, end)


def tick_text(value: float) -> str:
    """``12,000``, ``81.5``, ``0``; as short as the number allows."""
    return f"{value:,.0f}" if float(value).is_integer() or abs(value) >= 1000 else f"{value:,.4g}"


def apart(held: Axis) -> list[float]:
    """The ticks whose labels have room: none runs into the one before it or over the end of the axis."""
    kept: list[float] = []
    for tick in held.ticks():
        if abs(held.end - held(tick)) >= len(tick_text(tick)) * 2 and (not kept or abs(held(tick) - held(kept[-1])) >= ROOM):
            kept.append(tick)
    return kept


def usual_range(values: Sequence[float]) -> tuple[float, float]:
    """What is no outlier: four times the middle half's width around it (Tukey's far fences reach three times)."""
    ordered = sorted(values)
    low, high = ordered[len(ordered) // 4], ordered[(3 * len(ordered)) // 4 if len(ordered) > 1 else 0]
    return low - FENCE * (high - low), high + FENCE * (high - low)
