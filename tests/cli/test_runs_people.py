"""``agentnas runs tell`` and ``agentnas runs review``: to a run of another process, while it goes on and while it does not."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agentnas import run as runs
from agentnas.memory.rundir import RunDirectory
from agentnas.memory.runs import find
from agentnas.memory.view import JournalView
from tests.cli.conftest import Run

COMMAND = (sys.executable, "-m", "agentnas.cli")
DESIGN = ("design", "--task", "nasbench:cora", "--trials", "6", "--seed", "1")
Review = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def design(tmp_path: Path) -> Iterator[Review]:
    """Start ``agentnas design --review`` (or what is given) in a process of its own, in the folder of the test."""
    started: list[subprocess.Popen[str]] = []

    def start(*words: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*COMMAND, *(words or DESIGN)], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=os.environ | {"AGENTNAS_REVIEW": "true"},
        )  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def until(holds: Callable[[JournalView], bool], runs_dir: Path, seconds: float = 30.0) -> RunDirectory:
    """The latest run, once its journal says so."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if list(runs_dir.glob("*/events.jsonl")) and holds((directory := find(runs_dir, "latest")).view()):
            return directory
        time.sleep(0.05)
    raise AssertionError("the run never came there")


def waits(round_: int) -> Callable[[JournalView], bool]:
    return lambda view: view.awaiting == round_


@pytest.mark.timeout(120)
def test_a_person_answers_from_another_terminal(run: Run, design: Review, tmp_path: Path) -> None:
    process, folder = design(), tmp_path / "runs"
    name = until(waits(0), folder).name
    shown = run("runs", "review", name)
    assert shown.code == 0
    assert shown.out.startswith(
        "Plan of round 0  by planner/rules; established designs first\n  1. anchors, 100%, explore: established designs come first: "
    )
    assert shown.out.endswith("Answer with --accept, --reject REASON, or --edit FILE (--json prints what to edit).\n")
    assert max(map(len, shown.out.splitlines()[:-1])) <= 80
    assert run("runs", "review", "--accept") == (0, "", "plan of round 0 accepted; the run goes on\n")

    until(waits(1), folder)
    shown = run("runs", "review", name)
    assert shown.out.startswith("Plan of round 1  by planner/rules; ")
    assert "     varies  cell.links, cell.op\n     cites   " in shown.out
    plan = run("runs", "review", "--json").data
    assert (plan["run"], plan["round"], plan["author"], plan["rejected_before"]) == (name, 1, "planner/rules", 0)
    assert set(plan["evidence"]) == {evidence for direction in plan["directions"] for evidence in direction["evidence"]}
    rejected = run("runs", "review", "--reject", "too  narrow", "--json")
    assert (rejected.data["decision"], rejected.data["reason"]) == ("rejected", "too narrow")
    assert rejected.err == (
        "plan of round 1 rejected; the run goes on\n"
        "its rule-based planner cannot read the reason and will plan the same again; --edit changes the plan\n"
    )
    until(lambda view: view.awaiting == 1 and view.rejections == {1: 1}, folder)
    file = tmp_path / "plan.json"
    file.write_text(json.dumps({"round": 1, "directions": [{"name": "mine", "share": 1, "mode": "explore"}]}), encoding="utf-8")
    assert run("runs", "review", "--edit", file) == (0, "", "plan of round 1 edited; the run goes on\n")

    out, err = process.communicate(timeout=60)
    assert (process.returncode, out.splitlines()[-1].split()[0]) == (0, "winner")
    assert f"round 1: the plan waits for you: agentnas runs review {name}\n  the plan of round 1 was rejected: too narrow\n" in err
    view = runs.Run(find(folder, name)).view
    assert [(direction["name"], direction["share"]) for direction in view.plans[1].directions] == [("mine", 1.0)]
    late = run("runs", "review", name, "--accept")
    assert late == (1, "", f"agentnas: error: run {name} is finished; start a new run with agentnas design\n")


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_a_plan_that_waits_outlives_its_process(run: Run, design: Review, tmp_path: Path, number: signal.Signals, code: int) -> None:
    """Ctrl-C and kill -9 while the plan waits: the decision is left while nothing runs, and used when the run goes on."""
    process, folder = design(), tmp_path / "runs"
    name = until(waits(0), folder).name
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == code
    if number == signal.SIGINT:
        assert out.startswith("interrupted; no trials, no evaluations; no score yet; report: ")
        assert err.endswith(f"to go on: agentnas design --resume {name}\n")
    later = f"it counts when the run goes on: agentnas design --resume {name}"
    assert run("runs", "review", "--accept") == (0, "", f"plan of round 0 accepted; {later}\n")
    told = run("runs", "tell", name, "try attention")
    assert told.err.startswith(f"the planner reads it when the run goes on: agentnas design --resume {name}; its rule-based planner")
    resumed = design("design", "--resume", name)
    view = until(waits(1), folder).view()
    assert view.told == {1: ("try attention",)}
    assert view.reviews[0].decision == "accepted"
    assert [len(trials) for trials in view.rounds.values()] == [5]
    assert run("runs", "review", "--accept").code == 0
    assert resumed.wait(timeout=60) == 0


@pytest.mark.timeout(60)
def test_what_cannot_be_answered_is_one_line(run: Run, design: Review, tmp_path: Path) -> None:
    design()
    name = until(waits(0), tmp_path / "runs").name
    (tmp_path / "plan.json").write_text('{"directions": [{"name": "x", "share": 0.4}]}', encoding="utf-8")
    (tmp_path / "other.json").write_text('{"round": 3, "directions": []}', encoding="utf-8")

    def refused(*words: str) -> str:
        printed = run("runs", *words)
        assert (printed.code, printed.out, printed.err.count("\n")) == (2, "", 1)
        return printed.err.removeprefix("agentnas: error: ").rstrip("\n")

    assert refused("review", "--accept", "--reject", "x") == "--accept, --reject and --edit exclude each other; give one of them"
    assert refused("review", "--reject", " ") == "the reason is empty; say in words what the planner should know"
    assert refused("review", "--edit", "plan.json").startswith("--edit plan.json: the shares sum to 0.4; ")
    assert refused("review", "--edit", "other.json").startswith("--edit other.json: this is the plan of round 3, the one that waits ")
    assert refused("review", "--edit", "none.json") == "--edit none.json: cannot be read: No such file or directory"
    assert refused("tell", name, "") == "the message is empty; say in words what the planner should know"
    assert refused("tell", name, "x" * 3000) == "the message has 3,000 letters, at most 2,000 are read; say it shorter"
    assert list((tmp_path / "runs" / name / "inbox").glob("*.json")) == []


@pytest.mark.timeout(60)
def test_tell_says_when_a_run_that_is_going_on_reads_it(run: Run, design: Review, tmp_path: Path) -> None:
    design()
    name = until(waits(0), tmp_path / "runs").name
    told = run("runs", "tell", name, "try\nattention", "--json")
    assert told.data["text"] == "try attention"
    assert told.err == (
        f"the planner of run {name} reads it before its next plan, in round 1 at the earliest; its rule-based planner reads no messages\n"
    )


def test_a_finished_run_hears_nothing_more(run: Run, table_run: runs.Run) -> None:
    line = f"agentnas: error: run {table_run.name} is finished; start a new run with agentnas design\n"
    assert run("runs", "tell", table_run.path, "try attention") == (1, "", line)
    assert run("runs", "review", table_run.path) == (1, "", line)
    assert list(table_run.directory.inbox.iterdir()) == []


def stopped_copy(table_run: runs.Run, folder: Path, last: str, **settings: Any) -> RunDirectory:
    """A run that was killed right after the first event of a type."""
    copy = folder / "runs" / table_run.name
    copy.mkdir(parents=True)
    for name in ("run.json", "config.json"):
        (copy / name).write_bytes((table_run.path / name).read_bytes())
    config = json.loads((copy / "config.json").read_text(encoding="utf-8"))
    (copy / "config.json").write_text(json.dumps(config | settings), encoding="utf-8")
    lines = (table_run.path / "events.jsonl").read_bytes().splitlines(keepends=True)
    end = next(i for i, line in enumerate(lines) if json.loads(line)["type"] == last)
    (copy / "events.jsonl").write_bytes(b"".join(lines[: end + 1]))
    return RunDirectory.open(copy)


@pytest.mark.parametrize(
    ("last", "settings", "line"),
    [
        ("plan_made", {}, "carries out its plans at once; start or resume it with --review to see them before"),
        ("task_carded", {"review": True}, "waits for review: its first plan is still to come; try again later"),
        ("proposals_drafted", {"review": True}, "waits for review: round 0 is under way; try again later"),
        ("winner_chosen", {"review": True}, "has ended its search and plans no more; start a new run with agentnas design"),
    ],
)
def test_a_run_without_a_plan_that_waits_says_why(
    run: Run, table_run: runs.Run, tmp_path: Path, last: str, settings: dict[str, Any], line: str
) -> None:
    stopped_copy(table_run, tmp_path, last, **settings)
    printed = run("runs", "review", "--accept")
    assert (printed.code, printed.out) == (1, "")
    assert printed.err.startswith("agentnas: error: ")
    assert printed.err.endswith(f"{line}\n")


def test_a_run_whose_planner_asks_a_model_reads_what_it_is_told(run: Run, table_run: runs.Run, tmp_path: Path) -> None:
    name = stopped_copy(table_run, tmp_path, "plan_made", review=True, llm="openai:some").name
    resume = f"agentnas design --resume {name} --runs-dir {tmp_path / 'runs'}"
    there = ("--runs-dir", tmp_path / "runs")
    assert run("runs", "tell", name, "x", *there) == (0, "", f"the planner reads it when the run goes on: {resume}\n")
    assert run("runs", "review", "--reject", "x", *there) == (
        0,
        "",
        f"plan of round 0 rejected; it counts when the run goes on: {resume}\n"
        "the first round tries the anchors all the same, for comparison; the next plan is the first that can be changed\n",
    )


def on_a_terminal(folder: Path, typed: str, **around: str) -> tuple[int, str]:
    """What ``agentnas runs review`` does for a person who types this."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([*COMMAND, "runs", "review"], cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs,
                               env=os.environ | {"TERM": "dumb"} | around)  # fmt: skip
    os.close(theirs)
    shown = b""
    os.write(ours, typed.encode())
    while True:
        try:
            shown += os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
    os.close(ours)
    return process.wait(timeout=30), shown.decode().replace("\r\n", "\n")


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("typed", "decision", "reason"),
    [("a\n", "accepted", ""), ("reject\ntoo narrow\n", "rejected", "too narrow"), ("e\n", "edited", ""), ("\n", None, None)],
)
def test_on_a_terminal_the_decision_is_asked_for(
    table_run: runs.Run, tmp_path: Path, typed: str, decision: str | None, reason: str | None
) -> None:
    directory = stopped_copy(table_run, tmp_path, "plan_made", review=True)
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i \'s/"anchors"/"my anchors"/\' "$1"\n', encoding="utf-8")
    editor.chmod(0o755)
    code, shown = on_a_terminal(tmp_path, typed, VISUAL=str(editor))
    assert code == 0
    assert "accept, edit, reject, or enter to leave it waiting: " in shown
    left = [json.loads(path.read_text(encoding="utf-8")) for path in (directory.path / "inbox").glob("*.json")]
    assert [(item["decision"], item["reason"]) for item in left] == ([(decision, reason)] if decision else [])
    if decision == "edited":
        assert left[0]["directions"][0]["name"] == "my anchors"


@pytest.mark.timeout(60)
def test_an_edit_that_is_wrong_is_told_and_may_be_given_up(table_run: runs.Run, tmp_path: Path) -> None:
    directory = stopped_copy(table_run, tmp_path, "plan_made", review=True)
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\necho '{' > \"$1\"\n", encoding="utf-8")
    editor.chmod(0o755)
    code, shown = on_a_terminal(tmp_path, "e\nn\n", VISUAL=str(editor))
    assert code == 130
    assert "plan.json: not JSON: " in shown
    assert "edit again? [Y/n]: " in shown
    assert not (directory.path / "inbox").exists()
