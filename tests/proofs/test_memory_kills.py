"""The memory's writer is killed with SIGKILL, again and again: the store opens, and what the journals hold is all there."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agentnas.memory import events as ev
from agentnas.memory.keeping import reconcile
from agentnas.memory.rundir import RunDirectory
from agentnas.memory.runs import find, list_runs
from agentnas.memory.store import Store
from tests.memory.learning import CITESEER, GCN
from tests.memory.samples import finished, proposal, started

KILLS = 50 if os.environ.get("AGENTNAS_PROVE") == "1" else 3
RUNS, TRIALS = 12, 150  # together more than the index keeps before it goes to its files
LONGEST_S = 1.5
WRITER = """
import sys
from pathlib import Path
from agentnas.memory.keeping import reconcile
from agentnas.memory.store import Store
reconcile(Store(sys.argv[1]), Path(sys.argv[2]))
"""


def a_long_run(runs_dir: Path) -> str:
    """A run of many trials, whose process is gone."""
    directory = RunDirectory.create(runs_dir, "citeseer")
    trials = [f"t{number:04d}" for number in range(TRIALS)]
    with directory.journal() as journal:
        journal.append(started(task="citeseer", full=("full",)))
        journal.append(ev.TaskCarded(card=CITESEER.model_dump(mode="json")))
        drafts = tuple(proposal(trial, spec=GCN, text=f"gcn {trial} {directory.name}") for trial in trials)
        journal.append(ev.ProposalsDrafted(round=0, proposals=drafts))
        for number, trial in enumerate(trials):
            journal.append(finished(trial, val=60 + number / 10))
    return directory.name


def killed_while_writing(folder: Path, runs_dir: Path, delay: float) -> bool:
    """Let a process write all runs and kill it some time after it began to; whether it was still writing."""
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(folder), str(runs_dir)], start_new_session=True)
    while writer.poll() is None and not (folder / "writing").exists():
        time.sleep(0.005)
    try:
        writer.wait(delay)
    except subprocess.TimeoutExpired:
        os.killpg(writer.pid, signal.SIGKILL)
        writer.wait()
    return writer.returncode == -signal.SIGKILL


@pytest.mark.timeout(3600)
def test_nothing_is_lost_however_often_the_writer_is_killed(fresh_memory: Path, tmp_path: Path) -> None:
    runs_dir, rng = tmp_path / "runs", random.Random(0)
    names = [a_long_run(runs_dir) for _ in range(RUNS)]
    kills, repaired = 0, 0
    while kills < KILLS:
        kills += killed_while_writing(fresh_memory, runs_dir, rng.uniform(0, LONGEST_S))
        store = Store(str(fresh_memory))
        repaired += bool(store.shelf.repaired)
        assert store.recall(CITESEER, "gcn", 6)
        reconcile(store, runs_dir)
        found = {trial.id: trial.val for trial in store.trials_of("citeseer, public")}
        assert found == {f"{name}/t{n:04d}": 60 + n / 10 for name in names for n in range(TRIALS)}
        with store.shelf.reading():
            assert all(store.shelf._is_sound(name) for name in ("trials", "findings", "papers", "tasks"))
        store.close()
        for listing in list_runs(runs_dir):  # so that the next process has all of them to write again
            with find(runs_dir, listing.name).journal() as journal:
                journal.append(ev.Noted(message=f"kill {kills}"))
    print(f"{kills} kills, {repaired} indexes built anew")  # noqa: T201  # the figure that a proof is run for


@pytest.fixture
def fresh_memory(tmp_path: Path) -> Path:
    """A store that holds the shipped cards."""
    Store(str(tmp_path / "memory")).close()
    return tmp_path / "memory"
