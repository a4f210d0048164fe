"""Columns that name rows, and columns of other tables that name the same rows."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

from agentnas.tools.errors import UsageError
from agentnas.tools.own.looking import Column, Seen
from agentnas.tools.spelling import form

MOSTLY = 0.9  # share of cells that are ids of another table, from which a column names its rows


class Joined(NamedTuple):
    """A table whose rows join a row of one table to a row of another: its columns, and the tables that these name the rows of."""

    seen: Seen
    columns: tuple[str, str]
    homes: tuple[Seen, Seen]

    def __str__(self) -> str:
        (one, other), (first, second) = self.columns, self.homes
        return (
            f"{self.seen.file.name} joins {one} of {first.file.name} to {other} of {second.file.name}, but all nodes stand in one table;"
            " put the rows of both in one file, with ids that differ and a column type that says which is which"
        )


def id_columns(seen: Seen) -> list[Column]:
    """Columns that could name the rows: every cell is there and differs. The likeliest by its name first."""
    unique = [column for column in seen.columns.values() if column.unique and not column.empty and column.holds != "dates"]
    return sorted(unique, key=lambda column: -id_score(column, seen))


def id_score(column: Column, seen: Seen) -> float:
    """How much speaks for a column as the name of its rows."""
    first = next(iter(seen.columns)) == column.name
    named = column.words[-1:] in (("id",), ("key",), ("uid",), ("name",), ("node",), ("index",), ("no",)) or column.words[:1] == ("id",)
    decimals = column.holds == "numbers" and not column.whole
    return 2.0 * named + 1.0 * first + 0.5 * (column.holds == "names") - 5.0 * decimals


def share_of(wanted: frozenset[Any], known: Collection[Any]) -> float:
    """The share of what is wanted that is known."""
    return len(wanted & frozenset(known)) / max(1, len(wanted))


def joined_tables(tables: Sequence[Seen]) -> Iterator[Joined]:
    """Tables of which one column names rows of one other table, and another those of a third."""
    for seen in tables:
        rest = [table for table in tables if table is not seen]
        homes = {name: _homes(column, rest) for name, column in seen.columns.items()}
        named = [name for name, found in homes.items() if found]
        for at, one in enumerate(named):
            for other in named[at + 1 :]:
                if not any(table in homes[other] for table in homes[one]):
                    yield Joined(seen, (one, other), (homes[one][0], homes[other][0]))


def _homes(column: Column, tables: Sequence[Seen]) -> list[Seen]:
    """Tables whose rows the cells name: that with an id of the same name; else, where cells are no numbers, those that hold them."""
    if column.unique or column.empty:
        return []
    ids = [(table, id_columns(table)[:3]) for table in tables]
    fit = [(table, key) for table, keys in ids for key in keys if share_of(column.values, key.values) >= MOSTLY]
    same = [table for table, key in fit if key.name == column.name]
    return same or ([table for table, _ in fit] if column.holds in ("names", "categories") else [])


def check_spelling(ends: Sequence[Column], tables: Sequence[Seen]) -> None:
    """Raise UsageError where a table names as good as all ends, but writes them in another way."""
    wanted = {form(value): value for column in ends for value in column.values}
    for table in tables:
        for key in id_columns(table)[:3]:
            known = {form(value): value for value in key.values}
            other = next((word for word in sorted(wanted) if word in known and known[word] != wanted[word]), None)
            if other is not None and share_of(frozenset(wanted), known) >= MOSTLY:
                raise UsageError(
                    f"{ends[0].table.where}: {' and '.join(column.name for column in ends)} say {wanted[other][:40]!r} where {key.name} of"
                    f" {table.file.name} says {known[other][:40]!r}; write ids alike in both files"
                )
