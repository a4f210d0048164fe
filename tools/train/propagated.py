"""Propagation without weights, computed once for a whole training (SGC, Wu et al., 2019; SIGN, Frasca et al., 2020)."""

from __future__ import annotations

import torch
from torch import Tensor

from agentnas.tools.nn.graph import Graph
from agentnas.tools.nn.layout import Step
from agentnas.tools.nn.network import Network
from agentnas.tools.nn.sparse import Features, SparseFeatures
from agentnas.tools.spec.precomputed import precomputed_nodes, propagates_first
from agentnas.tools.train.data import Prepared

# Columns are propagated together as far as their numbers take no more than this; each hop holds a few times as much.
PIECE_BYTES = 2**28


def kept_nodes(network: Network) -> tuple[str, ...]:
    """Ids of the body nodes whose values are computed once and kept: what the first weights, or the outputs, read."""
    if not propagates_first(network.spec):
        return ()
    fixed = precomputed_nodes(network.spec)
    read = {network.layout.result, *(name for step in network.steps_after(frozenset(fixed)) for name in step.args)}
    return tuple(name for name in fixed if name in read)


def columns_at_once(num_nodes: int) -> int:
    """How many columns are propagated together."""
    return max(1, PIECE_BYTES // (4 * max(1, num_nodes)))


@torch.no_grad()
def propagated(network: Network, data: Prepared, graph: Graph) -> dict[str, Tensor]:
    """Values [N, columns of features and encodings] of the nodes to be kept, by id; none where nothing can be computed once."""
    kept = kept_nodes(network)
    if not kept:
        return {}
    fixed = precomputed_nodes(network.spec)
    steps = [step for step in network.layout.steps if step.target in fixed]
    h: Features = network.get_submodule("input")(data.x, *([] if data.encodings is None else [data.encodings]))
    width, at_once = h.shape[1], columns_at_once(graph.num_nodes)
    if width <= at_once:
        return _values(network, steps, h, graph, kept)
    values = {name: torch.empty(h.shape, device=graph.device) for name in kept}
    for first in range(0, width, at_once):
        piece = slice(first, min(first + at_once, width))
        for name, found in _values(network, steps, _columns(h, piece), graph, kept).items():
            values[name][:, piece] = found
    return values


def _values(network: Network, steps: list[Step], h: Features, graph: Graph, kept: tuple[str, ...]) -> dict[str, Tensor]:
    """Values of the kept nodes for some columns; others are dropped once they were read for the last time."""
    values: dict[str, Features | Graph] = {"h": h, "graph": graph}
    last = {name: step.target for step in steps for name in step.args}
    found: dict[str, Tensor] = {}
    for step in steps:
        value: Tensor = network.get_submodule(step.module)(*[values[name] for name in step.args])
        values[step.target] = value
        if step.target in kept:
            found[step.target] = value
        for name in set(step.args) - {"graph"}:
            if last[name] == step.target:
                del values[name]
    return found


def _columns(h: Features, piece: slice) -> Tensor:
    if not isinstance(h, SparseFeatures):
        return h[:, piece]
    width = piece.stop - piece.start
    chosen = torch.zeros(h.shape[1], width, device=h.device)
    chosen[piece].fill_diagonal_(1.0)
    return h @ chosen
