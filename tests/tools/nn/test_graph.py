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


def typed(seed: int = 0) -> Graph:
    """A graph with weights, attributes and types that say which edge is which."""
    plain = graph(seed, loops=True)
    source, target = plain.edge_index
    kind = (source + target) % 3
    attr = torch.stack([source, target], 1).float()
    return Graph(plain.edge_index, NODES, 1.0 + source.float(), attr, kind, torch.arange(NODES) % 2)


def told(g: Graph) -> set[tuple[int, ...]]:
    """Each edge with its weight, attributes and type."""
    assert g.edge_weight is not None
    assert g.edge_attr is not None
    assert g.edge_type is not None
    more = [g.edge_weight.long()[:, None], g.edge_attr.long(), g.edge_type[:, None]]
    return {tuple(row) for row in torch.cat([g.edge_index.t(), *more], 1).tolist()}


def test_reversed_edges_keep_what_they_carry() -> None:
    g = typed()
    assert told(g.reversed) == {(target, source, *rest) for source, target, *rest in told(g)}
    assert told(g.reversed.reversed) == told(g)
    rows = g.reversed.pattern.row * NODES + g.reversed.pattern.column
    assert torch.equal(rows, rows.sort().values)


def test_reversing_a_part_is_a_part_of_the_reversed() -> None:
    g = typed()
    keep = torch.rand(g.num_edges, generator=torch.Generator().manual_seed(3)) < 0.5
    assert told(g._select(keep).reversed) == {(target, source, *rest) for source, target, *rest in told(g._select(keep))}
    masked = g._mask(keep).reversed
    assert masked.pattern.keep is not None
    assert torch.equal(masked.adjacency("sum").csr.to_dense(), g._select(keep).reversed.adjacency("sum").csr.to_dense())


def test_both_directions_add_what_is_missing_and_nothing_else() -> None:
    g = typed()
    edges, both = {row[:2] for row in told(g)}, told(g.both)
    assert told(g) <= both
    assert {row[:2] for row in both} == edges | {(target, source) for source, target in edges}
    assert len(both) == g.both.num_edges
    assert told(g.both.both) == both
    assert g.pointing("as_given") is g
    assert g.pointing("both") is g.both
    assert g.pointing("reversed") is g.reversed


def test_types_go_with_loops_parts_and_devices() -> None:
    g = typed()
    loops = g.looped
    own = loops.pattern.row == loops.pattern.column
    assert loops.edge_type is not None
    assert set(loops.edge_type[own].tolist()) == {3}
    nodes = torch.tensor([5, 2, 9, 14, 7])
    part = g.subgraph(nodes)
    assert part.node_type is not None
    assert torch.equal(part.node_type, nodes % 2)
    assert part.edge_type is not None
    assert part.edge_attr is not None
    assert torch.equal(part.edge_type, part.edge_attr.sum(1).long() % 3)
    assert told(g.to("cpu")) == told(g)


@pytest.mark.parametrize("norm", ["sum", "row"])
def test_a_relational_product_sums_what_is_said_for_each_type(norm: str) -> None:
    g, types = typed(), 3
    said = torch.randn(NODES * types, 4)
    wanted = torch.zeros(NODES, 4)
    assert g.edge_weight is not None
    assert g.edge_type is not None
    for (source, target), kind, weight in zip(g.edge_index.t().tolist(), g.edge_type.tolist(), g.edge_weight, strict=True):
        alike = (g.edge_index[1] == target) & (g.edge_type == kind)
        share = weight / g.edge_weight[alike].sum() if norm == "row" else weight
        wanted[target] += share * said[source * types + kind]
    torch.testing.assert_close(g.relational(types, norm) @ said, wanted, atol=1e-4, rtol=1e-4)
