"""What can be told of a column without being told: how many values, how many empty, what they look like."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agentnas.tools.errors import DataError, UsageError
from agentnas.tools.own.arrays import Arrays
from agentnas.tools.own.columns import Holds, holds, parsed
from agentnas.tools.own.graph import Tables
from agentnas.tools.own.sources import MARKUP, NPZ, TORCH, read_source
from agentnas.tools.own.tables import MISSING, PARQUET, PICKLES, SEPARATORS, TEXTS, Objects, Table, read_table, texts_of

TABLES = (*TEXTS, *PARQUET)
SOURCES = (*MARKUP, *NPZ, *TORCH)
MOST_FILES = 12
_SMILES = re.compile(r"[A-Za-z0-9@+\-\[\]()=#$/\\%.:*]+")
_BONDED = re.compile(r"[=#()\[\]]|[cnos]1|C[A-Z1-9]")
PARTS = {
    "train": ("train", "training", "tr"), "val": ("val", "valid", "validation", "dev"), "test": ("test", "testing", "te", "holdout"),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Column:
    """A column of a table and what its cells say."""

    table: Table
    name: str

    @cached_property
    def holds(self) -> Holds:
        return holds(self.table, self.name)

    @cached_property
    def texts(self) -> Objects:
        """Cells as texts; empty where a cell is."""
        return texts_of(self.table.frame[self.name])

    @cached_property
    def values(self) -> frozenset[str]:
        """The different cells that are not empty."""
        return frozenset(self.texts) - MISSING

    @cached_property
    def empty(self) -> int:
        return int(np.isin(self.texts, sorted(MISSING)).sum())

    @cached_property
    def unique(self) -> bool:
        """Whether every row has a value of its own."""
        return len(self.values) == len(self.table)

    @cached_property
    def whole(self) -> bool:
        """Whether the values are whole numbers."""
        return self.holds in ("numbers", "yes or no") and all(_WHOLE.fullmatch(value) for value in self.values)

    @cached_property
    def numbers(self) -> NDArray[np.float64]:
        """The finite numbers among the cells."""
        found = parsed(self.texts, self.table.decimal)
        return found[np.isfinite(found)]

    @cached_property
    def is_number_of_row(self) -> bool:
        """Whether the cells number the rows without a gap, in whatever order."""
        return self.unique and self.whole and len(self.numbers) > 1 and bool(np.ptp(self.numbers) == len(self.numbers) - 1)

    @cached_property
    def blanks(self) -> dict[str, int]:
        """Words that are read as empty, such as ``none``, and in how many rows."""
        words, counts = np.unique(self.texts[np.isin(self.texts, sorted(MISSING - {""}))].astype(str), return_counts=True)
        return dict(zip(map(str, words), map(int, counts), strict=True))

    @cached_property
    def counts(self) -> dict[str, int]:
        """Value -> rows, the most frequent first."""
        kinds, counts = np.unique(self.texts[~np.isin(self.texts, sorted(MISSING))].astype(str), return_counts=True)
        order = np.argsort(-counts, kind="stable")
        return {str(kinds[at]): int(counts[at]) for at in order}

    @cached_property
    def words(self) -> tuple[str, ...]:
        """Words of the name: ``is_fraud`` and ``isFraud`` are two."""
        apart = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", self.name)
        return tuple(word for word in re.split(r"[^A-Za-z0-9]+", apart.lower()) if word)

    @cached_property
    def is_parts(self) -> bool:
        """Whether the cells name parts of a split."""
        known = {word for words in PARTS.values() for word in words}
        if not all(value.lower() in known for value in self.values):  # ends at the first of a million other words
            return False
        return 2 <= len({value.lower() for value in self.values}) <= 4

    @property
    def is_smiles(self) -> bool:
        """Whether the cells look like molecules: no blanks, no other letters, and bonds, rings or branches in most."""
        some = [text for text in self.texts[:200] if text not in MISSING]
        if self.holds not in ("names", "categories", "text") or len(some) < 3:
            return False
        written = np.mean([bool(_SMILES.fullmatch(text)) and _closed(text) for text in some])
        return bool(written > 0.98 and np.mean([bool(_BONDED.search(text)) for text in some]) > 0.6)


def _closed(text: str) -> bool:
    """Whether rings and branches that are opened are closed, as in ``C1CC1`` and not in the name ``C12``."""
    bare = re.sub(r"\[[^\]]*\]|%\d\d", "", text)  # charges and isotopes stand in brackets
    return bare.count("(") == bare.count(")") and all(bare.count(digit) % 2 == 0 for digit in "0123456789")


_WHOLE = re.compile(r"[-+]?\d+(\.0*)?")


@dataclass(frozen=True, eq=False)
class Seen:
    """A table that was looked at. ``file``: its path; ``table``: its rows; ``whole``: whether the file holds nodes and edges at once."""

    file: Path
    table: Table
    whole: bool = False

    @cached_property
    def columns(self) -> dict[str, Column]:
        return {name: Column(self.table, name) for name in self.table.names}

    @property
    def rows(self) -> int:
        return len(self.table)

    @cached_property
    def words(self) -> frozenset[str]:
        """Words of the file's name, without the plural's s."""
        return frozenset(word.rstrip("s") for word in re.split(r"[^a-z0-9]+", self.file.stem.lower()))


def files_of(paths: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Files with data among paths and folders, and those that are passed over; UsageError where there are none, or too many."""
    found: list[Path] = []
    passed: list[Path] = []
    for path in paths:
        if not path.exists():
            beside = ", ".join(sorted(other.name for other in path.parent.iterdir())[:8]) if path.parent.is_dir() else ""
            raise UsageError(f"{path}: no such file or folder" + (f"; beside it: {beside}" if beside else ""))
        inside = sorted(other for other in path.iterdir() if other.is_file()) if path.is_dir() else [path]
        known = [file for file in inside if file.suffix.lower() in (*TABLES, *SOURCES) and not _is_prose(file)]
        found += known if path.is_dir() else [path]
        passed += [file for file in inside if file not in known and file.suffix.lower() not in (".yaml", ".yml")] if path.is_dir() else []
    if not found:
        raise UsageError(f"{paths[0]}: holds no data file; known endings: {', '.join((*TABLES, *SOURCES))}")
    if len(found) > MOST_FILES:
        raise UsageError(f"{len(found)} files: {MOST_FILES} at most; name those of one task")
    return list(dict.fromkeys(found)), passed


def _is_prose(file: Path) -> bool:
    return file.suffix.lower() == ".txt" and file.stem.lower() in ("readme", "license", "licence", "notes", "requirements")


def look_whole(file: Path) -> tuple[Seen, Seen] | Arrays:
    """The tables of nodes and of edges of a GraphML or GML file, or the arrays of an archive; DataError where it is none."""
    found = read_source(file.name, file.parent, None, False)
    if not isinstance(found, Tables):
        return found
    assert found.nodes is not None
    assert found.edges is not None
    return Seen(file, found.nodes, True), Seen(file, found.edges, True)


def look(file: Path, separator: str | None = None, encoding: str = "utf-8") -> Seen:
    """The table in a file; DataError where it is none, or where its first line is no header."""
    if file.suffix.lower() in PICKLES:
        raise DataError(f"{file}: a pickle runs code when it is read, so it is refused; save it as CSV, Parquet, GraphML or .npz")
    table = read_table(file, str(file), separator=separator, encoding=encoding, as_text=lambda header: header)  # as ids are read
    if len(table.names) == 1 and (inside := next((sign for sign in SEPARATORS if sign in table.names[0]), None)):
        raise DataError(f"{file}: the first line is {table.names[0][:40]!r}, one column; --separator {inside!r} parts it")
    if len(table.names) == 1 and (parts := table.names[0].split())[1:]:
        raise DataError(f"{file}: the first line is {table.names[0][:40]!r}, one column of {len(parts)} words; --separator ' ' parts them")
    if all(_NUMBER.fullmatch(name) for name in table.names):
        named = ",".join(("source", "target", "weight")[: len(table.names)]) if len(table.names) < 4 else "names of columns"
        raise DataError(f"{file}: the first line is {','.join(table.names[:4])}: no header; put one above it, such as {named}")
    return Seen(file, table)


_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?([eE][-+]?\d+)?")
