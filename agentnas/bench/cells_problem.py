"""NAS-Bench-Graph as problems: the cells of its tables, with one operator or the links as the moves between them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from itertools import product

import numpy as np

from agentnas.bench.problem import Array, Problem, Rows
from agentnas.tools.spec.cells import LINKS, SIZE, cell_from_key, cell_key, operators_of
from agentnas.tools.spec.cellspace import cell_vector
from agentnas.tools.tasks import load_task, make_card
from agentnas.tools.tasks.catalog import TABLE_PREFIX, TABLES

# Its table knows five of the nine operators and its score is another one, so it is measured apart and is no memory for the others.
APART = ("proteins",)


class CellRows(Rows):
    """The cells of one table; the axes are the shape of the links and the four operators."""

    def __init__(self, keys: Sequence[int], ops: Sequence[str]) -> None:
        self.names = tuple(keys)
        self.cells = tuple(cell_from_key(key) for key in keys)
        self.vectors = np.array([cell_vector(cell) for cell in self.cells], dtype=np.float32)
        self.values = (len(LINKS), *[len(ops)] * SIZE)
        place = {op: number for number, op in enumerate(ops)}
        self.codes = np.array([(LINKS.index(links), *(place[op] for op in used)) for links, used in self.cells], dtype=np.int64)
        found = {key: row for row, key in enumerate(keys)}
        self._row_of = np.array([found.get(key, -1) for key in _keys_of_all(tuple(ops))])

    def row(self, code: Sequence[int]) -> int | None:
        row = int(self._row_of[self._index(code)])
        return None if row < 0 else row

    def neighbours(self, row: int) -> Array:
        code = self.codes[row]
        moves = [(*code[:axis], value, *code[axis + 1 :]) for axis, count in enumerate(self.values) for value in range(count)]
        found = np.unique(self._row_of[[self._index(move) for move in moves]])
        return np.asarray(found[(found >= 0) & (found != row)])

    def _index(self, code: Sequence[int]) -> int:
        return int(np.ravel_multi_index(tuple(int(value) for value in code), self.values))


@cache
def _keys_of_all(ops: tuple[str, ...]) -> tuple[int, ...]:
    """The table's key of every way to write a cell, most of which are several ways to write the same one; takes two seconds."""
    return tuple(cell_key(links, used) for links, used in product(LINKS, product(ops, repeat=SIZE)))


@lru_cache(maxsize=2)
def _rows_of(keys: tuple[int, ...], ops: tuple[str, ...]) -> CellRows:
    return CellRows(keys, ops)


def cell_problems(names: Iterable[str] = TABLES) -> list[Problem]:
    """The tables of these data sets; those with the same cells share their rows. Takes about ten seconds for all nine."""
    return [_problem(name) for name in names]


def _problem(name: str) -> Problem:
    task = load_task(TABLE_PREFIX + name)
    table = task.table
    assert table is not None
    keys = table.keys()
    validation, test = (np.array([score(key) for key in keys]) for score in (table.validation, table.test))
    return Problem(name, _rows_of(keys, operators_of(name)), validation, test, tuple(make_card(task).vector()))
