"""``load_task``: a name -> data, splits and metric."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from agentnas.tools.errors import UsageError, suggest
from agentnas.tools.tasks.catalog import TABLE_PREFIX, TABLES, data_set, is_task_file, raw_files, task_names
from agentnas.tools.tasks.generated import PREFIX as GENERATED
from agentnas.tools.tasks.generated import parse as parse_generated

if TYPE_CHECKING:
    from agentnas.tools.tasks.base import GraphData, Task
    from agentnas.tools.tasks.catalog import DataSet


def load_task(
    name: str, *, data_dir: Path | str | None = None, split: str | None = None, download: bool = True, allow_code: bool = False
) -> Task:  # fmt: skip
    """Load a task by name, or from a task file by its path, which ends with ``.yaml`` or ``.yml``.

    ``split``: None for the data set's default, or ``public``, ``random``, ``random:TRAIN_PER_CLASS/VAL_PER_CLASS``, ``geom-gcn``, ``own``,
    ``folds``, ``scaffold``, ``links`` or ``links:VAL_PERCENT/TEST_PERCENT[/NEGATIVES]`` (of the edges, and pairs without an edge to each).
    Files are searched in ``data_dir``, $AGENTNAS_DATA_DIR, ./data and the user's cache, then downloaded unless ``download`` is False.
    ``allow_code``: whether a task file may call a Python function that it names.
    Raises UsageError for an unknown task or split, DataError for missing, unreadable or damaged files.
    """
    if is_task_file(name):
        from agentnas.tools.own.task import own_task

        return own_task(name, data_dir=Path(data_dir) if data_dir is not None else None, split=split, allow_code=allow_code)
    if name.startswith(TABLE_PREFIX):
        return _table_task(name, split)
    if name.startswith(GENERATED):
        from agentnas.tools.tasks.generated_graphs import generated_task

        return generated_task(parse_generated(name), split)
    return _data_task(name, Path(data_dir) if data_dir is not None else None, split, download)


def _data_task(name: str, data_dir: Path | None, split: str | None, download: bool) -> Task:
    from agentnas.tools.tasks.base import Task, metric_on
    from agentnas.tools.tasks.locate import obtain_data
    from agentnas.tools.tasks.pairs import link_fingerprint, link_task
    from agentnas.tools.tasks.pairs import protocol as pairs_protocol
    from agentnas.tools.tasks.splits import make_splits, parse_split

    described = data_set(name)
    request = parse_split(described, split)
    folder = obtain_data(described, request.kind, data_dir, download) if raw_files(described, request.kind) else None
    data, fingerprint = _data(described, folder)
    if request.kind == "links":
        val, test, negatives = request.links
        data, splits = link_task(data, val=val / 100, test=test / 100, negatives=negatives)
        protocol, fingerprint = pairs_protocol(splits, described.items, negatives), link_fingerprint(fingerprint)
    else:
        splits, protocol = make_splits(described, request, data, folder)
    return Task(
        name=described.name,
        metric=metric_on(described.metric, data, splits[0]),
        protocol=protocol,
        num_splits=len(splits),
        fingerprint=fingerprint,
        split_name=request.text,
        data=data,
        splits=splits,
    )


def _data(described: DataSet, folder: Path | None) -> tuple[GraphData, str]:
    """The data of a data set and its fingerprint."""
    from agentnas.tools.tasks.digits import digits_data
    from agentnas.tools.tasks.readers import read_data

    if described.family == "powerlaw":
        from agentnas.tools.tasks import powerlaw, powerlaw_graph

        made = powerlaw_graph.powerlaw_data(powerlaw.parse(described.name))
        return made, powerlaw_graph.fingerprint(described.name, made)
    data = digits_data() if folder is None else read_data(described, folder)
    return data, data.fingerprint()


def _table_task(name: str, split: str | None) -> Task:
    from agentnas.tools.metrics import metric
    from agentnas.tools.tasks.base import Task
    from agentnas.tools.tasks.nasbench import NasBenchTable

    table_name = name.removeprefix(TABLE_PREFIX)
    if table_name not in TABLES:
        raise UsageError(f"task {name!r} does not exist; {suggest(name, task_names())}")
    if split is not None:
        raise UsageError(f"split {split!r} does not exist for {name}: a table has its own; leave the split out")
    table = NasBenchTable(table_name)
    return Task(
        name=name,
        metric=metric("roc_auc" if table_name == "proteins" else "accuracy"),
        protocol=f"NAS-Bench-Graph table, {len(table)} cells, one look-up each",
        num_splits=1,
        fingerprint=table.fingerprint,
        split_name="table",
        table=table,
    )
