"""The order of edges, with their attributes and types."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agentnas.tools.tasks.base import Index


def sorted_all(
    ends: Index, attr: NDArray[np.float32] | None, edge_type: Index | None, count: int, directed: bool
) -> tuple[Index, NDArray[np.float32] | None, Index | None]:
    """Edges sorted by source, target and type, without loops, both ways unless directed; of equal ones the first stays."""
    rows = np.arange(ends.shape[1])
    if not directed:  # an edge that stands in the file comes before the way back of another
        ends, rows = np.concatenate([ends, ends[::-1]], axis=1), np.tile(rows, 2)
    keep = ends[0] != ends[1]
    ends, rows = ends[:, keep], rows[keep]
    kinds = edge_type[rows] if edge_type is not None else np.zeros(len(rows), np.int64)
    codes = (ends[0] * np.int64(count) + ends[1]) * np.int64(kinds.max(initial=0) + 1) + kinds
    order = np.argsort(codes, kind="stable")
    ends, rows, kinds, codes = ends[:, order], rows[order], kinds[order], codes[order]
    new = np.ones(len(rows), bool)
    new[1:] = codes[1:] != codes[:-1]
    kept = rows[new]
    return (
        np.ascontiguousarray(ends[:, new]),
        None if attr is None else np.ascontiguousarray(attr[kept], np.float32),
        None if edge_type is None else kinds[new],
    )
