"""Random perturbations of a training step: dropped edges, dropped feature rows, dropped feature columns."""

from __future__ import annotations

import torch
from torch import Tensor

from agentnas.tools.nn.graph import Graph
from agentnas.tools.nn.sparse import Features, SparseFeatures
from agentnas.tools.spec.model import Recipe


def perturb(recipe: Recipe, x: Features, graph: Graph) -> tuple[Features, Graph]:
    """Features [N, F] and graph as one training step sees them; draws from torch's global generator.

    Kept rows and columns are scaled up, so that their expectation stays. Edges are normalised anew after some are dropped
    (DropEdge, Rong et al., 2020; DropNode, Feng et al., 2020).
    """
    if recipe.drop_edge > 0:
        graph = graph.drop_edges(recipe.drop_edge)
    if recipe.drop_node > 0:
        x = scale_rows(x, keep_factors(x.shape[0], recipe.drop_node, x.device))
    if recipe.feature_dropout > 0:
        x = scale_columns(x, keep_factors(x.shape[1], recipe.feature_dropout, x.device))
    return x, graph


def keep_factors(count: int, p: float, device: torch.device) -> Tensor:
    """[count]: 0 with probability ``p``, else 1 / (1 - p)."""
    return (torch.rand(count, device=device) >= p).float() / (1 - p)


def scale_rows(x: Features, factors: Tensor) -> Features:
    """Row r times ``factors[r]``."""
    return x.scale_rows(factors) if isinstance(x, SparseFeatures) else x * factors[:, None]


def scale_columns(x: Features, factors: Tensor) -> Features:
    """Column c times ``factors[c]``."""
    return x.scale_columns(factors) if isinstance(x, SparseFeatures) else x * factors
