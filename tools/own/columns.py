"""What a column holds: numbers, yes or no, dates, categories, text. Told from its cells where the task file does not say."""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection, Iterable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from agentnas.tools.errors import DataError
from agentnas.tools.own.tables import MISSING, Objects, Table, texts_of

Holds = Literal["numbers", "yes or no", "dates", "categories", "text", "nothing", "names"]
FEW = 30  # different values up to which a column of texts holds categories, whatever its length
SHARE = 0.05  # of rows; more different values, and it may hold names of rows
WORDS = 3.0  # a cell, on average: running text
MOSTLY = 0.9  # share of numbers from which what is none is taken for a mistake
LARGEST = float(np.finfo(np.float32).max)
YES = frozenset(("true", "yes", "y", "t", "on"))
NO = frozenset(("false", "no", "n", "f", "off"))
_ISO = re.compile(r"\d{4}-\d{1,2}-\d{1,2}([T ].*)?")
_DAY = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2\d{4}([T ].*)?")  # 31.12.2024, and 31/12/2024 or 12/31/2024
_COMMA = re.compile(r"[-+]?\d{1,15},\d+")


def holds(table: Table, name: str) -> Holds:
    """What a column holds; ``names`` where most rows differ and nothing can be learnt of them without being told how."""
    series = table.frame[name]
    if name in table.several:
        return "names"
    if series.isna().all():
        return "nothing"
    if series.dtype.kind in "iuf":
        return "numbers"
    if series.dtype.kind == "b":
        return "yes or no"
    if series.dtype.kind == "M":
        return "dates"
    return _of_texts(_known(texts_of(series)), table.decimal)


def _known(cells: Objects) -> Objects:
    return np.array([cell for cell in cells if cell not in MISSING], dtype=object)


def _of_texts(cells: Objects, decimal: str) -> Holds:
    if not len(cells):
        return "nothing"
    different = set(cells)
    if {cell.lower() for cell in different} <= YES | NO:
        return "yes or no"
    if np.isfinite(parsed(cells, decimal)).mean() >= MOSTLY:
        return "numbers"
    if all(_ISO.fullmatch(cell) for cell in different) or _are_days(different):
        return "dates"
    if len(different) <= max(FEW, SHARE * len(cells)):
        return "categories"
    words = np.mean([cell.count(" ") + 1 for cell in cells])
    return "text" if words >= WORDS else "names"


def _are_days(cells: set[str]) -> bool:
    """Whether all are dates whose order of day and month is known."""
    return all(_DAY.fullmatch(cell) for cell in cells) and _order(cells) in ("day", "month")


def _order(cells: Iterable[str]) -> Literal["day", "month", "unclear", "both", "none"]:
    """What comes first in dates such as 03/04/2024: with dots the day, else what a number beyond 12 tells."""
    found = [match for cell in cells if (match := _DAY.fullmatch(cell))]
    if not found:
        return "none"
    day = any(int(match[1]) > 12 or match[2] == "." for match in found)
    month = any(int(match[3]) > 12 for match in found)
    return "both" if day and month else "day" if day else "month" if month else "unclear"


def has_commas(cells: Collection[str]) -> bool:
    """Whether nearly all cells are numbers with a comma before their decimals."""
    return sum(_COMMA.fullmatch(cell) is not None for cell in cells) >= MOSTLY * max(1, len(cells))


def parsed(cells: Any, decimal: str) -> NDArray[np.float64]:
    """Numbers of texts, NaN where one is none."""
    from pandas import Series, to_numeric

    if decimal == ",":
        cells = [cell.replace(",", ".") if _COMMA.fullmatch(cell) else cell for cell in cells]
    return np.array(to_numeric(Series(cells, dtype=object), errors="coerce"), np.float64)


def numbers(table: Table, name: str, key: str) -> NDArray[np.float64]:
    """A column of numbers [rows], NaN where a cell is empty; DataError names the first cell that is no number, or no finite one."""
    series = table.cells(name, key)
    if series.dtype.kind in "iufb":
        found = series.to_numpy(np.float64, copy=True, na_value=np.nan)  # pandas lends arrays that cannot be written
        wrong = np.isinf(found) | (np.abs(found) > LARGEST)
        cells = found
    else:
        cells = texts_of(series)
        missing = np.array([cell in MISSING for cell in cells], dtype=bool)
        found = parsed(cells, table.decimal)
        wrong = ~missing & ~(np.abs(found) <= LARGEST)
    if wrong.any():
        row = int(wrong.argmax())
        raise DataError(f"{table.at(row, name)}: {str(cells[row])[:40]!r} is no finite number; {key} holds numbers")
    return np.array(found, np.float64)


def truths(table: Table, name: str, key: str) -> NDArray[np.float64]:
    """A column of yes and no as 1 and 0 [rows], NaN where a cell is empty; DataError names the first cell that is neither."""
    cells = [cell.lower() for cell in table.texts(name, key)]
    found = np.array([_truth(cell) for cell in cells])
    wrong = np.isnan(found) & np.array([cell not in _MISSING for cell in cells], dtype=bool)
    if wrong.any():
        row = int(wrong.argmax())
        raise DataError(f"{table.at(row, name)}: {cells[row][:40]!r}; {key} takes 0 and 1, or yes and no")
    return np.array(found, np.float64)


_MISSING = frozenset(cell.lower() for cell in MISSING)


def _truth(cell: str) -> float:
    return 1.0 if cell in YES or cell in ("1", "1.0") else 0.0 if cell in NO or cell in ("0", "0.0") else np.nan


def days(table: Table, name: str, key: str) -> NDArray[np.float64]:
    """A column of dates or times as days since 1970 [rows], NaN where a cell is empty; DataError names the first cell that is none."""
    from pandas import Series, Timedelta, Timestamp, to_datetime

    series = table.cells(name, key)
    if series.dtype.kind in "iuf":
        return numbers(table, name, key)  # times as numbers: only their order and distance matter
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of formats that are guessed
        if series.dtype.kind == "M":
            found = to_datetime(series, utc=True, errors="coerce")
            missing = series.isna().to_numpy()
        else:
            cells = texts_of(series)
            missing = np.array([cell in MISSING for cell in cells], dtype=bool)
            first = _order(set(cells))
            if first in ("unclear", "both"):
                row = next(row for row, cell in enumerate(cells) if _DAY.fullmatch(cell))
                why = "may begin with the day or the month" if first == "unclear" else "is of a column where day and month change places"
                raise DataError(f"{table.at(row, name)}: {cells[row][:40]!r} {why}; write dates as 2024-05-31")
            found = to_datetime(Series(cells, dtype=object), utc=True, errors="coerce", format="mixed", dayfirst=first == "day")
    wrong = found.isna().to_numpy() & ~missing
    if wrong.any():
        row = int(wrong.argmax())
        raise DataError(f"{table.at(row, name)}: {str(series.iloc[row])[:40]!r} is no date; {key} takes dates such as 2024-05-31")
    since = (found - Timestamp(0, tz="UTC")) / Timedelta(days=1)
    return np.array(since, np.float64)
