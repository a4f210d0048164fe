"""The tables of NAS-Bench-Graph as problems: the moves between cells, and figures that are known of them."""

from __future__ import annotations

import random

import numpy as np
import pytest

from agentnas.bench.cells_problem import CellRows, cell_problems
from agentnas.bench.measure import jobs, measure
from agentnas.bench.problem import Problem
from agentnas.tools.spec.cells import cell_to_spec, spec_to_cell
from agentnas.tools.spec.cellspace import CellSpace


@pytest.fixture(scope="module")
def proteins() -> Problem:
    """The small table: 2,021 cells."""
    return cell_problems(["proteins"])[0]


def test_neighbours_are_the_children_that_the_space_makes(proteins: Problem) -> None:
    rows = proteins.rows
    assert isinstance(rows, CellRows)
    space = CellSpace.of("proteins")
    for row in random.Random(0).sample(range(len(rows)), 10):
        spec = cell_to_spec(*rows.cells[row], "proteins")
        children = {spec_to_cell(child) for factor in space.factors() for child in space.options(spec, factor)}
        assert {rows.cells[other] for other in rows.neighbours(row)} == children


def test_each_way_to_write_a_cell_leads_to_its_row(proteins: Problem) -> None:
    rows = proteins.rows
    assert [rows.row(code) for code in rows.codes] == list(range(len(rows)))
    assert rows.row((8, 4, 4, 4, 4)) is None  # skips alone were not trained


def test_random_search_finds_what_order_statistics_say(proteins: Problem) -> None:
    """The mean of the best of 30 of 2,021, without a search."""
    scores = np.sort(proteins.test)
    size = len(scores)
    weights = np.array([(rank / size) ** 30 - ((rank - 1) / size) ** 30 for rank in range(1, size + 1)])
    found = [s.value for s in measure(jobs(["random"], ["proteins"], [], False, 300)[0], {"proteins": proteins}) if s.kind == "oracle"]
    at_30 = found[3::6]
    assert np.mean(at_30) == pytest.approx(float(scores @ weights), abs=4 * float(np.std(at_30)) / 300**0.5)
