"""Names that people take for one and a file writes in two ways: ``001`` and ``1``, ``1.0`` and ``1``, ``Fraud`` and ``fraud``."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from itertools import islice

MOST_COMPARED = 1_000_000  # names that are looked through for one that was meant
_NUMBER = re.compile(r"([-+]?)0*(\d+)(\.0*)?")


def form(name: str) -> str:
    """A name without case, ways to encode accents, repeated blanks; a whole number without zeros in front, decimals and the sign of 0."""
    text = " ".join(unicodedata.normalize("NFKC", name).casefold().split())
    number = _NUMBER.fullmatch(text)
    if number is None:
        return text
    return f"-{number[2]}" if number[1] == "-" and number[2] != "0" else number[2]


def meant(seen: str, known: Iterable[str]) -> str | None:
    """The first known name that is the same but for its spelling; None where there is none."""
    wanted = form(seen)
    return next((name for name in islice(known, MOST_COMPARED) if form(name) == wanted), None)


def alike(names: Iterable[str]) -> tuple[str, str] | None:
    """The first two names that are the same but for their spelling; None where there are none."""
    first: dict[str, str] = {}
    for name in names:
        if (other := first.setdefault(form(name), name)) != name:
            return other, name
    return None
