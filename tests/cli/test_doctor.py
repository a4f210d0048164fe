"""``agentnas doctor``."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentnas.cli.doctor import examine
from agentnas.config import Config
from tests.cli.conftest import Run


def test_this_machine_is_well(run: Run) -> None:
    printed = run("doctor", "--json")
    assert printed.code == 0, printed.err
    checks = {check["name"]: check for check in printed.data}
    assert {"python", "torch", "import torch", "import torch_geometric", "device cpu", "runs directory", "disk"} <= checks.keys()
    assert [name for name, check in checks.items() if check["ok"] is False] == []
    assert checks["task digits"]["ok"] is True


def test_a_line_a_check(run: Run) -> None:
    lines = run("doctor").out.splitlines()
    assert lines[0].startswith("ok   python")


def test_it_leaves_nothing_behind(run: Run, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    run("doctor")
    assert sorted(tmp_path.rglob("*")) == before


def test_what_fails_is_named_and_4(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentnas.cli.doctor.LEAST_FREE_GIB", 1e9)
    printed = run("doctor")
    assert printed.code == 4
    assert printed.err.startswith("agentnas: error: 1 of ")
    assert printed.err.endswith(" checks failed: disk\n")
    assert any(line.startswith("FAIL disk") and "free some" in line for line in printed.out.splitlines())


def test_a_runs_directory_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    found = {check.name: check for check in examine(Config(runs_dir=tmp_path / "file" / "runs"))}
    assert found["runs directory"].ok is False


def test_a_package_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "importlib.metadata.requires", lambda _: ["torch>=2", "no-such-package>=1 ; python_version > '3'", "ruff ; extra == 'dev'"]
    )
    found = {check.name: check for check in examine(Config())}
    assert found["no-such-package"].ok is False
    assert found["no-such-package"].fix == "pip install no-such-package"
    assert "ruff" not in found
