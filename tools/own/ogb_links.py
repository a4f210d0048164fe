"""Pairs of the ``ogbl-`` data sets: which edges are hidden, and which pairs without an edge stand beside them, as the publishers say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentnas.tools.errors import DataError
from agentnas.tools.own.arrays import MASKS, Arrays

PARTS = ("train", "valid", "test")
HELD = (("train", "edge"), ("valid", "edge"), ("valid", "edge_neg"), ("test", "edge"), ("test", "edge_neg"))


def read_pairs(data: Any, where: str) -> Arrays:
    """Of a data set of links: ``pairs`` [2, items], ``pair_y`` (1 where there is an edge), masks of the three parts, and all edges.

    Training holds edges alone. Raises DataError for a set that ranks each edge among pairs of its own, or names types of edges.
    """
    from torch.serialization import safe_globals

    with safe_globals(_in_pickles_of_arrays()):  # the package's files of splits are pickles of arrays
        split = data.get_edge_split()
    pairs, y, part = _side_by_side(split, where)
    kept = pairs[0] != pairs[1]
    pairs, y, part = pairs[:, kept], y[kept], part[kept]
    masks = {name: part == number for number, name in enumerate(MASKS)}
    return {"edge_index": pairs[:, y == 1], "pairs": pairs, "pair_y": y, **masks}


def _side_by_side(split: Mapping[str, Mapping[str, Any]], where: str) -> tuple[NDArray[np.int64], ...]:
    """All pairs [2, items], whether each is an edge, and the number of its part."""
    blocks, y, part = [], [], []
    for name, key in HELD:
        if key not in split[name]:
            raise DataError(
                f"{where}: it ranks each edge among pairs of its own, or has types of edges, which is not read yet; allowed: sets with one"
                " list of pairs without an edge, such as ogbl-collab and ogbl-ddi"
            )
        block = np.asarray(split[name][key], np.int64).reshape(-1, 2)
        blocks.append(block)
        y.append(np.full(len(block), int(key == "edge")))
        part.append(np.full(len(block), PARTS.index(name)))
    return np.concatenate(blocks).T, np.concatenate(y), np.concatenate(part)


def _in_pickles_of_arrays() -> list[Any]:
    """What a pickled array of numbers consists of, under the names of this NumPy and of the older ones; none of it runs code."""
    made = np.zeros(0).__reduce__()[0]
    names = [(made, f"numpy.{core}.multiarray._reconstruct") for core in ("core", "_core")]
    return [*names, np.ndarray, np.dtype, *(type(np.dtype(kind)) for kind in ("i8", "i4", "f8", "f4", "?"))]
