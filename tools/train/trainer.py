"""Training one spec on one split with one seed."""

from __future__ import annotations

import pickle
import time
from collections.abc import Iterator
from contextlib import contextmanager
from math import inf
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agentnas.tools.errors import DataError
from agentnas.tools.evaluate.base import PLANNED
from agentnas.tools.evaluate.ladder import SMALL
from agentnas.tools.nn.network import Network, build_network
from agentnas.tools.nn.post import correct_and_smooth, label_propagation
from agentnas.tools.spec.model import ArchitectureSpec, Post
from agentnas.tools.train.average import WeightAverage
from agentnas.tools.train.batching import Batch
from agentnas.tools.train.choice import FEW_ITEMS_WINDOW, Choice, Validation, thinned
from agentnas.tools.train.data import Labels, Prepared, PreparedTask, Scores
from agentnas.tools.train.loss import training_loss
from agentnas.tools.train.optimise import LearningRate, clip, make_optimiser
from agentnas.tools.train.outcome import Diverged, TimedOut, TrainResult
from agentnas.tools.train.pace import Blocks, EachEpoch, Pace, own_stream
from agentnas.tools.train.perturb import perturb
from agentnas.tools.train.pseudo import pseudo_labels
from agentnas.tools.train.views import View, outputs_of, view_of
from agentnas.tools.whole_file import whole_file

# What comes after the last epoch (the score of the training items, the validation items once more, the weights' file), in epochs, at most.
AFTERWARDS = 1.0
POSTS = {"correct_and_smooth": correct_and_smooth, "label_propagation": label_propagation}


def train(
    spec: ArchitectureSpec,
    prepared: PreparedTask,
    *,
    split: int,
    seed: int,
    epochs: int | None = None,
    deadline: float | None = None,
    cut_at: float | None = None,
    capture: bool = True,
) -> TrainResult:
    """Train a spec; the epoch is chosen by validation, and no label outside of training and validation is read.

    ``epochs`` caps the recipe's (schedules run to the cap); ``deadline`` and ``cut_at`` are moments of ``time.monotonic()``: after
    ``cut_at``, or where another epoch and what comes after the last would not be over by the deadline, the best epoch so far is the
    result, and its details say how many were ``PLANNED``. On the CPU with one thread the same arguments give the same weights; on CUDA the
    same first weights, and sums in another order. ``capture``: whether short steps may be recorded as a CUDA graph. The global random
    state is left as it was. Raises Diverged where loss or predictions are not finite, TimedOut where no epoch was over at the deadline,
    CaptureFailed where a step cannot be recorded (then train with ``capture=False``, best in a fresh process).
    """
    started = time.monotonic()
    with seeded(seed, prepared.device), own_stream(prepared.device):
        session = Session(spec, prepared, split, min(epochs or spec.recipe.epochs, spec.recipe.epochs), deadline, cut_at, capture)
        session.run()
        return session.result(started)


def predict(
    spec: ArchitectureSpec, prepared: PreparedTask, split: int, state_dict: dict[str, Tensor], items: Tensor | None = None
) -> Scores:  # fmt: skip
    """Predictions [items, columns] of trained weights: probabilities, or values; after the spec's post-processing with the training labels
    of the split. Pairs that are no part of the split have NaN, and where some ``items`` (long) are asked for, all others.

    Raises DataError where the weights are not those of this spec.
    """
    network = network_for(spec, prepared, prepared.features(spec.input, split))
    try:
        network.load_state_dict(state_dict)
    except RuntimeError as error:
        raise DataError(f"weights do not fit the spec: {' '.join(str(error).split())[:200]}; use the spec they were trained with") from None
    view = view_of(network, prepared, split)
    items = prepared.items_of(split) if items is None else items
    found = scores_of(network, prepared, view, prepared.labels(split), spec.post, items).cpu()
    scores: Scores = (found if items is None else _at(found, items.cpu(), prepared.num_items)).numpy()
    return scores


def _at(scores: Tensor, items: Tensor, count: int) -> Tensor:
    """Scores [n, columns] in the rows of their items, of ``count``; NaN elsewhere."""
    return scores.new_full((count, scores.shape[1]), torch.nan).index_copy(0, items, scores)


class Session:
    """One training: network, optimiser, labels and the choice of the epoch. Draws from torch's global generator."""

    def __init__(
        self, spec: ArchitectureSpec, prepared: PreparedTask, split: int, epochs: int, deadline: float | None = None,
        cut_at: float | None = None, capture: bool = True,
    ) -> None:  # fmt: skip
        self.spec, self.recipe, self.prepared = spec, spec.recipe, prepared
        self._deadline, self._cut_at = (inf if moment is None else moment for moment in (deadline, cut_at))
        self.network = network_for(spec, prepared, prepared.features(spec.input, split))
        self.labels = prepared.labels(split)
        self.batches = view_of(self.network, prepared, split)
        self.batches.set_labels(self.labels.train, self.labels.y_train)
        few = prepared.kind == "graph" and self.labels.val.numel() < SMALL
        self.choice = Choice(prepared.metric, FEW_ITEMS_WINDOW if few else 1)
        self._average = WeightAverage(self.network, self.recipe.ema_decay) if self.recipe.ema_decay else None
        self.judged = self._average.network if self._average else self.network
        self.epochs, self.epoch, self.pseudo_labels = epochs, 0, 0
        self.was_cut = False
        self.epoch_seconds: list[float] = []
        self.pace: Pace = Blocks(self, capture) if prepared.device.type == "cuda" else EachEpoch(self)

    def run(self) -> None:
        """All phases: the training, and one for each self-training round; together at most ``epochs``, and what the deadline allows."""
        try:
            self._run_phases()
        except TimedOut:
            if self.choice.best is None:
                raise
            self.was_cut = True

    def _run_phases(self) -> None:
        phases = min(self.recipe.self_training_rounds + 1, self.epochs)
        for phase in range(phases):
            if phase:
                self._adopt_pseudo_labels()
            self._run_phase(self.epochs // phases + (phase < self.epochs % phases))

    def _run_phase(self, epochs: int) -> None:
        self.start_optimiser(epochs)
        self.choice.restart()
        self.pace.restart(epochs)
        done = 0
        while done < epochs and self._patient() > 0:
            self._look_ahead()
            began = time.perf_counter()
            trained = self.pace.run(done + 1, min(epochs - done, self._patient(), self.rate.foreseen or epochs))
            done += trained
            self.epoch_seconds += [(time.perf_counter() - began) / trained] * trained

    def _patient(self) -> int:
        """For so many epochs, at least, patience cannot end the phase."""
        return self.recipe.patience - self.choice.waited if self.recipe.patience else self.epochs

    def start_optimiser(self, epochs: int) -> None:
        """A fresh optimiser, and a schedule over so many epochs."""
        self.optimiser = make_optimiser(self.network, self.recipe)
        self.rate = LearningRate(self.optimiser, self.recipe, epochs)

    def train_epoch(self) -> float:
        """One pass over the batches; the mean loss of its steps."""
        self.epoch += 1
        self.network.train()
        losses = []
        for batch in self.batches:
            self.look_at_clock(self.epoch)
            losses.append(self.step(batch))
        return sum(losses) / max(1, len(losses))

    def look_at_clock(self, epoch: int) -> None:
        """Raises TimedOut where no step of the epoch may begin any more."""
        if time.monotonic() > (self._deadline if self.choice.best is None else min(self._deadline, self._cut_at)):
            raise TimedOut(f"time limit reached in epoch {epoch} of {self.epochs}")

    def _look_ahead(self) -> None:
        """Raises TimedOut where an epoch like the last one would leave no time for what is still to come after it."""
        if self.epoch_seconds and time.monotonic() + (1 + AFTERWARDS) * self.epoch_seconds[-1] > self._deadline:
            raise TimedOut(f"no time left for epoch {self.epoch + 1} of {self.epochs}")

    def step(self, batch: Batch) -> float:
        """One update of the weights; the loss before it."""
        loss = self.loss(batch)
        value = float(loss.detach())
        if not np.isfinite(value):
            raise Diverged(f"training loss is {value} in epoch {self.epoch}")
        self.update(loss)
        return value

    def loss(self, batch: Batch) -> Tensor:
        """The loss of a step, with its derivatives to come; a scalar."""
        passes = []
        for _ in range(self.recipe.consistency_samples):
            x, graph = perturb(self.recipe, batch.data.x, batch.graph)
            passes.append(outputs_of(self.network, batch, x, graph))
        return training_loss(passes, batch.index, batch.y, self.recipe, self.labels.objective)

    def update(self, loss: Tensor) -> None:
        """Move the weights down the loss."""
        self.optimiser.zero_grad()
        torch.autograd.backward(loss)
        clip(self.network, self.recipe.gradient_clip)
        self.optimiser.step()
        if self._average:
            self._average.update()

    def validate(self) -> Validation:
        """Score and loss of the validation items with the weights as they are, or their average."""
        scores = self.scores(self.labels.val)
        loss = float(self.labels.objective.loss_of(scores, self.labels.y_val))
        if not np.isfinite(loss) or not bool(torch.isfinite(scores).all()):
            raise Diverged(f"validation predictions are not finite in epoch {self.epoch}")
        return Validation(score_of(self.prepared, scores, self.labels.y_val, self.labels.y_val_numpy), loss)

    def result(self, started: float) -> TrainResult:
        """Figures and weights of the chosen epoch."""
        choice = self.choice
        assert choice.best is not None
        self._go_back()
        details = {
            "val_loss": round(choice.best.loss, 5),
            "epoch_ms": round(1000 * median(self.epoch_seconds), 3),
            "pseudo_labels": self.pseudo_labels,
            **self.pace.details(),
            **({PLANNED: self.epochs} if self.was_cut else {}),
        }
        y_train = self.labels.y_train
        train_score = score_of(self.prepared, self.scores(self.labels.train), y_train, y_train.cpu().numpy())
        state = {name: value.cpu() for name, value in choice.state.items()}
        curve = thinned(choice.curve, choice.best_epoch)
        seconds = time.monotonic() - started
        return TrainResult(choice.best.score, choice.best_epoch, len(choice.curve), seconds, curve, train_score, details, state)

    def scores(self, items: Tensor | None = None) -> Tensor:
        """Predictions [n, columns] of some items (None: all) with the weights as they are, or their average, after post-processing."""
        return scores_of(self.judged, self.prepared, self.batches, self.labels, self.spec.post, items)

    def _go_back(self) -> None:
        """To the weights of the chosen epoch."""
        self.network.load_state_dict(self.choice.state)
        if self._average:
            self._average.network.load_state_dict(self.choice.state)

    def _adopt_pseudo_labels(self) -> None:
        """Go back to the chosen epoch and add its confident predictions to the training labels."""
        self._go_back()
        nodes, y = pseudo_labels(self.scores(), self.labels, self.recipe)
        self.pseudo_labels = nodes.numel()
        self.batches.set_labels(torch.cat([self.labels.train, nodes]), torch.cat([self.labels.y_train, y]))


def network_for(spec: ArchitectureSpec, prepared: PreparedTask, data: Prepared) -> Network:
    """The spec's network with fresh weights on the task's device."""
    network = build_network(
        spec, in_channels=prepared.num_features, out_channels=prepared.num_classes, encoding_channels=data.encoding_channels,
        edge_channels=prepared.edge_channels, types=prepared.types,
    )  # fmt: skip
    return network.to(prepared.device)


@torch.no_grad()
def scores_of(network: Network, prepared: PreparedTask, view: View, labels: Labels, post: Post, items: Tensor | None = None) -> Tensor:
    """Predictions [n, columns] of some items (None: all) by passes in evaluation mode, post-processed."""
    network.eval()
    if post.kind == "none":
        return labels.objective.predictions(view.outputs(network, items))
    shares = labels.objective.predictions(view.outputs(network))
    graph = prepared.messages(0, network.spec.input.edges)
    scores = POSTS[post.kind](shares, graph, labels.y_train, labels.train, post.alpha, post.hops, post.weight)
    return scores if items is None else scores.index_select(0, items)


def score_of(prepared: PreparedTask, scores: Tensor, y: Tensor, y_numpy: NDArray[Any]) -> float:
    """The task's metric in percent of predictions [n, columns] and labels."""
    if prepared.counts_right:
        # Stays on the device; exact, for it is a count divided by a count.
        return 100.0 * int((scores.argmax(1) == y).sum()) / max(1, y.numel())
    return prepared.metric.score(y_numpy, scores.cpu().numpy())


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """torch's generators seeded inside, and as they were before outside."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


def save_weights(state_dict: dict[str, Tensor], path: Path) -> None:
    """Write weights so that the file is there complete or not at all, and stays through a power cut once this returns."""
    with whole_file(path) as file:
        torch.save(state_dict, file)


def load_weights(path: Path) -> dict[str, Tensor]:
    """Weights that ``save_weights`` wrote; executes nothing of the file. Raises DataError where it is missing or damaged."""
    try:
        loaded: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise DataError(f"{path}: no readable weights ({type(error).__name__}); train the spec again") from None
    return loaded
