"""A task as tensors on a device, with what depends on a spec's input made once and kept."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from torch import Tensor

from agentnas.tools.errors import UsageError
from agentnas.tools.metrics import Metric
from agentnas.tools.nn.features import prepare_features
from agentnas.tools.nn.graph import Graph
from agentnas.tools.nn.sparse import Features, SparseFeatures
from agentnas.tools.spec.model import Input
from agentnas.tools.tasks.base import Split, Task

Scores = NDArray[np.float32]


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

    ``train``, ``val``: long indices; ``y_train``, ``y_val``: their labels; ``y_val_numpy`` is for metrics that need numpy.
    """

    train: Tensor
    y_train: Tensor
    val: Tensor
    y_val: Tensor
    y_val_numpy: NDArray[np.int64]


@dataclass(eq=False)
class PreparedTask:
    """Tensors of a node task. ``features`` and ``labels`` are what a training reads; test labels are behind ``test_score`` alone."""

    name: str
    metric: Metric
    graph: Graph
    num_features: int
    num_classes: int
    num_splits: int
    device: torch.device
    _x: sp.csr_matrix | NDArray[np.float32]
    _y: NDArray[np.int64]
    _splits: tuple[Split, ...]
    _prepared: dict[str, Prepared] = field(default_factory=dict)
    _labels: dict[int, Labels] = field(default_factory=dict)
    _clusters: dict[int, list[Tensor]] = field(default_factory=dict)

    @classmethod
    def from_task(cls, task: Task, device: str | torch.device = "cpu") -> PreparedTask:
        """Raises UsageError for a task without data: a table is looked up, not trained."""
        data = task.data
        if data is None:
            raise UsageError(f"task {task.name} is a table and holds no data to train on; choose a task without 'nasbench:'")
        device = torch.device(device)
        graph = Graph(torch.from_numpy(np.ascontiguousarray(data.edge_index)), data.num_nodes).to(device)
        return cls(
            task.name, task.metric, graph, data.num_features, data.num_classes, task.num_splits, device, data.x, data.y, task.splits
        )  # fmt: skip

    @property
    def num_nodes(self) -> int:
        return self.graph.num_nodes

    @property
    def num_edges(self) -> int:
        """Directed edges."""
        return self.graph.num_edges

    def nnz(self, part: Input) -> int | None:
        """Non-zero features as a spec's input prepares them; None where they are dense."""
        x = self.features(part).x
        return x.pattern.nnz if isinstance(x, SparseFeatures) else None

    def features(self, part: Input) -> Prepared:
        """Features and encodings for a spec's input, on the device."""
        # The settings that prepare_features reads; the others change the network only.
        key = part.model_dump_json(include={"scale", "encodings"})
        if key not in self._prepared:
            x, encodings = prepare_features(part, self._x, self.graph)
            self._prepared[key] = Prepared(x.to(self.device), None if encodings is None else encodings.to(self.device))
        return self._prepared[key]

    def labels(self, split: int) -> Labels:
        """Training and validation labels of split ``split mod num_splits``."""
        number = split % self.num_splits
        if number not in self._labels:
            parts = self._splits[number]
            train, val = self._tensor(parts.train), self._tensor(parts.val)
            y_train, y_val = self._tensor(self._y[parts.train]), self._tensor(self._y[parts.val])
            self._labels[number] = Labels(train, y_train, val, y_val, self._y[parts.val])
        return self._labels[number]

    def clusters(self, number: int) -> list[Tensor]:
        """The nodes in ``number`` parts of near-equal size with few edges between them; made once."""
        from agentnas.tools.train.batching import partition

        if number not in self._clusters:
            self._clusters[number] = [part.to(self.device) for part in partition(self.graph, number)]
        return self._clusters[number]

    def val_score(self, scores: Scores, split: int) -> float:
        """Validation score in percent of scores [N, classes]."""
        return self._score(scores, self._splits[split % self.num_splits].val)

    def val_right(self, scores: Scores, split: int) -> NDArray[np.bool_]:
        """Whether each validation node [n] gets its class from scores [N, classes]; in the order of the split."""
        return self._right(scores, self._splits[split % self.num_splits].val)

    def test_right(self, scores: Scores, split: int) -> NDArray[np.bool_]:
        """The same of each test node; to be asked for once, after the choice is made."""
        return self._right(scores, self._splits[split % self.num_splits].test)

    def test_score(self, scores: Scores, split: int) -> float:
        """Test score in percent; to be asked for once, after the choice is made."""
        return self._score(scores, self._splits[split % self.num_splits].test)

    def _right(self, scores: Scores, index: NDArray[np.int64]) -> NDArray[np.bool_]:
        right: NDArray[np.bool_] = scores[index].argmax(axis=1) == self._y[index]
        return right

    def _score(self, scores: Scores, index: NDArray[np.int64]) -> float:
        return self.metric.score(self._y[index], scores[index])

    def _tensor(self, array: NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)
