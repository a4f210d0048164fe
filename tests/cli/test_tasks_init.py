"""``agentnas tasks init``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pexpect
import pytest

from tests.cli.conftest import Run
from tests.newcomers import fraud, social


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with two tables, in the folder that commands run in."""
    fraud(tmp_path / "fraud")
    return tmp_path / "fraud"


def test_init_shows_what_it_guessed_writes_it_checks_it_and_says_how_to_go_on(run: Run, data: Path) -> None:
    printed = run("tasks", "init", "fraud")
    assert printed.code == 0
    lines = printed.out.splitlines()
    assert lines[0].split() == ["file", "rows", "columns"]
    assert "nodes label     is_fraud" in printed.out
    assert "not sure\n  payer and payee say that edges have a direction; it is not used\n    → --directed\n" in printed.out
    assert "warning  too-good-feature  'blocked' alone tells" in printed.out
    assert printed.err.splitlines() == [
        "wrote fraud/task.yaml",
        "fraud/task.yaml: 10 random splits, 60/20/20 %, 360/120/120: no errors, 1 warning, no notes",
        "next: agentnas design --task fraud/task.yaml --time 10m",
    ]
    text = (data / "task.yaml").read_text(encoding="utf-8")
    assert "  label: is_fraud                     # its name says so; 2 values: 0 in" in text
    assert "# agentnas tasks check fraud/task.yaml\n" in text
    assert run("tasks", "check", "fraud/task.yaml").err.startswith("fraud/task.yaml, 10 random splits")


def test_a_task_file_is_not_written_over(run: Run, data: Path) -> None:
    (data / "task.yaml").write_text("mine", encoding="utf-8")
    printed = run("tasks", "init", "fraud")
    assert (printed.code, printed.out) == (2, "")
    assert printed.err == "agentnas: error: fraud/task.yaml exists; --force writes over it, --out writes elsewhere\n"
    assert run("tasks", "init", "fraud", "--out", "fraud/second.yaml").code == 0
    assert (data / "task.yaml").read_text(encoding="utf-8") == "mine"
    assert run("tasks", "init", "fraud", "--force").code == 0
    assert "label: is_fraud" in (data / "task.yaml").read_text(encoding="utf-8")


def test_options_correct_a_guess(run: Run, data: Path) -> None:
    printed = run(
        "tasks", "init", "fraud", "--label", "plan", "--metric", "macro_f1", "--split", "folds", "--ignore", "blocked", "--json"
    ).data
    assert printed["task"]["nodes"]["label"] == "plan"
    assert (printed["task"]["metric"], printed["task"]["split"]) == ("macro_f1", {"kind": "folds"})
    assert printed["protocol"].startswith("10 stratified folds")
    assert printed["wrote"] == "fraud/task.yaml"
    assert {problem["severity"] for problem in printed["problems"]} <= {"warning", "note"}


def test_an_error_of_the_check_ends_with_1_and_the_file_is_there(run: Run, data: Path) -> None:
    accounts = (data / "accounts.csv").read_text(encoding="utf-8").splitlines()
    lines = [accounts[0] + ",verdict", *(f"{line},{'guilty' if line.endswith(',1') else 'free'}" for line in accounts[1:])]
    (data / "accounts.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    printed = run("tasks", "init", "fraud")
    assert printed.code == 1
    assert "error    label-in-features  'verdict=" in printed.out
    assert printed.err.splitlines()[-1].startswith("agentnas: error: fraud/task.yaml loads, but its scores would be wrong")
    assert run("tasks", "init", "fraud", "--ignore", "verdict", "--ignore", "blocked", "--force").code == 0


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("nothing.csv",), "nothing.csv: no such file or folder; beside it: fraud, members.graphml"),
        (("fraud", "--out", "task.txt"), "--out task.txt: a task file ends in .yaml or .yml"),
        (("fraud", "--out", "far/task.yaml"), "--out far/task.yaml: far is no folder"),
        (("members.graphml", "fraud/accounts.csv"), "members.graphml holds a graph of its own; name it alone, without accounts.csv"),
        (("fraud/accounts.csv",), "accounts.csv seems to hold one thing a row and no edges between them"),
        (("fraud", "--metric", "rmse"), "--metric rmse does not fit classes; allowed: accuracy, macro_f1, roc_auc, ap"),
    ],
)
def test_bad_input_is_one_line_and_2_and_nothing_is_written(run: Run, data: Path, words: tuple[str, ...], line: str) -> None:
    social(data.parent)
    printed = run("tasks", "init", *words)
    assert (printed.code, printed.out) == (2, "")
    assert printed.err.startswith(f"agentnas: error: {line}")
    assert printed.err.count("\n") == 1
    assert list(data.parent.rglob("*.yaml")) == []


def test_a_terminal_is_asked_what_the_files_do_not_settle(data: Path) -> None:
    accounts = (data / "accounts.csv").read_text(encoding="utf-8").replace("is_fraud", "label").replace("blocked", "is_churned")
    (data / "accounts.csv").write_text(accounts, encoding="utf-8")
    around = os.environ | {"COLUMNS": "100", "NO_COLOR": "1"}
    words = ["-m", "agentnas.cli", "tasks", "init", "fraud"]
    child = pexpect.spawn(sys.executable, words, cwd=str(data.parent), env=around, encoding="utf-8", timeout=100, dimensions=(50, 100))
    child.expect(r"is_churned is taken; it could also be label \(2 values")
    child.expect(r"1  is_churned\s+2  label")
    child.expect(r"Which \[1\]: ")
    child.sendline("3")
    child.expect("allowed: 1 to 2")
    child.sendline("2")
    child.expect("next: agentnas design --task fraud/task.yaml")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    assert "label: label " in (data / "task.yaml").read_text(encoding="utf-8")
