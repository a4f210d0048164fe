"""Past trials of a memory, made comparable: which count, what each scored, and what they cite."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from agentnas.agents.transfer import Past
from agentnas.agents.transfer_memory import RememberedTrials
from agentnas.memory.memory import InMemory, TrialRecord
from agentnas.tools.anchors import with_scale
from agentnas.tools.spec.canonical import spec_hash
from agentnas.tools.spec.cells import cell_to_spec
from agentnas.tools.spec.model import ArchitectureSpec
from agentnas.tools.spec.space import SearchSpace
from agentnas.tools.spec.vectors import vector, vector_names
from tests.agents.making import spec_of_width
from tests.memory.conformance import Card

NARROW, WIDE = spec_of_width(8), spec_of_width(64)
CELL = ((0, 1, 2, 3), ("skip", "skip", "gcn", "gat"))
PLAIN = ((0, 1, 2, 3), ("skip", "skip", "gcn", "sage"))


def kept(name: str, spec: ArchitectureSpec, val: float, rung: str = "full", **fields: Any) -> TrialRecord:
    structure = dict(zip(vector_names(), vector(spec), strict=True))
    usual: dict[str, Any] = {
        "id": name, "task": "citeseer", "task_vector": (0.79, 0.06), "text": "gcn", "val": val, "rung": rung, "spec_hash": spec_hash(spec),
        "spec": spec.model_dump(mode="json", exclude_defaults=True), "structure": {k: round(v, 6) for k, v in structure.items() if v},
    }  # fmt: skip
    return TrialRecord.model_validate({**usual, **fields})


def past(*trials: TrialRecord, space: SearchSpace | None = None) -> Past | None:
    memory = InMemory(run="mine")
    memory.add_trials(trials)
    return RememberedTrials(memory, Card).past(space or SearchSpace.default())


def scores(found: Past | None) -> list[list[float]]:
    assert found is not None
    return [task.scores.tolist() for task in found.tasks]


def test_each_design_is_there_once_with_its_mean_and_cites_its_trials() -> None:
    found = past(kept("a/t1", WIDE, 80.0), kept("a/t2", NARROW, 70.0), kept("b/t1", WIDE, 82.0))
    assert found is not None
    assert scores(found) == [[81.0, 70.0]]
    assert [spec_hash(spec) for spec in map(found.spec, range(2)) if spec] == [spec_hash(WIDE), spec_hash(NARROW)]
    assert found.evidence(0) == ("trial:a/t1", "trial:b/t1")
    assert found.vectors == pytest.approx(np.array([vector(WIDE), vector(NARROW)]), abs=1e-5)
    assert found.tasks[0].card == (0.79, 0.06)


def test_a_design_that_a_task_did_not_try_is_unknown_there() -> None:
    elsewhere: dict[str, Any] = {"task": "texas", "task_vector": (0.1, 0.6)}
    near, far = scores(past(kept("a/t1", WIDE, 80.0), kept("b/t1", NARROW, 60.0, **elsewhere)))
    assert near == pytest.approx([80.0, np.nan], nan_ok=True)
    assert far == pytest.approx([np.nan, 60.0], nan_ok=True)


def test_a_trial_that_was_cut_short_is_no_better_than_the_middle_of_those_that_were_not() -> None:
    full = [kept(f"a/t{i}", spec_of_width(width), val) for i, (width, val) in enumerate(((8, 70.0), (16, 72.0), (32, 80.0)))]
    cut = [kept("a/t5", WIDE, 79.0, "short"), kept("a/t6", spec_of_width(96), 50.0, "short")]
    assert scores(past(*full, *cut)) == [[70.0, 72.0, 80.0, 72.0, 50.0]]


def test_what_the_time_limit_ended_counts_where_it_is_good_already() -> None:
    """A slow design that was ended early may be as good as any: at least as good as it scored, and below the middle nothing is known."""
    whole = [kept(f"a/t{i}", spec_of_width(width), val) for i, (width, val) in enumerate(((8, 70.0), (16, 72.0), (32, 80.0)))]
    good, slow = kept("a/t5", WIDE, 81.0, cut=True), kept("a/t6", spec_of_width(96), 50.0, cut=True)
    assert scores(past(*whole, good, slow)) == [[70.0, 72.0, 80.0, 81.0]]
    assert scores(past(good, slow)) == [[81.0, 50.0]], "where the limit ended all of them, they are alike"


def test_the_middle_is_that_of_whole_trainings() -> None:
    whole, ended = kept("a/t1", NARROW, 70.0), kept("a/t2", spec_of_width(16), 90.0, cut=True)
    assert scores(past(whole, ended, kept("a/t3", WIDE, 79.0, "short"))) == [[70.0, 90.0, 70.0]]


def test_of_one_design_the_whole_training_is_believed() -> None:
    others = [kept("a/t1", NARROW, 70.0), kept("a/t2", spec_of_width(16), 72.0)]
    assert scores(past(*others, kept("a/t3", WIDE, 80.0), kept("b/t1", WIDE, 60.0, cut=True))) == [[70.0, 72.0, 80.0]]


def test_lower_is_better_where_the_metric_says_so() -> None:
    assert scores(past(kept("a/t1", WIDE, 1.5, higher_is_better=False))) == [[-1.5]]


def test_tables_teach_tables_and_trained_trials_trained_ones() -> None:
    cell = cell_to_spec(*CELL, "citeseer")
    table, trained = kept("a/t1", cell, 75.0, "table", task="nasbench:citeseer"), kept("b/t1", WIDE, 80.0)
    assert scores(past(table, trained)) == [[80.0]]
    found = past(table, trained, space=SearchSpace.nasbench("cora"))
    assert scores(found) == [[75.0]]
    assert found is not None
    assert found.spec(0) == cell_to_spec(*CELL, "cora"), "the cell, with the training settings of the run's own data set"


def test_a_cell_that_the_other_table_lacks_is_left_out() -> None:
    both = [kept(f"a/t{i}", cell_to_spec(*cell, "citeseer"), 75.0, "table") for i, cell in enumerate((PLAIN, CELL))]
    assert scores(past(*both, space=SearchSpace.nasbench("proteins"))) == [[75.0]]
    assert past(both[1], space=SearchSpace.nasbench("proteins")) is None


def test_a_spec_that_this_version_cannot_say_is_known_and_never_proposed() -> None:
    later = {"body": {"nodes": [{"id": "a", "op": "of-tomorrow"}], "outputs": ["a"]}}
    found = past(kept("a/t1", WIDE, 80.0).model_copy(update={"spec": later}))
    assert found is not None
    assert found.spec(0) is None


def test_features_are_scaled_as_is_usual_here() -> None:
    memory = InMemory()
    memory.add_trials([kept("a/t1", WIDE, 80.0), kept("a/t2", with_scale(WIDE, "row"), 70.0)])
    found = RememberedTrials(memory, Card, "row").past(SearchSpace.default())
    assert found is not None
    assert scores(found) == [[75.0]]
    assert found.spec(0) == with_scale(WIDE, "row")
    assert found.vectors[0] == pytest.approx(vector(with_scale(WIDE, "row")), abs=1e-5)


def test_no_trials_are_no_past() -> None:
    assert past() is None
