"""The winner's folder: it runs where AgentNAS is not, and gives the stored score."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agentnas.agents.selection import median_seed
from agentnas.agents.statistics import mean_and_sd
from agentnas.run import Run
from agentnas.spec_file import read_spec
from agentnas.tools.errors import RunError, SpecError, UsageError
from agentnas.tools.evaluate.base import CONFIRM
from agentnas.tools.spec.canonical import spec_hash
from agentnas.winner import reproduced

FILES = ["README.md", "data.pt", "example.py", "figures.json", "model.py", "spec.json", "weights.pt"]
# An import of the package fails, as on a machine that does not have it.
ALONE = "import sys, runpy; sys.modules['agentnas'] = None; sys.path.insert(0, '.'); runpy.run_path('model.py', run_name='__main__')"


@pytest.fixture(scope="module")
def figures(live_run: Run) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((live_run.path / "winner" / "figures.json").read_text(encoding="utf-8"))
    return loaded


def test_the_folder_holds_what_the_journal_says(live_run: Run) -> None:
    assert sorted(path.name for path in (live_run.path / "winner").iterdir()) == FILES
    assert live_run.view.exported is not None
    assert list(live_run.view.exported.files) == [f"winner/{name}" for name in FILES]
    assert not [path for path in live_run.path.iterdir() if path.name.startswith(".winner")]


def test_the_model_prints_the_stored_test_score_without_agentnas(live_run: Run, figures: dict[str, Any], tmp_path: Path) -> None:
    folder = tmp_path / "moved"
    shutil.copytree(live_run.path / "winner", folder)
    done = subprocess.run([sys.executable, "-I", "-c", ALONE], cwd=folder, capture_output=True, text=True, check=True)
    printed = float(re.findall(r"\d+\.\d+", done.stdout)[-1])
    assert printed == pytest.approx(figures["shipped_test"], abs=1e-6)
    assert "agentnas" not in (folder / "model.py").read_text(encoding="utf-8").split('"""', 2)[2]


def test_the_model_is_a_program(live_run: Run, figures: dict[str, Any], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-I", live_run.path / "winner" / "model.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert float(re.findall(r"\d+\.\d+", done.stdout)[-1]) == pytest.approx(figures["shipped_test"], abs=1e-6)


def test_the_figures_are_the_journals(live_run: Run, figures: dict[str, Any]) -> None:
    view, winner = live_run.view, str(live_run.winner)
    validation = {e.seed: e.val for e in view.evaluations(winner, CONFIRM)}
    assert figures["shipped_seed"] == median_seed(validation)
    assert figures["shipped_validation"] == validation[figures["shipped_seed"]]
    assert view.test is not None
    assert figures["test"]["by_seed"] == view.test.scores[winner]
    assert figures["test"]["mean"] == pytest.approx(mean_and_sd(live_run.test_scores[winner])[0])
    assert (figures["task"], figures["trial"], figures["metric"]) == ("digits", winner, "accuracy")


def test_the_spec_file_is_the_winner(live_run: Run) -> None:
    spec = read_spec(live_run.path / "winner" / "spec.json")
    assert spec_hash(spec) == live_run.view.proposals[str(live_run.winner)].spec_hash


def test_the_export_was_run_before_it_was_shipped(figures: dict[str, Any]) -> None:
    assert figures["reproduced_test"] == pytest.approx(figures["shipped_test"], abs=1e-6)


def test_the_example_predicts_with_torch_alone(live_run: Run) -> None:
    command = [sys.executable, "-I", "-B", "-c", ALONE.replace("model.py", "example.py")]
    done = subprocess.run(command, cwd=live_run.path / "winner", capture_output=True, text=True, check=True)
    assert len(re.findall(r"^node \d+: class \d with probability [01]\.\d\d, labelled \d$", done.stdout, re.MULTILINE)) == 5


def test_a_model_that_does_not_run_is_not_shipped(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text("raise SystemExit('no weights')", encoding="utf-8")
    with pytest.raises(RunError, match="does not run: no weights"):
        reproduced(tmp_path)


def test_a_winner_of_a_table_is_its_spec_and_how_to_train_it(table_run: Run) -> None:
    folder = table_run.path / "winner"
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "spec.json"]
    assert "agentnas train spec.json --task cora" in (folder / "README.md").read_text(encoding="utf-8")
    assert json.loads((folder / "spec.json").read_text(encoding="utf-8"))["language"] == 1


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        (None, UsageError, "cannot be read: No such file"),
        (b"\xff\xfe\x00", UsageError, "not UTF-8"),
        (b"{", SpecError, "JSON"),
        (b"[]", SpecError, ""),
        (b'{"body": {"nodes": [{"id": "a", "op": "gnc"}], "outputs": ["a"]}}', SpecError, "gnc"),
        (b'{"recipe": {"learning_rate": -1}}', SpecError, "learning_rate"),
    ],
)
def test_a_bad_spec_file_is_one_line_with_its_name(tmp_path: Path, content: bytes | None, error: type[UsageError], words: str) -> None:
    path = tmp_path / "spec.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(error) as caught:
        read_spec(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_is_no_spec_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: Is a directory"):
        read_spec(tmp_path)
