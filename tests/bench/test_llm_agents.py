"""Language models on a table: what they may remember, what is counted, and what is left when they leave."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agentnas.agents.briefing_quote import may_be_cited
from agentnas.bench.cells_problem import CellRows, cell_problems
from agentnas.bench.llm_agents import LLMPart, llm_part, run_part
from agentnas.bench.llm_memory import BEST, OWN_BEST, SPREAD, fill
from agentnas.bench.measure import Score
from agentnas.bench.problem import Problem
from agentnas.bench.searchers import Memory
from agentnas.memory.store import Store
from agentnas.tools.errors import UsageError
from agentnas.tools.spec.cells import operators_of
from agentnas.tools.tasks import load_task, make_card
from tests.llm_server import Answer, Fault, LLMServer
from tests.llm_server_shapes import Asked
from tests.minds import role_of, think

TARGET, SOURCE = "cora", "citeseer"
EVALUATIONS = 12  # ten by rules, two by the models


@pytest.fixture(scope="module")
def target() -> Problem:
    return cell_problems([TARGET])[0]


@pytest.fixture(scope="module")
def source() -> Problem:
    """A part of another table."""
    task = load_task(f"nasbench:{SOURCE}")
    assert task.table is not None
    keys = task.table.keys()[::60]
    validation, test = (np.array([score(key) for key in keys]) for score in (task.table.validation, task.table.test))
    return Problem(SOURCE, CellRows(keys, operators_of(SOURCE)), validation, test, tuple(make_card(task).vector()))


@pytest.fixture
def server() -> Iterator[LLMServer]:
    with LLMServer(think, role_of=role_of) as running:
        yield running


def asked_of(server: LLMServer, **flags: Any) -> LLMPart:
    part = {name: flags.pop(name) for name in ("runs_dir", "seeds", "without_cards") if name in flags}
    return llm_part({"llm": f"openai:m@{server.url}", **flags}, evaluations=EVALUATIONS, **part)


def measured(part: LLMPart, target: Problem, source: Problem) -> tuple[list[Score], Any, list[str]]:
    lines: list[str] = []
    problems = {problem.name: problem for problem in (target, source)}
    return *run_part(part, problems, [TARGET], [TARGET, SOURCE], False, lines.append), lines


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    held = Store(str(tmp_path / "memory"), forget_task=True)
    yield held
    held.close()


def test_the_memory_tells_the_best_of_each_table_and_some_of_all(store: Store, source: Problem) -> None:
    fill(store, Memory((source,)), cards=True)
    [(key, task)] = store.tasks().items()
    trials = sorted(store.trials_of(key), key=lambda trial: trial.rank or 0)
    assert task.task == f"nasbench:{SOURCE}"
    assert [trial.rank for trial in trials[:OWN_BEST]] == list(range(1, OWN_BEST + 1))
    assert trials[-1].rank == trials[-1].ranked == len(source.rows)
    assert max(BEST, OWN_BEST) + SPREAD - 2 <= len(trials) <= OWN_BEST + BEST + SPREAD
    assert trials[0].val == source.validation.max()
    assert {trial.test for trial in trials} == {None}


def test_what_is_recalled_for_a_new_data_set_can_be_shown_and_names_no_trial_of_it(store: Store, source: Problem, target: Problem) -> None:
    fill(store, Memory((source, target)), cards=True)
    recalled = store.recall(make_card(load_task(f"nasbench:{TARGET}")), "which cell is good?", 12)
    trials = [item for item in recalled if item.kind == "trial"]
    assert trials
    assert all(f"nasbench-{SOURCE}-" in item.id and may_be_cited(item) for item in trials)
    assert any(item.kind == "card" for item in recalled)


def test_published_test_scores_are_a_task_of_their_own(store: Store, source: Problem) -> None:
    fill(store, Memory((source,), published=True), cards=True)
    strict, published = sorted(store.tasks(), key=len)
    assert "test scores" in published
    best = max(trial.val or 0 for trial in store.trials_of(published))
    assert best == source.test.max()
    assert max(trial.val or 0 for trial in store.trials_of(strict)) == source.validation.max()


def test_without_cards_none_is_recalled_or_can_be_cited(store: Store, source: Problem) -> None:
    fill(store, Memory((source,)), cards=False)
    recalled = store.recall(make_card(load_task(f"nasbench:{TARGET}")), "oversmoothing in deep networks", 12)
    assert {item.kind for item in recalled} == {"trial"}
    assert store.get("card:gcn") is None


def test_a_search_counts_what_the_product_would_have_chosen(server: LLMServer, target: Problem, source: Problem, tmp_path: Path) -> None:
    part = asked_of(server, runs_dir=tmp_path / "runs")
    scores, account, lines = measured(part, target, source)
    assert [(score.kind, score.evaluations) for score in scores] == [("oracle", 1), ("honest", 1), ("oracle", 10), ("honest", 10)]
    assert scores[2].value == max(score.value for score in scores)
    assert scores[0].value == scores[1].value
    assert (account.searches, account.written, account.proposed) == (1, 2, 2)
    assert account.calls == len(server.history) > 0
    assert account.tokens > 0
    assert account.cost is None, "nobody knows this model's price"
    assert lines == [f"agentnas-llm on {TARGET}, seed 0: {EVALUATIONS} designs, {account.calls} calls, $?"]
    prompts = "".join(request.text for request in server.history)
    assert f"nasbench-{SOURCE}-whole-table" in prompts
    assert f"nasbench-{TARGET}-whole-table" not in prompts


def test_a_finished_run_is_read_and_a_killed_one_goes_on(server: LLMServer, target: Problem, source: Problem, tmp_path: Path) -> None:
    part = asked_of(server, runs_dir=tmp_path / "runs")
    scores, account, _ = measured(part, target, source)
    asked = len(server.history)
    assert measured(part, target, source)[:2] == (scores, account)
    assert len(server.history) == asked

    [run] = (tmp_path / "runs").iterdir()
    events = (run / "events.jsonl").read_text().splitlines()
    planned = next(number for number, line in enumerate(events) if '"plan_made"' in line and json.loads(line)["round"] == 1)
    (run / "events.jsonl").write_text("\n".join(events[: planned + 1]) + "\n")
    (run / "checkpoint.sqlite").unlink()
    assert measured(part, target, source)[0] == scores
    assert len(server.history) == asked + 2, "coder and analyst; what was answered before is not asked again"
    assert len(list((tmp_path / "runs").iterdir())) == 1
    other = replace(part, evaluations=EVALUATIONS + 1)
    measured(other, target, source)
    assert len(list((tmp_path / "runs").iterdir())) == 2, "another search is another run"


def test_the_limits_are_those_of_all_searches_together(server: LLMServer, target: Problem, source: Problem) -> None:
    scores, account, _ = measured(asked_of(server, seeds=3, max_llm_calls=6), target, source)
    assert {score.seed for score in scores} == {0}
    assert (account.searches, account.planned) == (1, 3)
    assert account.calls == len(server.history) <= 6
    assert "agentnas-llm on cora, seed 1: " in account.stopped
    assert "--max-llm-calls" in account.stopped


@pytest.mark.parametrize("role", ["planner", "coder"])
def test_a_model_that_leaves_ends_the_part_and_what_rules_did_in_its_place_does_not_count(
    role: str, target: Problem, source: Problem
) -> None:
    def mind(request: Asked) -> Answer:
        return Fault(403) if role_of(request) == role else think(request)

    with LLMServer(mind, role_of=role_of) as server:
        scores, account, _ = measured(asked_of(server, seeds=2), target, source)
    assert scores == []
    assert (account.searches, account.planned) == (0, 2)
    assert account.stopped.startswith(f"agentnas-llm on cora, seed 0: {role}: openai:m@http")
    assert "403" in account.stopped


def test_without_cards_is_a_searcher_of_its_own(server: LLMServer, target: Problem, source: Problem) -> None:
    scores, account, lines = measured(asked_of(server, without_cards=True), target, source)
    assert {score.searcher for score in scores} == {"agentnas-llm", "agentnas-llm without cards"}
    assert (account.searches, len(lines)) == (2, 2)


def test_evaluations_of_which_no_model_would_propose_one_are_refused(server: LLMServer) -> None:
    with pytest.raises(UsageError, match="--evaluations is 10; allowed: 11 or more, because rules propose the first 10 designs"):
        llm_part({"llm": f"openai:m@{server.url}"}, evaluations=10)


def test_a_part_needs_a_model() -> None:
    with pytest.raises(UsageError, match="no language model is named"):
        llm_part({"llm": "rules"})
