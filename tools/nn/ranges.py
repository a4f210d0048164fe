"""Ranges of indices of different lengths, side by side."""

from __future__ import annotations

import torch
from torch import Tensor


def ragged_ranges(starts: Tensor, counts: Tensor) -> Tensor:
    """``starts[i], starts[i] + 1, ...`` (``counts[i]`` of them) for each i, joined; long [sum of counts]."""
    shift = starts - (counts.cumsum(0) - counts)
    return torch.arange(int(counts.sum()), device=starts.device) + shift.repeat_interleave(counts)
