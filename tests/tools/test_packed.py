"""A packed task is the task, to the last bit, whoever reads it."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from agentnas.tools import packed
from agentnas.tools.errors import DataError, UsageError
from agentnas.tools.tasks import load_task
from agentnas.tools.tasks.base import Task


def same(one: Task, other: Task) -> None:
    assert one.data is not None
    assert other.data is not None
    assert (one.name, one.metric, one.protocol, one.num_splits, one.split_name) == (
        other.name, other.metric, other.protocol, other.num_splits, other.split_name,
    )  # fmt: skip
    assert other.data.fingerprint() == one.data.fingerprint() == other.fingerprint
    assert sp.issparse(one.data.x) == sp.issparse(other.data.x)
    assert other.data.num_classes == one.data.num_classes
    assert len(one.splits) == len(other.splits)
    for mine, theirs in zip(one.splits, other.splits, strict=True):
        assert all(np.array_equal(getattr(mine, part), getattr(theirs, part)) for part in packed.PARTS)


@pytest.mark.parametrize("name", ["digits", "cora"])
def test_there_and_back_through_memory(name: str, data_dir: Path) -> None:
    task = load_task(name, data_dir=data_dir)
    descriptor, path = packed.in_memory(*packed.arrays_of(task))
    try:
        same(task, packed.read(path))
    finally:
        os.close(descriptor)
    assert not Path(path).exists()


def test_what_a_reader_changes_is_its_own(tmp_path: Path) -> None:
    place = tmp_path / "task"
    with open(place, "wb") as file:
        packed.write(*packed.arrays_of(load_task("digits")), file)
    first = packed.read(place).data
    assert first is not None
    first.y[:] = -1
    same(load_task("digits"), packed.read(place))


def test_what_is_no_packed_task_is_told(tmp_path: Path) -> None:
    for content in (b"", b"[]\n", b"no json\n", b'{"facts": {}, "arrays": {}}\n'):
        (tmp_path / "task").write_bytes(content)
        with pytest.raises(DataError, match="not a packed task"):
            packed.read(tmp_path / "task")
    with pytest.raises(UsageError, match="is a table"):
        packed.arrays_of(load_task("nasbench:cora"))
