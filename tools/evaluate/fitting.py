"""Which trainings fit in a worker's memory, and what becomes of those that do not: sampled batches where they help, else a refusal.

A spec that is trained on sampled batches is another spec, with another hash and other results. So the change is made before the trial and
written into its proposal; a spec that fits as it was proposed is not touched, unless on a large graph rows teach it the same at less cost.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from agentnas.tools.room import MIB, gib
from agentnas.tools.spec.canonical import spec_hash
from agentnas.tools.spec.model import MAX_BATCH, ArchitectureSpec
from agentnas.tools.spec.precomputed import LARGE_GRAPH, propagates_first, same_on_rows

if TYPE_CHECKING:
    from agentnas.tools.tasks.base import Task
    from agentnas.tools.train.resident import Resident, Scale

CLUSTERS = (10, 50, 200, 1000)
GRAPHS_A_BATCH = (128, 64, 32, 16)
ROWS = 8192  # labelled rows a step, where all of them are too many at once
PAIRS = (4096, 1024, 256)  # edges that a step learns from, where all of them are too many at once
# A training holds less than this for each node and edge unless it is extraordinary: tasks that fit by it are not probed spec by spec.
BYTES_ALWAYS_ENOUGH = 2**15
SMALLEST_MIB = 512  # of a worker on any task
MOST_OF_GRAPH = 0.25  # a neighbour batch that may hold more of the graph gains nothing over clusters


@dataclass
class Room:
    """``mib``: what one worker may take; ``whose`` says in words what sets it, as in ``are available to each of 2 workers``."""

    mib: float
    whose: str
    task: Task
    _changed: dict[str, str] = field(default_factory=dict)

    def fitted(self, spec: ArchitectureSpec) -> tuple[ArchitectureSpec, str | None]:
        """The spec as it can be trained, and how it differs; the spec itself where it fits, or where no batching would make it fit.

        On a large graph steps that need no neighbours are taken on labelled rows whether the whole fits or not: they teach the same.
        """
        if (why := self._changed.get(spec_hash(spec))) is not None:
            return spec, why
        if is_large(self.task) and spec.recipe.batching == "full" and same_on_rows(spec) and self._fits(rows := self._on_rows(spec)):
            return rows, self._told(rows, _once(rows))
        needs = self.needs(spec)
        if needs is None or needs.total <= self.mib or spec.recipe.batching != "full":
            return spec, None
        for sampled in self._sampled(spec):
            if (total := self.needs(sampled)) is not None and total.total <= self.mib:
                whole = "on all graphs at once" if self.scale.largest else "on the whole graph"
                return sampled, self._told(sampled, f"{whole} it needs {gib(needs.total)}, {gib(self.mib)} {self.whose}")
        return spec, None

    def _fits(self, spec: ArchitectureSpec) -> bool:
        needs = self.needs(spec)
        return needs is None or needs.total <= self.mib

    def _told(self, made: ArchitectureSpec, reason: str) -> str:
        """Why a spec became this one; it is told again when this one is asked about."""
        why = f"batching full -> {_batching(made)}: {reason}"
        self._changed[spec_hash(made)] = why
        return why

    def refusal(self, spec: ArchitectureSpec) -> str | None:
        """Why the spec cannot be trained here, one line; None where it fits."""
        needs = self.needs(spec)
        if needs is None or needs.total <= self.mib:
            return None
        passes = needs.inference > needs.step
        whole, steps = (
            ("passes over many graphs", _step_words(spec)) if self.scale.largest else ("passes over the whole graph", "training steps")
        )
        return (
            f"needs {gib(needs.total)} of memory, {gib(self.mib)} {self.whose}: {gib(needs.process)} for the process, {gib(needs.task)} for"
            f" the task, {gib(needs.work)} for {whole if passes else steps}"
        )

    def needs(self, spec: ArchitectureSpec) -> Resident | None:
        """What training the spec takes; None where that is certain to fit, and for a spec that cannot be probed."""
        from agentnas.tools.train.resident import resident

        if self.certain:
            return None
        try:
            return resident(spec, self.scale)
        except Exception:  # noqa: BLE001
            # An operator's file holds anybody's code: what it raises here its training will raise again, as the reason of a failed trial.
            return None

    @cached_property
    def certain(self) -> bool:
        """Whether the task is so small that its trainings need not be weighed, nor torch be imported."""
        data = self.task.data
        assert data is not None, "a table is not trained"
        entries = 10 * data.x.nnz if hasattr(data.x, "nnz") else data.num_nodes * data.num_features
        return (4 * entries + BYTES_ALWAYS_ENOUGH * (data.num_nodes + data.num_edges)) / MIB + SMALLEST_MIB <= self.mib

    @cached_property
    def scale(self) -> Scale:
        from agentnas.tools.train.resident import Scale

        return Scale.of(self.task)

    def _sampled(self, spec: ArchitectureSpec) -> Iterator[ArchitectureSpec]:
        """The spec with sampled batches, the kind that changes least first."""
        from agentnas.tools.train.resident import sampled_nodes

        if self.task.kind != "node":
            sizes = GRAPHS_A_BATCH if self.task.kind == "graph" else PAIRS
            yield from (_with(spec, batching="minibatch", batch_size=size) for size in sizes)
            return
        if same_on_rows(spec):
            yield self._on_rows(spec)
            yield _with(spec, batching="precomputed", batch_size=ROWS)
        neighbour = _with(spec, batching="neighbour")
        if sampled_nodes(neighbour, self.scale) <= MOST_OF_GRAPH * self.scale.num_nodes:
            yield neighbour
        yield from (_with(spec, batching="cluster", clusters=number) for number in CLUSTERS)

    def _on_rows(self, spec: ArchitectureSpec) -> ArchitectureSpec:
        """The spec trained on all labelled rows a step, as it would be on the whole graph; rounds of self-training add to them."""
        recipe, data = spec.recipe, self.task.data
        assert data is not None, "a table is not trained"
        added = recipe.self_training_per_class * data.num_classes if recipe.self_training_rounds else 0
        labelled = max(len(split.train) for split in self.task.splits)
        return _with(spec, batching="precomputed", batch_size=min(labelled + added, MAX_BATCH))


def is_large(task: Task) -> bool:
    """Whether passes over the whole graph take the most of a training's time."""
    data = task.data
    return data is not None and task.kind == "node" and data.num_nodes + data.num_edges // 10 >= LARGE_GRAPH


def _once(spec: ArchitectureSpec) -> str:
    """Why steps on rows do."""
    propagated = "its propagation has no weights and is computed once" if propagates_first(spec) else "it asks for no neighbours"
    return f"{propagated}, so that a step needs labelled rows alone"


def _with(spec: ArchitectureSpec, **recipe: Any) -> ArchitectureSpec:
    return spec.model_copy(update={"recipe": spec.recipe.model_copy(update=recipe)})


def _step_words(spec: ArchitectureSpec) -> str:
    sampled = spec.recipe.batching == "minibatch"
    return f"training steps on {spec.recipe.batch_size} graphs, the largest ones" if sampled else "training steps on all graphs"


def _batching(spec: ArchitectureSpec) -> str:
    recipe = spec.recipe
    if recipe.batching == "minibatch":
        return f"minibatches of {recipe.batch_size}"
    return f"cluster ({recipe.clusters} parts)" if recipe.batching == "cluster" else recipe.batching
