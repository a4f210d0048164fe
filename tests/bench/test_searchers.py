"""Searchers on a small table: each spends its budget on distinct rows, and what they draw on is what they say."""

from __future__ import annotations

import random

import numpy as np
import pytest

from agentnas.bench.problem import Lookup, Problem
from agentnas.bench.registry import ABLATIONS, AGENTS, SEARCHERS, searcher
from agentnas.bench.searchers import Memory
from agentnas.bench.table_problem import table_problems
from agentnas.tools.errors import UsageError
from tests.bench.worlds import write_table

NAMES = (*SEARCHERS, *(f"{AGENTS} without {what}" for what in ABLATIONS))


@pytest.fixture(scope="module")
def problems(tmp_path_factory: pytest.TempPathFactory) -> list[Problem]:
    return table_problems(write_table(tmp_path_factory.mktemp("table") / "trials.csv"))


def spent(name: str, problems: list[Problem], budget: int, seed: int = 0) -> Lookup:
    target, *others = problems
    lookup = Lookup(target.validation, budget)
    if name == "tpe":
        pytest.importorskip("optuna")
    searcher(name)(target, Memory(tuple(others)), lookup, random.Random(seed))
    return lookup


@pytest.mark.parametrize("name", NAMES)
def test_the_budget_is_spent_on_distinct_rows(name: str, problems: list[Problem]) -> None:
    lookup = spent(name, problems, 20)
    assert len(lookup.order) == len(set(lookup.order)) == 20
    assert lookup.rewards() == [problems[0].validation[row] for row in lookup.order]


@pytest.mark.parametrize("name", NAMES)
def test_a_budget_of_the_whole_table_evaluates_all_of_it(name: str, problems: list[Problem]) -> None:
    assert sorted(spent(name, problems, 36).order) == list(range(36))


@pytest.mark.parametrize("name", ["evolution", "local", "tpe", "gbdt", "random"])
def test_the_same_seed_searches_alike_and_another_does_not(name: str, problems: list[Problem]) -> None:
    assert spent(name, problems, 15, seed=1).order == spent(name, problems, 15, seed=1).order
    assert spent(name, problems, 15, seed=1).order != spent(name, problems, 15, seed=2).order


def test_mean_rank_is_the_order_of_the_other_data_sets(problems: list[Problem]) -> None:
    ranks = sum(np.argsort(np.argsort(problem.validation)) for problem in problems[1:])
    assert spent("transfer-mean-rank", problems, 8).order == np.argsort(-np.asarray(ranks), kind="stable")[:8].tolist()


def test_the_agents_begin_with_what_is_good_elsewhere(problems: list[Problem]) -> None:
    worth = np.mean([problem.test for problem in problems], axis=0)
    first = spent(AGENTS, problems, 5).order
    assert first[0] in np.argsort(-worth)[:3]
    assert worth[first].mean() > np.quantile(worth, 0.8)


def test_a_searcher_that_does_not_exist_is_named() -> None:
    with pytest.raises(UsageError, match=r"searcher 'evolutoin' does not exist; did you mean evolution\?"):
        searcher("evolutoin")
