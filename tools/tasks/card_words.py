"""How a task card says facts of which some are not known, and scales them for its vector."""

from __future__ import annotations

import math


def facts(template: str, *values: float | None) -> str:
    """The template filled; ``?`` stands for what is not known."""
    return template.format(*(_Unknown() if value is None else value for value in values))


def decades(value: float | None, most: float) -> float | None:
    """Decimal logarithm over ``most`` of them; 0 for 1 and less."""
    return None if value is None else math.log10(max(value, 1.0)) / most


def share(percent: float | None) -> float | None:
    """Percent as a share."""
    return None if percent is None else percent / 100


class _Unknown:
    def __format__(self, _: str) -> str:
        return "?"
