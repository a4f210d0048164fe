"""Which nodes are trained on, chosen by, and tested on: the public split, random class-balanced splits, and splits that ship as masks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentnas.tools.errors import DataError, UsageError, suggest
from agentnas.tools.tasks.base import GraphData, Index, Split
from agentnas.tools.tasks.catalog import DataSet, split_file
from agentnas.tools.tasks.folds import folds, random_shares, scaffold_split
from agentnas.tools.tasks.molecule_sets import read_scaffolds
from agentnas.tools.tasks.pickles import read_pickle
from agentnas.tools.tasks.readers import read_npz, read_test_index

RANDOM_SPLITS = 10
TRAIN_PER_CLASS, VAL_PER_CLASS = 20, 30
LINKS = (5, 10, 1)  # percent of the edges in validation and test, pairs without an edge to each of them
_RANDOM = re.compile(r"random:(\d{1,6})/(\d{1,6})")
_LINKS = re.compile(r"links:(\d{1,2})/(\d{1,2})(?:/(\d{1,4}))?")
NUMBERED = {"random": "random:TRAIN_PER_CLASS/VAL_PER_CLASS", "links": "links:VAL_PERCENT/TEST_PERCENT[/NEGATIVES]"}


@dataclass(frozen=True)
class SplitRequest:
    """A parsed ``split`` argument; the numbers per class matter for random splits only, those of edges for links only: percent that is
    validated and tested on, and pairs without an edge to each of these."""

    kind: str
    train_per_class: int = TRAIN_PER_CLASS
    val_per_class: int = VAL_PER_CLASS
    links: tuple[int, int, int] = LINKS

    @property
    def text(self) -> str:
        if self.links != LINKS:
            return f"{self.kind}:{'/'.join(map(str, self.links if self.links[2] != 1 else self.links[:2]))}"
        usual = (self.train_per_class, self.val_per_class) == (TRAIN_PER_CLASS, VAL_PER_CLASS)
        return self.kind if usual else f"{self.kind}:{self.train_per_class}/{self.val_per_class}"


def parse_split(data: DataSet, text: str | None) -> SplitRequest:
    """What the person asked for, or the data set's default; UsageError lists what this data set has."""
    if text is None:
        return SplitRequest(data.splits[0])
    match = _RANDOM.fullmatch(text)
    per_class = "random" in data.splits and data.family != "molecules"
    if match and int(match[1]) and int(match[2]) and per_class:
        return SplitRequest("random", int(match[1]), int(match[2]))
    match = _LINKS.fullmatch(text)
    if match and "links" in data.splits:
        return SplitRequest("links", links=(int(match[1]), int(match[2]), int(match[3] or 1)))
    kind = text.partition(":")[0]
    if kind in data.splits and kind in NUMBERED and ":" in text:
        raise UsageError(f"split {text!r} does not exist for {data.name}; allowed: {kind}, {NUMBERED[kind]}")
    if text not in data.splits:
        allowed = [*data.splits, *(how for kind, how in NUMBERED.items() if kind in data.splits and (kind != "random" or per_class))]
        raise UsageError(f"split {text!r} does not exist for {data.name}; {suggest(text, allowed)}")
    return SplitRequest(text)


def make_splits(data: DataSet, request: SplitRequest, loaded: GraphData, folder: Path | None) -> tuple[tuple[Split, ...], str]:
    """The splits and the protocol line that describes them; unlabelled nodes are in none of them."""
    if data.family == "molecules":
        return _molecules(data, request, loaded, folder)
    if request.kind == "random":
        splits = tuple(random_split(loaded.y, request, seed) for seed in range(RANDOM_SPLITS))
        rule = f"{request.train_per_class}/{request.val_per_class}/rest per class"
        return splits, f"{len(splits)} random splits, {rule}, {sizes_text(splits)}"
    if request.kind == "folds":
        splits = folds(loaded.y, loaded.labelled)
        return splits, f"{len(splits)} stratified folds, one to choose by and one to test on, {sizes_text(splits)}"
    assert folder is not None, "only random splits need no files"
    if request.kind == "public":
        splits = (_public(data, folder, loaded.y),)
        return splits, f"public split, {sizes_text(splits)}"
    splits = _geom_gcn(data, folder, loaded.y) if request.kind == "geom-gcn" else _own(data, folder, loaded.y)
    name = "geom-gcn splits" if request.kind == "geom-gcn" else "splits of the data set"
    return splits, f"{len(splits)} {name}, {sizes_text(splits)}"


def _molecules(data: DataSet, request: SplitRequest, loaded: GraphData, folder: Path | None) -> tuple[tuple[Split, ...], str]:
    if request.kind == "random":
        splits = tuple(random_shares(loaded.labelled, seed) for seed in range(RANDOM_SPLITS))
        return splits, f"{len(splits)} random splits, 80/10/10 %, {sizes_text(splits)}"
    assert folder is not None
    splits = (scaffold_split(read_scaffolds(data, folder), loaded.labelled),)
    return splits, f"scaffold split (Bemis-Murcko), 80/10/10 %, {sizes_text(splits)}"


def sizes_text(splits: tuple[Split, ...]) -> str:
    """``train/val/test`` node counts, as ranges where the splits differ."""
    columns = zip(*(split.sizes for split in splits), strict=True)
    return "/".join(str(min(sizes)) if min(sizes) == max(sizes) else f"{min(sizes)}-{max(sizes)}" for sizes in columns)


def random_split(y: Index, request: SplitRequest, seed: int) -> Split:
    """A class-balanced split; the same seed gives the same split on every machine (PCG64)."""
    rng = np.random.Generator(np.random.PCG64(seed))
    train, val, test = [], [], []
    for label in range(int(y.max()) + 1):
        nodes = rng.permutation(np.flatnonzero(y == label))
        middle, end = request.train_per_class, request.train_per_class + request.val_per_class
        if len(nodes) <= end:
            raise UsageError(
                f"split random:{middle}/{request.val_per_class} needs more than {end} nodes in each class, class {label} has"
                f" {len(nodes)}; give smaller numbers as random:TRAIN_PER_CLASS/VAL_PER_CLASS, or another split"
            )
        train.append(nodes[:middle])
        val.append(nodes[middle:end])
        test.append(nodes[end:])
    return Split(*(np.sort(np.concatenate(part)) for part in (train, val, test)))


def _public(data: DataSet, folder: Path, y: Index) -> Split:
    path = folder / f"ind.{data.stem}.y"
    labels = read_pickle(path, "a pickled array of one-hot labels")
    test = np.sort(read_test_index(data, folder))
    if not isinstance(labels, np.ndarray) or labels.ndim != 2 or not 0 < len(labels) <= test.min() - 500:
        raise DataError(f"{path}: expected one-hot labels of at most {test.min() - 500} training nodes")
    train, val = np.arange(len(labels)), np.arange(len(labels), len(labels) + 500)
    return _labelled(Split(train, val, test), y)


def _geom_gcn(data: DataSet, folder: Path, y: Index) -> tuple[Split, ...]:
    names = ("train_mask", "val_mask", "test_mask")
    splits = []
    for number in range(10):
        path = folder / split_file(data, number)
        arrays = read_npz(path, names, "an .npz with train_mask, val_mask and test_mask")
        splits.append(_from_masks([arrays[name] for name in names], y, path))
    return tuple(splits)


def _own(data: DataSet, folder: Path, y: Index) -> tuple[Split, ...]:
    path, names = folder / f"{data.stem}.npz", ("train_masks", "val_masks", "test_masks")
    arrays = read_npz(path, names, "an .npz with train_masks, val_masks and test_masks")
    masks = [arrays[name] for name in names]
    if any(mask.ndim != 2 or mask.shape != masks[0].shape or not len(mask) for mask in masks):
        raise DataError(f"{path}: expected masks [splits, nodes]")
    return tuple(_from_masks([mask[number] for mask in masks], y, path) for number in range(len(masks[0])))


def _from_masks(masks: list[NDArray[Any]], y: Index, path: Path) -> Split:
    if any(mask.shape != y.shape or mask.dtype.kind not in "biu" or not np.isin(mask, (0, 1)).all() for mask in masks):
        raise DataError(f"{path}: expected masks of 0 and 1 for {len(y)} nodes")
    if (np.sum(masks, axis=0, dtype=np.int64) > 1).any():
        raise DataError(f"{path}: a node is in two parts of the split")
    split = _labelled(Split(*(np.flatnonzero(mask) for mask in masks)), y)
    if not all(split.sizes):
        raise DataError(f"{path}: a part of the split is empty")
    return split


def _labelled(split: Split, y: Index) -> Split:
    return Split(*(part[y[part] >= 0].astype(np.int64) for part in (split.train, split.val, split.test)))
