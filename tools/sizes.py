"""How large a task is, in what the costs of a spec follow. No torch here."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from agentnas.tools.errors import UsageError
from agentnas.tools.tasks.base import Task


@dataclass(frozen=True)
class Sizes:
    """Sizes of a task. ``num_edges``: directed; ``nnz``: non-zero features, None where features are used as a dense matrix;
    ``edge_channels``: attributes of an edge; ``types``: how many types of nodes and of edges there are; ``num_graphs``: items where these
    are graphs, else 1.

    Where pairs are predicted: ``pairs`` in the training part, ``validated`` in that of validation, and edges that are ``looked_at`` for the
    common neighbours of a pair, on average; else 0."""

    num_nodes: int
    num_edges: int
    in_channels: int
    out_channels: int
    nnz: int | None = None
    edge_channels: int = 0
    types: tuple[int, int] = (1, 1)
    num_graphs: int = 1
    pairs: int = 0
    validated: int = 0
    looked_at: float = 0.0

    @classmethod
    def of(cls, task: Task) -> Sizes:
        """Sizes of a task with data; raises UsageError for a table."""
        from agentnas.tools.nn.features import DENSE_ABOVE

        data = task.data
        if data is None:
            raise UsageError(f"task {task.name} is a table: its costs are looked up, not computed; choose a task without 'nasbench:'")
        nnz = data.nnz if data.nnz <= DENSE_ABOVE * data.num_nodes * data.num_features else None
        graphs = data.num_items if data.kind == "graph" else 1
        sizes = cls(data.num_nodes, data.num_edges, data.num_features, data.num_classes, nnz, data.edge_channels, data.types, graphs)
        if data.pairs is None:
            return sizes
        split, degree = task.split(0), np.bincount(data.edge_index[1], minlength=data.num_nodes)
        looked_at = float(degree[data.pairs[:, split.train]].min(axis=0).mean())
        return replace(sizes, pairs=len(split.train), validated=len(split.val), looked_at=looked_at)
