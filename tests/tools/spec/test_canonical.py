"""Equal networks have equal hashes, different ones have different hashes, and hashes do not change over time."""

from __future__ import annotations

import random
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentnas.tools.nn.network import build_network
from agentnas.tools.spec.canonical import OFF_WHILE, canonical, canonical_json, is_off, spec_hash, tidied
from agentnas.tools.spec.isomorphism import SOURCE, LabelledDag, canonical_order
from agentnas.tools.spec.model import ArchitectureSpec, parse_spec
from tests.tools.spec.strategies import renamed, specs, with_idle_nodes

GCN: dict[str, Any] = {
    "input": {"dropout": 0.5},
    "body": {
        "nodes": [
            {"id": "a", "op": "gcn", "width": 64, "activation": "relu"},
            {"id": "b", "op": "gcn", "inputs": ["a"], "width": "out", "dropout": 0.5},
        ],
        "outputs": ["b"],
    },
    "head": {"decoder": "none"},
}
TWO_BRANCHES: dict[str, Any] = {
    "body": {
        "nodes": [
            {"id": "left", "op": "gcn", "width": 32},
            {"id": "right", "op": "sgc", "inputs": ["input"], "params": {"hops": 4}},
            {"id": "both", "op": "mlp", "inputs": ["left", "right"], "merge": "concat", "width": 64},
        ],
        "outputs": ["both", "left"],
        "jump": "max",
    },
    "recipe": {"consistency_samples": 4, "drop_node": 0.5},
    "post": {"kind": "correct_and_smooth"},
}
# A hash in a journal or a memory must mean the same spec for ever: these may never change.
GOLDEN = {
    "empty": ({}, "45413d253546f0e3"),
    "gcn": (GCN, "cbc1d9926d8b52c1"),
    "two_branches": (TWO_BRANCHES, "002ffa4f07f0ef8c"),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_hashes(name: str) -> None:
    data, expected = GOLDEN[name]
    assert spec_hash(parse_spec(data)) == expected


def test_canonical_json_of_a_gcn() -> None:
    assert canonical_json(parse_spec(GCN)) == (
        '{"body":{"nodes":[{"activation":"relu","id":"n1","op":"gcn","width":64},'
        '{"dropout":0.5,"id":"n2","inputs":["n1"],"op":"gcn","width":"out"}],"outputs":["n2"]},'
        '"head":{"decoder":"none"},"input":{"dropout":0.5},"language":1}'
    )


@given(specs())
def test_json_round_trip(spec: ArchitectureSpec) -> None:
    assert parse_spec(spec.model_dump_json()) == spec
    again = parse_spec(canonical_json(spec))
    assert again == canonical(spec)
    assert canonical_json(again) == canonical_json(spec)


@given(specs())
def test_canonical_is_idempotent_and_valid(spec: ArchitectureSpec) -> None:
    once = canonical(spec)
    assert canonical(once) == once
    assert ArchitectureSpec.model_validate(once.model_dump()) == once


@given(specs(most_nodes=8), st.randoms(use_true_random=False))
def test_names_and_orders_do_not_matter(spec: ArchitectureSpec, rng: random.Random) -> None:
    assert canonical(renamed(spec, rng)) == canonical(spec)


@given(specs(), st.randoms(use_true_random=False))
def test_idle_nodes_do_not_matter(spec: ArchitectureSpec, rng: random.Random) -> None:
    padded = with_idle_nodes(spec, rng)
    assert spec_hash(padded) == spec_hash(spec)
    left = {node.id for node in tidied(padded).body.nodes}
    assert not left & {"skip", "dead"}


@given(specs(), st.sampled_from(sorted(OFF_WHILE)), st.data())
def test_fields_without_effect_do_not_matter_and_others_do(spec: ArchitectureSpec, field: str, data: st.DataObject) -> None:
    part, name = field.split(".")
    settings = getattr(spec, part)
    other = data.draw(st.sampled_from([value for value in _values(type(settings), name) if value != getattr(settings, name)]))
    changed = spec.model_copy(update={part: settings.model_copy(update={name: other})})
    if is_off(part, name, settings):
        assert spec_hash(changed) == spec_hash(spec)
    else:
        assert spec_hash(changed) != spec_hash(spec)


def _values(model: Any, name: str) -> list[Any]:
    extra = model.model_fields[name].json_schema_extra
    return [*extra["search"], model.model_fields[name].default]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"width": 64}, {"width": None}),
        ({"merge": "concat"}, {"merge": "max"}),
        ({"params": {}}, {"params": {"hops": 10}}),
        ({"params": {"alpha": 0}}, {"params": {"alpha": 0.0}}),
        ({"dropout": 0}, {"dropout": -0.0}),
    ],
    ids=["the width of the input written out", "a merge of one input", "a default parameter", "a whole number", "a negative zero"],
)
def test_other_ways_to_write_the_same(first: dict[str, Any], second: dict[str, Any]) -> None:
    def spec(extra: dict[str, Any]) -> ArchitectureSpec:
        op = "appnp" if "params" in extra else "gcn"
        node = {"id": "a", "op": op, **extra}
        return parse_spec({"input": {"encoder": "linear", "width": 64}, "body": {"nodes": [node], "outputs": ["a"]}})

    assert spec_hash(spec(first)) == spec_hash(spec(second))


@pytest.mark.parametrize("op", ["gat", "gatv2", "transformer"])
def test_joining_means_nothing_where_heads_do_not_divide_the_width(op: str) -> None:
    wide = {"encoder": "linear", "width": 60}

    def hashed(join: str, width: int | None, source: dict[str, Any] | None = None) -> str:
        node = {"id": "a", "op": op, "width": width, "params": {"heads": 8, "join": join}}
        return spec_hash(parse_spec({"input": source or {}, "body": {"nodes": [node], "outputs": ["a"]}}))

    assert hashed("mean", 60) == hashed("concat", 60)
    assert hashed("mean", None, wide) == hashed("concat", None, wide)
    assert hashed("mean", 64) != hashed("concat", 64)
    assert hashed("mean", None) != hashed("concat", None), "a width that is not known may be divided"


def test_patience_that_never_ends_a_training_is_none() -> None:
    def hashed(patience: int, epochs: int = 200) -> str:
        return spec_hash(parse_spec({"recipe": {"patience": patience, "epochs": epochs}}))

    assert hashed(200) == hashed(500) == hashed(0)
    assert len({hashed(0), hashed(199), hashed(100), hashed(200, 300), hashed(0, 300)}) == 5


@pytest.mark.parametrize(
    ("source", "inputs", "widest"),
    [
        ({}, ["a", "b"], 64),
        ({}, ["a", "b", "input"], 64),
        ({}, ["b", "input"], 32),
        ({"encoder": "linear", "width": 80}, ["a", "b", "input"], 80),
    ],
)
@pytest.mark.parametrize("merge", ["sum", "mean", "max", "gate"])
def test_the_width_of_merged_inputs_is_that_of_the_widest(source: dict[str, Any], inputs: list[str], widest: int, merge: str) -> None:
    def spec(width: int | None, extra: str = "gcn") -> ArchitectureSpec:
        nodes = [
            {"id": "a", "op": "gcn", "width": 64},
            {"id": "b", "op": "mlp", "width": 32},
            {"id": "c", "op": extra, "inputs": inputs, "merge": merge, "width": width},
        ]
        return parse_spec({"input": source, "body": {"nodes": nodes, "outputs": ["c"]}})

    assert spec_hash(spec(None)) == spec_hash(spec(widest)) != spec_hash(spec(widest + 1))
    network = build_network(spec(None), in_channels=100, out_channels=3)
    assert network.layout.modules["head"].args == ([widest, 3],), "as the network is built"


@pytest.mark.parametrize("source", [{}, {"encoder": "linear", "width": 64, "encodings": [{"kind": "degree", "dim": 4}]}])
def test_a_width_that_the_data_decides_is_not_written_out(source: dict[str, Any]) -> None:
    nodes = [
        {"id": "a", "op": "sgc"},
        {"id": "b", "op": "mlp", "width": 32},
        {"id": "c", "op": "gcn", "inputs": ["a", "b"]},
    ]
    spec = canonical(parse_spec({"input": source, "body": {"nodes": nodes, "outputs": ["c"]}}))
    assert {node.op: node.width for node in spec.body.nodes} == {"sgc": None, "mlp": 32, "gcn": None}


def _gcns(count: int, shared: bool) -> ArchitectureSpec:
    first = [{"id": f"a{i}", "op": "gcn", "width": 32} for i in range(1 if shared else count)]
    second = [{"id": f"b{i}", "op": "gcn", "width": 32, "inputs": ["a0" if shared else f"a{i}"]} for i in range(count)]
    return parse_spec({"body": {"nodes": first + second, "outputs": [node["id"] for node in second], "jump": "sum"}})


def test_a_shared_node_is_not_two_equal_nodes() -> None:
    assert spec_hash(_gcns(2, shared=True)) != spec_hash(_gcns(2, shared=False))


def test_repeated_inputs_count_unless_they_are_averaged() -> None:
    def spec(merge: str, inputs: list[str]) -> ArchitectureSpec:
        nodes = [{"id": "a", "op": "gcn", "width": 8}, {"id": "b", "op": "gcn", "inputs": inputs, "merge": merge, "width": 8}]
        return parse_spec({"body": {"nodes": nodes, "outputs": ["b"]}})

    assert spec_hash(spec("sum", ["a", "a"])) != spec_hash(spec("sum", ["a"]))
    assert spec_hash(spec("mean", ["a", "a"])) == spec_hash(spec("max", ["a", "a"])) == spec_hash(spec("sum", ["a"]))


def test_an_identity_that_only_merges_is_its_users_merge() -> None:
    start = [{"id": "a", "op": "gcn", "width": 8}, {"id": "b", "op": "sage", "width": 8}]
    merged = {"id": "m", "op": "identity", "inputs": ["a", "b"], "merge": "max"}
    after = [*start, merged, {"id": "c", "op": "mlp", "inputs": ["m"], "width": 8}]
    direct = [*start, {"id": "c", "op": "mlp", "inputs": ["b", "a"], "merge": "max", "width": 8}]
    hashes = [spec_hash(parse_spec({"body": {"nodes": nodes, "outputs": ["c"]}})) for nodes in (after, direct)]
    assert hashes[0] == hashes[1]


def test_many_equal_branches_are_quick() -> None:
    spec = _gcns(16, shared=False)
    assert canonical(renamed(spec, random.Random(0))) == canonical(spec)


@st.composite
def dags(draw: st.DrawFn) -> LabelledDag:
    size = draw(st.integers(1, 5))
    labels = tuple(draw(st.sampled_from("ab")) for _ in range(size))
    inputs = tuple(tuple(draw(st.lists(st.integers(SOURCE, i - 1), min_size=1, max_size=2))) for i in range(size))
    return LabelledDag(labels, inputs)


def _written(dag: LabelledDag, order: list[int]) -> Any:
    place = {SOURCE: SOURCE, **{old: new for new, old in enumerate(order)}}
    return [(dag.labels[old], sorted(place[i] for i in dag.inputs[old])) for old in order]


@given(dags(), dags())
def test_order_tells_isomorphic_graphs_from_others_as_trying_all_permutations_does(first: LabelledDag, second: LabelledDag) -> None:
    size = len(first.labels)
    target = _written(first, list(range(size)))
    isomorphic = size == len(second.labels) and any(_written(second, list(order)) == target for order in permutations(range(size)))
    assert (_written(first, canonical_order(first)) == _written(second, canonical_order(second))) == isomorphic


@given(dags(), st.randoms(use_true_random=False))
def test_order_is_topological_and_does_not_depend_on_the_given_order(dag: LabelledDag, rng: random.Random) -> None:
    order = canonical_order(dag)
    place = {old: new for new, old in enumerate(order)}
    assert all(i == SOURCE or place[i] < place[node] for node, inputs in enumerate(dag.inputs) for i in inputs)
    depths = dag.depths
    other = sorted(range(len(order)), key=lambda node: (depths[node], rng.random()))
    moved = {SOURCE: SOURCE, **{old: new for new, old in enumerate(other)}}
    shuffled = LabelledDag(tuple(dag.labels[old] for old in other), tuple(tuple(moved[i] for i in dag.inputs[old]) for old in other))
    assert _written(shuffled, canonical_order(shuffled)) == _written(dag, order)


def test_the_way_of_edges_counts_where_something_sees_them() -> None:
    def written(op: str, **parts: Any) -> ArchitectureSpec:
        node = {"id": "a", "op": op, "width": 8}
        return parse_spec({"body": {"nodes": [node], "outputs": ["a"]}, **parts})

    both: dict[str, Any] = {"edges": "both"}
    assert spec_hash(written("mlp", input=both)) == spec_hash(written("mlp"))
    assert spec_hash(written("gcn", input=both)) != spec_hash(written("gcn"))
    encoded = {"encodings": [{"kind": "degree"}]}
    assert spec_hash(written("mlp", input=both | encoded)) != spec_hash(written("mlp", input=encoded))
    posted = {"kind": "label_propagation"}
    assert spec_hash(written("mlp", input=both, post=posted)) != spec_hash(written("mlp", post=posted))
