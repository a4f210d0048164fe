"""Feature scaling with the numbers of the graph that a model was trained on: a new graph is scaled by them, not by its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentnas.tools.nn.features import DENSE_ABOVE

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Scaling:
    """``none``; ``row``: absolute values of a row sum to 1; ``standard``: (x - ``shift``) * ``factor``, float32 [num_features] each."""

    kind: str
    shift: Floats | None = None
    factor: Floats | None = None

    def __call__(self, x: Floats) -> Floats:
        """``x`` [N, F] scaled."""
        if self.kind == "row":
            scaled: Floats = x * _inverse(np.abs(x).sum(1, keepdims=True))
            return scaled
        return x if self.shift is None or self.factor is None else (x - self.shift) * self.factor


def scaling_of(kind: str, x: Any) -> Scaling:
    """The scaling that ``prepare_features`` does to ``x`` (scipy sparse or dense [N, F]); mostly zero columns are not centred there."""
    if kind != "standard":
        return Scaling(kind)
    from scipy import sparse

    stored = x.nnz if sparse.issparse(x) else np.count_nonzero(x)
    if stored <= DENSE_ABOVE * x.shape[0] * x.shape[1]:
        matrix = sparse.csr_matrix(x, dtype=np.float32)
        mean, square = np.asarray(matrix.mean(0)).ravel(), np.asarray(matrix.multiply(matrix).mean(0)).ravel()
        return Scaling(kind, np.zeros_like(mean), _inverse(np.sqrt(np.maximum(square - mean**2, 0))))
    dense = np.asarray(x.toarray() if sparse.issparse(x) else x, dtype=np.float32)
    return Scaling(kind, dense.mean(0), _inverse(dense.std(0)))


def _inverse(x: Any) -> Floats:
    """1 / x, and 1 where x is 0."""
    inverse: Floats = (1 / np.where(x > 0, x, 1)).astype(np.float32)
    return inverse
