"""Device memory that a training will need, predicted before it begins.

What autograd keeps for the backward pass is affine in nodes, edges and feature non-zeros, as FLOPs are. So a training pass is run on four
tiny graphs, what it keeps is counted, and the counts are extended to any size: a new operator needs no formula of its own.
"""

from __future__ import annotations

import torch
from torch import Tensor

from agentnas.tools.nn.flops import BASE, _small_features, _small_graph
from agentnas.tools.nn.network import Network, build_network
from agentnas.tools.spec.model import ArchitectureSpec

MIB = 2**20
MOST_PROBED = 2**24  # weights beyond which a probe would take longer than it is worth
WEIGHT_COPIES = 5  # the weights, their gradients, two moments of the optimiser, the chosen epoch
RING_MIB = 64.0  # at most, the weights of the epochs that are not read yet (train/pace.py)
MOST_IN_RING = 32
EDGE_BYTES = 64  # of the graph's structure: values, columns and pointers, and those of the transpose, for two normalisations
WORKSPACE_MIB = 48.0  # of the matrix libraries
TRANSIENT = 2.0  # tensors as large as the largest kept one that live beside those that are kept


def predicted_mib(
    spec: ArchitectureSpec, *, num_nodes: int, num_edges: int, in_channels: int, out_channels: int, nnz: int | None = None
) -> float:
    """Most MiB that a full-graph training's own tensors hold at one time on a device, the task's features and edges not counted.

    ``num_edges``: directed; ``nnz``: non-zeros of sparse features, None if they are dense. Sampled batches are smaller: for them it is an
    upper bound.
    """
    encodings = sum(encoding.dim for encoding in spec.input.encodings)
    with torch.random.fork_rng(devices=[]):
        network = build_network(spec, in_channels=in_channels, out_channels=out_channels, encoding_channels=encodings)
        weights = sum(value.numel() for value in network.state_dict().values())
        sizes = (num_nodes, num_edges, 0 if nnz is None else nnz)
        kept, largest = _extended(network, sizes, nnz is not None) if weights <= MOST_PROBED else (4.0 * num_nodes * in_channels, 0.0)
    steps = kept * spec.recipe.consistency_samples + TRANSIENT * largest + EDGE_BYTES * num_edges
    weight_mib = 4 * weights / MIB
    return weight_mib * WEIGHT_COPIES + min(RING_MIB, weight_mib * MOST_IN_RING) + steps / MIB + WORKSPACE_MIB


def _extended(network: Network, sizes: tuple[int, int, int], sparse: bool) -> tuple[float, float]:
    """Bytes that are kept together, and of the largest one."""
    base = _kept(network, BASE, sparse)
    total = [float(value) for value in base]
    for axis in range(3 if sparse else 2):
        doubled = tuple(2 * size if i == axis else size for i, size in enumerate(BASE))
        for i, value in enumerate(_kept(network, doubled, sparse)):
            total[i] += (value - base[i]) / BASE[axis] * (sizes[axis] - BASE[axis])
    return max(0.0, total[0]), max(0.0, total[1])


def _kept(network: Network, sizes: tuple[int, ...], sparse: bool) -> tuple[int, int]:
    """Bytes kept for the backward pass on a small graph of these sizes, weights left out: together, and of the largest tensor."""
    nodes, edges, nnz = sizes
    graph, x = _small_graph(network, nodes, edges), _small_features(network, nodes, nnz, sparse)
    encodings = torch.zeros(nodes, network.layout.encoding_channels) if network.layout.encoding_channels else None
    own = {value.data_ptr() for value in network.state_dict().values()}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        if tensor.layout == torch.strided and tensor.data_ptr() not in own:
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    network.train()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        out = network(x, graph, encodings)
    del out
    return sum(kept.values()), max(kept.values(), default=0)
