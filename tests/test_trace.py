"""The trace: every call, every fault, every proposal's ancestry and evidence, of runs with and without language models."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic_core import to_json

from agentnas.memory import events as ev
from agentnas.report import ancestry
from agentnas.run import Run
from agentnas.tools.errors import UsageError
from agentnas.trace import best_after, trace_run, trace_trial
from agentnas.trace_text import run_text, trial_text
from tests.agent_runs import asked, make_agent_run, proposal

CALLS = """\
  planner: openai:big
  coder: openai:small
  call   round  role      in/out/cached  cost     s    outcome       taken
  c0001  1      planner   ?/?/?          $0.0000  2.5  rate_limited  -
  c0002  1      planner   1500/300/100   $0.0100  2.5  answered      2/2
  c0003  1      coder     2000/1000/?    $0.0200  ?    unanswered    -
  c0004  1      coder     1500/300/100   $0.0100  2.5  answered      2/3
  c0005  1      coder r1  1500/300/100   $0.0100  2.5  answered      1/1
"""
FAULTS = """\
  c0001 rate_limited: too many requests
  c0003 unanswered: the process ended before the answer came; counted at its
                    worst case
  c0004 told: proposal 2 repeats t0001, which scored 80.50
"""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(make_agent_run(tmp_path))


def test_a_run_is_all_its_calls_all_its_faults_and_its_family(run: Run) -> None:
    assert (
        run_text(trace_run(run), 80)
        == f"""\
Calls
{CALLS}
Faults
{FAULTS}  warning: 80% of --max-cost is used

Proposals and what came of them
  t0001 80.50 ± 0.71  plain anchor gcn (coder/anchors)
    └ t0002 81.75 ± 0.35  n1.op: gcn -> gat (coder/openai:small)
      └ t0003 rejected  n1.width: 64 -> 128 (coder/openai:small)"""
    )


def test_a_trial_is_its_ancestry_plan_calls_and_what_was_said_of_it(run: Run) -> None:
    data = trace_trial(run, "t0002")
    data["steps"][0]["evidence"] = []  # a card's text is long, and not this test's matter
    assert (
        trial_text(data, 80)
        == f"""\
t0002  run {run.name}, round 1: 81.75 ± 0.35 on
       validation (full, 2 seeds), rank 1

How it came about
  t0001  plain anchor gcn; round 0, coder/anchors
    gcn64 > gcn64
    result   80.50 ± 0.71 on validation (full, 2 seeds), rank 2
  t0002  n1.op: gcn -> gat from t0001; round 1, coder/openai:small
    gat64 > gcn64
    because  neighbours differ
    result   81.75 ± 0.35 on validation (full, 2 seeds), rank 1; expected +0.80;
             came +1.25 against t0001 on 2 shared seeds
    cites    trial:t0001: gcn64 > gcn64 (validation 80.50 ± 0.71 (full, seeds
             2), rank 2 of 2 in this run)
    cites    trial:t0099: not in memory any more

Plan of round 1  by planner/openai:big; attention was not tried
  > attention, 60%, exploit, expected +0.80: neighbours differ in usefulness
  - explore, 40%, explore: the unknown
  told by a person  try attention

Calls behind it
{CALLS}
What the models were told, and what failed
{FAULTS}
What the analyst said of it
  finding:r1-1  (round 1, analyst/openai:small) gat gains over gcn"""
    )


@pytest.mark.parametrize(
    ("width", "columns"),
    [
        (100, "call round role prompt in/out/cached cost s outcome taken"),
        (80, "call round role in/out/cached cost s outcome taken"),
        (60, "call role cost outcome taken"),
    ],
)
def test_a_narrow_terminal_gets_fewer_columns_and_no_longer_lines(run: Run, width: int, columns: str) -> None:
    text = run_text(trace_run(run), width)
    assert next(line for line in text.splitlines() if line.startswith("  call ")).split() == columns.split()
    assert max(map(len, text.splitlines())) <= width


def test_a_long_change_is_folded_and_not_cut(tmp_path: Path) -> None:
    made = make_agent_run(tmp_path)
    change = "; ".join(f"n{i}.dropout 0.5 -> 0.{i}" for i in range(1, 9))
    with made.journal() as journal:
        journal.append(ev.ProposalsDrafted(round=2, proposals=(proposal("t0004", "gat > gcn", parent="t0001", change=change),)))
    text = run_text(trace_run(Run(made)), 60)
    assert change in " ".join(text.split())
    assert max(map(len, text.splitlines())) <= 60


def test_the_direction_that_a_proposal_names_is_the_one_it_is_shown_under(tmp_path: Path) -> None:
    made = make_agent_run(tmp_path)
    with made.journal() as journal:
        child = proposal("t0004", "gat > gcn", parent="t0001", factor="n1.op", direction="explore")
        journal.append(ev.ProposalsDrafted(round=1, proposals=(child,)))
    data = trace_trial(Run(made), "t0004")
    assert [(direction["name"], direction["is_of_trial"]) for direction in data["plans"][0]["directions"]] == [
        ("attention", False), ("explore", True)
    ]  # fmt: skip
    assert "round 1, coder/openai:small, direction explore" in " ".join(trial_text(data, 80).split())


def test_the_evidence_of_a_trial_is_quoted(run: Run) -> None:
    (evidence,) = trace_trial(run, "t0001")["steps"][0]["evidence"]
    assert evidence["id"] == "card:gcn"
    assert evidence["text"].startswith("Semi-Supervised Classification with Graph Convolutional Networks")


def test_a_rejected_trial_says_why_it_has_no_score(run: Run) -> None:
    text = trial_text(trace_trial(run, "t0003"), 80)
    assert text.startswith(f"t0003  run {run.name}, round 1: rejected: parameters 9 >\n       8\n")
    assert text.endswith("What the analyst said of it\n  nothing yet")
    assert "    result   rejected: parameters 9 > 8\n" in text


def test_the_trace_is_plain_data(run: Run) -> None:
    whole, one = json.loads(to_json(trace_run(run))), json.loads(to_json(trace_trial(run, "t0003")))
    assert [call["call"] for call in whole["calls"]] == [f"c000{number}" for number in range(1, 6)]
    assert [(node["trial"], node["depth"]) for node in whole["family"]] == [("t0001", 0), ("t0002", 1), ("t0003", 2)]
    assert [step["trial"] for step in one["steps"]] == ["t0001", "t0002", "t0003"]
    assert one["steps"][1]["gain"] == {"difference": 1.25, "seeds": 2, "rung": "full"}
    assert one["steps"][2]["gain"] is None


def test_unknown_costs_are_unknown(tmp_path: Path) -> None:
    text = run_text(trace_run(Run(make_agent_run(tmp_path, priced=False))), 80)
    assert [line.split()[-4] for line in text.splitlines() if line.startswith("  c0004  ")] == ["?"]


def test_a_role_that_asked_several_models_has_the_model_in_each_line(tmp_path: Path) -> None:
    directory = make_agent_run(tmp_path)
    with directory.journal() as journal:
        journal.append(asked("c0006", "planner", attempt=2).model_copy(update={"model": "openai:huge"}))
    lines = run_text(trace_run(Run(directory)), 80).splitlines()
    assert [line.split()[-1] for line in lines[1:8]] == ["model", *["openai:big"] * 2, *["openai:small"] * 3, "openai:huge"]


def test_a_proposal_of_the_rules_has_its_ancestry_and_evidence_too(table_run: Run) -> None:
    assert run_text(trace_run(table_run), 80).startswith("Calls\n  no language model was asked\n\nFaults\n  none\n\n")
    for trial in table_run.view.proposals:
        data = trace_trial(table_run, trial)
        assert [step["trial"] for step in reversed(data["steps"])] == [step.trial for step in ancestry(table_run.view, trial)]
        assert all(evidence["text"] for step in data["steps"] for evidence in step["evidence"])
        assert all(step["evidence"] for step in data["steps"])
        text = trial_text(data, 80)
        assert "Calls behind it\n  no language model was asked" in text
        assert max(map(len, text.splitlines())) <= 80


def test_each_plan_of_a_round_stands_with_what_was_said_of_it(tmp_path: Path) -> None:
    directory = make_agent_run(tmp_path)
    with directory.journal() as journal:
        for event in (
            ev.PlanReviewed(round=1, decision="rejected", reason="too narrow"),
            ev.PlanMade(round=1, author="planner/openai:big", directions=(), reason="second"),
            ev.PlanMade(round=1, author="person", directions=(), reason="third"),
            ev.PlanReviewed(round=1, decision="edited"),
        ):
            journal.append(event)
    plans = trace_trial(Run(directory), "t0002")["plans"]
    assert [(plan["author"], plan["reason"], plan["review"]) for plan in plans] == [
        ("planner/openai:big", "attention was not tried", {"decision": "rejected", "reason": "too narrow"}),
        ("planner/openai:big", "second", {"decision": "edited", "reason": ""}),
        ("person", "third", None),
    ]
    shown = trial_text(trace_trial(Run(directory), "t0002"), 80)
    assert "Plan of round 1  by planner/openai:big, rejected by a person: too narrow;\n" in shown


def test_a_trial_that_does_not_exist_is_one_line(run: Run) -> None:
    with pytest.raises(UsageError) as caught:
        trace_trial(run, "t0020")
    assert str(caught.value) == f"no trial 't0020' in run {run.name}; did you mean t0003 or t0002 or t0001?"


def test_thousands_of_descendants_are_no_trouble(tmp_path: Path) -> None:
    directory = make_agent_run(tmp_path)
    count = 3000
    chain = [proposal(f"x{i}", "gcn", parent=f"x{i - 1}" if i else "t0001") for i in range(count)]
    with directory.journal() as journal:
        journal.append(ev.ProposalsDrafted(round=2, proposals=tuple(chain)))
    data = trace_run(Run(directory))
    assert max(node["depth"] for node in data["family"]) == count
    assert max(map(len, run_text(data, 80).splitlines()[12:])) <= 80


@pytest.mark.parametrize(("trials", "best"), [(0, None), (1, 80.5), (2, 81.75), (9, 81.75)])
def test_the_best_after_so_many_trials(run: Run, trials: int, best: float | None) -> None:
    assert best_after(run.view, trials) == best


def test_the_best_after_so_many_trials_leaves_the_confirmation_out(run: Run) -> None:
    run.view.apply(ev.EvaluationFinished(trial="t0001", rung="confirm", seed=5, split=0, val=99.0, seconds=1.0))
    assert best_after(run.view, 1) == 80.5
