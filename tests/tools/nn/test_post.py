from __future__ import annotations

import torch

from agentnas.tools.nn.graph import Graph
from agentnas.tools.nn.post import correct_and_smooth, label_propagation
from tests.tools.nn.making import NODES, graph


def test_correct_and_smooth_equals_pyg() -> None:
    from torch_geometric.nn import CorrectAndSmooth

    g = graph(undirected=True)
    scores = torch.rand(NODES, 3).softmax(1)
    train, y = torch.tensor([1, 4, 9, 20]), torch.tensor([0, 2, 1, 1])
    wanted = CorrectAndSmooth(7, 0.8, 7, 0.8, autoscale=False, scale=0.4)(scores, y, train, g.edge_index)
    torch.testing.assert_close(correct_and_smooth(scores, g, y, train, alpha=0.8, hops=7, weight=0.4), wanted, atol=1e-5, rtol=1e-5)


def test_label_propagation_equals_pyg_where_a_label_arrives() -> None:
    from torch_geometric.nn import LabelPropagation

    g = graph(undirected=True)
    scores = torch.rand(NODES, 3).softmax(1)
    train, y = torch.tensor([1, 4, 9]), torch.tensor([0, 2, 1])
    labels = torch.zeros(NODES, dtype=torch.long)
    labels[train] = y
    spread = LabelPropagation(5, 0.7)(labels, g.edge_index, mask=train)
    reached = spread.sum(1) > 0
    assert reached.any()
    assert not reached.all()
    ours = label_propagation(scores, g, y, train, alpha=0.7, hops=5, weight=0.25)
    share = spread[reached] / spread[reached].sum(1, keepdim=True)
    torch.testing.assert_close(ours[reached], 0.75 * scores[reached] + 0.25 * share, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(ours[~reached], scores[~reached])


def test_both_mend_a_path_of_equal_labels() -> None:
    path = torch.arange(9)
    g = Graph(torch.cat([torch.stack([path, path + 1]), torch.stack([path + 1, path])], 1), 10)
    wrong = torch.tensor([[0.45, 0.55]]).repeat(10, 1)
    for mend in (correct_and_smooth, label_propagation):
        mended = mend(wrong, g, torch.tensor([0, 0]), torch.tensor([0, 9]), 0.8, 20, 1.0)
        assert (mended.argmax(1) == 0).all(), mend.__name__


def test_nothing_is_changed_in_place() -> None:
    g = graph()
    scores = torch.rand(NODES, 3)
    before = scores.clone()
    for mend in (correct_and_smooth, label_propagation):
        mend(scores, g, torch.tensor([0]), torch.tensor([1]))
        assert torch.equal(scores, before)
