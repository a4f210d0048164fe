"""``own_task``: a task file and the files that it names -> a task."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from agentnas.tools.errors import DataError, UsageError
from agentnas.tools.metrics import Metric, fitting, metric
from agentnas.tools.own import splits as own_splits
from agentnas.tools.own.arrays import Arrays, data_of, given_splits
from agentnas.tools.own.graph import Built, Tables, build, kind_of, names_in
from agentnas.tools.own.labels import check_scored, metric_of
from agentnas.tools.own.schema import Edges, Graphs, Nodes, SplitPlan, TaskFile, name_from, read_task_file
from agentnas.tools.own.sources import read_source
from agentnas.tools.own.tables import Table, check_text_size, read_table
from agentnas.tools.tasks.base import GraphData, Split, Task
from agentnas.tools.tasks.catalog import task_names
from agentnas.tools.tasks.splits import sizes_text


def own_task(reference: str, *, data_dir: Path | None = None, split: str | None = None, allow_code: bool = False) -> Task:
    """The task of a task file. ``split``: in place of the file's, ``random``, ``folds`` or ``folds:N``.

    Raises UsageError for a task file that is wrong, DataError for data that are, each one line with file, row and column. Nothing in the
    files is executed; a Python function is called only with ``allow_code``.
    """
    path = Path(reference).expanduser().absolute()
    file = read_task_file(path)
    name = name_of(file, path)
    try:
        read = _read(file, path.parent, data_dir, allow_code)
        built = _built(file, read, path.name)
        data, parts, protocol = _split(file, built, read, split, path.name)
        chosen = _metric(file, data, parts, path.name, _usual_metric(file, read))
    except MemoryError:
        raise DataError(f"{reference}: its data do not fit the memory of this machine; give fewer rows or columns") from None
    asked = split or file.split.rule or "usual"
    return Task(name, chosen, protocol, len(parts), fingerprint(data, parts, chosen), asked, data, parts, file=str(path), names=built.names)


def own_data(reference: str, *, data_dir: Path | None = None, allow_code: bool = False) -> tuple[GraphData, tuple[str, ...]]:
    """The data of a task file to predict for, and the names of its nodes, or of its graphs as items; it needs no labels and no splits."""
    path = Path(reference).expanduser().absolute()
    file = read_task_file(path)
    read = _read(file, path.parent, data_dir, allow_code)
    if isinstance(read, Tables):
        built = build(file, read, path.name, labelled=False)
        return built.data, built.names
    known = read if "y" in read else {**read, "y": np.arange(_items(file, read)) % 2}
    return data_of(known, file.kind, file.target, file.directed, file.source or path.name), ()


def _items(file: TaskFile, read: Arrays) -> int:
    """How many items arrays without labels hold."""
    if "batch" in read and file.kind != "node":
        return int(np.max(read["batch"], initial=0)) + 1
    return int(read["x"].shape[0]) if "x" in read else int(np.max(read.get("edge_index", 0))) + 1


def fingerprint(data: GraphData, splits: tuple[Split, ...], chosen: Metric) -> str:
    """sha256 of data, splits and metric, as the task file says all of them: a run goes on only where none has changed."""
    digest = hashlib.sha256(f"{data.fingerprint()} {chosen.name}".encode())
    for split in splits:
        for part in (split.train, split.val, split.test):
            digest.update(f"{len(part)}".encode() + np.ascontiguousarray(part, "<i8").tobytes())
    return digest.hexdigest()


def name_of(file: TaskFile, path: Path) -> str:
    """What a task is called: as it says, else by its file, or the folder where the file has the usual name."""
    usual = path.stem in ("task", "tasks", "agentnas")
    name = file.name or name_from(path.parent.name if usual and path.parent.name else path.stem) or "own-data"
    if name in task_names():
        raise UsageError(f"{path}: name {name!r} is that of a task which comes with AgentNAS; give another, such as name: my-{name}")
    return name


def _read(file: TaskFile, folder: Path, data_dir: Path | None, allow_code: bool) -> Tables | Arrays:
    if file.source is not None:
        return read_source(file.source, folder, data_dir, allow_code)
    parts = (file.nodes, file.edges, file.graphs)
    for part in parts:
        if part is not None and part.file is not None:
            check_text_size(folder / Path(part.file).expanduser(), part.file)
    nodes, edges, graphs = (_table(part, folder, file.split) for part in parts)
    return Tables(nodes, edges, graphs)


def _table(part: Nodes | Edges | Graphs | None, folder: Path, plan: SplitPlan) -> Table | None:
    if part is None or part.file is None:
        return None
    path, shown = folder / Path(part.file).expanduser(), part.file

    def written(header: Sequence[str]) -> set[str]:
        return names_in(part, header, shown) | set(plan.column)

    return read_table(path, shown, separator=part.separator, encoding=part.encoding, as_text=written)


def _built(file: TaskFile, read: Tables | Arrays, where: str) -> Built:
    if isinstance(read, Tables):
        return build(file, read, where)
    for key in ("nodes", "edges", "graphs"):
        if getattr(file, key) is not None:
            raise UsageError(f"{where}: {key} has no place beside source {file.source}, which holds arrays without columns; leave it out")
    return Built(data_of(read, file.kind, file.target, file.directed, file.source or where), None)


def _split(file: TaskFile, built: Built, read: Tables | Arrays, text: str | None, where: str) -> tuple[GraphData, tuple[Split, ...], str]:
    data, links = built.data, _is_link(file, read)
    if wrong := file.split.misfit("link" if links else data.kind):
        raise UsageError(f"{where}: {wrong}")
    if links:
        return _links(file, data, read, text, where)
    plan = own_splits.asked(file.split, text)
    masked = not isinstance(read, Tables) and "train_mask" in read
    if masked:
        own_splits.check_drawn(plan, where)
    if plan.rule == "given" or (plan.rule is None and not plan.model_fields_set and masked):
        if isinstance(read, Tables):
            raise UsageError(f"{where}: split: kind given needs a source with train_mask, val_mask and test_mask; give column")
        return data, *_given(file, data, read, where)
    if plan.rule is None:
        usual = own_splits.usual(data.kind, int(data.labelled.sum()))
        shares = {plan.train, plan.val, plan.test} != {None}
        kind = "random" if shares else usual.rule
        plan = plan.model_copy(update={"kind": kind})
    made, protocol = own_splits.make(plan, data.y, data.labelled, built.items, where)
    own_splits.check_classes(made, data.y, data.class_names, where)
    return data, made, protocol


def _given(file: TaskFile, data: GraphData, read: Arrays, where: str) -> tuple[tuple[Split, ...], str]:
    splits = given_splits(read, data.num_items, data.labelled, file.source or where)
    own_splits.check(splits, where)
    by = f" by {read['split_by']}" if "split_by" in read else ""
    return splits, f"{len(splits)} split{'s' if len(splits) > 1 else ''} of the source{by}, {sizes_text(splits)}"


def _is_link(file: TaskFile, read: Tables | Arrays) -> bool:
    if isinstance(read, Tables):
        return kind_of(file) == "link"
    return file.kind == "link" or (file.kind is None and "y" not in read)


def _links(
    file: TaskFile, data: GraphData, read: Tables | Arrays, text: str | None, where: str
) -> tuple[GraphData, tuple[Split, ...], str]:
    from agentnas.tools.own.given_pairs import given_pairs
    from agentnas.tools.tasks.pairs import SPLITS, TEST_SHARE, VAL_SHARE, link_task, protocol

    if text not in (None, "links"):
        raise UsageError(f"split {text!r} does not exist for links of a task file; allowed: links; the file says the shares")
    if text is None and not isinstance(read, Tables) and "pairs" in read:
        own_splits.check_drawn(file.split, where, "links")
        if not file.split.model_fields_set:
            linked, split, line = given_pairs(data, read, file.source or where)
            return linked, (split,), line
    edges = int((data.edge_index[0] < data.edge_index[1]).sum())
    val, test = own_splits.shares(file.split, VAL_SHARE, TEST_SHARE)
    try:
        negatives = file.split.negatives or 1
        linked, made = link_task(data, file.split.count or SPLITS, val, test, negatives, file.split.seed)
    except UsageError as error:
        raise DataError(f"{where}: {error}") from None
    return linked, made, protocol(made, edges, negatives)


def _usual_metric(file: TaskFile, read: Tables | Arrays) -> str | None:
    """The metric that a benchmark judges by, where the source is one and links are predicted only if they are what it is for."""
    if isinstance(read, Tables) or "metric" not in read or _is_link(file, read) != ("pairs" in read):
        return None
    return str(read["metric"])


def _metric(file: TaskFile, data: GraphData, splits: tuple[Split, ...], where: str, usual: str | None) -> Metric:
    """``usual``: the metric of the source, taken where the file names none and it fits what is predicted."""
    if data.kind == "link":
        return metric(file.metric or (usual if usual in fitting("classes", pairs=True) else None) or "roc_auc")
    named = file.metric or (usual if usual in fitting(data.target) else None)
    chosen = metric_of(named, data.y, data.target, splits, where)
    check_scored(data.y, chosen, splits, data.num_classes, where)
    return chosen
