"""A store that holds the shipped cards and nothing else, made once and copied."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from agentnas.memory.store import Store


@pytest.fixture(scope="session")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shipped") / "memory"
    Store(str(folder)).close()
    return folder


@pytest.fixture
def fresh(shipped: Path, tmp_path: Path) -> Path:
    """The folder of a store of the test's own."""
    return Path(shutil.copytree(shipped, tmp_path / "memory"))
