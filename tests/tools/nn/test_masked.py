"""Edges that do not count are as good as edges that are gone, for every operator, in value and gradient."""

from __future__ import annotations

import pytest
import torch

from agentnas.tools.nn.network import Network, build_network
from agentnas.tools.operators.base import operators
from agentnas.tools.spec.model import parse_spec
from tests.tools.nn.making import FEATURES, features, graph, scores_and_gradients, sparse


def network(op: str) -> Network:
    width = {"width": 8} if operators()[op].has_width else {}
    nodes = [{"id": "a", "op": op, **width, "activation": "elu"}, {"id": "b", "op": op, "inputs": ["a"]}]
    torch.manual_seed(0)
    return build_network(parse_spec({"body": {"nodes": nodes, "outputs": ["b"]}}), in_channels=FEATURES, out_channels=3)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("op", list(operators()))
def test_masked_edges_equal_dropped_ones(op: str, weighted: bool) -> None:
    g, net = graph(weighted=weighted, undirected=True), network(op)
    for share in (0.3, 0.8):
        keep = torch.rand(g.num_edges, generator=torch.Generator().manual_seed(1)) >= share
        found, dropped = (scores_and_gradients(net, sparse(features()), on) for on in (g._mask(keep), g._select(keep)))
        for ours, wanted in zip(found, dropped, strict=True):
            torch.testing.assert_close(ours, wanted, atol=1e-5, rtol=1e-4)


def test_masks_of_masks_and_degrees() -> None:
    g = graph()
    one, two = (torch.arange(g.num_edges) % n > 0 for n in (2, 3))
    both = g._mask(one)._mask(two)
    assert torch.equal(both.degree, g._select(one & two).degree)
    assert torch.equal(both.looped.degree, g._select(one & two).looped.degree)
