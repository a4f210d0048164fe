"""Sources that hold a whole graph: GraphML and GML as tables, ``.npz``, ``.pt``, OGB and Python functions as arrays.

Nothing in a file is executed: no pickle is read but through PyTorch's reader of weights, which builds tensors and plain values alone.
"""

from __future__ import annotations

import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from agentnas.tools.errors import DataError, UsageError
from agentnas.tools.own.arrays import Arrays, renamed
from agentnas.tools.own.code import called
from agentnas.tools.own.damage import DAMAGE, short
from agentnas.tools.own.disguise import what_it_is
from agentnas.tools.own.graph import Tables
from agentnas.tools.own.tables import PICKLES, Table, check_names, no_such_file, with_several

LARGEST_MARKUP = 256 * 2**20  # bytes of a GraphML or GML file, of which memory holds many times as much
LARGEST_ARRAYS = 16 * 2**30  # bytes of all arrays of a file
SMALLER = f"allowed: {LARGEST_ARRAYS // 2**30} GiB; keep fewer features, or in a smaller type such as float32"
OGB, PYTHON = "ogb:", "python:"
MARKUP, NPZ, TORCH = (".graphml", ".xml", ".gml"), (".npz",), (".pt", ".pth")
ALLOWED = (*MARKUP, *NPZ, *TORCH)
_FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


def read_source(source: str, folder: Path, data_dir: Path | None, allow_code: bool) -> Tables | Arrays:
    """What a source holds. Raises DataError for a file that is missing or damaged, UsageError for one that needs a permission."""
    if source.startswith(PYTHON):
        return _called(source, folder, allow_code)
    if source.startswith(OGB):
        from agentnas.tools.own.ogb import read_ogb

        return read_ogb(source.removeprefix(OGB), data_dir)
    path = folder / Path(source).expanduser()
    suffix = path.suffix.lower()
    if suffix in PICKLES:
        raise DataError(f"{source}: a pickle runs code when it is read, so it is refused; save the graph as GraphML, GML or .npz")
    if suffix not in ALLOWED:
        raise DataError(
            f"source: {source[:80]}: {suffix or 'no'} ending is not known; allowed: {', '.join(ALLOWED)}, {OGB}NAME,"
            f" {PYTHON}MODULE:FUNCTION"
        )
    _check_file(path, source)
    if suffix in MARKUP:
        return _markup(path, source)
    return renamed(_npz(path, source) if suffix in NPZ else _torch(path, source))


def _check_file(path: Path, shown: str) -> None:
    try:
        if path.is_dir():
            raise DataError(f"{shown}: a folder; give a file")
        if path.is_file() and not path.stat().st_size:
            raise DataError(f"{shown}: the file is empty")
        if path.is_file():
            return
        missing = no_such_file(path, shown)
    except (OSError, ValueError) as error:
        raise DataError(f"{shown}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    raise missing


def _markup(path: Path, shown: str) -> Tables:
    """GraphML or GML through NetworkX; documents that define entities are refused, as they can grow without end."""
    import networkx as nx

    text = _text(path, shown)
    if path.suffix.lower() != ".gml" and re.search(r"<!(DOCTYPE|ENTITY)", text, re.IGNORECASE):
        raise DataError(f"{shown}: declares a document type or entities, which GraphML does not need; remove them, nothing was read")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of attributes without a type, which are read as texts
            graph = nx.parse_gml(text.splitlines(), label=None) if path.suffix.lower() == ".gml" else nx.parse_graphml(text)
    except (nx.NetworkXException, *DAMAGE) as error:
        raise DataError(f"{shown}: no {path.suffix[1:].upper()}, or a damaged one: {short(error)}") from None
    return _as_tables(graph, shown)


def _text(path: Path, shown: str) -> str:
    try:
        if path.stat().st_size > LARGEST_MARKUP:
            raise DataError(
                f"{shown}: {path.stat().st_size / 2**20:.0f} MiB; allowed: {LARGEST_MARKUP // 2**20} MiB; save nodes and edges as CSV"
            )
        if told := what_it_is(path):
            raise DataError(f"{shown}: {told}")
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise DataError(f"{shown}: line {line} is not UTF-8; save it as UTF-8") from None
    except OSError as error:
        raise DataError(f"{shown}: cannot be read ({error.strerror or error})") from None


def _as_tables(graph: Any, shown: str) -> Tables:
    """The nodes and edges of a NetworkX graph as tables: columns ``id`` and ``source``, ``target``, then the attributes."""
    if not graph.number_of_nodes():
        raise DataError(f"{shown}: holds no nodes")
    if not graph.number_of_edges():
        raise DataError(f"{shown}: holds no edges")
    nodes = [{"id": str(node), **_renamed(attributes, ("id",))} for node, attributes in graph.nodes(data=True)]
    ends = ("source", "target")
    edges = [{"source": str(a), "target": str(b), **_renamed(attributes, (*ends, "id"))} for a, b, attributes in graph.edges(data=True)]
    return Tables(_frame(nodes, f"{shown}: nodes"), _frame(edges, f"{shown}: edges"), None, bool(graph.is_directed()))


def _renamed(attributes: Mapping[Any, Any], taken: tuple[str, ...]) -> dict[str, Any]:
    """Attributes but those that name a node or an edge."""
    return {str(name): value for name, value in attributes.items() if str(name) not in taken}


def _frame(rows: list[dict[str, Any]], where: str) -> Table:
    from pandas import DataFrame

    frame = DataFrame(rows)
    check_names(list(frame.columns), where)
    nested = {name: [isinstance(value, (list, dict, tuple, set)) for value in frame[name]] for name in frame}
    several = {str(name): found.index(True) for name, found in nested.items() if any(found)}
    return Table(where, with_several(frame, list(frame.columns), several).infer_objects(), several=several)


def _npz(path: Path, shown: str) -> dict[str, Any]:
    """The arrays of an archive, nothing unpickled; a matrix in parts (``adj_data``, ``adj_indices``, ...) is put together."""
    try:
        with zipfile.ZipFile(path) as archive:
            if (size := sum(member.file_size for member in archive.infolist())) > LARGEST_ARRAYS:
                raise DataError(f"{shown}: claims {size / 2**30:.3g} GiB; {SMALLER}")
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        return _parts_joined(arrays)
    except DAMAGE as error:
        pickled = "Object arrays" in str(error) or "pickle" in str(error)
        reason = "holds Python objects, which run code when they are read" if pickled else f"no .npz, or a damaged one: {short(error)}"
        raise DataError(f"{shown}: {reason}; expected arrays of numbers") from None


def _parts_joined(arrays: dict[str, Any]) -> dict[str, Any]:
    """Archives of Shchur et al. (2018) hold adjacency and features as the parts of CSR matrices."""
    from scipy.sparse import coo_array

    from agentnas.tools.tasks.pickles import checked_csr

    for stem in ("adj", "attr"):
        names = [f"{stem}_{part}" for part in ("data", "indices", "indptr", "shape")]
        if all(name in arrays for name in names):
            arrays[stem] = checked_csr(*(arrays.pop(name) for name in names))
    if "adj" in arrays:
        adjacency = coo_array(arrays.pop("adj"))
        arrays.setdefault("edge_index", np.stack([adjacency.row, adjacency.col]).astype(np.int64))
        arrays.setdefault("num_nodes", adjacency.shape[0])
    if "attr" in arrays:
        arrays.setdefault("x", arrays.pop("attr"))
    return arrays


def _torch(path: Path, shown: str) -> dict[str, Any]:
    """A dictionary of tensors, or a ``Data``; read with ``weights_only``, so that nothing in it can be called."""
    import torch

    if path.stat().st_size > LARGEST_ARRAYS:
        raise DataError(f"{shown}: {path.stat().st_size / 2**30:.3g} GiB; {SMALLER}")
    try:
        with torch.serialization.safe_globals(_plain_classes()), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what it suspects in files that it then refuses
            found = torch.load(path, map_location="cpu", weights_only=True)
    except DAMAGE as error:
        raise DataError(f"{shown}: {_not_plain(error)}; expected torch.save(data.to_dict(), ...), nothing was executed") from None
    return as_arrays(found, shown)


def _not_plain(error: BaseException) -> str:
    """Why PyTorch's reader of weights refused a file, without its advice to let the file run code."""
    if refused := re.search(r"GLOBAL (\S+)", str(error)):
        return f"asks for {refused[1][:80]}, which is not plain data"
    return "no saved tensors, or damaged ones" + ("" if "weights_only" in str(error) else f": {short(error)}")


def _plain_classes() -> list[Any]:
    """What PyTorch Geometric's ``Data`` consists of beside tensors."""
    from torch_geometric.data import Data
    from torch_geometric.data.data import DataEdgeAttr, DataTensorAttr
    from torch_geometric.data.storage import EdgeStorage, GlobalStorage, NodeStorage

    return [Data, DataEdgeAttr, DataTensorAttr, GlobalStorage, NodeStorage, EdgeStorage]


def as_arrays(found: Any, shown: str) -> dict[str, Any]:
    """A dictionary, a ``Data`` or a list of them (graphs side by side) as arrays; DataError for anything else."""
    many = isinstance(found, (list, tuple)) and bool(found)
    for one in found if many else [found]:
        if not (isinstance(one, dict) or hasattr(type(one), "to_dict")):
            raise DataError(f"{shown}: holds {type(one).__name__}; expected a dictionary of arrays, a Data, or a list of them")
    return _side_by_side([_one(one, shown) for one in found], shown) if many else _one(found, shown)


def _one(found: Any, shown: str) -> dict[str, Any]:
    try:
        items = dict(found) if isinstance(found, dict) else dict(found.to_dict())
        return {str(name): _array(value) for name, value in items.items()}
    except DAMAGE as error:  # a ``Data`` that was put together of other parts may fail wherever it is asked
        raise DataError(f"{shown}: damaged: {short(error)}") from None


def _array(value: Any) -> Any:
    """Tensors as arrays; other things as they are, to be judged by who asks for them."""
    if not hasattr(value, "detach"):
        return value
    tensor = value.detach().cpu()
    return (tensor.float() if "bfloat" in str(tensor.dtype) else tensor).numpy()


def _side_by_side(graphs: list[dict[str, Any]], shown: str) -> dict[str, Any]:
    """Many graphs as one; each keeps its label."""
    names = [name for name in ("x", "edge_index", "y", "edge_attr") if all(graph.get(name) is not None for graph in graphs)]
    if "edge_index" not in names or "y" not in names:
        raise DataError(f"{shown}: a graph of the list holds no {'edge_index' if 'edge_index' not in names else 'y'}")
    try:
        sizes = np.array([_size(graph) for graph in graphs], np.int64)
        starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        made = {name: np.concatenate([np.asarray(graph[name]) for graph in graphs]) for name in ("x", "edge_attr") if name in names}
        ends = [np.asarray(graph["edge_index"]) + start for graph, start in zip(graphs, starts, strict=True)]
        labels = [np.asarray(graph["y"]).reshape(1, -1) for graph in graphs]
        return made | {
            "edge_index": np.concatenate(ends, axis=1),
            "y": np.concatenate(labels),
            "batch": np.repeat(np.arange(len(graphs)), sizes),
        }
    except (ValueError, TypeError, IndexError) as error:
        raise DataError(f"{shown}: the graphs of the list do not fit together: {short(error)}") from None


def _size(graph: dict[str, Any]) -> int:
    if graph.get("x") is not None:
        return len(graph["x"])
    said = graph.get("num_nodes")
    return int(said if said is not None else np.asarray(graph["edge_index"]).max() + 1)


def _called(source: str, folder: Path, allow_code: bool) -> Tables | Arrays:
    """What a Python function returns; called only where the person allows it."""
    name = source.removeprefix(PYTHON)
    if not _FUNCTION.fullmatch(name):
        raise UsageError(f"source: {source[:80]!r}; allowed: {PYTHON}MODULE:FUNCTION, such as {PYTHON}my_data:load")
    if not allow_code:
        raise UsageError(f"source {source} runs Python code of yours; --allow-code (or allow_code = true in your settings) allows it")
    found = called(name, folder)
    if hasattr(found, "nodes") and hasattr(found, "edges") and hasattr(found, "is_directed") and not hasattr(found, "edge_index"):
        return _as_tables(found, source)
    return renamed(as_arrays(found, source))
