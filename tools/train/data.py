"""A task as tensors on a device, with what depends on a spec's input made once and kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agentnas.tools.errors import UsageError
from agentnas.tools.metrics import Metric, Target
from agentnas.tools.nn.features import encodings_of, scaled_features
from agentnas.tools.nn.graph import Graph
from agentnas.tools.nn.sparse import Features, SparseFeatures
from agentnas.tools.spec.model import Input
from agentnas.tools.spec.precomputed import precomputed_nodes
from agentnas.tools.tasks.base import GraphData, Kind, Split, Task
from agentnas.tools.train.targets import Objective, objective_of

if TYPE_CHECKING:
    from agentnas.tools.nn.network import Network

Scores = NDArray[np.float32]
SPLITS_KEPT = 4  # of whose messages a task of pairs keeps the graph
ENCODINGS_KEPT = 16  # of different inputs, and of splits where these have their own; the oldest go, and take a few epochs to make again


@dataclass(frozen=True)
class Prepared:
    """Features [N, F] as a spec's input wants them, and its encodings [N, k]."""

    x: Features
    encodings: Tensor | None

    @property
    def encoding_channels(self) -> int:
        return 0 if self.encodings is None else int(self.encodings.shape[1])

    def rows(self, nodes: Tensor) -> Prepared:
        """Those of some nodes (long [n])."""
        x = self.x.rows(nodes) if isinstance(self.x, SparseFeatures) else self.x[nodes]
        return Prepared(x, None if self.encodings is None else self.encodings[nodes])


@dataclass(frozen=True)
class Labels:
    """What training may see of a split: no label outside of the training and the validation part, and no test index.

    ``train``, ``val``: long indices of items; ``y_train``, ``y_val``: their labels; ``y_val_numpy`` is for metrics that need numpy.
    ``objective``: what is learned of them.
    """

    train: Tensor
    y_train: Tensor
    val: Tensor
    y_val: Tensor
    y_val_numpy: NDArray[Any]
    objective: Objective


def graph_of(data: GraphData) -> Graph:
    """The graph of a task's data, with its attributes and types."""
    attr, edge_type, node_type = (
        None if part is None else torch.from_numpy(np.ascontiguousarray(part)) for part in (data.edge_attr, data.edge_type, data.node_type)
    )
    return Graph(torch.from_numpy(np.ascontiguousarray(data.edge_index)), data.num_nodes, None, attr, edge_type, node_type)


@dataclass(eq=False)
class PreparedTask:
    """Tensors of a task. ``features`` and ``labels`` are what a training reads; test labels are behind ``test_score`` alone."""

    name: str
    metric: Metric
    graph: Graph
    num_splits: int
    device: torch.device
    _data: GraphData
    _splits: tuple[Split, ...]
    _plain: dict[str, Prepared] = field(default_factory=dict)
    _encoded: dict[str, Prepared] = field(default_factory=dict)
    _labels: dict[int, Labels] = field(default_factory=dict)
    _clusters: dict[int, list[Tensor]] = field(default_factory=dict)
    _messages: dict[int, Graph] = field(default_factory=dict)
    _propagated: dict[str, dict[str, Tensor]] = field(default_factory=dict)

    @classmethod
    def from_task(cls, task: Task, device: str | torch.device = "cpu") -> PreparedTask:
        """Raises UsageError for a task without data: a table is looked up, not trained."""
        data = task.data
        if data is None:
            raise UsageError(f"task {task.name} is a table and holds no data to train on; choose a task without 'nasbench:'")
        device = torch.device(device)
        graph = graph_of(data).to(device)
        return cls(task.name, task.metric, graph, task.num_splits, device, data, task.splits)

    @property
    def kind(self) -> Kind:
        """What an item is."""
        return self._data.kind

    @property
    def target(self) -> Target:
        return self._data.target

    @property
    def counts_right(self) -> bool:
        """Whether the score is the share of items that get their class."""
        return self.metric.name == "accuracy" and self.target == "classes"

    @property
    def num_features(self) -> int:
        return self._data.num_features

    @property
    def edge_channels(self) -> int:
        return self._data.edge_channels

    @property
    def types(self) -> tuple[int, int]:
        """How many types of nodes and of edges there are."""
        return self._data.types

    @property
    def num_classes(self) -> int:
        """Outputs of a network: classes, labels, or 1 for a value or a pair."""
        return self._data.num_classes

    @property
    def columns(self) -> int:
        """Columns of predictions: a pair has one for each of its two classes."""
        return 2 if self.kind == "link" else self.num_classes

    @property
    def num_items(self) -> int:
        """Nodes, graphs or pairs."""
        return self._data.num_items

    @property
    def num_nodes(self) -> int:
        return self.graph.num_nodes

    @property
    def num_edges(self) -> int:
        """Directed edges."""
        return self.graph.num_edges

    @cached_property
    def graph_starts(self) -> Tensor:
        """The first node of each graph, and the number of nodes; long [graphs + 1]."""
        assert self._data.graph_of is not None
        starts = np.searchsorted(self._data.graph_of, np.arange(self._data.num_items + 1))
        return self._tensor(starts.astype(np.int64))

    @cached_property
    def pairs(self) -> Tensor:
        """Long [2, items]: the pairs of nodes of a link task."""
        assert self._data.pairs is not None
        return self._tensor(self._data.pairs)

    def messages(self, split: int, edges: str = "as_given") -> Graph:
        """The edges that a training on this split may pass messages along: all, but of a link task those of its training part.

        ``edges``: which way messages flow along directed ones, as a spec's input says.
        """
        return self._given(split).pointing(edges)

    def _given(self, split: int) -> Graph:
        if self.kind != "link":
            return self.graph
        number = split % self.num_splits
        if number not in self._messages:
            while len(self._messages) >= SPLITS_KEPT:
                del self._messages[next(iter(self._messages))]
            train = self._splits[number].train
            source, target = self.pairs[:, self._tensor(train[self._data.y[train] == 1])]
            self._messages[number] = self._among(torch.stack([torch.cat([source, target]), torch.cat([target, source])]))
        return self._messages[number]

    def _among(self, edge_index: Tensor) -> Graph:
        """Some edges of the whole graph, with their attributes."""
        n, pattern = self.num_nodes, self.graph.pattern
        at = torch.searchsorted(pattern.row * n + pattern.column, (edge_index[1] * n + edge_index[0]).sort().values)
        return Graph(torch.stack([pattern.column[at], pattern.row[at]]), n, *self.graph.of_edges(at), self.graph.node_type)

    def nnz(self, part: Input) -> int | None:
        """Non-zero features as a spec's input prepares them; None where they are dense."""
        x = self.features(part).x
        return x.pattern.nnz if isinstance(x, SparseFeatures) else None

    def features(self, part: Input, split: int = 0) -> Prepared:
        """Features and encodings for a spec's input, on the device; encodings see the edges that messages pass along in this split."""
        if not part.encodings:
            return self._scaled(part.scale)
        # The settings that are read here; the others change the network only.
        key = part.model_dump_json(include={"scale", "encodings", "edges"})
        if self.kind == "link":
            key += f" {split % self.num_splits}"
        if key not in self._encoded:
            while len(self._encoded) >= ENCODINGS_KEPT:
                del self._encoded[next(iter(self._encoded))]
            encodings = encodings_of(part, self.messages(split, part.edges))
            self._encoded[key] = Prepared(self._scaled(part.scale).x, encodings)
        return self._encoded[key]

    def _scaled(self, scale: str) -> Prepared:
        """The features, held once whatever encodings stand beside them."""
        if scale not in self._plain:
            self._plain[scale] = Prepared(scaled_features(self._data.x, scale).to(self.device), None)
        return self._plain[scale]

    def labels(self, split: int) -> Labels:
        """Training and validation labels of split ``split mod num_splits``."""
        number = split % self.num_splits
        if number not in self._labels:
            parts = self._splits[number]
            train, val = self._tensor(parts.train), self._tensor(parts.val)
            y = self._data.y
            y_train, y_val = self._tensor(y[parts.train]), self._tensor(y[parts.val])
            objective = objective_of(self.target, y_train, self.metric)
            self._labels[number] = Labels(train, y_train, val, y_val, y[parts.val], objective)
        return self._labels[number]

    def items_of(self, split: int) -> Tensor | None:
        """The items of a split (long, rising) where other items are no part of it, as pairs are; None where all items may be predicted."""
        if self.kind != "link":
            return None
        parts = self._splits[split % self.num_splits]
        return self._tensor(np.sort(np.concatenate([parts.train, parts.val, parts.test])))

    def clusters(self, number: int) -> list[Tensor]:
        """The nodes in ``number`` parts of near-equal size with few edges between them; made once."""
        from agentnas.tools.train.batching import partition

        if number not in self._clusters:
            self._clusters[number] = [part.to(self.device) for part in partition(self.graph, number)]
        return self._clusters[number]

    def propagated(self, network: Network) -> dict[str, Tensor]:
        """What of the network is computed once for a training, by body node [N, columns]; kept until a network asks for other values."""
        from agentnas.tools.train.propagated import kept_nodes, propagated

        spec = network.spec
        once = kept_nodes(network) if spec.recipe.batching in ("full", "precomputed") else ()
        nodes = [node.model_dump_json() for node in spec.body.nodes if node.id in precomputed_nodes(spec)]
        key = " ".join([spec.input.model_dump_json(), *once, *nodes]) if once else ""
        if key not in self._propagated:
            self._propagated.clear()
            if once:
                self._propagated[key] = propagated(network, self.features(spec.input), self.messages(0, spec.input.edges))
        return self._propagated.get(key, {})

    def val_score(self, scores: Scores, split: int) -> float:
        """Validation score in percent of scores [items, columns]."""
        return self._score(scores, self._splits[split % self.num_splits].val)

    def val_right(self, scores: Scores, split: int) -> NDArray[np.bool_]:
        """Whether each validation item [n] gets its class from scores [items, columns]; in the order of the split."""
        return self._right(scores, self._splits[split % self.num_splits].val)

    def test_right(self, scores: Scores, split: int) -> NDArray[np.bool_]:
        """The same of each test item; to be asked for once, after the choice is made."""
        return self._right(scores, self._splits[split % self.num_splits].test)

    def test_score(self, scores: Scores, split: int) -> float:
        """Test score in percent; to be asked for once, after the choice is made."""
        return self._score(scores, self._splits[split % self.num_splits].test)

    def test_quality(self, scores: Scores, split: int) -> dict[str, Any]:
        """What is kept of the test predictions beside their score; asked for with it, once."""
        from agentnas.tools.quality import quality

        index = self._splits[split % self.num_splits].test
        return quality(self._data.y[index], scores[index])

    def _right(self, scores: Scores, index: NDArray[np.int64]) -> NDArray[np.bool_]:
        right: NDArray[np.bool_] = scores[index].argmax(axis=1) == self._data.y[index]
        return right

    def _score(self, scores: Scores, index: NDArray[np.int64]) -> float:
        return self.metric.score(self._data.y[index], scores[index])

    def _tensor(self, array: NDArray[Any]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)
