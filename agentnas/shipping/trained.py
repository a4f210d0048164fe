"""A run's winner as a model that predicts, in this process."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agentnas.memory.view import JournalView
from agentnas.run import Run
from agentnas.run_task import load_run_task
from agentnas.shipping.graphs import NewGraph, pair_names
from agentnas.shipping.scaling import Floats, Scaling, scaling_of
from agentnas.tools.errors import DataError, RunError, UsageError
from agentnas.tools.nn.features import dense_array
from agentnas.tools.operators.base import operator
from agentnas.tools.spec.canonical import canonical
from agentnas.tools.spec.model import ArchitectureSpec, parse_spec
from agentnas.winner import FOLDER, constants_of, shipped

if TYPE_CHECKING:
    from agentnas.tools.metrics import Target
    from agentnas.tools.nn.graph import Graph
    from agentnas.tools.nn.network import Network
    from agentnas.tools.tasks import Split, Task

Labels = tuple[Tensor, Tensor]


def require_winner(run: Run) -> Path:
    """The run's winner folder; raises RunError that says why there is none."""
    end = run.view.finished
    if end is not None and run.view.winner is None:
        raise RunError(f"run {run.name} ended without a design: {end.message or end.outcome}")
    folder = run.path / FOLDER
    if run.view.exported is None or not folder.is_dir():
        raise RunError(f"run {run.name} has no winner to export; agentnas design --resume {run.name} finishes it")
    return folder


def is_table(run: Run) -> bool:
    """Whether the run looked its scores up and trained nothing."""
    return not (run.path / FOLDER / "weights.pt").exists()


@dataclass
class Trained:
    """The shipped weights in their network. ``task`` is loaded when it is first needed; ``data_dir`` is where its files are, ``allow_code``
    whether a function that it names may be called; None is as the settings say."""

    run: Run
    data_dir: Path | None = None
    allow_code: bool | None = None
    spec: ArchitectureSpec = field(init=False)

    def __post_init__(self) -> None:
        require_winner(self.run)
        if is_table(self.run):
            task = self.view.started.task if self.view.started else "?"
            raise UsageError(
                f"run {self.run.name} looked {task} up in a table and trained nothing, so there are no weights; {how_to_train(task)}"
            )
        self.spec = canonical(parse_spec(self.view.proposals[str(self.run.winner)].spec))

    @property
    def view(self) -> JournalView:
        return self.run.view

    @property
    def kind(self) -> str:
        """What is predicted of: node, graph or link."""
        return self.view.started.kind if self.view.started else "node"

    @property
    def target(self) -> Target:
        """What is predicted: classes, labels or value."""
        return cast("Target", self.view.started.target) if self.view.started else "classes"

    @property
    def class_names(self) -> tuple[str, ...]:
        """What classes, or labels, are called; empty where they are numbers."""
        return self.view.started.class_names if self.view.started else ()

    @cached_property
    def sizes(self) -> dict[str, int]:
        """Columns of features, outputs and attributes of edges, and numbers of types; runs of earlier versions say the first two alone."""
        card = self.view.card or {}
        told = self.view.started.sizes if self.view.started else {}
        usual = {
            "features": card.get("features", 0),
            "outputs": card.get("classes", 0),
            "edge_channels": 0,
            "node_types": 1,
            "edge_types": 1,
        }
        return {**usual, **told}

    @property
    def num_features(self) -> int:
        return self.sizes["features"]

    @property
    def num_classes(self) -> int:
        """Outputs: classes, labels, or 1 for a value or a pair."""
        return self.sizes["outputs"]

    @property
    def columns(self) -> int:
        """Columns of predictions: a pair has one for each of its two classes."""
        return 2 if self.kind == "link" else self.num_classes

    @property
    def edge_channels(self) -> int:
        """Attributes of an edge that the network takes; 0 where it looks at none."""
        return self.sizes["edge_channels"] if any(operator(node.op).uses_edge_attr for node in self.spec.body.nodes) else 0

    @property
    def posted(self) -> bool:
        """Whether predictions are corrected by labels of the graph after the network."""
        return self.spec.post.kind != "none"

    @property
    def typed(self) -> bool:
        """Whether the network depends on types of nodes or edges."""
        return any(operator(node.op).uses_types for node in self.spec.body.nodes) and self.types != (1, 1)

    @property
    def types(self) -> tuple[int, int]:
        """How many types of nodes and of edges there are."""
        return self.sizes["node_types"], self.sizes["edge_types"]

    @cached_property
    def task(self) -> Task:
        return load_run_task(self.run, self.data_dir, self.allow_code)

    @cached_property
    def split_number(self) -> int:
        """The split that the shipped weights were trained on."""
        chosen = shipped(self.view, str(self.run.winner))
        assert chosen is not None
        return chosen.split

    @cached_property
    def split(self) -> Split:
        return self.task.split(self.split_number)

    @cached_property
    def scaling(self) -> Scaling:
        kind = self.spec.input.scale
        return scaling_of(kind, self.task.data.x if kind == "standard" and self.task.data else None)

    @cached_property
    def constants(self) -> dict[str, Any]:
        """Centre and spread of values in training, and the unit of degrees; 0, 1 and None where there are none, without any data."""
        if self.target != "value" and self.kind != "graph":
            return {"centre": 0.0, "spread": 1.0, "degree_unit": None}
        stored = json.loads((self.run.path / FOLDER / "figures.json").read_text(encoding="utf-8")).get("constants")
        return stored or constants_of(self.spec, self.task, self.split_number)

    @cached_property
    def weights(self) -> dict[str, Tensor]:
        """The state_dict."""
        path = self.run.path / FOLDER / "weights.pt"
        try:
            state: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
        except (OSError, RuntimeError, ValueError, EOFError, ImportError) as error:
            raise RunError(f"{path} cannot be read: {type(error).__name__}; delete {path.parent} and resume the run") from None
        return state

    @cached_property
    def network(self) -> Network:
        from agentnas.tools.nn.network import build_network

        network = build_network(
            self.spec, in_channels=self.num_features, out_channels=self.num_classes, encoding_channels=self.spec.input.encoding_channels,
            edge_channels=self.sizes["edge_channels"], types=self.types,
        )  # fmt: skip
        network.load_state_dict(self.weights)
        return network.eval()

    def own(self) -> NewGraph:
        """The run's own data: its graph, or all its graphs, or the messages of the split with the pairs that training did not know."""
        data = self.task.data
        assert data is not None
        x = dense_array(data.x)
        if data.kind == "link":
            return self._own_pairs(x)
        names = [str(item) for item in range(data.num_items)]
        return NewGraph(x, data.edge_index, names, (), data.edge_attr, data.graph_of, None, data.edge_type, data.node_type)

    def _own_pairs(self, x: Floats) -> NewGraph:
        from agentnas.tools.train.data import PreparedTask

        data = self.task.data
        assert data is not None
        assert data.pairs is not None
        messages = PreparedTask.from_task(self.task).messages(self.split_number)
        edge_index = messages.edge_index.numpy()
        attr, kind = (None if part is None else part.numpy() for part in (messages.edge_attr, messages.edge_type))
        pairs = data.pairs[:, np.concatenate([self.split.val, self.split.test])]
        return NewGraph(x, edge_index, pair_names(pairs), (), attr, None, pairs, kind, data.node_type)

    def own_features(self) -> Floats:
        """The task's features as they are, dense [N, F]."""
        assert self.task.data is not None
        return dense_array(self.task.data.x)

    def own_labels(self) -> Labels:
        """Labels [n] of the training items, and which items [n] those are."""
        assert self.task.data is not None
        index = self.split.train
        return torch.from_numpy(self.task.data.y[index]), torch.from_numpy(np.ascontiguousarray(index))

    @torch.no_grad()
    def predictions(self, given: NewGraph, known: Labels | None = None) -> Tensor:
        """[items, columns] for raw features and directed edges: probabilities, or values in the unit of the target.

        ``known``: labels of some nodes, for post-processing. Raises DataError for attributes or types that the network needs and the graph
        lacks. A large graph is gone through layer by layer, in pieces.
        """
        from agentnas.tools.train.layerwise import Layerwise, in_pieces

        graph = self.graph(given)
        batch = None if given.graph_of is None else torch.from_numpy(np.ascontiguousarray(given.graph_of))
        pairs = None if given.pairs is None else torch.from_numpy(np.ascontiguousarray(given.pairs))
        x = torch.from_numpy(self.scaling(given.x))
        encodings = self.encodings(graph)
        outputs: Tensor
        if self.kind == "node" and in_pieces(graph.num_nodes, graph.num_edges):
            outputs = Layerwise(self.network, x, graph, encodings).outputs(self.network)
        else:
            outputs = self.network(x, graph, encodings, batch, pairs)
        return self._corrected(finished(outputs, self.kind, self.target, self.constants), graph, known)

    def probabilities(self, x: Floats, edge_index: NDArray[np.int64], known: Labels | None = None) -> Tensor:
        """``predictions`` for a graph of features and edges alone."""
        return self.predictions(NewGraph(x, edge_index, ()), known)

    def _corrected(self, scores: Tensor, graph: Graph, known: Labels | None) -> Tensor:
        from agentnas.tools.nn import post

        if not self.posted:
            return scores
        part, none = self.spec.post, torch.zeros(0, dtype=torch.long)
        after: Any = getattr(post, part.kind)
        corrected: Tensor = after(scores, graph, *(known or (none, none)), alpha=part.alpha, hops=part.hops, weight=part.weight)
        return corrected

    def graph(self, given: NewGraph) -> Graph:
        """The graph as the network sees it: with what it knows of edges and nodes, pointing as the spec says."""
        from agentnas.tools.nn.graph import Graph

        self._require(given)
        edge_index, attr, edge_type, node_type = (
            None if part is None else torch.from_numpy(np.ascontiguousarray(part))
            for part in (given.edge_index, given.edge_attr, given.edge_type, given.node_type)
        )
        assert edge_index is not None
        used = self.sizes["edge_channels"] > 0
        graph = Graph(edge_index, len(given.x), None, attr if used else None, edge_type, node_type).pointing(self.spec.input.edges)
        if self.constants["degree_unit"] is not None:
            graph.mean_log_degree = torch.tensor(self.constants["degree_unit"])
        return graph

    def _require(self, given: NewGraph) -> None:
        """What the network takes beside features and edges must be there."""
        columns = 0 if given.edge_attr is None else given.edge_attr.shape[1]
        if self.edge_channels and columns != self.edge_channels:
            raise DataError(
                f"the model takes {self.edge_channels} attributes of each edge, and the graph has {columns or 'none'};"
                " give edge_attr in the .npz file, or columns after source and target in the CSV of edges"
            )
        if self.typed and (given.edge_type is None or given.node_type is None):
            raise DataError(
                "the model depends on types of nodes and edges, and the graph has none; give an .npz file with node_type and edge_type"
            )

    def encodings(self, graph: Graph) -> Tensor | None:
        """[N, k] as the network takes them, of a graph that points as the spec says; None where it takes none."""
        from agentnas.tools.nn.features import prepare_features

        plain = self.spec.input.model_copy(update={"scale": "none"})
        encodings: Tensor | None = prepare_features(plain, np.zeros((graph.num_nodes, 1), dtype=np.float32), graph)[1]
        return encodings


def finished(outputs: Tensor, kind: str, target: str, constants: dict[str, Any]) -> Tensor:
    """Predictions [items, columns] of a network's outputs: probabilities, or values in the unit of the target."""
    if kind == "link":
        return torch.stack([torch.zeros_like(outputs), outputs], 1).softmax(1)
    if target == "value":
        return outputs * float(constants["spread"]) + float(constants["centre"])
    return outputs.sigmoid() if target == "labels" else outputs.softmax(1)


def how_to_train(task: str) -> str:
    """What to do about a winner that was looked up."""
    return f"--to python writes its spec and code, and agentnas train spec.json --task {task.partition(':')[2]} --seeds 10 trains it"


def scaling_at_hand(trained: Trained) -> Scaling | None:
    """The scaling with its numbers; None where they need the task's data and those are not at hand."""
    try:
        return trained.scaling
    except DataError:
        return None
