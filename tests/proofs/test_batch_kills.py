"""A night that is killed, twice, and stopped once ends as every night: each job with its outcome, nothing lost, nothing twice, one page."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest

from agentnas.batch.folder import job_run, read_view, runs_dir
from agentnas.batch.journal import BatchStarted, BatchView, JobStarted, read_events
from agentnas.batch.process import LOCK_FILE, is_alive
from agentnas.memory import events as ev
from agentnas.memory.journal import Journal
from agentnas.memory.runs import list_runs

REPOSITORY = Path(__file__).resolve().parents[2]
FULL = os.environ.get("AGENTNAS_PROVE") == "1"
NIGHT = "night: {within: 30m, parallel: 2, retries: 1, retry_wait: 1s}\ndefaults: {memory_dir: none, confirm_seeds: 2}\njobs:\n"
# The table's searches are quick, the live ones train; one has too little time for a single trial, one can meet no limit, one crashes.
TABLES = ["cora", "citeseer", "pubmed", "cs", "photo", "computers"] if FULL else ["cora"]
JOBS = {
    **{f"table-{name}": f"task: nasbench:{name}, trials: 15" for name in TABLES},
    **{f"live-{seed}": f"task: digits, trials: {6 if FULL else 4}, seed: {seed}" for seed in range(3 if FULL else 1)},
    "crashes": "task: nasbench:cora, trials: 5",
    "out-of-budget": "task: digits, time: 1s",
    "impossible": "task: digits, trials: 4, max_params: 2, time: 3s",
}  # fmt: skip


def file_of(folder: Path, jobs: dict[str, str]) -> Path:
    path = folder / "night.yaml"
    path.write_text(NIGHT + "".join(f"  - {{name: {name}, {words}}}\n" for name, words in jobs.items()), encoding="utf-8")
    return path


class Batch:
    """A batch as a process that is killed and resumed."""

    def __init__(self, folder: Path) -> None:
        self.path, self.folder = file_of(folder, JOBS), folder / "out"
        self.process: subprocess.Popen[str] | None = None
        self.before: list[Any] = []

    def launch(self, *words: str) -> None:
        command = [sys.executable, "-m", "tests.batch.night", "run", str(self.path), "--folder", str(self.folder), *words]
        self.process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    @property
    def view(self) -> BatchView:
        return BatchView(read_events(self.folder))

    def wait_for(self, reached: Any, seconds: float = 120.0) -> None:
        """Wait until the journal says so; fails where the batch ends first."""
        deadline = time.monotonic() + seconds
        while not reached(self.view):
            assert self.process is not None
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < deadline, "the moment did not come"
            time.sleep(0.05)

    def kill(self, *, with_jobs: bool) -> None:
        """Kill the batch's process by SIGKILL; its jobs go on, or die with it as at a power cut."""
        assert self.process is not None
        children = psutil.Process(self.process.pid).children(recursive=True) if with_jobs else []
        self.process.kill()
        for child in children:
            child.kill()
        self.process.communicate()
        self.check_kept()

    def end(self) -> tuple[int, str, str]:
        assert self.process is not None
        out, err = self.process.communicate(timeout=900)
        self.check_kept()
        return self.process.returncode, out, err

    def check_kept(self) -> None:
        after = read_events(self.folder)
        assert after[: len(self.before)] == self.before, "an event that was on disk is gone"
        self.before = after


def is_searching(folder: Path, name: str) -> bool:
    """Whether a job's run has evaluated something."""
    run = job_run(folder, name).run
    return run is not None and run.view.num_evaluations > 0


def evaluations_twice(folder: Path, name: str) -> list[Any]:
    """Evaluations of a job's runs that were made twice; in one run, or by a second run of the same job."""
    counted: Counter[Any] = Counter()
    for listed in list_runs(runs_dir(folder, name)):
        done = Journal.read(listed.path / "events.jsonl") if (listed.path / "events.jsonl").exists() else []
        counted.update((e.trial, e.rung, e.seed, e.split) for e in done if isinstance(e, ev.EvaluationFinished))
    return [key for key, times in counted.items() if times > 1]


@pytest.mark.timeout(3600)
def test_a_night_with_kills_ends_with_all_outcomes(tmp_path: Path) -> None:
    batch = Batch(tmp_path)
    batch.launch()
    batch.wait_for(lambda view: "live-0" in view.jobs and is_searching(batch.folder, "live-0"))
    # One job is killed alone: the batch tries it again. Its run is taken up where it was.
    view = batch.view
    victim = view.jobs["live-0"]
    assert victim.running is not None
    process_of(batch.folder, "live-0").kill()
    batch.wait_for(lambda view: view.jobs["live-0"].attempts == 2 and view.jobs["live-0"].running is not None)
    # The batch alone dies: its jobs go on, and whoever resumes finds them.
    batch.kill(with_jobs=False)
    alive = {name for name in JOBS if is_alive(batch.folder / "jobs" / name)}
    assert alive
    batch.launch("--resume")
    batch.wait_for(lambda view: view.resumes == 1)
    time.sleep(1.0)
    # Everything dies at once, as at a power cut.
    batch.kill(with_jobs=True)
    batch.launch("--resume")
    batch.wait_for(lambda view: view.resumes == 2 and any(state.running for state in view.jobs.values()))
    assert batch.process is not None
    batch.process.send_signal(signal.SIGTERM)
    code, _, err = batch.end()
    # On a quick machine the last jobs may have ended by themselves before the signal came.
    assert code == 130 or not [name for name, state in batch.view.jobs.items() if state.running], err
    assert code != 130 or err.strip().splitlines()[-1] == f"to go on: agentnas batch {batch.path} --resume --folder {batch.folder}"
    assert not [name for name in JOBS if is_alive(batch.folder / "jobs" / name)]
    batch.launch("--resume")
    code, out, err = batch.end()
    assert code == 1, err  # one job crashed

    view = read_view(batch.folder)
    outcomes = {name: state.outcome for name, state in view.jobs.items()}
    assert outcomes.pop("impossible") in ("no_design_fits", "budget_ended")
    ends = {"crashes": "failed", "out-of-budget": "budget_ended"}
    assert outcomes == {name: ends.get(name, "designed") for name in JOBS if name != "impossible"}
    assert {name: twice for name in JOBS if (twice := evaluations_twice(batch.folder, name))} == {}
    assert [name for name in JOBS if len([run for run in list_runs(runs_dir(batch.folder, name)) if run.outcome == "designed"]) > 1] == []
    assert sum(isinstance(event, BatchStarted) for event in read_events(batch.folder)) == 1
    assert is_never_doubled(batch.folder)
    page = (batch.folder / "report.html").read_text(encoding="utf-8")
    assert all(f">{name}" in page for name in JOBS)
    assert f"{len(JOBS) - 3} of {len(JOBS)} jobs found a design" in page
    print(f"{len(JOBS)} jobs, {len(read_events(batch.folder))} events, exit code {code}\n{out}")  # noqa: T201  # the figure of the proof


def process_of(folder: Path, name: str) -> psutil.Process:
    return psutil.Process(json.loads((folder / "jobs" / name / LOCK_FILE).read_bytes())["pid"])


def is_never_doubled(folder: Path) -> bool:
    """No attempt began before the one before it had ended."""
    running: set[str] = set()
    for event in read_events(folder):
        if isinstance(event, JobStarted):
            if event.job in running:
                return False
            running.add(event.job)
        elif event.type in ("job_ended", "job_dropped"):
            running.discard(event.job)
    return True
