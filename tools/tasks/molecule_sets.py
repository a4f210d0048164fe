"""Sets of molecules as MoleculeNet (Wu et al., 2018) publishes them: a CSV with a SMILES and a measured value in each row."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np

from agentnas.tools.errors import DataError
from agentnas.tools.tasks.base import GraphData
from agentnas.tools.tasks.catalog import DataSet

COLUMNS = {"delaney-processed": ("smiles", "measured log solubility in mols per litre"), "SAMPL": ("smiles", "expt")}


def read_molecules(data: DataSet, folder: Path) -> GraphData:
    """Read one set; DataError names the file, the row and what is wrong with it, ConfigError says how to get RDKit."""
    from agentnas.tools.tasks.molecules import graphs_of_smiles

    path = folder / f"{data.stem}.csv"
    smiles, values = _table(path, COLUMNS[data.stem])
    found = graphs_of_smiles(smiles, lambda number: f"{path} row {number + 2}")
    return GraphData(found.x, found.edge_index, np.array(values, np.float32), 1, found.edge_attr, found.graph_of)


def read_scaffolds(data: DataSet, folder: Path) -> list[str]:
    """The scaffold of each molecule, in the order of the file."""
    from agentnas.tools.tasks.molecules import scaffolds

    return scaffolds(_table(folder / f"{data.stem}.csv", COLUMNS[data.stem])[0])


def _table(path: Path, columns: tuple[str, str]) -> tuple[list[str], list[float]]:
    """SMILES and values, row by row."""
    try:
        rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline=""), strict=True))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); expected a CSV with the columns {' and '.join(columns)}") from None
    except (ValueError, csv.Error) as error:
        raise DataError(f"{path}: {str(error)[:100]}; expected a CSV with the columns {' and '.join(columns)}") from None
    heading = rows[0] if rows else []
    if not set(columns) <= set(heading) or len(rows) < 2:
        raise DataError(f"{path}: expected a heading with the columns {' and '.join(columns)}, and rows below it")
    places = [heading.index(column) for column in columns]
    kept = [_row(path, number, row, len(heading)) for number, row in enumerate(rows[1:], start=2)]
    return [row[places[0]] for row in kept], [_value(path, number, row[places[1]]) for number, row in enumerate(kept, start=2)]


def _row(path: Path, number: int, row: list[str], width: int) -> list[str]:
    if len(row) != width:
        raise DataError(f"{path}: row {number} has {len(row)} columns; expected {width}, the file may be truncated")
    return row


def _value(path: Path, number: int, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not np.isfinite(value) or abs(value) > 1e30:
        raise DataError(f"{path}: row {number} holds {text[:30]!r} as its value; expected a number")
    return value
