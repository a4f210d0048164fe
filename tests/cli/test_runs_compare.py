"""``agentnas runs compare``, ``show`` and ``trace`` on runs whose agents asked language models, beside one that thought by rules."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agentnas.memory import events as ev
from tests.agent_runs import finished, make_agent_run, proposal
from tests.cli.conftest import Run
from tests.cli.test_runs import make_run


@pytest.fixture
def names(tmp_path: Path) -> list[str]:
    """An agent run of two trials, a rule-based one of three whose third is the best, and an agent run of unknown cost."""
    folder = tmp_path / "runs"
    rules = make_run(folder, 2)
    with rules.journal() as journal:
        journal.append(ev.ProposalsDrafted(round=1, proposals=(proposal("t0003", "gin"),)))
        journal.append(finished("t0003", 95.0))
    unpriced = make_agent_run(tmp_path / "other", priced=False)
    (folder / "unpriced").symlink_to(unpriced.path)
    return [make_agent_run(folder).name, rules.name, "unpriced"]


def test_an_agent_run_and_a_rule_based_run_stand_side_by_side_at_equal_numbers_of_trials(run: Run, names: list[str]) -> None:
    lines = [re.split(r" {2,}", line) for line in run("runs", "compare", *names).out.splitlines()]
    assert lines == [
        ["run", *names],
        ["task", "cora", "cora", "cora"],
        ["protocol", "public", "public", "public"],
        ["llm", "openai:big, openai:small", "rules", "openai:big, openai:small"],
        ["trials", "2", "3", "2"],
        ["evaluations", "4", "4", "4"],
        ["active", "0s", "0s", "0s"],
        ["calls", "5", "-", "5"],
        ["tokens", "10400", "-", "10400"],
        ["cost", "$0.0500", "-", "?"],
        ["best @2", "81.75", "81.00", "81.75"],
        ["validation", "81.75", "81.00", "81.75"],
        ["test", "81.50", "82.00", "81.50"],
        ["sd", "0.71", "1.00", "0.71"],
        ["seeds", "2", "3", "2"],
        ["test minus first run's", "-", "0.50", "0.00"],
        ["standard error", "-", "0.50", "0.00"],
        ["inside noise", "-", "True", "True"],
    ]


def test_the_comparison_as_data(run: Run, names: list[str]) -> None:
    rows = run("runs", "compare", *names, "--json").data
    assert [(row["llm"], row["calls"], row["tokens"], row["cost"], row["best_at"], row["best"]) for row in rows] == [
        ("openai:big, openai:small", 5, 10400, pytest.approx(0.05), 2, 81.75),
        ("rules", 0, 0, 0.0, 2, 81.0),
        ("openai:big, openai:small", 5, 10400, None, 2, 81.75),
    ]


def test_show_tells_the_spending_by_role(run: Run, names: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    narrow = run("runs", "show", names[0]).out
    assert "planner models openai:big, calls 2, tokens in 3,500, tokens\n        out 300, cost $0.0100, seconds 5\n" in narrow
    monkeypatch.setenv("COLUMNS", "100")
    lines = run("runs", "show", names[0]).out.splitlines()
    start = lines.index("") + 1
    assert [line.split() for line in lines[start : start + 4]] == [
        ["role", "models", "calls", "tokens", "in", "tokens", "out", "cost", "seconds"],
        ["planner", "openai:big", "2", "3,500", "300", "$0.0100", "5"],
        ["coder", "openai:small", "3", "5,000", "1,600", "$0.0400", "5"],
        ["all", "openai:big,", "openai:small", "5", "8,500", "1,900", "$0.0500", "10"],
    ]
    spending = run("runs", "show", "unpriced", "--json").data["spending"]
    assert {role: spent["cost"] for role, spent in spending.items()} == {"planner": None, "coder": None, "all": None}
    assert run("runs", "show", names[1], "--json").data["spending"] == {}


def test_trace_prints_the_run_or_one_trial(run: Run, names: list[str]) -> None:
    whole, one = run("runs", "trace", names[0]), run("runs", "trace", names[0], "t0002")
    assert (whole.code, one.code) == (0, 0)
    assert whole.out.splitlines()[0] == "Calls"
    assert one.out.startswith(f"t0002  run {names[0]}, round 1")
    assert len(run("runs", "trace", names[0], "--json").data["calls"]) == 5
    assert run("runs", "trace", names[1], "t0002", "--json").data["calls"] == []


def test_trace_of_what_does_not_exist_is_one_line_and_2(run: Run, names: list[str]) -> None:
    line = f"agentnas: error: no trial 'x' in run {names[0]}; allowed: t0001, t0002, t0003\n"
    assert run("runs", "trace", names[0], "x") == (2, "", line)


def test_the_report_has_what_the_agents_said(run: Run, names: list[str]) -> None:
    report = run("report", names[0]).out
    section = report.split("## What the agents said\n\n")[1].split("\n\n##")[0]
    assert (
        section
        == """\
| role | models | calls | tokens in | tokens out | cost | seconds |
| --- | --- | --- | --- | --- | --- | --- |
| planner | openai:big | 2 | 3,500 | 300 | $0.0100 | 5 |
| coder | openai:small | 3 | 5,000 | 1,600 | $0.0400 | 5 |
| all | openai:big, openai:small | 5 | 8,500 | 1,900 | $0.0500 | 10 |

- planner: 2 of 2 items taken, 0 repairs, 1 rate limited
- coder: 3 of 4 items taken, 1 repair, 1 unanswered
- the analyst of round 1 would be proved wrong by: train gat with one head"""
    )
    assert "5 calls to language models, 10,400 tokens, $0.0500." in report
    assert run("report", names[0], "--json").data["cost_usd"] == pytest.approx(0.05)


def test_an_unknown_cost_is_never_said_to_be_nothing(run: Run, names: list[str]) -> None:
    report = run("report", "unpriced").out
    assert "10,400 tokens, ? (the cost of 4 is unknown; the others cost $0.0000)." in report
    assert run("report", "unpriced", "--json").data["cost_usd"] is None
    assert run("report", names[1], "--json").data["cost_usd"] == 0.0
