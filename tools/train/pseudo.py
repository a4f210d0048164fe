"""Self-training: confident predictions become training labels."""

from __future__ import annotations

import torch
from torch import Tensor

from agentnas.tools.spec.model import Recipe
from agentnas.tools.train.data import Labels


def pseudo_labels(probabilities: Tensor, labels: Labels, recipe: Recipe) -> tuple[Tensor, Tensor]:
    """Nodes (long [n]) and labels that a self-training round adds: the most confident predictions of each class (Li et al., 2018).

    Only nodes outside of the training and the validation part are taken: the epoch that predicts was chosen for being right on validation
    nodes, so their predictions carry their true labels, and a round trained on them would validate itself.
    """
    free = torch.ones(probabilities.shape[0], dtype=torch.bool, device=probabilities.device)
    free[labels.train] = False
    free[labels.val] = False
    confidence, predicted = probabilities.max(1)
    free &= confidence >= recipe.self_training_confidence
    taken = [
        _most_confident((free & (predicted == label)).nonzero().squeeze(1), confidence, recipe.self_training_per_class)
        for label in range(probabilities.shape[1])
    ]
    nodes = torch.cat(taken)
    return nodes, predicted[nodes]


def _most_confident(nodes: Tensor, confidence: Tensor, count: int) -> Tensor:
    order = torch.argsort(confidence[nodes], descending=True, stable=True)
    return nodes[order[:count]]
