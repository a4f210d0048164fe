"""Pairs of a source that says which edges are hidden from training, and which pairs without an edge stand beside them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from agentnas.tools.errors import DataError, UsageError
from agentnas.tools.own.arrays import MASKS, Arrays
from agentnas.tools.tasks.base import GraphData, Index, Split, distinct
from agentnas.tools.tasks.pairs import MOST_PAIRS, no_edges, pair_codes


def given_pairs(data: GraphData, read: Arrays, where: str) -> tuple[GraphData, Split, str]:
    """The data with pairs as its items, the split of the source, and the line that describes it.

    Training gets as many pairs without an edge as it has edges, drawn once; trainings draw fresh ones. An edge may be in two parts, as in
    ogbl-collab, where people write together again; one that the training part has several times is there once, for a training step that
    learns it takes it out of the messages. Raises UsageError where the file says that edges have a direction.
    """
    if data.directed:
        raise UsageError(f"{where}: directed does not fit kind link, which predicts whether two nodes are joined; leave it out")
    pairs, y = np.asarray(read["pairs"], np.int64), np.asarray(read["pair_y"], np.int64)
    train, val, test = (np.flatnonzero(read[name]) for name in MASKS)
    train = train[np.sort(np.unique(pair_codes(pairs[:, train], data.num_nodes), return_index=True)[1])]
    if len(y) + len(train) > MOST_PAIRS:
        raise DataError(f"{where}: {len(y) + len(train):,} pairs with those that training needs; allowed: {MOST_PAIRS:,}")
    drawn = _drawn(data, pairs, len(train), where)
    made = replace(data, y=np.concatenate([y, np.zeros(len(train), np.int64)]), num_classes=1, pairs=np.concatenate([pairs, drawn], axis=1))
    others = np.arange(len(y), len(y) + len(train))
    return made, Split(np.concatenate([train, others]), val, test), _protocol(read, y, (train, val, test))


def _drawn(data: GraphData, pairs: Index, count: int, where: str) -> Index:
    """Pairs that are neither edges nor in any part."""
    n = data.num_nodes
    known = distinct(np.concatenate([pair_codes(data.edge_index, n), pair_codes(pairs, n)]))
    if count > n * (n - 1) // 2 - len(known):
        raise DataError(f"{where}: too few pairs without an edge are left for training: {count:,} are needed")
    return no_edges(known, n, count, np.random.Generator(np.random.PCG64(0)))


def _protocol(read: Arrays, y: Index, parts: tuple[Index, Index, Index]) -> str:
    by = f" by {read['split_by']}" if "split_by" in read else ""
    edges = "/".join(str(int(y[part].sum())) for part in parts)
    others = " and ".join(f"{int((y[part] == 0).sum())}" for part in parts[1:])
    return f"1 split of the source{by}, {edges} edges, {others} pairs without one in validation and test"
