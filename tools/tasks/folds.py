"""Splits of small sets: stratified folds, each the test part once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentnas.tools.errors import UsageError
from agentnas.tools.tasks.base import Index, Split

FOLDS = 10
FEWEST_ITEMS = 20


def folds(y: NDArray[Any], labelled: NDArray[np.bool_], count: int = FOLDS, seed: int = 0) -> tuple[Split, ...]:
    """``count`` splits: fold i is tested on, fold i + 1 chosen by, the others are trained on (Errica et al., 2020, with one inner fold).

    Classes are spread evenly over folds; values are, by their order. The same labels and seed give the same folds on every machine (PCG64).
    """
    items = np.flatnonzero(labelled)
    if len(items) < max(FEWEST_ITEMS, 2 * count):
        raise UsageError(f"{count} folds need at least {max(FEWEST_ITEMS, 2 * count)} labelled items; there are {len(items)}")
    fold_of = np.empty(len(items), np.int64)
    fold_of[_in_order(y[items], seed)] = np.arange(len(items)) % count
    parts = [items[fold_of == number] for number in range(count)]
    return tuple(_split(parts, number) for number in range(count))


def random_shares(labelled: NDArray[np.bool_], seed: int) -> Split:
    """Four fifths to train on, a tenth to choose by, a tenth to test on; the same seed gives the same split on every machine (PCG64)."""
    return in_shares(np.random.Generator(np.random.PCG64(seed)).permutation(np.flatnonzero(labelled)))


def in_shares(items: Index) -> Split:
    """Items in the order given: the first four fifths are trained on, the last tenth is tested on. UsageError where there are too few."""
    if len(items) < FEWEST_ITEMS:
        raise UsageError(f"a split in shares needs at least {FEWEST_ITEMS} labelled items; there are {len(items)}")
    held = len(items) // 10
    middle = len(items) - 2 * held
    return Split(*(np.sort(part) for part in np.split(items, [middle, middle + held])))


def scaffold_split(groups: list[str], labelled: NDArray[np.bool_]) -> Split:
    """Items of one group stay in one part: the largest groups are trained on, the rarest tested on (Wu et al., 2018, MoleculeNet).

    Of groups of one size the one that occurs first comes first. So a part may exceed its share by less than a group.
    """
    members: dict[str, list[int]] = {}
    for item in np.flatnonzero(labelled).tolist():
        members.setdefault(groups[item], []).append(item)
    total = int(labelled.sum())
    if total < FEWEST_ITEMS:
        raise UsageError(f"a split by scaffold needs at least {FEWEST_ITEMS} labelled items; there are {total}")
    parts: tuple[list[int], list[int], list[int]] = ([], [], [])
    for group in sorted(members.values(), key=lambda items: (-len(items), items[0])):
        fits = len(parts[0]) + len(group) <= 0.8 * total, len(parts[0]) + len(parts[1]) + len(group) <= 0.9 * total
        parts[0 if fits[0] else 1 if fits[1] else 2].extend(group)
    if not all(parts):
        raise UsageError(f"a split by scaffold leaves a part empty: {len(members)} scaffolds of {total} items; choose a random split")
    return Split(*(np.sort(np.array(part, np.int64)) for part in parts))


def _in_order(y: NDArray[Any], seed: int) -> Index:
    """Items so ordered that dealing them out in turn spreads labels evenly, and nothing else matters."""
    shuffled = np.random.Generator(np.random.PCG64(seed)).permutation(len(y))
    if y.ndim == 2:
        return shuffled
    keys = y if y.dtype.kind in "iu" else np.argsort(np.argsort(y, kind="stable"), kind="stable") // FOLDS
    return np.asarray(shuffled[np.argsort(keys[shuffled], kind="stable")])


def _split(parts: list[Index], test: int) -> Split:
    val = (test + 1) % len(parts)
    train = np.sort(np.concatenate([part for number, part in enumerate(parts) if number not in (val, test)]))
    return Split(train, parts[val], parts[test])
