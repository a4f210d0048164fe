"""The agents on a table: with memory they begin with what was good elsewhere, without any they work as a first run does."""

from __future__ import annotations

import random

import numpy as np
import pytest

from agentnas.bench.agents import Agents
from agentnas.bench.cells_problem import CellRows, cell_problems
from agentnas.bench.problem import Lookup, Problem
from agentnas.bench.searchers import Memory
from agentnas.tools.anchors import cell_anchors
from agentnas.tools.spec.cells import spec_to_cell

BUDGET = 10


@pytest.fixture(scope="module")
def problems() -> tuple[Problem, Problem]:
    """The small table as the new data set, and one to remember: another metric, other operators."""
    proteins, computers = cell_problems(["proteins", "computers"])
    return proteins, computers


def searched(agents: Agents, problems: tuple[Problem, Problem]) -> tuple[list[int], list[int]]:
    """The rows in the order of their evaluation, and what would have been chosen after each."""
    target, source = problems
    lookup = Lookup(target.validation, BUDGET)
    choice = agents(target, Memory((source,)), lookup, random.Random(0))
    assert choice is not None
    return lookup.order, [choice(count) for count in range(1, BUDGET + 1)]


def test_what_was_good_elsewhere_comes_first_and_own_scores_count(problems: tuple[Problem, Problem]) -> None:
    target, source = problems
    order, chosen = searched(Agents(), problems)
    held = dict(zip(source.rows.names, source.validation, strict=True))
    elsewhere = np.array([held[name] for name in target.rows.names])
    assert len(set(order)) == BUDGET
    assert elsewhere[order[:5]].min() > np.quantile(elsewhere, 0.9)
    assert chosen[0] == order[0]
    assert all(row in order[: count + 1] for count, row in enumerate(chosen))


def test_without_memory_the_anchors_come_first(problems: tuple[Problem, Problem]) -> None:
    rows = problems[0].rows
    assert isinstance(rows, CellRows)
    order, _ = searched(Agents(remember=False), problems)
    anchors = [spec_to_cell(anchor.spec) for anchor in cell_anchors("proteins")]
    assert [rows.cells[row] for row in order[: len(anchors)]] == anchors


def test_the_same_search_twice_is_the_same(problems: tuple[Problem, Problem]) -> None:
    assert searched(Agents(), problems) == searched(Agents(), problems)
