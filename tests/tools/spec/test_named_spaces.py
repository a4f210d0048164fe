"""Spaces by name and from data: what each holds for every kind of task, and what is said of data that is wrong."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentnas.tools.errors import UsageError
from agentnas.tools.operators.base import operator
from agentnas.tools.spec.bounded import BoundedSpace
from agentnas.tools.spec.canonical import canonical
from agentnas.tools.spec.cellspace import CellSpace
from agentnas.tools.spec.model import ArchitectureSpec, parse_spec
from agentnas.tools.spec.moves import depth
from agentnas.tools.spec.named import NAMED, space_of
from agentnas.tools.spec.narrowing import in_words, narrowed, read_bounds

BOUNDED = sorted(set(NAMED) - {"nasbench"})
KINDS = [("node", "classes"), ("node", "value"), ("graph", "classes"), ("graph", "value"), ("link", "classes")]
names, kinds, seeds = st.sampled_from(BOUNDED), st.sampled_from(KINDS), st.integers(0, 10**6)
OWN = {
    "name": "mine",
    "from": "attention",
    "operators": ["gat", "mlp"],
    "max_depth": 3,
    "values": {"gat.heads": [2, 4], "recipe.epochs": 50},
}
GCN = parse_spec({"body": {"nodes": [{"id": "a", "op": "gcn", "width": 64}], "outputs": ["a"]}})


def bounded(asked: Any, kind: str = "node", target: str = "classes") -> BoundedSpace:
    space = space_of(asked, kind, target)
    assert isinstance(space, BoundedSpace)
    return space


@given(names, kinds, seeds)
def test_samples_and_children_lie_inside_for_every_kind_of_task(name: str, kind: tuple[str, str], seed: int) -> None:
    space, rng = bounded(name, *kind), random.Random(seed)
    spec = space.sample(rng)
    assert space.contains(spec) is None
    assert spec.head.kind == kind[0]
    mutation = space.mutate(spec, rng)
    assert mutation is not None
    assert space.contains(mutation.spec) is None


@given(seeds)
def test_deep_is_deep_and_attention_attends(seed: int) -> None:
    rng = random.Random(seed)
    assert 4 <= depth(bounded("deep").sample(rng).body) <= 64
    ops = {node.op for node in bounded("attention").sample(rng).body.nodes}
    assert ops <= {"gat", "gatv2", "transformer", "fagcn", "hgt", "mlp", "identity"}


def test_deep_draws_reach_far() -> None:
    found = [depth(bounded("deep").sample(random.Random(seed)).body) for seed in range(60)]
    assert min(found) <= 6
    assert max(found) >= 24


def test_children_of_a_published_recipe_stay_in_a_space_that_was_asked_for() -> None:
    rng = random.Random(0)
    assert space_of("default").mutate(GCN, rng, ["recipe.epochs"]) is not None
    assert space_of("attention").mutate(GCN, rng, ["recipe.epochs"]) is None
    assert space_of("attention").adopt(GCN) is None


def test_sizes_grow_as_the_names_say() -> None:
    small, attention, default, large = (space_of(name).log10_size() for name in ("small", "attention", "default", "large"))
    assert small < attention < default < large
    assert round(10 ** space_of("nasbench").log10_size()) == 26_206


def test_cells_of_live_tasks_are_trained_with_the_settings_of_a_table() -> None:
    space = space_of("nasbench:pubmed")
    assert isinstance(space, CellSpace)
    assert not space.is_table
    assert space.sample(random.Random(0)).recipe.learning_rate == 0.2
    with pytest.raises(UsageError, match="cells classify nodes"):
        space_of("nasbench", "graph")
    with pytest.raises(UsageError, match="no parts to lock"):
        space_of("nasbench", locks=["recipe"])


@given(kinds, seeds)
def test_data_of_a_file_are_bounds(kind: tuple[str, str], seed: int) -> None:
    space = bounded(OWN, *kind)
    assert space.name == "mine"
    assert (space.max_depth, space.max_inputs, space.strict) == (3, 3, True)
    spec = space.sample(random.Random(seed))
    assert {node.op for node in spec.body.nodes} <= {"gat", "mlp"}
    assert all(node.params.get("heads", operator("gat").param("heads").default) in (2, 4) for node in spec.body.nodes if node.op == "gat")
    assert spec.recipe.epochs == 50 or kind[0] != "node"


def test_parameters_outside_their_values_are_outside() -> None:
    node = {"id": "a", "op": "gat", "width": 64, "params": {"heads": 8}}
    spec = parse_spec({"body": {"nodes": [node], "outputs": ["a"]}, "recipe": {"epochs": 50, "patience": 50}})
    assert bounded(OWN).contains(spec) == "space mine: gat.heads is 8; allowed: 2, 4"


def test_locks_of_data_need_no_start_where_they_say_values() -> None:
    data = {"lock": {"recipe": {"epochs": 77}, "body.enc": {"op": "gat", "params": {"heads": 2}, "width": 8, "inputs": ["input"]}}}
    spec = bounded(data).sample(random.Random(3))
    assert spec.recipe.epochs == 77
    assert any(node.op == "gat" and node.width == 8 and node.params == {"heads": 2} for node in canonical(spec).body.nodes)


@pytest.mark.parametrize(("data", "told"), [
    ({"nam": 1}, "unknown key 'nam'; did you mean name?"),
    ({"operators": ["gatt"]}, "operators: unknown operator 'gatt'; did you mean gat"),
    ({"operators": []}, "operators is []; allowed: a list of at least one operator"),
    ({"values": {"recipe.lerning_rate": [1]}}, "unknown factor 'recipe.lerning_rate'; did you mean recipe.learning_rate"),
    ({"values": {"recipe.learning_rate": ["fast"]}}, "recipe.learning_rate is 'fast'; allowed: more than 0 to 10"),
    ({"values": {"recipe.learning_rate": []}}, "recipe.learning_rate has none; give at least one"),
    ({"values": {"gat.head": [3]}}, "unknown factor 'gat.head'; did you mean gat.heads?"),
    ({"values": {"gat.heads": [3.5]}}, "gat.heads is 3.5, allowed: int"),
    ({"values": {"recipe.patience": [True]}}, "recipe.patience is True; allowed: 0 to 100000"),
    ({"values": [1]}, "values is [1]; allowed: settings and lists of values"),
    ({"max_nodes": 100}, "max_nodes is 100; allowed: a whole number from 1 to 64"),
    ({"from": "lare"}, "from is 'lare'; did you mean large?"),
    ({"from": "nasbench"}, "from is 'nasbench'; allowed: attention, deep, default, large, small"),
    ({"lock": ["body.n1"]}, "give --start SPEC too"),
    ({"lock": 3}, "lock is 3; allowed: paths such as [body.n1, input]"),
    ({"name": "small"}, "name 'small' is that of a space that ships"),
    ({"min_depth": 9, "max_depth": 4}, "min_depth is 9; allowed: 1 to 4"),
])  # fmt: skip
def test_wrong_data_is_told_in_one_line(data: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError) as caught:
        space_of(data)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_name_is_told() -> None:
    with pytest.raises(UsageError, match=r"unknown space 'atention'; did you mean attention\? \(a file of your own ends in .yaml\)"):
        space_of("atention")


@given(st.sampled_from(["operators = gat, gatv2", "max_depth = 2", "recipe.learning_rate = 0.002 to 0.01", "gat.heads = 4, 8"]), seeds)
def test_a_narrowed_space_lies_inside(line: str, seed: int) -> None:
    path, _, value = line.partition(" = ")
    wide = bounded("default")
    narrow = narrowed(wide, read_bounds([(path, value)], wide))
    spec = narrow.sample(random.Random(seed))
    assert narrow.contains(spec) is None
    assert wide.contains(spec) is None
    assert narrow.log10_size() <= wide.log10_size()


def test_a_range_keeps_the_values_between_its_ends() -> None:
    read = read_bounds([("recipe.learning_rate", "0.004 to 0.02"), ("operators", "gat")], bounded("default"))
    assert in_words(read) == "operators gat; recipe.learning_rate 0.004, 0.005, 0.01, 0.02"


@pytest.mark.parametrize(("path", "value", "told"), [
    ("operators", "gatt", "unknown operator 'gatt'"),
    ("operators", "identity", "nothing is left to search"),
    ("max_depth", "30", "max_depth is 30; allowed: at most 8, as in space default"),
    ("recipe.optimizer", "adam", "unknown path 'recipe.optimizer'; did you mean recipe.optimiser"),
    ("recipe.learning_rate", "5", "recipe.learning_rate 5.0 lies outside of space default"),
    ("recipe.learning_rate", "0.1 to fast", "allowed: two numbers, the smaller first"),
])  # fmt: skip
def test_bounds_that_cannot_be_followed_are_told(path: str, value: str, told: str) -> None:
    wide = bounded("default")
    with pytest.raises(UsageError) as caught:
        narrowed(wide, read_bounds([(path, value)], wide))
    assert told in str(caught.value)


def test_what_is_locked_cannot_be_bound() -> None:
    space = bounded({"lock": {"recipe.learning_rate": 0.01}})
    with pytest.raises(UsageError, match=r"is locked to 0.01; leave it out"):
        narrowed(space, read_bounds([("recipe.learning_rate", "0.02")], space))


def test_as_dict_tells_spaces_apart() -> None:
    def told(*asked: Any) -> dict[str, Any]:
        return space_of(*asked).as_dict()

    assert told("attention") == told("attention") != told("attention", "graph")
    assert told({"lock": {"recipe.epochs": 100}}) != told({"lock": {"recipe.epochs": 200}})


def test_a_lock_beside_a_file_adds_to_its_own() -> None:
    spec = ArchitectureSpec()
    space = space_of({"lock": {"recipe.epochs": 100}}, locks=["recipe.learning_rate=0.02"], start=spec)
    assert isinstance(space, BoundedSpace)
    assert dict(space.locks.held) == {"recipe.epochs": 100, "recipe.learning_rate": 0.02}
