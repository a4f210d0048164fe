"""Data sets of the Open Graph Benchmark: read by its own loader, judged by its metric on its splits, molecules one-hot, kept as arrays.

The package is not at hand: classes stand in for its loaders.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest

from agentnas.tools.errors import DataError
from agentnas.tools.own.codes import ATOMS, BONDS, of_atoms, of_bonds
from agentnas.tools.own.ogb import KEPT
from agentnas.tools.tasks import load_task
from agentnas.tools.tasks.base import Task
from tests.tools.own.making import arrays, write

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "own-data.md").read_text(encoding="utf-8")


def loaded(path: Path, **more: object) -> Task:
    return load_task(str(path), **more)  # type: ignore[arg-type]


def source(folder: Path, name: str, more: str = "") -> Path:
    return write(folder, {"task.yaml": f"source: ogb:{name}\n{more}"})


def instead_of_ogb(monkeypatch: pytest.MonkeyPatch, loader: type) -> None:
    """The package is not at hand in tests: a module in its place gives what its loader gives."""
    monkeypatch.setitem(sys.modules, "ogb", ModuleType("ogb"))
    for name in ("Node", "Graph", "Link"):
        module = ModuleType(f"ogb.{name.lower()}proppred")
        setattr(module, f"{name}PropPredDataset", loader)
        monkeypatch.setitem(sys.modules, module.__name__, module)


def test_ogb_is_read_through_its_own_loader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = arrays()

    class Nodes:
        def __init__(self, name: str, root: str) -> None:
            assert (name, Path(root).name) == ("ogbn-arxiv", "OGB")

        def __getitem__(self, number: int) -> tuple[dict[str, object], np.ndarray]:
            graph = {"edge_index": made["edge_index"], "node_feat": made["x"], "edge_feat": None, "num_nodes": len(made["y"])}
            return graph, made["y"][:, None]

        def get_idx_split(self) -> dict[str, np.ndarray]:
            return {part: np.flatnonzero(made[f"{mask}_mask"]) for part, mask in (("train", "train"), ("valid", "val"), ("test", "test"))}

    instead_of_ogb(monkeypatch, Nodes)
    task = loaded(write(tmp_path, {"task.yaml": "source: ogb:ogbn-arxiv\n"}))
    assert task.data is not None
    assert np.array_equal(task.data.y, made["y"])
    assert task.split(0).test.tolist() == np.flatnonzero(made["test_mask"]).tolist()


class Stored:
    """As the package's loader goes about its files: raw tables are read once, a pickle of the newest protocol is read ever after."""

    made: ClassVar[list[str]] = []
    task_type = "multiclass classification"
    labels: Any = np.arange(60) % 2

    def __init__(self, name: str, root: str) -> None:
        import torch

        self.meta = Path(root, name.replace("-", "_"))
        kept, raw = self.meta / "processed" / "data_processed", self.meta / "raw" / "edge.csv.gz"
        if kept.exists():
            self.graph = torch.load(kept)["graph"]
            return
        self.made.append(name)
        sys.stdout.write("Loading necessary files...")
        kept.parent.mkdir(parents=True, exist_ok=True)
        raw.parent.mkdir(exist_ok=True)
        pd.DataFrame(arrays()["edge_index"].T).to_csv(raw, header=False, index=False)
        ends = pd.read_csv(raw, header=None).to_numpy().T
        self.graph = {"edge_index": ends, "node_feat": arrays()["x"], "edge_feat": None, "num_nodes": 60}
        torch.save({"graph": self.graph, "labels": self.labels}, kept, pickle_protocol=4)

    def __getitem__(self, number: int) -> tuple[dict[str, object], np.ndarray]:
        return self.graph, self.labels.reshape(60, -1)

    def __len__(self) -> int:
        return 1

    def get_idx_split(self) -> dict[str, np.ndarray]:
        return {part: np.flatnonzero(arrays()[f"{mask}_mask"]) for part, mask in (("train", "train"), ("valid", "val"), ("test", "test"))}


class Paths:
    """Thirty paths of three to five nodes, the number of each node as its feature."""

    eval_metric, task_type, meta_info = "rocauc", "binary classification", pd.Series({"split": "scaffold"})
    labels: Any = np.arange(30)[:, None] % 2

    def __init__(self, name: str, root: str) -> None:
        self.name = name

    def __len__(self) -> int:
        return 30

    def __getitem__(self, number: int) -> tuple[dict[str, object], np.ndarray]:
        if number >= len(self):
            raise IndexError(number)
        nodes = np.arange(3 + number % 3)
        ends = np.stack([nodes[:-1], nodes[1:]])
        return {"edge_index": np.concatenate([ends, ends[::-1]], 1), **self.said(nodes), "num_nodes": len(nodes)}, self.labels[number]

    def said(self, nodes: np.ndarray) -> dict[str, Any]:
        return {"node_feat": nodes[:, None], "edge_feat": None}

    def get_idx_split(self) -> dict[str, np.ndarray]:
        return {"train": np.arange(20), "valid": np.arange(20, 25), "test": np.arange(25, 30)}


def test_graphs_of_ogb_stand_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    instead_of_ogb(monkeypatch, Paths)
    task = loaded(source(tmp_path, "ogbg-made"), data_dir=tmp_path)
    assert task.data is not None
    assert task.data.graph_of is not None
    sizes = [3 + number % 3 for number in range(30)]
    assert np.bincount(task.data.graph_of).tolist() == sizes
    assert task.data.x[:, 0].tolist() == [node for size in sizes for node in range(size)]
    assert task.data.num_edges == 2 * sum(size - 1 for size in sizes)
    assert (task.kind, task.data.y.tolist(), task.splits[0].sizes) == ("graph", [0, 1] * 15, (20, 5, 5))


class Molecules(Paths):
    """Paths whose atoms and bonds are codes."""

    def said(self, nodes: np.ndarray) -> dict[str, Any]:
        atoms = np.array([[5 + node, 0, 1 + node % 2, 5, 3, 0, 2, node % 2, 0] for node in nodes])
        bonds = np.array([[node % 2, 0, 1] for node in nodes[1:]])
        return {"node_feat": atoms, "edge_feat": np.concatenate([bonds, bonds])}


def test_atoms_and_bonds_of_molecules_are_one_hot_and_kept_as_codes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    instead_of_ogb(monkeypatch, Molecules)
    first, again = (loaded(source(tmp_path, "ogbg-molmade"), data_dir=tmp_path) for _ in range(2))
    assert first.fingerprint == again.fingerprint
    data = first.data
    assert data is not None
    assert data.edge_attr is not None
    atoms = data.x.toarray()
    assert (atoms.shape[1], set(atoms.sum(axis=1))) == (sum(ATOMS.values()), {float(len(ATOMS))})
    assert np.flatnonzero(atoms[1]).tolist() == [6, 119, 126, 141, 151, 158, 166, 171, 172]
    assert (data.edge_attr.shape[1], set(data.edge_attr.sum(axis=1))) == (sum(BONDS.values()), {float(len(BONDS))})
    with np.load(tmp_path / "OGB" / "ogbg_molmade" / KEPT) as kept:
        assert (kept["x"].shape[1], kept["edge_attr"].shape[1], kept["x"].dtype) == (9, 3, np.uint8)


def test_codes_beyond_the_vocabulary_share_the_last_place_and_other_features_stay() -> None:
    beyond = of_atoms(np.full((2, 9), 200))
    assert beyond.indices[:9].tolist() == (np.cumsum(list(ATOMS.values())) - 1).tolist()
    assert of_bonds(np.array([[4, 5, 1]])).tolist() == [[0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 1]]
    for other in (np.ones((3, 9)), np.ones((3, 8), np.int64), np.full((3, 9), -1)):
        assert of_atoms(other) is other


def test_the_vocabulary_is_that_of_the_package() -> None:
    features = pytest.importorskip("ogb.utils.features", reason="needs the extra ogb")
    assert list(ATOMS.values()) == features.get_atom_feature_dims()
    assert list(BONDS.values()) == features.get_bond_feature_dims()


def test_the_page_tells_the_vocabulary() -> None:
    for table in (ATOMS, BONDS):
        for name, codes in table.items():
            assert re.search(rf"\b{re.escape(name)} {codes}\b", PAGE), name


def _labels(columns: int) -> np.ndarray:
    """Labels of thirty items, each both 0 and 1 in every part, some not known."""
    made = (np.arange(30)[:, None] + np.arange(columns)) % 2 * 1.0
    made[::7, 0] = np.nan
    return made


JUDGED: dict[str, tuple[Any, str, str, str]] = {  # name -> labels, its metric in the package, what it is split by, ours
    "ogbg-molhiv": ((np.arange(30) % 5 == 0)[:, None] * 1, "rocauc", "scaffold", "roc_auc"),
    "ogbg-molbace": (np.arange(30)[:, None] % 2, "rocauc", "scaffold", "roc_auc"),
    "ogbg-molpcba": (_labels(3), "ap", "scaffold", "ap"),
    "ogbg-molmuv": (_labels(3), "prcauc", "scaffold", "ap"),
    "ogbg-moltox21": (_labels(3), "rocauc", "scaffold", "roc_auc"),
    "ogbg-molesol": (np.arange(30)[:, None] / 7, "rmse", "scaffold", "rmse"),
    "ogbg-ppa": (np.arange(30)[:, None] % 3, "acc", "species", "accuracy"),
    "ogbn-arxiv": (np.arange(60) % 4, "acc", "time", "accuracy"),
    "ogbn-products": (np.arange(60) % 4, "acc", "sales_ranking", "accuracy"),
    "ogbn-proteins": ((np.arange(60)[:, None] + np.arange(3)) % 2, "rocauc", "species", "roc_auc"),
}


@pytest.mark.parametrize("name", JUDGED)
def test_a_data_set_is_judged_as_its_publishers_do_on_their_split(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labels, metric, split, ours = JUDGED[name]
    loader = Stored if name.startswith("ogbn") else Paths
    aim = "regression" if ours == "rmse" else "classification"
    for key, value in (("labels", labels), ("eval_metric", metric), ("meta_info", pd.Series({"split": split})), ("task_type", aim)):
        monkeypatch.setattr(loader, key, value, raising=False)
    instead_of_ogb(monkeypatch, loader)
    first, again = (loaded(source(tmp_path, name), data_dir=tmp_path) for _ in range(2))
    assert (first.metric.name, again.metric.name) == (ours, ours)
    assert first.protocol.startswith(f"1 split of the source by {split.replace('_', ' ')}, ")
    assert again.protocol == first.protocol


def test_what_the_file_says_goes_before_what_the_publishers_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stored, "eval_metric", "acc", raising=False)
    instead_of_ogb(monkeypatch, Stored)
    task = loaded(source(tmp_path, "ogbn-made", "metric: macro_f1\nsplit: {kind: random, count: 2}\n"), data_dir=tmp_path)
    assert (task.metric.name, task.num_splits) == ("macro_f1", 2)
    valued = loaded(source(tmp_path, "ogbn-made", "target: value\n"), data_dir=tmp_path)
    assert valued.metric.name == "rmse", "accuracy does not fit a value"
    linked = loaded(source(tmp_path, "ogbn-made", "kind: link\n"), data_dir=tmp_path)
    assert (linked.kind, linked.metric.name) == ("link", "roc_auc"), "the publishers' metric is of what they predict"


@pytest.mark.parametrize("version", [None, 1, 99])
def test_what_another_version_kept_is_made_anew(
    version: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Stored, "made", [])
    instead_of_ogb(monkeypatch, Stored)
    kept = tmp_path / "OGB" / "ogbn_made" / KEPT
    kept.parent.mkdir(parents=True)
    said: dict[str, Any] = {} if version is None else {"version": version}
    np.savez(kept, edge_index=np.zeros((2, 1), int), **said)
    first, again = (loaded(source(tmp_path, "ogbn-made"), data_dir=tmp_path) for _ in range(2))
    assert (first.fingerprint, Stored.made) == (again.fingerprint, ["ogbn-made"])
    lines = [line for line in capsys.readouterr().err.splitlines() if "another version" in line]
    assert lines == ["source ogb:ogbn-made: agentnas.npz was kept by another version and is made anew"]


def test_ogb_is_read_again_from_what_was_kept_as_arrays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Stored, "made", [])
    instead_of_ogb(monkeypatch, Stored)
    path, data_dir = write(tmp_path, {"task.yaml": "source: ogb:ogbn-arxiv\n"}), tmp_path / "data"
    first, again = (loaded(path, data_dir=data_dir) for _ in range(2))
    assert (first.fingerprint, Stored.made) == (again.fingerprint, ["ogbn-arxiv"])
    assert capsys.readouterr().out == "", "what the package prints is no answer of a command"
    (data_dir / "OGB" / "ogbn_arxiv" / "agentnas.npz").unlink()  # as where the package was used before: its pickle alone is there
    assert loaded(path, data_dir=data_dir).fingerprint == first.fingerprint
    (data_dir / "OGB" / "ogbn_arxiv" / "agentnas.npz").write_bytes(b"junk")
    with pytest.raises(DataError, match=r"source ogb:ogbn-arxiv: .*; its files are looked for in"):
        loaded(path, data_dir=data_dir)


@pytest.mark.parametrize(
    ("aim", "labels", "expected"),
    [
        ("multiclass classification", np.where(np.arange(60) % 7, np.arange(60) % 2, np.nan), ("classes", 2)),
        ("regression", np.arange(60), ("value", 1)),
        ("regression", np.arange(60) / 7, ("value", 1)),
    ],
)
def test_labels_of_ogb_are_what_the_data_set_is_for(
    aim: str, labels: np.ndarray, expected: tuple[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Stored, "task_type", aim)
    monkeypatch.setattr(Stored, "labels", labels)
    instead_of_ogb(monkeypatch, Stored)
    task = loaded(write(tmp_path, {"task.yaml": "source: ogb:ogbn-made\n"}), data_dir=tmp_path / "data")
    assert task.data is not None
    assert (task.target, task.data.num_classes) == expected
    assert int(task.data.labelled.sum()) == int(np.isfinite(labels).sum())


def test_what_ogb_asks_and_what_is_not_read_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def asks(name: str, root: str) -> None:
        raise EOFError("EOF when reading a line")

    path = write(tmp_path, {"task.yaml": "source: ogb:ogbg-made\n"})
    monkeypatch.setattr(Stored, "task_type", "subtoken prediction")
    for loader, line in ((asks, "the package asked for a yes, as it does before large downloads; say y"), (Stored, "words in a row")):
        instead_of_ogb(monkeypatch, loader)  # type: ignore[arg-type]
        with pytest.raises(DataError, match=f"source ogb:ogbg-made: .*{line}"):
            loaded(path, data_dir=tmp_path / "data")
