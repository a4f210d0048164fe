"""Canonical order of labelled directed acyclic graphs: isomorphic graphs get the same order, whatever their names and orders were.

Colour refinement, then individualisation of the nodes that it cannot tell apart (the scheme of McKay, "Practical graph isomorphism",
1981). Branches that an automorphism maps onto one already seen are skipped, so that many equal branches cost little.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SOURCE = -1

Colours = tuple[int, ...]
Certificate = tuple[tuple[str, tuple[int, ...]], ...]


@dataclass(frozen=True)
class LabelledDag:
    """``inputs[i]`` lists the predecessors of node ``i`` (with repetition, order without meaning); ``SOURCE`` is the graph's input."""

    labels: tuple[str, ...]
    inputs: tuple[tuple[int, ...], ...]

    @property
    def users(self) -> list[list[int]]:
        users: list[list[int]] = [[] for _ in self.labels]
        for node, inputs in enumerate(self.inputs):
            for name in inputs:
                if name != SOURCE:
                    users[name].append(node)
        return users

    @property
    def depths(self) -> list[int]:
        """Longest path from the source; inputs must precede their users."""
        depths: list[int] = []
        for inputs in self.inputs:
            depths.append(1 + max((depths[i] for i in inputs if i != SOURCE), default=0))
        return depths


def canonical_order(dag: LabelledDag) -> list[int]:
    """Indices of the nodes in canonical topological order. ``dag`` must list every node after its inputs."""
    users = dag.users
    keys = [(depth, label) for depth, label in zip(dag.depths, dag.labels, strict=True)]
    rank = {key: i for i, key in enumerate(sorted(set(keys)))}
    colours = _refine(dag, users, tuple(rank[key] for key in keys))
    best = _least(dag, users, colours)
    return sorted(range(len(dag.labels)), key=best.__getitem__)


def _refine(dag: LabelledDag, users: list[list[int]], colours: Colours) -> Colours:
    """Split colours by the colours of inputs and users until nothing splits; the order of colours does not depend on names."""
    while True:
        keys = [
            (
                colours[node],
                tuple(sorted(SOURCE if i == SOURCE else colours[i] for i in dag.inputs[node])),
                tuple(sorted(colours[i] for i in users[node])),
            )
            for node in range(len(colours))
        ]
        rank = {key: i for i, key in enumerate(sorted(set(keys)))}
        refined = tuple(rank[key] for key in keys)
        if len(rank) == len(set(colours)):
            return refined
        colours = refined


def _least(dag: LabelledDag, users: list[list[int]], colours: Colours) -> Colours:
    """Among all ways to break the ties, the discrete colouring with the least certificate."""
    cell = _first_tie(colours)
    if not cell:
        return colours
    if _are_twins(dag, users, cell):
        return _least(dag, users, _individualise(dag, users, colours, cell[0]))
    best = first = _least(dag, users, _individualise(dag, users, colours, cell[0]))
    seen = {_certificate(dag, first)}
    for node in cell[1:]:
        branch = _individualise(dag, users, colours, node)
        if _certificate(dag, _greedy(dag, users, branch)) in seen:
            continue  # an automorphism maps this branch onto one that has been searched
        candidate = _least(dag, users, branch)
        seen.add(_certificate(dag, candidate))
        best = min(best, candidate, key=lambda found: _certificate(dag, found))
    return best


def _greedy(dag: LabelledDag, users: list[list[int]], colours: Colours) -> Colours:
    """One leaf of the search tree: always the first node of the first tie."""
    while cell := _first_tie(colours):
        colours = _individualise(dag, users, colours, cell[0])
    return colours


def _first_tie(colours: Colours) -> list[int]:
    members: dict[int, list[int]] = {}
    for node, colour in enumerate(colours):
        members.setdefault(colour, []).append(node)
    ties = [colour for colour, nodes in members.items() if len(nodes) > 1]
    return members[min(ties)] if ties else []


def _are_twins(dag: LabelledDag, users: list[list[int]], cell: Sequence[int]) -> bool:
    """Twins have the same inputs and users: any two of them may be swapped, so one order is as good as another."""
    kinds = {(tuple(sorted(dag.inputs[node])), tuple(sorted(users[node]))) for node in cell}
    return len(kinds) == 1


def _individualise(dag: LabelledDag, users: list[list[int]], colours: Colours, node: int) -> Colours:
    split = tuple(2 * colour + (0 if i == node else 1) for i, colour in enumerate(colours))
    return _refine(dag, users, split)


def _certificate(dag: LabelledDag, colours: Colours) -> Certificate:
    """The graph written down in the order of a discrete colouring; equal certificates mean isomorphic graphs."""
    place: Mapping[int, int] = {SOURCE: SOURCE, **dict(enumerate(colours))}
    order = sorted(range(len(colours)), key=colours.__getitem__)
    return tuple((dag.labels[node], tuple(sorted(place[i] for i in dag.inputs[node]))) for node in order)
