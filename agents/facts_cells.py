"""What the cells of a run have in common: mean scores by shape, first operator, operators and depth, and what single swaps did.

The two factors of a space of cells pool swaps of all operators at all places; these lines tell them apart. Their number is bounded.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from agentnas.agents.situation import Situation
from agentnas.tools.spec import cells
from agentnas.tools.spec.cells import LINKS, SIZE, Cell
from agentnas.tools.spec.cellspace import CellSpace

MOST_SWAPS = 6
POINTWISE = ("skip", "fc")


def cell_lines(situation: Situation) -> list[str]:
    """Means over the cells that were tried, with their number and best; nothing in other spaces and before the first score."""
    space = situation.space
    scored = scored_cells(situation)
    if not isinstance(space, CellSpace) or not scored:
        return []
    operators = cells.operators_of(space.dataset)
    return [
        "Means over the cells tried (number, best); what they have in common may still differ in the rest:",
        f"by shape: {_groups(scored, _shape, [_joined(links) for links in LINKS])}",
        f"by operator that reads the input: {_groups(scored, first_operators, [op for op in operators if op != 'skip'])}",
        f"by operator anywhere: {_groups(scored, _operators, operators)}",
        f"by propagating steps on the longest path: {_groups(scored, _steps, [str(n) for n in range(SIZE + 1)])}",
        *_swap_lines(scored),
    ]


def scored_cells(situation: Situation) -> dict[Cell, float]:
    """Each cell with its score, best first."""
    space = situation.space
    if not isinstance(space, CellSpace):
        return {}
    found: dict[Cell, float] = {}
    for record in situation.ranked():
        score = situation.score(record)
        if score is not None:
            found.setdefault(space.cell(record.spec), score)
    return found


def first_operators(cell: Cell) -> set[str]:
    """Operators that see the cell's input; a skip in front of a node hands the input on to it."""
    return {op for node, op in enumerate(cell[1]) if op != "skip" and _reads_input(cell, node)}


def _reads_input(cell: Cell, node: int) -> bool:
    links, ops = cell
    source = links[node]
    return source == 0 or (ops[source - 1] == "skip" and _reads_input(cell, source - 1))


def _shape(cell: Cell) -> set[str]:
    return {_joined(cell[0])}


def _operators(cell: Cell) -> set[str]:
    """Idle skips only make a cell shorter and are no operator of it."""
    return {op for node, op in enumerate(cell[1]) if not (op == "skip" and _reads_input(cell, node))}


def _steps(cell: Cell) -> set[str]:
    depths: list[int] = []
    for link, op in zip(*cell, strict=True):
        depths.append((depths[link - 1] if link else 0) + (op not in POINTWISE))
    return {str(max(depths))}


def _joined(links: Sequence[int]) -> str:
    return ",".join(map(str, links))


def _groups(scored: Mapping[Cell, float], names_of: Callable[[Cell], set[str]], known: Sequence[str]) -> str:
    """``gin 80.12 (9, best 81.60); gcn 79.30 (12, best 80.47); none yet: cheb arma``: the best mean first."""
    held: dict[str, list[float]] = defaultdict(list)
    for cell, score in scored.items():
        for name in sorted(names_of(cell)):
            held[name].append(score)
    means = sorted(((-sum(scores) / len(scores), name) for name, scores in held.items()))
    told = "; ".join(f"{name} {-mean:.2f} ({len(held[name])}, best {max(held[name]):.2f})" for mean, name in means)
    missing = [name for name in known if name not in held]
    return told + (f"; none yet: {' '.join(missing)}" if missing else "")


def _swap_lines(scored: Mapping[Cell, float]) -> list[str]:
    found = sorted(_swaps(scored), key=lambda swap: (-swap.pairs, -swap.gain, swap.new, swap.old))
    lines = []
    for first, where in ((True, "that reads the input"), (False, "further on")):
        told = [f"{s.new} instead of {s.old} {s.gain:+.2f} ({s.pairs})" for s in found if s.first == first][:MOST_SWAPS]
        lines += [f"cells alike but for the operator of one node {where}, mean gain (pairs): {'; '.join(told)}"] if told else []
    return lines


@dataclass(frozen=True)
class Swap:
    """One operator in place of another: the mean gain over all pairs of tried cells that differ in it alone, 0 or above."""

    new: str
    old: str
    first: bool
    gain: float
    pairs: int


def _swaps(scored: Mapping[Cell, float]) -> list[Swap]:
    alike: dict[tuple[object, ...], list[tuple[str, float, bool]]] = defaultdict(list)
    for (links, ops), score in scored.items():
        for node, op in enumerate(ops):
            first = _reads_input((links, ops), node)
            if not (first and op == "skip"):  # that cell is another's shorter form, not a swap
                alike[(links, ops[:node], node, ops[node + 1 :])].append((op, score, first))
    gains: dict[tuple[str, str, bool], list[float]] = defaultdict(list)
    for group in alike.values():
        for (new, high, first), (old, low, _) in combinations(sorted(group), 2):
            gains[new, old, first].append(high - low)
    return [_swap(*names, found) for names, found in gains.items()]


def _swap(new: str, old: str, first: bool, gains: Sequence[float]) -> Swap:
    mean = sum(gains) / len(gains)
    return Swap(new, old, first, mean, len(gains)) if mean >= 0 else Swap(old, new, first, -mean, len(gains))
