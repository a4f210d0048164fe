"""Search spaces: every move stays inside and varies exactly what it says."""

from __future__ import annotations

import json
import random
from collections import Counter
from functools import lru_cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentnas.tools.errors import SpecError, UsageError
from agentnas.tools.operators.base import operator, operators
from agentnas.tools.spec.bounded import BoundedSpace
from agentnas.tools.spec.canonical import canonical, spec_hash
from agentnas.tools.spec.diff import diff, factor_of
from agentnas.tools.spec.model import ArchitectureSpec, parse_spec
from agentnas.tools.spec.space import SearchSpace
from tests.tools.spec.strategies import renamed, specs

SPACES = {
    "default": SearchSpace.default(),
    "small": SearchSpace.small(),
    "deep": BoundedSpace("deep", operators=("gcn", "gcnii", "appnp", "mlp"), max_nodes=16, max_depth=16),
    "one operator": BoundedSpace("one operator", operators=("gat",), values={"recipe.optimiser": ("sgd",), "recipe.learning_rate": (0.5,)}),
    "only hops": BoundedSpace("only hops", operators=("sgc", "appnp"), values={"body.dropout": (0.2, 0.4)}),
}
bounded = st.sampled_from(sorted(SPACES)).map(SPACES.__getitem__)
seeds = st.integers(0, 10**6)


@lru_cache(maxsize=1)
def draws() -> list[ArchitectureSpec]:
    rng = random.Random(0)
    return [SPACES["default"].sample(rng) for _ in range(400)]


@given(bounded, seeds)
def test_samples_lie_inside_in_canonical_form_and_are_reproducible(space: SearchSpace, seed: int) -> None:
    spec = space.sample(random.Random(seed))
    assert space.contains(spec) is None
    assert canonical(spec) == spec
    assert ArchitectureSpec.model_validate(spec.model_dump()) == spec
    assert space.sample(random.Random(seed)) == spec


@given(bounded, seeds)
def test_a_mutation_stays_inside_and_varies_its_factor_alone(space: SearchSpace, seed: int) -> None:
    rng = random.Random(seed)
    spec = space.sample(rng)
    for _ in range(4):
        mutation = space.mutate(spec, rng)
        assert mutation is not None
        assert space.contains(mutation.spec) is None
        assert spec_hash(mutation.spec) != spec_hash(spec)
        assert factor_of(diff(spec, mutation.spec)) == mutation.factor
        assert mutation.factor in space.factors()
        assert mutation.change
        spec = mutation.spec


def pairs() -> list[ArchitectureSpec]:
    """For each operator a chain of two nodes of it, so that its parameters can be varied one by one and together."""
    chains = []
    for op in operators():
        width = {"width": 64} if operator(op).has_width else {}
        chain = [{"id": "a", "op": op, **width}, {"id": "b", "op": op, "inputs": ["a"], **width}]
        chains.append(parse_spec({"body": {"nodes": chain, "outputs": ["b"]}}))
    return chains


@pytest.mark.parametrize("factor", SPACES["default"].factors())
def test_every_factor_can_be_varied_by_itself(factor: str) -> None:
    space = SPACES["default"]
    rng = random.Random(1)
    found = (space.mutate(spec, rng, [factor]) for spec in [*pairs(), *draws()])
    mutation = next((mutation for mutation in found if mutation is not None), None)
    assert mutation is not None, f"no sample of 400 has anything to vary in {factor}"
    assert mutation.factor == factor


@given(specs(most_nodes=4), seeds)
def test_children_of_foreign_parents_are_no_further_outside(spec: ArchitectureSpec, seed: int) -> None:
    space = SPACES["small"]
    mutation = space.mutate(spec, random.Random(seed))
    outside = space.violations(spec)
    assert mutation is not None
    assert all(amount <= outside.get(bound, 0.0) for bound, amount in space.violations(mutation.spec).items())
    assert spec_hash(mutation.spec) != spec_hash(spec)


@given(bounded, seeds)
def test_crossover_stays_inside(space: SearchSpace, seed: int) -> None:
    rng = random.Random(seed)
    child = space.crossover(space.sample(rng), space.sample(rng), rng)
    assert space.contains(child) is None
    assert canonical(child) == child


def test_crossover_mixes() -> None:
    rng = random.Random(0)
    space = SPACES["default"]
    children = [(a, b, space.crossover(a, b, rng)) for a, b in zip(draws()[:100], draws()[100:200], strict=True)]
    new = [child for a, b, child in children if spec_hash(child) not in {spec_hash(a), spec_hash(b)}]
    assert len(new) > 80


@settings(max_examples=8)
@given(bounded, seeds)
def test_neighbours_are_distinct_and_inside(space: SearchSpace, seed: int) -> None:
    spec = space.sample(random.Random(seed))
    found = list(space.neighbours(spec))
    hashes = [spec_hash(mutation.spec) for mutation in found]
    assert len(hashes) == len(set(hashes)) > 10
    assert spec_hash(spec) not in hashes
    assert all(space.contains(mutation.spec) is None for mutation in found)
    assert all(factor_of(diff(spec, mutation.spec)) == mutation.factor for mutation in found[::10])


@given(specs(), st.randoms(use_true_random=False))
def test_equal_designs_have_equal_vectors_of_one_length(spec: ArchitectureSpec, rng: random.Random) -> None:
    space = SPACES["default"]
    vector = space.vector(spec)
    assert vector == space.vector(renamed(spec, rng))
    assert len(vector) == len(space.vector_names()) == len(set(space.vector_names()))


def test_a_vector_tells_what_a_design_is_made_of() -> None:
    nodes = [
        {"id": "a", "op": "mlp", "width": 64, "dropout": 0.5, "activation": "relu"},
        {"id": "b", "op": "mlp", "inputs": ["a"], "width": "out"},
        {"id": "c", "op": "appnp", "inputs": ["b"], "params": {"hops": 20}},
    ]
    spec = parse_spec({"body": {"nodes": nodes, "outputs": ["c"]}, "head": {"decoder": "none"}})
    found = dict(zip(SPACES["default"].vector_names(), SPACES["default"].vector(spec), strict=True))
    expected = {
        "op.mlp": 2.0, "op.appnp": 1.0, "op.appnp.hops": 20.0, "op.gcn": 0.0, "body.depth": 3.0, "body.propagations_deep": 20.0,
        "body.convolutions_deep": 0.0, "body.transformations_deep": 2.0, "body.widest": 6.0, "body.dropout_max": 0.5,
        "body.ends_in_out": 1.0,
        "recipe.learning_rate": -2.0, "recipe.optimiser=adam": 1.0, "head.decoder=none": 1.0,
    }  # fmt: skip
    assert {name: found[name] for name in expected} == expected


def test_different_samples_have_different_vectors() -> None:
    vectors = {tuple(SPACES["default"].vector(spec)) for spec in draws()}
    assert len(vectors) > 0.97 * len({spec_hash(spec) for spec in draws()})


def test_samples_look_like_networks_that_people_publish() -> None:
    sizes = Counter(len(spec.body.nodes) for spec in draws())
    assert set(sizes) <= set(range(1, 7))
    kinds = [{operator(node.op).kind for node in spec.body.nodes} for spec in draws()]
    assert sum("propagation" in found for found in kinds) > 0.3 * len(kinds)
    assert sum("convolution" in found for found in kinds) > 0.4 * len(kinds)
    dropouts = [{node.dropout for node in spec.body.nodes if operator(node.op).has_width} for spec in draws()]
    assert sum(len(found) <= 1 for found in dropouts) > 0.95 * len(dropouts)
    assert Counter(spec.recipe.optimiser for spec in draws()).most_common(1)[0][0] == "adam"
    assert Counter(spec.recipe.learning_rate for spec in draws()).most_common(1)[0][0] == 0.01


def test_the_parts_of_a_grand_like_recipe_are_drawn_together() -> None:
    rng = random.Random(3)
    found = (SPACES["default"].sample(rng) for _ in range(1500))
    assert any(
        spec.recipe.consistency_samples > 1
        and spec.recipe.drop_node > 0
        and any(node.op == "sgc" and node.params.get("average") for node in spec.body.nodes)
        and any(node.op == "mlp" for node in spec.body.nodes)
        for spec in found
    )


def deep(layers: int) -> dict[str, object]:
    nodes = [{"id": f"a{i}", "op": "gcn", "inputs": [f"a{i - 1}" if i else "input"]} for i in range(layers)]
    return {"body": {"nodes": nodes, "outputs": [nodes[-1]["id"]]}}


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"body": {"nodes": [{"id": "a", "op": "pna", "width": 64}], "outputs": ["a"]}}, "body.op is 'pna'; allowed: appnp, gat"),
        ({"body": {"nodes": [{"id": "a", "op": "gcn", "width": 2048}], "outputs": ["a"]}}, "body.width is 2048; allowed: 16, 32"),
        ({}, "the body has no node"),
        ({"body": {"nodes": [{"id": "a", "op": "gcn"}], "outputs": ["a"]}, "recipe": {"optimiser": "sgd"}}, "recipe.optimiser is 'sgd'"),
        (deep(5), "max_depth is 4, the spec has 5"),
    ],
)  # fmt: skip
def test_contains_says_why_not(spec: dict[str, object], words: str) -> None:
    reason = SPACES["small"].contains(parse_spec(spec))
    assert reason is not None
    assert words in reason


def test_numbers_between_the_tried_ones_are_inside() -> None:
    spec = parse_spec({"body": {"nodes": [{"id": "a", "op": "gcn", "width": 48}], "outputs": ["a"]}, "recipe": {"learning_rate": 0.003}})
    assert SPACES["default"].contains(spec) is None


def test_unknown_names_are_refused_with_suggestions() -> None:
    rng = random.Random(0)
    with pytest.raises(UsageError, match="unknown operator 'gcm'; did you mean"):
        BoundedSpace("x", operators=("gcm",))
    with pytest.raises(UsageError, match=r"did you mean recipe\.learning_rate"):
        BoundedSpace("x", values={"recipe.learning_rat": (0.1,)})
    with pytest.raises(UsageError, match=r"no factor 'recipe\.lr'"):
        SPACES["default"].mutate(SPACES["default"].sample(rng), rng, ["recipe.lr"])
    with pytest.raises(UsageError, match="unknown space 'big'"):
        SearchSpace.named("big")


def test_factors_that_cannot_be_varied_are_not_offered() -> None:
    fixed = BoundedSpace("fixed", values={"recipe.consistency_samples": (1,), "recipe.optimiser": ("adam",)})
    missing = set(SPACES["default"].factors()) - set(fixed.factors())
    assert missing == {
        "recipe.consistency_samples", "recipe.consistency_weight", "recipe.consistency_temperature", "recipe.optimiser", "recipe.momentum",
    }  # fmt: skip


def test_nothing_to_vary_is_none() -> None:
    spec = parse_spec({"body": {"nodes": [{"id": "a", "op": "gcn", "width": 64}], "outputs": ["a"]}})
    assert SPACES["default"].mutate(spec, random.Random(0), ["body.jump", "body.params.hops"]) is None


def test_a_space_that_holds_nothing_says_so() -> None:
    contradictory = BoundedSpace("none", operators=("sgc",), values={"head.decoder": ("none",)})
    with pytest.raises(SpecError, match="space none: no sample of"):
        contradictory.sample(random.Random(0))


def test_spaces_as_plain_data() -> None:
    for name in ("default", "small", "nasbench:cora"):
        data = SearchSpace.named(name).as_dict()
        assert json.loads(json.dumps(data)) == data
        assert data["name"] == name


def test_directed_and_typed_tasks_have_operators_and_ways_of_edges_that_others_have_not() -> None:
    plain = BoundedSpace("default").for_task("node", "classes")
    rich = BoundedSpace("default").for_task("node", "classes", ("directions", "types"))
    assert set(rich.allowed_operators()) - set(plain.allowed_operators()) == {"dirgnn", "rgcn", "hgt"}
    assert "input.edges" in rich.factors()
    assert "input.edges" not in plain.factors()
    rng = random.Random(0)
    drawn = [rich.sample(rng) for _ in range(150)]
    assert all(rich.contains(spec) is None for spec in drawn)
    assert {"dirgnn", "rgcn", "hgt"} & {node.op for spec in drawn for node in spec.body.nodes}
    assert len({spec.input.edges for spec in drawn}) > 1
    seen = next(spec for spec in drawn if spec.input.edges != "as_given")
    assert "input.edges" in (plain.contains(seen) or "")
    assert rich.as_dict()["offers"] == ["directions", "types"]
    assert "offers" not in plain.as_dict()
