"""Raw files -> GraphData, equal to what PyTorch Geometric's loaders give, with every file checked before it is believed."""

from __future__ import annotations

import io
import lzma
import math
import struct
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from agentnas.tools.errors import DataError
from agentnas.tools.tasks.base import GraphData, Index, compact, sorted_edges
from agentnas.tools.tasks.catalog import DataSet
from agentnas.tools.tasks.graph_sets import read_graph_set
from agentnas.tools.tasks.molecule_sets import read_molecules
from agentnas.tools.tasks.pairs import read_mat
from agentnas.tools.tasks.pickles import checked_csr, read_pickle

MAX_ARRAY_BYTES = 2**30  # no array of a known data set comes near; an archive that claims more is not one of them

_BROKEN = (
    *(ValueError, TypeError, KeyError, IndexError, EOFError, OverflowError, MemoryError, RuntimeError, NotImplementedError),
    *(SyntaxError, TokenError, struct.error, zlib.error, zipfile.BadZipFile, lzma.LZMAError),
)


def read_data(data: DataSet, folder: Path) -> GraphData:
    """Read one data set from its raw folder; DataError names the file that is wrong, or the count that does not fit."""
    loaded = READERS[data.family](data, folder)
    _check_counts(data, loaded, folder)
    return loaded


def read_npz(path: Path, names: Iterable[str], expected: str) -> dict[str, NDArray[Any]]:
    """The named arrays of an ``.npz`` archive, never unpickling anything; archives may hold more than the names asked for."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {name: _member(archive, name) for name in names}
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}); expected {expected}") from None
    except _BROKEN as error:
        reason = (str(error).splitlines() or [""])[0][:100] or type(error).__name__
        raise DataError(f"{path}: truncated or damaged ({reason}); expected {expected}, delete the file and load it again") from None


def _member(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    info = archive.getinfo(f"{name}.npy")
    if info.file_size > MAX_ARRAY_BYTES:
        raise ValueError(f"{name} claims {info.file_size} bytes")
    # Reading to the end is when zipfile compares the checksum.
    return _plain_array(archive.read(info))


def _plain_array(content: bytes) -> NDArray[Any]:
    stream = io.BytesIO(content)
    version = np.lib.format.read_magic(stream)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read_header(stream)
    if dtype.kind not in "biuf":
        raise ValueError(f"array of {dtype}, only numbers are allowed")
    if len(content) - stream.tell() != math.prod(shape) * dtype.itemsize:
        raise ValueError("array length does not fit its shape")
    return np.frombuffer(content, dtype, offset=stream.tell()).reshape(shape, order="F" if fortran else "C")


def _planetoid(data: DataSet, folder: Path) -> GraphData:
    def part(name: str, expected: str) -> Any:
        return read_pickle(folder / f"ind.{data.stem}.{name}", expected)

    matrices = {name: part(name, "a pickled CSR matrix") for name in ("allx", "tx")}
    labels = {name: part(name, "a pickled array of one-hot labels") for name in ("ally", "ty")}
    graph = part("graph", "a pickled dictionary node -> neighbours")
    test = read_test_index(data, folder)
    where = f"{folder}/ind.{data.stem}.*"
    for name, matrix in matrices.items():
        if not sp.issparse(matrix) or matrix.shape[1] != matrices["allx"].shape[1]:
            raise DataError(f"{folder}/ind.{data.stem}.{name}: expected a CSR matrix as wide as allx")
    for name, array in labels.items():
        if not isinstance(array, np.ndarray) or array.ndim != 2 or array.shape[1] != labels["ally"].shape[-1]:
            raise DataError(f"{folder}/ind.{data.stem}.{name}: expected labels [nodes, classes] as wide as ally")
    known, tested = matrices["allx"].shape[0], matrices["tx"].shape[0]
    if (
        len(labels["ally"]) != known
        or len(labels["ty"]) != tested
        or len(test) != tested
        or test.min() != known
        or test.max() != data.nodes - 1
    ):
        raise DataError(f"{where}: the parts do not belong together ({known} known, {tested} tested nodes, {len(test)} test indices)")
    return _assemble_planetoid(matrices, labels, graph, test, f"{folder}/ind.{data.stem}.graph")


def _assemble_planetoid(
    matrices: dict[str, sp.csr_matrix], labels: dict[str, NDArray[Any]], graph: Any, test: Index, graph_file: str
) -> GraphData:
    # Node test[i] is row i of tx; ids that no file mentions (CiteSeer has 15) are isolated, featureless and unlabelled.
    known, num_nodes = matrices["allx"].shape[0], int(test.max()) + 1
    rows = np.concatenate([np.arange(known), test])
    place = sp.csr_matrix((np.ones(len(rows), np.float32), (rows, np.arange(len(rows)))), shape=(num_nodes, len(rows)))
    x = place @ sp.vstack([matrices["allx"], matrices["tx"]], format="csr")
    one_hot = np.zeros((num_nodes, labels["ally"].shape[1]), np.int64)
    one_hot[rows] = np.concatenate([labels["ally"], labels["ty"]])
    y = np.where(one_hot.any(axis=1), one_hot.argmax(axis=1), -1).astype(np.int64)
    edges = _edges_of(graph, num_nodes, graph_file)
    return GraphData(compact(x), sorted_edges(edges, num_nodes, self_loops=False), y, one_hot.shape[1])


def _edges_of(graph: Any, num_nodes: int, path: str) -> Index:
    if not isinstance(graph, dict) or not all(isinstance(ends, list) for ends in graph.values()):
        raise DataError(f"{path}: expected a pickled dictionary node -> neighbours")
    source = [node for node, ends in graph.items() for _ in ends]
    target = [end for ends in graph.values() for end in ends]
    if not all(type(node) is int for node in (*source, *target)):
        raise DataError(f"{path}: expected whole numbers as nodes")
    try:
        edges = np.array([source, target], dtype=np.int64)
    except OverflowError:
        raise DataError(f"{path}: expected nodes 0..{num_nodes - 1}") from None
    return _checked_edges(edges, num_nodes, path)


def read_test_index(data: DataSet, folder: Path) -> Index:
    """Test node ids of a Planetoid data set, in the order of its ``tx``."""
    path = folder / f"ind.{data.stem}.test.index"
    lines = [line for line in _text(path, "one node number a line").split("\n") if line.strip()]
    index = np.array(_numbers(path, lines, ""), dtype=np.int64).ravel()
    if not len(index) or len(np.unique(index)) != len(index) or index.min() < 0:
        raise DataError(f"{path}: expected different node numbers, one a line")
    return index


def _npz(data: DataSet, folder: Path) -> GraphData:
    path = folder / f"{data.stem}.npz"
    names = [f"{kind}_{part}" for kind in ("attr", "adj") for part in ("data", "indices", "indptr", "shape")]
    arrays = read_npz(path, (*names, "labels"), "an .npz of the gnn-benchmark format")
    try:
        x, adjacency = (
            checked_csr(*(arrays[f"{kind}_{part}"] for part in ("data", "indices", "indptr", "shape"))) for kind in ("attr", "adj")
        )
    except (ValueError, TypeError, LookupError, OverflowError, MemoryError) as error:
        raise DataError(f"{path}: {error}; expected an .npz of the gnn-benchmark format") from None
    if adjacency.shape != (x.shape[0], x.shape[0]):
        raise DataError(f"{path}: adjacency {adjacency.shape} does not fit {x.shape[0]} nodes")
    # The features are counts; the field uses them as present or absent.
    x.sum_duplicates()
    x.data[x.data > 0] = 1
    coo = adjacency.tocoo()
    edges = np.stack([coo.row.astype(np.int64), coo.col.astype(np.int64)])
    y = _checked_labels(arrays["labels"], x.shape[0], path)
    return GraphData(compact(x), sorted_edges(edges, x.shape[0], undirected=True, self_loops=False), y, int(y.max()) + 1)


def _webkb(data: DataSet, folder: Path) -> GraphData:
    path = folder / "out1_node_feature_label.txt"
    table = _table(path, 3)
    x = np.array(_numbers(path, [row[1] for row in table], ","), dtype=np.float32)
    return _from_text(sp.csr_matrix(x), table, path, folder, ids=np.arange(len(table)))


def _actor(data: DataSet, folder: Path) -> GraphData:
    path = folder / "out1_node_feature_label.txt"
    table = _table(path, 3)
    ids = np.array(_numbers(path, [row[0] for row in table], ""), dtype=np.int64).ravel()
    present = [_row_numbers(path, number, row[1], ",") for number, row in enumerate(table)]
    rows, columns = np.repeat(ids, [len(row) for row in present]), np.array([place for row in present for place in row], np.int64)
    if sorted(ids.tolist()) != list(range(len(ids))) or columns.min() < 0 or columns.max() >= 2**20:
        raise DataError(f"{path}: expected every node 0..{len(ids) - 1} once, and feature numbers from 0")
    x = sp.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)))
    x.sum_duplicates()
    x.data[:] = 1
    return _from_text(x, table, path, folder, ids)


def _from_text(x: sp.csr_matrix, table: list[list[str]], path: Path, folder: Path, ids: Index) -> GraphData:
    y = np.empty(len(table), np.int64)
    y[ids] = np.array(_numbers(path, [row[2] for row in table], ""), dtype=np.int64).ravel()
    edge_path = folder / "out1_graph_edges.txt"
    ends = _numbers(edge_path, ["\t".join(row) for row in _table(edge_path, 2)], "\t")
    edges = _checked_edges(np.array(ends, dtype=np.int64).T, len(y), str(edge_path))
    y = _checked_labels(y, len(y), path)
    return GraphData(compact(x), sorted_edges(edges, len(y)), y, int(y.max()) + 1)


def _heterophilous(data: DataSet, folder: Path) -> GraphData:
    path = folder / f"{data.stem}.npz"
    expected = "an .npz with node_features, node_labels, edges and masks"
    arrays = read_npz(path, ("node_features", "node_labels", "edges"), expected)
    x, edges = arrays["node_features"], arrays["edges"]
    if x.ndim != 2 or edges.ndim != 2 or edges.shape[1] != 2 or edges.dtype.kind not in "iu" or not np.isfinite(x).all():
        raise DataError(f"{path}: expected finite features [nodes, features] and edges [edges, 2]")
    y = _checked_labels(arrays["node_labels"], len(x), path)
    ends = _checked_edges(edges.T.astype(np.int64), len(x), str(path))
    dense = np.ascontiguousarray(x, dtype=np.float32)
    return GraphData(dense, sorted_edges(ends, len(x), undirected=True), y, int(y.max()) + 1)


def _text(path: Path, expected: str) -> str:
    try:
        return path.read_text(encoding="ascii")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); expected {expected}") from None
    except ValueError:
        raise DataError(f"{path}: is not text; expected {expected}") from None


def _table(path: Path, columns: int) -> list[list[str]]:
    """Rows of a tab-separated file with a heading."""
    lines = _text(path, f"{columns} columns separated by tabs").split("\n")
    rows = [line.split("\t") for line in lines[1:] if line]
    for number, row in enumerate(rows, start=2):
        if len(row) != columns:
            raise DataError(
                f"{path}: line {number} has {len(row)} columns; expected {columns} separated by tabs, the file may be truncated"
            )
    if not rows or not lines[0].startswith("node_id"):
        raise DataError(f"{path}: expected a heading that begins with node_id, and rows below it")
    return rows


def _numbers(path: Path, texts: list[str], separator: str) -> list[list[int]]:
    rows = [_row_numbers(path, number, text, separator) for number, text in enumerate(texts)]
    if any(len(row) != len(rows[0]) for row in rows):
        raise DataError(f"{path}: rows differ in length; the file may be truncated")
    return rows


def _row_numbers(path: Path, number: int, text: str, separator: str) -> list[int]:
    try:
        values = [int(value) for value in (text.split(separator) if separator else [text])]
    except ValueError:
        raise DataError(f"{path}: data row {number + 1} holds {text[:30]!r}; expected whole numbers") from None
    if any(abs(value) > 2**31 for value in values):
        raise DataError(f"{path}: data row {number + 1} holds a number that is too large for a node, feature or class")
    return values


def _checked_edges(edges: Index, num_nodes: int, path: str) -> Index:
    if edges.ndim != 2 or edges.shape[0] != 2 or not edges.size:
        raise DataError(f"{path}: holds no edges")
    if edges.min() < 0 or edges.max() >= num_nodes:
        raise DataError(f"{path}: an edge names node {edges.max() if edges.min() >= 0 else edges.min()}; expected 0..{num_nodes - 1}")
    return edges


def _checked_labels(labels: NDArray[Any], num_nodes: int, path: Path) -> Index:
    if labels.shape != (num_nodes,) or labels.dtype.kind not in "iu" or not num_nodes:
        raise DataError(f"{path}: expected one whole-number label for each of {num_nodes} nodes")
    if labels.min() < 0 or labels.max() >= num_nodes:
        raise DataError(f"{path}: labels run from {labels.min()} to {labels.max()}; expected classes numbered from 0")
    return labels.astype(np.int64)


def _check_counts(data: DataSet, loaded: GraphData, folder: Path) -> None:
    classes = data.classes if data.kind == "link" else loaded.num_classes  # a task of links has none of its own
    seen = (loaded.num_nodes, loaded.num_edges, loaded.num_features, classes)
    expected = (data.nodes, data.edges, data.features, data.classes)
    if seen != expected:
        words = "{} nodes, {} directed edges, {} features, {} classes"
        raise DataError(f"{folder}: holds {words.format(*seen)}; {data.name} has {words.format(*expected)}, these are not its files")


READERS = {
    "planetoid": _planetoid, "npz": _npz, "webkb": _webkb, "actor": _actor, "heterophilous": _heterophilous, "tu": read_graph_set,
    "seal": read_mat, "molecules": read_molecules,
}  # fmt: skip
