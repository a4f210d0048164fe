"""The names of generated graphs: ``powerlaw:1e6,degree=10`` and what each setting means. Needs nothing but the standard library."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from agentnas.tools.errors import UsageError, suggest

PREFIX = "powerlaw:"
EXAMPLE = "powerlaw:1e4"
EXAMPLES = (EXAMPLE, "powerlaw:1e6")
FEWEST_NODES, MOST_NODES = 200, 100_000_000
SHARE_OF_PAIRS = 0.1  # of all pairs of nodes, at most; beyond, too many draws hit an edge that is there


@dataclass(frozen=True)
class PowerLaw:
    """Settings of a generated graph.

    ``degree``: mean number of neighbours (``edges``, directed, may be given instead: degree = edges / nodes); ``exponent``: of the tail
    of the degrees; ``features``: columns; ``words``: non-zeros a node, 0 for dense features; ``homophily``: share of edges inside a class;
    ``signal``: how much a node's own features say of its class, 0 for nothing; ``seed``: of everything that is drawn.
    """

    nodes: int
    degree: float = 10.0
    features: int = 64
    words: int = 0
    classes: int = 10
    homophily: float = 0.7
    exponent: float = 2.5
    signal: float = 0.5
    seed: int = 0

    @property
    def pairs(self) -> int:
        """Edges, each counted once; the graph holds both directions of each."""
        return max(1, round(self.nodes * self.degree / 2))

    @property
    def name(self) -> str:
        """The shortest name of the same graph: settings in one order, without defaults."""
        changed = [f for f in fields(self)[1:] if getattr(self, f.name) != f.default]
        return PREFIX + ",".join([_written(self.nodes), *(f"{f.name}={_written(getattr(self, f.name))}" for f in changed)])


# Setting -> lowest and highest value.
BOUNDS: dict[str, tuple[float, float]] = {
    "nodes": (FEWEST_NODES, MOST_NODES),
    "degree": (1, 1000),
    "features": (1, 100_000),
    "words": (0, 1000),
    "classes": (2, 1000),
    "homophily": (0, 1),
    "exponent": (2.05, 10),
    "signal": (0, 10),
    "seed": (0, 2**32 - 1),
}
_WHOLE = ("nodes", "features", "words", "classes", "seed")


def parse(name: str) -> PowerLaw:
    """The settings in a name; raises UsageError, one line, for one that is unknown, no number, out of bounds or at odds with another."""
    first, *rest = name.removeprefix(PREFIX).split(",")
    given = {"nodes": _number(name, "nodes", first)}
    for part in rest:
        key, _, text = part.partition("=")
        if key not in (*BOUNDS, "edges") or key == "nodes":
            raise UsageError(f"task {name!r}: no setting {key!r}; {suggest(key, [*list(BOUNDS)[1:], 'edges'])}")
        if key in given:
            raise UsageError(f"task {name!r}: {key} is given twice; leave one out")
        given[key] = _number(name, key, text)
    if "edges" in given:
        if "degree" in given:
            raise UsageError(f"task {name!r}: edges and degree say the same; leave one out")
        given["degree"] = _bounded(name, "degree", given.pop("edges") / given["nodes"], " (edges / nodes)")
    return _consistent(name, PowerLaw(**{key: int(value) if key in _WHOLE else value for key, value in given.items()}))  # type: ignore[arg-type]


def _consistent(name: str, settings: PowerLaw) -> PowerLaw:
    most = SHARE_OF_PAIRS * (settings.nodes - 1)
    if settings.degree > most:
        raise UsageError(f"task {name!r}: degree is {settings.degree:g}, allowed for {settings.nodes:,} nodes: at most {most:g}")
    if settings.words > settings.features:
        raise UsageError(f"task {name!r}: words is {settings.words}, allowed: at most features, which is {settings.features}")
    if settings.nodes < 100 * settings.classes:
        raise UsageError(f"task {name!r}: classes is {settings.classes}, allowed for {settings.nodes:,} nodes: at most "
                         f"{settings.nodes // 100} (a class needs nodes to train, choose and test on)")  # fmt: skip
    return settings


def _number(name: str, key: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise UsageError(f"task {name!r}: {key} is {text!r}, expected a number as in {EXAMPLE},degree=10,features=64") from None
    return value if key == "edges" and math.isfinite(value) and value > 0 else _bounded(name, key, value)


def _bounded(name: str, key: str, value: float, where: str = "") -> float:
    low, high = BOUNDS.get(key, (1, MOST_NODES * 1000))
    if not (math.isfinite(value) and low <= value <= high):
        raise UsageError(f"task {name!r}: {key}{where} is {value:g}, allowed: {low:,.12g} to {high:,.12g}")
    if key in _WHOLE and value != int(value):
        raise UsageError(f"task {name!r}: {key} is {value:g}, expected a whole number")
    return value


def _written(value: float) -> str:
    """The shortest text of a number that reads back as the same: 1e6, 0.7, 2708."""
    if value == int(value):
        digits, zeros = str(int(value)).rstrip("0"), len(str(int(value))) - len(str(int(value)).rstrip("0"))
        return f"{digits}e{zeros}" if zeros > 2 and len(digits) == 1 else str(int(value))
    return repr(value)
