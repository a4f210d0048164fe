"""Fixtures that every part of the tests uses."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder with the raw files of the public data sets: $AGENTNAS_DATA_DIR, else ``../shared/datasets``.

    A continuous-integration run without it fails, because it would test nothing; elsewhere the tests that need it are skipped.
    """
    named = os.environ.get("AGENTNAS_DATA_DIR", "")
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "datasets"
    if folder.is_dir():
        return folder.resolve()
    reason = f"needs the public data sets; {folder} does not exist, set AGENTNAS_DATA_DIR"
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(reason)
    pytest.skip(reason)
