"""Columns as features: numbers as they are, categories one-hot, dates as years and seasons, text as hashed words.

What is fitted (the values of categories, the median that stands for an empty cell) is fitted on all rows and never on labels: with folds or
several random splits every row is trained on in one of them, and one network is compared on the same features in all.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agentnas.tools.errors import DataError
from agentnas.tools.own.columns import Holds, days, has_commas, holds, numbers, truths
from agentnas.tools.own.schema import ALL
from agentnas.tools.own.schema import Table as Part
from agentnas.tools.own.tables import MISSING, Table
from agentnas.tools.tasks.base import Matrix, compact

MOST_CATEGORIES = 64  # columns of one category; the rarest values share the last
RARE = 0.001  # share of rows below which a value is rare
TEXT_COLUMNS = 256  # columns that the words of one text are hashed to
YEAR, WEEK = 365.2425, 7.0
SINCE = 10957.0  # days from 1970 to 2000, where years begin to be counted


class Encoded(NamedTuple):
    """Features [rows, columns] float32, and what each column is: ``age``, ``age is empty``, ``country=FR``."""

    matrix: Matrix
    names: tuple[str, ...]


def features_of(table: Table, part: Part, key: str) -> list[tuple[str, Holds]]:
    """Columns that are features, in the order of the table, and what each holds. ``key``: the part of the task file, for errors.

    Raises DataError for a column that is not there, holds nothing, or holds something else in nearly every row.
    """
    said: dict[str, Holds] = {
        **dict.fromkeys(part.dates, "dates"), **dict.fromkeys(part.text, "text"), **dict.fromkeys(part.categories, "categories"),
    }  # fmt: skip
    for name in (*part.features, *said, *part.ignore):
        if name != ALL or ALL in table.names:
            table.column(name, f"{key}: features")
    used = {name for what, names in part.used().items() if what not in ("categories", "text", "dates") for name in names}
    wanted = set(table.names) - used if ALL in part.features else set(part.features)
    chosen = [name for name in table.names if name in wanted or name in said]
    return [(name, _told(table, name, said.get(name), key)) for name in chosen]


def _told(table: Table, name: str, said: Holds | None, key: str) -> Holds:
    found = holds(table, name)
    if name in table.several:
        raise DataError(f"{table.at(table.several[name], name)}: holds several values, a feature takes one; add {key}: ignore: [{name}]")
    if found == "nothing":
        raise DataError(f"{table.where}: column {name!r} is empty in all {len(table)} rows; add {key}: ignore: [{name}]")
    if said is None and found == "names":
        different = set(table.texts(name, key))
        if has_commas(different):
            raise DataError(
                f"{table.where}: column {name!r} holds numbers with a comma before decimals; write a point, or separate cells by ;"
            )
        count = len(different)
        raise DataError(
            f"{table.where}: column {name!r} holds {count:,} different texts in {len(table):,} rows; say what it is in {key}:"
            " text, categories or ignore"
        )
    return said or found


def encode(table: Table, part: Part, key: str) -> Encoded | None:
    """The features of a table; None where it has none."""
    from scipy.sparse import csr_matrix, hstack

    blocks, names = [], []
    for name, what in features_of(table, part, key):
        matrix, columns = _ENCODERS[what](table, name, key)
        blocks.append(csr_matrix(matrix, dtype=np.float32))
        names += columns
    return Encoded(compact(hstack(blocks, format="csr")), tuple(names)) if blocks else None


def _numbers(table: Table, name: str, key: str) -> tuple[Any, list[str]]:
    return _filled(numbers(table, name, f"{key}: {name}"), name)


def _truths(table: Table, name: str, key: str) -> tuple[Any, list[str]]:
    return _filled(truths(table, name, f"{key}: {name}"), name)


def _filled(values: NDArray[np.float64], name: str) -> tuple[Any, list[str]]:
    """Empty cells as the median of the others, and a column that says where they are."""
    empty = np.isnan(values)
    if not empty.any():
        return values[:, None], [name]
    values = np.where(empty, np.median(values[~empty]) if not empty.all() else 0.0, values)
    return np.stack([values, empty], axis=1), [name, f"{name} is empty"]


def _categories(table: Table, name: str, key: str) -> tuple[Any, list[str]]:
    from sklearn.preprocessing import OneHotEncoder

    cells = table.texts(name, f"{key}: {name}")
    cells[[cell in MISSING for cell in cells]] = "(empty)"
    encoder = OneHotEncoder(min_frequency=max(2, int(RARE * len(cells))), max_categories=MOST_CATEGORIES, dtype=np.float32)
    matrix = encoder.fit_transform(cells[:, None])
    columns = [column.replace("infrequent_sklearn", "(rare)") for column in encoder.get_feature_names_out([name + "="])]
    return matrix, [column.replace("=_", "=", 1) for column in columns]


def _dates(table: Table, name: str, key: str) -> tuple[Any, list[str]]:
    """Years since 2000, and the place in year and week as points on a circle."""
    since = days(table, name, f"{key}: {name}")
    filled, columns = _filled(since, name)
    filled[:, 0] -= SINCE
    at = np.where(np.isnan(since), 0.0, since)
    turns = [np.stack([np.sin(2 * np.pi * at / turn), np.cos(2 * np.pi * at / turn)], axis=1) for turn in (YEAR, WEEK)]
    filled[:, 0] /= YEAR
    more = [f"{name} {wave} of {turn}" for turn in ("year", "week") for wave in ("sine", "cosine")]
    return np.concatenate([filled, *turns], axis=1), [*columns, *more]


def _text(table: Table, name: str, key: str) -> tuple[Any, list[str]]:
    from sklearn.feature_extraction.text import HashingVectorizer

    words = HashingVectorizer(n_features=TEXT_COLUMNS, alternate_sign=False, dtype=np.float32)
    matrix = words.transform(table.texts(name, f"{key}: {name}"))
    used = np.flatnonzero(np.bincount(matrix.indices, minlength=TEXT_COLUMNS))  # a short vocabulary leaves columns empty
    return matrix[:, used], [f"{name} words {number}" for number in used]


_ENCODERS = {
    "numbers": _numbers, "yes or no": _truths, "categories": _categories, "dates": _dates, "text": _text,
}  # fmt: skip


def found_in(table: Table, part: Part, key: str) -> Iterator[str]:
    """What the columns of a table were taken for, a line each."""
    for name, what in features_of(table, part, key):
        yield f"{name}: {what}"
