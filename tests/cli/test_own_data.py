"""A task file wherever a task's name goes: looked at, designed for, resumed, trained on, in a batch."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.tools.own.making import MODULE, people, write

QUICK = ("--trials", "3", "--confirm-seeds", "1", "--workers", "1", "--without-baselines")


@pytest.fixture
def task(tmp_path: Path) -> Path:
    """A folder of people's own data."""
    return write(tmp_path / "club", people())


def design(task: Path, *words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """``agentnas design`` with short anchors, in a process of its own."""
    return agentnas("design", "--task", str(task), "--runs-dir", str(folder), *words)


def agentnas(*words: str, program: tuple[str, ...] = ("-m", "tests.quick")) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *program, *words]
    around = os.environ | {"AGENTNAS_MEMORY_DIR": "none", "OMP_NUM_THREADS": "1"}
    root = Path(__file__).resolve().parents[2]
    return subprocess.run(command, cwd=root, env=around, capture_output=True, text=True, check=False)


def test_a_task_file_is_shown_and_checked(run: Run, task: Path) -> None:
    shown = run("tasks", "show", task)
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.startswith("task: club, node classification, accuracy, split of the data, column part")
    assert shown.out.endswith(f"data: {task}\n")
    assert run("tasks", "check", task, "--json").code == 0


def test_a_relative_path_is_found_from_where_the_command_is_given(run: Run, task: Path, tmp_path: Path) -> None:
    assert json.loads(run("tasks", "show", "club/task.yaml", "--json").out)["data"] == str(tmp_path / "club" / "task.yaml")


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("missing.yaml", "missing.yaml: no such file; give a task file, see docs/own-data.md"),
        ("people.csv", "task 'people.csv' does not exist; "),
        ("club", "and it is a folder: give club/task.yaml"),
        ("empty", "and it is a folder: agentnas tasks init empty writes a task file"),
        ("folder.yaml", "folder.yaml: a folder; give a task file, see docs/own-data.md"),
    ],
)
def test_a_file_that_is_none_is_one_line(run: Run, task: Path, tmp_path: Path, name: str, line: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "folder.yaml").mkdir()
    printed = run("tasks", "show", name)
    assert (printed.code, printed.out, printed.err.count("\n")) == (2, "", 1)
    assert line in printed.err


def test_code_is_called_where_a_flag_or_the_persons_settings_allow_it_and_not_where_a_folder_does(run: Run, tmp_path: Path) -> None:
    path = write(tmp_path, {"own_cli_module.py": MODULE, "task.yaml": "source: python:own_cli_module:load\nnodes: {label: club}\n"})
    assert "--allow-code" in run("tasks", "show", path).err
    assert run("tasks", "show", path, "--allow-code").code == 0
    (tmp_path / "agentnas.toml").write_text("allow_code = true\n")
    printed = run("tasks", "show", path)
    assert printed.code == 4
    assert "allow_code has no place in a project's file" in printed.err


def test_a_batch_file_may_name_a_task_file_beside_it_and_may_not_allow_code(run: Run, task: Path, tmp_path: Path) -> None:
    (tmp_path / "night.yaml").write_text("jobs:\n- {task: club/task.yaml, trials: 2}\n")
    printed = run("batch", "check", "night.yaml")
    assert printed.code == 0, printed.err
    assert "club" in printed.out
    (tmp_path / "night.yaml").write_text("jobs:\n- {task: club/task.yaml, allow_code: true}\n")
    assert "a file cannot allow itself to run code" in run("batch", "check", "night.yaml").err


def test_a_run_on_own_data_ships_resumes_and_refuses_other_data(run: Run, task: Path, tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    made = design(task, *QUICK, folder=folder)
    assert made.returncode == 0, made.stderr
    (path,) = folder.iterdir()
    assert json.loads((path / "config.json").read_text())["task"] == str(task)
    assert "-club-" in path.name
    spec = path / "winner" / "spec.json"
    trained = run("train", spec, "--epochs", "2", "--device", "cpu")
    assert trained.out.startswith("club, split of the data, column part"), trained.err
    assert run("profile", spec, "--device", "cpu").out.startswith("club, ")
    report = (path / "report.md").read_text()
    assert "club" in report
    predicted = run("predict", path.name, "--runs-dir", folder, "--nodes", "p003,p010").out.splitlines()
    assert [line.split(",")[0] for line in predicted] == ["node", "p003", "p010"]
    assert {line.split(",")[1] for line in predicted[1:]} <= {"a", "b"}
    other = write(tmp_path / "other", people() | {"people.csv": people()["people.csv"].replace("Lima", "Rome")})
    unlike = run("predict", path.name, "--runs-dir", folder, "--data", other)
    assert unlike.code == 0
    assert "1 feature is ('city=Lima') missing in the new data, taken as 0" in unlike.err
    assert "1 feature is ('city=Rome') unknown to the model, left out" in unlike.err
    rows = [line.rsplit(",", 2)[0] for line in people()["people.csv"].splitlines()]
    bare = write(tmp_path / "bare", people() | {"people.csv": "\n".join(rows) + "\n"})
    unlabelled = run("predict", path.name, "--runs-dir", folder, "--data", bare).out.splitlines()
    assert unlabelled[1:] == run("predict", path.name, "--runs-dir", folder).out.splitlines()[1:]
    # A run that is not finished goes on only where data, splits and metric are those that it began with.
    task.write_text(task.read_text() + "metric: macro_f1\n")
    refused = run("predict", path.name, "--runs-dir", folder)
    assert refused.code == 1
    assert "was made on other data" in refused.err


def test_a_run_on_code_goes_on_by_the_command_that_it_prints_and_predicts_where_code_is_allowed(run: Run, tmp_path: Path) -> None:
    path = write(tmp_path / "py", {"own_made.py": MODULE, "task.yaml": "source: python:own_made:load\nnodes: {label: club}\n"})
    folder = tmp_path / "runs"
    stopped = design(path, "--allow-code", *QUICK, "--time", "0.1s", folder=folder)
    assert stopped.returncode == 5, stopped.stderr
    last = next(line for line in stopped.stderr.splitlines() if line.startswith("to go on: "))
    assert last.endswith(" --allow-code")
    made = agentnas(*shlex.split(last)[4:], "--time", "5m")
    assert made.returncode == 0, made.stderr
    (name,) = (found.name for found in folder.iterdir())
    for words in (("predict", name), ("predict", name, "--data", path)):
        refused = run(*words, "--runs-dir", folder)
        assert (refused.code, "--allow-code" in refused.err) == (2, True)
        assert run(*words, "--runs-dir", folder, "--allow-code").out.count("\n") == 35
    assert run("export", name, "--runs-dir", folder, "--out", tmp_path / "made", "--to", "state", "--allow-code").code == 0


CELLS_OF_MOMENTS = """
import sys
from dataclasses import replace
from agentnas.cli import main
from agentnas.tools.spec import cells
cells.SETTINGS["cora"] = replace(cells.SETTINGS["cora"], epochs=8)
sys.exit(main())
"""


def test_cells_of_the_benchmark_are_searched_by_training_them(run: Run, task: Path, tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    words = ("design", "--task", str(task), "--space", "nasbench", "--runs-dir", str(folder), *QUICK[2:], "--trials", "6", "--json")
    made = agentnas(*words, program=("-c", CELLS_OF_MOMENTS))
    assert made.returncode == 0, made.stderr
    told = json.loads(made.stdout)
    assert told["outcome"] == "designed"
    assert told["trials"] == 6, "five anchors, and a cell that was found"
    (name,) = (found.name for found in folder.iterdir())
    assert "t0006 from" in made.stderr
    assert run("predict", name, "--runs-dir", folder).out.count("\n") == 61
