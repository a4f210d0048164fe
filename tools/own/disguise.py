"""What a file is whose bytes are no text, or whose ending is no table's, and how to make a table of it."""

from __future__ import annotations

from pathlib import Path

# First bytes of a file -> what it is and what to do; nothing but these bytes is read.
_BEGINS: tuple[tuple[bytes, str], ...] = (
    (b"\x1f\x8b", "is packed by gzip; unpack it first (gunzip)"),
    *((b"BZh%d1AY&SY" % level, "is packed by bzip2; unpack it first (bunzip2)") for level in range(1, 10)),
    (b"\xfd7zXZ", "is packed by xz; unpack it first (unxz)"),
    (b"\x28\xb5\x2f\xfd", "is packed by zstd; unpack it first (unzstd)"),
    (b"PK\x03\x04", "is a zip archive or an Excel workbook; unpack it, or save its sheet as CSV"),
    (b"\xd0\xcf\x11\xe0", "is an Excel workbook of the old format; save its sheet as CSV"),
    (b"PAR1\x15", "is a Parquet file; let its name end in .parquet"),
    (b"SQLite format 3", "is an SQLite database; save its tables as CSV"),
    (b"%PDF", "is a PDF; save its table as CSV"),
    (b"\xff\xfe", "is UTF-16; save it as UTF-8, or give encoding: utf-16 where it is a table"),
    (b"\xfe\xff", "is UTF-16; save it as UTF-8, or give encoding: utf-16 where it is a table"),
    *((bytes((0x80, protocol)), "is a pickle, which runs code when it is read, so it is refused; save what it holds as CSV or Parquet")
      for protocol in range(2, 6)),
)  # fmt: skip
_ENDINGS = {
    **dict.fromkeys((".gz", ".zip", ".bz2", ".xz", ".zst", ".7z", ".tar", ".tgz"), "unpack it first"),
    **dict.fromkeys((".xlsx", ".xls", ".xlsm", ".ods"), "save its sheet as CSV"),
    **dict.fromkeys((".json", ".jsonl", ".ndjson", ".feather", ".arrow", ".h5", ".db", ".sqlite"), "save its table as CSV or Parquet"),
    **dict.fromkeys((".edges", ".edgelist", ".el", ".dat", ".data"), "if it is a table of text, let its name end in .csv or .txt"),
}  # fmt: skip


def what_it_is(path: Path) -> str | None:
    """What the first bytes of a file say that it is, and what to do; None where they say nothing, or cannot be read."""
    try:
        with path.open("rb") as file:
            begin = file.read(16)
    except OSError:
        return None
    return next((told for known, told in _BEGINS if begin.startswith(known)), None)


def way_out(suffix: str) -> str:
    """What to do with a file of an ending that is not known; empty where nobody knows."""
    return f"; {told}" if (told := _ENDINGS.get(suffix)) else ""
