"""The anchors: known designs that the language can say, each with its card."""

from __future__ import annotations

import pytest

from agentnas.config import Config
from agentnas.memory.cards import shipped_cards
from agentnas.tools.anchors import Anchor, cell_anchors, large_anchors, plain_anchors, select_anchors, strong_anchors
from agentnas.tools.anchors_of_kinds import structure_anchors, unlike_anchors
from agentnas.tools.errors import UsageError
from agentnas.tools.evaluate.tabular import TabularEvaluator
from agentnas.tools.profiling import price
from agentnas.tools.sizes import Sizes
from agentnas.tools.spec.canonical import spec_hash
from agentnas.tools.spec.cells import SETTINGS
from agentnas.tools.spec.space import SearchSpace
from agentnas.tools.tasks import load_task
from agentnas.tools.tasks.nasbench import NasBenchTable
from agentnas.wiring import anchors_of

ALL = (*large_anchors(), *plain_anchors(), *strong_anchors(), *structure_anchors(("directions", "types")), *unlike_anchors(0.1))


def test_the_plain_anchors_are_those_of_the_first_hour() -> None:
    assert [anchor.name for anchor in plain_anchors()] == ["mlp", "gcn", "gat", "sage", "appnp"]
    assert {"gcnii", "dagnn", "grand"} <= {anchor.name for anchor in strong_anchors()}
    assert {anchor.kind for anchor in strong_anchors()} == {"strong"}


def test_names_and_designs_are_distinct() -> None:
    assert len({anchor.name for anchor in ALL}) == len({spec_hash(anchor.spec) for anchor in ALL}) == len(ALL)


@pytest.mark.parametrize("anchor", ALL, ids=lambda anchor: anchor.name)
def test_each_anchor_cites_a_card_and_can_be_built(anchor: Anchor) -> None:
    assert anchor.card in shipped_cards()
    assert price(anchor.spec, Sizes.of(load_task("digits")))["parameters"] > 0


@pytest.mark.parametrize("anchor", ALL, ids=lambda anchor: anchor.name)
def test_each_anchor_can_be_varied(anchor: Anchor) -> None:
    assert next(SearchSpace.default().neighbours(anchor.spec), None) is not None


@pytest.mark.parametrize("dataset", SETTINGS)
def test_anchors_of_a_table_are_in_it(dataset: str) -> None:
    space, table = SearchSpace.nasbench(dataset), NasBenchTable(dataset)
    anchors = cell_anchors(dataset)
    assert anchors
    for anchor in anchors:
        assert space.contains(anchor.spec) is None
        assert TabularEvaluator(table, space).price(anchor.spec)["parameters"] > 0
        assert anchor.card in shipped_cards()


def test_on_large_graphs_the_first_anchors_of_either_kind_ask_for_no_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    task = load_task("powerlaw:2000")
    assert not {"sgc", "sign"} & {anchor.name for anchor in anchors_of(Config(), task)}
    monkeypatch.setattr("agentnas.tools.evaluate.fitting.LARGE_GRAPH", 3_000)
    first = anchors_of(Config(), task)[:2]
    found = [(anchor.name, anchor.kind, anchor.spec.recipe.batching) for anchor in first]
    assert found == [("sgc", "plain", "precomputed"), ("sign", "strong", "precomputed")]


def test_anchors_can_be_left_out_by_name() -> None:
    assert [anchor.name for anchor in select_anchors(plain_anchors(), ("gat", "mlp"))] == ["gcn", "sage", "appnp"]
    with pytest.raises(UsageError, match="--without-anchor gcni: no such anchor; did you mean gcn"):
        select_anchors(ALL, ("gcni",))


@pytest.mark.parametrize(("edge_homophily", "names"), [(None, []), (0.8, []), (0.4, []), (0.2, ["mlp-deep"])])
def test_where_neighbours_are_unlike_a_deeper_mlp_is_an_anchor(edge_homophily: float | None, names: list[str]) -> None:
    found = unlike_anchors(edge_homophily)
    assert [anchor.name for anchor in found] == names
    for anchor in found:
        assert anchor.kind == "strong"
        assert SearchSpace.default().contains(anchor.spec) is None
