"""Whether the direction of edges says something of labels that the same edges without direction would not say.

After AMUD (Sun et al., 2024): nodes are joined by two steps in three ways that only direction tells apart, and each way is asked how well
it goes with having the same label. Where the three agree, nothing is lost in treating the graph as undirected. Labels of training and
validation are read, of test none.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from agentnas.tools.tasks.base import Index, Task

MOST_NODES = 1500  # of which pairs are looked at
SHUFFLES = 40  # of the labels, which tell what chance alone does
SURE = 4.0  # standard deviations of chance
MUCH = 0.5  # score from which direction is worth keeping
VALUE_BINS = 4  # a value's "same label" is the same quarter
PATTERNS = ("one after the other", "pointing to the same", "pointed to by the same")


@dataclass(frozen=True)
class Direction:
    """``excess``: how much more often than by chance nodes have the same label that a pattern joins, 1: always, 0: as by chance.

    ``score``: 0 where all patterns say the same, 1 where one says something and another nothing; ``helps``: whether that is much, and more
    than chance.
    """

    score: float
    excess: dict[str, float]
    helps: bool

    @property
    def sentence(self) -> str:
        """What was found and what to do, one line."""
        told = ", ".join(f"{name} {value:+.3f}" for name, value in self.excess.items())
        if self.helps:
            advice = "keep it, with weights of their own for in- and out-neighbours"
        elif self.score >= MUCH:
            advice = "no more than chance might do with so few labels, so both ways of edges are worth trying (input.edges)"
        else:
            advice = "edges in both directions (input.edges both) lose little"
        return f"direction score {self.score:.2f} of 1 (same label beyond chance, for nodes {told}): {advice}"


def direction_of(task: Task, split: int = 0) -> Direction | None:
    """What direction says on a split; None for tasks without directed edges, or without one label an item that is a node."""
    data = task.data
    if data is None or not data.directed or data.kind != "node" or data.target == "labels":
        return None
    nodes = np.sort(task.split(split).seen)
    rng = np.random.Generator(np.random.PCG64(0))
    if len(nodes) > MOST_NODES:
        nodes = np.sort(rng.choice(nodes, MOST_NODES, replace=False))
    y = data.y[nodes] if data.target == "classes" else _quarters(data.y[nodes])
    joined = [_joined(data.edge_index, data.num_nodes, nodes, pattern) for pattern in PATTERNS]
    found = [_excess(pairs, y) for pairs in joined]
    chance = np.array([[_excess(pairs, mixed) for pairs in joined] for mixed in (rng.permutation(y) for _ in range(SHUFFLES))])
    squares = [value**2 for value in found]
    score = 1.0 - min(squares) / max(squares) if max(squares) else 0.0
    sure = any(abs(found[a] - found[b]) > SURE * (chance[:, a] - chance[:, b]).std() for a, b in combinations(range(len(found)), 2))
    return Direction(score, dict(zip(PATTERNS, found, strict=True)), bool(sure and score >= MUCH))


def _quarters(values: NDArray[Any]) -> Index:
    return np.argsort(np.argsort(values, kind="stable"), kind="stable") * VALUE_BINS // max(1, len(values))


def _joined(edge_index: Index, n: int, nodes: Index, pattern: str) -> Index:
    """Pairs of places in ``nodes`` [2, pairs], each once, that two steps of the pattern join."""
    source, target = edge_index[:, edge_index[0] != edge_index[1]]
    matrix = sp.csr_matrix((np.ones(len(source), np.float32), (source, target)), shape=(n, n))
    out, into = matrix[nodes], matrix[:, nodes]
    steps = {PATTERNS[0]: lambda: out @ into, PATTERNS[1]: lambda: out @ out.T, PATTERNS[2]: lambda: into.T @ into}[pattern]()
    upper = sp.triu(steps + steps.T, 1).tocoo()
    return np.stack([upper.row, upper.col]).astype(np.int64)


def _excess(pairs: Index, y: Index) -> float:
    """How much more often than any two nodes those that are joined have the same label, as a share of the most it could be; 0: as often."""
    sizes = np.unique(y, return_counts=True)[1].astype(float)
    by_chance = float((sizes * (sizes - 1)).sum()) / max(1.0, len(y) * (len(y) - 1.0))
    if not pairs.shape[1] or by_chance == 1.0:
        return 0.0
    return (float((y[pairs[0]] == y[pairs[1]]).mean()) - by_chance) / (1.0 - by_chance)
