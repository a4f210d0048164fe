"""What commands print: data on stdout, talk on stderr, colour only on a terminal that wants it."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import typer

PATIENCE_S = 0.1  # an error that is found at once stays the only line


class Advice(str):
    """A note of an exception that the person is to read after its message."""


def emit(text: str) -> None:
    """Data, to stdout; colour is dropped where it goes to a file or ``NO_COLOR`` is set."""
    typer.echo(text, color=colourful(sys.stdout))


def emit_json(data: Any) -> None:
    """Data as JSON, to stdout; models, dataclasses and paths become plain, numbers that are not finite become null."""
    import pydantic_core

    typer.echo(pydantic_core.to_json(data, indent=2, inf_nan_mode="null").decode())


def say(text: str) -> None:
    """Talk, to stderr."""
    typer.echo(text, err=True, color=colourful(sys.stderr))


@contextmanager
def soon(text: str) -> Iterator[Callable[[], None]]:
    """Say this if the work inside takes longer than ``PATIENCE_S``, as it does where libraries are imported; the function that it yields
    ends the wait early, for other words that come first."""
    timer = threading.Timer(PATIENCE_S, say, [text])
    timer.daemon = True
    timer.start()
    try:
        yield timer.cancel
    finally:
        timer.cancel()


def counted(count: int, word: str) -> str:
    """``1 seed``, ``3 seeds``, ``no seeds``."""
    return f"{count or 'no'} {word}{'' if count == 1 else 's'}"


def colourful(stream: Any) -> bool:
    """Whether this stream is a terminal whose owner did not ask for none (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def table(header: Sequence[str], rows: Iterable[Iterable[Any]]) -> str:
    """Aligned columns, the heading bold; None is shown as ``?``, numbers stand to the right."""
    values = [list(row) for row in rows]
    cells = [[_cell(value) for value in row] for row in values]
    widths = [max(map(len, column)) for column in zip(header, *cells, strict=True)]
    right = [all(isinstance(row[i], int | float) or row[i] in (None, "-") for row in values) for i in range(len(header))]
    lines = [_line(line, widths, right) for line in [list(header), *cells]]
    return "\n".join([typer.style(lines[0], bold=True), *lines[1:]])


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.2f}"
    return "?" if value is None else str(value)


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    padded = (cell.rjust(width) if flag else cell.ljust(width) for cell, width, flag in zip(cells, widths, right, strict=True))
    return "  ".join(padded).rstrip()
