"""A night from the outside: the command, its folder, its status, its page, and what it refuses."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from agentnas.batch import process
from agentnas.batch.api import run_batch
from agentnas.batch.checking import Checked, check
from agentnas.batch.file import Job, Night, read_batch
from agentnas.batch.folder import job_folder, job_run, read_view, runs_dir
from agentnas.batch.journal import BatchJournal, BatchStarted, BatchView, JobEnded, JobStarted, read_events
from agentnas.batch.page import render_html, render_markdown
from agentnas.batch.progress import standings, summary, total_cost
from agentnas.batch.runner import exit_code_of
from agentnas.batch.words import command, environment, may_pass, outcome
from agentnas.cli import main
from agentnas.config import resolve
from agentnas.tools.errors import ConfigError, RunError, UsageError
from tests.llm_server import LLMServer
from tests.minds import role_of, think
from tests.waiting import until

TEXT = """\
night: {within: 10m, parallel: 1, retries: 1, retry_wait: 0s, max_cost: 1}
defaults: {memory_dir: none, trials: 6}
jobs:
  - {name: one, task: "nasbench:cora"}
  - {name: two, task: "nasbench:cora", llm: "replay:nasbench-cora", seed: 1, priority: 2}
"""


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """File and folder of a finished night."""
    file = tmp_path_factory.mktemp("night") / "n.yaml"
    file.write_text(TEXT, encoding="utf-8")
    ended = run_batch(file, file.parent / "out")
    assert ended == (file.parent / "out", 0)
    return file, ended.folder


def test_all_jobs_end_and_the_most_important_begins(night: tuple[Path, Path]) -> None:
    view = read_view(night[1])
    assert {name: state.outcome for name, state in view.jobs.items()} == {"one": "designed", "two": "designed"}
    assert [event.job for event in read_events(night[1]) if isinstance(event, JobStarted)] == ["two", "one"]
    assert all(job_run(night[1], name).run for name in view.jobs)


def test_money_goes_to_jobs_with_models_alone(night: tuple[Path, Path]) -> None:
    given = {event.job: event.max_cost for event in read_events(night[1]) if isinstance(event, JobStarted)}
    assert given == {"one": None, "two": 1.0}


def test_a_finished_night_is_not_run_again(night: tuple[Path, Path]) -> None:
    before = [event for event in read_events(night[1]) if isinstance(event, JobStarted)]
    assert run_batch(*night, resume=True).exit_code == 0
    assert [event for event in read_events(night[1]) if isinstance(event, JobStarted)] == before


def test_a_signal_that_comes_while_the_result_is_told_takes_nothing_away(night: tuple[Path, Path]) -> None:
    program = (
        "import os, signal, sys\nfrom agentnas.cli import batch, main\nemit = batch.emit\n"
        "def late(text):\n    os.kill(os.getpid(), signal.SIGTERM)\n    emit(text)\n"
        "batch.emit = late\nsys.exit(main(['batch', *sys.argv[1:]]))\n"
    )
    words = [str(night[0]), "--resume", "--folder", str(night[1])]
    done = subprocess.run([sys.executable, "-c", program, *words], cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"2 jobs: 2 found\npage     {night[1] / 'report.html'}\n"), done.stderr


def test_the_page_tells_what_was_found_and_needs_no_network(night: tuple[Path, Path]) -> None:
    page = (night[1] / "report.html").read_text(encoding="utf-8")
    assert "2 of 2 jobs found a design" in page
    links = re.findall(r'href="([^"]+)"', page)
    assert all(link.startswith("#") or (night[1] / link).exists() for link in links)
    assert sum(link.endswith("report.html") for link in links) == 2
    assert not re.search(r"(src|href)=\"?https?:", page)
    assert "<script" not in page
    markdown = (night[1] / "report.md").read_text(encoding="utf-8")
    assert "against the best plain anchor" in markdown or "its own best plain anchor" in markdown


def test_status_as_text_and_as_json(night: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["batch", "status", str(night[1])]) == 0
    printed = capsys.readouterr().out
    assert "2 jobs: 2 found" in printed
    assert main(["batch", "status", str(night[1]), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["state"], told["exit_code"], told["counts"], told["cost"]) == ("finished", 0, {"found": 2}, 0.0)
    assert [(job["job"], job["state"], job["trials"]) for job in told["jobs"]] == [("one", "found", 6), ("two", "found", 6)]


def test_a_folder_of_another_file_and_a_changed_file_are_refused(night: tuple[Path, Path], tmp_path: Path) -> None:
    file, folder = night
    other = tmp_path / "other.yaml"
    other.write_text(TEXT, encoding="utf-8")
    with pytest.raises(UsageError, match=f"holds the batch of {file}, not of {other}"):
        run_batch(other, folder, resume=True)
    with pytest.raises(UsageError, match="holds a batch already; --resume goes on with it"):
        run_batch(file, folder)
    file.write_text(TEXT.replace("seed: 1", "seed: 2") + "  - {name: three, task: digits}\n", encoding="utf-8")
    try:
        with pytest.raises(UsageError, match=r"has changed since the batch began: two \(seed: 1 -> 2\), three \(new\)"):
            run_batch(file, folder, resume=True)
    finally:
        file.write_text(TEXT, encoding="utf-8")


def test_a_folder_that_is_something_else_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "n.yaml"
    file.write_text(TEXT, encoding="utf-8")
    with pytest.raises(UsageError, match="is not empty and holds no batch"):
        run_batch(file, tmp_path)


def test_two_batches_in_one_folder(tmp_path: Path) -> None:
    file, folder = tmp_path / "n.yaml", tmp_path / "out"
    file.write_text(TEXT, encoding="utf-8")
    folder.mkdir()
    first = BatchJournal(folder)
    try:
        with pytest.raises(RunError, match=rf"is being run by process {os.getpid()} since \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d; wait for it"):
            run_batch(file, folder)
    finally:
        first.close()


def started(folder: Path, *names: str) -> BatchJournal:
    """The journal of a batch whose jobs have not begun."""
    folder.mkdir(parents=True, exist_ok=True)
    journal = BatchJournal(folder)
    jobs = tuple(Job(name=name, settings={"task": "digits"}) for name in names)
    journal.append(BatchStarted(file="/n.yaml", jobs=jobs, night=Night(), deadline=None))
    return journal


def test_a_torn_last_line_is_cut_off_and_damage_is_told(tmp_path: Path) -> None:
    journal = started(tmp_path, "a")
    journal.append(JobStarted(job="a", attempt=1))
    journal.close()
    whole = journal.path.read_bytes()
    journal.path.write_bytes(whole + b'{"type": "job_en')
    assert len(read_events(tmp_path)) == 2
    again = BatchJournal(tmp_path)
    again.append(JobEnded(job="a", attempt=1, outcome="designed", code=0))
    again.close()
    assert [event.type for event in read_events(tmp_path)] == ["batch_started", "job_started", "job_ended"]
    journal.path.write_bytes(b"x\n" + whole)
    with pytest.raises(RunError, match=r"batch.jsonl:1: not an event of a batch"):
        read_events(tmp_path)


def test_text_of_others_is_shown_harmlessly(tmp_path: Path) -> None:
    journal = started(tmp_path, "a")
    journal.append(JobStarted(job="a", attempt=1))
    journal.append(JobEnded(job="a", attempt=1, outcome="failed", code=1, message="<script>alert(1)</script> [x](javascript:1)"))
    journal.close()
    view = read_view(tmp_path)
    page = render_html(tmp_path, view, standings(tmp_path, view))
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "<script" not in render_markdown(tmp_path, view, standings(tmp_path, view))


def test_a_half_written_run_is_left_aside_and_named(tmp_path: Path) -> None:
    journal = started(tmp_path, "a")
    journal.append(JobStarted(job="a", attempt=1))
    journal.close()
    half = runs_dir(tmp_path, "a") / "20260101-000000-digits-calm-owl"
    half.mkdir(parents=True)
    found = job_run(tmp_path, "a")
    assert found.run is None
    assert str(half) in found.problems[0]
    view = read_view(tmp_path)
    assert "Left aside, since it cannot be read" in render_html(tmp_path, view, standings(tmp_path, view))
    assert summary(tmp_path, view)["jobs"][0]["problems"] == list(found.problems)


def test_the_check_finds_all_problems_with_their_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "n.yaml"
    file.write_text(
        'jobs:\n  - {name: a, task: digit}\n  - {name: b, task: digits, llm: "openai:gpt-5-mini"}\n'
        '  - {name: c, task: "nasbench:cora", max_memory_mb: 3}\n  - {name: d, task: digits, workers: 1000}\n'
        '  - {name: e, task: digits, llm: "replay:nowhere"}\n',
        encoding="utf-8",
    )
    with pytest.raises(UsageError, match=rf"5 of 5 jobs of {file} cannot run; nothing was started") as caught:
        check(read_batch(file))
    told = [line.removeprefix(str(file)).split("; ")[0] for line in vars(caught.value)["problems"]]
    assert told[0] == ":2:15: a: task: task 'digit' does not exist"
    assert told[1].startswith(":3:29: b: llm: openai:gpt-5-mini: no key")
    assert told[2] == ":4:38: c: max_memory_mb: --max-memory-mb: nasbench:cora is a table that holds no memory figures"
    assert told[3] == ":5:29: d: workers: --workers is 1000"
    assert told[4].startswith(":6:29: e: llm: replay:nowhere: no such file")
    file.write_text('jobs: [{name: b, task: digits, llm: "openai:gpt-5-mini"}]', encoding="utf-8")
    with pytest.raises(ConfigError, match="no key"):
        check(read_batch(file))


def test_batch_check_prints_the_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "n.yaml"
    file.write_text('night: {within: 100m, parallel: 1}\njobs: [{task: digits, priority: 3}, {task: "nasbench:cora"}]', encoding="utf-8")
    assert main(["batch", "check", str(file), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["jobs"]
    shares = [(row["job"], round(row["begin_s"]), round(row["seconds"])) for row in rows]
    assert shares == [("digits", 0, 4450), ("nasbench-cora", 4455, 1480)]  # 99 minutes by 3 to 1, less what a process needs to load


def test_flags_and_lifted_limits_of_a_job() -> None:
    job = Job(
        name="a", settings={"task": "cora", "max_params": "none", "forget_task": True, "without_anchor": ["gcn", "gat"], "time": "1h"}
    )
    start = JobStarted(job="a", attempt=1, time_s=90.4, max_cost=0.5, workers=2, device="1")
    assert command(job, start, Path("r")) == [
        "design", "--task", "cora", "--forget-task", "--without-anchor", "gcn", "--without-anchor", "gat", "--time", "1m30s",
        "--max-cost", "0.500000", "--workers", "2", "--runs-dir", "r",
    ]  # fmt: skip
    around = environment(job, start)
    assert (around["AGENTNAS_MAX_PARAMS"], around["CUDA_VISIBLE_DEVICES"]) == ("none", "1")
    assert command(job, start.model_copy(update={"run": "x"}), Path("r"))[:3] == ["design", "--resume", "x"]


@pytest.mark.parametrize(("code", "told"), [(0, "designed"), (3, "no_design_fits"), (5, "budget_ended"), (2, "wrong_settings"), (1, None),
                                            (-9, None), (None, None), (130, None)])  # fmt: skip
def test_what_exit_codes_mean(code: int | None, told: str | None) -> None:
    assert outcome(code) == told


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [(["designed"], 0), (["designed", "failed", "no_design_fits"], 1), (["designed", "no_design_fits", "out_of_time"], 3),
     (["designed", "out_of_time"], 5), (["wrong_settings"], 1)],
)  # fmt: skip
def test_the_exit_code_of_a_night(outcomes: list[Any], code: int) -> None:
    view = BatchView([BatchStarted(file="", jobs=tuple(Job(name=str(i), settings={}) for i, _ in enumerate(outcomes)), night=Night(),
                                   deadline=None)])  # fmt: skip
    for i, one in enumerate(outcomes):
        view.apply(JobStarted(job=str(i), attempt=1))
        view.apply(JobEnded(job=str(i), attempt=1, outcome=one))
    assert exit_code_of(view.jobs) == code


def test_a_job_is_found_by_its_lock_whoever_started_it(tmp_path: Path) -> None:
    """A starter that dies at once leaves a process that is seen, signalled, and not started twice."""
    folder = job_folder(tmp_path, "a")
    program = (
        "import os, sys\nfrom pathlib import Path\nfrom agentnas.batch import process\nprocess.PROGRAM = 'tests.batch.sleeper'\n"
        "process.Process.start(Path(sys.argv[1]), 1, [], dict(os.environ))\nos._exit(0)\n"
    )
    subprocess.run([sys.executable, "-c", program, str(folder)], check=True, cwd=Path(__file__).parents[2])
    assert process.is_alive(folder)
    with pytest.raises(RunError, match="has a process already"):
        process.Process.start(folder, 2, [], dict(os.environ))
    found = process.Process(folder, 1)
    assert found.poll() is None
    while not (folder / "ready").exists():
        time.sleep(0.05)
    found.send(signal.SIGINT)
    deadline = time.monotonic() + 20
    while (ended := found.poll()) is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert ended == process.Exit(130)


def test_workers_do_not_outlive_a_job_that_was_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "PROGRAM", "tests.batch.sleeper")
    monkeypatch.chdir(Path(__file__).parents[2])
    job = process.Process.start(tmp_path, 1, ["with a worker"], dict(os.environ))
    assert until(lambda: (tmp_path / "worker").exists() and (tmp_path / "worker").read_text() != "", 20)
    pid, worker = (json.loads((tmp_path / process.LOCK_FILE).read_bytes())["pid"], int((tmp_path / "worker").read_text()))
    os.kill(pid, signal.SIGKILL)
    assert until(lambda: job.poll() is not None, 20)
    assert until(lambda: not psutil.pid_exists(worker) or psutil.Process(worker).status() == psutil.STATUS_ZOMBIE, 20)
    assert job.poll() == process.Exit(-signal.SIGKILL)


def test_a_signal_never_reaches_a_stranger_with_the_same_number(tmp_path: Path) -> None:
    (tmp_path / process.LOCK_FILE).write_text(json.dumps({"pid": os.getpid(), "began": 1.0}), encoding="ascii")
    process.Process(tmp_path, 1).kill()  # this process would be gone


def test_a_night_whose_deadline_has_passed_starts_nothing(tmp_path: Path) -> None:
    file, folder = tmp_path / "n.yaml", tmp_path / "out"
    file.write_text('night: {within: 1s}\njobs: [{task: "nasbench:cora", trials: 5}]', encoding="utf-8")
    said: list[str] = []
    assert run_batch(file, folder, say=said.append).exit_code == 5
    assert said == ["nasbench-cora: out of time before it began"]
    time.sleep(1.1)
    assert run_batch(file, folder, resume=True, say=said.append).exit_code == 5
    assert "the deadline has passed: nothing new begins; --within 2h, say, gives more time" in said
    assert not list(folder.glob("jobs/*"))
    # More time takes up what the deadline stopped.
    assert run_batch(file, folder, resume=True, night=Night(until=None, within=60.0)).exit_code == 0


def test_the_page_is_drawn_once_for_all_jobs_that_end_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is drawn from all runs: drawn for each of them, many jobs would hold up the end of their night."""
    drawn: list[int] = []
    monkeypatch.setattr(
        "agentnas.batch.page.write_page", lambda folder, view: drawn.append(sum(state.is_over for state in view.jobs.values()))
    )
    file = tmp_path / "n.yaml"
    file.write_text('night: {within: 1s}\ndefaults: {trials: 5}\njobs: [{matrix: {task: ["nasbench:cora"], seed: [0, 1, 2, 3]}}]', "utf-8")
    assert run_batch(file, tmp_path / "out").exit_code == 5
    assert drawn == [0, 4, 4]  # at the start, when they were dropped, at the end


def test_an_unreachable_provider_is_worth_another_try_and_a_missing_key_is_not(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.chdir(tmp_path)
    found = Checked(Job(name="a", settings={}), resolve({}), "digits", "", "cpu", {"planner": "openai:x@http://127.0.0.1:9/v1"})
    assert may_pass(found)
    assert not may_pass(found._replace(models={"planner": "openai:gpt-5-mini"}))
    assert not may_pass(found._replace(models={}))


def test_jobs_together_spend_no_more_than_the_night_may(tmp_path: Path) -> None:
    """Worst cases of calls are dear, so that the purse runs dry: the designs go on by rules."""
    with LLMServer(think, role_of=role_of) as server:
        name = f"openai:m@{server.url}"
        (tmp_path / "prices.json").write_text(json.dumps({name: {"input": 1.0, "output": 4.0}}), encoding="utf-8")
        file = tmp_path / "n.yaml"
        file.write_text(
            f"night: {{max_cost: 0.1, parallel: 2}}\n"
            f'defaults: {{memory_dir: none, trials: 12, prices: prices.json, llm: "{name}", task: "nasbench:cora"}}\n'
            "jobs: [{name: a}, {name: b, seed: 1, priority: 3}]",
            encoding="utf-8",
        )
        ended = run_batch(file, tmp_path / "out")
        assert ended.exit_code == 0
        assert server.history
    view = read_view(ended.folder)
    given = {event.job: event.max_cost for event in read_events(ended.folder) if isinstance(event, JobStarted)}
    assert given == {"b": pytest.approx(0.075), "a": pytest.approx(0.025)}
    cost = total_cost(standings(ended.folder, view))
    assert cost is not None
    assert 0 < cost <= 0.1


def test_a_job_that_was_stopped_with_its_batch_is_taken_up_at_once(tmp_path: Path) -> None:
    """Its exit code says that it was interrupted: that is no failure of its own."""
    file, folder = tmp_path / "n.yaml", tmp_path / "out"
    file.write_text('night: {within: 2m, retry_wait: 1h}\njobs: [{task: "nasbench:cora", trials: 5}]', encoding="utf-8")
    batch = read_batch(file)
    folder.mkdir()
    journal = BatchJournal(folder)
    journal.append(BatchStarted(file=str(file), jobs=batch.jobs, night=batch.night, deadline=time.time() + 120))
    journal.append(JobStarted(job="nasbench-cora", attempt=1))
    journal.close()
    where = job_folder(folder, "nasbench-cora")
    where.mkdir(parents=True)
    process.exit_file(where, 1).write_text("130", encoding="ascii")
    assert summary(folder, read_view(folder))["jobs"][0]["state"] == "cut off"
    assert run_batch(file, folder, resume=True).exit_code == 0
    state = read_view(folder).jobs["nasbench-cora"]
    assert (state.outcome, state.attempts, state.failures) == ("designed", 2, 0)


def test_a_jobs_own_limit_of_time_is_kept_to_the_second(tmp_path: Path) -> None:
    file = tmp_path / "n.yaml"
    file.write_text("night: {within: 5m}\njobs: [{task: digits, time: 1s, memory_dir: none}]", encoding="utf-8")
    ended = run_batch(file, tmp_path / "out")
    assert ended.exit_code == 5
    state = read_view(ended.folder).jobs["digits"]
    assert (state.outcome, state.attempts) == ("budget_ended", 1)
    assert "the time of 1 s ended before one training was over" in state.message
