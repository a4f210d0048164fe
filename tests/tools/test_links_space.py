"""What is tried first on link tasks, and what the space makes of them: every design can be trained."""

from __future__ import annotations

import random

import pytest

from agentnas.tools.anchors_of_kinds import link_anchors
from agentnas.tools.spec.ablations import ablations
from agentnas.tools.spec.bounded import BoundedSpace
from agentnas.tools.spec.canonical import canonical_json, spec_hash
from agentnas.tools.spec.diff import diff
from agentnas.tools.spec.kinds import for_kind, reads_edges
from agentnas.tools.spec.model import ArchitectureSpec, parse_spec
from agentnas.tools.spec.render import render
from agentnas.tools.spec.wire import from_wire, to_wire
from agentnas.tools.train.data import PreparedTask
from agentnas.tools.train.trainer import train
from tests.tools.train.test_pairs import blocks

SPACE = BoundedSpace("default").for_task("link", "classes")


@pytest.fixture(scope="module")
def prepared() -> PreparedTask:
    return PreparedTask.from_task(blocks())


def sampled(count: int) -> list[ArchitectureSpec]:
    rng = random.Random(0)
    return [SPACE.sample(rng) for _ in range(count)]


def test_anchors_are_designs_for_pairs_that_the_space_holds() -> None:
    assert [anchor.name for anchor in link_anchors()] == ["mlp", "gae", "sage", "ncn", "sage-structure"]
    assert {anchor.kind for anchor in link_anchors()} == {"plain", "strong"}
    for anchor in link_anchors():
        assert anchor.spec.head.kind == "link"
        assert SPACE.contains(anchor.spec) is None, anchor.name
        assert for_kind(anchor.spec, "link") == anchor.spec


def test_draws_are_of_pairs_in_minibatches_with_each_of_the_heads() -> None:
    specs = sampled(100)
    assert {spec.head.kind for spec in specs} == {"link"}
    assert {spec.recipe.batching for spec in specs} == {"minibatch"}
    assert {spec.post.kind for spec in specs} == {"none"}
    decoders = [spec.head.decoder for spec in specs]
    assert all(decoders.count(name) >= 15 for name in ("dot", "mlp", "common_neighbour"))
    assert 30 < sum(spec.head.pair_features == "structure" for spec in specs) < 70
    assert all(node.width != "out" for spec in specs for node in spec.body.nodes)
    assert sum(len(spec.body.nodes) <= 4 for spec in specs) > 70


def test_draws_and_their_neighbours_train(prepared: PreparedTask) -> None:
    rng = random.Random(1)
    drawn = sampled(8)
    for spec in [*drawn, SPACE.crossover(drawn[0], drawn[1], rng), *[rng.choice(SPACE.options(s, "head.decoder")) for s in drawn[:3]]]:
        assert SPACE.contains(spec) is None
        result = train(spec, prepared, split=0, seed=0, epochs=2)
        assert 0 <= result.val <= 100


def test_what_a_head_reads_of_pairs_is_varied_crossed_and_taken_back() -> None:
    plain = next(anchor.spec for anchor in link_anchors() if anchor.name == "sage")
    (other,) = SPACE.options(plain, "head.pair_features")
    assert other.head.pair_features == "structure"
    assert {change.path for change in diff(plain, other)} == {"head.pair_features"}
    assert "mlp head, kind link, pair_features structure" in render(other)
    rng = random.Random(0)
    assert {SPACE.crossover(plain, other, rng).head.pair_features for _ in range(20)} == {"none", "structure"}
    assert [spec_hash(found.spec) for found in ablations(other) if found.factor == "head.pair_features"] == [spec_hash(plain)]
    assert spec_hash(from_wire(to_wire(other))) == spec_hash(other)


def test_features_alone_are_read_where_neither_body_nor_head_looks_at_edges() -> None:
    found = {anchor.name: reads_edges(anchor.spec) for anchor in link_anchors()}
    assert found == {"mlp": False, "gae": True, "sage": True, "ncn": True, "sage-structure": True}
    alone = next(anchor.spec for anchor in link_anchors() if anchor.name == "mlp")
    assert all(map(reads_edges, SPACE.options(alone, "head.pair_features"))), "what the head counts around a pair is of its edges"


def test_nothing_is_read_of_pairs_where_there_are_none() -> None:
    """Nor does a design that was written before there was a choice become another."""
    nodes = BoundedSpace("default")
    assert "head.pair_features" in SPACE.factors()
    assert "head.pair_features" not in nodes.factors()
    spec = nodes.sample(random.Random(0))
    head = spec.head.model_copy(update={"pair_features": "structure"})
    assert spec_hash(spec.model_copy(update={"head": head})) == spec_hash(spec)
    ncn = next(anchor.spec for anchor in link_anchors() if anchor.name == "ncn")
    assert "pair_features" not in canonical_json(ncn)
    assert spec_hash(ncn) == "a74faaa6c280d91b"


def test_a_node_design_becomes_one_for_pairs() -> None:
    nodes = [{"id": "a", "op": "gcn", "width": 64}, {"id": "b", "op": "gcn", "inputs": ["a"], "width": "out"}]
    spec = parse_spec({"body": {"nodes": nodes, "outputs": ["b"]}, "head": {"decoder": "none"}, "post": {"kind": "label_propagation"}})
    link = for_kind(spec, "link")
    assert (link.head.kind, link.head.decoder, link.post.kind, link.recipe.batching) == ("link", "mlp", "none", "minibatch")
    assert [node.width for node in link.body.nodes] == [64, 64]
