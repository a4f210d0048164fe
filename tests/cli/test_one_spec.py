"""``agentnas train`` and ``agentnas profile``: no number without the task that it is of."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from agentnas import run as runs
from tests.cli.conftest import Run


def spec_of(made: runs.Run) -> Path:
    return made.path / "winner" / "spec.json"


def test_a_winner_is_profiled_on_its_own_task(run: Run, live_run: runs.Run) -> None:
    lines = run("profile", spec_of(live_run), "--device", "cpu").out.splitlines()
    assert live_run.view.started is not None
    assert lines[0] == f"digits, {live_run.view.started.protocol}, on cpu"
    assert lines[1].split() == ["figure", "value"]


def test_a_winner_is_trained_on_its_own_task(run: Run, live_run: runs.Run) -> None:
    printed = run("train", spec_of(live_run), "--epochs", "2", "--device", "cpu")
    assert live_run.view.started is not None
    assert printed.out.splitlines()[0] == f"digits, {live_run.view.started.protocol}, accuracy, on cpu"
    assert printed.out.splitlines()[1].endswith("over 1 seed")


@pytest.mark.parametrize("command", ["train", "profile"])
@pytest.mark.parametrize(
    ("figures", "line"),
    [
        (None, "on which task? give --task: there is no figures.json of a winner beside "),
        ("{}", "figures.json names no task; give --task"),
        ("[", "figures.json names no task; give --task"),
        ('{"task": 3}', "figures.json names no task; give --task"),
    ],
)
def test_without_a_task_there_is_no_number(
    run: Run, live_run: runs.Run, tmp_path: Path, command: str, figures: str | None, line: str
) -> None:
    shutil.copyfile(spec_of(live_run), tmp_path / "spec.json")
    if figures is not None:
        (tmp_path / "figures.json").write_text(figures, encoding="utf-8")
    printed = run(command, tmp_path / "spec.json")
    assert (printed.code, printed.out) == (2, "")
    assert line in printed.err
    assert printed.err.count("\n") == 1
