"""What is done to predictions after training, with the training labels and the graph; no parameters, no gradients."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from agentnas.tools.nn.graph import Graph


@torch.no_grad()
def correct_and_smooth(
    scores: Tensor, graph: Graph, y_train: Tensor, train_index: Tensor, alpha: float = 0.8, hops: int = 20, weight: float = 0.5
) -> Tensor:
    """Spread the residual of training nodes, add ``weight`` times it, then smooth with training labels fixed (Huang et al., 2021).

    ``scores``: probabilities [N, classes]; ``y_train``: long [n] labels of ``train_index``. Returns scores [N, classes] in [0, 1].
    """
    known = torch.nn.functional.one_hot(y_train, scores.shape[1]).to(scores.dtype)
    error = torch.zeros_like(scores)
    error[train_index] = known - scores[train_index]

    def keep_known(spread: Tensor) -> Tensor:
        return spread.index_copy(0, train_index, error[train_index])

    corrected = scores + weight * _spread(error, graph, alpha, hops, keep_known)
    return _spread(corrected.index_copy(0, train_index, known), graph, alpha, hops, _into_unit)


@torch.no_grad()
def label_propagation(
    scores: Tensor, graph: Graph, y_train: Tensor, train_index: Tensor, alpha: float = 0.8, hops: int = 20, weight: float = 0.5
) -> Tensor:
    """``scores`` [N, classes] mixed with propagated training labels, normalised by row (Zhu and Ghahramani, 2002).

    The share of propagated labels is ``weight``, at most 1; a node that no label reaches keeps its own scores.
    """
    labels = torch.zeros_like(scores)
    labels[train_index] = torch.nn.functional.one_hot(y_train, scores.shape[1]).to(scores.dtype)
    spread = _spread(labels, graph, alpha, hops, _into_unit)
    total = spread.sum(1, keepdim=True)
    spread = torch.where(total > 0, spread / total.clamp(min=1e-12), scores)
    share = min(weight, 1.0)
    return (1 - share) * scores + share * spread


def _into_unit(spread: Tensor) -> Tensor:
    return spread.clamp(0.0, 1.0)


def _spread(start: Tensor, graph: Graph, alpha: float, hops: int, after: Callable[[Tensor], Tensor]) -> Tensor:
    adjacency = graph.adjacency("sym")
    spread = start
    for _ in range(hops):
        spread = after(alpha * (adjacency @ spread) + (1 - alpha) * start)
    return spread
