"""Which tasks are alike, which are the same graph under another name, and what shared designs say about both.

The distance of two task cards is a prior belief. Every design that was tried on both tasks is an observation: where both order their
designs alike, what was learnt on one can be trusted on the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from agentnas.memory.embedding import Vectors
from agentnas.memory.records import TaskCardLike
from agentnas.tools.spec.canonical import spec_hash
from agentnas.tools.spec.model import ArchitectureSpec, Body, Node

SLOTS = 24  # entries of a task vector in the store; cards of this version have 15, or 21
# The card's distance counts as much as the order of this many shared designs.
PRIOR_DESIGNS = 6.0
NEARLY = 0.02  # a graph without its isolated nodes, or another component of it, is the same graph
TIE = 1e-9


@runtime_checkable
class Counted(Protocol):
    """A task card that counts its graph."""

    nodes: int
    edges: int
    features: int
    classes: int


class Belief(NamedTuple):
    """How far a task is to be trusted, 0 to 1, and from what: the cards' similarity, and the order of ``shared`` designs."""

    value: float
    prior: float
    agreement: float | None
    shared: int

    def told(self) -> str:
        """In words; empty where nothing but the cards is known."""
        if self.agreement is None:
            return ""
        return f"{self.shared} designs tried on both agree in {100 * self.agreement:.0f} % of pairs"


def graph_of(card: TaskCardLike | None) -> tuple[int, ...]:
    """Nodes, edges, features and classes; empty where the card does not count them."""
    return (card.nodes, card.edges, card.features, card.classes) if isinstance(card, Counted) else ()


def same_graph(a: Sequence[int], b: Sequence[int]) -> bool:
    """Whether two tasks are probably the same data, whatever their names and splits.

    Exactly as many nodes and edges, or as many features and classes and nearly as many nodes and edges; edges may be counted in one
    direction or in both.
    """
    if len(a) != 4 or len(b) != 4:
        return False
    edges = [abs(a[1] * factor - b[1]) / max(1, b[1]) for factor in (0.5, 1.0, 2.0)]
    if a[0] == b[0] and min(edges) == 0:
        return True
    nodes = abs(a[0] - b[0]) / max(1, b[0])
    return a[2:] == b[2:] and nodes <= NEARLY and min(edges) <= NEARLY


def design_key(spec: ArchitectureSpec) -> str:
    """The same for specs whose operators are connected alike, whatever their sizes and recipe: those are set for each task anew."""
    nodes = tuple(Node(id=node.id, op=node.op, inputs=node.inputs, merge=node.merge) for node in spec.body.nodes)
    return spec_hash(ArchitectureSpec(body=Body(nodes=nodes, outputs=spec.body.outputs, jump=spec.body.jump)))[:16]


def task_block(vector: Sequence[float]) -> Vectors:
    """A task vector as a part of a record's vector, [SLOTS]: 0 is the middle, and unknown."""
    block = np.zeros(SLOTS, dtype=np.float32)
    known = np.asarray(tuple(vector)[:SLOTS], dtype=np.float32)
    block[: len(known)] = known - np.float32(0.5)
    return block


def belief(prior: float, own: Mapping[str, float], other: Mapping[str, float]) -> Belief:
    """The prior, updated by the designs that were scored on both tasks (higher is better); designs by any common key."""
    shared = sorted(own.keys() & other.keys())
    pairs = [(own[a] - own[b], other[a] - other[b]) for a, b in combinations(shared, 2)]
    decided = [(x, y) for x, y in pairs if abs(x) > TIE and abs(y) > TIE]
    if not decided:
        return Belief(prior, prior, None, len(shared))
    agreement = sum(x * y > 0 for x, y in decided) / len(decided)
    weight = len(shared) / (PRIOR_DESIGNS + len(shared))
    return Belief((1 - weight) * prior + weight * agreement, prior, agreement, len(shared))
