"""Which bodies may be trained on rows of what was propagated before."""

from __future__ import annotations

from typing import Any

import pytest

from agentnas.tools.errors import SpecError
from agentnas.tools.spec.bounded import BoundedSpace
from agentnas.tools.spec.canonical import spec_hash
from agentnas.tools.spec.edits import Edit, apply_edits, edits_help
from agentnas.tools.spec.model import parse_spec
from agentnas.tools.spec.precomputed import precomputed_nodes, propagates_first, same_on_rows
from agentnas.tools.spec.space import SearchSpace

SGC, MLP = {"id": "a", "op": "sgc"}, {"id": "b", "op": "mlp", "width": 8, "inputs": ["a"]}


def data(*nodes: dict[str, Any], recipe: dict[str, Any] | None = None, **parts: Any) -> dict[str, Any]:
    body = {"nodes": nodes or (SGC, MLP), "outputs": [(nodes or (SGC, MLP))[-1]["id"]]}
    return {"body": body, "recipe": {"batching": "precomputed", **(recipe or {})}, **parts}


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        (data(SGC, {**MLP, "op": "gcn"}), "node b: gcn passes messages with weights of its own; allowed: propagation without weights"),
        (data(recipe={"drop_edge": 0.2}), "node a: sgc would pass other messages at each step by recipe.drop_edge 0.2; set it to 0"),
        (data(recipe={"feature_dropout": 0.1}), "node a: sgc would pass other messages at each step by recipe.feature_dropout 0.1; set it"),
        (data(input={"dropout": 0.5}), "node a: sgc would pass other messages at each step by input.dropout 0.5; set it to 0"),
        (data({**SGC, "dropout": 0.5}, MLP), "node a: sgc would pass other messages at each step by a.dropout 0.5; set it to 0"),
        (data(input={"encoder": "linear"}), "node a: sgc must read raw features, or such propagation of them, with nothing but"),
        (data({**SGC, "norm": "layer"}, MLP), "node a: sgc must read raw features"),
        (data(SGC, {**MLP, "norm": "pair"}), "node b: norm 'pair' looks at all nodes at once; allowed: none, batch, layer"),
        (data(recipe={"consistency_samples": 2}), "recipe.consistency_samples compares predictions of all nodes; set it to 1"),
        (data(head={"kind": "graph"}), "recipe.batching 'precomputed' does not fit head.kind 'graph'; allowed: full, minibatch"),
    ],
)
def test_what_asks_for_neighbours_later_is_refused_in_one_line(spec: dict[str, Any], reason: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_spec(spec)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_computed_once() -> None:
    second = {"id": "c", "op": "appnp", "inputs": ["input", "a"], "merge": "mean", "activation": "relu"}
    spec = parse_spec(data(SGC, second, {**MLP, "inputs": ["c"], "norm": "batch"}))
    assert precomputed_nodes(spec) == ("a", "c")
    assert propagates_first(spec)
    assert not same_on_rows(spec)  # a batch norm would see other nodes
    assert same_on_rows(parse_spec(data()))
    assert not propagates_first(parse_spec(data({**MLP, "inputs": ["input"]}, recipe={"drop_edge": 0.5})))


def test_what_has_no_effect_on_rows_is_not_in_the_hash() -> None:
    first, second = (parse_spec(data(recipe={"fanout": fanout, "clusters": 2 * fanout})) for fanout in (5, 15))
    assert spec_hash(first) == spec_hash(second)
    assert spec_hash(first) != spec_hash(parse_spec(data(recipe={"batch_size": 7})))
    assert spec_hash(first) != spec_hash(parse_spec(data(recipe={"batching": "full"})))


def test_the_child_of_what_is_trained_on_rows_asks_for_neighbours_where_its_changes_do() -> None:
    """Who writes edits leaves the batching alone: it is lifted by what cannot do with rows, and stays where rows do."""
    parent = parse_spec(data(recipe={"batch_size": 300}))

    def child(*lines: str) -> tuple[str, int]:
        recipe = apply_edits(parent, [Edit.model_validate(line) for line in lines], SearchSpace.default()).recipe
        return recipe.batching, recipe.batch_size

    assert child("n2.width = 16") == ("precomputed", 300)
    assert child("n2 = gcn 8 <- n1")[0] == "full"
    assert child("recipe.drop_edge = 0.2")[0] == "full"
    assert child("recipe.batching = full", "n2.width = 16")[0] == "full"
    with pytest.raises(SpecError, match="'precomputed' does not fit: node n2: gcn passes messages"):
        child("recipe.batching = precomputed", "n2 = gcn 8 <- n1")


def test_a_space_that_searches_it_says_what_it_asks_for() -> None:
    told = "batching precomputed computes propagation once, then trains on rows. All propagation must read the raw features"
    assert told in edits_help(BoundedSpace(values={"recipe.batching": ("full", "precomputed")}))
    assert "precomputed" not in edits_help(SearchSpace.default())
