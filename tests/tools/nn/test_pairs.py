"""What the edges around a pair say: the numbers are networkx's, an edge of the pair itself is in none, and every way counts the same."""

from __future__ import annotations

import math

import networkx as nx
import pytest
import torch
from torch import Tensor

from agentnas.tools.nn import pairs as module
from agentnas.tools.nn.graph import Graph
from agentnas.tools.nn.layout import STRUCTURE
from agentnas.tools.nn.pairs import pair_structure
from tests.tools.nn.making import NODES, edges, graph

EVERY = torch.combinations(torch.arange(NODES)).t()


def expected(g: Graph, a: int, b: int) -> list[float]:
    """By networkx, on the graph without the edge between the two."""
    net = nx.Graph(g.edge_index.t().tolist())
    net.add_nodes_from(range(g.num_nodes))
    if net.has_edge(a, b):
        net.remove_edge(a, b)
    # Their degrees are those of nodes that the edge does not touch.
    shared = list(nx.common_neighbors(net, a, b))
    walks = sum(net.has_edge(one, two) for one in net[a] for two in net[b])
    adamic = sum(1 / math.log(net.degree[node]) for node in shared)
    counted = [len(shared), adamic, sum(1 / net.degree[node] for node in shared), walks, *sorted((net.degree[a], net.degree[b]))]
    return [math.log1p(value) for value in counted]


def looked_up(monkeypatch: pytest.MonkeyPatch, always: bool) -> None:
    monkeypatch.setattr(module, "FEW", 2**62 if always else -1)
    monkeypatch.setattr(module, "LOOKING_UP", 1 if always else 10**9)


@pytest.mark.parametrize("always", [True, False])
def test_numbers_are_networkxs_by_both_ways(always: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_up(monkeypatch, always)
    g = graph(undirected=True)
    wanted = torch.tensor([expected(g, int(a), int(b)) for a, b in EVERY.t()])
    assert (wanted.amax(0) > 0.3).all()
    found = pair_structure(g, EVERY)
    assert found.shape == (EVERY.shape[1], STRUCTURE) == (EVERY.shape[1], module.STRUCTURE)
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(pair_structure(g, EVERY.flip(0)), found)


@pytest.mark.parametrize("always", [True, False])
def test_an_edge_that_is_taken_out_is_in_no_number(always: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gone, masked as on a device, or never there: all the same, and not what the whole graph says."""
    looked_up(monkeypatch, always)
    g = graph(undirected=True)
    out = both_ways(g, torch.rand(NODES * NODES, generator=torch.Generator().manual_seed(0)) < 0.3)
    never = Graph(g.edge_index[:, ~out], NODES)
    found = [pair_structure(some, EVERY) for some in (never, g._select(~out), g._mask(~out), g._mask(~out)._mask(~out))]
    for other in found[1:]:
        torch.testing.assert_close(other, found[0])
    assert not torch.allclose(pair_structure(g, EVERY), found[0])


def both_ways(g: Graph, chosen: Tensor) -> Tensor:
    """Which edges join a pair that is chosen; bool [E]."""
    low, high = g.edge_index.amin(0), g.edge_index.amax(0)
    return chosen[low * NODES + high]


def test_joined_pairs_are_seen_as_if_they_were_not() -> None:
    g = graph(undirected=True)
    for a, b in g.edge_index[:, g.edge_index[0] < g.edge_index[1]].t()[:20]:
        pair = torch.stack([a, b])[:, None]
        apart = ((g.edge_index == pair) | (g.edge_index == pair.flip(0))).all(0)
        torch.testing.assert_close(pair_structure(g, pair), pair_structure(g._select(~apart), pair))


def test_pieces_of_any_size_say_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    g = Graph(edges(3, 60, 500, undirected=True), 60)
    asked = torch.combinations(torch.arange(60)).t()
    whole = pair_structure(g, asked)
    monkeypatch.setattr(module, "MOST_SCORED", 7)
    monkeypatch.setattr(module, "MOST_LOOKED_AT", 40)
    monkeypatch.setattr(module, "MOST_COUNTED", 130)
    for always in (True, False):
        looked_up(monkeypatch, always)
        torch.testing.assert_close(pair_structure(g, asked), whole)


def test_without_edges_or_pairs_there_is_nothing_to_say() -> None:
    none = Graph(torch.empty(2, 0, dtype=torch.long), 5)
    assert torch.equal(pair_structure(none, torch.tensor([[0, 1], [2, 3]])), torch.zeros(2, STRUCTURE))
    assert pair_structure(graph(undirected=True), torch.empty(2, 0, dtype=torch.long)).shape == (0, STRUCTURE)
