"""``agentnas train`` and ``agentnas profile``: no number without the task that it is of."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from agentnas import run as runs
from agentnas.cli.train import _line
from agentnas.tools.evaluate.base import PLANNED
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


def test_train_takes_the_winners_spec(run: Run, live_run: runs.Run) -> None:
    spec = spec_of(live_run)
    printed = run("train", spec, "--task", "digits", "--seeds", "2", "--epochs", "2", "--test", "--json")
    assert printed.code == 0
    assert [seed["seed"] for seed in printed.data["seeds"]] == [0, 1]
    assert printed.data["test"]["seeds"] == printed.data["validation"]["seeds"] == 2
    assert printed.data["failed"] == 0


def test_a_seed_that_the_time_limit_ended_says_so() -> None:
    done = {"seed": 0, "state": "done", "told": "70.00", "best_epoch": 3, "epochs": 5, "seconds": 60.0, "details": {}}
    assert _line(done) == "seed 0: validation 70.00 at epoch 3 of 5, 60.0 s"
    cut = {**done, "details": {PLANNED: 200}}
    assert _line(cut) == "seed 0: validation 70.00 at epoch 3 of 5 (200 planned: the time limit ended it), 60.0 s"


def test_profile_takes_the_winners_spec(run: Run, live_run: runs.Run) -> None:
    profile = run("profile", spec_of(live_run), "--task", "digits", "--json").data
    assert profile["parameters"] == live_run.view.profiles[str(live_run.winner)]["parameters"]
    assert profile["latency_ms_p50"] > 0


@pytest.mark.parametrize("command", ["train", "profile"])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"\xff\xfe\x00", "not UTF-8 text"),
        (b"{", "JSON"),
        (b'{"body": {"nodes": [{"id": "a", "op": "gnc"}], "outputs": ["a"]}}', "gnc"),
    ],
)
def test_a_bad_spec_file_is_one_line_and_2(run: Run, tmp_path: Path, command: str, content: bytes | None, words: str) -> None:
    path = tmp_path / "spec.json"
    if content is not None:
        path.write_bytes(content)
    printed = run(command, path, "--task", "digits")
    assert (printed.code, printed.out) == (2, "")
    assert printed.err.count("\n") == 1
    assert printed.err.startswith("agentnas: error: ")
    assert f"{path}: " in printed.err
    assert words in printed.err


def test_training_on_a_table_is_refused_in_one_line(run: Run, live_run: runs.Run) -> None:
    printed = run("train", spec_of(live_run), "--task", "nasbench:cora")
    assert (printed.code, printed.out) == (2, "")
    assert printed.err.count("\n") == 1
    assert printed.err.startswith("agentnas: error: ")
