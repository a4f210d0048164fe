"""Measured structure of a graph: degrees, clustering, components, homophily."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from agentnas.tools.tasks.base import GraphData, Index, some
from agentnas.tools.tasks.probes import undirected

MAX_SAMPLED = 1000  # nodes whose clustering is measured
FEWEST_EDGES = 20  # edges, each way counted, below which nothing is said about homophily


def structure(data: GraphData) -> dict[str, Any]:
    """Degrees (neighbours in either direction, without self-loops), clustering (mean over at most 1000 nodes), connected components."""
    adjacency = undirected(data)
    degrees = np.asarray(adjacency.sum(axis=1)).ravel()
    return {
        "mean_degree": float(degrees.mean()),
        "median_degree": float(np.median(degrees)),
        "max_degree": int(degrees.max()),
        "isolated_nodes": int((degrees == 0).sum()),
        "clustering": clustering(adjacency),
        "components": int(connected_components(adjacency, directed=False)[0]),
    }


def clustering(adjacency: sp.csr_matrix) -> float:
    """Mean local clustering coefficient (Watts and Strogatz 1998), 0 for nodes with fewer than two neighbours."""
    rows = adjacency[some(np.arange(adjacency.shape[0]), MAX_SAMPLED)]
    degrees = np.asarray(rows.sum(axis=1)).ravel()
    closed = np.asarray((rows @ adjacency).multiply(rows).sum(axis=1)).ravel()
    return float(np.mean(closed / np.maximum(degrees * (degrees - 1), 1)))


def homophily(data: GraphData, nodes: Index) -> dict[str, float | None]:
    """Edge, node and adjusted homophily over the edges, as they are given, with both ends among ``nodes``, and the classes' balance there.

    No other node's label is read: for a design, ``nodes`` are those for training and validation. None where there are fewer than
    ``FEWEST_EDGES`` such edges, or no variety.
    """
    seen = np.zeros(data.num_nodes, bool)
    seen[nodes] = data.y[nodes] >= 0
    source, target = data.edge_index[:, seen[data.edge_index].all(axis=0)]
    counts = np.bincount(data.y[seen], minlength=data.num_classes)
    if len(source) < FEWEST_EDGES:
        return {"edge_homophily": None, "node_homophily": None, "adjusted_homophily": None, "class_balance": balance(counts)}
    same = (data.y[source] == data.y[target]).astype(np.float64)
    degrees = np.bincount(target, minlength=data.num_nodes)
    agreeing = np.bincount(target, weights=same, minlength=data.num_nodes)
    edge = float(same.mean())
    return {
        "edge_homophily": edge,
        "node_homophily": float(np.mean(agreeing[degrees > 0] / degrees[degrees > 0])),
        "adjusted_homophily": _adjusted(edge, data.y[np.concatenate([source, target])]),
        "class_balance": balance(counts),
    }


def _adjusted(edge: float, end_labels: np.ndarray[Any, Any]) -> float | None:
    expected = float(((np.bincount(end_labels) / len(end_labels)) ** 2).sum())
    return None if expected >= 1.0 else (edge - expected) / (1.0 - expected)


def balance(counts: np.ndarray[Any, Any]) -> float | None:
    """Entropy of the classes' shares over its maximum; None where there is no variety to speak of."""
    if len(counts) < 2 or not counts.sum():
        return None
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum() / np.log(len(counts)))
