from __future__ import annotations

import pytest
import torch
from torch import Tensor

from agentnas.tools.nn.graph import Graph
from tests.tools.nn.making import NODES, dense_adjacency, edges, graph, symmetric


def test_edges_are_sorted_and_carry_their_weights_and_attributes() -> None:
    edge_index = edges()
    g = Graph(edge_index, NODES, torch.arange(edge_index.shape[1]).float(), edge_index.t().float())
    assert (g.pattern.row.diff() >= 0).all()
    assert g.edge_attr is not None
    assert g.edge_weight is not None
    assert torch.equal(g.edge_attr.t().long(), g.edge_index)
    assert torch.equal(edge_index[:, g.edge_weight.long()], g.edge_index)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("loops", [False, True])
def test_adjacencies(weighted: bool, loops: bool) -> None:
    g = graph(weighted=weighted, loops=True)
    a = dense_adjacency(g, loops)
    wanted = {"sum": a, "sym": symmetric(a), "row": a / a.sum(1, keepdim=True).clamp(min=1e-12)}
    for norm, matrix in wanted.items():
        torch.testing.assert_close(g.adjacency(norm, loops).csr.to_dense(), matrix)
        torch.testing.assert_close(g.adjacency(norm, loops).transposed_csr.to_dense(), matrix.t())
    assert g.adjacency("sym", loops) is g.adjacency("sym", loops)


def test_laplacian_adjacency_ignores_loops_and_counts_outgoing_edges() -> None:
    g = graph(weighted=True, loops=True)
    a = dense_adjacency(g)
    a.fill_diagonal_(0)
    scale = a.sum(0).pow(-0.5).nan_to_num(posinf=0.0)
    torch.testing.assert_close(g.adjacency("laplacian").csr.to_dense(), scale[:, None] * a * scale)


def test_degree_counts_incoming_edges() -> None:
    g = graph()
    assert torch.equal(g.degree, (dense_adjacency(g) > 0).sum(1).float())


def test_two_walk_returns_is_the_diagonal_of_the_square() -> None:
    for undirected in (True, False):
        g = graph(undirected=undirected)
        matrix = symmetric(dense_adjacency(g))
        torch.testing.assert_close(g.two_walk_returns, (matrix @ matrix).diagonal())


@pytest.mark.parametrize("loops", [False, True])
def test_dropped_edges_are_those_of_a_graph_made_from_what_is_left(loops: bool) -> None:
    g = graph(weighted=True, loops=loops)
    g.adjacency("sym", loops=True)
    for dropped in (g.drop_edges(0.4), g.drop_edges(0.3).drop_edges(0.3)):
        assert 0 < dropped.num_edges < g.num_edges
        again = Graph(dropped.edge_index, NODES, dropped.edge_weight)
        for with_loops in (False, True) if not loops else (False,):
            ours, wanted = (h.adjacency("sym", with_loops) for h in (dropped, again))
            torch.testing.assert_close(ours.csr.to_dense(), wanted.csr.to_dense())
            torch.testing.assert_close(ours.transposed_csr.to_dense(), wanted.csr.to_dense().t())


def test_dropping_edges_follows_the_generator() -> None:
    g = graph()

    def draw(seed: int) -> Tensor:
        return g.drop_edges(0.5, torch.Generator().manual_seed(seed)).edge_index

    assert torch.equal(draw(1), draw(1))
    assert not torch.equal(draw(1), draw(2))
    assert torch.equal(g.drop_edges(0.0).edge_index, g.edge_index)


def test_dropped_graph_keeps_every_self_loop_of_the_looped_one() -> None:
    looped = graph().drop_edges(0.9).looped
    assert torch.equal(looped.edge_index[0][looped.edge_index[0] == looped.edge_index[1]], torch.arange(NODES))


def test_looped_attributes_are_the_mean_of_incoming_ones() -> None:
    g = graph(attributes=2)
    assert g.edge_attr is not None
    looped = g.looped
    assert looped.edge_attr is not None
    node = int(g.degree.argmax())
    own = (looped.pattern.row == node) & (looped.pattern.column == node)
    torch.testing.assert_close(looped.edge_attr[own][0], g.edge_attr[g.pattern.row == node].mean(0))


def test_subgraph_renumbers_in_the_given_order() -> None:
    g = graph(weighted=True)
    nodes = torch.tensor([5, 3, 17, 0, 9, 11])
    small = g.subgraph(nodes)
    torch.testing.assert_close(dense_adjacency(small), dense_adjacency(g)[nodes][:, nodes])


def test_moving_keeps_everything() -> None:
    g = graph(weighted=True, attributes=2).to("cpu")
    torch.testing.assert_close(dense_adjacency(g), dense_adjacency(graph(weighted=True)))
    assert g.edge_attr is not None
