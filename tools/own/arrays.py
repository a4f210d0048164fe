"""Sources that hold arrays: ``.npz``, PyTorch Geometric's ``Data`` in a ``.pt`` file, OGB, and what a Python function returns.

All become one dictionary: ``x``, ``edge_index``, ``y``, ``edge_attr``, ``batch`` (the graph of each node), ``train_mask``, ``val_mask``,
``test_mask``, ``node_type``, ``edge_type``. From it the data is made, with every array checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentnas.tools.errors import DataError
from agentnas.tools.metrics import Target
from agentnas.tools.own.edges import sorted_all
from agentnas.tools.own.graph import MOST_NODES, without_features
from agentnas.tools.own.labels import MOST_CLASSES
from agentnas.tools.tasks.base import GraphData, Index, Kind, Split, compact

MASKS = ("train_mask", "val_mask", "test_mask")
KNOWN = ("x", "edge_index", "y", "edge_attr", "batch", *MASKS, "node_type", "edge_type", "num_nodes")
# What others call the same.
OTHER_NAMES = {
    "features": "x", "node_features": "x", "feat": "x", "edges": "edge_index", "labels": "y", "label": "y", "node_labels": "y",
    "edge_features": "edge_attr", "edge_feat": "edge_attr", "graph_of": "batch", "train_masks": "train_mask", "val_masks": "val_mask",
    "test_masks": "test_mask", "edge_types": "edge_type", "node_types": "node_type",
}  # fmt: skip
Arrays = dict[str, Any]


def renamed(arrays: Mapping[str, Any]) -> Arrays:
    """The arrays under the names that are known; others are left out."""
    found = {OTHER_NAMES.get(name, name): value for name, value in arrays.items() if OTHER_NAMES.get(name) not in arrays}
    return {name: value for name, value in found.items() if name in KNOWN and value is not None}


def data_of(arrays: Arrays, kind: Kind | None, target: Target | None, directed: bool | None, where: str) -> GraphData:
    """The data; DataError names the array that is missing or does not fit the others."""
    ends = _edges(arrays, where)
    count = _count(arrays, ends, where)
    batch = _whole(arrays, "batch", (count,), where)
    if kind is None:
        kind = "link" if "y" not in arrays else "graph" if batch is not None and len(arrays["y"]) != count else "node"
    if kind == "graph" and batch is None:
        raise DataError(f"{where}: kind graph needs batch, the graph of each node, from 0")
    attr = _floats(arrays, "edge_attr", ends.shape[1], where)
    edge_type, node_type = _whole(arrays, "edge_type", (ends.shape[1],), where), _whole(arrays, "node_type", (count,), where)
    as_given = kind != "link" and is_directed(ends, count) if directed is None else directed
    edge_index, attr, edge_type = sorted_all(ends, attr, edge_type, count, as_given)
    x = _floats(arrays, "x", count, where)
    features = compact(x) if x is not None and x.shape[1] else without_features(kind, edge_index, count)
    y, classes = _labels(arrays, kind, target, where) if kind != "link" else (np.full(count, -1, np.int64), 1)
    data = GraphData(features, edge_index, y, classes, attr, None, None, node_type, edge_type)
    if kind == "node" and len(y) != count:
        raise DataError(f"{where}: y holds {len(y)} labels for {count} nodes")
    return _grouped(data, batch, where) if kind == "graph" and batch is not None else data


def is_directed(ends: Index, count: int) -> bool:
    """Whether an edge lacks its opposite although others have theirs; edges that all stand once have no direction."""
    codes, back = ends[0] * np.int64(count) + ends[1], ends[1] * np.int64(count) + ends[0]
    found = np.isin(codes, back)[ends[0] != ends[1]]
    return bool(len(found)) and bool(found.any()) and not bool(found.all())


def _edges(arrays: Arrays, where: str) -> Index:
    if "edge_index" not in arrays:
        raise DataError(f"{where}: holds no edge_index; expected arrays named {', '.join(KNOWN[:5])}")
    ends = np.asarray(arrays["edge_index"])
    if ends.ndim == 2 and ends.shape[0] != 2 and ends.shape[1] == 2:
        ends = ends.T
    if ends.ndim != 2 or ends.shape[0] != 2 or ends.dtype.kind not in "iu":
        raise DataError(f"{where}: edge_index is {list(ends.shape)} of {ends.dtype}; expected [2, edges] of whole numbers")
    if not ends.shape[1]:
        raise DataError(f"{where}: edge_index holds no edges")
    return ends.astype(np.int64)


def _count(arrays: Arrays, ends: Index, where: str) -> int:
    """Number of nodes, which every edge must keep to."""
    rows = [
        len(np.asarray(arrays[name])) if np.ndim(arrays[name]) else 0
        for name in ("x", "batch")
        if name in arrays and not _sparse(arrays[name])
    ]
    rows += [arrays["x"].shape[0]] if "x" in arrays and _sparse(arrays["x"]) else []
    said = arrays.get("num_nodes")
    if said is not None and np.ndim(said) == 0 and 0 <= int(said) < 2**40:
        rows.append(int(said))
    count = rows[0] if rows else int(ends.max()) + 1
    wrong = (ends < 0) | (ends >= count)
    if wrong.any():
        place = int(wrong.any(axis=0).argmax())
        node = int(ends[:, place][wrong[:, place]][0])
        raise DataError(f"{where}: edge_index: edge {place} names node {node}; there are {count}, counted from 0")
    if count > MOST_NODES:
        raise DataError(f"{where}: {count} nodes; allowed: {MOST_NODES}")
    return count


def _sparse(value: Any) -> bool:
    return hasattr(value, "tocsr")


def _floats(arrays: Arrays, name: str, rows: int, where: str) -> Any:
    """A matrix of finite numbers [rows, k], dense or sparse; None where there is none."""
    if name not in arrays:
        return None
    value = arrays[name]
    if _sparse(value):
        if value.shape[0] != rows or not np.isfinite(value.tocsr().data).all():
            raise DataError(f"{where}: {name} is {list(value.shape)}; expected {rows} rows of finite numbers")
        return value.tocsr()
    table = np.asarray(value)
    table = table[:, None] if table.ndim == 1 else table
    if table.ndim != 2 or len(table) != rows or table.dtype.kind not in "biuf":
        raise DataError(f"{where}: {name} is {list(table.shape)} of {table.dtype}; expected [{rows}, columns] of numbers")
    with np.errstate(over="ignore"):
        found = table.astype(np.float32)
    wrong = ~np.isfinite(found)
    if wrong.any():
        row, column = (int(at[0]) for at in np.nonzero(wrong))
        raise DataError(f"{where}: {name}: row {row}, column {column} (counted from 0) is {table[row, column]}; expected finite numbers")
    return found


def _whole(arrays: Arrays, name: str, shape: tuple[int, ...], where: str) -> Index | None:
    """Numbers from 0 of this shape; None where there are none."""
    if name not in arrays:
        return None
    found = np.asarray(arrays[name])
    if found.shape != shape or found.dtype.kind not in "iu" or (found.size and (found.min() < 0 or found.max() >= 2**31)):
        raise DataError(f"{where}: {name} is {list(found.shape)} of {found.dtype}; expected {list(shape)} of whole numbers from 0")
    return found.astype(np.int64)


def _labels(arrays: Arrays, kind: Kind, target: Target | None, where: str) -> tuple[NDArray[Any], int]:
    if "y" not in arrays:
        raise DataError(f"{where}: holds no y; kind {kind} needs what is to be predicted")
    y = np.asarray(arrays["y"])
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.dtype.kind not in "biuf" or y.ndim not in (1, 2) or not y.size:
        raise DataError(f"{where}: y is {list(y.shape)} of {y.dtype}; expected [items] or [items, labels] of numbers")
    if y.ndim == 2:
        return _several(y, target, where)
    whole = y.dtype.kind != "f" or bool((np.isnan(y) | (y == np.round(y))).all() and np.isfinite(y).any() and np.nanmax(np.abs(y)) < 2**31)
    if (target or ("classes" if y.dtype.kind != "f" else "value")) == "value":
        return _value(y, where)
    if target == "labels" or not whole:
        raise DataError(f"{where}: y is {list(y.shape)} of {y.dtype}, which does not fit target {target}")
    return _classes(np.where(np.isnan(y), -1, y) if y.dtype.kind == "f" else y, where)


def _value(y: NDArray[Any], where: str) -> tuple[NDArray[Any], int]:
    if np.isinf(y).any():
        raise DataError(f"{where}: y holds infinite values; leave values that are not known as NaN")
    return y.astype(np.float32), 1


def _classes(y: NDArray[Any], where: str) -> tuple[NDArray[Any], int]:
    y = np.where(y < 0, -1, y).astype(np.int64)
    count = int(y.max()) + 1
    if not 2 <= count <= MOST_CLASSES:
        raise DataError(
            f"{where}: y holds {max(count, 0):,} classes; allowed: 2 to {MOST_CLASSES:,}; numbers to be predicted are target: value"
        )
    return y, count


def _several(y: NDArray[Any], target: Target | None, where: str) -> tuple[NDArray[Any], int]:
    found = y.astype(np.float32)
    if target not in (None, "labels") or not (np.isnan(found) | (found == 0) | (found == 1)).all():
        raise DataError(f"{where}: y is {list(y.shape)}; several columns are labels of 0, 1 and NaN")
    return found, y.shape[1]


def _grouped(data: GraphData, batch: Index, where: str) -> GraphData:
    """Nodes in the order of their graphs."""
    sizes = np.bincount(batch, minlength=len(data.y))
    if len(sizes) != len(data.y) or (sizes == 0).any():
        raise DataError(f"{where}: batch names {int((sizes > 0).sum())} graphs with nodes, y holds {len(data.y)} labels; expected as many")
    crossing = batch[data.edge_index[0]] != batch[data.edge_index[1]]
    if crossing.any():
        one, other = data.edge_index[:, int(crossing.argmax())]
        raise DataError(f"{where}: edge_index: an edge joins node {one} and node {other} of another graph; edges stay within one")
    order = np.argsort(batch, kind="stable")
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    ends, attr, edge_type = sorted_all(place[data.edge_index], data.edge_attr, data.edge_type, len(order), True)
    node_type = None if data.node_type is None else data.node_type[order]
    return replace(data, x=data.x[order], edge_index=ends, edge_attr=attr, edge_type=edge_type, node_type=node_type, graph_of=batch[order])


def given_splits(arrays: Arrays, items: int, labelled: NDArray[np.bool_], where: str) -> tuple[Split, ...]:
    """The splits of masks [items], or [items, splits], or [splits, items]; DataError for masks that do not fit or that overlap."""
    masks = [_mask(arrays, name, items, where) for name in MASKS]
    if len({mask.shape for mask in masks}) > 1:
        raise DataError(f"{where}: masks are {', '.join(str(list(mask.shape)) for mask in masks)}; expected the same shapes")
    if (np.stack(masks).sum(axis=0) > 1).any():
        raise DataError(f"{where}: an item is in two of {', '.join(MASKS)}")
    return tuple(Split(*(np.flatnonzero(mask[number] & labelled) for mask in masks)) for number in range(len(masks[0])))


def _mask(arrays: Arrays, name: str, items: int, where: str) -> NDArray[np.bool_]:
    if name not in arrays:
        raise DataError(f"{where}: holds no {name}; split: kind: given needs {', '.join(MASKS)}")
    mask = np.asarray(arrays[name])
    mask = mask[None] if mask.ndim == 1 else mask.T if mask.ndim == 2 and mask.shape[0] == items else mask
    if mask.ndim != 2 or mask.shape[1] != items or mask.dtype.kind not in "bui" or not len(mask) or not np.isin(mask, (0, 1)).all():
        raise DataError(f"{where}: {name} is {list(np.shape(arrays[name]))} of {mask.dtype}; expected [{items}] of true and false")
    return mask.astype(bool)
