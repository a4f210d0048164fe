"""Memory that a worker's process will take to train a spec on the CPU, predicted before it begins.

A training holds what the process itself takes, the task, the weights with what the optimiser keeps of them, and the largest of three
things that are never held together: what loading makes and drops again, a step, and a pass over the whole graph, by which every epoch is
validated whatever the batches are. Steps and passes are probed on tiny graphs and extended, as on a device (``memory``).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import lru_cache

import numpy as np
import torch

from agentnas.tools.freed_memory import NODES_MAPPED
from agentnas.tools.nn.features import PROBES
from agentnas.tools.nn.network import Network, network_of
from agentnas.tools.room import MIB
from agentnas.tools.sizes import Sizes
from agentnas.tools.spec.model import ArchitectureSpec
from agentnas.tools.tasks.base import GraphData, Task
from agentnas.tools.train.batching import most_sampled, receptive_hops
from agentnas.tools.train.data import SPLITS_KEPT
from agentnas.tools.train.layerwise import PIECE_EDGES, PIECE_ROWS, in_pieces, reach_of, state_columns
from agentnas.tools.train.memory import (
    MOST_PROBED,
    WEIGHT_COPIES,
    _extended,
    inference_moments,
    steps_on_pairs,
    steps_on_rows,
)
from agentnas.tools.train.views import MOST_NODES

PROCESS_MIB = 440.0  # interpreter, torch, scipy and scikit-learn, as a worker on a small task was measured
# Workers keep blocks in a heap that glibc cannot shrink in the middle (freed_memory). Measured on 100,000 nodes (docs/fast-size.md), a
# training takes up to nine times what it holds there, but no more than this beside it; on larger graphs such blocks are mapped, but those
# of sampled batches and of pieces, which are smaller, stay.
HEAP_MIB, HEAP_TIMES = 1800.0, 8.0
EDGE_BYTES, LOADING_EDGE_BYTES = 16, 56  # both ends in 64 bits; and while they are read and sorted
POST_COPIES = 8  # of the scores, in correct-and-smooth
NUMBERING_BYTES, MATRIX_BYTES = 16, 32  # of a node, where a pass goes piece by piece; of an edge in a normalised adjacency
MESSAGES_BYTES = 120  # of an edge that messages pass along: what a split of pairs has beside the whole graph, its normalisations among it


@dataclass(frozen=True)
class Scale(Sizes):
    """Sizes of a task that memory follows. ``labelled``: items that are trained on; ``items``: pairs of all splits, where pairs are
    predicted.

    Of a set of graphs ``largest`` says how many nodes and edges the largest 1, 2, 4, 8, ... graphs have together, up to all of them."""

    labelled: int = 0
    num_splits: int = 1
    largest: tuple[tuple[int, int], ...] = ()
    items: int = 0

    @classmethod
    def of(cls, task: Task) -> Scale:
        """Sizes of a task with data."""
        sizes, data = asdict(Sizes.of(task)), task.data
        assert data is not None
        largest = largest_graphs(data) if task.kind == "graph" else ()
        items = data.num_items if task.kind == "link" else 0
        return cls(**sizes, labelled=len(task.split(0).train), num_splits=task.num_splits, largest=largest, items=items)


@dataclass(frozen=True)
class Resident:
    """MiB by what they are for; ``total`` is the resident set size at its highest."""

    process: float
    task: float
    loading: float
    weights: float
    step: float
    inference: float
    heap: float = 0.0

    @property
    def work(self) -> float:
        """The largest of what is never held together."""
        return max(self.loading, self.weights + max(self.step, self.inference) + self.heap)

    @property
    def total(self) -> float:
        return self.process + self.task + self.work


def resident(spec: ArchitectureSpec, scale: Scale) -> Resident:
    """What a training of the spec is predicted to take. Raises whatever building the spec's network raises."""
    return _resident(spec.model_dump_json(exclude={"post"}), spec.post.kind != "none", scale)


@lru_cache(maxsize=1024)
def _resident(spec_json: str, post: bool, scale: Scale) -> Resident:
    spec = ArchitectureSpec.model_validate_json(spec_json)
    with torch.random.fork_rng(devices=[]):
        network = network_of(spec, scale)
        weights = sum(int(value.numel()) for value in network.state_dict().values())
        step, inference, blocks = _step_and_pass(network, scale, weights)
    scores = 4.0 * scale.num_nodes * scale.out_channels * (POST_COPIES if post else 1)
    heap = blocks if scale.num_nodes >= NODES_MAPPED else HEAP_TIMES * max(step, inference)
    return Resident(
        PROCESS_MIB, task_mib(spec, scale), loading_mib(spec, scale), 4.0 * weights * WEIGHT_COPIES / MIB, step / MIB,
        (inference + scores) / MIB, min(HEAP_MIB, heap / MIB),
    )  # fmt: skip


def _step_and_pass(network: Network, scale: Scale, weights: int) -> tuple[float, float, float]:
    """Bytes of a training step and of a pass over the whole graph, and of what both hold in blocks too small to be mapped."""
    if weights > MOST_PROBED:
        features = 4.0 * scale.num_nodes * scale.in_channels
        return features, features, 0.0
    if scale.pairs:
        return *steps_on_pairs(network, scale), 0.0
    recipe = network.spec.recipe
    if recipe.batching == "precomputed":
        return *steps_on_rows(network, scale, scale.labelled), 0.0
    sparse, whole = scale.nnz is not None, (scale.num_nodes, scale.num_edges, scale.nnz or 0)
    step = _extended(network, recipe, _batch(network, scale, whole), sparse)
    if recipe.batching not in ("neighbour", "cluster"):
        return step, _extended(network, recipe, _pass(scale, whole), sparse, inference_moments), 0.0
    cut = _pieces_bytes(scale, sparse) if recipe.batching == "cluster" else 0.0
    states, piece = _by_layers(network, scale, sparse) if in_pieces(scale.num_nodes, scale.num_edges) else (None, 0.0)
    if states is None:
        return cut + step, _extended(network, recipe, whole, sparse, inference_moments), step
    return cut + step, states + piece, step + piece


def _by_layers(network: Network, scale: Scale, sparse: bool) -> tuple[float | None, float]:
    """Bytes of a pass layer by layer: states of all nodes, and a piece; None where a layer has to look at the whole graph."""
    reaches = {reach_of(network.layout, step) for step in network.layout.steps}
    if "whole" in reaches:
        return None, 0.0
    share = min(1.0, PIECE_ROWS / scale.num_nodes, PIECE_EDGES / max(1, scale.num_edges))
    nodes = min(scale.num_nodes, int(share * scale.num_nodes) + PIECE_EDGES)
    nnz = -(-(scale.nnz or 0) * nodes // scale.num_nodes)
    piece = _extended(network, network.spec.recipe, (nodes, min(scale.num_edges, PIECE_EDGES), nnz), sparse, inference_moments)
    states = 4.0 * scale.num_nodes * state_columns(network)
    return states + NUMBERING_BYTES * scale.num_nodes + (MATRIX_BYTES * scale.num_edges if "matrix" in reaches else 0.0), piece


def sampled_nodes(spec: ArchitectureSpec, scale: Scale) -> int:
    """Nodes that a neighbour batch of the spec holds, at most."""
    with torch.random.fork_rng(devices=[]):
        return _sampled(network_of(spec, scale), scale)


def _sampled(network: Network, scale: Scale) -> int:
    recipe = network.spec.recipe
    return most_sampled(min(recipe.batch_size, scale.labelled), receptive_hops(network, torch.device("cpu")), recipe.fanout)


def _batch(network: Network, scale: Scale, whole: tuple[int, int, int]) -> tuple[int, int, int]:
    """Nodes, edges and non-zeros of a step, at most; clusters are taken to have equally many edges."""
    recipe, (nodes, edges, nnz) = network.spec.recipe, whole
    if recipe.batching == "minibatch" and scale.largest:
        return _minibatch(scale, min(recipe.batch_size, scale.labelled), whole)
    if recipe.batching == "cluster":
        parts = min(recipe.clusters, nodes)
        return -(-nodes // parts), -(-edges // parts), -(-nnz // parts)
    if recipe.batching == "neighbour":
        sampled = _sampled(network, scale)
        return min(nodes, sampled), min(edges, sampled), int(nnz * min(1.0, sampled / nodes))
    return whole


def largest_graphs(data: GraphData) -> tuple[tuple[int, int], ...]:
    """Nodes and edges that the 1, 2, 4, ... graphs with most of them have at most, up to all graphs."""
    assert data.graph_of is not None
    nodes = np.bincount(data.graph_of)
    edges = np.bincount(data.graph_of[data.edge_index[0]], minlength=len(nodes))
    sums = [np.cumsum(np.sort(sizes)[::-1]) for sizes in (nodes, edges)]
    counts = [2**power for power in range(len(nodes).bit_length())] + [len(nodes)]
    return tuple((int(sums[0][count - 1]), int(sums[1][count - 1])) for count in counts)


def _minibatch(scale: Scale, graphs: int, whole: tuple[int, int, int]) -> tuple[int, int, int]:
    """Nodes, edges and non-zeros of the largest batch of so many graphs, rounded up to a power of two."""
    place = min(max(0, graphs - 1).bit_length(), len(scale.largest) - 1)
    nodes, edges = scale.largest[place]
    return nodes, edges, -(-whole[2] * nodes // max(1, whole[0]))


def _pass(scale: Scale, whole: tuple[int, int, int]) -> tuple[int, int, int]:
    """What one pass without training sees: the whole graph, or graphs of at most ``MOST_NODES`` nodes, or one that has more."""
    if not scale.largest or whole[0] <= MOST_NODES:
        return whole
    nodes = MOST_NODES + scale.largest[0][0]
    return nodes, -(-whole[1] * nodes // whole[0]) + scale.largest[0][1], -(-whole[2] * nodes // whole[0])


def _pieces_bytes(scale: Scale, sparse: bool) -> float:
    """All clusters' own features and edges, which are cut once and kept."""
    features = 16.0 * (scale.nnz or 0) if sparse else 4.0 * scale.num_nodes * scale.in_channels
    return features + EDGE_BYTES * scale.num_edges


def task_mib(spec: ArchitectureSpec, scale: Scale) -> float:
    """The task as a worker keeps it: features as they were read and as the spec's input scales them, edges, labels, splits."""
    dense = 4.0 * scale.num_nodes * scale.in_channels
    features = dense + (dense if spec.input.scale != "none" else 0.0) if scale.nnz is None else 40.0 * scale.nnz
    encodings = 4.0 * scale.num_nodes * spec.input.encoding_channels
    rows = 24.0 * scale.items + 16.0 * (scale.pairs + scale.validated) * scale.num_splits if scale.pairs else 0.0
    messages = MESSAGES_BYTES * scale.num_edges * min(scale.num_splits, SPLITS_KEPT) if scale.pairs else 0.0
    labels = 8.0 * scale.num_nodes * (1 + scale.num_splits)
    return (features + encodings + EDGE_BYTES * scale.num_edges + labels + rows + messages) / MIB


def loading_mib(spec: ArchitectureSpec, scale: Scale) -> float:
    """What reading the task, or making the encodings, holds for a moment."""
    walks = any(encoding.kind == "random_walk" for encoding in spec.input.encodings)
    made = (LOADING_EDGE_BYTES - EDGE_BYTES) * scale.num_edges
    return max(made, 12.0 * PROBES * scale.num_nodes if walks else 0.0) / MIB
