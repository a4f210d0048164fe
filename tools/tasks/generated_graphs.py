"""Small generated tasks of which the best predictions are known: several labels, values, directed and heterogeneous graphs.

Each is made so that one ability decides. ``directed``: a class says what those are like who point to a node, and what those are like whom
it points to, so who sees one side alone, or both as one, does not know it. ``hetero``: the same users trust and report one another; trust
says the same class and a report another one, so who ignores the type of an edge sees a blur. The same settings give the same task with
the same numpy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from agentnas.tools.errors import UsageError, suggest
from agentnas.tools.tasks.base import GraphData, Index, Split, Task, distinct, metric_on, sorted_with_types, typed_features
from agentnas.tools.tasks.generated import FAMILIES, Generated

SPLITS = 10
TRAIN, VAL = 0.6, 0.2  # shares of the labelled nodes
UNKNOWN = 0.1  # share of single labels that are not known
SOFTNESS, LEAST_NOISE = 1.25, 0.02  # of the score of a label in units of its log-odds
FOLLOW = 0.9  # share of edges that say the class, at no noise
STRAY = 0.25  # share of classes that are drawn anew, at full noise
SIGNAL = 0.5  # distance of the centres of classes in units of the noise of features
SHOPS = 10  # users a shop
RELATIONS = ("trusts", "reports", "buys in", "sells to")


@dataclass(frozen=True, eq=False)
class Made:
    """A generated graph and its best predictions [nodes, columns], as scores of classes, probabilities, or values."""

    data: GraphData
    best: NDArray[Any]


def generated_task(settings: Generated, split: str | None) -> Task:
    """The task, with ten random splits; UsageError for a split that it has not."""
    if split not in (None, "random"):
        raise UsageError(f"split {split!r} does not exist for {settings.name}; {suggest(split, ['random'])}")
    data = made(settings).data
    splits = tuple(_split(data, seed) for seed in range(SPLITS))
    metric = metric_on(FAMILIES[settings.family][1], data, splits[0])
    protocol = f"{SPLITS} random splits, {'/'.join(map(str, splits[0].sizes))}"
    return Task(settings.name, metric, protocol, SPLITS, data.fingerprint(), "random", data, splits)


def made(settings: Generated) -> Made:
    """The graph of a generated task and its best predictions."""
    return MAKERS[settings.family](settings, np.random.Generator(np.random.PCG64(settings.seed)))


def _split(data: GraphData, seed: int) -> Split:
    items = np.random.Generator(np.random.PCG64(seed)).permutation(np.flatnonzero(data.labelled))
    train, val = round(TRAIN * len(items)), round((TRAIN + VAL) * len(items))
    return Split(*(np.sort(part) for part in (items[:train], items[train:val], items[val:])))


def _labels(settings: Generated, rng: np.random.Generator) -> Made:
    """Labels, each of a direction of its own in what a node and its neighbours hold."""
    x, edges = _features(settings, rng), _undirected(settings, rng)
    count = FAMILIES["labels"][2]
    scores = _seen(x, edges) @ _directions(settings, 2 * settings.features, count, rng)
    best = 1.0 / (1.0 + np.exp(-scores / (SOFTNESS * max(settings.noise, LEAST_NOISE))))
    y = (rng.random(best.shape) < best).astype(np.float32)
    y[rng.random(y.shape) < UNKNOWN] = np.nan
    return Made(GraphData(x, edges, y, count), best)


def _value(settings: Generated, rng: np.random.Generator) -> Made:
    """A value of unit variance that is linear in what a node and its neighbours hold, and noise."""
    x, edges = _features(settings, rng), _undirected(settings, rng)
    found = (_seen(x, edges) @ _directions(settings, 2 * settings.features, 1, rng))[:, 0]
    best = 10.0 + 3.0 * found / found.std()
    y = (best + 3.0 * settings.noise * rng.standard_normal(settings.nodes)).astype(np.float32)
    return Made(GraphData(x, edges, y, 1), best[:, None])


def _directed(settings: Generated, rng: np.random.Generator) -> Made:
    """Random edges; the class says of which sign the colours of those are who point to a node, and of those whom it points to."""
    x = _features(settings, rng)
    edges = _distinct_edges(lambda count: rng.integers(settings.nodes, size=(2, count)), settings.edges, settings.nodes, rng)
    colour = x @ _directions(settings, 2 * settings.features, 1, rng)[: settings.features]
    signs = [(_mean_of_sources(colour, ends) > 0)[:, 0] for ends in (edges, edges[::-1])]
    best = 2 * signs[0].astype(np.int64) + signs[1]
    classes = FAMILIES["directed"][2]
    y = np.where(rng.random(settings.nodes) < settings.noise * STRAY, rng.integers(classes, size=settings.nodes), best)
    return Made(GraphData(x, edges, y, classes), np.eye(classes)[best])


def _hetero(settings: Generated, rng: np.random.Generator) -> Made:
    """Users and shops; only users have a class."""
    classes = FAMILIES["hetero"][2]
    shops = max(2 * classes, settings.nodes // (SHOPS + 1))
    users = settings.nodes - shops
    y, taste = rng.integers(classes, size=users), rng.integers(classes, size=shops)
    follow = FOLLOW * (1.0 - settings.noise) + settings.noise / classes

    def trusts(count: int) -> Index:
        return same(count, y)

    def same(count: int, kind: Index) -> Index:
        target = rng.integers(users, size=count)
        wanted = np.where(rng.random(count) < follow, y[target], rng.integers(classes, size=count))
        return np.stack([_of_class(wanted, kind, rng), target])

    def reports(count: int) -> Index:
        target = rng.integers(users, size=count)
        wanted = (y[target] + rng.integers(1, classes, size=count)) % classes
        wanted = np.where(rng.random(count) < follow, wanted, rng.integers(classes, size=count))
        return np.stack([_of_class(wanted, y, rng), target])

    # Twice as many reports as trust: all edges as one say next to nothing.
    few, sales = settings.edges // 4, settings.edges // 8
    trust = _distinct_edges(trusts, few, settings.nodes, rng)
    report = _distinct_edges(reports, settings.edges - few - 2 * sales, settings.nodes, rng)
    sold = _distinct_edges(lambda count: same(count, taste) + np.array([[users], [0]]), sales, settings.nodes, rng)
    parts = [trust, report, sold[::-1], sold]
    edges, types = sorted_with_types(np.concatenate(parts, 1), np.repeat(np.arange(4), [part.shape[1] for part in parts]), settings.nodes)
    x, node_type = typed_features([_of_classes(settings, y, classes, rng), _of_classes(settings, taste, classes, rng)])
    best = _posterior(users, classes, follow, [(trust, y, True), (report, y, False), (sold - np.array([[users], [0]]), taste, True)])
    labels = np.concatenate([y, np.full(shops, -1)])
    data = GraphData(x, edges, labels, classes, node_type=node_type, edge_type=types, node_types=("user", "shop"), edge_types=RELATIONS)
    return Made(data, np.concatenate([best, np.zeros((shops, classes))]))


def _posterior(users: int, classes: int, follow: float, seen: list[tuple[Index, Index, bool]]) -> NDArray[np.float64]:
    """Log-probability of each user's class, given the classes of those whose edges reach it; up to a constant of the user."""
    found = np.zeros((users, classes))
    same = np.full((classes, classes), (1.0 - follow) / classes) + np.eye(classes) * follow
    other = np.full((classes, classes), (1.0 - follow) / classes) + (1.0 - np.eye(classes)) * follow / (classes - 1)
    for edges, kind, alike in seen:
        np.add.at(found, edges[1], np.log(same if alike else other)[kind[edges[0]]])
    return found


def _features(settings: Generated, rng: np.random.Generator) -> NDArray[np.float32]:
    return rng.standard_normal((settings.nodes, settings.features)).astype(np.float32)


def _of_classes(settings: Generated, y: Index, classes: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Unit noise around a centre for each class."""
    centres = rng.standard_normal((classes, settings.features))
    centres *= 2.0 * SIGNAL / np.linalg.norm(centres, axis=1, keepdims=True)
    return (centres[y] + rng.standard_normal((len(y), settings.features))).astype(np.float32)


def _directions(settings: Generated, rows: int, columns: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """[rows, columns] of unit length in each half: a node's own features count as much as its neighbours'."""
    found = rng.standard_normal((2, rows // 2, columns))
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True)).reshape(rows, columns)


def _seen(x: NDArray[np.float32], edges: Index) -> NDArray[np.float64]:
    """A node's features beside the mean of its neighbours', scaled to unit variance; [nodes, 2 x features]."""
    mean = _mean_of_sources(x, edges)
    return np.concatenate([x, mean / mean.std()], axis=1)


def _mean_of_sources(x: NDArray[Any], edges: Index) -> NDArray[np.float64]:
    """Mean row of ``x`` [nodes, k] over the edges that lead to each node; 0 where none does."""
    n = len(x)
    matrix = sp.csr_matrix((np.ones(edges.shape[1]), (edges[1], edges[0])), shape=(n, n))
    return np.asarray((matrix @ x) / np.maximum(np.asarray(matrix.sum(1)), 1.0))


def _undirected(settings: Generated, rng: np.random.Generator) -> Index:
    """Random edges, both directions of each."""

    def draw(count: int) -> Index:
        ends = np.sort(rng.integers(settings.nodes, size=(2, count)), axis=0)
        return ends[:, ends[0] < ends[1]]

    half = _distinct_edges(draw, settings.edges // 2, settings.nodes, rng)
    both = np.concatenate([half, half[::-1]], axis=1)
    return both[:, np.lexsort(both[::-1])]


def _of_class(wanted: Index, y: Index, rng: np.random.Generator) -> Index:
    """A random node of each wanted class."""
    found = np.empty(len(wanted), np.int64)
    for label in np.unique(wanted):
        places = wanted == label
        found[places] = rng.choice(np.flatnonzero(y == label), int(places.sum()))
    return found


def _distinct_edges(draw: Callable[[int], Index], count: int, nodes: int, rng: np.random.Generator) -> Index:
    """[2, count] different edges without self-loops, sorted; drawn again until there are as many."""
    codes = np.empty(0, np.int64)
    while len(codes) < count:
        source, target = draw(2 * (count - len(codes)) + 16)
        fresh = (source * np.int64(nodes) + target)[source != target]
        codes = distinct(np.concatenate([codes, fresh]))
    codes = np.sort(rng.choice(codes, count, replace=False))
    return np.stack([codes // nodes, codes % nodes])


MAKERS: dict[str, Callable[[Generated, np.random.Generator], Made]] = {
    "labels": _labels, "value": _value, "directed": _directed, "hetero": _hetero,
}  # fmt: skip
