"""Locked parts: every sample, mutation, crossover and adoption keeps them, whatever the space and the parent."""

from __future__ import annotations

import random
from functools import lru_cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentnas.tools.errors import UsageError
from agentnas.tools.spec.bounded import BoundedSpace
from agentnas.tools.spec.canonical import canonical, canonical_names, spec_hash
from agentnas.tools.spec.locks import Locks, read_locks
from agentnas.tools.spec.model import ArchitectureSpec, parse_spec
from tests.tools.spec.strategies import renamed, specs

GAT = {"id": "enc", "op": "gat", "width": 32, "params": {"heads": 4}, "activation": "elu", "dropout": 0.3}
START = parse_spec({
    "input": {"dropout": 0.6},
    "body": {"nodes": [GAT, {"id": "hops", "op": "appnp", "inputs": ["enc"]}], "outputs": ["hops"]},
    "recipe": {"learning_rate": 0.005, "epochs": 200},
})  # fmt: skip
LOCKS = {
    "an encoder": ["body.enc"],
    "an encoder and the recipe": ["body.enc", "recipe"],
    "what reads anything": ["body.hops"],
    "two nodes": ["body.enc", "body.hops"],
    "one thing about a node": ["body.enc.heads", "body.enc.op"],
    "the body": ["body"],
    "the input": ["input"],
    "head and post": ["head", "post"],
    "settings": ["recipe.learning_rate", "recipe.weight_decay=0.01", "input.encodings"],
}
chosen = st.sampled_from(sorted(LOCKS))
seeds = st.integers(0, 10**6)


@lru_cache(maxsize=16)
def locked(name: str) -> BoundedSpace:
    return BoundedSpace("locked", locks=read_locks(LOCKS[name], START), strict=True)


def keeps(space: BoundedSpace, spec: ArchitectureSpec) -> bool:
    return space.contains(spec) is None and not space.locks.broken(spec)


@given(chosen, seeds)
def test_samples_keep_what_is_locked(name: str, seed: int) -> None:
    space = locked(name)
    spec = space.sample(random.Random(seed))
    assert keeps(space, spec)
    assert canonical(spec) == spec
    assert space.sample(random.Random(seed)) == spec


@settings(max_examples=40)
@given(chosen, seeds)
def test_mutations_keep_what_is_locked_step_after_step(name: str, seed: int) -> None:
    space, rng = locked(name), random.Random(seed)
    spec = space.sample(rng)
    for _ in range(3):
        mutation = space.mutate(spec, rng)
        assert mutation is not None
        assert keeps(space, mutation.spec)
        assert spec_hash(mutation.spec) != spec_hash(spec)
        spec = mutation.spec


@given(chosen, seeds)
def test_crossover_keeps_what_is_locked(name: str, seed: int) -> None:
    space, rng = locked(name), random.Random(seed)
    assert keeps(space, space.crossover(space.sample(rng), space.sample(rng), rng))


@settings(max_examples=3)
@given(chosen, seeds)
def test_neighbours_keep_what_is_locked(name: str, seed: int) -> None:
    space = locked(name)
    found = list(space.neighbours(space.sample(random.Random(seed))))
    assert found
    assert all(keeps(space, mutation.spec) for mutation in found)


@settings(max_examples=40)
@given(chosen, specs(), seeds)
def test_no_child_of_a_foreign_parent_lies_outside(name: str, spec: ArchitectureSpec, seed: int) -> None:
    space = locked(name)
    mutation = space.mutate(spec, random.Random(seed))
    assert mutation is None or keeps(space, mutation.spec)


@settings(max_examples=40)
@given(chosen, specs())
def test_what_is_adopted_keeps_what_is_locked(name: str, spec: ArchitectureSpec) -> None:
    space = locked(name)
    adopted = space.adopt(spec)
    assert adopted is None or keeps(space, adopted)


@given(chosen, seeds)
def test_names_and_orders_mean_nothing(name: str, seed: int) -> None:
    rng, space = random.Random(seed), locked(name)
    assert space.locks.broken(renamed(START, rng)) == space.locks.broken(START)
    other = space.sample(rng)
    assert space.locks.broken(renamed(other, rng)) == []


@pytest.mark.parametrize(("name", "path", "value"), [
    ("an encoder", "width", 64), ("an encoder", "dropout", 0.5), ("an encoder", "op", "gatv2"), ("an encoder", "params", {"heads": 8}),
    ("one thing about a node", "params", {"heads": 8}),
])  # fmt: skip
def test_a_changed_node_is_seen(name: str, path: str, value: object) -> None:
    data = START.model_dump()
    data["body"]["nodes"][0][path] = value
    broken = locked(name).locks.broken(parse_spec(data))
    assert broken
    assert all(found.startswith("body.enc") for found in broken)
    assert "is locked" in str(locked(name).contains(parse_spec(data)))


def test_an_encoder_that_reads_something_else_is_not_the_encoder() -> None:
    data = START.model_dump()
    data["body"]["nodes"] = [{"id": "first", "op": "mlp", "width": 16}, {**GAT, "inputs": ["first"]}, *data["body"]["nodes"][1:]]
    assert locked("an encoder").locks.broken(parse_spec(data)) == ["body.enc"]
    assert not locked("one thing about a node").locks.broken(parse_spec(data))


def test_a_setting_without_effect_is_not_another() -> None:
    """Momentum does nothing with adam: a lock on it is kept by whatever does not use it."""
    locks = read_locks(["recipe.momentum=0.5"], None)
    assert not locks.broken(START)
    assert locks.broken(parse_spec({**START.model_dump(), "recipe": {"optimiser": "sgd"}})) == ["recipe.momentum"]


def test_a_grafted_draw_reads_the_encoder() -> None:
    """Whatever is drawn behind a locked encoder sees its output, never the features beside it by accident."""
    for seed in range(30):
        spec = locked("an encoder").sample(random.Random(seed))
        readers = [node for node in spec.body.nodes if "input" in node.inputs]
        assert [node.op for node in readers] == ["gat"]


def test_locks_make_a_space_smaller() -> None:
    whole = BoundedSpace("locked").log10_size()
    assert all(locked(name).log10_size() < whole for name in LOCKS if name not in ("one thing about a node",))
    assert "recipe.learning_rate" not in locked("settings").factors()
    assert not any(factor.startswith("body.") for factor in locked("the body").factors())


def test_names_of_a_start_are_those_of_its_file() -> None:
    assert canonical_names(START) == {"enc": "n1", "hops": "n2"}


def test_locks_come_back_from_plain_data() -> None:
    for name in LOCKS:
        held = locked(name).as_dict()["lock"]
        assert Locks(held).broken(START) == ([] if name != "settings" else ["recipe.weight_decay"])


@pytest.mark.parametrize(("paths", "start", "told"), [
    (["body.n7"], True, "body.n7 is no node of the start; did you mean body.enc"),
    (["recipe.lerning_rate"], True, "recipe.lerning_rate is no setting; did you mean learning_rate"),
    (["recipes"], True, "'recipes' is no part of a design; did you mean recipe"),
    (["body.enc.head"], True, "body.enc: gat has no 'head'; did you mean heads?"),
    (["body.enc"], False, "give --start SPEC too"),
    (["recipe.learning_rate"], False, "recipe.learning_rate=VALUE"),
    (["recipe.learning_rate=fast"], False, "recipe.learning_rate is 'fast'; allowed: more than 0 to 10"),
    (["body.enc=gat"], True, "allowed: a value for a setting"),
])  # fmt: skip
def test_a_wrong_lock_is_told_in_one_line(paths: list[str], start: bool, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_locks(paths, START if start else None)
    assert told in str(caught.value)
    assert str(caught.value).startswith("--lock: ")
    assert "\n" not in str(caught.value)
