"""FLOPs of a forward pass: 2 x multiply-adds, sparse products by non-zeros.

Every operator's cost is affine in nodes, edges and feature non-zeros. So the network is run on four tiny graphs, the products that it calls
are counted, and the four counts are extended to any size: a new operator needs no formula of its own. A network whose weights are on
torch's ``meta`` device, where tensors have a shape and no content, is counted without allocating or multiplying anything.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from agentnas.tools.nn.graph import Graph
from agentnas.tools.nn.layout import ONE_TYPE, Types
from agentnas.tools.nn.network import Network, build_network
from agentnas.tools.nn.sparse import Features, SparseFeatures
from agentnas.tools.spec.model import ArchitectureSpec

BASE = (16, 32, 24)  # nodes, edges, non-zeros of the smallest probe
BASE_GRAPHS = 2  # and of it as a set of graphs
FACTORS = {"matmul": 0, "__matmul__": 0, "mm": 0, "bmm": 0, "addmm": 1, "baddbmm": 1}  # place of the left factor; the right one follows
ONE_EACH = {"sum", "mean", "index_add", "index_add_", "segment_reduce"}


class FlopCounter(TorchFunctionMode):
    """Adds up 2 x multiply-adds of products, and one operation an element of element-wise products and of sums."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "")
        out = _call(func, name, args, kwargs or {})
        self.total += _operations(name, args, out)
        return out


def _call(func: Any, name: str, args: Any, kwargs: Any) -> Any:
    """The call; with a meta tensor among its arguments all of them are taken there, for it computes shapes only."""
    if not any(t.is_meta for t in _tensors((args, kwargs))):
        return func(*args, **kwargs)
    if name in FACTORS:
        left, right = _factors(name, args)
        if left.layout == torch.sparse_csr:  # a kernel that meta lacks
            return torch.empty(left.shape[0], *right.shape[1:], device="meta")
    if name == "__getitem__" and args[0].is_meta:
        return func(*args, **kwargs)  # a mask keeps its content, which says how many rows are left
    return func(*_on_meta(args), **_on_meta(kwargs))


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (tuple, list, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _tensors(item)


def _on_meta(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.to("meta")
    if isinstance(value, dict):
        return {name: _on_meta(item) for name, item in value.items()}
    return type(value)(map(_on_meta, value)) if type(value) in (tuple, list) else value


def _operations(name: str, args: Any, out: Any) -> int:
    if name in ("linear", "_linear_pointwise"):
        return 2 * _entries(args[0]) * int(args[1].shape[0])
    if name in FACTORS:
        left, right = _factors(name, args)
        return 2 * _entries(left) * int(right.shape[-1])
    if name == "einsum":
        sizes = {
            k: n for term, t in zip(args[0].split("->")[0].split(","), args[1:], strict=True) for k, n in zip(term, t.shape, strict=True)
        }
        return 2 * int(math.prod(sizes.values()))
    if name in ("mul", "mul_"):
        return int(out.numel())
    return max((a.numel() for a in args if isinstance(a, Tensor)), default=0) if name in ONE_EACH else 0


def _factors(name: str, args: Any) -> tuple[Tensor, Tensor]:
    left, right = args[FACTORS[name] : FACTORS[name] + 2]
    return left, right


def _entries(matrix: Tensor) -> int:
    return matrix.values().numel() if matrix.layout == torch.sparse_csr else matrix.numel()


def count_flops(
    network: Network | ArchitectureSpec,
    *,
    num_nodes: int,
    num_edges: int,
    nnz: int | None = None,
    in_channels: int | None = None,
    out_channels: int | None = None,
    encoding_channels: int = 0,
    edge_channels: int = 0,
    num_graphs: int = 1,
    types: Types = ONE_TYPE,
) -> int:
    """FLOPs of one forward pass over a whole graph, or a set of graphs.

    ``num_edges``: directed, without self-loops; ``nnz``: non-zeros of sparse features, None if they are dense. A spec needs ``in_channels``
    and ``out_channels`` as well. Link heads count one pair a node; ``num_graphs`` matters to graph heads alone.
    """
    if isinstance(network, ArchitectureSpec):
        if in_channels is None or out_channels is None:
            raise TypeError("count_flops of a spec needs in_channels and out_channels")
        network = build_network(
            network,
            in_channels=in_channels,
            out_channels=out_channels,
            encoding_channels=encoding_channels,
            edge_channels=edge_channels,
            types=types,
        )
    sizes = (num_nodes, num_edges, 0 if nnz is None else nnz)
    base = _probe(network, BASE, nnz is not None)
    total = float(base)
    for axis in range(3 if nnz is not None else 2):
        doubled = tuple(2 * size if i == axis else size for i, size in enumerate(BASE))
        slope = (_probe(network, doubled, nnz is not None) - base) / BASE[axis]
        total += slope * (sizes[axis] - BASE[axis])
    if network.spec.head.kind == "graph":
        slope = (_probe(network, BASE, nnz is not None, 2 * BASE_GRAPHS) - base) / BASE_GRAPHS
        total += slope * (num_graphs - BASE_GRAPHS)
    return max(0, math.ceil(total))


def _probe(network: Network, sizes: tuple[int, ...], sparse: bool, graphs: int = BASE_GRAPHS) -> int:
    """FLOPs on a small graph of these sizes; weights and mode are left as they were."""
    nodes, edges, nnz = sizes
    graph = _small_graph(network, nodes, edges)
    x = _small_features(network, nodes, nnz, sparse)
    layout = network.layout
    encodings = torch.zeros(nodes, layout.encoding_channels) if layout.encoding_channels else None
    pairs = torch.arange(nodes).repeat(2, 1)
    batch = torch.arange(nodes) * graphs // nodes if network.spec.head.kind == "graph" else None
    training = network.training
    network.eval()
    try:
        with torch.no_grad(), FlopCounter() as counter:
            network(x, graph, encodings, batch, pairs)  # fills the graph's caches, which cost nothing later
            counter.total = 0
            network(x, graph, encodings, batch, pairs)
    finally:
        network.train(training)
    return int(counter.total)


def _small_graph(network: Network, nodes: int, edges: int) -> Graph:
    hops = torch.arange(edges)
    source = hops % nodes
    target = (source + 1 + hops // nodes) % nodes
    channels, (node_types, edge_types) = network.layout.edge_channels, network.layout.types
    attr = torch.zeros(edges, channels) if channels else None
    edge_type = hops % edge_types if edge_types > 1 else None
    node_type = torch.arange(nodes) % node_types if node_types > 1 else None
    return Graph(torch.stack([source, target]), nodes, None, attr, edge_type, node_type)


def _small_features(network: Network, nodes: int, nnz: int, sparse: bool) -> Features:
    channels = network.layout.in_channels
    if not sparse:
        return torch.zeros(nodes, channels)
    entries = torch.arange(nnz)
    pointers = torch.searchsorted(entries * nodes // nnz, torch.arange(nodes + 1))
    return SparseFeatures.from_csr(pointers, entries % channels, torch.ones(nnz), (nodes, channels))
