"""Feature scaling with the numbers of the graph that a model was trained on: a new graph is scaled by them, not by its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentnas.tools.nn.features import as_matrix, column_factors, inverse

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
            scaled: Floats = x * inverse(np.abs(x).sum(1, keepdims=True))
            return scaled
        return x if self.shift is None or self.factor is None else (x - self.shift) * self.factor


def scaling_of(kind: str, x: Any) -> Scaling:
    """The scaling that ``prepare_features`` does to ``x`` (scipy sparse or dense [N, F]); mostly zero columns are not centred there."""
    if kind != "standard":
        return Scaling(kind)
    matrix = as_matrix(x)
    if isinstance(matrix, np.ndarray):
        return Scaling(kind, matrix.mean(0), inverse(matrix.std(0)))
    factor = column_factors(matrix).ravel()
    return Scaling(kind, np.zeros_like(factor), factor)
