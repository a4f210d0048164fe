"""Plots as SVG files: panels beside each other, and the same figures give the same file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def panels(path: Path, count: int, size: tuple[float, float], salt: str, font_size: float = 10) -> Iterator[tuple[Any, list[Any]]]:
    """The figure and its axes, to be drawn on; written to ``path`` at the end. ``size`` is in inches, the font's in points."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    with mpl.rc_context({"svg.hashsalt": salt, "font.size": font_size}):
        figure, grid = plt.subplots(1, count, figsize=size, squeeze=False, layout="constrained")
        yield figure, list(grid[0])
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Date": None})
        plt.close(figure)
