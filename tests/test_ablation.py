"""What each choice of a winner is worth: paired with its confirmation, kept as it comes, told in the report; the test stays as it was."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from unittest.mock import MagicMock

import pytest

from agentnas import api
from agentnas.ablation import FILE, Row, _Kept, ablate, rows
from agentnas.cli import main
from agentnas.memory.rundir import RunDirectory
from agentnas.report import render_report
from agentnas.run import Run
from agentnas.tools.errors import RunError, UsageError
from agentnas.tools.evaluate.base import CONFIRM, PLANNED
from agentnas.tools.spec.ablations import ablations
from agentnas.tools.tasks import load_task
from agentnas.tools.workers import JobResult
from tests.shipping.kinds import run_of


@pytest.fixture(scope="module")
def measured(live_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A copy of a finished run, with two choices of its winner taken back."""
    path = tmp_path_factory.mktemp("ablation") / live_run.name
    shutil.copytree(live_run.path, path)
    run = Run(RunDirectory.open(path))
    ablate(run, seeds=2, most=2, workers=2)
    return run


def test_the_winner_is_compared_with_itself_on_the_same_seeds(measured: Run) -> None:
    found = rows(measured)
    assert found is not None
    own = {e.seed: e.val for e in measured.view.evaluations(str(measured.winner), CONFIRM)}
    for row in found:
        assert row.gap is not None
        assert set(row.scores) == set(sorted(own)[:2])
        assert row.gap["difference"] == pytest.approx(sum(own[seed] - score for seed, score in row.scores.items()) / 2)
    assert [row.gap["difference"] for row in found if row.gap] == sorted((r.gap["difference"] for r in found if r.gap), reverse=True)


def test_what_is_known_is_not_trained_again(measured: Run) -> None:
    before = (measured.path / FILE).read_bytes()
    told: list[str] = []
    ablate(measured, seeds=2, most=2, tell=told.append, on_training=told.append)
    assert told == [f"what each choice of {measured.winner} is worth: 0 trainings, about 1s, 4 known already"]
    assert (measured.path / FILE).read_bytes() == before


def test_what_the_time_limit_ended_is_told_with_what_it_shows(measured: Run, tmp_path: Path) -> None:
    path = tmp_path / measured.name
    shutil.copytree(measured.path, path)
    run = Run(RunDirectory.open(path))
    variant, seeds = ablations(run.best)[0], sorted(e.seed for e in run.view.evaluations(str(run.winner), CONFIRM))[:2]
    _Kept(run, ablations(run.best)[:2], seeds).note(variant, seeds[1], JobResult("0", "done", val=80.0, details={PLANNED: 200}))
    _Kept(run, ablations(run.best)[:2], seeds).write()  # what an earlier call knew is kept
    told = {row.change: row for row in rows(Run(RunDirectory.open(path))) or ()}
    assert told[variant.change].cut == (seeds[1],)
    ended = "; 1 of 2 trainings ended at the time limit"
    assert [change for change, row in told.items() if row.verdict.endswith(ended)] == [variant.change]


def test_report_and_page_tell_it_and_the_test_stays_opened_once(measured: Run) -> None:
    report, page = render_report(measured), measured.page()
    assert "## What each choice is worth" in report
    assert "What each choice is worth" in page
    assert all(row.change in report for row in rows(measured) or ())
    assert sum(event.type == "test_opened" for event in measured.events) == 1


def test_a_report_without_it_has_no_such_section(live_run: Run) -> None:
    assert rows(live_run) is None
    assert "What each choice is worth" not in render_report(live_run)


def test_a_file_of_another_winner_is_not_believed(measured: Run, tmp_path: Path) -> None:
    path = tmp_path / measured.name
    shutil.copytree(measured.path, path)
    stored = json.loads((path / FILE).read_text())
    (path / FILE).write_text(json.dumps({**stored, "trial": "t9999"}))
    assert rows(Run(RunDirectory.open(path))) is None


def test_a_function_of_the_task_is_called_only_where_the_persons_settings_allow_it(
    measured: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, file = tmp_path / measured.name, tmp_path / "task.yaml"
    shutil.copytree(measured.path, path)
    (tmp_path / "called_again.py").write_text("import networkx as nx\n\ndef load():\n    return nx.karate_club_graph()\n")
    file.write_text("source: python:called_again:load\nnodes: {label: club}\n")
    now = {"task": str(file), "data_fingerprint": load_task(str(file), allow_code=True).fingerprint}
    (path / "config.json").write_text(json.dumps(json.loads((path / "config.json").read_text()) | now))
    run, told = Run(RunDirectory.open(path)), list[str]()
    with pytest.raises(UsageError, match="--allow-code"):
        ablate(run, seeds=2, most=2)
    monkeypatch.setenv("AGENTNAS_ALLOW_CODE", "true")
    ablate(run, seeds=2, most=2, tell=told.append)
    assert told == [f"what each choice of {run.winner} is worth: 0 trainings, about 1s, 4 known already"]


def test_what_an_error_gains_is_told_and_drawn_in_the_unit_of_the_target(tmp_path: Path) -> None:
    run, told = run_of(tmp_path, "node", "value"), list[str]()
    (row,) = ablate(run, seeds=2, most=1, workers=1, on_training=told.append)
    unit = run.view.scale.unit
    assert row.gap is not None
    assert [line.rpartition(": ")[2] for line in told] == [f"RMSE {unit * (1 - score / 100):.2f}" for score in row.scores.values()]
    assert "RMSE of validation added without it" in run.page()
    assert f"{row.change}: {row.gap['difference'] * unit / 100:+.2f} ± " in run.page()


def test_verdicts() -> None:
    def verdict(difference: float, inside: bool, se: float | None = 0.1, seeds: int = 5) -> str:
        return Row("f", "c", {0: 1.0}, {"difference": difference, "se": se, "inside_noise": inside, "seeds": seeds}).verdict

    assert verdict(2.0, False) == "worth it"
    assert verdict(-2.0, False) == "better without"
    assert verdict(2.0, True) == "inside the noise"
    assert verdict(2.0, False, 0.0, seeds=2) == "2 pairs are too few to tell"
    assert verdict(2.0, True, None) == "one seed, noise unknown"
    assert Row("f", "c", {}, None, "diverged: loss").verdict == "could not be trained: diverged: loss"


def test_tables_and_unfinished_runs_are_told_so(table_run: Run, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nothing to compare with|is a table"):
        ablate(table_run)
    begun = RunDirectory.create(tmp_path, "digits")
    with begun.journal():
        pass
    with pytest.raises(RunError, match="has no winner yet; resume it first"):
        ablate(Run(begun))


def test_the_command_answers_with_a_table_and_refuses_in_one_line(measured: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ablate", str(measured.path), "--seeds", "2", "--most", "2"]) == 0
    said = capsys.readouterr()
    assert said.out.split()[:3] == ["without", "validation", "winner"]
    assert "known already" in said.err
    assert main(["ablate", "no-such-run"]) != 0
    assert capsys.readouterr().err.count("\n") == 1


def test_a_run_that_has_ended_well_stays_so_where_its_choices_cannot_be_measured(measured: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise RunError("the winner makes no choice that could be taken back")

    house, told = MagicMock(), list[str]()
    house.journal.append.side_effect = lambda event: told.append(event.message)
    monkeypatch.setattr("agentnas.ablation.ablate", refused)
    api._ablate(house, measured, MagicMock())
    assert told == ["what each choice is worth could not be measured: the winner makes no choice that could be taken back"]
    house.report.assert_called_once_with()
