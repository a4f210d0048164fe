"""Device memory that a training will need, predicted before it begins.

What a step allocates is affine in nodes, edges and feature non-zeros at each of its moments, as FLOPs are. So a step is run on four tiny
graphs, what is held after each allocation is noted, and each moment is extended to the sizes asked for; the largest one counts. A new
operator needs no formula of its own, and what a backward pass makes and drops again (an operator over edges makes most there) is seen.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from agentnas.tools.nn.flops import BASE, _small_features, _small_graph
from agentnas.tools.nn.layout import ONE_TYPE, Types
from agentnas.tools.nn.network import Network, build_network
from agentnas.tools.nn.sparse import hear_beta_warning
from agentnas.tools.spec.model import ArchitectureSpec, Recipe
from agentnas.tools.train.pace import MOST_IN_BLOCK, RING_BYTES
from agentnas.tools.train.perturb import perturb

MIB = 2**20
MOST_PROBED = 2**24  # weights beyond which a probe would take longer than it is worth
WEIGHT_COPIES = 5  # the weights, their gradients, two moments of the optimiser, the chosen epoch
Moments = Callable[[Network, Recipe, tuple[int, ...], bool], Tensor]
WORKSPACE_MIB = 72.0  # of the matrix libraries: 66 on an H100, by the first training of a process


def predicted_mib(
    spec: ArchitectureSpec, *, num_nodes: int, num_edges: int, in_channels: int, out_channels: int, nnz: int | None = None,
    edge_channels: int = 0, types: Types = ONE_TYPE, num_graphs: int = 1,
) -> float:  # fmt: skip
    """Most MiB that a full-graph training's own tensors hold at one time on a device, the task's features and edges not counted.

    ``num_edges``: directed; ``nnz``: non-zeros of sparse features, None if they are dense. Sampled batches are smaller: for them it is an
    upper bound; for precomputed propagation it counts the rows of a batch and what was propagated. ``num_graphs`` does not matter: what a
    graph adds is small beside its nodes.
    """
    del num_graphs
    return _predicted(spec.model_dump_json(), num_nodes, num_edges, in_channels, out_channels, nnz, edge_channels, types)


@lru_cache(maxsize=256)
def _predicted(
    spec_json: str,
    num_nodes: int,
    num_edges: int,
    in_channels: int,
    out_channels: int,
    nnz: int | None,
    edge_channels: int,
    types: Types,
) -> float:
    """The same; kept, because a candidate is trained on many seeds."""
    spec = ArchitectureSpec.model_validate_json(spec_json)
    encodings = sum(encoding.dim for encoding in spec.input.encodings)
    with torch.random.fork_rng(devices=[]):
        network = build_network(
            spec, in_channels=in_channels, out_channels=out_channels, encoding_channels=encodings, edge_channels=edge_channels, types=types
        )
        weights = sum(int(value.numel()) for value in network.state_dict().values())
        step = 4.0 * num_nodes * in_channels
        if weights <= MOST_PROBED:
            step = _step(network, (num_nodes, num_edges, 0 if nnz is None else nnz), nnz is not None, edge_channels, types)
    weight_mib = 4.0 * weights / MIB
    ring_mib = min(RING_BYTES / MIB, weight_mib * MOST_IN_BLOCK)  # the weights of the epochs that are not read yet
    return weight_mib * WEIGHT_COPIES + ring_mib + step / MIB + WORKSPACE_MIB


def _step(network: Network, sizes: tuple[int, int, int], sparse: bool, edge_channels: int, types: Types) -> float:
    """Bytes of a step; on rows also of what is propagated before, and of passes."""
    if network.spec.recipe.batching != "precomputed":
        return _extended(network, network.spec.recipe, sizes, sparse)
    from agentnas.tools.train.resident import Scale, steps_on_rows

    layout, (nodes, edges, nnz), rows = network.layout, sizes, min(network.spec.recipe.batch_size, sizes[0])
    scale = Scale(nodes, edges, layout.in_channels, layout.out_channels, nnz if sparse else None, rows, 1, edge_channels, types)
    return max(steps_on_rows(network, scale, sparse))


def _extended(network: Network, recipe: Recipe, sizes: tuple[int, ...], sparse: bool, moments_of: Moments | None = None) -> float:
    """Most bytes that a step holds at one time, or other work whose moments are given. ``sizes``: nodes, edges, non-zeros, and pairs of
    nodes where they are not as many as nodes."""
    hear_beta_warning()  # what it makes once a process is no part of the first probe
    moments_of = moments_of or _moments
    smallest = (*BASE, BASE[0])[: len(sizes)]
    base = moments_of(network, recipe, smallest, sparse)
    total = base
    for axis in (axis for axis in range(len(sizes)) if axis != 2 or sparse):
        doubled = tuple(2 * size if i == axis else size for i, size in enumerate(smallest))
        moments = moments_of(network, recipe, doubled, sparse)
        if moments.numel() != base.numel():  # an operator that works otherwise on other sizes: the moments are no longer the same ones
            base, total, moments = base.max()[None], total.max()[None], moments.max()[None]
        total = total + (moments - base) / smallest[axis] * (sizes[axis] - smallest[axis])
    return max(0.0, float(total.max()))


def _moments(network: Network, recipe: Recipe, sizes: tuple[int, ...], sparse: bool) -> Tensor:
    """Bytes held after each allocation of a step on a small graph of these sizes; float64 [allocations]."""
    nodes, edges, nnz = sizes[:3]
    graph, features = _small_graph(network, nodes, edges), _small_features(network, nodes, nnz, sparse)
    encodings = torch.zeros(nodes, network.layout.encoding_channels) if network.layout.encoding_channels else None
    others = recipe.model_copy(update={"drop_edge": 0.0})
    network.train()
    with Held() as held:
        loss = torch.zeros(())
        for _ in range(recipe.consistency_samples):
            # Edges are dropped as a device drops them, where they stay in place.
            dropped = graph._mask(torch.rand(graph.num_edges) >= recipe.drop_edge) if recipe.drop_edge else graph
            x, dropped = perturb(others, features, dropped)
            loss = loss + network(x, dropped, encodings, None, _pairs(sizes)).log_softmax(-1).mean()
        torch.autograd.backward(loss)
    network.zero_grad()
    return torch.tensor(held.moments, dtype=torch.float64)


def inference_moments(network: Network, recipe: Recipe, sizes: tuple[int, ...], sparse: bool) -> Tensor:
    """The same of one pass in evaluation mode, without derivatives; the recipe does not matter."""
    del recipe
    nodes, edges, nnz = sizes[:3]
    graph, features = _small_graph(network, nodes, edges), _small_features(network, nodes, nnz, sparse)
    encodings = torch.zeros(nodes, network.layout.encoding_channels) if network.layout.encoding_channels else None
    network.eval()
    with torch.no_grad(), Held() as held:
        network(features, graph, encodings, None, _pairs(sizes)).softmax(-1)
    return torch.tensor(held.moments, dtype=torch.float64)


def _pairs(sizes: tuple[int, ...]) -> Tensor:
    """What a link head is asked for: one pair a node, or as many as the fourth size says."""
    return (torch.arange(sizes[3] if len(sizes) > 3 else sizes[0]) % sizes[0]).repeat(2, 1)


class Held(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of tensors that are made inside and live; ``moments`` holds them after each allocation."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.moments: list[int] = [0]
        self._bytes, self._known = 0, dict[int, Any]()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        before = {_key(tensor) for tensor in _strided((args, kwargs))}
        out = func(*args, **(kwargs or {}))
        for tensor in _strided(out):
            if _key(tensor) not in before:  # neither a view of an argument nor one that was written into
                self._note(tensor.untyped_storage())
        return out

    def _note(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key in self._known:
            return
        self._bytes += size
        self.moments.append(self._bytes)
        self._known[key] = weakref.ref(storage, lambda _: self._forget(key, size))

    def _forget(self, key: int, size: int) -> None:
        if self._known.pop(key, None) is not None:
            self._bytes -= size


def _key(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


def _strided(value: Any) -> list[Tensor]:
    """The dense tensors in some arguments or results."""
    if isinstance(value, Tensor):
        return [value] if value.layout == torch.strided else []
    if isinstance(value, dict):
        value = value.values()
    return [tensor for item in value for tensor in _strided(item)] if isinstance(value, (tuple, list, type({}.values()))) else []
