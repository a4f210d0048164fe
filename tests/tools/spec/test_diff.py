"""Differences are minimal, can be applied, and name the one factor that was varied."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentnas.tools.errors import SpecError
from agentnas.tools.spec.canonical import canonical, spec_hash
from agentnas.tools.spec.diff import Change, apply, describe, diff, factor_of
from agentnas.tools.spec.model import ArchitectureSpec, parse_spec
from tests.tools.spec.strategies import renamed, specs, with_idle_nodes


def two_layers(**second: Any) -> ArchitectureSpec:
    first = {"id": "a", "op": "gcn", "width": 64, "dropout": 0.5, "activation": "relu"}
    nodes = [first, {"id": "b", "op": "gcn", "inputs": ["a"], "width": "out", "dropout": 0.5, **second}]
    return parse_spec({"body": {"nodes": nodes, "outputs": ["b"]}, "head": {"decoder": "none"}})


@given(specs(most_nodes=4), specs(most_nodes=4))
def test_applying_a_difference_gives_the_other_spec(a: ArchitectureSpec, b: ArchitectureSpec) -> None:
    changes = diff(a, b)
    assert spec_hash(apply(a, changes)) == spec_hash(b)
    assert (changes == []) == (spec_hash(a) == spec_hash(b))


@given(specs(), st.randoms(use_true_random=False))
def test_equal_networks_do_not_differ(spec: ArchitectureSpec, rng: random.Random) -> None:
    assert diff(spec, with_idle_nodes(renamed(spec, rng), rng)) == []


@given(specs(most_nodes=3), specs(most_nodes=3))
def test_no_change_can_be_left_out(a: ArchitectureSpec, b: ArchitectureSpec) -> None:
    changes = diff(a, b)
    settings = [change for change in changes if not change.path.startswith("body")]
    for change in settings:
        fewer = [other for other in changes if other is not change]
        try:
            reached = spec_hash(apply(a, fewer))
        except SpecError:
            continue
        assert reached != spec_hash(b) or len(changes) == 1


def test_one_setting() -> None:
    changes = diff(two_layers(), two_layers(dropout=0.6))
    assert changes == [Change("body.nodes.b.dropout", 0.5, 0.6)]
    assert describe(changes) == "b.dropout 0.5 -> 0.6"
    assert factor_of(changes) == "body.dropout"
    assert changes[0].as_dict() == {"path": "body.nodes.b.dropout", "old": 0.5, "new": 0.6}


def test_the_same_setting_of_several_nodes_is_one_tied_factor() -> None:
    other = two_layers(dropout=0.6)
    first = other.body.nodes[0].model_copy(update={"dropout": 0.6})
    tied = other.model_copy(update={"body": other.body.model_copy(update={"nodes": (first, other.body.nodes[1])})})
    assert factor_of(diff(two_layers(), tied)) == "body.*.dropout"


def test_a_node_between_is_found_under_other_names() -> None:
    longer = parse_spec(
        {
            "body": {
                "nodes": [
                    {"id": "a", "op": "gcn", "width": 64, "dropout": 0.5, "activation": "relu"},
                    {"id": "new", "op": "sage", "inputs": ["a"], "width": 32},
                    {"id": "b", "op": "gcn", "inputs": ["new"], "width": "out", "dropout": 0.5},
                ],
                "outputs": ["b"],
            },
            "head": {"decoder": "none"},
        }
    )
    for written in (longer, canonical(longer)):
        added = diff(two_layers(), written)
        assert describe(added) in {"+ new sage(a); b.inputs [a] -> [new]", "+ n2 sage(a); b.inputs [a] -> [n2]"}
        assert factor_of(added) == "body.add_node"
        assert factor_of(diff(written, two_layers())) == "body.remove_node"


def test_another_operator_drags_its_parameters_and_width_along() -> None:
    changed = two_layers(op="gat", params={"heads": 1})
    assert factor_of(diff(two_layers(), changed)) == "body.op"


def test_a_parameter_that_was_not_said_is_told_by_its_default() -> None:
    usual, few = (two_layers(op="gat", params=params) for params in ({}, {"heads": 2}))
    assert describe(diff(usual, few)) == "b.params.heads 8 (default) -> 2"
    assert describe(diff(few, usual)) == "b.params.heads 2 -> 8 (default)"
    assert diff(usual, few) == [Change("body.nodes.b.params.heads", None, 2)]


def test_what_another_operator_drags_along_is_told_last() -> None:
    changes = diff(two_layers(), two_layers(op="gat", params={"heads": 1}))
    assert describe(changes) == describe(changes[::-1]) == "b.op gcn -> gat; b.params.heads none -> 1"


def test_two_factors_are_none() -> None:
    other = two_layers(dropout=0.6)
    both = other.model_copy(update={"recipe": other.recipe.model_copy(update={"learning_rate": 0.05})})
    assert factor_of(diff(two_layers(), both)) is None
    assert factor_of([]) is None
    assert describe([]) == "no difference"


def test_changes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(SpecError, match=r"body\.nodes\.zz\.dropout: 'zz' does not exist"):
        apply(two_layers(), [Change("body.nodes.zz.dropout", 0.0, 0.5)])
    with pytest.raises(SpecError, match="input 'a' does not exist"):
        apply(two_layers(), [Change("body.nodes.a", {}, None)])
