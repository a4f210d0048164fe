"""A command line that runs in this process, and what it printed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from agentnas.cli import main, output


class Printed(NamedTuple):
    """Exit code, data and talk of one command."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """What ``--json`` printed."""
        return json.loads(self.out)


Run = Callable[..., Printed]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """``run("tasks", "list")`` in an empty folder, without a configuration of anybody's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(output, "PATIENCE_S", 600.0)  # what is printed must not hang on how busy the machine is

    def _run(*words: str | Path) -> Printed:
        code = main([str(word) for word in words])
        return Printed(code, *capsys.readouterr())

    return _run
