"""Loaded data equals what PyTorch Geometric's own loaders give, read from a copy so that the data tree stays clean."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from torch_geometric import datasets

from agentnas.tools.tasks import Task, load_task
from agentnas.tools.tasks.catalog import DATA_SETS, raw_folders

Loader = Callable[[str], Any]

CASES: dict[tuple[str, str | None], Loader] = {
    ("cora", None): lambda root: datasets.Planetoid(f"{root}/Planetoid", "Cora"),
    ("citeseer", None): lambda root: datasets.Planetoid(f"{root}/Planetoid", "CiteSeer"),
    ("cora", "geom-gcn"): lambda root: datasets.Planetoid(f"{root}/Planetoid", "Cora", split="geom-gcn"),
    ("citeseer", "geom-gcn"): lambda root: datasets.Planetoid(f"{root}/Planetoid", "CiteSeer", split="geom-gcn"),
    ("photo", None): lambda root: datasets.Amazon(f"{root}/Amazon", "Photo"),
    ("cs", None): lambda root: datasets.Coauthor(f"{root}/Coauthor", "CS"),
    ("texas", None): lambda root: datasets.WebKB(f"{root}/WebKB", "texas"),
    ("wisconsin", None): lambda root: datasets.WebKB(f"{root}/WebKB", "wisconsin"),
    ("actor", None): lambda root: datasets.Actor(f"{root}/Actor"),
    ("minesweeper", None): lambda root: datasets.HeterophilousGraphDataset(f"{root}/HeterophilousGraphDataset", "minesweeper"),
}


@pytest.fixture(params=CASES, ids=lambda case: case[0] + ("" if case[1] is None else f"-{case[1]}"))
def both(request: pytest.FixtureRequest, data_dir: Path, tmp_path: Path) -> tuple[Task, Any]:
    """The task, and what PyG makes of a copy of the same raw files."""
    name, split = request.param
    described = DATA_SETS[name]
    folder = raw_folders(described, split or described.splits[0])[0]
    shutil.copytree(data_dir / folder, tmp_path / folder)
    (tmp_path / folder).chmod(0o755)
    (tmp_path / folder).parent.chmod(0o755)
    return load_task(name, data_dir=tmp_path, split=split, download=False), CASES[request.param](str(tmp_path))[0]


def test_features_edges_labels_and_masks_are_equal(both: tuple[Task, Any]) -> None:
    task, theirs = both
    data = task.data
    assert data is not None
    x = data.x.toarray() if sp.issparse(data.x) else data.x
    assert x.dtype == np.float32
    assert np.array_equal(x, theirs.x.numpy())
    source, target = theirs.edge_index.numpy()
    order = np.lexsort((target, source))
    assert np.array_equal(data.edge_index, np.stack([source, target])[:, order])
    labelled = data.y >= 0
    assert np.array_equal(data.y[labelled], theirs.y.numpy()[labelled])
    # PyG gives unlabelled nodes the class 0.
    assert not theirs.y.numpy()[~labelled].any()
    if "train_mask" in theirs:
        _assert_masks_equal(task, theirs, labelled)


def _assert_masks_equal(task: Task, theirs: Any, labelled: np.ndarray) -> None:
    masks = [theirs[name].numpy().astype(bool).reshape(len(labelled), -1) for name in ("train_mask", "val_mask", "test_mask")]
    assert masks[0].shape[1] == task.num_splits
    for seed in range(task.num_splits):
        split = task.split(seed)
        for ours, mask in zip((split.train, split.val, split.test), masks, strict=True):
            assert np.array_equal(ours, np.flatnonzero(mask[:, seed] & labelled))


def test_citeseer_has_15_unlabelled_nodes_and_none_is_in_a_split(data_dir: Path) -> None:
    for split in ("public", "random", "geom-gcn"):
        task = load_task("citeseer", data_dir=data_dir, split=split, download=False)
        assert task.data is not None
        assert int((task.data.y == -1).sum()) == 15
        for part in task.splits:
            assert (task.data.y[np.concatenate([part.train, part.val, part.test])] >= 0).all()
