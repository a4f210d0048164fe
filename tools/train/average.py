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
        pairs = list(zip(averages, currents, strict=True))
        self._moving = [pair for pair in pairs if pair[1].is_floating_point()]
        self._counting = [pair for pair in pairs if not pair[1].is_floating_point()]
        self._share = 1.0 - decay

    @torch.no_grad()
    def update(self) -> None:
        """Move the average towards the weights as they are."""
        if self._moving:
            torch._foreach_lerp_([average for average, _ in self._moving], [current for _, current in self._moving], self._share)
        for average, current in self._counting:
            average.copy_(current)
