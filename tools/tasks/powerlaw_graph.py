"""Generated graphs of any size with power-law degrees and planted classes: to size up a machine or a method before the real data is there.

Edges follow the degree-corrected block model (Karrer and Newman, 2011) with the expected degrees of Chung and Lu (2002): one end is drawn
by weight, the other by weight within the class that ``homophily`` says. Features say only part of the class, so that neighbours help.
Everything is drawn in pieces: a million nodes with ten million directed edges take seconds, and little more memory than they fill.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from agentnas.tools.errors import UsageError
from agentnas.tools.room import MIB, available_mib, gib
from agentnas.tools.tasks.base import GraphData, Index, Matrix, distinct
from agentnas.tools.tasks.powerlaw import PowerLaw

PIECE = 1_000_000  # edges, or entries of dense features, drawn at a time
TOPIC_SHARE = 0.5  # of a class's words, times the signal, from its own part of the vocabulary
ROUNDS = 60  # in each of which the edges that are missing are drawn again


def powerlaw_data(settings: PowerLaw, available: float | None = None) -> GraphData:
    """The graph; both directions of each edge, no self-loops. The same settings give the same graph with the same numpy.

    ``available``: MiB of memory that it may take (None: what the machine has). Raises UsageError where that is too little.
    """
    _insist_on_room(settings, available_mib() if available is None else available)
    rng = np.random.Generator(np.random.PCG64(settings.seed))
    y = rng.integers(settings.classes, size=settings.nodes)
    edges = _both_directions(_pairs(settings, y, rng), settings.nodes)
    return GraphData(_features(settings, y, rng), edges, y, settings.classes)


def data_mib(settings: PowerLaw) -> float:
    """Most MiB that making the graph takes: features and edges as they stay, and the edges once more while they are sorted."""
    entries = settings.nodes * (settings.words * 8 if settings.words else settings.features * 4)
    return (entries + 2 * settings.pairs * (16 + 24) + settings.nodes * 40) / MIB


def fingerprint(name: str, data: GraphData) -> str:
    """sha256 of the settings, edges, labels and features."""
    digest = hashlib.sha256(name.encode())
    features = (data.x.data, data.x.indices, data.x.indptr) if sp.issparse(data.x) else (data.x,)
    for array in (data.edge_index, data.y, *features):
        digest.update(np.ascontiguousarray(array).view(np.uint8).data)
    return digest.hexdigest()


def _insist_on_room(settings: PowerLaw, available: float) -> None:
    wanted = data_mib(settings)
    if wanted > available:
        raise UsageError(
            f"task {settings.name} needs {gib(wanted)} of memory to be made, {gib(available)} are available; give fewer nodes, a smaller"
            " degree, or fewer features"
        )


def _weights(settings: PowerLaw, rng: np.random.Generator) -> NDArray[np.float64]:
    """Expected degrees up to a factor: a Pareto tail, cut where one node would reach a tenth of all ends."""
    weights = (1.0 - rng.random(settings.nodes)) ** (-1.0 / (settings.exponent - 1.0))
    natural = settings.nodes ** (1.0 / (settings.exponent - 1.0))
    return np.minimum(weights, min(natural, 0.1 * settings.nodes / max(1.0, settings.degree) * float(weights.mean())))


def _pairs(settings: PowerLaw, y: Index, rng: np.random.Generator) -> Index:
    """Codes ``low * nodes + high`` of as many distinct edges as asked for; sorted."""
    draw = _Ends(settings, y, rng)
    codes = np.zeros(0, np.int64)
    for _ in range(ROUNDS):
        missing = settings.pairs - len(codes)
        if missing <= 0:
            break
        codes = distinct(np.concatenate([codes, *draw.pieces(missing + missing // 20 + 16)]))
    if len(codes) < settings.pairs:
        raise UsageError(f"task {settings.name}: only {2 * len(codes):,} of {2 * settings.pairs:,} edges fit between its hubs; give a "
                         "smaller degree or a larger exponent")  # fmt: skip
    # What is too much goes at random: the smallest codes are no better than others.
    surplus = rng.choice(len(codes), len(codes) - settings.pairs, replace=False, shuffle=False)
    return np.delete(codes, surplus)


class _Ends:
    """Draws the two ends of edges. Nodes lie by class, so that a class is one run of the cumulated weights."""

    def __init__(self, settings: PowerLaw, y: Index, rng: np.random.Generator) -> None:
        self._settings, self._rng = settings, rng
        self._order = np.argsort(y, kind="stable")
        self._class = y[self._order]
        self._total = np.concatenate([[0.0], np.cumsum(_weights(settings, rng)[self._order])])
        self._starts = self._total[np.searchsorted(self._class, np.arange(settings.classes + 1))]

    def pieces(self, count: int) -> Iterator[Index]:
        for at in range(0, count, PIECE):
            yield self._codes(min(PIECE, count - at))

    def _codes(self, count: int) -> Index:
        settings, rng = self._settings, self._rng
        one = self._at(rng.random(count) * self._total[-1])
        own = self._class[one]
        other = (own + 1 + rng.integers(settings.classes - 1, size=count)) % settings.classes
        wanted = np.where(rng.random(count) < settings.homophily, own, other)
        low, high = self._starts[wanted], self._starts[wanted + 1]
        a, b = self._order[one], self._order[self._at(low + rng.random(count) * (high - low))]
        a, b = np.minimum(a, b), np.maximum(a, b)
        kept = a != b
        codes: Index = a[kept] * np.int64(settings.nodes) + b[kept]
        return codes

    def _at(self, position: NDArray[np.float64]) -> Index:
        found: Index = np.searchsorted(self._total, position, side="right") - 1
        np.minimum(found, len(self._class) - 1, out=found)
        return found


def _both_directions(codes: Index, nodes: int) -> Index:
    """[2, 2 x pairs], sorted by source, then target."""
    low, high = np.divmod(codes, nodes)
    both = np.concatenate([codes, high * nodes + low])
    both.sort()
    edges = np.empty((2, len(both)), np.int64)
    np.divmod(both, nodes, out=(edges[0], edges[1]))
    return edges


def _features(settings: PowerLaw, y: Index, rng: np.random.Generator) -> Matrix:
    return _words(settings, y, rng) if settings.words else _dense(settings, y, rng)


def _dense(settings: PowerLaw, y: Index, rng: np.random.Generator) -> NDArray[np.float32]:
    """Unit noise around a centre for each class; centres are ``2 x signal`` from the origin."""
    centres = rng.standard_normal((settings.classes, settings.features), np.float32)
    centres *= 2 * settings.signal / np.linalg.norm(centres, axis=1, keepdims=True)
    x = np.empty((settings.nodes, settings.features), np.float32)
    rows = max(1, PIECE // settings.features)
    for at in range(0, settings.nodes, rows):
        piece = x[at : at + rows]
        rng.standard_normal(dtype=np.float32, out=piece)
        piece += centres[y[at : at + rows]]
    return x


def _words(settings: PowerLaw, y: Index, rng: np.random.Generator) -> sp.csr_matrix:
    """Ones at ``words`` places of each row, some from the part of the vocabulary that is the class's own; words count once."""
    shape, share = (settings.nodes, settings.words), min(1.0, TOPIC_SHARE * settings.signal)
    part = max(1, settings.features // settings.classes)
    columns = rng.integers(settings.features, size=shape, dtype=np.int32)
    topical = rng.random(shape, np.float32) < share
    own = (y[:, None] * part + rng.integers(part, size=shape)) % settings.features
    columns[topical] = own[topical]
    pointers = np.arange(0, columns.size + 1, settings.words)
    x = sp.csr_matrix((np.ones(columns.size, np.float32), columns.ravel(), pointers), (settings.nodes, settings.features))
    x.sum_duplicates()
    x.data[:] = 1.0
    return x
