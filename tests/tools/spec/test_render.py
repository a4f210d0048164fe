"""One text for one design, and no text for two."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agentnas.tools.anchors_of_kinds import graph_anchors, link_anchors
from agentnas.tools.spec.canonical import spec_hash
from agentnas.tools.spec.cells import cell_to_spec, spec_to_cell
from agentnas.tools.spec.diff import diff
from agentnas.tools.spec.model import ArchitectureSpec, parse_spec
from agentnas.tools.spec.render import LINE, cell_text, render, render_line, shortened_change
from agentnas.tools.spec.space import SearchSpace
from tests.tools.spec.strategies import renamed, specs

GRAND: dict[str, Any] = {
    "input": {"scale": "row"},
    "body": {
        "nodes": [
            {"id": "hops", "op": "sgc", "params": {"hops": 8, "average": True}},
            {"id": "hidden", "op": "mlp", "inputs": ["hops"], "width": 32, "dropout": 0.5, "activation": "relu"},
            {"id": "skip", "op": "gcn", "width": 32, "norm": "batch", "residual": True},
            {"id": "last", "op": "mlp", "inputs": ["hidden", "skip"], "merge": "gate", "width": "out", "dropout": 0.5},
        ],
        "outputs": ["last"],
    },
    "head": {"decoder": "none"},
    "recipe": {"consistency_samples": 4, "drop_node": 0.5, "weight_decay_conv": 0.0},
    "post": {"kind": "label_propagation", "hops": 5},
}


def test_a_whole_text() -> None:
    assert render(parse_spec(GRAND)).splitlines() == [
        "input: raw features, scale row",
        "n1 = gcn 32 <- input; batch norm, residual",
        "n2 = sgc(hops 8, average yes) <- input",
        "n3 = mlp(layers 1) 32 <- n2; dropout 0.5, relu",
        "n4 = mlp(layers 1) out <- gate(n1, n3); dropout 0.5",
        "output: n4",
        "recipe: adam, learning_rate 0.01, weight_decay 0.0005, epochs 300, patience 100, weight_decay_conv 0, drop_node 0.5, "
        "consistency_samples 4",
        "post: label_propagation, alpha 0.8, hops 5, weight 0.5",
    ]


def test_lines() -> None:
    nodes = [{"id": "a", "op": "mlp", "width": 64, "dropout": 0.5}, {"id": "b", "op": "appnp", "inputs": ["a"]}]
    spec = parse_spec({"body": {"nodes": nodes, "outputs": ["b"]}, "recipe": {"label_smoothing": 0.1}})
    assert render_line(spec) == "mlp64 > appnp(10) · dropout 0.5, lr 0.01, wd 0.0005, label_smoothing 0.1"
    assert render_line(parse_spec({})) == "no body · lr 0.01, wd 0.0005"
    assert render_line(parse_spec(GRAND)).startswith("n1=gcn32(input) n2=sgc(8)(input) n3=mlp32(n2) n4=mlp(n1,n3) -> n4 · ")


def test_a_cell_is_written_as_links_and_operators_like_in_prompts_and_edits() -> None:
    spec = cell_to_spec((0, 0, 1, 3), ("gcn", "gat", "sage", "fc"), "cora")
    assert render_line(spec) == cell_text(spec_to_cell(spec)) == "0,0,1,3 gcn,gat,sage,fc"
    like_one = spec.model_copy(update={"recipe": spec.recipe.model_copy(update={"epochs": 300})})
    assert "gcn256" in render_line(like_one), "with another recipe it is no cell of the benchmark"


def test_the_dropout_of_the_head_is_told_beside_that_of_the_body() -> None:
    nodes = [{"id": "a", "op": "gcn", "width": 64, "dropout": 0.5}]
    spec = parse_spec({"body": {"nodes": nodes, "outputs": ["a"]}, "head": {"dropout": 0.3}})
    assert render_line(spec) == "gcn64 · dropout 0.5, head dropout 0.3, lr 0.01, wd 0.0005"


def test_graphs_are_told_with_their_readout_and_pairs_with_what_judges_them() -> None:
    lines = {anchor.name: render_line(anchor.spec) for anchor in graph_anchors()}
    assert lines["mlp"].startswith("mlp64 > mlp64 · mlp head, pooling sum, linear64, lr 0.005")
    assert "pooling mean, virtual node" in lines["gcn-virtual"]
    pairs = {anchor.name: render_line(anchor.spec) for anchor in link_anchors()}
    assert pairs["sage"] == "sage128 > sage128 · mlp head, dropout 0.5, lr 0.01, wd 0, batching minibatch"
    assert pairs["ncn"].startswith("sage128 > sage128 · common_neighbour head, dropout 0.5")
    assert pairs["sage-structure"].startswith("sage128 > sage128 · mlp head, pair_features structure, dropout 0.5")
    assert "pooling mean" in render(graph_anchors()[2].spec)
    input_ = {"encodings": [{"kind": "random_walk", "dim": 8}], "edges": "both"}
    assert "random_walk 8, edges both" in render_line(parse_spec({"input": input_}))


def test_a_change_that_is_too_long_loses_its_end_and_never_its_first_new_value() -> None:
    change = "n2.op gcn -> gat; n2.width 64 -> 128; recipe.learning_rate 0.01 -> 0.005"
    assert shortened_change(change, 80) == change
    assert shortened_change(change, 40) == "n2.op gcn -> gat; n2.width 64 -> 128; and 1 more"
    assert shortened_change(change, 5) == "n2.o…; and 2 more"
    assert shortened_change("body.outputs [n1, n2, n3, n4, n5] -> [n5]", 30) == "body.outputs … -> [n5]"


@given(specs(), st.randoms(use_true_random=False))
def test_equal_designs_have_one_text(spec: ArchitectureSpec, rng: random.Random) -> None:
    assert render(renamed(spec, rng)) == render(spec)
    assert render_line(renamed(spec, rng)) == render_line(spec)
    assert len(render_line(spec)) <= LINE


@given(specs(most_nodes=3), st.integers(0, 10**6))
def test_different_designs_have_different_texts(spec: ArchitectureSpec, seed: int) -> None:
    mutation = SearchSpace.default().mutate(spec, random.Random(seed))
    assert mutation is not None
    assert render(mutation.spec) != render(spec), diff(spec, mutation.spec)


@given(specs(most_nodes=2), specs(most_nodes=2))
def test_texts_are_equal_exactly_where_hashes_are(a: ArchitectureSpec, b: ArchitectureSpec) -> None:
    assert (render(a) == render(b)) == (spec_hash(a) == spec_hash(b))
