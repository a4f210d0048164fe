"""Lines and vectors of the cards of tasks other than node classification: what there is to know depends on what an item is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from agentnas.tools.metrics import metric
from agentnas.tools.tasks.card_words import decades, facts, share

if TYPE_CHECKING:
    from agentnas.tools.tasks.card import TaskCard

Lines = list[tuple[str, str]]


def lines(card: TaskCard) -> Lines:
    """Headings and facts."""
    return [
        ("task", f"{card.name}, {card.aim}, {card.metric}, {card.protocol}"),
        ("size", _size(card)),
        ("degree", facts("mean {:.2f}, median {:.1f}, max {}", card.mean_degree, card.median_degree, card.max_degree) + _seen(card)),
        ("shape", facts("{} isolated nodes, {} components, clustering {:.2f}", card.isolated_nodes, card.components, card.clustering)),
        *edge_lines(card),
        ("features", facts("density {:.4f}", card.feature_density)),
        *_target(card),
        ("validation", _reached(card)),
    ]


def edge_lines(card: TaskCard) -> Lines:
    """What edges carry beside their ends; nothing where that is nothing."""
    told = []
    if card.reciprocity is not None and card.reciprocity < 1.0:
        told.append(f"directed, reciprocity {card.reciprocity:.2f}" + (f", {card.direction}" if card.direction else ""))
        told.append("degree, shape and propagation on this card take edges both ways and say nothing of direction")
    if card.edge_attributes:
        told.append(f"{card.edge_attributes} edge {'attribute' if card.edge_attributes == 1 else 'attributes'}")
    if card.types is not None and card.types != (1, 1):
        told.append(f"heterogeneous: {card.types[0]} types of nodes, {card.types[1]} types of edges (relations)")
    return [("edges", "; ".join(told))] if told else []


def scaled(card: TaskCard) -> dict[str, float | None]:
    """The facts as numbers; the last ones say what is predicted of what, so that tasks of different aims lie apart."""
    predicts = {"graph": card.is_graph, "link": card.is_link, "labels": card.target == "labels", "value": card.target == "value"}
    return {
        "items": decades(card.items, 6),
        "nodes": decades(card.nodes, 6),
        "graph_nodes": decades(card.graph_nodes[1] if card.graph_nodes else card.nodes, 6),
        "features": decades(1 + card.features, 4),
        "outputs": math.log2(max(1, card.classes)) / 7,
        "mean_degree": decades(card.mean_degree, 3),
        "feature_density": None if card.feature_density is None else math.sqrt(card.feature_density),
        "clustering": card.clustering,
        "edge_attributes": math.log2(1 + card.edge_attributes) / 5,
        "one_way": None if card.reciprocity is None else 1 - card.reciprocity,
        "types": None if card.types is None else math.log2(max(card.types)) / 5,
        "balance": card.class_balance if card.label_shares is None else 2 * card.label_shares[1],
        "assortativity": None if card.assortativity is None else (1 + card.assortativity) / 2,
        "label_rate": None if card.label_rate is None else math.sqrt(card.label_rate),
        "probe_features": share(card.probe_features),
        "probe_structure": share(card.probe_structure),
        "probe_neighbours": share(card.probe_neighbours),
        **{f"is_{name}": float(holds) for name, holds in predicts.items()},
    }


def _size(card: TaskCard) -> str:
    columns = f"{card.features} features"
    columns += f", {card.classes} classes" if card.target == "classes" and not card.is_link else ""
    columns += f", {card.classes} labels an item" if card.target == "labels" else ""
    graph = f"{card.nodes} nodes, {card.edges} edges, {columns}"
    if card.graph_nodes is None:
        return graph
    low, middle, high = card.graph_nodes
    return f"{card.items} graphs of {low:.0f} to {high:.0f} nodes (median {middle:.0f}), together {graph}"


def _seen(card: TaskCard) -> str:
    return " (of the training edges)" if card.is_link else ""


def _target(card: TaskCard) -> Lines:
    sizes = "?" if card.split_sizes is None else "/".join(map(str, card.split_sizes))
    if card.is_link:
        joined = facts("{:.4f} of all pairs are training edges", card.pair_density)
        return [("pairs", f"train/val/test {sizes}, edges and pairs without one; {joined}")]
    if card.target == "value":
        told = facts("mean {:.4g}, deviation {:.4g}, from {:.4g} to {:.4g}, skewness {:.1f}", *(card.values or (None,) * 5))
        return [("values", f"train/val/test {sizes}, {told}{_like_neighbours(card)}")]
    if card.target == "labels":
        told = facts("share of a label from {:.3f} to {:.3f}, median {:.3f}", *_outer(card.label_shares))
        known = facts("{:.2f} of them known", card.known_labels)
        return [("labels", f"train/val/test {sizes}, {told}, {known}{_like_neighbours(card)}")]
    return [("labels", f"train/val/test {sizes}, " + facts("class balance {:.2f}", card.class_balance))]


def _outer(shares: tuple[float, float, float] | None) -> tuple[float | None, ...]:
    return (None, None, None) if shares is None else (shares[0], shares[2], shares[1])


def _like_neighbours(card: TaskCard) -> str:
    if card.is_graph:
        return ""
    return facts("; correlation of neighbours {:.2f} (training and validation)", card.assortativity)


def _reached(card: TaskCard) -> str:
    """What simple methods reach; an error as the error itself, of which lower is better."""
    shown = metric(card.metric, card.unit)
    natural = [None if score is None else shown.natural(score) for score in _probes(card)]
    digits = "{:.3g}" if shown.is_error else "{:.1f}"
    words = ("best constant", "features only", "structure only", "common neighbours" if card.is_link else "propagated features")
    told = [facts(f"{word} {digits}", value) for word, value in zip(words, natural, strict=True) if value is not None]
    return ", ".join(told) + (f" ({card.metric}, lower is better)" if shown.is_error else "")


def _probes(card: TaskCard) -> tuple[float | None, ...]:
    return card.probe_majority, card.probe_features, card.probe_structure, card.probe_neighbours
