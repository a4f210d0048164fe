"""Device memory that a training will need, predicted before it begins.

What a step allocates is affine in nodes, edges and feature non-zeros at each of its moments, as FLOPs are. So a step is run on four tiny
graphs, what is held after each allocation is noted, and each moment is extended to the sizes asked for; the largest one counts. A new
operator needs no formula of its own, and what a backward pass makes and drops again (an operator over edges makes most there) is seen.
"""

from __future__ import annotations

import copy
import weakref
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from agentnas.tools.nn.flops import BASE, BASE_GRAPHS, _small_features, _small_graph
from agentnas.tools.nn.network import Network, network_of
from agentnas.tools.nn.pairs import MOST_COUNTED, MOST_LOOKED_AT, MOST_SCORED
from agentnas.tools.nn.sparse import hear_beta_warning
from agentnas.tools.room import MIB
from agentnas.tools.sizes import Sizes
from agentnas.tools.spec.model import ArchitectureSpec, Head, Input, Post, Recipe
from agentnas.tools.spec.precomputed import precomputed_nodes
from agentnas.tools.train.pace import MOST_IN_BLOCK, RING_BYTES
from agentnas.tools.train.perturb import perturb
from agentnas.tools.train.propagated import columns_at_once, kept_nodes
from agentnas.tools.train.views import MOST_ROWS

MOST_PROBED = 2**24  # weights beyond which a probe would take longer than it is worth
WEIGHT_COPIES = 5  # the weights, their gradients, two moments of the optimiser, the chosen epoch
Moments = Callable[[Network, Recipe, tuple[int, ...], bool], Tensor]
COUNTED_EDGE_BYTES, COUNTED_PAIR_BYTES = 16, 512  # where surroundings are counted: of an edge, and of a pair with the perceptron on it
LOOKED_AT_BYTES = 64  # of an edge at the end of a pair, while common neighbours are looked for
WORKSPACE_MIB = 72.0  # of the matrix libraries: 66 on an H100, by the first training of a process


def predicted_mib(spec: ArchitectureSpec, sizes: Sizes) -> float:
    """Most MiB that a training's own tensors hold at one time on a device, the task's features and edges not counted.

    It is of a training on the whole graph, or on all graphs at once: sampled batches and minibatches of graphs take less. Of pairs as many
    are counted as a step scores, or validation does at a time; of precomputed propagation, what was propagated and the rows of a batch or
    of a pass.
    """
    return _predicted(spec.model_dump_json(), sizes)


@lru_cache(maxsize=256)
def _predicted(spec_json: str, sizes: Sizes) -> float:
    """The same; kept, because a candidate is trained on many seeds."""
    spec = ArchitectureSpec.model_validate_json(spec_json)
    with torch.random.fork_rng(devices=[]):
        network = network_of(spec, sizes)
        weights = sum(int(value.numel()) for value in network.state_dict().values())
        work = _work(network, sizes) if weights <= MOST_PROBED else 4.0 * sizes.num_nodes * sizes.in_channels
    weight_mib = 4.0 * weights / MIB
    ring_mib = min(RING_BYTES / MIB, weight_mib * MOST_IN_BLOCK)  # the weights of the epochs that are not read yet
    copies = WEIGHT_COPIES + (spec.recipe.ema_decay > 0)
    return weight_mib * copies + ring_mib + work / MIB + WORKSPACE_MIB


def _work(network: Network, sizes: Sizes) -> float:
    """Bytes of a step, or of a pass where pairs or single rows are validated, whichever is more."""
    if sizes.pairs:
        return max(steps_on_pairs(network, sizes))
    if network.spec.recipe.batching == "precomputed":
        return max(steps_on_rows(network, sizes, sizes.num_nodes))
    whole = (sizes.num_nodes, sizes.num_edges, sizes.nnz or 0)
    graphs = (sizes.num_graphs,) if network.spec.head.kind == "graph" else ()
    return _extended(network, network.spec.recipe, whole + graphs, sizes.nnz is not None)


def steps_on_pairs(network: Network, sizes: Sizes) -> tuple[float, float]:
    """Bytes of a training step and of a pass where pairs are predicted: messages pass along all edges whatever the batch, which decides
    how many pairs are scored."""
    head, network = network.spec.head, _without_counts(network)
    recipe, sparse, whole = network.spec.recipe, sizes.nnz is not None, (sizes.num_nodes, sizes.num_edges, sizes.nnz or 0)
    half = -(-sizes.pairs // 4)  # as many edges as a step takes out of the messages at most; as many other pairs stand beside them
    trained = 2 * (half if recipe.batching == "full" else min(recipe.batch_size, half))
    scored = min(sizes.validated, MOST_SCORED)
    step = _extended(network, recipe, (*whole, trained), sparse)
    inference = _extended(network, recipe, (*whole, scored), sparse, inference_moments)
    if head.decoder == "common_neighbour":
        step += LOOKED_AT_BYTES * sizes.looked_at * trained
        inference += LOOKED_AT_BYTES * min(sizes.looked_at * scored, MOST_LOOKED_AT)
    return (step, inference) if head.pair_features == "none" else (step + _counting(sizes, trained), inference + _counting(sizes, scored))


def _without_counts(network: Network) -> Network:
    """The network with the decoder alone as its head: edges that are counted around a pair grow with the square of degrees, which tiny
    graphs do not foretell; see ``_counting``."""
    if network.spec.head.pair_features == "none":
        return network
    plain = copy.copy(network)
    plain._modules = {**network._modules, "head": network.get_submodule("head.head")}
    return plain


def _counting(sizes: Sizes, pairs: int) -> float:
    """Bytes while the surroundings of pairs are counted, of edges that are looked up or of three blocks of walks of all nodes to some, and
    of what is read of them."""
    looked_up = LOOKED_AT_BYTES * min(sizes.looked_at**2 * pairs, 2 * MOST_LOOKED_AT)
    multiplied = 12.0 * min(sizes.num_nodes * min(sizes.num_nodes, pairs), MOST_COUNTED)
    return max(looked_up, multiplied) + COUNTED_EDGE_BYTES * sizes.num_edges + COUNTED_PAIR_BYTES * pairs


def steps_on_rows(network: Network, sizes: Sizes, labelled: int) -> tuple[float, float]:
    """The same where steps see some of ``labelled`` rows of values that were propagated before, and a pass goes through all rows by parts:
    those values are in memory all the time, and while they are made, so are the edges' weights."""
    recipe, kept = network.spec.recipe, kept_nodes(network)
    step, inference = min(recipe.batch_size, labelled), min(MOST_ROWS, sizes.num_nodes)
    columns = sizes.in_channels + network.layout.encoding_channels
    values = 4.0 * sizes.num_nodes * columns * len(kept)
    held = []
    for rows, moments in ((step, None), (inference, inference_moments)):
        nnz = -(-(sizes.nnz or 0) * rows // max(1, sizes.num_nodes))
        gathered = 4.0 * rows * columns * len(kept)
        held.append(values + gathered + _extended(network, recipe, (rows, 0, nnz), sizes.nnz is not None, moments))
    made = values + _propagating(network.spec, sizes, columns) if kept else 0.0
    return held[0], max(held[1], made)


def _propagating(spec: ArchitectureSpec, sizes: Sizes, columns: int) -> float:
    """Bytes beside their results that hops over the columns which are propagated together hold."""
    together = min(columns, columns_at_once(sizes.num_nodes))
    kept = set(precomputed_nodes(spec))
    nodes = tuple(node for node in spec.body.nodes if node.id in kept)
    body = spec.body.model_copy(update={"nodes": nodes, "outputs": (nodes[-1].id,), "jump": "concat"})
    prefix = ArchitectureSpec.model_construct(input=Input(), body=body, head=Head(), recipe=Recipe(), post=Post())
    network = network_of(prefix, replace(sizes, in_channels=together, edge_channels=0, types=(1, 1)))
    return _extended(network, prefix.recipe, (sizes.num_nodes, sizes.num_edges, 0), False, inference_moments)


def _extended(network: Network, recipe: Recipe, sizes: tuple[int, ...], sparse: bool, moments_of: Moments | None = None) -> float:
    """Most bytes that a step holds at one time, or other work whose moments are given. ``sizes``: nodes, edges, non-zeros, and items where
    they are graphs or pairs; without those, one graph, or a pair a node."""
    hear_beta_warning()  # what it makes once a process is no part of the first probe
    moments_of = moments_of or _moments
    smallest = (*BASE, BASE_GRAPHS if network.spec.head.kind == "graph" else BASE[0])[: len(sizes)]
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
            loss = loss + network(x, dropped, encodings, *_items(network, sizes)).log_softmax(-1).mean()
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
        network(features, graph, encodings, *_items(network, sizes)).softmax(-1)
    return torch.tensor(held.moments, dtype=torch.float64)


def _items(network: Network, sizes: tuple[int, ...]) -> tuple[Tensor | None, Tensor | None]:
    """The graph of each node, and the pairs that a link head is asked for, where there are any."""
    nodes, items = torch.arange(sizes[0]), sizes[3] if len(sizes) > 3 else None
    if network.spec.head.kind == "graph":
        return (None if items is None else nodes * items // sizes[0]), None
    return None, (torch.arange(sizes[0] if items is None else items) % sizes[0]).repeat(2, 1)


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
