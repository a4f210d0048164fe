"""Runs compared: one ranking a task and protocol, differences paired over common seeds, and all that is not the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agentnas.comparing import changes_from, difference, difference_text, groups_of, settings_that_differ
from agentnas.memory import events as ev
from agentnas.memory.rundir import RunDirectory
from agentnas.page.compare import comparison_markdown, render_comparison
from agentnas.page.plots import SERIES, Curve, curves
from agentnas.run import Run
from tests.agent_runs import finished, proposal
from tests.agents.making import spec_of_width
from tests.cli.conftest import Run as Command
from tests.page.making import journal, long_run
from tests.page.test_page import Document, assert_whole


def made(tmp_path: Path, width: int, val: float, tests: dict[str, float], **started: object) -> Run:
    """A run with one trial: a network of this width, its validation and its test scores by seed."""
    from agentnas.config import Config

    config = Config(task="cora").model_dump(mode="json") | {"trials": width}
    begin = ev.RunStarted.model_validate(
        {"task": "cora", "protocol": "public", "config": config, "environment": {"processor": f"chip {width}"}, "metric": "accuracy",
         "rungs": ("full",), "full": ("full",)} | started
    )  # fmt: skip
    trial = proposal("t0001", f"gcn{width}").model_copy(update={"spec": spec_of_width(width).model_dump(mode="json")})
    return journal(tmp_path, [
        begin, ev.ProposalsDrafted(round=0, proposals=(trial,)), finished("t0001", val),
        ev.WinnerChosen(trial="t0001", val_mean=val, val_sd=None, seeds=1, reason="best"),
        ev.TestOpened(scores={"t0001": tests}, comparison={}), ev.RunFinished(outcome="designed", exit_code=0),
    ])  # fmt: skip


@pytest.fixture
def three(tmp_path: Path) -> list[Run]:
    """Two runs on cora, the second better on validation and on three common seeds; one under another protocol."""
    return [
        made(tmp_path, 16, 80.0, {"0": 80.0, "1": 81.0, "2": 82.0}),
        made(tmp_path, 64, 82.0, {"0": 81.0, "1": 82.1, "2": 82.9, "3": 10.0}),
        made(tmp_path, 64, 99.0, {"0": 99.0}, protocol="random"),
    ]


def test_runs_of_another_protocol_are_never_in_one_ranking(three: list[Run]) -> None:
    document = Document(render_comparison(three))
    assert_whole(document)
    assert "Scores of one say nothing about those of another" in document.text
    assert [[run.name for run in group.runs] for group in groups_of(three)] == [[three[0].name, three[1].name], [three[2].name]]
    markdown = comparison_markdown(three)
    first, second = markdown.split("\n## ")[1:]
    assert three[2].name not in first
    assert three[0].name not in second
    assert "say nothing" not in comparison_markdown(three[:2])


def test_a_ranking_is_by_validation_and_its_differences_are_paired(three: list[Run]) -> None:
    rows = [line for line in comparison_markdown(three[:2]).splitlines() if line.startswith("| 2")][:2]
    assert [row.split(" | ")[0].strip("| ") for row in rows] == [three[1].name, three[0].name]
    assert f"test minus that of {three[0].name}" in comparison_markdown(three[:2])
    assert "+1.00 ± 0.06 over 3 paired seeds: beyond the noise" in rows[0]  # 1.0, 1.1, 0.9; the fourth seed has no partner
    assert " | – | designed |" in rows[1]
    assert difference(three[2].view, three[0].view) is None
    assert difference_text(None, three[0].view.scale) == "no seed in common"


def test_lower_errors_rank_first(tmp_path: Path) -> None:
    runs = [made(tmp_path, width, val, {"0": val}, higher_is_better=False) for width, val in ((16, 3.0), (32, 1.0), (64, 2.0))]
    assert [run for run, _ in groups_of(runs)[0].ranked] == [runs[1], runs[2], runs[0]]


def test_designs_differ_by_the_least_changes_and_settings_by_name(three: list[Run]) -> None:
    changes = changes_from(three[0], three[1])
    assert changes is not None
    assert all("16 -> 64" in change for change in changes)
    assert settings_that_differ(three[:2]) == [("trials", [16, 64]), ("processor", ["chip 16", "chip 64"])]
    text = Document(render_comparison(three[:2])).text
    assert all(change in text for change in changes)


def test_runs_without_a_result_stand_last_and_break_nothing(tmp_path: Path, three: list[Run]) -> None:
    empty = Run(RunDirectory.create(tmp_path / "more", "cora"))
    started = three[0].events[0]
    begun = journal(tmp_path / "begun", [started])
    document = Document(render_comparison([begun, *three[:2], empty, long_run(tmp_path / "long", 30)]))
    assert_whole(document)
    assert [run for run, _ in groups_of([begun, *three[:2]])[0].ranked][-1] is begun
    assert "No trial has finished." in document.text
    assert "sealed" in document.text
    assert comparison_markdown([begun, empty]).count("no trial has finished") == 2


def test_a_line_ends_with_its_run_and_looks_like_no_other() -> None:
    drawn = str(curves([Curve(str(n), [(1.0, 80.0, "a"), (4.0, 81.0 + n, "b")], 10.0 * (n + 1)) for n in range(SERIES)], "x", "y"))
    ends = [float(end) for end in re.findall(r"H([\d.]+)\"", drawn)]
    assert ends == sorted(ends)
    assert len(set(ends)) == SERIES
    assert set(re.findall(r"series (s\d)", drawn)) == {f"s{n}" for n in range(SERIES)}


def test_the_command_writes_page_text_and_data(run: Command, three: list[Run]) -> None:
    paths = [str(one.path) for one in three]
    assert run("report", "--compare", *paths).out == comparison_markdown(three) + "\n"
    assert run("report", "--compare", *paths, "-o", "both.html").out == "both.html\n"
    assert Path("both.html").read_text(encoding="utf-8") == render_comparison(three)
    rows = run("report", "--compare", *paths, "--json").data
    assert [(row["run"], row["test"], row["is_first"]) for row in rows] == [
        (three[0].name, 81.0, True), (three[1].name, 64.0, False), (three[2].name, 99.0, True)
    ]  # fmt: skip


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_runs_are_one_line(run: Command, three: list[Run], count: int) -> None:
    printed = run("report", "--compare", *(one.path for one in three[:count]))
    assert (printed.code, printed.out) == (2, "")
    assert "--compare needs two or more runs, " in printed.err


def test_a_run_is_not_compared_with_itself(run: Command, three: list[Run]) -> None:
    printed = run("report", "--compare", three[0].path, three[0].path)
    assert printed.code == 2
    assert "are the same run" in printed.err
