"""The space of NAS-Bench-Graph's cells, with the training settings of one data set."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from agentnas.tools.errors import UsageError
from agentnas.tools.spec import cells
from agentnas.tools.spec.cells import LINKS, OPS, SIZE, Cell, Ops
from agentnas.tools.spec.model import ArchitectureSpec
from agentnas.tools.spec.render import cell_text
from agentnas.tools.spec.space import Mutation, SearchSpace

FACTORS = ("cell.op", "cell.links")
OUTSIDE = "cell"


@dataclass(frozen=True)
class CellSpace(SearchSpace):
    """26,206 cells (2,021 for proteins). Its factors are one operator of the cell, or the way its nodes are linked."""

    name: str
    dataset: str
    is_table: bool = True

    @classmethod
    def live(cls, settings: str) -> CellSpace:
        """The cells where they are trained, with the training settings of one of the tables; raises UsageError for unknown names."""
        cells.settings_of(settings)
        return cls(f"nasbench, settings of {settings}", settings, is_table=False)

    @classmethod
    def of(cls, dataset: str) -> CellSpace:
        """The space of a data set; raises UsageError for unknown names."""
        cells.settings_of(dataset)
        return cls(f"nasbench:{dataset}", dataset)

    def factors(self) -> list[str]:
        return list(FACTORS)

    def weight(self, factor: str) -> float:
        """Three operators are varied for each change of the links."""
        return 3.0 if factor == "cell.op" else 1.0

    def options(self, spec: ArchitectureSpec, factor: str) -> list[ArchitectureSpec]:
        return [cells.cell_to_spec(*cell, self.dataset) for cell in self._varied(self.cell(spec), factor)]

    def mutate(self, spec: ArchitectureSpec, rng: random.Random, factors: Any = None) -> Mutation | None:
        names = self._checked_factors(factors)
        cell = self.cell(spec)
        while names:
            factor = rng.choices(names, [self.weight(name) for name in names])[0]
            varied = self._varied(cell, factor)
            if varied:
                child = rng.choice(varied)
                return Mutation(cells.cell_to_spec(*child, self.dataset), factor, _in_words(cell, child))
            names.remove(factor)
        return None

    def _varied(self, cell: Cell, factor: str) -> tuple[Cell, ...]:
        return _varied(cell, factor, cells.operators_of(self.dataset))

    def cell(self, spec: ArchitectureSpec) -> Cell:
        """The spec's cell; raises UsageError where it is none of this space."""
        dataset, cell = cells.located(spec)
        if dataset != self.dataset:
            raise UsageError(f"space {self.name}: the spec has the training settings of {dataset}; build it with cell_to_spec")
        return cell

    def adopt(self, spec: ArchitectureSpec) -> ArchitectureSpec | None:
        """The cell of another data set's spec with this one's training settings."""
        try:
            _, (links, ops) = cells.located(spec)
        except UsageError:
            return None
        return cells.cell_to_spec(links, ops, self.dataset) if set(ops) <= set(cells.operators_of(self.dataset)) else None

    def violations(self, spec: ArchitectureSpec) -> dict[str, float]:
        try:
            cell = self.cell(spec)
        except UsageError:
            return {OUTSIDE: 1.0}
        return {} if set(cell[1]) <= set(cells.operators_of(self.dataset)) else {OUTSIDE: 1.0}

    def explain(self, spec: ArchitectureSpec, bound: str) -> str:
        del bound
        try:
            _, ops = self.cell(spec)
        except UsageError as error:
            return str(error)
        return f"space {self.name}: the cell has operators {', '.join(ops)}; allowed: {', '.join(cells.operators_of(self.dataset))}"

    def sample(self, rng: random.Random) -> ArchitectureSpec:
        return cells.cell_to_spec(*cells.sample_cell(rng, self.dataset), self.dataset)

    def crossover(self, a: ArchitectureSpec, b: ArchitectureSpec, rng: random.Random) -> ArchitectureSpec:
        first, second = self.cell(a), self.cell(b)
        ops = tuple(rng.choice(pair) for pair in zip(first[1], second[1], strict=True))
        ops = first[1] if all(op == "skip" for op in ops) else ops
        return cells.cell_to_spec(rng.choice((first[0], second[0])), ops, self.dataset)

    def vector(self, spec: ArchitectureSpec) -> list[float]:
        return cell_vector(self.cell(spec))

    def vector_names(self) -> list[str]:
        links = ["".join(map(str, shape)) for shape in LINKS]
        places = [f"node{i + 1}={op}" for i in range(SIZE) for op in OPS]
        leaves = [f"leaf={op}" for op in OPS]
        return (
            [f"links={shape}" for shape in links] + [f"count={op}" for op in OPS] + leaves + places + ["edges", "depth", "leaves", "first"]
        )

    def log10_size(self) -> float:
        return math.log10(sum(1 for _ in cells.all_cells(self.dataset)))

    def as_dict(self) -> dict[str, Any]:
        return {"name": self.name, "dataset": self.dataset, **({} if self.is_table else {"trained": True})}


@lru_cache(maxsize=1024)
def _varied(cell: Cell, factor: str, operators: Ops) -> tuple[Cell, ...]:
    """Other cells of the space that this factor leads to, each once, in a fixed order."""
    links, ops = cell
    if factor == "cell.links":
        raw = [(other, ops) for other in LINKS if other != links]
    else:
        raw = [(links, (*ops[:i], op, *ops[i + 1 :])) for i in range(SIZE) for op in operators if op != ops[i]]
    settled = dict.fromkeys(cells.settle(*other) for other in raw)
    return tuple(other for other in settled if other != cell and any(op != "skip" for op in other[1]))


def cell_vector(cell: Cell) -> list[float]:
    """One-hot shape and operators, counts of operators in all and at the leaves, edges to computing nodes, depth, leaves, first nodes."""
    links, ops = cell
    depths: list[int] = []
    for i, link in enumerate(links):
        below = depths[link - 1] if link else 0
        depths.append(below + (ops[i] not in ("skip", "fc")))
    leaves = [i for i in range(SIZE) if i + 1 not in links]
    shape = [float(links == other) for other in LINKS]
    counts = [float(ops.count(op)) for op in OPS]
    at_leaves = [float(sum(ops[i] == op for i in leaves)) for op in OPS]
    places = [float(ops[i] == op) for i in range(SIZE) for op in OPS]
    edges = sum(link > 0 for link in links)
    return [*shape, *counts, *at_leaves, *places, float(edges), float(max(depths)), float(len(leaves)), float(links.count(0))]


def _in_words(old: Cell, new: Cell) -> str:
    return f"cell {cell_text(old)} -> {cell_text(new)}"
