"""Who feeds the workers: beside the graph where time bounds a run, in turn with it where trials do; nothing is lost or repeated."""

from __future__ import annotations

import shutil
import threading
import time
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import agentnas
from agentnas.agents.analyst import RuleAnalyst
from agentnas.agents.planner import RulePlanner
from agentnas.agents.roles import Analysis, Plan
from agentnas.agents.situation import Situation
from agentnas.memory import events as ev
from agentnas.memory.runs import find
from agentnas.run import Run
from agentnas.tools.errors import RunError
from tests.agents.pretended import PretendedEvaluator, pretend

THINKING_S = 0.1
ROUNDS = 3
# Time that no slow machine uses up: the analyst ends these runs.
TIMED: dict[str, Any] = {"time": "1h", "seed": 3}


@pytest.fixture
def evaluator(monkeypatch: pytest.MonkeyPatch) -> PretendedEvaluator:
    made = PretendedEvaluator()
    pretend(monkeypatch, made)
    honest = RulePlanner.plan

    def slowly(self: RulePlanner, situation: Situation) -> Plan:
        time.sleep(THINKING_S)
        return honest(self, situation)

    monkeypatch.setattr(RulePlanner, "plan", slowly)
    analyse = RuleAnalyst.analyse

    def ending(self: RuleAnalyst, situation: Situation) -> Analysis:
        made = analyse(self, situation)
        return replace(made, verdict="stop") if situation.left.trials is None and situation.round + 1 >= ROUNDS else made

    monkeypatch.setattr(RuleAnalyst, "analyse", ending)
    return made


def design(runs_dir: Path, **settings: Any) -> Run:
    return agentnas.design(**{"task": "digits", "runs_dir": runs_dir, **settings})


def while_thinking(run: Run) -> int:
    """Evaluations that came in between the analysis of a round and the drafts of the next."""
    count, thinking = 0, False
    for event in run.events:
        thinking = isinstance(event, ev.FindingsMade) or (thinking and not isinstance(event, ev.ProposalsDrafted | ev.FinalistsChosen))
        count += thinking and isinstance(event, ev.EvaluationFinished)
    return count


def nothing_twice(run: Run) -> None:
    evaluations = Counter((e.trial, e.rung, e.seed) for e in run.events if isinstance(e, ev.EvaluationFinished))
    assert set(evaluations.values()) == {1}


def test_a_run_bounded_by_time_trains_while_its_agents_think(evaluator: PretendedEvaluator, tmp_path: Path) -> None:
    run = design(tmp_path, **TIMED)
    assert run.exit_code == 0
    assert len(run.view.rounds) == ROUNDS
    assert while_thinking(run) > 0
    nothing_twice(run)
    for first, second in pairwise(sorted(run.view.rounds)):
        drafted = next(i for i, e in enumerate(run.events) if isinstance(e, ev.ProposalsDrafted) and e.round == second)
        seen = {e.trial for e in run.events[:drafted] if isinstance(e, ev.EvaluationFinished)}
        assert seen >= set(run.view.rounds[first]), "each trial has shown something before the next round is drafted"


def test_a_run_bounded_by_trials_shows_its_agents_whole_rounds_and_is_the_same_with_any_workers(
    evaluator: PretendedEvaluator, tmp_path: Path
) -> None:
    runs = []
    for workers in (1, 4):
        evaluator.workers = workers
        runs.append(design(tmp_path / str(workers), trials=24, seed=3))
        assert while_thinking(runs[-1]) == 0
        nothing_twice(runs[-1])
    assert len({tuple(run.view.proposals) for run in runs}) == 1
    assert len({(run.winner, tuple(run.test_scores[str(run.winner)])) for run in runs}) == 1
    assert len({frozenset((e.trial, e.rung, e.seed) for e in run.events if isinstance(e, ev.EvaluationFinished)) for run in runs}) == 1
    assert len({frozenset(e.reason for e in run.events if isinstance(e, ev.SeedsStopped)) for run in runs}) == 1


def test_what_the_race_stops_is_told_and_the_winner_and_the_anchors_have_all_seeds(evaluator: PretendedEvaluator, tmp_path: Path) -> None:
    run = design(tmp_path, trials=24, seed=1)
    stopped = [e for e in run.events if isinstance(e, ev.SeedsStopped)]
    assert stopped
    assert all(event.difference < 0 and event.seeds < event.planned for event in stopped)
    assert {event.trial for event in stopped}.isdisjoint(run.test_scores)
    assert {len(scores) for scores in run.test_scores.values()} == {evaluator.confirm_seeds}
    assert run.view.winner is not None
    assert run.view.winner.seeds == evaluator.confirm_seeds


@pytest.mark.parametrize("settings", [{"trials": 16}, {"max_latency_ms": 5.0}])
def test_agents_do_not_think_ahead_where_trials_or_timings_forbid_it(
    evaluator: PretendedEvaluator, settings: dict[str, Any], tmp_path: Path
) -> None:
    run = design(tmp_path, **TIMED, **settings)
    assert run.exit_code == 0
    assert while_thinking(run) == 0


def test_what_breaks_beside_the_graph_ends_the_run_with_its_reason(evaluator: PretendedEvaluator, tmp_path: Path) -> None:
    def break_it(event: ev.AnyEvent) -> None:
        if isinstance(event, ev.FindingsMade):
            evaluator.fault = RunError("worker processes do not start: no room")

    with pytest.raises(RunError, match="no room"):
        design(tmp_path, on_event=break_it, **TIMED)
    run = Run(find(tmp_path, "latest"))
    assert isinstance(run.events[-1], ev.RunFinished)
    assert run.view.finished is not None
    assert run.view.finished.message == "worker processes do not start: no room"


@pytest.mark.parametrize("moment", [ev.PlanMade, ev.EvaluationFinished, ev.FindingsMade, ev.ProposalsDrafted])
def test_a_run_that_is_stopped_keeps_what_runs_and_goes_on_later(
    evaluator: PretendedEvaluator, moment: type[ev.Event], tmp_path: Path
) -> None:
    stop, seen = threading.Event(), []

    def stop_in_time(event: ev.AnyEvent) -> None:
        seen.append(type(event))
        if isinstance(event, moment) and seen.count(ev.FindingsMade) >= 1:
            stop.set()

    run = design(tmp_path, stop=stop, on_event=stop_in_time, **TIMED)
    assert run.exit_code == 130
    assert isinstance(run.events[-1], ev.RunInterrupted)
    kept = {(r.trial, r.rung, r.seed) for r in evaluator.begun}
    assert kept == {(e.trial, e.rung, e.seed) for e in run.events if isinstance(e, ev.EvaluationFinished)}, "what ran was finished"
    again = agentnas.design(resume=run.name, runs_dir=tmp_path)
    assert again.exit_code == 0
    nothing_twice(again)


def test_a_process_that_is_told_to_leave_at_once_ends_its_trainings(
    evaluator: PretendedEvaluator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def leave(event: ev.AnyEvent) -> None:
        if isinstance(event, ev.FindingsMade):
            raise KeyboardInterrupt

    evaluator.seconds = 0.3
    with pytest.raises(KeyboardInterrupt):
        design(tmp_path, on_event=leave, **TIMED)
    assert evaluator.closed
    assert not any(isinstance(event, ev.EvaluationFailed) for event in Run(find(tmp_path, "latest")).events), "ended is not failed"
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("feeder")]


def test_a_kill_after_any_event_loses_nothing_and_repeats_nothing(evaluator: PretendedEvaluator, tmp_path: Path) -> None:
    """A journal that ends after each event in turn is taken up by a new process that has nothing else."""
    whole = design(tmp_path / "whole", **TIMED)
    lines = (whole.path / "events.jsonl").read_bytes().splitlines(keepends=True)
    moments = range(6, len(lines) - 3, max(1, len(lines) // 4))
    for moment in moments:
        folder = tmp_path / str(moment) / whole.name
        shutil.copytree(whole.path, folder, ignore=shutil.ignore_patterns("checkpoint*", "report*"))
        (folder / "events.jsonl").write_bytes(b"".join(lines[:moment]))
        run = agentnas.design(resume=whole.name, runs_dir=folder.parent)
        assert run.exit_code == 0
        assert (folder / "events.jsonl").read_bytes().startswith(b"".join(lines[:moment]))
        nothing_twice(run)
