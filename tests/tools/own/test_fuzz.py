"""Every loader on damaged files: truncated, mutated, filled with other bytes. A task comes out, or one line of our own kind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentnas.tools.errors import UsageError
from agentnas.tools.tasks import load_task
from agentnas.tools.tasks.base import Task
from tests.tools.own.making import FORMATS

FEW, MANY = 20, 1000
# What means something in one of the formats.
PIECES = (
    b"\n",
    b",",
    b'"',
    b"\x00",
    b"\xff",
    b"nan",
    b"-1",
    b"1e999",
    b"99999999999999999999",
    b"<",
    b">",
    b"&x;",
    b"[",
    b"]",
    b"{",
    b":",
    b"PK\x03\x04",
    b"train",
)


@pytest.fixture(scope="module", params=FORMATS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp(request.param)
    FORMATS[request.param](made)
    return made


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """The content cut off, with bytes changed, pieces put in or parts taken out."""
    found = bytearray(content)
    for _ in range(draw(st.integers(1, 3))):
        # Headers decide how the rest is read: half of all damage falls there.
        place = draw(st.one_of(st.integers(0, min(300, len(found))), st.integers(0, len(found))))
        how = draw(st.sampled_from(["cut", "flip", "insert", "remove"]))
        if how == "cut":
            del found[place:]
        elif how == "flip" and place < len(found):
            found[place] ^= draw(st.integers(1, 255))
        elif how == "insert":
            found[place:place] = draw(st.one_of(st.sampled_from(PIECES), st.binary(max_size=8)))
        else:
            del found[place : place + draw(st.integers(1, 40))]
    return bytes(found)


def check(folder: Path, data: st.DataObject) -> None:
    path = folder / data.draw(st.sampled_from(sorted(os.listdir(folder))))
    original = path.read_bytes()
    try:
        path.write_bytes(data.draw(damaged(original)))
        task, line = loaded(folder / "task.yaml")
    finally:
        path.write_bytes(original)
    assert "\n" not in line
    if task is None or task.data is None:
        assert line
        return
    assert task.data.edge_index.max() < task.data.num_nodes
    assert all(size > 0 for split in task.splits for size in split.sizes)


def loaded(path: Path) -> tuple[Task | None, str]:
    """The task, or the line that is told; any other error passes through and fails the test."""
    try:
        return load_task(str(path)), ""
    except UsageError as error:
        return None, str(error)


QUICK = {"deadline": None, "derandomize": True, "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]}


@settings(max_examples=FEW, **QUICK)  # type: ignore[arg-type]
@given(data=st.data())
def test_damaged_files_give_only_our_errors(folder: Path, data: st.DataObject) -> None:
    check(folder, data)


@pytest.mark.prove
@pytest.mark.timeout(3600)
@settings(max_examples=MANY, **QUICK)  # type: ignore[arg-type]
@given(data=st.data())
def test_many_damaged_files_give_only_our_errors(folder: Path, data: st.DataObject) -> None:
    check(folder, data)
