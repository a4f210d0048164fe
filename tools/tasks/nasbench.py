"""NAS-Bench-Graph (Qin, Zhang, Wang, Zhu; NeurIPS 2022): 26,206 trained cells on each of nine graphs, as a table to look up.

The tables come from the package ``nas-bench-graph``. Its code is never imported and its pickles are never executed: the files are found
beside it and read as inert data.
"""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

from agentnas.tools.errors import DataError, UsageError, suggest
from agentnas.tools.tasks.catalog import TABLES
from agentnas.tools.tasks.pickles import read_pickle

_FIELDS = ("valid_perf", "perf", "para", "latency")


class NasBenchTable:
    """One data set's table. Scores are percent; cells are named by ``tools.spec.cells.cell_key``."""

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
