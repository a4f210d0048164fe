"""A moving average of the weights that a training goes through."""

from __future__ import annotations

from copy import deepcopy

import torch

from agentnas.tools.nn.network import Network


class WeightAverage:
    """Exponential moving average of a network's weights and running statistics (Polyak and Juditsky, 1992), from its first weights on.

    ``network`` is the averaged one, for judging alone. With few steps an epoch and batch norm, single epochs differ by luck; their average
    does so less.
    """

    def __init__(self, network: Network, decay: float) -> None:
        self.network = deepcopy(network).requires_grad_(False)
        averages, currents = (list(one.state_dict(keep_vars=True).values()) for one in (self.network, network))
        self._averages, self._currents = ([tensor for tensor in one if tensor.is_floating_point()] for one in (averages, currents))
        self._counts = [pair for pair in zip(averages, currents, strict=True) if not pair[1].is_floating_point()]
        self._share = 1.0 - decay

    @torch.no_grad()
    def update(self) -> None:
        """Move the average towards the weights as they are."""
        if self._averages:
            torch._foreach_lerp_(self._averages, self._currents, self._share)
        for average, current in self._counts:
            average.copy_(current)
