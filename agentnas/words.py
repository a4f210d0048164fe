"""Numbers and tables in words, the same everywhere: scores with their noise, counts, US dollars."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence


def spread(mean: float, sd: float | None, digits: int = 2) -> str:
    """``83.12 ± 0.45``, or ``83.12 ± ?`` where the noise is unknown."""
    return f"{mean:.{digits}f} ± {'?' if sd is None else f'{sd:.{digits}f}'}"


def plural(count: int, word: str) -> str:
    """``1 seed``, ``2 seeds``."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def money(cost: float | None) -> str:
    """US dollars; ``?`` where the cost is unknown."""
    return "?" if cost is None else f"${cost:.4f}"


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown; bars in cells are escaped."""
    lines = ["| " + " | ".join(header) + " |", "| " + " | ".join("---" for _ in header) + " |"]
    return "\n".join(lines + ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in rows])


def wrap(text: str, width: int, indent: int = 0, lead: str = "") -> str:
    """The text on lines of at most ``width``, all ``indent`` in; ``lead`` stands before the first and the others are aligned to it."""
    first = " " * indent + lead
    filled = textwrap.fill(
        " ".join(text.split()), max(width, len(first) + 20), initial_indent=first, subsequent_indent=" " * len(first),
        break_on_hyphens=False,
    )  # fmt: skip
    return filled or first.rstrip()
