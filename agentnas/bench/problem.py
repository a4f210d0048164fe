"""A data set's table of finished trials, as searchers see it: rows that can be looked up, the axes they differ in, and their neighbours.

Scores are stored so that higher is better. Structure is shared by the tables of one benchmark where they hold the same rows.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


class Rows(ABC):
    """The designs of a table. ``vectors``: [rows, features] for surrogates; ``codes``: [rows, axes], the value of each axis by number;
    ``names``: equal for equal designs of two tables."""

    names: tuple[Hashable, ...]
    vectors: Array
    codes: Array
    values: tuple[int, ...]
    """How many values each axis has."""

    @abstractmethod
    def row(self, code: Sequence[int]) -> int | None:
        """The row that this combination of values stands for; None where the table holds nothing for it."""

    @abstractmethod
    def neighbours(self, row: int) -> Array:
        """Rows that are one move away, each once, never the row itself."""

    def __len__(self) -> int:
        return len(self.codes)


@dataclass(frozen=True, eq=False)
class Problem:
    """One data set: its rows and their scores, [rows] each. ``task`` is the vector of its task card, empty where none is known."""

    name: str
    rows: Rows
    validation: Array
    test: Array
    task: tuple[float, ...] = ()


@dataclass
class Lookup:
    """What a searcher may do: ask for the reward of rows, each of which costs one evaluation the first time."""

    reward: Array
    budget: int
    order: list[int] = field(default_factory=list)
    _known: dict[int, float] = field(default_factory=dict)

    @property
    def left(self) -> int:
        return self.budget - len(self.order)

    def __contains__(self, row: object) -> bool:
        return row in self._known

    def ask(self, row: int) -> float:
        """The reward of a row. Rows beyond the budget are answered and not counted: a searcher looks at ``left`` when it likes."""
        if row not in self._known:
            self._known[row] = float(self.reward[row])
            self.order.append(row)
        return self._known[row]

    def rewards(self) -> list[float]:
        """The rewards of the evaluated rows, in their order."""
        return [self._known[row] for row in self.order]
