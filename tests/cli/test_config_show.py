"""``agentnas config show``."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentnas.config import FIELDS
from tests.cli.conftest import Run


def test_every_setting_with_its_source(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "agentnas.toml").write_text("time = '90m'\n", encoding="utf-8")
    monkeypatch.setenv("AGENTNAS_SEED", "7")
    lines = [line.split() for line in run("config", "show").out.splitlines()]
    assert [line[0] for line in lines] == ["setting", *FIELDS]
    assert ["time", "1h30m", str(tmp_path / "agentnas.toml")] in lines
    assert ["seed", "7", "AGENTNAS_SEED"] in lines
    assert ["trials", "none", "default"] in lines


def test_json(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTNAS_SEED", "7")
    shown = run("config", "show", "--json").data
    assert list(shown) == list(FIELDS)
    assert shown["seed"] == {"value": 7, "origin": "AGENTNAS_SEED"}
    assert shown["time"] == {"value": 600.0, "origin": "default"}


def test_a_wrong_file_is_one_line_and_4(run: Run, tmp_path: Path) -> None:
    (tmp_path / "agentnas.toml").write_text("sead = 1\n", encoding="utf-8")
    assert run("config", "show") == (4, "", f"agentnas: error: {tmp_path}/agentnas.toml: unknown key 'sead'; did you mean seed?\n")
