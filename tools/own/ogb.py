"""Data sets of the Open Graph Benchmark (Hu et al., 2020) by name, through its own loader, with its splits."""

from __future__ import annotations

import contextlib
import http.client
import pickle
import re
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from agentnas.tools.errors import ConfigError, DataError, UsageError
from agentnas.tools.own.arrays import Arrays
from agentnas.tools.own.damage import DAMAGE, short
from agentnas.tools.own.sources import as_arrays
from agentnas.tools.whole_file import whole_file

PARTS = (("train", "train_mask"), ("valid", "val_mask"), ("test", "test_mask"))
KEPT = "agentnas.npz"
ASKED = "the package asked for a yes, as it does before large downloads; say y to it in a terminal"
MOST_CLASSES = 1000
_NAME = re.compile(r"ogb[ng]-[\w-]+")


def read_ogb(name: str, data_dir: Path | None) -> Arrays:
    """The arrays of ``ogbn-`` and ``ogbg-`` data sets. Files are looked for, and downloaded to, the data folder.

    What was read is kept there as arrays: the package keeps a pickle, which PyTorch does not read as weights.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"source: ogb:{name[:40]}; allowed: ogb:ogbn-NAME (nodes) and ogb:ogbg-NAME (graphs)")
    import platformdirs

    root = (data_dir or Path(platformdirs.user_cache_dir("agentnas")) / "data") / "OGB"
    folder, where = root / name.replace("-", "_"), f"source ogb:{name}"
    try:
        if (folder / KEPT).is_file():
            with np.load(folder / KEPT, allow_pickle=False) as archive:
                return dict(archive)
        arrays = _read(name, root, folder, where)
        with contextlib.suppress(OSError), whole_file(folder / KEPT) as file:  # a folder that nothing can be written to is read each time
            np.savez(file, **arrays)
        return arrays
    except (*DAMAGE, http.client.HTTPException, SystemExit) as error:
        asked = isinstance(error, SystemExit) or "EOF when reading a line" in str(error)
        raise DataError(f"{where}: {ASKED if asked else short(error)}; its files are looked for in, and downloaded to, {root}") from None


def _read(name: str, root: Path, folder: Path, where: str) -> Arrays:
    try:
        from ogb.graphproppred import GraphPropPredDataset
        from ogb.nodeproppred import NodePropPredDataset
    except ImportError:
        raise ConfigError(f"{where} needs the extra ogb; pip install 'agentnas[ogb]'") from None
    of_nodes = name.startswith("ogbn-")
    maker = NodePropPredDataset if of_nodes else GraphPropPredDataset
    with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():  # the package prints what it does
        warnings.simplefilter("ignore")  # of what PyTorch suspects in a pickle that it then refuses
        try:
            data = maker(name=name, root=str(root))
        except pickle.UnpicklingError:  # PyTorch since 2.6 refuses what the package kept, which is made anew of the raw files
            (folder / "processed" / "data_processed").unlink()
            data = maker(name=name, root=str(root))
    return _nodes(data, where) if of_nodes else _graphs(data, where)


def _nodes(data: Any, where: str) -> Arrays:
    graph, labels = data[0]
    if "edge_index" not in graph:
        raise DataError(f"{where}: its graph has several kinds of edges, which are not read yet")
    return {**_arrays(graph), "y": _labels(labels, _aim(data)), "num_nodes": graph["num_nodes"], **_masks(data, len(labels))}


def _graphs(data: Any, where: str) -> Arrays:
    if re.search("sequence|subtoken", _aim(data)):
        raise DataError(f"{where}: its labels are words in a row, which no kind of task here predicts; choose another data set")
    graphs = [data[number] for number in range(len(data))]
    arrays = as_arrays([{**_arrays(graph), "num_nodes": graph["num_nodes"], "y": label} for graph, label in graphs], where)
    return {**arrays, "y": _labels(arrays["y"], _aim(data)), **_masks(data, len(graphs))}


def _aim(data: Any) -> str:
    """What the data set is for, such as ``multiclass classification``."""
    return str(getattr(data, "task_type", ""))


def _arrays(graph: Any) -> Arrays:
    named = (("edge_index", "edge_index"), ("node_feat", "x"), ("edge_feat", "edge_attr"))
    return {name: graph[key] for key, name in named if graph.get(key) is not None}


def _labels(labels: Any, aim: str) -> Any:
    """One column of whole numbers is classes, -1 where none is known, unless values are to be predicted."""
    y = np.asarray(labels)
    y = y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y
    if "regression" in aim:
        return y.astype(np.float32)
    known = np.isfinite(y) if y.dtype.kind == "f" and y.ndim == 1 else np.zeros(0, bool)
    whole = known.any() and (y[known] == np.round(y[known])).all() and len(np.unique(y[known])) <= MOST_CLASSES
    return np.where(known, y, -1).astype(np.int64) if whole else y


def _masks(data: Any, items: int) -> Arrays:
    split = data.get_idx_split()
    made = {}
    for part, name in PARTS:
        made[name] = np.zeros(items, bool)
        made[name][np.asarray(split[part], np.int64)] = True
    return made
