"""People in the loop: reviews of plans and messages to the planner, in whole runs, across stops and kills."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import agentnas
from agentnas.agents.people import UNREAD, messages
from agentnas.agents.planner import RulePlanner
from agentnas.agents.roles import Plan
from agentnas.agents.situation import Situation
from agentnas.memory import events as ev
from agentnas.memory.inbox import leave_message, leave_review
from agentnas.memory.rundir import RunDirectory
from agentnas.memory.runs import find, list_runs
from agentnas.memory.view import JournalView
from agentnas.run import Run
from tests.memory.samples import started

REPOSITORY = Path(__file__).resolve().parents[2]
SETTINGS: dict[str, Any] = {"task": "nasbench:cora", "trials": 8, "seed": 5}
Answer = Callable[[RunDirectory, ev.PlanMade], Any]


def accept(run: RunDirectory, plan: ev.PlanMade) -> None:
    leave_review(run, plan, "accepted")


def reviewed(runs_dir: Path, answer: Answer, **settings: Any) -> Run:
    """A run whose plans are answered the moment they wait."""

    def listen(event: ev.AnyEvent) -> None:
        if isinstance(event, ev.ReviewAwaited):
            directory = find(runs_dir, "latest")
            answer(directory, directory.view().plans[event.round])

    return agentnas.design(**{**SETTINGS, "review": True, "runs_dir": runs_dir, **settings}, on_event=listen)


def of_type(run: Run, *kinds: str) -> list[Any]:
    return [event for event in run.events if event.type in kinds]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return agentnas.design(**SETTINGS, runs_dir=tmp_path_factory.mktemp("whole"))


def test_a_run_whose_plans_are_all_accepted_ends_as_one_without_review(whole: Run, tmp_path: Path) -> None:
    run = reviewed(tmp_path, accept)
    steps = [(event.type, event.round) for event in of_type(run, "plan_made", "review_awaited", "plan_reviewed", "proposals_drafted")]
    assert steps == [
        (kind, round_) for round_ in range(2) for kind in ("plan_made", "review_awaited", "plan_reviewed", "proposals_drafted")
    ]  # fmt: skip
    assert list(run.view.proposals.values()) == list(whole.view.proposals.values())
    assert (run.winner, run.test_scores) == (whole.winner, whole.test_scores)


def test_an_edited_plan_is_the_one_that_is_carried_out(tmp_path: Path) -> None:
    fresh = {"name": "anything", "factors": [], "share": 1.0, "hypothesis": "surprise me", "expected_gain": None, "evidence": [],
             "mode": "explore"}  # fmt: skip

    def edit(directory: RunDirectory, plan: ev.PlanMade) -> None:
        leave_review(directory, plan, "edited", directions=[fresh], reason="wider")

    run = reviewed(tmp_path, edit)
    made = [plan for plan in of_type(run, "plan_made") if plan.round == 1]
    assert [(plan.author, plan.reason) for plan in made] == [("planner/rules", "not varied yet: structure"), ("person", "wider")]
    assert made[1].directions == (fresh,)
    drafted = [run.view.proposals[trial] for trial in run.view.rounds[1]]
    assert [(proposal.parent, proposal.hypothesis) for proposal in drafted] == [(None, "surprise me")] * 3


def test_a_rejected_plan_is_planned_again_with_the_reason_and_is_never_carried_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[tuple[int, tuple[str, ...]]] = []
    honest = RulePlanner.plan

    def plan(self: RulePlanner, situation: Situation) -> Plan:
        heard.append((situation.round, situation.told))
        made = honest(self, situation)
        return Plan("planner/some-model", made.directions, f"try {len(heard)}")

    monkeypatch.setattr(RulePlanner, "plan", plan)

    def reject_once(directory: RunDirectory, plan: ev.PlanMade) -> None:
        if plan.round == 1 and not directory.view().rejections:
            leave_review(directory, plan, "rejected", reason="no more\x07 structure")
        else:
            accept(directory, plan)

    run = reviewed(tmp_path, reject_once)
    reason = "I reject the plan (structure, recombine, explore): no more structure"
    assert heard == [(0, ()), (1, ()), (1, (reason,))]
    assert [(plan.round, plan.reason) for plan in of_type(run, "plan_made")] == [(0, "try 1"), (1, "try 2"), (1, "try 3")]
    assert [(r.round, r.decision, r.reason) for r in of_type(run, "plan_reviewed")] == [
        (0, "accepted", ""), (1, "rejected", "no more structure"), (1, "accepted", ""),
    ]  # fmt: skip
    order = [event.type for event in run.events if getattr(event, "round", None) == 1]
    assert order.index("proposals_drafted") > max(i for i, kind in enumerate(order) if kind == "plan_reviewed")


def test_a_few_plans_of_a_round_may_be_rejected_and_the_next_one_waits_on(tmp_path: Path) -> None:
    asked = []

    def reject(directory: RunDirectory, plan: ev.PlanMade) -> None:
        asked.append(plan.round)
        leave_review(directory, plan, "rejected", reason="no")
        if len(asked) == 4:  # the run has told that this one does not count when it looks again
            threading.Timer(0.5, accept, (directory, plan)).start()

    run = reviewed(tmp_path, reject, trials=5)
    assert [review.decision for review in of_type(run, "plan_reviewed")] == ["rejected"] * 3 + ["accepted"]
    assert asked == [0] * 4
    notes = [note.message for note in run.view.notes]
    assert notes.count("the review of round 0's plan cannot be followed: 3 plans of this round were rejected already;"
                       " accept or edit this one") == 1  # fmt: skip
    assert notes.count(UNREAD) == 1


def test_a_review_that_another_program_left_is_checked_too(tmp_path: Path) -> None:
    def answer(directory: RunDirectory, plan: ev.PlanMade) -> None:
        leave_review(directory, plan, "edited", directions=[{"name": "x", "share": 0.4}])
        threading.Timer(0.5, accept, (directory, plan)).start()

    run = reviewed(tmp_path, answer, trials=5)
    assert [review.decision for review in of_type(run, "plan_reviewed")] == ["accepted"]
    assert run.view.notes[0].message == (
        "the review of round 0's plan cannot be followed:"
        " the shares sum to 0.4; they are parts of the round's trials and must sum to 1"
    )  # fmt: skip


def test_a_stop_at_a_review_ends_in_good_order_and_the_run_goes_on_at_the_same_review(whole: Run, tmp_path: Path) -> None:
    stop = threading.Event()

    def stop_in_round_1(directory: RunDirectory, plan: ev.PlanMade) -> None:
        stop.set() if plan.round == 1 else accept(directory, plan)

    stopped = reviewed(tmp_path, stop_in_round_1, stop=stop)
    assert (stopped.exit_code, stopped.events[-1].type) == (130, "run_interrupted")
    assert (list(stopped.view.plans), list(stopped.view.reviews)) == ([0, 1], [0])
    accept(stopped.directory, stopped.view.plans[1])
    resumed = agentnas.design(resume="latest", runs_dir=tmp_path)
    after = [event.type for event in resumed.events[len(stopped.events) :]]
    assert after[:3] == ["run_resumed", "plan_reviewed", "proposals_drafted"], "the decision was left while no process ran"
    assert (resumed.winner, resumed.test_scores) == (whole.winner, whole.test_scores)


def test_waiting_for_a_person_is_not_active_time(tmp_path: Path) -> None:
    def slowly(directory: RunDirectory, plan: ev.PlanMade) -> None:
        threading.Timer(1.5, accept, (directory, plan)).start()

    start = time.monotonic()
    run = reviewed(tmp_path, slowly, trials=5)
    (waited, answered) = of_type(run, "review_awaited", "plan_reviewed")
    assert answered.t - waited.t < 0.5
    assert time.monotonic() - start - run.view.active_seconds > 1.0


def test_a_message_is_heard_before_the_next_plan_and_rules_say_that_they_read_none(tmp_path: Path) -> None:
    def tell(event: ev.AnyEvent) -> None:
        if isinstance(event, ev.ProposalsDrafted):
            leave_message(find(tmp_path, "latest"), f"after the draft of round {event.round}")

    run = agentnas.design(**SETTINGS, runs_dir=tmp_path, on_event=tell)
    assert [(event.round, event.text) for event in of_type(run, "told")] == [(1, "after the draft of round 0")]
    order = [event.type for event in run.events if getattr(event, "round", None) == 1]
    assert order[:3] == ["evidence_recalled", "told", "plan_made"]
    assert [note.message for note in run.view.notes] == [
        UNREAD, "this came after the planner's last turn and was not read: after the draft of round 1",
    ]  # fmt: skip


def made(round_: int, author: str) -> ev.PlanMade:
    return ev.PlanMade(round=round_, author=author, directions=())


@pytest.mark.parametrize(
    ("authors", "heard"),
    [
        ((), ("zero",)),
        (("planner/rules",), ("zero", "one")),
        (("planner/some-model",), ("one",)),
        (("person",), ("one",)),
        (("planner/some-model", "planner/rules"), ("one", "two")),
        (("planner/rules", "planner/some-model"), ("two",)),
    ],
)
def test_a_message_waits_for_a_planner_that_reads(authors: tuple[str, ...], heard: tuple[str, ...]) -> None:
    view = JournalView([started()])
    for round_, (text, author) in enumerate(zip(("zero", "one", "two"), (*authors, None), strict=False)):
        view.apply(ev.Told(round=round_, text=text))
        if author is not None:
            view.apply(made(round_, author))
    assert messages(view, len(authors)) == heard


def launch(runs_dir: Path, kind: str = "-", count: int = 0, **settings: Any) -> int:
    """A design in a process of its own that is killed after so many events of a kind; its exit status."""
    words = [json.dumps({**SETTINGS, "review": True, "runs_dir": str(runs_dir), **settings}), kind, str(count), "0"]
    command = [sys.executable, "-m", "tests.proofs.killed_run", *words]
    done = subprocess.run(command, cwd=REPOSITORY, start_new_session=True, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode in (0, -9), done.stderr
    return done.returncode


def answer_all(runs_dir: Path, over: threading.Event) -> None:
    """A person in another process: says something once, and edits or accepts each plan that waits."""
    done: set[int] = set()
    while not over.wait(0.05):
        runs = list_runs(runs_dir)
        view = RunDirectory.open(runs[0].path).view() if runs and runs[0].created else JournalView()
        if view.awaiting is not None and view.awaiting not in done and (plan := view.plans[view.awaiting]).author != "person":
            directory = RunDirectory.open(runs[0].path)
            if not done:
                leave_message(directory, "try attention")
            done.add(plan.round)
            renamed = [{**direction, "name": f"my {direction['name']}"} for direction in plan.directions]
            leave_review(directory, plan, "edited", directions=renamed)


@pytest.mark.timeout(200)
@pytest.mark.parametrize(("kind", "count"), [("review_awaited", 2), ("plan_made", 2), ("plan_reviewed", 1), ("told", 1)])
def test_a_run_killed_around_a_review_follows_each_decision_once(kind: str, count: int, tmp_path: Path) -> None:
    over = threading.Event()
    person = threading.Thread(target=answer_all, args=(tmp_path, over))
    person.start()
    try:
        assert launch(tmp_path, kind, count) == -9
        assert launch(tmp_path, resume="latest") == 0
    finally:
        over.set()
        person.join()
    run = Run(find(tmp_path, "latest"))
    assert run.exit_code == 0
    assert [(event.round, event.decision) for event in of_type(run, "plan_reviewed")] == [(0, "edited"), (1, "edited")]
    assert [(event.round, event.author) for event in of_type(run, "plan_made")] == [
        (round_, author) for round_ in range(2) for author in ("planner/rules", "person")
    ]  # fmt: skip
    assert [event.text for event in of_type(run, "told")] == ["try attention"]
    evaluations = Counter((event.trial, event.rung, event.seed) for event in of_type(run, "evaluation_finished"))
    assert set(evaluations.values()) == {1}
    assert sorted(path.name for path in run.directory.inbox.iterdir()) == ["read"]


def answer_of(number: int) -> dict[str, Any]:
    """A plan that a model might make."""
    direction = {"mode": "explore", "factors": [], "share": 0.5, "hypothesis": f"answer {number}", "expected_gain": 0.1,
                 "evidence": ["trial:t0001"]}  # fmt: skip
    return {"reason": f"reason {number}", "directions": [direction | {"name": f"{side} {number}"} for side in ("left", "right")]}


@pytest.mark.parametrize("interrupted", [False, True])
def test_a_model_is_asked_again_when_its_plan_is_rejected_and_reads_what_people_said(tmp_path: Path, interrupted: bool) -> None:
    """Also where the run is stopped between the two: the first answer is not used again, and the second not asked for twice."""
    script = tmp_path / "script.json"
    script.write_text(json.dumps({"planner": [answer_of(1), answer_of(2)]}), encoding="utf-8")
    stop = threading.Event()

    def answer(directory: RunDirectory, plan: ev.PlanMade) -> None:
        if plan.round == 0:
            leave_message(directory, "attention please")
        rejected = directory.view().rejections
        if plan.round == 1 and not rejected:
            leave_review(directory, plan, "rejected", reason="too blunt")
        elif interrupted and rejected and not stop.is_set():
            stop.set()
        else:
            accept(directory, plan)

    run = reviewed(tmp_path / "runs", answer, stop=stop, planner_llm=f"scripted:{script}")
    if interrupted:
        assert run.exit_code == 130
        accept(run.directory, run.view.plans[1])
        run = agentnas.design(resume="latest", runs_dir=tmp_path / "runs")
    assert run.exit_code == 0
    assert [plan.reason for plan in of_type(run, "plan_made") if plan.round == 1] == ["reason 1", "reason 2"]
    prompts = ["\n".join(turn["content"] for turn in call.asked.messages) for call in run.view.calls.of("planner")]
    assert len(prompts) == 2
    assert ["attention please" in prompt for prompt in prompts] == [True, True]
    assert ["I reject the plan (left 1, right 1): too blunt" in prompt for prompt in prompts] == [False, True]
    assert {run.view.proposals[trial].hypothesis for trial in run.view.rounds[1]} == {"answer 2"}
    assert UNREAD not in [note.message for note in run.view.notes]
