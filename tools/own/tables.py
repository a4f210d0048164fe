"""Tables from CSV, TSV and Parquet files, with errors that name file, row and column. Rows are counted from 1, below the header."""

from __future__ import annotations

import codecs
import csv
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from agentnas.tools.errors import ConfigError, DataError
from agentnas.tools.own.damage import short
from agentnas.tools.own.disguise import way_out, what_it_is
from agentnas.tools.yaml_file import nearest

if TYPE_CHECKING:
    from pandas import DataFrame, Series

LARGEST_TEXT = 2**30  # bytes of a text file
LARGEST_PARQUET = 16 * 2**30  # bytes of a Parquet file's columns, unpacked
MOST_CELLS = 500_000_000
MOST_COLUMNS = 20_000
COMMENTS = ("#", "%")  # what lines of comments begin with in lists of edges that are passed round
SEPARATORS = ",;\t|"
PARQUET = (".parquet", ".pq")
TEXTS = (".csv", ".tsv", ".tab", ".txt")
PICKLES = (".pkl", ".pickle", ".gpickle", ".joblib")
SEVERAL = "several values"
MISSING = frozenset(("", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "Null", "null", "None", "none", "?"))

Objects = NDArray[np.object_]
Choice = Callable[[Sequence[str]], Iterable[str]]


@dataclass(frozen=True, eq=False)
class Table:
    """A table that was read: where it is from, for errors, and its columns. ``decimal``: what stands before decimals in its texts.

    ``several``: columns whose cells hold lists or records, of which nothing is kept, and the first such row, counted from 0.
    """

    where: str
    frame: DataFrame
    decimal: str = "."
    several: Mapping[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def names(self) -> list[str]:
        return list(self.frame.columns)

    def column(self, name: str, key: str) -> Series:
        """A column; DataError where there is none of that name. ``key``: who asks, as ``nodes: label``."""
        if name not in self.frame:
            raise DataError(f"{self.where}: no column {name!r}, which {key} names; {nearest(name, self.names)}")
        return self.frame[name]

    def cells(self, name: str, key: str) -> Series:
        """A column whose cells are read; DataError where there is none, or where a cell holds several values."""
        series = self.column(name, key)
        if name in self.several:
            raise DataError(f"{self.at(self.several[name], name)}: holds several values; {key} takes one a cell")
        return series

    def texts(self, name: str, key: str) -> Objects:
        """A column as texts without blanks around them; empty where a cell is. Numbers are written as they would be in a table."""
        return texts_of(self.cells(name, key))

    def at(self, row: int, column: str) -> str:
        """The place of a cell, the row counted from 0 here."""
        return f"{self.where}: row {row + 1}, column {column!r}"


def texts_of(series: Series) -> Objects:
    """Cells as texts; whole numbers without decimals, nothing where a cell is empty."""
    empty = series.isna().to_numpy()
    if series.dtype.kind == "f":
        numbers = series.to_numpy(np.float64)
        found = [str(int(v)) if np.isfinite(v) and v == int(v) and abs(v) < 2**53 else repr(float(v)) for v in numbers]
    else:
        found = [str(v).strip() for v in series.to_numpy(object)]
    made: Objects = np.array(found, dtype=object) if found else np.empty(0, object)
    made[empty] = ""
    return made


def read_table(path: Path, shown: str, *, separator: str | None, encoding: str, as_text: Choice) -> Table:
    """The table in a file. ``as_text``: of the header, the columns whose cells stay as they are written, such as names with leading zeros.

    Raises DataError for a file that is missing, too large, no table, or of another format; nothing in it is executed.
    """
    suffix = path.suffix.lower()
    if suffix in PICKLES:
        raise DataError(f"{shown}: a pickle runs code when it is read, so it is refused; save the table as CSV or Parquet")
    _size(path, shown)
    if suffix in PARQUET:
        return _parquet(path, shown)
    if suffix not in TEXTS:
        raise DataError(f"{shown}: {suffix or 'no'} ending is not known; allowed: {', '.join((*TEXTS, *PARQUET))}{way_out(suffix)}")
    check_text_size(path, shown)
    return _csv(path, shown, separator_of(separator, shown), _codec(encoding, shown), as_text)


def separator_of(said: str | None, shown: str) -> str | None:
    r"""What separates columns: one character, a tab by its name or as it is typed, ``\t``; DataError for anything else."""
    found = _TABS.get(said, said) if said is not None else None
    if found is not None and (len(found) != 1 or found in '"\r\n\0'):
        raise DataError(f"{shown}: separator is {said!r}; allowed: one character such as ',', ';', '|' or ' ', and tab")
    return found


_TABS = {"\\t": "\t", "tab": "\t", "TAB": "\t"}


def check_text_size(path: Path, shown: str) -> None:
    """Raise DataError for a text file that is too large, or missing; worth a look at all files before the first of them is read."""
    if path.suffix.lower() in TEXTS and (size := _size(path, shown)) > LARGEST_TEXT:
        raise DataError(
            f"{shown}: {size / 2**30:.3g} GiB; allowed for text: {LARGEST_TEXT / 2**30:g} GiB; save it as Parquet"
            " (pip install 'agentnas[parquet]'), or leave columns out"
        )


def _size(path: Path, shown: str) -> int:
    try:
        if path.is_dir():
            raise DataError(f"{shown}: a folder; give a file")
        return path.stat().st_size
    except FileNotFoundError:
        raise no_such_file(path, shown) from None
    except (OSError, ValueError) as error:
        raise DataError(f"{shown}: cannot be read ({getattr(error, 'strerror', None) or error})") from None


def no_such_file(path: Path, shown: str) -> DataError:
    """The error of a file that is missing, with the nearest name beside it; raises OSError where the folder cannot be read."""
    beside = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
    return DataError(f"{shown}: no such file{'; ' + nearest(path.name, beside) if 0 < len(beside) < 30 else ''}")


def _codec(encoding: str, shown: str) -> str:
    try:
        found = codecs.lookup(encoding)
        "".encode(found.name)  # codecs between bytes, such as zlib, refuse a text
    except (LookupError, ValueError, TypeError):
        raise DataError(
            f"{shown}: encoding {encoding[:40]!r} is not known; allowed: utf-8, latin-1, cp1252, utf-16 and others of Python"
        ) from None
    return "utf-8-sig" if found.name == "utf-8" else found.name


def _csv(path: Path, shown: str, separator: str | None, encoding: str, as_text: Choice) -> Table:
    from pandas import read_csv
    from pandas.errors import EmptyDataError, ParserError

    if encoding not in ("utf-16", "utf-32") and (told := what_it_is(path)):
        raise DataError(f"{shown}: {told}")
    header, separator, begin, rows = _looked_through(path, shown, separator, encoding)
    written = set(as_text(header))
    kept = {number: str for number, name in enumerate(header) if name in written}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of columns whose cells are of several kinds, which are told apart below
            frame = read_csv(
                path, sep=separator, header=None, skiprows=begin, names=list(range(len(header))),
                dtype=kept, keep_default_na=False, na_values={n: sorted(MISSING) for n in range(len(header)) if n not in kept},
                encoding=encoding, index_col=False, low_memory=False, on_bad_lines="error", skip_blank_lines=True,
            )  # fmt: skip
    except (ParserError, EmptyDataError, ValueError, OverflowError, MemoryError) as error:
        raise DataError(f"{shown}: no table: {short(error)}") from None
    if len(frame) != rows:
        raise DataError(f"{shown}: {rows} rows are separated by line ends, {len(frame)} can be read; quotes may be unbalanced")
    frame.columns = header
    return Table(shown, frame, "," if separator == ";" else ".")


def _looked_through(path: Path, shown: str, separator: str | None, encoding: str) -> tuple[list[str], str, int, int]:
    """Header, separator, lines up to the header's end and number of rows, once each line is known to have as many cells as the header.

    Blank lines before the header are among its lines.
    """
    try:
        with path.open(encoding=encoding, newline="") as file:
            separator = separator or _separator(path, file.readline())
            file.seek(0)
            reader = csv.reader(file, delimiter=separator, strict=True)
            header = _header(next(filter(None, reader), []), shown)
            begin, rows = reader.line_num, 0
            for row in filter(None, reader):
                rows += 1
                if len(row) != len(header):
                    raise DataError(f"{shown}: line {reader.line_num} has {len(row)} cells, the header {len(header)}; {_hint(row, header)}")
    except UnicodeError:
        raise DataError(_not_text(path, shown, encoding)) from None
    except csv.Error as error:
        raise DataError(f"{shown}: line {reader.line_num}: {short(error)}; expected a table with one row a line") from None
    except OSError as error:
        raise DataError(f"{shown}: cannot be read ({error.strerror or error})") from None
    if not rows:
        raise DataError(f"{shown}: holds no rows below its header")
    _check_cells(rows, len(header), shown)
    return header, separator, begin, rows


def _hint(row: Sequence[str], header: Sequence[str]) -> str:
    if header[0].startswith(COMMENTS):
        return f"the first line is {_COMMENT.format(header[0][:40])}"
    return "the file may be truncated" if len(row) < len(header) else "put texts that hold a separator in quotes"


def _separator(path: Path, line: str) -> str:
    """A tab for .tsv; else the one that the header holds most of, a comma where it holds none."""
    if path.suffix.lower() in (".tsv", ".tab"):
        return "\t"
    return max(SEPARATORS, key=line.count)


def _header(names: Sequence[str], shown: str) -> list[str]:
    found = [name.strip() for name in names]
    if not found:
        raise DataError(f"{shown}: the file is empty; expected a header and rows")
    if len(found) == 1 and found[0].startswith(COMMENTS):
        raise DataError(f"{shown}: the first line is {_COMMENT.format(found[0][:40])}")
    check_names(found, shown)
    return found


_COMMENT = "{!r}, a comment? Leave such lines out, and put names of columns in the first, such as source,target"


def check_names(names: Sequence[str], shown: str) -> None:
    """Raise DataError where a column has no name, or two have one."""
    if len(names) > MOST_COLUMNS:
        raise DataError(f"{shown}: {len(names)} columns; allowed: {MOST_COLUMNS}; the header may be missing")
    places: dict[str, int] = {}
    for number, name in enumerate(names, start=1):
        if not name:
            raise DataError(f"{shown}: column {number} has no name; {_name_it(number, len(names))}")
        if name in places:
            raise DataError(f"{shown}: columns {places[name]} and {number} are both named {name!r}; rename one")
        places[name] = number


def _name_it(number: int, count: int) -> str:
    if number == 1:
        return "name it in the header, or leave it out where it only counts the rows (pandas: to_csv(..., index=False))"
    return "name it in the header" + (", or leave out the separators at the ends of lines" if number == count else "")


def _not_text(path: Path, shown: str, encoding: str) -> str:
    """Where the first byte stands that is no text."""
    named = "UTF-8" if encoding == "utf-8-sig" else encoding
    decoder = codecs.getincrementaldecoder(encoding)()
    line = 1
    with path.open("rb") as file:
        for content in file:
            try:
                decoder.decode(content)
            except UnicodeError as error:
                byte = f" (byte 0x{error.object[error.start]:02x})" if isinstance(error, UnicodeDecodeError) else ""
                return f"{shown}: line {line} is not {named}{byte}; save it as UTF-8, or give its encoding, such as encoding: latin-1"
            line += 1
    return f"{shown}: the end is not {named}; the file may be truncated"


def _check_cells(rows: int, columns: int, shown: str) -> None:
    if rows * columns > MOST_CELLS:
        raise DataError(f"{shown}: {rows:,} rows of {columns} columns; allowed: {MOST_CELLS:,} cells; leave columns out of the file")


def _parquet(path: Path, shown: str) -> Table:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise ConfigError(f"{shown}: Parquet needs pyarrow; pip install 'agentnas[parquet]', or save the table as CSV") from None
    try:
        with pq.ParquetFile(path) as file:
            _check_cells(file.metadata.num_rows, file.metadata.num_columns, shown)
            _check_unpacked(file.metadata, shown)
            check_names(file.schema_arrow.names, shown)
            nested = [field.name for field in file.schema_arrow if pa.types.is_nested(field.type)]
            frame = with_several(_by_column(file, nested), file.schema_arrow.names, nested)
    except DataError:
        raise
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError, OverflowError, MemoryError, NotImplementedError) as error:
        raise DataError(f"{shown}: no Parquet file, or a damaged one: {short(error)}") from None
    if not len(frame):
        raise DataError(f"{shown}: holds no rows")
    return Table(shown, frame, several=dict.fromkeys(nested, 0))


def with_several(frame: DataFrame, names: Sequence[str], nested: Collection[str]) -> DataFrame:
    """The frame with all its columns, those of several values a cell as words that say so."""
    for name in nested:
        frame[name] = SEVERAL
    return frame[list(names)] if nested else frame


def _check_unpacked(metadata: Any, shown: str) -> None:
    """Raise DataError for columns that take more than is allowed once they are unpacked; the file itself may be much smaller."""
    size = sum(metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups))
    if size > LARGEST_PARQUET:
        raise DataError(
            f"{shown}: {size / 2**30:.3g} GiB unpacked; allowed for Parquet: {LARGEST_PARQUET / 2**30:.3g} GiB;"
            " leave columns or rows out of the file"
        )


def _by_column(file: Any, without: Collection[str]) -> DataFrame:
    """The table of an open Parquet file ``without`` some columns, read one at a time, so that Arrow holds a copy of one and not of all."""
    from pandas import DataFrame

    columns = {}
    for name in (name for name in file.schema_arrow.names if name not in without):
        read = file.read(columns=[name]).select([name])  # the name of a column that others begin with, and a dot, asks for those too
        read.validate(full=True)  # a damaged text would be met only where it is used
        columns[name] = read.to_pandas(ignore_metadata=True)[name]
    return DataFrame(columns, copy=False)
