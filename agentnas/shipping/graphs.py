"""Reading a graph to predict on: an ``.npz`` file or two CSV files. Nothing in them is executed, and each fault is told with its place."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentnas.tools.errors import DataError

NODES, EDGES = "nodes.csv", "edges.csv"
FORMATS = (
    "an .npz file with x and edge_index, a folder with nodes.csv and edges.csv, nodes.csv with --edges edges.csv, or the name of a task"
)


@dataclass(frozen=True)
class NewGraph:
    """Raw features [N, F] float32, directed edges [2, E], and the name of each node."""

    x: NDArray[np.float32]
    edge_index: NDArray[np.int64]
    names: Sequence[str]
    notes: tuple[str, ...] = ()


def read_graph(path: Path, edges: Path | None, num_features: int) -> NewGraph:
    """The graph in a file; raises DataError that names file, row and column of what is wrong."""
    if path.is_dir():
        return _read_csv(path / NODES, edges or path / EDGES, num_features)
    if path.suffix.lower() == ".npz":
        if edges is not None:
            raise DataError(f"--edges {edges}: {path} holds its own edge_index; leave --edges out")
        return _read_npz(path, num_features)
    if path.suffix.lower() == ".csv":
        if edges is None:
            raise DataError(f"{path}: a table of nodes needs its edges too; give --edges FILE with the columns source and target")
        return _read_csv(path, edges, num_features)
    raise DataError(f"--data {path} is no graph that can be read; give {FORMATS}")


def _read_npz(path: Path, num_features: int) -> NewGraph:
    arrays = _arrays(path)
    missing = [name for name in ("x", "edge_index") if name not in arrays]
    if missing:
        raise DataError(f"{path} lacks {' and '.join(missing)}; it holds {', '.join(sorted(arrays)) or 'nothing'}")
    x, edge_index = arrays["x"], arrays["edge_index"]
    if x.ndim != 2 or x.dtype.kind not in "fiub":
        raise DataError(f"{path}: x is {_shape(x)}; it must be numbers [nodes, features]")
    if edge_index.ndim != 2 or edge_index.shape[0] != 2 or edge_index.dtype.kind not in "iu":
        raise DataError(f"{path}: edge_index is {_shape(edge_index)}; it must be whole numbers [2, edges], sources above targets")
    _require_features(path, x.shape[1], num_features)
    with np.errstate(over="ignore"):  # what does not fit in 32 bits becomes infinite, and is told below
        x = x.astype(np.float32)
    _require_finite(path, x)
    outside = np.argwhere((edge_index < 0) | (edge_index >= len(x)))
    if len(outside):
        row, column = outside[0]
        what = f"edge_index[{row}, {column}] is {edge_index[row, column]}"
        raise DataError(f"{path}: {what}, but the graph has {len(x)} nodes (0 to {len(x) - 1})")
    notes = ("edge_attr was not used: the model was trained without features of edges",) if "edge_attr" in arrays else ()
    return NewGraph(x, edge_index.astype(np.int64), [str(node) for node in range(len(x))], (*notes, *_direction(edge_index)))


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of a file that are read here; pickled objects are refused by numpy before anything of them is run."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files if name in ("x", "edge_index", "edge_attr")}
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; give {FORMATS}") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or 'not an .npz file'}") from None
    except ValueError as error:
        why = "it holds pickled Python objects, which are never loaded" if "pickle" in str(error).lower() else "it is damaged"
        raise DataError(f"{path}: {why}; write it with numpy.savez(path, x=..., edge_index=...), of numbers") from None
    except (zipfile.BadZipFile, EOFError, KeyError, AttributeError, NotImplementedError, MemoryError, SyntaxError):
        raise DataError(f"{path} is no whole .npz file; write it with numpy.savez(path, x=..., edge_index=...)") from None


def _shape(array: NDArray[Any]) -> str:
    return f"{array.dtype} {list(array.shape)}"


def _require_features(where: Path, seen: int, wanted: int) -> None:
    if seen != wanted:
        raise DataError(f"{where}: {seen} features a node, but the model was trained on {wanted}; give the same features in the same order")


def _require_finite(where: Path, x: NDArray[np.float32]) -> None:
    wrong = np.argwhere(~np.isfinite(x))
    if len(wrong):
        row, column = wrong[0]
        raise DataError(f"{where}: x[{row}, {column}] is {x[row, column]}; features are finite numbers")


def _read_csv(nodes: Path, edges: Path, num_features: int) -> NewGraph:
    """Nodes: a header, then an id and the features in each row; edges: a header, then the ids of source and target in each row."""
    numbers: dict[str, int] = {}
    features: list[list[float]] = []
    rows = _rows(nodes)
    _, header = next(rows, (0, []))
    _require_features(nodes, len(header) - 1 if header else 0, num_features)
    for line, row in rows:
        _require_cells(nodes, line, row, len(header))
        if row[0] in numbers:
            raise DataError(f"{nodes}, row {line}, column {header[0]}: node {row[0]!r} occurs twice; ids are unique")
        numbers[row[0]] = len(numbers)
        features.append([_number(nodes, line, name, cell) for name, cell in zip(header[1:], row[1:], strict=True)])
    if not features:
        raise DataError(f"{nodes} has no nodes; give a header and a row for each node")
    pairs = list(_pairs(edges, numbers, nodes))
    edge_index = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return NewGraph(np.array(features, dtype=np.float32), edge_index, list(numbers), _direction(edge_index))


def _pairs(path: Path, numbers: dict[str, int], nodes: Path) -> Iterator[tuple[int, int]]:
    rows = _rows(path)
    _, header = next(rows, (0, []))
    if header[:2] != ["source", "target"]:
        raise DataError(f"{path}, row 1: the columns are {', '.join(header) or 'none'}; they must begin with source, target")
    for line, row in rows:
        _require_cells(path, line, row, len(header))
        for name, node in zip(header[:2], row[:2], strict=True):
            if node not in numbers:
                raise DataError(f"{path}, row {line}, column {name}: node {node!r} is not in {nodes}")
        yield numbers[row[0]], numbers[row[1]]


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """(number of the line in the file, cells without space around them); lines without a cell are passed over."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise DataError(f"{path}, row {line}: byte {error.object[error.start]:#04x} is not UTF-8; save the file as UTF-8") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                yield reader.line_num, [cell.strip() for cell in row]
    except csv.Error as error:
        raise DataError(f"{path}, row {reader.line_num}: {error}; cells are separated by commas, quotes are closed") from None


def _require_cells(path: Path, line: int, row: list[str], wanted: int) -> None:
    if len(row) != wanted:
        raise DataError(f"{path}, row {line}: {len(row)} cells, but the header has {wanted}")


def _number(path: Path, line: int, name: str, cell: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        raise DataError(f"{path}, row {line}, column {name}: {cell[:40]!r} is no number") from None
    if not abs(value) <= float(np.finfo(np.float32).max):
        raise DataError(f"{path}, row {line}, column {name}: {cell[:40]}; features are finite numbers of 32 bits")
    return value


def _direction(edge_index: NDArray[Any]) -> tuple[str, ...]:
    """A note where no edge is answered by its reverse: most graphs that models are trained on hold both."""
    there = set(zip(*edge_index.tolist(), strict=True))
    if not there or any((target, source) in there for source, target in there if source != target):
        return ()
    return ("edges go one way only: messages flow from source to target; where they should go both ways, give each edge twice",)
