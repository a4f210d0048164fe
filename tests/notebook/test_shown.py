"""A run in a notebook: what is shown, the table of its trials, progress, and the kernel's interrupt."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

import agentnas
from agentnas.memory.rundir import RunDirectory
from agentnas.notebook.live import in_notebook
from agentnas.run import Run
from agentnas.tools.errors import ConfigError, UsageError
from tests.notebooks import ROOT, execute, read

EXAMPLE = ROOT / "docs" / "example.ipynb"


def test_a_run_shows_its_answer_first(live_run: Run) -> None:
    html = live_run._repr_html_()
    summary = live_run.summary()
    score = f"{summary['test']['mean']:.2f} ± {summary['test']['sd']:.2f}"
    order = [html.index(part) for part in ("Best design: ", score, "<li>", "<svg", "<table", live_run.name + " ·")]
    assert order == sorted(order)
    assert f"{live_run.winner} (winner)" in html
    assert set(re.findall(r"<(\w+)", html)) & {"script", "link", "img", "iframe"} == set()
    assert "http" not in html


def test_drawings_of_two_runs_do_not_share_an_arrow(live_run: Run, table_run: Run) -> None:
    arrows = [set(re.findall(r'id="(arrow[^"]*)"', run._repr_html_())) for run in (live_run, table_run)]
    assert all(len(found) == 1 for found in arrows)
    assert arrows[0] != arrows[1]
    assert all(f"url(#{arrow})" in run._repr_html_() for run, (arrow,) in zip((live_run, table_run), arrows, strict=True))


def test_text_of_a_run_is_shown_and_not_run(table_run: Run, tmp_path: Path) -> None:
    import shutil

    copy = Path(shutil.copytree(table_run.path, tmp_path / table_run.name))
    text = (copy / "events.jsonl").read_text(encoding="utf-8").replace('"coder/evolution"', '"<script>alert(1)</script>"')
    (copy / "events.jsonl").write_text(text.replace("nasbench:cora", "<img src=x onerror=alert(1)>"), encoding="utf-8")
    run = Run(RunDirectory.open(copy))
    for html in (run._repr_html_(), run.trials._repr_html_()):
        assert "<script" not in html
        assert "<img" not in html
    assert "&lt;img src=x" in run._repr_html_()


def test_runs_without_an_answer_are_shown_too(tmp_path: Path, table_run: Run) -> None:
    empty = Run(RunDirectory.create(tmp_path, "cora"))
    assert "nothing has happened yet" in empty._repr_html_()
    half = RunDirectory.create(tmp_path, "cora")
    lines = (table_run.path / "events.jsonl").read_text(encoding="utf-8").splitlines()
    (half.path / "events.jsonl").write_text("\n".join(lines[:3]) + "\n", encoding="utf-8")
    assert "No design yet: no trial has finished yet" in Run(half)._repr_html_()
    last = next(i for i, line in enumerate(lines) if '"winner_chosen"' in line)
    (half.path / "events.jsonl").write_text("\n".join(lines[:last]) + "\n", encoding="utf-8")
    shown = Run(half)._repr_html_()
    assert "Best so far: " in shown
    assert "The test is still sealed." in shown


def test_trials_are_a_sequence_and_a_table(live_run: Run) -> None:
    trials, view = live_run.trials, live_run.view
    assert [row.trial for row in trials] == list(view.proposals)
    assert trials[0] is trials["t0001"]
    assert [row.trial for row in trials[-2:]] == list(view.proposals)[-2:]
    assert repr(trials).startswith(f"<{len(view.proposals)} trials: t0001, ")
    with pytest.raises(UsageError, match="there is no trial 't001'; did you mean"):
        trials["t001"]
    table = trials.to_pandas()
    assert list(table.index) == list(view.proposals)
    best = view.best
    assert best is not None
    assert table["rank"].idxmin() == best.trial
    assert table.loc[best.trial, "validation"] == pytest.approx(best.val_mean)
    assert table.loc[best.trial, "parameters"] == view.profiles[best.trial]["parameters"]
    assert [row.rank for row in trials.best_first() if row.rank] == list(range(1, view.num_ranked + 1))


def test_a_table_of_a_run_without_trials_has_its_columns(tmp_path: Path) -> None:
    table = Run(RunDirectory.create(tmp_path, "cora")).trials.to_pandas()
    assert (len(table), "validation" in table.columns) == (0, True)


def test_without_pandas_it_is_said_in_one_line(live_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ConfigError, match=r"to_pandas\(\) needs pandas; install it with pip install 'agentnas\[notebook\]'"):
        live_run.trials.to_pandas()


def test_outside_of_a_notebook_nothing_is_shown_unless_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert not in_notebook()
    agentnas.design("nasbench:cora", trials=3, runs_dir=tmp_path)
    assert capsys.readouterr() == ("", "")
    seen: list[str] = []
    agentnas.design("nasbench:cora", trials=3, runs_dir=tmp_path, progress=True, on_event=lambda event: seen.append(event.type))
    out, err = capsys.readouterr()
    assert out == ""
    assert "winner: " in err
    assert seen[-1] == "run_finished"


CELL = """
import agentnas
run = agentnas.design("nasbench:cora", trials=12, memory_dir="none"{more})
run
"""


def cell(folder: Path, source: str) -> Any:
    notebook = new_notebook(cells=[new_code_cell(source)])
    return execute(notebook, folder).cells[0].outputs


def test_progress_is_one_output_that_is_updated_in_place(tmp_path: Path) -> None:
    outputs = cell(tmp_path, CELL.format(more=""))
    assert [output.output_type for output in outputs] == ["display_data", "execute_result"]
    shown, answer = (output.data["text/html"] for output in outputs)
    assert re.search(r"run \S+: 12/12 trials · ", shown)
    assert "Best design: " in answer
    assert [o.output_type for o in cell(tmp_path, CELL.format(more=", progress=False"))] == ["execute_result"]


INTERRUPTED = """
import os, signal
import agentnas
def ask(event):
    if event.type == "evaluation_finished" and not asked:
        asked.append(event)
        os.kill(os.getpid(), signal.SIGINT)  # what the kernel's interrupt is
asked = []
run = agentnas.design("nasbench:cora", trials=400, memory_dir="none", on_event=ask)
print(run.exit_code, run.view.interrupted.reason, signal.getsignal(signal.SIGINT) is signal.default_int_handler)
"""


def test_an_interrupt_ends_the_run_in_good_order(tmp_path: Path) -> None:
    shown, printed = cell(tmp_path, INTERRUPTED)
    assert printed.text == "130 asked to stop True\n"
    assert "stopped; to go on: <code>agentnas.design(resume=&#39;" in shown.data["text/html"]


def test_the_example_shows_today_what_it_did_when_it_was_written(tmp_path: Path) -> None:
    """Scores move with the machine's arithmetic; what is shown, and in which form, must hold."""
    stored = read(EXAMPLE)
    before = [kinds(c) for c in stored.cells if c.cell_type == "code"]
    begun = time.monotonic()
    done = execute(nbformat.from_dict(stored), tmp_path)
    assert time.monotonic() - begun < 110
    assert [kinds(c) for c in done.cells if c.cell_type == "code"] == before
    answer = next(c for c in done.cells if c.source == "run").outputs[0].data["text/html"]
    assert "Best design: " in answer
    assert "<svg" in answer
    score = re.search(r"<b>(\d+\.\d+) ± \d+\.\d+</b><span>test accuracy", answer)
    assert score is not None
    assert float(score[1]) > 90
    assert done.cells[-1].outputs[-1].text == "True\n"
    assert (tmp_path / "model" / "MODEL_CARD.md").is_file()


def kinds(found: Any) -> list[tuple[str, list[str]]]:
    """Types of a cell's outputs, and the forms in which each is held."""
    return [(output.output_type, sorted(output.get("data", {}))) for output in found.outputs]


def test_the_stored_example_holds_its_outputs_and_no_path_of_a_machine() -> None:
    stored = read(EXAMPLE)
    assert all(c.outputs for c in stored.cells if c.cell_type == "code")
    assert not re.search(r"/(home|root|tmp|Users|work)/", EXAMPLE.read_text(encoding="utf-8"))
