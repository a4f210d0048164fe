"""NAS-Bench-Graph (Qin, Zhang, Wang, Zhu; NeurIPS 2022): 26,206 trained cells on each of nine graphs, as a table to look up.

The tables come from the package ``nas-bench-graph``. Its code is never imported and its pickles are never executed: the files are found
beside it and read as inert data.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Sequence
from functools import cache
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np

from agentnas.tools.errors import DataError, UsageError, suggest
from agentnas.tools.tasks.catalog import TABLES
from agentnas.tools.tasks.pickles import read_pickle

Links = tuple[int, int, int, int]
Ops = tuple[str, str, str, str]

OPERATIONS = ("gat", "gcn", "gin", "cheb", "sage", "arma", "graph", "fc", "skip")
"""The table's operations; ``gat`` has 2 heads, ``graph`` is k-GNN, ``fc`` looks at each node alone."""

LINKS: tuple[Links, ...] = (
    *((0, 0, 0, 0), (0, 0, 0, 1), (0, 0, 1, 1), (0, 0, 1, 2), (0, 0, 1, 3)),
    *((0, 1, 1, 1), (0, 1, 1, 2), (0, 1, 2, 2), (0, 1, 2, 3)),
)
"""The nine macro graphs: where each of the four nodes takes its input from, 0 being the cell's input. Leaves are concatenated."""

_BASE = len(OPERATIONS) + 1
_SKIP = OPERATIONS.index("skip")
_FIELDS = ("valid_perf", "perf", "para", "latency")


class NasBenchTable:
    """One data set's table. Scores are percent; cells are named by ``cell_key``."""

    def __init__(self, name: str, path: Path | None = None) -> None:
        """Read the table ``name`` (from ``path``, or from the installed package); DataError if it is missing or damaged."""
        if name not in TABLES:
            raise UsageError(f"table {name!r} does not exist; {suggest(name, TABLES)}")
        self.name = name
        file = path or _table_file(name)
        rows = _checked_rows(read_pickle(file, "a NAS-Bench-Graph table"), file)
        self._row = {key: number for number, key in enumerate(rows)}
        columns = np.array([[row[field] for field in _FIELDS] for row in rows.values()], dtype=np.float64)
        self._validation, self._test, self._megaparameters, self._latency_s = columns.T
        self.fingerprint = hashlib.sha256(file.read_bytes()).hexdigest()

    def __len__(self) -> int:
        return len(self._row)

    def __contains__(self, key: object) -> bool:
        return key in self._row

    def keys(self) -> tuple[int, ...]:
        """All cells, in the table's order."""
        return tuple(self._row)

    def validation(self, key: int) -> float:
        """Validation score in percent; UsageError for a cell that the table does not hold."""
        return 100.0 * float(self._validation[self._find(key)])

    def test(self, key: int) -> float:
        """Test score in percent; to be read only when the test is opened."""
        return 100.0 * float(self._test[self._find(key)])

    def profile(self, key: int) -> dict[str, float]:
        """``parameters`` and ``latency_ms_p50`` of a cell; the latency is the one number that the table's authors measured on their GPU."""
        row = self._find(key)
        return {"parameters": round(1e6 * float(self._megaparameters[row])), "latency_ms_p50": 1e3 * float(self._latency_s[row])}

    def _find(self, key: int) -> int:
        if key not in self._row:
            raise UsageError(f"cell {key!r} is not in the table {self.name}, which holds {len(self)} cells; build keys with cell_key")
        return self._row[key]


def cell_key(links: Sequence[int], ops: Sequence[str]) -> int:
    """The key of a cell; cells that compute the same share one.

    ``links[i]`` in 0..i is the node that node i+1 reads (0: the input), ``ops[i]`` its operation. UsageError for anything else.
    """
    codes = _codes(links, ops)
    parents = dict(enumerate(links, start=1))
    moved = 0
    # A skip that only passes on what it reads is the same cell with that skip in front of everything.
    while (node := next((n for n in parents if codes[n - 1] == _SKIP and _passes_through(n, parents)), None)) is not None:
        above = parents.pop(node)
        parents = {n: above if parent == node else parent for n, parent in parents.items()}
        moved += 1
    return _smallest_key(moved, parents, codes)


def cell_from_key(key: int) -> tuple[Links, Ops]:
    """The links and operations that a key spells; UsageError if it is not the key of a cell."""
    digits, rest = [], key
    for _ in range(4):
        rest, digit = divmod(rest, _BASE)
        digits.append(digit)
    if not 0 <= rest < len(LINKS) or max(digits) >= len(OPERATIONS):
        raise UsageError(f"{key!r} is not the key of a cell; keys run over {len(LINKS)} macro graphs and {len(OPERATIONS)} operations")
    a, b, c, d = (OPERATIONS[digit] for digit in reversed(digits))
    if cell_key(LINKS[rest], (a, b, c, d)) != key:
        raise UsageError(f"{key!r} is not the key of a cell; the same cell has the key {cell_key(LINKS[rest], (a, b, c, d))}")
    return LINKS[rest], (a, b, c, d)


def _codes(links: Sequence[int], ops: Sequence[str]) -> list[int]:
    if len(links) != 4 or not all(0 <= parent <= node for node, parent in enumerate(links)):
        raise UsageError(f"links {list(links)} do not fit a cell; expected four numbers, the i-th (from 0) in 0..i")
    for op in ops:
        if op not in OPERATIONS:
            raise UsageError(f"operation {op!r} is not in the table; {suggest(op, OPERATIONS)}")
    if len(ops) != 4:
        raise UsageError(f"a cell has four operations; got {len(ops)}")
    return [OPERATIONS.index(op) for op in ops]


def _passes_through(node: int, parents: dict[int, int]) -> bool:
    """Whether a skip has nodes below it, nothing beside it, or hangs on the cell's input."""
    beside = sum(parent == parents[node] for parent in parents.values()) > 1
    return node in parents.values() or not beside or parents[node] == 0


def _smallest_key(moved: int, parents: dict[int, int], codes: list[int]) -> int:
    kept = list(parents)
    place = {0: moved} | {node: moved + number for number, node in enumerate(kept, start=1)}
    links = (*range(moved), *(place[parents[node]] for node in kept))
    ops = [_SKIP] * moved + [codes[node - 1] for node in kept]
    return min(_spell(number, [ops[node] for node in order]) for number, order in _orders(links))


def _spell(number: int, ops: list[int]) -> int:
    for op in ops:
        number = number * _BASE + op
    return number


@cache
def _orders(links: tuple[int, ...]) -> tuple[tuple[int, tuple[int, ...]], ...]:
    """Every way to renumber four nodes into one of the nine macro graphs: (its number, old node at each new place)."""
    found = []
    for order in permutations(range(4)):
        new = {old + 1: place for place, old in enumerate(order, start=1)} | {0: 0}
        renumbered = tuple(new[links[old]] for old in order)
        if renumbered in LINKS:
            found.append((LINKS.index(renumbered), order))
    return tuple(found)


def _table_file(name: str) -> Path:
    package = importlib.util.find_spec("nas_bench_graph")
    if package is None or not package.submodule_search_locations:
        raise DataError(f"table {name} needs the package nas-bench-graph, which is not installed; run: pip install nas-bench-graph")
    return Path(package.submodule_search_locations[0]) / "light" / f"{name}.bench"


def _checked_rows(content: Any, path: Path) -> dict[int, dict[str, float]]:
    if not isinstance(content, dict) or not content:
        raise DataError(f"{path}: expected a table cell -> scores; install nas-bench-graph again")
    for key, row in content.items():
        if type(key) is not int or not isinstance(row, dict) or not all(_is_score(row.get(field)) for field in _FIELDS):
            raise DataError(f"{path}: the row of cell {key!r:.40} does not hold {', '.join(_FIELDS)}; install nas-bench-graph again")
    return content


def _is_score(value: Any) -> bool:
    return type(value) is float and 0.0 <= value < float("inf")
