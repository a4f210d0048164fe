"""Small generated tasks: what they promise, what their best predictions reach, and one line for settings that cannot be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from agentnas.tools.errors import UsageError
from agentnas.tools.tasks import load_task
from agentnas.tools.tasks.base import sorted_with_types, typed_features
from agentnas.tools.tasks.direction import PATTERNS, direction_of
from agentnas.tools.tasks.generated import EXAMPLES, parse
from agentnas.tools.tasks.generated_graphs import made
from agentnas.tools.tasks.pairs import link_task

SMALL = [f"{name},nodes=400" for name in EXAMPLES]


@pytest.mark.parametrize("name", SMALL)
def test_the_same_settings_give_the_same_task_and_another_seed_another(name: str) -> None:
    task = load_task(name)
    assert task.name == parse(name).name == parse(task.name).name
    assert task.fingerprint == load_task(name).fingerprint != load_task(f"{name},seed=1").fingerprint
    data = task.data
    assert data is not None
    assert data.num_nodes == 400
    assert data.num_edges == parse(name).edges
    assert np.isfinite(data.x).all()
    assert not (data.edge_index[0] == data.edge_index[1]).any()


@pytest.mark.parametrize("name", SMALL)
def test_splits_share_out_all_that_is_labelled(name: str) -> None:
    task = load_task(name)
    assert task.data is not None
    labelled = np.flatnonzero(task.data.labelled)
    for split in task.splits:
        assert np.array_equal(np.sort(np.concatenate([split.train, split.val, split.test])), labelled)
    assert len({tuple(split.train) for split in task.splits}) == task.num_splits == 10


@pytest.mark.parametrize(
    ("name", "least", "target", "offers"),
    [("labels", 90, "labels", ()), ("value", 75, "value", ()), ("directed", 92, "classes", ("directions",)),
     ("hetero", 92, "classes", ("directions", "types"))],
)  # fmt: skip
def test_the_best_predictions_are_good_and_noise_makes_them_worse(name: str, least: float, target: str, offers: tuple[str, ...]) -> None:
    def reached(noise: float) -> float:
        full = f"generated:{name},noise={noise}"
        task, best = load_task(full), made(parse(full)).best
        assert task.data is not None
        return float(np.mean([task.metric.score(task.data.y[split.test], best[split.test]) for split in task.splits]))

    task = load_task(f"generated:{name}")
    assert (task.target, task.offers, task.kind) == (target, offers, "node")
    assert reached(0.2) > least
    assert reached(0.0) > reached(0.4) + 1


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("generated:", "does not exist; "),
        ("generated:hetro", "generated:hetero"),
        ("generated:value,node=300", "no setting 'node'; did you mean nodes or noise?"),
        ("generated:value,nodes=3", "nodes is 3, allowed: 200 to 100,000"),
        ("generated:value,noise=x", "noise is 'x', expected a number"),
        ("generated:value,noise=nan", "noise is nan, allowed: 0 to 1"),
        ("generated:value,nodes=300.5", "nodes is 300.5, expected a whole number"),
        ("generated:value,seed=1,seed=2", "seed is given twice"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(name: str, line: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_task(name)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match="split 'public' does not exist"):
        load_task(SMALL[0], split="public")


def test_a_typed_graph_keeps_parallel_edges_of_different_types() -> None:
    edges = np.array([[1, 0, 1, 1], [0, 1, 0, 0]])
    index, types = sorted_with_types(edges, np.array([2, 0, 1, 2]), 2)
    assert index.tolist() == [[0, 1, 1], [1, 0, 0]]
    assert types.tolist() == [0, 1, 2]


def test_features_of_types_stand_side_by_side_after_a_column_a_type() -> None:
    x, node_type = typed_features([np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]])])
    dense = x.toarray() if hasattr(x, "toarray") else x
    assert dense.tolist() == [[1, 0, 1, 2, 0], [0, 1, 0, 0, 3], [0, 1, 0, 0, 4]]
    assert node_type.tolist() == [0, 1, 1]


def test_links_of_typed_edges_are_refused() -> None:
    data = load_task("generated:hetero,nodes=400").data
    assert data is not None
    with pytest.raises(UsageError, match="link prediction does not tell types of edges apart"):
        link_task(data)


def test_direction_is_found_where_it_decides_and_only_there() -> None:
    found = direction_of(load_task("generated:directed"))
    assert found is not None
    assert found.helps
    assert found.score > 0.5
    assert set(found.excess) == set(PATTERNS)
    assert "keep it" in found.sentence
    task = load_task("powerlaw:2000,classes=4")
    assert task.data is not None
    source, target = task.data.edge_index
    forward = np.random.default_rng(0).random((2000, 2000)) < 0.5
    one_way = (source < target) == forward[np.minimum(source, target), np.maximum(source, target)]
    other = direction_of(replace(task, data=replace(task.data, edge_index=task.data.edge_index[:, one_way])))
    assert other is not None
    assert not other.helps
    assert "input.edges both" in other.sentence
    assert direction_of(load_task("generated:value,nodes=400")) is None


def test_direction_reads_no_label_of_the_test_part() -> None:
    task = load_task("generated:directed,nodes=800")
    assert task.data is not None
    y = task.data.y.copy()
    y[task.split(0).test] = (y[task.split(0).test] + 1) % 4
    assert direction_of(replace(task, data=replace(task.data, y=y))) == direction_of(task)
