"""``agentnas doctor``."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentnas.cli.doctor import examine
from agentnas.config import Config
from agentnas.memory.cards import shipped_cards
from agentnas.memory.store import Store
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


def test_the_memory_is_opened_and_counted(run: Run, tmp_path: Path) -> None:
    place = tmp_path / "memory"
    assert memory_line(run, place).startswith(
        f"     memory                         nothing yet in {place}; embedder lexical-1; the first run makes it"
    )
    assert not place.exists()
    Store(str(place)).close()
    before = (place / "memory.json").read_bytes()
    assert memory_line(run, place).endswith(
        f"{place}; embedder lexical-1; 0 trials, 0 findings, {len(shipped_cards())} papers, 0 tasks, 0 runs"
    )
    assert (place / "memory.json").read_bytes() == before
    assert memory_line(run, "none").endswith("off (memory_dir is none)")


def test_a_memory_that_cannot_be_read_fails(run: Run, tmp_path: Path) -> None:
    place = tmp_path / "memory"
    Store(str(place)).close()
    (place / "memory.json").write_text("{", encoding="utf-8")
    assert "agentnas memory reindex" in memory_line(run, place)
    (place / "memory.json").write_text('{"schema_version": 99, "embedder": "lexical-1", "generation": 1}', encoding="utf-8")
    assert memory_line(run, place).startswith("FAIL memory")
    assert memory_line(run, "http://127.0.0.1:9").startswith("FAIL memory")


def memory_line(run: Run, place: Path | str) -> str:
    (line,) = [line for line in run("doctor", "--memory-dir", place).out.splitlines() if line[5:].startswith("memory ")]
    return line
