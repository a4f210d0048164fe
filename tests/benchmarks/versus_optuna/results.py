"""The file of results: rows as they come, written whole each time, so that a run that is cut off goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agentnas.tools.errors import UsageError
from agentnas.tools.whole_file import whole_file

Row = dict[str, Any]
KEYS = ("part", "task", "side", "round", "rule")


class Results:
    """Rows by ``keys``: part, task, side, round and rule (epochs and patience, or seconds); ``path`` None keeps them in memory alone."""

    def __init__(self, path: Path | None = None, keys: Sequence[str] = KEYS) -> None:
        self.path, self.keys, self.rows = path, keys, list[Row]()
        if path is not None and path.exists():
            self.rows = _read(path, keys)

    def has(self, **wanted: Any) -> bool:
        """Whether there is such a row that has not failed: what failed is tried again."""
        return any(not row.get("problem") and all(row[key] == wanted[key] for key in wanted) for row in self.rows)

    def add(self, row: Row) -> None:
        """Keep a row, in place of an earlier one with the same keys."""
        self.rows = [one for one in self.rows if any(one[key] != row[key] for key in self.keys)] + [row]
        if self.path is not None:
            with whole_file(self.path) as file:
                file.write((json.dumps({"rows": self.rows}, indent=1) + "\n").encode())

    def of(self, part: str) -> list[Row]:
        return [row for row in self.rows if row["part"] == part]


def _read(path: Path, keys: Sequence[str]) -> list[Row]:
    try:
        rows: list[Row] = json.loads(path.read_text())["rows"]
        if all(key in row for row in rows for key in keys):
            return rows
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} holds no results of this command ({type(error).__name__}); give another file") from None
    raise UsageError(f"{path} holds rows without {', '.join(keys)}; give another file")
