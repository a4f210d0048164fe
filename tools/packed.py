"""A task as named arrays in one block of bytes: how its data reaches workers on machines that do not hold its files.

A packed task is a JSON line that says what lies where, then the arrays. Reading maps the block instead of copying it, and executes nothing
of it. A custom task travels like any other: workers need no file, no registration and no network.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from agentnas.tools.errors import DataError, UsageError
from agentnas.tools.metrics import metric
from agentnas.tools.tasks.base import OF_KINDS, GraphData, Split, Task

Arrays = dict[str, NDArray[Any]]
ALIGNMENT = 64
PARTS = ("train", "val", "test")


def arrays_of(task: Task) -> tuple[dict[str, Any], Arrays]:
    """What is not an array, and the arrays. Raises UsageError for a table task, which has no data."""
    data = task.data
    if data is None:
        raise UsageError(f"task {task.name} is a table and holds no data to train on; choose a task without 'nasbench:'")
    facts = {
        "name": task.name, "metric": task.metric.name, "unit": task.metric.unit, "protocol": task.protocol, "num_splits": task.num_splits,
        "fingerprint": task.fingerprint, "split_name": task.split_name, "num_classes": data.num_classes, "shape": list(data.x.shape),
        "node_types": data.node_types, "edge_types": data.edge_types, "class_names": data.class_names, "file": task.file,
        "feature_names": data.feature_names, "splits": len(task.splits),
        "sorted": not sp.issparse(data.x) or bool(data.x.has_sorted_indices),
    }  # fmt: skip
    features = {"data": data.x.data, "indices": data.x.indices, "indptr": data.x.indptr} if sp.issparse(data.x) else {"dense": data.x}
    splits = {f"{part}{i}": getattr(split, part) for i, split in enumerate(task.splits) for part in PARTS}
    more = {name: value for name in OF_KINDS if (value := getattr(data, name)) is not None}
    return facts, {"edge_index": data.edge_index, "y": data.y, **more, **features, **splits}


def task_from(facts: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Task:
    """The task again; it shares the arrays' memory."""
    x = arrays["dense"] if "dense" in arrays else _csr(facts, arrays)
    splits = tuple(Split(*(arrays[f"{part}{i}"] for part in PARTS)) for i in range(facts["splits"]))
    more: dict[str, Any] = {name: arrays[name] for name in OF_KINDS if name in arrays}
    data = GraphData(x, arrays["edge_index"], arrays["y"], facts["num_classes"], **more, **_names(facts))
    return Task(
        facts["name"], metric(facts["metric"], facts["unit"]), facts["protocol"], facts["num_splits"], facts["fingerprint"],
        facts["split_name"], data, splits, file=facts["file"],
    )  # fmt: skip


def _names(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(facts[name]) for name in ("node_types", "edge_types", "class_names", "feature_names")}


def _csr(facts: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Any:
    x = sp.csr_matrix(tuple(arrays[name] for name in ("data", "indices", "indptr")), shape=tuple(facts["shape"]), copy=False)
    x.has_sorted_indices = facts["sorted"]
    return x


def write(facts: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], file: IO[bytes]) -> None:
    """Write a packed task at the start of a file."""
    table: dict[str, dict[str, Any]] = {}
    offset = 0
    for name, array in arrays.items():
        table[name] = {"dtype": array.dtype.str, "shape": list(array.shape), "offset": offset}
        offset += -(-array.nbytes // ALIGNMENT) * ALIGNMENT
    line = json.dumps({"facts": dict(facts), "arrays": table}).encode()
    start = -(-(len(line) + 1) // ALIGNMENT) * ALIGNMENT
    file.write(line + b" " * (start - len(line) - 1) + b"\n")
    for name, array in arrays.items():
        file.seek(start + table[name]["offset"])
        file.write(np.ascontiguousarray(array).data)
    file.truncate(start + offset)
    file.flush()


def read(path: str | Path) -> Task:
    """The task that ``write`` wrote; its arrays are mapped, copy-on-write. Raises DataError for anything else."""
    try:
        with open(path, "rb") as file:
            line = file.readline()
        said = json.loads(line)
        arrays = {name: _mapped(path, len(line), **entry) for name, entry in said["arrays"].items()}
        return task_from(said["facts"], arrays)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: not a packed task ({type(error).__name__}); start the run again") from None


def _mapped(path: str | Path, start: int, dtype: str, shape: list[int], offset: int) -> NDArray[Any]:
    if 0 in shape:  # nothing can be mapped
        return np.empty(shape, dtype)
    # A base array of its own: a subclass in the middle of a training would be slower.
    return np.asarray(np.memmap(path, dtype, "c", start + offset, tuple(shape)))


def in_memory(facts: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> tuple[int, str]:
    """Write a packed task to memory: a descriptor to close, and the path by which other processes of this person read it.

    No disk is touched, and nothing is left however the process ends.
    """
    descriptor = os.memfd_create("agentnas-task")
    with os.fdopen(os.dup(descriptor), "wb") as file:
        write(facts, arrays, file)
    return descriptor, f"/proc/{os.getpid()}/fd/{descriptor}"
