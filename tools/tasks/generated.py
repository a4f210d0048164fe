"""The names of small generated tasks of every target and structure: ``generated:hetero,nodes=3000,seed=1``. Needs nothing but the standard
library."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Literal

from agentnas.tools.errors import UsageError, suggest

PREFIX = "generated:"
Family = Literal["labels", "value", "directed", "hetero"]
MetricOf = Literal["accuracy", "roc_auc", "rmse"]
# What each is: its words, its metric, and its outputs.
FAMILIES: dict[Family, tuple[str, MetricOf, int]] = {
    "labels": ("four labels a node, some unknown, of its own and its neighbours' features", "roc_auc", 4),
    "value": ("a number a node, of its own and its neighbours' features", "rmse", 1),
    "directed": ("four classes, by what those are like who point to a node and whom it points to", "accuracy", 4),
    "hetero": ("three classes of users, who trust their own class, report others, and buy in shops", "accuracy", 3),
}
EXAMPLES = tuple(PREFIX + name for name in FAMILIES)


@dataclass(frozen=True)
class Generated:
    """Settings of a generated task.

    ``degree``: mean number of edges that lead to a node; ``features``: columns; ``noise``: how far the target strays from what could be
    predicted best, 0 for not at all; ``seed``: of everything that is drawn.
    """

    family: Family
    nodes: int = 2000
    degree: float = 8.0
    features: int = 16
    noise: float = 0.2
    seed: int = 0

    @property
    def edges(self) -> int:
        """Directed edges, of which undirected ones count twice."""
        return 2 * max(1, round(self.nodes * self.degree / 2))

    @property
    def name(self) -> str:
        """The shortest name of the same task."""
        changed = [f for f in fields(self)[1:] if getattr(self, f.name) != f.default]
        return PREFIX + ",".join([self.family, *(f"{f.name}={getattr(self, f.name):g}" for f in changed)])


# Setting -> lowest and highest value.
BOUNDS: dict[str, tuple[float, float]] = {
    "nodes": (200, 100_000), "degree": (2, 50), "features": (4, 1000), "noise": (0, 1), "seed": (0, 999_999),
}  # fmt: skip
_WHOLE = ("nodes", "features", "seed")


def parse(name: str) -> Generated:
    """The settings in a name; raises UsageError, one line, for one that is unknown, no number or out of bounds."""
    family, *rest = name.removeprefix(PREFIX).split(",")
    if family not in FAMILIES:
        raise UsageError(f"task {name!r} does not exist; {suggest(name, EXAMPLES)}")
    given: dict[str, float] = {}
    for part in rest:
        key, _, text = part.partition("=")
        if key not in BOUNDS:
            raise UsageError(f"task {name!r}: no setting {key!r}; {suggest(key, BOUNDS)}")
        if key in given:
            raise UsageError(f"task {name!r}: {key} is given twice; leave one out")
        given[key] = _number(name, key, text)
    return Generated(family, **{key: int(value) if key in _WHOLE else value for key, value in given.items()})  # type: ignore[arg-type]


def _number(name: str, key: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise UsageError(f"task {name!r}: {key} is {text!r}, expected a number as in {EXAMPLES[0]},nodes=3000,noise=0.1") from None
    low, high = BOUNDS[key]
    if not (math.isfinite(value) and low <= value <= high):
        raise UsageError(f"task {name!r}: {key} is {value:g}, allowed: {low:,g} to {high:,g}")
    if key in _WHOLE and value != int(value):
        raise UsageError(f"task {name!r}: {key} is {value:g}, expected a whole number")
    return value
