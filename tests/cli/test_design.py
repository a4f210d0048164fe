"""``agentnas design`` and the commands that look at what it leaves."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from agentnas import run as runs
from agentnas.cli.design import stopping
from agentnas.memory.journal import Journal
from agentnas.memory.runs import find
from tests import quick
from tests.cli.conftest import Run

REPOSITORY = Path(__file__).resolve().parents[2]
TABLE = ("--task", "nasbench:cora", "--trials", "6", "--seed", "1")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    quick.shorten(monkeypatch)


def is_one_line(err: str) -> bool:
    return err.count("\n") == 1 and err.startswith("agentnas: error: ") and "Traceback" not in err


def test_json_is_the_summary_and_all_that_stdout_holds(run: Run, tmp_path: Path) -> None:
    printed = run("design", *TABLE, "--runs-dir", tmp_path / "runs", "--json")
    assert printed.code == 0
    made = runs.Run(find(tmp_path / "runs", "latest"))
    assert printed.data == json.loads(json.dumps(made.summary()))
    assert printed.data["outcome"] == "designed"
    assert printed.err.startswith(f"run {made.name}\ntask: nasbench:cora")
    assert "to go on" not in printed.err
    assert "Traceback" not in printed.err


def test_the_answer_is_architecture_scores_anchors_and_places(run: Run) -> None:
    printed = run("design", *TABLE)
    assert printed.code == 0
    made = runs.Run(find(Path("runs"), "latest"))
    lines = printed.out.splitlines()
    assert lines[0].startswith(f"{made.winner}  ")
    assert lines[1].startswith("test ")
    assert "NAS-Bench-Graph" in lines[1]
    assert lines[2].startswith("validation ")
    assert lines[-2:] == [f"report   {made.path / 'report.html'}", f"winner   {made.path / 'winner'}"]
    assert (made.path / "report.md").exists()
    assert (made.path / "winner" / "spec.json").exists()


@pytest.mark.parametrize("words", [TABLE, ("--task", "digits", "--max-params", "50000")])
def test_a_dry_run_shows_the_plan_and_writes_nothing(run: Run, tmp_path: Path, words: tuple[str, ...]) -> None:
    plan = run("design", *words, "--dry-run", "--json")
    assert plan.code == 0
    assert plan.data["task"].startswith(words[1])
    assert plan.data["command"].startswith(f"agentnas design --task {words[1]}")
    assert {"mlp", "gat"} & set(plan.data["anchors"]) or "gcn" in plan.data["anchors"]
    text = run("design", *words, "--dry-run")
    assert text.code == 0
    assert "cost       $0: no language model is called" in text.out
    assert "data       package " in text.out
    assert list(tmp_path.iterdir()) == []


def test_a_dry_runs_command_names_the_files_that_were_given(run: Run, tmp_path: Path) -> None:
    space, start = tmp_path / "my space.yaml", tmp_path / "mine.json"
    space.write_text("operators: [gcn]\n")
    start.write_text('{"body": {"nodes": [{"id": "a", "op": "gcn", "width": 16}], "outputs": ["a"]}}')
    words = ("--task", "digits", "--trials", "3", "--dry-run", "--json")
    first = run("design", *words, "--space", space, "--start", start)
    assert f"--space {shlex.quote(str(space))} --start {start}" in first.data["command"]
    assert run(*shlex.split(first.data["command"])[1:], "--dry-run", "--json").data == first.data
    bounds = run("design", *words, "--space", '{"operators": ["gat"]}')
    assert run(*shlex.split(bounds.data["command"])[1:], "--dry-run", "--json").data == bounds.data


def test_a_dry_run_plans_no_more_than_was_asked_for(run: Run) -> None:
    plan = run("design", "--task", "digits", "--trials", "1", "--confirm-seeds", "3", "--dry-run", "--json").data
    assert (plan["round"], plan["confirm"]) == ("1 trial", "finalists, best anchors: 3 fresh seeds")
    assert run("design", *TABLE, "--dry-run", "--json").data["round"] == "5 trials"


@pytest.fixture
def no_cora(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither files of cora nor a way to get them."""
    monkeypatch.delenv("AGENTNAS_DATA_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("AGENTNAS_DATA_URL", "http://127.0.0.1:9")


@pytest.mark.usefixtures("no_cora")
def test_a_dry_run_tells_of_the_other_task(run: Run) -> None:
    plan = run("design", "--dry-run", "--json").data
    assert plan["task"].startswith("digits ")
    assert plan["note"].startswith("the files of cora are not at hand and cannot be downloaded; designing for the built-in digits")


@pytest.mark.usefixtures("no_cora")
@pytest.mark.parametrize("words", [(), ("--dry-run",)])
def test_damaged_files_are_an_error_and_no_reason_for_another_task(
    run: Run, data_dir: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    shutil.copytree(data_dir / "Planetoid/Cora/raw", tmp_path / "data/Cora/raw")
    (tmp_path / "data/Cora/raw/ind.cora.allx").write_bytes(b"junk")
    printed = run("design", *words)
    assert (printed.code, printed.out) == (2, "")
    assert is_one_line(printed.err)
    assert "ind.cora.allx" in printed.err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--task", "cra"), "did you mean cora"),
        (("--task", "nasbench:coar"), "did you mean"),
        (("--task", "nasbench:cora", "--without-anchor", "gta"), "--without-anchor gta: no such anchor; did you mean gat"),
        (("--task", "digits", "--without-anchor", "glc", "--dry-run"), "--without-anchor glc: no such anchor"),
        (("--task", "nasbench:cora", "--max-train-memory-mb", "5"), "a table that holds no memory figures; leave it out"),
        (("--time", "soon"), "--time is 'soon'; allowed: a duration such as 45s"),
        (("--max-params", "-1"), "--max-params is -1"),
        (("--dry-run", "--resume", "latest"), "give one of them"),
        (("--resume", "no-such-run"), "no run 'no-such-run': runs holds no runs; agentnas design starts one"),
        (("--resume", "latest"), "no latest run: runs holds no runs"),
    ],
)
def test_what_cannot_be_meant_is_one_line_and_2_and_nothing_is_written(run: Run, tmp_path: Path, words: tuple[str, ...], line: str) -> None:
    printed = run("design", *words)
    assert (printed.code, printed.out) == (2, "")
    assert is_one_line(printed.err)
    assert line in printed.err
    assert list(tmp_path.iterdir()) == []


def test_a_place_for_runs_that_is_none_is_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    printed = run("design", *TABLE, "--runs-dir", tmp_path / "file" / "runs")
    assert printed.code == 1
    assert is_one_line(printed.err)
    assert "cannot create a run in" in printed.err
    assert "choose another place with --runs-dir" in printed.err


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only for root")
def test_a_read_only_place_for_runs_is_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    printed = run("design", *TABLE, "--runs-dir", tmp_path / "locked")
    assert printed.code == 1
    assert is_one_line(printed.err)


def test_limits_that_nothing_meets_end_with_3_in_bounded_time(run: Run) -> None:
    printed = run("design", "--task", "digits", "--max-latency-ms", "0.000001", "--trials", "3", "--workers", "1", "--json")
    assert (printed.code, printed.out) == (3, "")
    last = printed.err.splitlines()[-1]
    assert last.startswith("agentnas: error: no design that meets the limits was found (--max-latency-ms 1e-06): all ")
    assert last.endswith("loosen a limit")
    assert "to go on" not in printed.err, "the same limits reject the same designs"
    made = runs.Run(find(Path("runs"), "latest"))
    assert made.view.finished is not None
    assert made.view.finished.outcome == "no_design_fits"
    assert made.view.num_evaluations == 0


def test_time_that_ends_before_a_result_is_5_and_says_how_to_go_on(run: Run) -> None:
    printed = run("design", "--task", "nasbench:cora", "--time", "0.001s")
    assert printed.code == 5
    name = find(Path("runs"), "latest").name
    assert re.search(r"one training may take \d+ s; give --time \d+s or more and resume$", printed.err.splitlines()[-2])
    assert printed.err.splitlines()[-1] == f"to go on: agentnas design --resume {name}"
    assert run("design", "--resume", name, "--time", "1h", "--trials", "5").code == 0


@pytest.fixture
def copied(table_run: runs.Run, tmp_path: Path) -> runs.Run:
    """A finished run that a test may spoil, under ./runs."""
    shutil.copytree(table_run.path, tmp_path / "runs" / table_run.name)
    return runs.Run(find(tmp_path / "runs", table_run.name))


def test_resuming_a_finished_run_shows_it_again(run: Run, copied: runs.Run) -> None:
    journal = copied.path / "events.jsonl"
    before = journal.read_bytes()
    printed = run("design", "--resume", copied.name, "--json")
    assert printed.code == 0
    assert printed.data["winner"]["trial"] == copied.winner
    assert journal.read_bytes() == before


@pytest.mark.parametrize("words", [("--trials", "50"), ("--time", "1h")])
def test_a_finished_run_takes_no_more_trials_and_says_so(run: Run, copied: runs.Run, words: tuple[str, ...]) -> None:
    printed = run("design", "--resume", copied.name, *words, "--json")
    assert (printed.code, printed.data["winner"]["trial"]) == (0, copied.winner)
    assert printed.err == f"run {copied.name} is finished and its test is open; start a new run to search on\n"


@pytest.mark.parametrize("words", [("design", "--resume", ""), ("report", ""), ("runs", "show", " ")])
def test_an_empty_name_is_no_run(run: Run, words: tuple[str, ...]) -> None:
    printed = run(*words)
    assert (printed.code, printed.out) == (2, "")
    assert printed.err == f"agentnas: error: {words[-1]!r} names no run; give its name, a prefix of it, a path or latest\n"


@pytest.mark.parametrize(
    ("words", "key"),
    [(("--task", "digits"), "--task is 'digits'"), (("--seed", "9"), "--seed is 9"), (("--max-params", "7"), "--max-params is 7")],
)
def test_resuming_with_another_decision_names_the_key(run: Run, copied: runs.Run, words: tuple[str, ...], key: str) -> None:
    printed = run("design", "--resume", copied.name, *words)
    assert (printed.code, printed.out) == (2, "")
    assert is_one_line(printed.err)
    assert key in printed.err


def test_a_run_of_a_newer_agentnas_is_refused(run: Run, copied: runs.Run) -> None:
    info = copied.path / "run.json"
    info.write_text(info.read_text(encoding="utf-8").replace('"schema_version": 1', '"schema_version": 99'), encoding="utf-8")
    for words in (("design", "--resume", copied.name), ("report", copied.name), ("export", copied.name)):
        printed = run(*words)
        assert (printed.code, printed.out) == (1, "")
        assert is_one_line(printed.err)
        assert "schema version 99, this AgentNAS reads up to 1; update AgentNAS" in printed.err


def test_a_run_that_is_being_written_is_not_resumed(run: Run, copied: runs.Run) -> None:
    journal = copied.path / "events.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:-3]))
    with Journal.open(journal):
        printed = run("design", "--resume", copied.name)
    assert printed.code == 1
    assert is_one_line(printed.err)
    assert f"is being written by process {os.getpid()}" in printed.err


def test_report_prints_or_writes(run: Run, copied: runs.Run, tmp_path: Path) -> None:
    assert run("report").out == copied.report() + "\n"
    assert run("report", copied.name, "-o", "out.md") == (0, "out.md\n", "")
    assert (tmp_path / "out.md").read_text(encoding="utf-8") == copied.report()
    (tmp_path / "out.md").write_text("mine", encoding="utf-8")
    assert run("report", "-o", "out.md") == (2, "", "agentnas: error: --output out.md exists; --force overwrites it\n")
    assert (tmp_path / "out.md").read_text(encoding="utf-8") == "mine"
    assert run("report", "-o", "out.md", "--force").code == 0
    assert (tmp_path / "out.md").read_text(encoding="utf-8") == copied.report()
    assert run("report", "--json").data["run"] == copied.name
    missing = run("report", "-o", "no/such/folder/out.md")
    assert missing.code == 1
    assert is_one_line(missing.err)


def test_runs_show_knows_the_run(run: Run, copied: runs.Run) -> None:
    shown = run("runs", "show", "--json").data
    assert (shown["run"], shown["winner"], shown["outcome"]) == (copied.name, copied.winner, "designed")
    assert shown["trials"] == 7


def test_export_copies_the_winner_once(run: Run, live_run: runs.Run, tmp_path: Path) -> None:
    words = ("export", live_run.name, "--runs-dir", live_run.path.parent, "--out", tmp_path / "model")
    assert [Path(line).name for line in run(*words).out.split()] == [
        "MODEL_CARD.md", "README.md", "data.pt", "example.py", "figures.json", "model.json", "model.py", "spec.json", "weights.pt",
    ]  # fmt: skip
    again = run(*words)
    assert (again.code, again.out) == (2, "")
    assert is_one_line(again.err)
    assert "exists; give a folder that does not exist yet" in again.err


def test_export_of_a_tables_winner_is_its_spec(run: Run, copied: runs.Run, tmp_path: Path) -> None:
    data = run("export", "--out", "out", "--json").data
    assert (data["run"], data["form"], data["folder"]) == (copied.name, "python", "out")
    assert data["files"] == ["MODEL_CARD.md", "README.md", "example.py", "model.json", "model.py", "spec.json"]


def test_export_of_an_unfinished_run_says_how_to_finish_it(run: Run, copied: runs.Run) -> None:
    journal = copied.path / "events.jsonl"
    journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:12]))
    printed = run("export", copied.name)
    assert printed.code == 1
    assert (
        printed.err == f"agentnas: error: run {copied.name} has no winner to export; agentnas design --resume {copied.name} finishes it\n"
    )


def test_one_signal_asks_and_the_second_stops() -> None:
    before = signal.getsignal(signal.SIGINT)
    with stopping() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.is_set()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) == before


class Process:
    """A design of its own, in a process group like one that a terminal starts."""

    def __init__(self, *words: str) -> None:
        command = [sys.executable, "-m", "tests.quick", *words]
        self.process = subprocess.Popen(
            command, cwd=REPOSITORY, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
        )

    def wait_until(self, happened: Callable[[], bool], patience_s: float = 60.0) -> None:
        deadline = time.monotonic() + patience_s
        while not happened():
            assert time.monotonic() < deadline, "nothing happened"
            assert self.process.poll() is None, self.process.communicate()
            time.sleep(0.01)

    def signal_group(self, *signals: signal.Signals) -> tuple[int, str, str]:
        """Send signals to the whole group, as a terminal does; exit code and output. No process stays behind."""
        members = psutil.Process(self.process.pid).children(recursive=True)
        for number in signals:
            os.killpg(self.process.pid, number)
            time.sleep(0.02)
        out, err = self.process.communicate(timeout=60)
        assert psutil.wait_procs(members, timeout=10)[1] == []
        return self.process.returncode, out, err


def evaluations(runs_dir: Path) -> int:
    files = list(runs_dir.glob("*/events.jsonl"))
    return files[0].read_text(encoding="utf-8").count('"type":"evaluation_finished"') if files else 0


def test_a_run_that_is_stopped_by_every_signal_ends_as_the_one_that_was_not(live_run: runs.Run, tmp_path: Path) -> None:
    runs_dir = tmp_path / "my runs"
    words = [*quick.FLAGS, "--runs-dir", str(runs_dir)]
    for signals in ((signal.SIGINT,), (signal.SIGTERM,), (signal.SIGINT, signal.SIGINT)):
        process, before = Process("design", *words), evaluations(runs_dir)
        process.wait_until(lambda least=before + 2: evaluations(runs_dir) >= least)  # type: ignore[misc]
        code, out, err = process.signal_group(*signals)
        assert code == 130, err
        assert "Traceback" not in err
        assert "failed" not in err
        name, last = find(runs_dir, "latest").name, err.splitlines()[-1]
        assert last == f"to go on: agentnas design --resume {name} --runs-dir '{runs_dir}'"
        words = shlex.split(last.removeprefix("to go on: "))[2:]
        if len(signals) == 1:
            assert re.fullmatch(r"interrupted; \d+ trials?, \d+ evaluations?; best so far .* % \(t\d+\); report: .*\n", out)
            page = Path(out.strip().split("report: ")[1])
            assert page == runs_dir / name / "report.html"
            assert name in page.read_text(encoding="utf-8")
        else:
            assert (out, err.splitlines()[-2]) == ("", "agentnas: error: interrupted")
    done = subprocess.run(
        [sys.executable, "-m", "tests.quick", "design", *words, "--json"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["winner"]["spec_hash"] == live_run.view.proposals[str(live_run.winner)].spec_hash
    assert summary["test"]["scores"] == live_run.test_scores[str(live_run.winner)]
    assert summary["evaluations"] == live_run.view.num_evaluations
