"""The task card: computed facts about a task, as text for prompts and people and as numbers for similarity."""

from __future__ import annotations

import math
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from agentnas.tools.metrics import Target
from agentnas.tools.tasks import card_kinds
from agentnas.tools.tasks.base import Task
from agentnas.tools.tasks.card_words import decades, facts, share
from agentnas.tools.tasks.published import PUBLISHED, SOURCE

UNKNOWN = 0.5  # where a fact is not known, the vector says the middle
NODES = "node classification"
_LABELLED = "training and validation labels"
_HOMOPHILY = "edges {:.2f}, nodes {:.2f}, adjusted {:.2f}"
_REACHED = "best constant {:.1f}, features only {:.1f}, label propagation {:.1f}, linear propagation {:.1f}"


class TaskCard(BaseModel):
    """Aggregate facts about a task; None is unknown. Shares are 0..1, scores percent, edges directed; degrees count neighbours in either
    direction. Homophily: of edges (Zhu et al. 2020), of nodes (Pei et al. 2020, isolated nodes left out), adjusted for class sizes
    (Platonov et al. 2023). ``class_balance`` is the entropy of the labels over its maximum. Both come from labels of training and
    validation nodes of the first split; no fact depends on a test label. Probes are validation scores. ``published_homophily`` is of
    edges and over all labels, as papers report it for a table's graph: shown as such, and no part of the vector.

    Cards of other aims hold other facts (``card_kinds``), and vectors with other entries: tasks are compared within one aim. Where edges
    are predicted, the facts on structure are those of the training edges. Probes of an error are what it takes away of ``unit``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    source: str = Field(description="'computed', or where published numbers come from")
    metric: str
    protocol: str
    num_splits: int
    aim: str = Field(NODES, description="what is predicted of what")
    split_sizes: tuple[int, int, int] | None = Field(description="training, validation and test items of the first split")
    nodes: int
    edges: int
    features: int
    classes: int
    feature_density: float | None = None
    mean_degree: float | None = None
    median_degree: float | None = None
    max_degree: int | None = None
    isolated_nodes: int | None = None
    edge_homophily: float | None = None
    node_homophily: float | None = None
    adjusted_homophily: float | None = None
    published_homophily: float | None = None
    label_rate: float | None = Field(None, description="training nodes of the first split / nodes")
    class_balance: float | None = None
    clustering: float | None = None
    components: int | None = None
    probe_majority: float | None = None
    probe_features: float | None = None
    probe_label_propagation: float | None = None
    probe_linear_propagation: float | None = None
    probe_structure: float | None = None
    probe_neighbours: float | None = None
    items: int | None = Field(None, description="graphs or pairs that are predicted")
    unit: float = Field(1.0, description="error of the best constant, where the metric is an error")
    graph_nodes: tuple[float, float, float] | None = Field(None, description="nodes a graph: fewest, median, most")
    edge_attributes: int = Field(0, description="numbers an edge")
    types: tuple[int, int] | None = Field(None, description="types of nodes and of edges")
    reciprocity: float | None = Field(None, description="share of edges with one back")
    direction: str = Field("", description="whether direction says something of labels, and what to do; empty where edges have none")
    pair_density: float | None = Field(None, description="share of all pairs that are training edges")
    values: tuple[float, float, float, float, float] | None = Field(None, description="mean, deviation, minimum, maximum, skewness")
    label_shares: tuple[float, float, float] | None = Field(None, description="how often a label is 1: smallest, median, largest")
    known_labels: float | None = None
    assortativity: float | None = Field(None, description="correlation of values, or of labels, over edges")

    @property
    def is_graph(self) -> bool:
        return self.aim.startswith("graph")

    @property
    def is_link(self) -> bool:
        return self.aim.startswith("link")

    @property
    def target(self) -> Target:
        """What is predicted of an item."""
        return "value" if self.aim.endswith("regression") else "labels" if self.aim.endswith("labels") else "classes"

    def vector(self) -> list[float]:
        """The facts as numbers in 0..1, in the order of ``vector_names(aim)``; unknown ones are 0.5."""
        return [UNKNOWN if value is None else min(1.0, max(0.0, value)) for value in self._scaled().values()]

    def text(self) -> str:
        """The card in a few lines; ``?`` is unknown."""
        return "\n".join(f"{heading}: {facts}" for heading, facts in self._lines())

    def _scaled(self) -> dict[str, float | None]:
        if self.aim != NODES:
            return card_kinds.scaled(self)
        return {
            "nodes": math.log10(self.nodes) / 6,
            "features": math.log10(1 + self.features) / 4,
            "classes": math.log2(self.classes) / 7,
            "mean_degree": decades(self.mean_degree, 3),
            "degree_skew": decades(None if self.max_degree is None else self.max_degree / max(self.mean_degree or 0, 1e-9), 3),
            "feature_density": None if self.feature_density is None else math.sqrt(self.feature_density),
            "edge_homophily": self.edge_homophily,
            "node_homophily": self.node_homophily,
            "adjusted_homophily": self.adjusted_homophily,
            "label_rate": None if self.label_rate is None else math.sqrt(self.label_rate),
            "class_balance": self.class_balance,
            "clustering": self.clustering,
            "probe_features": share(self.probe_features),
            "probe_label_propagation": share(self.probe_label_propagation),
            "probe_linear_propagation": share(self.probe_linear_propagation),
        }

    def _lines(self) -> list[tuple[str, str]]:
        lines = self._node_lines() if self.aim == NODES else card_kinds.lines(self)
        return lines if self.source == "computed" else [*lines, ("source", self.source)]

    def _node_lines(self) -> list[tuple[str, str]]:
        sizes = "?" if self.split_sizes is None else "/".join(map(str, self.split_sizes))
        return [
            ("task", f"{self.name}, {self.aim}, {self.metric}, {self.protocol}"),
            ("size", f"{self.nodes} nodes, {self.edges} edges, {self.features} features, {self.classes} classes"),
            ("degree", facts("mean {:.2f}, median {:.1f}, max {}", self.mean_degree, self.median_degree, self.max_degree)),
            ("shape", facts("{} isolated nodes, {} components, clustering {:.2f}", self.isolated_nodes, self.components, self.clustering)),
            *card_kinds.edge_lines(self),
            ("homophily", self._homophily()),
            ("features", facts("density {:.4f}", self.feature_density)),
            (
                "labels",
                f"train/val/test {sizes}, " + facts("label rate {:.4f}, class balance {:.2f}", self.label_rate, self.class_balance),
            ),
            ("validation", facts(_REACHED, *self._probes())),
        ]

    def _homophily(self) -> str:
        if self.published_homophily is not None:
            return f"edges {self.published_homophily:.2f} (published, over all labels)"
        found = facts(_HOMOPHILY, self.edge_homophily, self.node_homophily, self.adjusted_homophily)
        return f"{found} ({_LABELLED})"

    def _probes(self) -> tuple[float | None, ...]:
        return self.probe_majority, self.probe_features, self.probe_label_propagation, self.probe_linear_propagation


def vector_names(aim: str = NODES) -> tuple[str, ...]:
    """Names of the entries of ``TaskCard.vector()`` for tasks with this aim."""
    blank = TaskCard(
        name="", source="", metric="", protocol="", num_splits=1, aim=aim, split_sizes=None, nodes=1, edges=0, features=0, classes=1
    )
    return tuple(blank._scaled())


def make_card(task: Task) -> TaskCard:
    """Measure a task (about a second), or look up published statistics of a table's graph. Nothing measured reads a test label."""
    return _published_card(task) if task.data is None else _computed_card(task)


def _published_card(task: Task) -> TaskCard:
    assert task.table is not None, "a task has data or a table"
    graph = PUBLISHED[task.table.name]
    return TaskCard(
        **_identity(task),
        source=f"{graph.title}, {SOURCE}" + (f"; {graph.note}" if graph.note else ""),
        split_sizes=graph.split,
        nodes=graph.nodes,
        edges=graph.edges,
        features=graph.features,
        classes=graph.classes,
        mean_degree=graph.mean_degree,
        published_homophily=graph.edge_homophily,
        label_rate=graph.split[0] / graph.nodes if graph.split else None,
    )


def _computed_card(task: Task) -> TaskCard:
    data, split = task.data, task.split(0)
    assert data is not None
    return TaskCard(
        **_identity(task),
        source="computed",
        split_sizes=split.sizes,
        nodes=data.num_nodes,
        edges=data.num_edges,
        features=data.num_features,
        classes=data.num_classes,
        feature_density=data.nnz / (data.num_nodes * data.num_features),
        label_rate=len(split.train) / data.num_items,
        **(_node_facts(task) if aim_of(task) == NODES else _kind_facts(task)),
    )


def _kind_facts(task: Task) -> dict[str, Any]:
    from agentnas.tools.tasks.kind_facts import kind_facts

    return kind_facts(task)


def _node_facts(task: Task) -> dict[str, Any]:
    from agentnas.tools.tasks.kind_facts import edge_facts
    from agentnas.tools.tasks.probes import probe
    from agentnas.tools.tasks.structure import homophily, structure

    data, split, found = task.data, task.split(0), probe(task)
    assert data is not None
    return {
        "probe_majority": found.majority,
        "probe_features": found.features,
        "probe_label_propagation": found.label_propagation,
        "probe_linear_propagation": found.linear_propagation,
        **structure(data),
        **homophily(data, split.seen),
        **edge_facts(task),
    }


def _identity(task: Task) -> dict[str, Any]:
    return {
        "name": task.name, "metric": task.metric.name, "protocol": task.protocol, "num_splits": task.num_splits, "aim": aim_of(task),
    }  # fmt: skip


def aim_of(task: Task) -> str:
    """What is predicted of what, in words: one of ``AIMS``."""
    return _aim(task.kind, task.target)


def _aim(kind: str, target: Target) -> str:
    return f"{kind} {_AIMS[target]}" if kind != "link" else "link prediction"


_AIMS: dict[Target, str] = {"classes": "classification", "labels": "classification with several labels", "value": "regression"}
AIMS = (*(_aim(kind, target) for kind in ("node", "graph") for target in _AIMS), "link prediction")
