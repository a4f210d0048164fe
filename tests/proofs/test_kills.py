"""A run that is killed with SIGKILL, again and again, ends as the run that was not: nothing lost, nothing twice, the same winner."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from agentnas.memory import events as ev
from agentnas.memory.journal import Journal
from agentnas.memory.runs import list_runs
from agentnas.run import Run
from tests.quick import LIVE

REPOSITORY = Path(__file__).resolve().parents[2]
FULL = os.environ.get("AGENTNAS_PROVE") == "1"
TABLE = {"task": "nasbench:cora", "trials": 20, "seed": 3}
# The kinds of events that a run writes, and how often each comes in these runs at least.
KINDS = {
    "task_carded": 1, "evidence_recalled": 2, "plan_made": 2, "proposals_drafted": 2, "trial_priced": 10, "evaluation_finished": 10,
    "findings_made": 2, "winner_chosen": 1, "test_opened": 1, "exported": 1,
}  # fmt: skip
ORDER = ("task_carded", "evidence_recalled", "plan_made", "proposals_drafted", "trial_priced", "evaluation_finished", "rung_correlation",
         "findings_made", "finalists_chosen", "winner_chosen", "test_opened", "exported")  # fmt: skip
LIVE_KINDS = {kind: KINDS.get(kind, 1) for kind in ORDER}


def moments(kinds: dict[str, int], count: int, rng: random.Random) -> list[tuple[str, int, float]]:
    """Moments spread over all kinds of events; each is still to come when those of earlier kinds have passed.

    An evaluation, of which there are many, is also killed some time after its event; the others right after theirs.
    """
    names = list(kinds)
    rng.shuffle(names)
    chosen = [names[i % len(names)] for i in range(count)]
    return [(kind, rng.randint(1, 2), rng.choice((0.0, 0.02, 0.3))) if kind == "evaluation_finished" else (kind, 1, 0.0) for kind in chosen]


def launch(settings: dict[str, Any], runs_dir: Path, kind: str = "-", count: int = 0, delay: float = 0.0) -> int:
    """Run in a process group of its own; the exit status, -9 where it was killed."""
    command = [
        sys.executable,
        "-m",
        "tests.proofs.killed_run",
        json.dumps({**settings, "runs_dir": str(runs_dir)}),
        kind,
        str(count),
        str(delay),
    ]
    done = subprocess.run(command, cwd=REPOSITORY, start_new_session=True, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode in (0, -9), done.stderr
    return done.returncode


def outcome(runs_dir: Path) -> tuple[str, tuple[float, ...]]:
    """The winner's canonical hash and its test scores; fails on a lost or repeated evaluation."""
    (run,) = list_runs(runs_dir)
    events = Journal.read(run.path / "events.jsonl")
    evaluations = Counter((e.trial, e.rung, e.seed, e.split) for e in events if isinstance(e, ev.EvaluationFinished))
    assert not [key for key, times in evaluations.items() if times > 1], "an evaluation was run twice"
    chosen = next(e.trial for e in events if isinstance(e, ev.WinnerChosen))
    proposals = {p.trial: p for e in events if isinstance(e, ev.ProposalsDrafted) for p in e.proposals}
    tests = next(e for e in events if isinstance(e, ev.TestOpened))
    return proposals[chosen].spec_hash, tuple(tests.scores[chosen].values())


def kept(before: list[Any], after: list[Any]) -> bool:
    """Whether every event that was on disk before is still there, in its place."""
    return after[: len(before)] == before


def killed_again_and_again(settings: dict[str, Any], runs_dir: Path, chosen: list[tuple[str, int, float]]) -> int:
    """Kill a run at each moment, resuming between; then let it end. How many kills took place."""
    kills = 0
    before: list[Any] = []
    started: dict[str, Any] = {}
    for kind, count, delay in chosen:
        status = launch({**settings, **started}, runs_dir, kind, count, delay)
        kills += status == -9
        runs = list_runs(runs_dir)
        if runs and (runs[0].path / "events.jsonl").exists():
            after = Journal.read(runs[0].path / "events.jsonl")
            assert kept(before, after), "an event that was on disk is gone"
            before, started = after, {"resume": "latest"}
    launch({**settings, **started}, runs_dir)
    return kills


@pytest.fixture(scope="module")
def whole(live_run: Run, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, tuple[float, ...]]]:
    """Outcomes of the same runs, never killed."""
    folder = tmp_path_factory.mktemp("table")
    launch(TABLE, folder)
    return {"table": outcome(folder), "live": outcome(live_run.path.parent)}


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", list(KINDS))
def test_a_table_run_killed_at_one_kind_of_event_ends_as_the_whole_one(
    kind: str, whole: dict[str, tuple[str, tuple[float, ...]]], tmp_path: Path
) -> None:
    if not FULL and kind not in ("proposals_drafted", "evaluation_finished", "winner_chosen"):
        pytest.skip("one of the kinds that make prove kills at")
    assert killed_again_and_again(TABLE, tmp_path, [(kind, KINDS[kind], 0.0)]) == 1
    assert outcome(tmp_path) == whole["table"]


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("workers", [1, 2])
def test_a_live_run_killed_at_many_moments_ends_as_the_whole_one(
    workers: int, whole: dict[str, tuple[str, tuple[float, ...]]], tmp_path: Path
) -> None:
    count = 20 if FULL else 2
    chosen, order = moments(LIVE_KINDS, count, random.Random(workers)), list(LIVE_KINDS)
    kills = 0
    for index in range(0, count, 5):
        folder = tmp_path / str(index)
        in_turn = sorted(chosen[index : index + 5], key=lambda moment: order.index(moment[0]))
        kills += killed_again_and_again({**LIVE, "workers": workers}, folder, in_turn)
        assert outcome(folder) == whole["live"]
    print(f"{kills} kills with {workers} workers")  # noqa: T201  # the figure that a proof is run for
    assert kills == count, "each moment must come before the run's end"
