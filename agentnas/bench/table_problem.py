"""A CSV of past trials as problems: a data set a column names, a design in the others (or in a spec), and its two scores."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from agentnas.bench.problem import Array, Problem, Rows
from agentnas.tools.errors import DataError, SpecError
from agentnas.tools.spec.model import parse_spec
from agentnas.tools.spec.vectors import vector

# The names that each column may have; every other column is part of the design.
DATA_SET = ("data_set", "dataset", "task")
SPEC = "spec"
VALIDATION = ("validation", "val")
TEST = ("test",)
LEAST_ROWS = 2


class Trial(NamedTuple):
    """One line: the data set, the design's name (its columns' values), its features, and the scores, higher is better."""

    data_set: str
    name: tuple[str, ...]
    validation: float
    test: float


class TableRows(Rows):
    """Designs of one data set. Their axes are the columns; a combination stands for the design that shares the most values with it."""

    def __init__(self, names: Sequence[Hashable], vectors: Array, codes: Array, values: tuple[int, ...]) -> None:
        self.names, self.vectors, self.codes, self.values = tuple(names), vectors, codes, values

    def row(self, code: Sequence[int]) -> int | None:
        return int(np.argmin((self.codes != np.asarray(code)).sum(1)))

    def neighbours(self, row: int) -> Array:
        apart = (self.codes != self.codes[row]).sum(1)
        apart[row] = self.codes.shape[1] + 1
        return np.asarray(np.flatnonzero(apart == apart.min()))


def table_problems(path: Path, *, maximize: bool = True) -> list[Problem]:
    """The data sets of a file, in its order; scores are negated where low is good. Designs that a data set repeats count by their mean.

    Raises DataError, naming the line, for a file that lacks a column, holds no number where a score belongs, or has only one data set.
    """
    trials, columns = _read(path, 1.0 if maximize else -1.0)
    designs = list(dict.fromkeys(trial.name for trial in trials))
    vectors = _spec_vectors(designs, path) if columns == [SPEC] else _column_vectors(designs)
    codes, values = _coded(vectors if columns == [SPEC] else np.array(designs, dtype=object))
    place = {name: number for number, name in enumerate(designs)}
    data_sets = list(dict.fromkeys(trial.data_set for trial in trials))
    if len(data_sets) < 2:
        raise DataError(f"{path} holds one data set, {data_sets[0]}; each is searched with the others as memory, so give two")
    grouped = {name: [trial for trial in trials if trial.data_set == name] for name in data_sets}
    return [_problem(name, held, place, vectors, codes, values, path) for name, held in grouped.items()]


def _problem(
    data_set: str, trials: Sequence[Trial], place: Mapping[tuple[str, ...], int], vectors: Array, codes: Array, values: tuple[int, ...],
    path: Path,
) -> Problem:  # fmt: skip
    by_name: dict[tuple[str, ...], list[tuple[float, float]]] = {}
    for trial in trials:
        by_name.setdefault(trial.name, []).append((trial.validation, trial.test))
    if len(by_name) < LEAST_ROWS:
        raise DataError(f"{path}: data set {data_set} has one design; give {LEAST_ROWS} or more, or leave it out")
    held = [place[name] for name in by_name]
    scores = np.array([np.mean(pairs, axis=0) for pairs in by_name.values()])
    return Problem(data_set, TableRows(tuple(by_name), vectors[held], codes[held], values), scores[:, 0], scores[:, 1])


def _read(path: Path, sign: float) -> tuple[list[Trial], list[str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            header = list(reader.fieldnames or ())
            lines = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"cannot read {path}: {error}") from None
    data_set, validation, test = (_column(header, names, path) for names in (DATA_SET, VALIDATION, TEST))
    columns = [SPEC] if SPEC in header else [name for name in header if name not in (data_set, validation, test)]
    if not columns or not lines:
        missing = "columns of a design: a spec, or any others" if lines else "lines"
        raise DataError(f"{path} has no {missing}")
    trials = []
    for number, line in enumerate(lines, start=2):
        scores = [sign * _number(line[name], f"{path}:{number}: {name}") for name in (validation, test)]
        trials.append(Trial(line[data_set], tuple(line[name] or "" for name in columns), *scores))
    return trials, columns


def _column(header: Sequence[str], names: Sequence[str], path: Path) -> str:
    found = next((name for name in names if name in header), None)
    if found is None:
        raise DataError(f"{path} has no column {' or '.join(names)}; it has {', '.join(header) or 'none'}")
    return found


def _number(text: str | None, where: str) -> float:
    try:
        value = float(text or "")
    except ValueError:
        raise DataError(f"{where} is {text!r}, not a number") from None
    if not math.isfinite(value):
        raise DataError(f"{where} is {text}; leave failed trials out")
    return value


def _spec_vectors(designs: Sequence[tuple[str, ...]], path: Path) -> Array:
    """Structure features of specs."""
    found = []
    for (text,) in designs:
        try:
            found.append(vector(parse_spec(json.loads(text))))
        except (json.JSONDecodeError, SpecError) as error:
            raise DataError(f"{path}: the spec {text[:60]!r} cannot be read: {error}") from None
    return np.array(found, dtype=np.float32)


def _column_vectors(designs: Sequence[tuple[str, ...]]) -> Array:
    """A column of numbers as it is, any other as one column for each of its values."""
    parts = [_features(column) for column in zip(*designs, strict=True)]
    return np.concatenate(parts, axis=1).astype(np.float32)


def _features(column: Sequence[str]) -> Array:
    try:
        numbers = np.array([float(text) for text in column])
    except ValueError:
        values = sorted(set(column))
        return np.array([[float(text == value) for value in values] for text in column])
    return np.asarray(np.nan_to_num(numbers)[:, None])


def _coded(columns: Array) -> tuple[Array, tuple[int, ...]]:
    """The number of each value in its column, for columns of more than one value; and how many values each has."""
    coded = [np.unique(column.astype(str) if column.dtype == object else column, return_inverse=True) for column in columns.T]
    varied = [(codes, len(values)) for values, codes in coded if len(values) > 1]
    if not varied:
        return np.zeros((len(columns), 1), dtype=np.int64), (1,)
    return np.stack([codes for codes, _ in varied], axis=1), tuple(count for _, count in varied)
