"""Runs on a real Ray cluster of two nodes end as the run on this machine did, though a node dies, or a person stops them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentnas.memory import events as ev
from agentnas.memory.journal import Journal
from agentnas.run import Run
from tests.proofs.test_kills import outcome
from tests.quick import FLAGS
from tests.tools.ray_clusters import cluster
from tests.waiting import until

REPOSITORY = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def made() -> Iterator[Any]:
    with cluster(2) as nodes:
        yield nodes


def started(*words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.quick", "design", *words]
    return subprocess.Popen(
        command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )  # fmt: skip


def evaluations(runs_dir: Path) -> int:
    files = list(runs_dir.glob("*/events.jsonl"))
    return sum(isinstance(event, ev.EvaluationFinished) for event in Journal.read(files[0])) if files else 0


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def noise(stderr: str) -> list[str]:
    """Lines that are not the command's own."""
    return [line for line in stderr.splitlines() if "ray" in line.lower() and not line.startswith("to go on") and "--executor" not in line]


def test_a_run_that_loses_a_node_ends_as_the_run_on_this_machine(made: Any, live_run: Run, tmp_path: Path) -> None:
    with started(*FLAGS, "--workers", "2", "--executor", f"ray:{made.address}", "--runs-dir", str(tmp_path)) as run:
        assert until(lambda: evaluations(tmp_path) >= 3, 120)
        made.remove_node(next(iter(made.worker_nodes)), allow_graceful=False)
        code, out, err = ended(run)
    assert code == 0, err
    assert noise(err) == []
    assert out.count("test ") == 1
    assert "raylet" not in out
    assert outcome(tmp_path) == outcome(live_run.path.parent)
    assert list(tmp_path.glob("*/weights/*.pt")), "weights come back to the run's directory"


@pytest.mark.prove
def test_a_run_that_is_stopped_on_a_cluster_goes_on_without_one(made: Any, live_run: Run, tmp_path: Path) -> None:
    with started(*FLAGS, "--workers", "2", "--executor", f"ray:{made.address}", "--runs-dir", str(tmp_path)) as run:
        assert until(lambda: evaluations(tmp_path) >= 2, 120)
        os.killpg(run.pid, signal.SIGINT)
        code, out, err = ended(run)
    assert code == 130, err
    assert "interrupted" in out
    assert "Traceback" not in err
    assert noise(err) == []
    kept = evaluations(tmp_path)
    with started("--resume", "latest", "--executor", "local", "--runs-dir", str(tmp_path)) as again:
        code, _, err = ended(again)
    assert code == 0, err
    assert evaluations(tmp_path) > kept
    assert outcome(tmp_path) == outcome(live_run.path.parent)


@pytest.mark.prove
def test_interrupting_twice_stops_at_once_and_leaves_no_actor(made: Any, tmp_path: Path) -> None:
    with started(*FLAGS, "--workers", "2", "--executor", f"ray:{made.address}", "--runs-dir", str(tmp_path)) as run:
        assert until(lambda: evaluations(tmp_path) >= 1, 120)
        os.killpg(run.pid, signal.SIGINT)
        os.killpg(run.pid, signal.SIGINT)
        before = time.monotonic()
        code, _, err = ended(run)
    assert code in (1, 130), err
    assert time.monotonic() - before < 20
    assert "Traceback" not in err
    assert "to go on: agentnas design --resume" in err


def test_the_loss_of_the_head_is_one_line_and_how_to_go_on(made: Any, tmp_path: Path) -> None:
    address = made.address
    with started(*FLAGS, "--workers", "1", "--executor", f"ray:{address}", "--runs-dir", str(tmp_path), "--trials", "60") as run:
        assert until(lambda: evaluations(tmp_path) >= 1, 120)
        made.remove_node(made.head_node, allow_graceful=False)
        code, _, err = ended(run)
    told = [line for line in err.splitlines() if "error:" in line]
    assert code == 1, err
    assert len(told) == 1
    assert f"the head of the cluster at {address} answers no more" in told[0]
    assert err.splitlines()[-1].startswith("to go on: agentnas design --resume")
    assert "Traceback" not in err
