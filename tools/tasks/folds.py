"""Splits of small sets: stratified folds, each the test part once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentnas.tools.errors import UsageError
from agentnas.tools.tasks.base import Index, Split

FOLDS = 10
FEWEST_ITEMS = 20


def folds(y: NDArray[Any], labelled: NDArray[np.bool_], count: int = FOLDS) -> tuple[Split, ...]:
    """``count`` splits: fold i is tested on, fold i + 1 chosen by, the others are trained on (Errica et al., 2020, with one inner fold).

    Classes are spread evenly over folds; values are, by their order. The same labels give the same folds on every machine.
    """
    items = np.flatnonzero(labelled)
    if len(items) < max(FEWEST_ITEMS, 2 * count):
        raise UsageError(f"{count} folds need at least {max(FEWEST_ITEMS, 2 * count)} labelled items; there are {len(items)}")
    fold_of = np.empty(len(items), np.int64)
    fold_of[_in_order(y[items])] = np.arange(len(items)) % count
    parts = [items[fold_of == number] for number in range(count)]
    return tuple(_split(parts, number) for number in range(count))


def _in_order(y: NDArray[Any]) -> Index:
    """Items so ordered that dealing them out in turn spreads labels evenly, and nothing else matters."""
    shuffled = np.random.Generator(np.random.PCG64(0)).permutation(len(y))
    if y.ndim == 2:
        return shuffled
    keys = y if y.dtype.kind in "iu" else np.argsort(np.argsort(y, kind="stable"), kind="stable") // FOLDS
    return np.asarray(shuffled[np.argsort(keys[shuffled], kind="stable")])


def _split(parts: list[Index], test: int) -> Split:
    val = (test + 1) % len(parts)
    train = np.sort(np.concatenate([part for number, part in enumerate(parts) if number not in (val, test)]))
    return Split(train, parts[val], parts[test])
