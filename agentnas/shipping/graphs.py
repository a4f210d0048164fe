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
MORE = ("edge_attr", "graph_of", "pairs", "edge_type", "node_type")
FORMATS = (
    "an .npz file with x and edge_index, a folder with nodes.csv and edges.csv, nodes.csv with --edges edges.csv, or the name of a task"
)


@dataclass(frozen=True)
class NewGraph:
    """Raw features [N, F] float32, directed edges [2, E], and the name of each item; then what only some models take: attributes of edges
    [E, k], the graph of each node [N], pairs [2, P] and types of edges [E] and nodes [N]."""

    x: NDArray[np.float32]
    edge_index: NDArray[np.int64]
    names: Sequence[str]
    notes: tuple[str, ...] = ()
    edge_attr: NDArray[np.float32] | None = None
    graph_of: NDArray[np.int64] | None = None
    pairs: NDArray[np.int64] | None = None
    edge_type: NDArray[np.int64] | None = None
    node_type: NDArray[np.int64] | None = None
    nodes: Sequence[str] = ()  # names of nodes, where items are pairs and nodes have names


def pair_names(pairs: NDArray[np.int64], nodes: Sequence[str] = ()) -> list[str]:
    """``3-8`` for each pair [2, P], by the names of nodes where they have any."""
    return [f"{nodes[source]}-{nodes[target]}" if nodes else f"{source}-{target}" for source, target in pairs.T.tolist()]


@dataclass(frozen=True)
class Wanted:
    """What a model takes: features a node, attributes an edge, and of what it predicts (node, graph, link)."""

    num_features: int
    edge_channels: int = 0
    kind: str = "node"


def read_graph(path: Path, edges: Path | None, num_features: int, *, edge_channels: int = 0, kind: str = "node") -> NewGraph:
    """The graph in a file, or the graphs; raises DataError that names file, row and column of what is wrong."""
    wanted = Wanted(num_features, edge_channels, kind)
    if path.is_dir():
        return _read_csv(path / NODES, edges or path / EDGES, wanted)
    if path.suffix.lower() == ".npz":
        if edges is not None:
            raise DataError(f"--edges {edges}: {path} holds its own edge_index; leave --edges out")
        return _read_npz(path, wanted)
    if path.suffix.lower() == ".csv":
        if edges is None:
            raise DataError(f"{path}: a table of nodes needs its edges too; give --edges FILE with the columns source and target")
        return _read_csv(path, edges, wanted)
    raise DataError(f"--data {path} is no graph that can be read; give {FORMATS}")


def _read_npz(path: Path, wanted: Wanted) -> NewGraph:
    arrays = _arrays(path)
    missing = [name for name in ("x", "edge_index") if name not in arrays]
    if missing:
        raise DataError(f"{path} lacks {' and '.join(missing)}; it holds {', '.join(sorted(arrays)) or 'nothing'}")
    x, edge_index = arrays["x"], arrays["edge_index"]
    if x.ndim != 2 or x.dtype.kind not in "fiub":
        raise DataError(f"{path}: x is {_shape(x)}; it must be numbers [nodes, features]")
    if edge_index.ndim != 2 or edge_index.shape[0] != 2 or edge_index.dtype.kind not in "iu":
        raise DataError(f"{path}: edge_index is {_shape(edge_index)}; it must be whole numbers [2, edges], sources above targets")
    _require_features(path, x.shape[1], wanted.num_features)
    with np.errstate(over="ignore"):  # what does not fit in 32 bits becomes infinite, and is told below
        x = x.astype(np.float32)
    _require_finite(path, x)
    outside = np.argwhere((edge_index < 0) | (edge_index >= len(x)))
    if len(outside):
        row, column = outside[0]
        what = f"edge_index[{row}, {column}] is {edge_index[row, column]}"
        raise DataError(f"{path}: {what}, but the graph has {len(x)} nodes (0 to {len(x) - 1})")
    unused = "edge_attr" in arrays and not wanted.edge_channels
    notes = ("edge_attr was not used: the model was trained without features of edges",) if unused else ()
    more = arrays_of_kind(path, arrays, wanted, len(x), edge_index.astype(np.int64))
    return NewGraph(x, edge_index.astype(np.int64), _names(len(x), more), (*notes, *_direction(edge_index)), **more)


def _names(nodes: int, more: dict[str, Any]) -> list[str]:
    """Numbers of the items: of pairs both ends, of graphs and nodes their own."""
    if "pairs" in more:
        return pair_names(more["pairs"])
    count = int(more["graph_of"][-1]) + 1 if "graph_of" in more else nodes
    return [str(item) for item in range(count)]


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of a file that are read here; pickled objects are refused by numpy before anything of them is run."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files if name in ("x", "edge_index", *MORE)}
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


def _read_csv(nodes: Path, edges: Path, wanted: Wanted) -> NewGraph:
    """Nodes: a header, then an id, for graphs the graph, and the features in each row; edges: a header, then the ids of source and target,
    and attributes where the model takes any."""
    numbers: dict[str, int] = {}
    features: list[list[float]] = []
    rows = _rows(nodes)
    _, header = next(rows, (0, []))
    lead = _lead(nodes, header, wanted)
    owners: list[str] = []
    _require_features(nodes, len(header) - lead if header else 0, wanted.num_features)
    for line, row in rows:
        _require_cells(nodes, line, row, len(header))
        if row[0] in numbers:
            raise DataError(f"{nodes}, row {line}, column {header[0]}: node {row[0]!r} occurs twice; ids are unique")
        numbers[row[0]] = len(numbers)
        owners.append(row[lead - 1])
        features.append([_number(nodes, line, name, cell) for name, cell in zip(header[lead:], row[lead:], strict=True)])
    if not features:
        raise DataError(f"{nodes} has no nodes; give a header and a row for each node")
    attributes: list[list[float]] = []
    pairs = list(_pairs(edges, numbers, nodes, attributes if wanted.edge_channels else None))
    edge_index = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    attr = np.array(attributes, dtype=np.float32).reshape(len(pairs), -1) if wanted.edge_channels else None
    x, notes = np.array(features, dtype=np.float32), _direction(edge_index)
    if wanted.kind != "graph":
        return NewGraph(x, edge_index, list(numbers), notes, attr)
    graph_of, names = numbered(owners)
    order = np.argsort(graph_of, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    edge_index, graph_of = place[edge_index], graph_of[order]
    _require_within(edges, edge_index, graph_of)
    return NewGraph(x[order], edge_index, names, notes, attr, graph_of)


def _lead(nodes: Path, header: list[str], wanted: Wanted) -> int:
    """Columns before the features: the id, and of graphs the graph."""
    if wanted.kind != "graph":
        return 1
    if len(header) < 2 or header[1] != "graph":
        raise DataError(
            f"{nodes}, row 1: the columns are {', '.join(header[:4]) or 'none'}; for a model of graphs they begin with an id and graph"
        )
    return 2


def numbered(owners: Sequence[str]) -> tuple[NDArray[np.int64], list[str]]:
    """The graph of each node as a number, in the order in which graphs first occur, and their names."""
    names = dict.fromkeys(owners)
    number = {name: place for place, name in enumerate(names)}
    return np.array([number[owner] for owner in owners], dtype=np.int64), list(names)


def _pairs(path: Path, numbers: dict[str, int], nodes: Path, attributes: list[list[float]] | None = None) -> Iterator[tuple[int, int]]:
    rows = _rows(path)
    _, header = next(rows, (0, []))
    if header[:2] != ["source", "target"]:
        raise DataError(f"{path}, row 1: the columns are {', '.join(header) or 'none'}; they must begin with source, target")
    for line, row in rows:
        _require_cells(path, line, row, len(header))
        for name, node in zip(header[:2], row[:2], strict=True):
            if node not in numbers:
                raise DataError(f"{path}, row {line}, column {name}: node {node!r} is not in {nodes}")
        if attributes is not None:
            attributes.append([_number(path, line, name, cell) for name, cell in zip(header[2:], row[2:], strict=True)])
        yield numbers[row[0]], numbers[row[1]]


def read_pairs(path: Path, names: Sequence[str]) -> NDArray[np.int64]:
    """[2, P] from a CSV whose columns begin with source and target: names of nodes."""
    found = list(_pairs(path, {name: place for place, name in enumerate(names)}, Path("the nodes")))
    return np.array(found, dtype=np.int64).reshape(-1, 2).T


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


def arrays_of_kind(
    path: Path, arrays: dict[str, NDArray[Any]], wanted: Wanted, nodes: int, edge_index: NDArray[np.int64]
) -> dict[str, Any]:
    """What only some models take, of an ``.npz`` file, checked; what the model does not take is left out."""
    found: dict[str, Any] = {}
    edges = edge_index.shape[1]
    if wanted.edge_channels and "edge_attr" in arrays:
        found["edge_attr"] = _numbers(path, "edge_attr", arrays["edge_attr"], edges)
    for name, count in (("edge_type", edges), ("node_type", nodes)):
        if name in arrays:
            found[name] = _whole(path, name, arrays[name], (count,))
    if wanted.kind == "graph":
        graph_of = _whole(path, "graph_of", arrays.get("graph_of", np.zeros(nodes, np.int64)), (nodes,))
        steps = np.diff(graph_of, prepend=0)
        if nodes and (graph_of[0] != 0 or steps.min() < 0 or steps.max() > 1):
            raise DataError(f"{path}: graph_of is not the graph of each node, rising from 0 without gaps")
        _require_within(path, edge_index, graph_of)
        found["graph_of"] = graph_of
    if wanted.kind == "link" and "pairs" in arrays:
        found["pairs"] = _whole(path, "pairs", arrays["pairs"], (2, None), nodes)
    return found


def _numbers(path: Path, name: str, array: NDArray[Any], rows: int) -> NDArray[np.float32]:
    if array.ndim != 2 or array.dtype.kind not in "fiub" or len(array) != rows:
        raise DataError(f"{path}: {name} is {_shape(array)}; it must be numbers [{rows}, attributes], a row an edge")
    with np.errstate(over="ignore"):
        array = array.astype(np.float32)
    if not np.isfinite(array).all():
        raise DataError(f"{path}: {name} holds numbers that are not finite")
    return array


def _whole(path: Path, name: str, array: NDArray[Any], shape: tuple[int | None, ...], below: int | None = None) -> NDArray[np.int64]:
    fits = array.ndim == len(shape) and all(want in (None, size) for want, size in zip(shape, array.shape, strict=True))
    if not fits or array.dtype.kind not in "iu":
        raise DataError(f"{path}: {name} is {_shape(array)}; it must be whole numbers {['any' if n is None else n for n in shape]}")
    if array.size and (array.min() < 0 or (below is not None and array.max() >= below)):
        raise DataError(
            f"{path}: {name} holds {array.min() if array.min() < 0 else array.max()}; allowed: 0 to {'...' if below is None else below - 1}"
        )
    return array.astype(np.int64)


def _require_within(where: Path, edge_index: NDArray[np.int64], graph_of: NDArray[np.int64]) -> None:
    crossing = np.flatnonzero(graph_of[edge_index[0]] != graph_of[edge_index[1]])
    if len(crossing):
        raise DataError(f"{where}: edge {crossing[0]} joins two graphs; edges stay within one")
