"""Data sets of the Open Graph Benchmark (Hu et al., 2020) by name, through its own loader, with its splits."""

from __future__ import annotations

import http.client
from pathlib import Path
from typing import Any

import numpy as np

from agentnas.tools.errors import ConfigError, DataError, UsageError
from agentnas.tools.own.arrays import Arrays
from agentnas.tools.own.damage import DAMAGE, short
from agentnas.tools.own.sources import as_arrays

PARTS = (("train", "train_mask"), ("valid", "val_mask"), ("test", "test_mask"))


def read_ogb(name: str, data_dir: Path | None) -> Arrays:
    """The arrays of ``ogbn-`` and ``ogbg-`` data sets. Files are looked for, and downloaded to, the data folder."""
    if not name.startswith(("ogbn-", "ogbg-")):
        raise UsageError(f"source: ogb:{name[:40]}; allowed: ogb:ogbn-NAME (nodes) and ogb:ogbg-NAME (graphs)")
    import platformdirs

    root = data_dir or Path(platformdirs.user_cache_dir("agentnas")) / "data"
    try:
        from ogb.graphproppred import GraphPropPredDataset
        from ogb.nodeproppred import NodePropPredDataset
    except ImportError:
        raise ConfigError(f"source ogb:{name} needs the extra ogb; pip install 'agentnas[ogb]'") from None
    maker = NodePropPredDataset if name.startswith("ogbn-") else GraphPropPredDataset
    try:
        data = maker(name=name, root=str(root / "OGB"))
        return _nodes(data) if name.startswith("ogbn-") else _graphs(data, f"source ogb:{name}")
    except (*DAMAGE, http.client.HTTPException, SystemExit) as error:
        raise DataError(f"source ogb:{name}: {short(error)}; its files are looked for in, and downloaded to, {root / 'OGB'}") from None


def _nodes(data: Any) -> Arrays:
    graph, labels = data[0]
    if "edge_index" not in graph:
        raise DataError("its graph has several kinds of edges, which are not read yet")
    return {**_arrays(graph), "y": _labels(labels), "num_nodes": graph["num_nodes"], **_masks(data, len(labels))}


def _graphs(data: Any, where: str) -> Arrays:
    graphs = [data[number] for number in range(len(data))]
    arrays = as_arrays([{**_arrays(graph), "num_nodes": graph["num_nodes"], "y": label} for graph, label in graphs], where)
    return {**arrays, "y": _labels(arrays["y"]), **_masks(data, len(graphs))}


def _arrays(graph: Any) -> Arrays:
    named = (("edge_index", "edge_index"), ("node_feat", "x"), ("edge_feat", "edge_attr"))
    return {name: graph[key] for key, name in named if graph.get(key) is not None}


def _labels(labels: Any) -> Any:
    """One column of whole numbers is classes; NaN, where a label is not known, keeps numbers as they are."""
    y = np.asarray(labels)
    y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    whole = y.dtype.kind == "f" and np.isfinite(y).all() and (y == np.round(y)).all() and len(np.unique(y)) <= 1000
    return y.astype(np.int64) if whole and y.ndim == 1 else y


def _masks(data: Any, items: int) -> Arrays:
    split = data.get_idx_split()
    made = {}
    for part, name in PARTS:
        made[name] = np.zeros(items, bool)
        made[name][np.asarray(split[part], np.int64)] = True
    return made
