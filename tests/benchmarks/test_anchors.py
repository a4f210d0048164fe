"""The benchmark of anchors: it trains what it is asked for, and a held fold is in no other part."""

from __future__ import annotations

import numpy as np
import pytest

from agentnas.tools.errors import UsageError
from agentnas.tools.tasks import Task, load_task
from tests.benchmarks import anchors
from tests.tools.train.test_graph_sets import task  # noqa: F401


def test_a_held_fold_is_neither_trained_nor_chosen_on(task: Task) -> None:  # noqa: F811
    for before, after in zip(task.splits, anchors.with_held(task).splits, strict=True):
        parts = [set(part.tolist()) for part in (after.train, after.val, after.test)]
        assert sum(map(len, parts)) == len(set().union(*parts)), "no item is in two parts"
        assert not set(before.test.tolist()) & set().union(*parts), "and none of the test is in any"
        assert np.array_equal(before.val, after.val)


def test_what_has_no_folds_is_refused() -> None:
    with pytest.raises(UsageError, match="--held: the splits of generated:directed are no folds"):
        anchors.with_held(load_task("generated:directed"))


def test_anchors_are_trained_with_the_settings_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    anchors.main(["digits", "--only", "mlp", "--splits", "1", "--with", "recipe.epochs=7", "recipe.patience=0"])
    lines = capsys.readouterr().out.strip().splitlines()
    assert lines[0].startswith("digits: ")
    assert lines[-1].startswith("| mlp | ")
    assert lines[-1].split(" | ")[3] == "7"
