"""A run's winner as a model that predicts, in this process."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agentnas.memory.view import JournalView
from agentnas.run import Run
from agentnas.shipping.scaling import Floats, Scaling, scaling_of
from agentnas.tools.errors import DataError, RunError, UsageError
from agentnas.tools.nn.features import dense_array
from agentnas.tools.spec.canonical import canonical
from agentnas.tools.spec.model import ArchitectureSpec, parse_spec
from agentnas.winner import FOLDER, shipped

if TYPE_CHECKING:
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


def load_run_task(run: Run, data_dir: Path | None = None) -> Task:
    """The task of the run, on the data that it was made on; raises DataError if those are not at hand, RunError if they are others."""
    from agentnas.api import stored_settings
    from agentnas.config import resolve
    from agentnas.tools.tasks import load_task

    config, fingerprint = stored_settings(run.directory)
    # Whether code may run is asked of the person's settings, not of the run's folder, which may have come from anywhere.
    allowed = resolve().config.allow_code
    task = load_task(str(config.task), data_dir=data_dir or config.data_dir, split=config.split, allow_code=allowed)
    if task.fingerprint != fingerprint:
        raise RunError(f"run {run.name} was made on other data: {task.name} is {task.fingerprint[:12]}, was {fingerprint[:12]}")
    return task


@dataclass
class Trained:
    """The shipped weights in their network. ``task`` is loaded when it is first needed; ``data_dir`` is where its files are."""

    run: Run
    data_dir: Path | None = None
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
    def num_features(self) -> int:
        return int((self.view.card or {})["features"])

    @property
    def num_classes(self) -> int:
        return int((self.view.card or {})["classes"])

    @property
    def encoding_columns(self) -> int:
        """Columns of positional and structural encodings that the network takes beside the features."""
        return sum(encoding.dim for encoding in self.spec.input.encodings)

    @property
    def posted(self) -> bool:
        """Whether predictions are corrected by labels of the graph after the network."""
        return self.spec.post.kind != "none"

    @cached_property
    def task(self) -> Task:
        return load_run_task(self.run, self.data_dir)

    @cached_property
    def split(self) -> Split:
        """The split that the shipped weights were trained on."""
        chosen = shipped(self.view, str(self.run.winner))
        assert chosen is not None
        return self.task.split(chosen.split)

    @cached_property
    def scaling(self) -> Scaling:
        kind = self.spec.input.scale
        return scaling_of(kind, self.task.data.x if kind == "standard" and self.task.data else None)

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
            self.spec, in_channels=self.num_features, out_channels=self.num_classes, encoding_channels=self.encoding_columns
        )
        network.load_state_dict(self.weights)
        return network.eval()

    def own_features(self) -> Floats:
        """The task's features as they are, dense [N, F]."""
        assert self.task.data is not None
        return dense_array(self.task.data.x)

    def own_labels(self) -> Labels:
        """Labels [n] of the training nodes, and which nodes [n] those are."""
        assert self.task.data is not None
        index = self.split.train
        return torch.from_numpy(self.task.data.y[index]), torch.from_numpy(np.ascontiguousarray(index))

    @torch.no_grad()
    def probabilities(self, x: Floats, edge_index: NDArray[np.int64], known: Labels | None = None) -> Tensor:
        """[N, classes] for raw features ``x`` [N, F] and directed edges [2, E]; ``known``: labels of some nodes, for post-processing."""
        from agentnas.tools.nn import post
        from agentnas.tools.nn.graph import Graph

        graph = Graph(torch.from_numpy(np.ascontiguousarray(edge_index)), len(x))
        encodings = self.encodings(graph)
        scores: Tensor = self.network(torch.from_numpy(self.scaling(x)), graph, encodings).softmax(1)
        if not self.posted:
            return scores
        part, none = self.spec.post, torch.zeros(0, dtype=torch.long)
        after: Any = getattr(post, part.kind)
        corrected: Tensor = after(scores, graph, *(known or (none, none)), alpha=part.alpha, hops=part.hops, weight=part.weight)
        return corrected

    def encodings(self, graph: Any) -> Tensor | None:
        """[N, k] as the network takes them; None where it takes none."""
        from agentnas.tools.nn.features import prepare_features

        plain = self.spec.input.model_copy(update={"scale": "none"})
        encodings: Tensor | None = prepare_features(plain, np.zeros((graph.num_nodes, 1), dtype=np.float32), graph)[1]
        return encodings


def how_to_train(task: str) -> str:
    """What to do about a winner that was looked up."""
    return f"--to python writes its spec and code, and agentnas train spec.json --task {task.partition(':')[2]} --seeds 10 trains it"


def scaling_at_hand(trained: Trained) -> Scaling | None:
    """The scaling with its numbers; None where they need the task's data and those are not at hand."""
    try:
        return trained.scaling
    except DataError:
        return None
