"""A graph with its features as a flat dictionary of tensors: ``torch.save`` writes it, ``weights_only=True`` reads it."""

from __future__ import annotations

import torch
from torch import Tensor

from agentnas.tools.nn.graph import Graph
from agentnas.tools.nn.sparse import Features, SparseFeatures

GRAPH_PARTS = ("edge_weight", "edge_attr", "edge_type", "node_type")


def pack_data(x: Features, graph: Graph, encodings: Tensor | None = None, **more: Tensor) -> dict[str, Tensor]:
    """Tensors of prepared data; ``more`` (labels, split indices) is kept as it is."""
    packed = dict(more, edge_index=graph.edge_index)
    if isinstance(x, SparseFeatures):
        shape = torch.tensor(x.shape)
        packed |= {"x_pointers": x.pattern.pointers, "x_columns": x.pattern.column, "x_values": x.values, "x_shape": shape}
    else:
        packed["x"] = x
    optional = {name: getattr(graph, name) for name in GRAPH_PARTS} | {"encodings": encodings}
    return packed | {name: value for name, value in optional.items() if value is not None}


def unpack_data(packed: dict[str, Tensor]) -> tuple[Features, Graph, Tensor | None]:
    """Features, graph and encodings from the dictionary that ``pack_data`` made."""
    x: Features
    if "x" in packed:
        x = packed["x"]
    else:
        rows, columns = packed["x_shape"].tolist()
        x = SparseFeatures.from_csr(packed["x_pointers"], packed["x_columns"], packed["x_values"], (rows, columns))
    graph = Graph(packed["edge_index"], x.shape[0], *(packed.get(name) for name in GRAPH_PARTS))
    return x, graph, packed.get("encodings")
