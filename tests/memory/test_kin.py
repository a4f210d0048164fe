"""Likeness of tasks: the same graph is recognised, designs are compared without their sizes, and shared designs move a belief."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from agentnas.memory.kin import belief, design_key, graph_of, same_graph, task_block
from agentnas.tools.spec.model import parse_spec
from agentnas.tools.tasks.catalog import DATA_SETS
from agentnas.tools.tasks.published import PUBLISHED
from tests.memory.conformance import Card
from tests.memory.learning import CITESEER, GAT, GCN

CORA = (2708, 10556, 1433, 7)


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (CORA, True), ((2708, 5278, 1433, 7), True), ((2708, 10556, 500, 7), True), ((2708, 10556, 1433, 3), True),
        ((2680, 10540, 1433, 7), True), ((2485, 10138, 1433, 7), False), ((2708, 9000, 1433, 7), False), ((3327, 9104, 3703, 6), False),
        ((), False),
    ],
)  # fmt: skip
def test_the_same_graph(other: Sequence[int], same: bool) -> None:
    assert same_graph(CORA, other) is same
    assert same_graph(other, CORA) is same


def test_the_data_sets_at_hand_are_told_apart_and_their_tables_recognised() -> None:
    graphs = {name: (d.nodes, d.edges, d.features, d.classes) for name, d in DATA_SETS.items()}
    pairs = {(a, b) for a in graphs for b in graphs if same_graph(graphs[a], graphs[b])}
    links = {(name, f"{name}-links") for name in graphs if f"{name}-links" in graphs}  # the same graph, whatever is predicted
    assert pairs == {(name, name) for name in graphs} | links | {(b, a) for a, b in links}
    tables = {name: (g.nodes, g.edges, g.features, g.classes) for name, g in PUBLISHED.items()}
    named = (tables.keys() & graphs) - {"proteins"}  # the table is of one graph of proteins, the data set of a thousand
    expected = {(name, other) for name in named for other in (name, f"{name}-links") if other in graphs}
    assert {(a, b) for a in tables for b in graphs if same_graph(tables[a], graphs[b])} == expected


def test_a_card_that_does_not_count_its_graph_has_none() -> None:
    assert (graph_of(None), graph_of(Card()), graph_of(CITESEER)) == ((), (), (3327, 9104, 3703, 6))


def test_designs_are_alike_whatever_their_sizes_and_recipe() -> None:
    wide = {"body": {"nodes": [{"id": "b", "op": "gcn", "width": 256, "dropout": 0.3}], "outputs": ["b"]}, "recipe": {"learning_rate": 0.1}}
    assert design_key(parse_spec(wide)) == design_key(parse_spec(GCN)) != design_key(parse_spec(GAT))


def test_shared_designs_move_a_belief() -> None:
    own = {name: float(rank) for rank, name in enumerate("abcdefgh")}
    agreed, opposed = belief(0.5, own, own), belief(0.5, own, {name: -score for name, score in own.items()})
    assert agreed.value > 0.75
    assert opposed.value < 0.25
    assert (agreed.agreement, agreed.shared) == (1.0, 8)
    assert agreed.told() == "8 designs tried on both agree in 100 % of pairs"
    for little in (belief(0.5, own, {}), belief(0.5, own, {"a": 1.0}), belief(0.5, own, {"a": 1.0, "b": 1.0})):
        assert (little.value, little.agreement, little.told()) == (0.5, None, "")


def test_a_task_block_takes_vectors_of_any_length() -> None:
    assert task_block(()).tolist() == [0.0] * 24
    assert task_block([1.0] * 99).tolist() == [0.5] * 24
