"""Data sets of the Open Graph Benchmark (Hu et al., 2020) by name, through its own loader, with its splits and its metric."""

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
from numpy.typing import NDArray

from agentnas.tools.errors import ConfigError, DataError, UsageError
from agentnas.tools.own.arrays import Arrays
from agentnas.tools.own.codes import of_atoms, of_bonds
from agentnas.tools.own.damage import DAMAGE, short
from agentnas.tools.own.sources import as_arrays
from agentnas.tools.whole_file import whole_file

PARTS = (("train", "train_mask"), ("valid", "val_mask"), ("test", "test_mask"))
KEPT = "agentnas.npz"
VERSION = 2  # of what is kept; a higher one makes what others kept anew
ASKED = "the package asked for a yes, as it does before large downloads; say y to it in a terminal"
MOST_CLASSES = 1000
# Its names of metrics -> ours, which hits@k and mrr share; its older versions call average precision prcauc.
METRICS = {"rocauc": "roc_auc", "ap": "ap", "prcauc": "ap", "acc": "accuracy", "accuracy": "accuracy"}
MOLECULES = "ogbg-mol"
_NAME = re.compile(r"ogb[ngl]-[\w-]+")


def read_ogb(name: str, data_dir: Path | None) -> Arrays:
    """The arrays of ``ogbn-``, ``ogbg-`` and ``ogbl-`` data sets, with ``metric`` and ``split_by`` (scaffold, ...) where they are known.

    Files are looked for, and downloaded to, the data folder. What was read is kept there as arrays: the package keeps a pickle, which
    PyTorch does not read as weights. Atoms and bonds are kept as codes and come one-hot.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"source: ogb:{name[:40]}; allowed: ogb:ogbn-NAME (nodes), ogb:ogbg-NAME (graphs) and ogb:ogbl-NAME (links)")
    import platformdirs

    root = (data_dir or Path(platformdirs.user_cache_dir("agentnas")) / "data") / "OGB"
    folder, where = root / name.replace("-", "_"), f"source ogb:{name}"
    try:
        arrays = _kept(folder / KEPT, where)
        if arrays is None:
            arrays = _read(name, root, folder, where)
            with contextlib.suppress(OSError), whole_file(folder / KEPT) as file:  # a folder that cannot be written to is read each time
                np.savez(file, version=VERSION, **arrays)
        return _one_hot(arrays) if name.startswith(MOLECULES) else arrays
    except (*DAMAGE, http.client.HTTPException, SystemExit) as error:
        asked = isinstance(error, SystemExit) or "EOF when reading a line" in str(error)
        raise DataError(f"{where}: {ASKED if asked else short(error)}; its files are looked for in, and downloaded to, {root}") from None


def _kept(path: Path, where: str) -> Arrays | None:
    """What was kept; None where nothing was, or by another version, which is said."""
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as archive:
        if "version" in archive and int(archive["version"]) == VERSION:
            return {name: array for name, array in archive.items() if name != "version"}
    sys.stderr.write(f"{where}: {KEPT} was kept by another version and is made anew\n")
    return None


def _one_hot(arrays: Arrays) -> Arrays:
    """The categories of atoms and bonds as columns."""
    made = {"x": of_atoms, "edge_attr": of_bonds}
    return {name: made[name](array) if name in made else array for name, array in arrays.items()}


def _read(name: str, root: Path, folder: Path, where: str) -> Arrays:
    try:
        from ogb.graphproppred import GraphPropPredDataset
        from ogb.linkproppred import LinkPropPredDataset
        from ogb.nodeproppred import NodePropPredDataset
    except ImportError:
        raise ConfigError(f"{where} needs the extra ogb; pip install 'agentnas[ogb]'") from None
    maker, arrays_of = {
        "n": (NodePropPredDataset, _nodes), "g": (GraphPropPredDataset, _graphs), "l": (LinkPropPredDataset, _links),
    }[name[3]]  # fmt: skip
    with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():  # the package prints what it does
        warnings.simplefilter("ignore")  # of what PyTorch suspects in a pickle that it then refuses
        try:
            data = maker(name=name, root=str(root))
        except pickle.UnpicklingError:  # PyTorch since 2.6 refuses what the package kept, which is made anew of the raw files
            (folder / "processed" / "data_processed").unlink()
            data = maker(name=name, root=str(root))
    return {**arrays_of(data, where), **_judged(data)}


def _judged(data: Any) -> Arrays:
    """By which metric, and how items were split, as the package says."""
    metric = str(getattr(data, "eval_metric", ""))
    found = {"metric": METRICS.get(metric, metric), "split_by": str(getattr(data, "meta_info", {}).get("split", "")).replace("_", " ")}
    return {name: np.array(said) for name, said in found.items() if said}


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


def _links(data: Any, where: str) -> Arrays:
    """Edges are those of all parts; what the package knows of an edge beside its ends is of training alone, and left out."""
    from agentnas.tools.own.ogb_links import read_pairs

    pairs, graph = read_pairs(data, where), data[0]
    return {name: array for name, array in _arrays(graph).items() if name == "x"} | {**pairs, "num_nodes": graph["num_nodes"]}


def _aim(data: Any) -> str:
    """What the data set is for, such as ``multiclass classification``."""
    return str(getattr(data, "task_type", ""))


def _arrays(graph: Any) -> Arrays:
    named = (("node_feat", "x"), ("edge_feat", "edge_attr"))
    features = {name: _narrow(graph[key]) for key, name in named if graph.get(key) is not None}
    return {"edge_index": graph["edge_index"], **features}


def _narrow(array: NDArray[Any]) -> NDArray[Any]:
    """Small whole numbers in a byte each, as codes are."""
    fits = array.dtype.kind in "iu" and array.min(initial=0) >= 0 and array.max(initial=0) < 256
    return array.astype(np.uint8) if fits else array


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
