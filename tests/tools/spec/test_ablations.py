"""Each choice of a design taken back once: valid, different, and named for what it takes back."""

from __future__ import annotations

import random

import pytest

from agentnas.tools.anchors import plain_anchors, strong_anchors
from agentnas.tools.anchors_of_kinds import graph_anchors, link_anchors
from agentnas.tools.operators.base import operator
from agentnas.tools.spec.ablations import ablations
from agentnas.tools.spec.bounded import BoundedSpace
from agentnas.tools.spec.canonical import spec_hash
from agentnas.tools.spec.diff import diff, factor_of
from agentnas.tools.spec.model import ArchitectureSpec, parse_spec

ANCHORS = {f"{kind}-{a.name}": a.spec for kind, made in (
    ("node", (*plain_anchors(), *strong_anchors())), ("graph", graph_anchors()), ("link", link_anchors()),
) for a in made}  # fmt: skip


@pytest.mark.parametrize("name", ANCHORS)
def test_variants_differ_from_the_design_and_from_each_other(name: str) -> None:
    spec = ANCHORS[name]
    found = ablations(spec)
    hashes = [spec_hash(variant.spec) for variant in found]
    assert found
    assert len(set(hashes)) == len(hashes)
    assert spec_hash(spec) not in hashes
    assert all(variant.change and variant.spec.head.kind == spec.head.kind for variant in found)


@pytest.mark.parametrize("kind", ["node", "graph", "link"])
def test_any_design_can_be_taken_apart(kind: str) -> None:
    space, rng = BoundedSpace("default").for_task(kind, "classes"), random.Random(0)
    for _ in range(40):
        for variant in ablations(space.sample(rng)):
            parse_spec(variant.spec.model_dump(mode="json"))


@pytest.mark.parametrize("name", ANCHORS)
def test_a_setting_that_is_taken_back_is_the_one_factor_that_differs(name: str) -> None:
    spec = ANCHORS[name]
    for variant in ablations(spec):
        if variant.factor.startswith(("recipe.", "input.", "head.", "body.params.")):
            varied = factor_of(diff(spec, variant.spec))
            assert varied in (variant.factor, variant.factor.replace("body.", "body.*."), None)
            assert any(change.factor == variant.factor for change in diff(spec, variant.spec))


def test_without_edges_no_operator_looks_at_a_neighbour() -> None:
    for spec in ANCHORS.values():
        for variant in ablations(spec):
            if variant.factor == "edges":
                assert {operator(node.op).kind for node in variant.spec.body.nodes} <= {"pointwise"}
    assert not [v for v in ablations(ANCHORS["node-mlp"]) if v.factor == "edges"], "an MLP has none to lose"


def test_a_design_without_choices_has_nothing_to_take_back() -> None:
    bare = {"body": {"nodes": [{"id": "a", "op": "mlp", "width": "out"}], "outputs": ["a"]}, "head": {"decoder": "none"}}
    spec: ArchitectureSpec = parse_spec({**bare, "recipe": {"weight_decay": 0.0}})
    assert ablations(spec) == []
