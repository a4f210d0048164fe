"""Numbers in an answer, held against what tools returned and the person said: the others are no model's to state.

A number may be rounded, cut, written as a share or a percentage, with thousands apart, or in another unit of time. Free are the numbers
of a list, those inside names (GCN2, top-1), and counts up to ten of things that are no measurement ("2 layers"). Trials are
names, and one that no tool has shown is made up as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from agentnas.agents.quotes import TRIAL

# Whole numbers up to this one are counts, unless a unit of a measurement follows.
MOST_COUNTED = 10
_NUMBER = re.compile(
    r"(?<![\w.,\-/])(?:[+\-−±~≈]\s?)?(?P<digits>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?(?:[eE][+\-]?\d+)?)"
    r"(?P<unit>\s?(?:%|percent\b|points?\b|ms\b|MiB\b|MB\b|GB\b|GFLOPs?\b|MFLOPs?\b|[kKM](?:\b)|m\b|min\b|minutes?\b|s\b|seconds?\b|h\b|hours?\b))?"
    r"(?![\w]*[A-Za-z_])"
)
# A range such as 80-90 or 0.1–0.3: the second number is no negative one.
_RANGE = re.compile(r"(?<=\d)\s?[-–—]\s?(?=\d)")
_LISTED = re.compile(r"(?m)^\s*(?:[-*#>]+\s*)?\(?\d{1,2}[.)]\s")
_ABOUT = re.compile(r"(?:about|around|roughly|nearly|almost|over|under|some|~|≈)\s*$", re.IGNORECASE)
_MEASURES = ("%", "percent", "point", "ms", "MiB", "MB", "GB", "GFLOP", "MFLOP", "k", "K", "M")
_SCORES = ("%", "percent", "point")
_FACTORS = {"k": 1e3, "K": 1e3, "M": 1e6}
_SECONDS = {"h": 3600.0, "hour": 3600.0, "hours": 3600.0, "m": 60.0, "min": 60.0, "minute": 60.0, "minutes": 60.0, "s": 1.0,
            "second": 1.0, "seconds": 1.0}  # fmt: skip


@dataclass(frozen=True)
class Number:
    """A number as it is written, its value, its unit, and whether it is said to be rough."""

    text: str
    value: float
    decimals: int
    unit: str
    is_rough: bool
    has_sign_of_money: bool


class Known:
    """The numbers and trials that this conversation may state."""

    def __init__(self) -> None:
        self._values: set[float] = set()
        self._scores: set[float] = set()
        self._trials: set[str] = set()

    def learn(self, text: str) -> None:
        """Take in what a tool returned or the person said."""
        self._trials |= set(TRIAL.findall(text))
        for number in numbers_in(text, every=True):
            self._values |= set(_forms(number))
            # Three seeds are no gain of 3 %.
            self._scores |= set(_forms(number)) if number.decimals or number.unit.startswith(_SCORES) else set()

    def unverified(self, text: str) -> list[str]:
        """Numbers and trials of an answer that come from nowhere, as they are written, each once."""
        wrong = [number.text for number in numbers_in(text) if not self._holds(number)]
        return list(dict.fromkeys([*wrong, *(trial for trial in TRIAL.findall(text) if trial not in self._trials)]))

    def _holds(self, number: Number) -> bool:
        is_count = number.value <= MOST_COUNTED and number.decimals == 0 and not number.has_sign_of_money
        if is_count and not number.unit.startswith(_MEASURES):
            return True
        return any(self._is_known(form, number) for form in _forms(number))

    def _is_known(self, value: float, number: Number) -> bool:
        values = self._scores if number.unit.startswith(_SCORES) else self._values
        if value in values:
            return True
        scale = value / number.value if number.value else 1.0
        step = scale * 10.0**-number.decimals * (_rounded_to(number.value) if number.is_rough else 1.0)
        # Rounded, or cut where it has decimals.
        above = step if number.decimals else step / 2
        return any(-step / 2 - 1e-9 <= abs(known) - value <= above + 1e-9 for known in values)


def numbers_in(text: str, *, every: bool = False) -> Iterator[Number]:
    """The numbers of a text; those that only number a list are left out unless ``every``."""
    plain = _RANGE.sub(" to ", text if every else _LISTED.sub(" ", text))
    for match in _NUMBER.finditer(plain):
        digits, unit = match["digits"].replace(",", ""), (match["unit"] or "").strip()
        before = plain[max(0, match.start() - 12) : match.start()]
        lead = plain[match.start() : match.start("digits")]
        rough = bool(_ABOUT.search(before)) or "~" in lead or "≈" in lead
        yield Number(digits, float(digits), _decimals(digits), unit, rough, before.endswith("$"))


def _decimals(digits: str) -> int:
    mantissa, _, exponent = digits.lower().partition("e")
    return max(0, len(mantissa.partition(".")[2]) - int(exponent or 0))


def _forms(number: Number) -> Iterable[float]:
    """What the number may stand for: itself, a share as a percentage and the other way round, seconds."""
    value = number.value
    yield value
    if number.unit in _FACTORS:
        yield value * _FACTORS[number.unit]
    if number.unit in ("%", "percent"):
        yield value / 100
    elif 0 < value < 1:
        yield value * 100
    if number.unit in _SECONDS:
        yield value * _SECONDS[number.unit]


def _rounded_to(value: float) -> float:
    """The place that a round number is rounded to: 2,700 to 100."""
    step = 1.0
    while value and value % (step * 10) == 0:
        step *= 10
    return step
