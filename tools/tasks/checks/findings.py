"""A finding: how bad, what was seen, what it means, what to do."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from agentnas.tools.scale import ITEMS
from agentnas.tools.tasks.base import GraphData, Index, Split, Task
from agentnas.tools.tasks.checks.advice import ADVICE

Severity = Literal["error", "warning", "note"]
Finding = tuple[Severity, str, str]  # of one split: how bad, code, text
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True)
class Problem:
    """One finding. An ``error`` makes scores wrong, a ``warning`` makes them weak, a ``note`` is worth knowing.

    ``means`` says what it does to scores, ``todo`` what to do about it; ``text`` is what was seen.
    """

    severity: Severity
    code: str
    text: str
    means: str = ""
    todo: str = ""

    def __str__(self) -> str:
        return f"{self.severity}: {self.text} [{self.code}]"


def problem(severity: Severity, code: str, text: str) -> Problem:
    """A finding with the advice that belongs to its code."""
    means, todo = ADVICE[code]
    return Problem(severity, code, text, means, todo)


def data_of(task: Task) -> GraphData:
    """The data of a task that is no table."""
    assert task.data is not None
    return task.data


def items_of(task: Task) -> str:
    """What is predicted of: ``nodes``, ``graphs`` or ``pairs``."""
    return f"{ITEMS[task.kind]}s"


def classes_of(data: GraphData) -> int:
    """Columns of scores that labels choose from: a pair has an edge or has none."""
    return 2 if data.pairs is not None else data.num_classes


def column_name(data: GraphData, column: int) -> str:
    """``'amount'`` where the columns of features have names, else ``feature 3``, counted from 0."""
    return f"feature {column}" if not data.feature_names else repr(data.feature_names[column])


def column_list(data: GraphData, columns: Index, most: int = 3) -> str:
    """Names of some columns in brackets, after a space; nothing where they have no names."""
    if not data.feature_names:
        return ""
    named = ", ".join(column_name(data, int(column)) for column in columns[:most])
    return f" ({named}{', ...' if len(columns) > most else ''})"


def class_name(data: GraphData, label: int) -> str:
    """The class as its file calls it, else its number."""
    return data.class_names[label] if data.class_names else str(label)


def class_list(data: GraphData, labels: Sequence[int], most: int = 5) -> str:
    """Some classes by name, and how many more there are."""
    named = ", ".join(class_name(data, label) for label in labels[:most])
    return named if len(labels) <= most else f"{named} and {len(labels) - most} more"


def numbered(task: Task, of_split: Callable[[Split], Iterable[Finding]]) -> Iterator[Problem]:
    """What is found in the splits, each finding once, with the numbers of the splits where not all have it."""
    findings: dict[Finding, list[int]] = {}
    for number, split in enumerate(task.splits):
        for found in of_split(split):
            findings.setdefault(found, []).append(number)
    for (severity, code, text), numbers in findings.items():
        where = "" if len(numbers) == task.num_splits else f" (splits {', '.join(map(str, numbers))})"
        yield problem(severity, code, text + where)


def range_text(counts: Sequence[int]) -> str:
    """``7`` or ``3 to 7``."""
    low, high = min(counts), max(counts)
    return str(low) if low == high else f"{low} to {high}"


def auc_error(positives: int, negatives: int, auc: float = 0.8) -> float:
    """Standard error of an area under the ROC curve (Hanley and McNeil, 1982), in points."""
    if not positives or not negatives:
        return 50.0
    q1, q2 = auc / (2 - auc), 2 * auc * auc / (1 + auc)
    spread = auc * (1 - auc) + (positives - 1) * (q1 - auc * auc) + (negatives - 1) * (q2 - auc * auc)
    return 100 * math.sqrt(spread / (positives * negatives))


def finite(values: object) -> bool:
    """Whether no value is NaN or infinite."""
    return bool(np.isfinite(np.asarray(values)).all())
