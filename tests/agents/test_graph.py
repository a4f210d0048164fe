"""Whole runs of the graph over a table, from the first card to the report."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

import agentnas
from agentnas.agents import graph
from agentnas.memory import events as ev
from agentnas.memory.memory import InMemory
from agentnas.memory.runs import find
from agentnas.memory.view import JournalView
from agentnas.run import Run
from agentnas.tools.errors import AgentNASError, BudgetEndedError, ConstraintError, RunError
from agentnas.tools.evaluate.base import Outcome, Request
from agentnas.tools.evaluate.tabular import TabularEvaluator
from agentnas.tools.spec.canonical import spec_hash
from agentnas.tools.spec.model import parse_spec

TRIALS = 13


def design(runs_dir: Path, **settings: Any) -> Run:
    return agentnas.design(**{"task": "nasbench:cora", "trials": TRIALS, "seed": 5, "runs_dir": runs_dir, **settings})


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return design(tmp_path_factory.mktemp("runs"))


def kinds(run: Run) -> list[str]:
    return [event.type for event in run.events]


def latest(runs_dir: Path) -> Run:
    return Run(find(runs_dir, "latest"))


def test_a_run_is_designed_and_its_end_is_its_last_event(whole: Run) -> None:
    assert whole.exit_code == 0
    assert whole.view.finished is not None
    assert whole.view.finished.outcome == "designed"
    assert kinds(whole)[0] == "run_started"
    assert kinds(whole)[-1] == "run_finished"


def test_the_budget_of_trials_is_kept_exactly(whole: Run) -> None:
    assert whole.view.num_tried == TRIALS
    assert len(whole.view.proposals) == TRIALS


def test_the_test_is_opened_once_after_the_winner_is_in_the_journal(whole: Run) -> None:
    order = kinds(whole)
    assert order.count("winner_chosen") == order.count("test_opened") == 1
    assert order.index("winner_chosen") < order.index("test_opened")


def test_the_test_column_is_not_read_before_the_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[bool] = []
    chosen: list[ev.AnyEvent] = []
    honest = agentnas.tools.tasks.nasbench.NasBenchTable.test

    def watched(table: Any, key: int) -> float:
        read.append(any(isinstance(event, ev.WinnerChosen) for event in chosen))
        return honest(table, key)

    monkeypatch.setattr("agentnas.tools.tasks.nasbench.NasBenchTable.test", watched)
    design(tmp_path, trials=6, on_event=chosen.append)
    assert read
    assert all(read)


def test_proposals_cite_only_what_existed_when_they_were_made(whole: Run) -> None:
    view = JournalView()
    memory, cited = InMemory(view), 0
    for event in whole.events:
        for proposal in event.proposals if isinstance(event, ev.ProposalsDrafted) else ():
            assert proposal.evidence, f"{proposal.trial} rests on nothing"
            assert [name for name in proposal.evidence if memory.get(name) is None] == []
            cited += len(proposal.evidence)
        view.apply(event)
    assert cited >= TRIALS


def test_anchors_come_first_and_no_spec_is_tried_twice(whole: Run) -> None:
    proposals = list(whole.view.proposals.values())
    anchors = [bool(proposal.anchor) for proposal in proposals]
    assert anchors == sorted(anchors, reverse=True)
    assert sum(anchors) == 5
    assert len({spec_hash(parse_spec(proposal.spec)) for proposal in proposals}) == TRIALS


def test_each_round_is_recalled_planned_drafted_evaluated_and_analysed(whole: Run) -> None:
    order = [event for event in whole.events if getattr(event, "round", None) is not None]
    for round_ in range(3):
        steps = [event.type for event in order if getattr(event, "round", None) == round_]
        assert steps == ["evidence_recalled", "plan_made", "proposals_drafted", "findings_made"]


def test_the_same_seed_makes_the_same_run_and_another_seed_another(whole: Run, tmp_path: Path) -> None:
    again, other = design(tmp_path), design(tmp_path, seed=6)
    assert list(again.view.proposals.values()) == list(whole.view.proposals.values())
    assert again.winner == whole.winner
    assert again.test_scores == whole.test_scores
    assert list(other.view.proposals.values()) != list(whole.view.proposals.values())


def test_an_anchor_that_is_left_out_is_not_tried(tmp_path: Path) -> None:
    run = design(tmp_path, trials=6, without_anchor=("gat", "gin"))
    assert {p.name for p in run.view.proposals.values() if p.anchor} == {"gcn", "sage", "fc"}


def ended(runs_dir: Path, error: type[AgentNASError], **settings: Any) -> tuple[Run, AgentNASError]:
    with pytest.raises(error) as caught:
        design(runs_dir, **settings)
    run = latest(runs_dir)
    assert run.view.finished is not None
    assert run.events[-1] == run.view.finished
    assert run.view.finished.exit_code == run.exit_code == caught.value.exit_code
    assert run.view.finished.message == str(caught.value)
    assert (run.path / "report.md").read_text(encoding="utf-8").count("**No design was found**") == 1
    assert "test_opened" not in kinds(run)
    return run, caught.value


def test_limits_that_nothing_meets_end_as_such(tmp_path: Path) -> None:
    run, error = ended(tmp_path, ConstraintError, max_params=10)
    assert run.view.finished is not None
    assert (error.exit_code, run.view.finished.outcome) == (3, "no_design_fits")
    assert "--max-params 10" in str(error)
    assert "> 10; loosen a limit" in str(error)
    assert run.view.num_evaluations == 0


def test_limits_that_need_measuring_end_as_such_within_bounded_rounds(tmp_path: Path) -> None:
    run, error = ended(tmp_path, ConstraintError, max_latency_ms=1e-6, trials=None, time=None)
    assert error.exit_code == 3
    assert len(run.view.rounds) <= 6


def test_every_design_of_a_limited_run_is_within_the_limit(tmp_path: Path) -> None:
    limit = 600_000
    run = design(tmp_path, max_params=limit)
    view = run.view
    assert view.rejected, "one anchor is larger"
    evaluated = [trial for trial in view.proposals if view.evaluations(trial)]
    assert evaluated
    assert all(view.profiles[trial]["parameters"] <= limit for trial in evaluated)
    assert run.winner in evaluated
    assert view.num_tried == TRIALS, "what was rejected costs no trial"


Evaluate = Callable[[TabularEvaluator, list[Request], Callable[[], bool]], Iterator[Outcome]]


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Request], bool]], None]:
    """Let evaluations fail where a test says so."""
    honest: Evaluate = TabularEvaluator.evaluate

    def _failing(fails: Callable[[Request], bool]) -> None:
        def evaluate(self: TabularEvaluator, requests: list[Request], stop: Callable[[], bool]) -> Iterator[Outcome]:
            for outcome in honest(self, requests, stop):
                bad = fails(outcome.request)
                yield Outcome(outcome.request, None, 0.1, failure="crashed", reason="signal 11") if bad else outcome

        monkeypatch.setattr(TabularEvaluator, "evaluate", evaluate)

    return _failing


def test_a_run_in_which_everything_fails_says_so(tmp_path: Path, failing: Any) -> None:
    failing(lambda request: True)
    run, error = ended(tmp_path, RunError)
    assert (error.exit_code, str(error)) == (1, f"all {TRIALS} trials failed, the first by crashed: signal 11")
    assert len(run.view.failed_trials()) == TRIALS


def test_a_run_survives_what_fails_in_it(tmp_path: Path, failing: Any) -> None:
    failing(lambda request: int(request.trial[1:]) % 2 == 0)
    run = design(tmp_path)
    assert run.exit_code == 0
    assert int(str(run.winner)[1:]) % 2 == 1
    assert run.view.num_tried == TRIALS
    assert "t0002 table seed 0: crashed: signal 11" in run.report()


def test_time_that_ends_before_any_result_is_5_and_more_time_goes_on_with_the_same_round(tmp_path: Path) -> None:
    run, error = ended(tmp_path, BudgetEndedError, trials=None, time="0.001s")
    assert (error.exit_code, run.view.num_evaluations) == (5, 0)
    again = agentnas.design(resume="latest", time="1h", trials=7, runs_dir=tmp_path)
    assert again.exit_code == 0
    assert again.view.num_tried == 7
    assert all(again.view.state(trial) == "done" for trial in run.view.proposals), "anchors that were drafted are not lost"


@pytest.mark.parametrize("moment", [1, 5, 12])
def test_a_run_that_was_asked_to_stop_goes_on_to_the_same_winner(whole: Run, tmp_path: Path, moment: int) -> None:
    stop, seen = threading.Event(), []

    def stop_in_time(event: ev.AnyEvent) -> None:
        seen.append(event.type)
        if seen.count("evaluation_finished") == moment:
            stop.set()

    stopped = design(tmp_path, stop=stop, on_event=stop_in_time)
    assert stopped.exit_code == 130
    assert stopped.view.interrupted is not None
    assert stopped.view.num_evaluations == moment
    resumed = agentnas.design(resume=stopped.name, runs_dir=tmp_path)
    assert resumed.name == stopped.name
    assert resumed.exit_code == 0
    assert [e for e in resumed.events if isinstance(e, ev.ProposalsDrafted)] != []
    assert list(resumed.view.proposals.values()) == list(whole.view.proposals.values())
    assert (resumed.winner, resumed.test_scores) == (whole.winner, whole.test_scores)
    assert kinds(resumed).count("evaluation_finished") == kinds(whole).count("evaluation_finished"), "nothing is evaluated twice"
    assert resumed.view.resumes == 1


def test_a_stop_at_the_end_of_the_search_adds_no_round(whole: Run, tmp_path: Path) -> None:
    stop = threading.Event()

    def stop_after_last_round(event: ev.AnyEvent) -> None:
        if isinstance(event, ev.FindingsMade) and event.round == 2:
            stop.set()

    stopped = design(tmp_path, stop=stop, on_event=stop_after_last_round)
    assert stopped.exit_code == 130
    resumed = agentnas.design(resume=stopped.name, runs_dir=tmp_path)
    assert list(resumed.view.rounds) == list(whole.view.rounds)
    assert resumed.winner == whole.winner


def test_a_finished_run_is_returned_as_it_is(whole: Run) -> None:
    before = (whole.path / "events.jsonl").read_bytes()
    (whole.path / "report.md").unlink()
    again = agentnas.design(resume=whole.name, runs_dir=whole.path.parent)
    assert again.winner == whole.winner
    assert (whole.path / "events.jsonl").read_bytes() == before
    assert (whole.path / "report.md").read_text(encoding="utf-8") == whole.report()


def test_the_graph_is_the_picture_at_the_top_of_its_file() -> None:
    picture = str(graph.__doc__).split("\n\n")[1]
    drawn = {word for word in re.findall(r"[a-z_]+", picture) if word not in ("rejected", "another", "round")}
    built = graph.build_graph(Mock())
    edges = {(first, second) for first, second in built.edges if "__" not in first + second}
    choices = {(node, target) for node, by_name in built.branches.items() for branch in by_name.values() for target in branch.ends.values()}
    forward = re.findall(r"[a-z_]+", picture.splitlines()[0].split("-+->")[0])
    assert set(built.nodes) == drawn
    assert set(pairwise(forward)) <= edges | choices
    assert {("review", "plan"), ("remember", "recall"), ("remember", "confirm")} <= choices
    assert {("choose", "open_test"), ("open_test", "baselines"), ("baselines", "export"), ("export", "report")} <= edges
