"""``agentnas runs``, over real run directories with real journals."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agentnas.memory import events as ev
from agentnas.memory.rundir import RunDirectory
from agentnas.page.compare import comparison_markdown
from agentnas.run import Run as RunResult
from agentnas.tools.evaluate.base import PLANNED
from tests.cli.conftest import Run

Spoil = Callable[[list[bytes]], list[bytes]]
SCORES = {"0": 81.0, "1": 83.0, "2": 82.0}


def proposal(trial: str, text: str, anchor: str | None = None) -> ev.Proposal:
    kind = {"anchor": "plain", "name": anchor} if anchor else {}
    return ev.Proposal.model_validate({"trial": trial, "spec": {}, "spec_hash": trial, "text": text, "author": "coder", **kind})


def finished(trial: str, seed: int, val: float) -> ev.EvaluationFinished:
    return ev.EvaluationFinished(trial=trial, rung="full", seed=seed, split=0, val=val, seconds=1.0)


def make_run(
    runs_dir: Path, minute: int, *, task: str = "cora", protocol: str = "public", shift: float = 0.0, whole: bool = True
) -> RunDirectory:
    """A run of two trials; a whole one chose t0002 and opened the test on three seeds."""
    run = RunDirectory.create(runs_dir, task, now=datetime(2026, 1, 31, 9, minute, tzinfo=UTC), rng=random.Random(minute))
    with run.journal() as journal:
        journal.append(ev.RunStarted(task=task, protocol=protocol, config={}, environment={}, metric="accuracy"))
        journal.append(ev.ProposalsDrafted(round=0, proposals=(proposal("t0001", "gcn", "gcn"), proposal("t0002", "gat\nwidth 64"))))
        for seed, val in enumerate((78.0, 80.0)):
            journal.append(finished("t0001", seed, val))
        if whole:
            journal.append(finished("t0002", 0, 81.0))
            journal.append(ev.WinnerChosen(trial="t0002", val_mean=81.0, val_sd=0.5, seeds=3, reason="best"))
            scores = {"t0002": {seed: score + shift for seed, score in SCORES.items()}}
            journal.append(ev.TestOpened(scores=scores, comparison={}))
            journal.append(ev.RunFinished(outcome="designed", exit_code=0))
    return run


@pytest.fixture
def runs_dir(tmp_path: Path) -> Path:
    return tmp_path / "runs"


def test_no_runs_is_said_not_printed(run: Run, runs_dir: Path) -> None:
    assert run("runs", "list") == (0, "", "runs holds no runs; agentnas design starts one\n")
    assert run("runs", "list", "--json", "--runs-dir", runs_dir).data == []


def test_list_newest_first_with_what_became_of_each(run: Run, runs_dir: Path) -> None:
    names = [make_run(runs_dir, 1, whole=False).name, make_run(runs_dir, 2).name]
    (runs_dir / "torn").mkdir()
    printed = run("runs", "list")
    assert [line.split() for line in printed.out.splitlines()] == [
        ["run", "task", "state", "outcome"],
        [names[1], "cora", "finished", "designed"],
        [names[0], "cora", "broken", "off", "-"],
        ["torn", "?", "half-written", "-"],
    ]
    assert printed.err.startswith("torn: ")
    assert [entry["name"] for entry in run("runs", "list", "--json").data] == [names[1], names[0], "torn"]


def test_show_tells_how_far_a_run_came(run: Run, runs_dir: Path) -> None:
    made = make_run(runs_dir, 1)
    shown = run("runs", "show", "--json").data
    assert shown["run"] == made.name
    assert (shown["state"], shown["outcome"], shown["trials"], shown["evaluations"]) == ("finished", "designed", 2, 3)
    assert shown["test"] == {"mean": 82.0, "sd": 1.0, "seeds": 3}
    assert [entry["trial"] for entry in shown["leaderboard"]] == ["t0002", "t0001"]
    lines = run("runs", "show").out.splitlines()
    assert "validation      81.00 ± 0.50 (3 seeds)" in lines
    assert "test            82.00 ± 1.00 (3 seeds)" in lines
    assert [" ".join(line.split()) for line in lines[-4:]] == [
        "t0002 full 81.00 ± ? 1", "coder: gat width 64", "t0001 full 79.00 ± 1.41 2", "coder (gcn): gcn"
    ]  # fmt: skip


def cut_run(runs_dir: Path, minute: int) -> RunDirectory:
    """A run of which the time limit ended one training of three in the search, and two of three of the winner's confirmation."""
    run = make_run(runs_dir, minute, whole=False)
    late = {"details": {PLANNED: 400}}
    with run.journal() as journal:
        journal.append(ev.RunResumed())
        journal.append(finished("t0001", 2, 79.0).model_copy(update=late))
        journal.append(finished("t0002", 0, 81.0))
        for seed in (100, 101, 102):
            journal.append(finished("t0002", seed, 81.0).model_copy(update={"rung": "confirm", **(late if seed > 100 else {})}))
        journal.append(ev.WinnerChosen(trial="t0002", val_mean=81.0, val_sd=0.5, seeds=3, reason="best"))
        journal.append(ev.TestOpened(scores={"t0002": SCORES}, comparison={}))
        journal.append(ev.RunFinished(outcome="designed", exit_code=0))
    return run


def test_show_tells_which_trainings_the_time_limit_ended(run: Run, runs_dir: Path) -> None:
    cut_run(runs_dir, 1)
    told = " ".join(run("runs", "show").out.split())
    assert "validation 81.00 ± 0.50 (3 seeds; 2 of 3 trainings ended by the time limit)" in told
    assert "coder (gcn): gcn; 1 of 3 trainings ended by the time limit" in told
    shown = run("runs", "show", "--json").data
    assert (shown["validation"]["cut"], shown["validation"]["trainings"]) == (2, 3)
    assert {entry["trial"]: entry["cut"] for entry in shown["leaderboard"]} == {"t0002": 2, "t0001": 1}


def test_compare_tells_which_winners_the_time_limit_ended(run: Run, runs_dir: Path) -> None:
    whole, cut = make_run(runs_dir, 1), cut_run(runs_dir, 2)
    told = [" ".join(line.split()) for line in run("runs", "compare", whole.name, cut.name).out.splitlines()]
    assert "ended by time limit 0 2 of 3 trainings" in told
    assert [row["cut"] for row in run("runs", "compare", whole.name, cut.name, "--json").data] == [0, 2]
    assert "81.00 ± 0.50 (3 seeds; 2 of 3 trainings ended by the time limit)" in comparison_markdown(
        [RunResult(directory) for directory in (whole, cut)]
    )
    other = make_run(runs_dir, 3)
    assert "ended by" not in run("runs", "compare", whole.name, other.name).out


def test_show_has_designs_whole_and_fits_a_narrow_terminal(run: Run, runs_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, design = make_run(runs_dir, 1), " > ".join(f"gat{width}" for width in range(100, 130))
    with made.journal() as journal:
        journal.append(ev.RunResumed())
        journal.append(ev.ProposalsDrafted(round=1, proposals=(proposal("t0003", design),)))
        journal.append(finished("t0003", 0, 90.0))
    monkeypatch.setenv("COLUMNS", "60")
    shown = run("runs", "show").out
    assert design in " ".join(shown.split())
    assert [line for line in shown.splitlines() if len(line) > 60 and not line.startswith("path ")] == []


def listed_stage(run: Run) -> tuple[str, str]:
    """How the only run is listed, in words and as data."""
    line, (entry,) = run("runs", "list").out.splitlines()[1], run("runs", "list", "--json").data
    return " ".join(line.split()[2:-1]), entry["state"]


def test_list_tells_how_a_run_without_an_end_stands(run: Run, runs_dir: Path) -> None:
    made = RunDirectory.create(runs_dir, "cora", now=datetime(2026, 1, 31, 9, 1, tzinfo=UTC), rng=random.Random(1))
    with made.journal() as journal:
        journal.append(ev.RunStarted(task="cora", protocol="public", config={}, environment={}, metric="accuracy"))
    assert listed_stage(run) == ("not begun", "unfinished")
    with made.journal() as journal:
        journal.append(ev.ProposalsDrafted(round=0, proposals=(proposal("t0001", "gcn"),)))
    assert listed_stage(run) == ("broken off", "unfinished")
    with made.journal() as journal:
        journal.append(ev.RunInterrupted(reason="asked to stop"))
        assert listed_stage(run) == ("running", "running")
    assert listed_stage(run) == ("interrupted", "unfinished")
    assert "state           interrupted" in run("runs", "show").out.splitlines()
    for outcome, code, told in (("failed", 1, "failed"), ("no_design_fits", 3, "no design"), ("designed", 0, "finished")):
        with made.journal() as journal:
            journal.append(ev.RunFinished.model_validate({"outcome": outcome, "exit_code": code}))
        assert listed_stage(run) == (told, "finished")


def test_show_keeps_the_test_sealed_until_it_is_opened(run: Run, runs_dir: Path) -> None:
    make_run(runs_dir, 1, whole=False)
    shown = run("runs", "show", "--json").data
    assert (shown["winner"], shown["test"], shown["state"]) == (None, None, "unfinished")
    assert "test            -" in run("runs", "show").out.splitlines()


def test_show_top(run: Run, runs_dir: Path) -> None:
    make_run(runs_dir, 1)
    assert len(run("runs", "show", "--top", "1", "--json").data["leaderboard"]) == 1


def test_path_of_the_latest_and_of_a_prefix(run: Run, runs_dir: Path) -> None:
    first, second = make_run(runs_dir, 1), make_run(runs_dir, 2)
    assert run("runs", "path").out == f"{second.path.resolve()}\n"
    assert run("runs", "path", first.name[:13]).out == f"{first.path.resolve()}\n"


def test_compare_pairs_the_seeds(run: Run, runs_dir: Path) -> None:
    """All three seeds gained the same, which is a standard error of 0; three of one sign come by luck often enough."""
    first, second = make_run(runs_dir, 1), make_run(runs_dir, 2, shift=2.0)
    rows = run("runs", "compare", first.name, second.name, "--json").data
    assert [row["test"] for row in rows] == [82.0, 84.0]
    assert [(row["difference"], row["se"], row["inside_noise"]) for row in rows] == [(None, None, None), (2.0, 0.0, True)]


@pytest.mark.parametrize("other", [{"task": "citeseer"}, {"protocol": "random split"}])
def test_compare_refuses_to_subtract_what_does_not_compare(run: Run, runs_dir: Path, other: dict[str, str]) -> None:
    first = make_run(runs_dir, 1)
    second = make_run(runs_dir, 2, task=other.get("task", "cora"), protocol=other.get("protocol", "public"))
    assert run("runs", "compare", first.name, second.name, "--json").data[1]["difference"] is None
    assert "no difference is computed" in run("runs", "compare", first.name, second.name).err


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("show", "nothing"), "no run 'nothing': runs holds no runs; agentnas design starts one"),
        (("path",), "no latest run: runs holds no runs; agentnas design starts one"),
        (("compare", "one"), "1 run to compare; give two or more"),
        (("compare", "latest", "latest"), "no latest run: runs holds no runs; agentnas design starts one"),
    ],
)
def test_bad_input_is_one_line_and_2(run: Run, words: tuple[str, ...], line: str) -> None:
    assert run("runs", *words) == (2, "", f"agentnas: error: {line}\n")


def test_a_run_of_a_newer_agentnas_is_refused(run: Run, runs_dir: Path) -> None:
    made = make_run(runs_dir, 1)
    info = made.path / "run.json"
    info.write_text(info.read_text(encoding="utf-8").replace('"schema_version": 1', '"schema_version": 99'), encoding="utf-8")
    printed = run("runs", "show", made.name)
    assert printed.code == 1
    assert "schema version 99" in printed.err


def lines_of(run: RunDirectory) -> list[bytes]:
    return run.journal_file.read_bytes().splitlines(keepends=True)


@pytest.mark.parametrize(
    ("spoil", "state", "problem"),
    [
        (lambda lines: [b"junk\n", *lines[1:]], "damaged", "events.jsonl:1: not a line of a journal"),
        (lambda lines: [*lines[:-1], b"junk\n"], "damaged", "events.jsonl: the last line is not a journal event"),
        (lambda lines: [lines[0].replace(b'"schema_version":1', b'"schema_version":99'), *lines[1:]], "newer", "schema version 99"),
    ],
)
def test_list_tells_damaged_and_newer_from_half_written(run: Run, runs_dir: Path, spoil: Spoil, state: str, problem: str) -> None:
    made = make_run(runs_dir, 1)
    made.journal_file.write_bytes(b"".join(spoil(lines_of(made))))
    printed = run("runs", "list")
    assert printed.code == 0
    assert printed.out.splitlines()[1].split() == [made.name, "cora", state, "-"]
    assert printed.err.startswith(f"{made.name}: ")
    assert problem in printed.err
    for words in (("runs", "show", made.name), ("runs", "show"), ("report", made.name), ("export", made.name)):
        refused = run(*words)
        assert (refused.code, refused.out) == (1, "")
        assert refused.err.startswith("agentnas: error: ")
        assert refused.err.count("\n") == 1


def test_list_tells_a_newer_run_by_its_first_file(run: Run, runs_dir: Path) -> None:
    info = make_run(runs_dir, 1).path / "run.json"
    info.write_text(info.read_text(encoding="utf-8").replace('"schema_version": 1', '"schema_version": 99'), encoding="utf-8")
    (listed,) = run("runs", "list", "--json").data
    assert (listed["state"], listed["outcome"]) == ("newer", None)
    latest = run("runs", "show")
    assert latest.code == 1
    assert "no latest run: none in runs can be read" in latest.err
    assert "schema version 99" in latest.err


def test_a_run_without_a_design_says_why(run: Run, runs_dir: Path) -> None:
    made = make_run(runs_dir, 1, whole=False)
    with made.journal() as journal:
        journal.append(ev.RunFinished(outcome="no_design_fits", exit_code=3, message="no design meets the limits"))
    assert "message         no design meets the limits" in run("runs", "show").out.splitlines()
    assert run("runs", "show", "--json").data["message"] == "no design meets the limits"
    refused = run("export", made.name)
    assert refused == (1, "", f"agentnas: error: run {made.name} ended without a design: no design meets the limits\n")


def test_path_as_json(run: Run, runs_dir: Path) -> None:
    made = make_run(runs_dir, 1)
    assert run("runs", "path", "--json").data == {"run": made.name, "path": str(made.path.resolve())}


def test_compare_says_what_is_subtracted_and_how_long_in_seconds(run: Run, runs_dir: Path) -> None:
    names = [make_run(runs_dir, 1).name, make_run(runs_dir, 2, shift=2.0).name]
    lines = run("runs", "compare", *names).out.splitlines()
    assert [line.split("  ")[0] for line in lines[-3:]] == ["test minus first run's", "standard error", "inside noise"]
    assert lines[-1].split()[-2:] == ["-", "True"]
    assert all(isinstance(row["active_seconds"], float) for row in run("runs", "compare", *names, "--json").data)


def test_compare_refuses_a_run_beside_itself(run: Run, runs_dir: Path) -> None:
    names = [make_run(runs_dir, minute).name for minute in (1, 2)]

    def refused(*words: str) -> str:
        printed = run("runs", "compare", *words)
        assert (printed.code, printed.out) == (2, "")
        return printed.err

    assert refused("latest", "latest") == f"agentnas: error: latest and latest are the same run, {names[1]}; give different runs\n"
    assert refused(*names, "latest") == f"agentnas: error: {names[1]} and latest are the same run, {names[1]}; give different runs\n"


def test_one_seed_is_singular(run: Run, runs_dir: Path) -> None:
    made = make_run(runs_dir, 1, whole=False)
    with made.journal() as journal:
        journal.append(ev.WinnerChosen(trial="t0001", val_mean=81.0, val_sd=None, seeds=1, reason="best"))
    assert "validation      81.00 ± ? (1 seed)" in run("runs", "show").out.splitlines()
