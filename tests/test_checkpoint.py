"""A checkpoint is a convenience: the journal outlives its damage, and a full disk is one line."""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import agentnas
from agentnas.memory.runs import find
from agentnas.run import Run
from agentnas.tools.errors import RunError

LIMIT = 60_000


@pytest.fixture
def stopped(table_run: Run, tmp_path: Path) -> Run:
    """A run that was killed in the middle: half of its journal, and the checkpoint of its end."""
    shutil.copytree(table_run.path, tmp_path / table_run.name)
    journal = tmp_path / table_run.name / "events.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[: len(lines) // 2]))
    shutil.rmtree(journal.parent / "winner")
    (journal.parent / "report.md").unlink()
    return Run(find(tmp_path, table_run.name))


@pytest.mark.parametrize("junk", [b"junk" * 5000, b"SQLite format 3\x00" + b"\xff" * 8000], ids=["no database", "torn pages"])
def test_a_damaged_checkpoint_is_set_aside_and_the_run_ends_as_it_would_have(stopped: Run, table_run: Run, junk: bytes) -> None:
    checkpoint = stopped.path / "checkpoint.sqlite"
    for number in (1, 2):
        checkpoint.write_bytes(junk)
        run = agentnas.design(resume=stopped.name, runs_dir=stopped.path.parent)
        assert (stopped.path / f"checkpoint.sqlite.damaged-{number}").read_bytes() == junk
        assert f"it is kept as checkpoint.sqlite.damaged-{number}, and the run goes on from the journal" in run.view.notes[-1].message
        assert (run.winner, run.test_scores) == (table_run.winner, table_run.test_scores)
        assert run.view.num_evaluations == table_run.view.num_evaluations
        journal = stopped.path / "events.jsonl"
        journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:-4]))
        shutil.rmtree(stopped.path / "winner")


def test_a_disk_that_is_full_for_the_checkpoint_is_one_line(tmp_path: Path) -> None:
    """Files may not grow above some pages: the checkpoint gets there before the journal."""
    done = subprocess.run(
        [sys.executable, "-m", "agentnas.cli", "design", "--task", "nasbench:cora", "--trials", "4", "--runs-dir", str(tmp_path)],
        capture_output=True, text=True, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, LIMIT)),
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "unexpected" not in done.stderr
    line = next(line for line in done.stderr.splitlines() if line.startswith("agentnas: error: "))
    assert line.startswith(f"agentnas: error: cannot write {find(tmp_path, 'latest').path / 'checkpoint.sqlite'}: ")
    assert line.endswith("; make room or mend the disk, then resume the run")
    assert agentnas.design(resume="latest", runs_dir=tmp_path).exit_code == 0


@pytest.mark.parametrize("empty", [False, True])
def test_a_run_without_its_journal_does_not_begin_anew(stopped: Run, empty: bool) -> None:
    journal = stopped.path / "events.jsonl"
    journal.write_bytes(b"") if empty else journal.unlink()
    found = r"events\.jsonl is (missing|empty), though the run has checkpoint\.sqlite; restore it, or start a new run"
    with pytest.raises(RunError, match=found):
        agentnas.design(resume=stopped.name, runs_dir=stopped.path.parent)
    with pytest.raises(RunError, match=found):
        stopped.directory.view()
    assert not journal.exists() or not journal.stat().st_size
