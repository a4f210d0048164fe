"""Which tasks exist, where their files lie, and what a sound copy of them counts. Needs nothing but the standard library."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

from agentnas.tools.errors import UsageError, suggest
from agentnas.tools.tasks import generated, powerlaw

Family = Literal["planetoid", "npz", "webkb", "actor", "heterophilous", "digits", "powerlaw", "generated", "tu", "seal", "molecules"]

PLANETOID_PARTS = ("x", "tx", "allx", "y", "ty", "ally", "graph", "test.index")
TABLE_PREFIX = "nasbench:"
TABLES = ("cora", "citeseer", "pubmed", "cs", "physics", "photo", "computers", "arxiv", "proteins")

_PLANETOID_URL = "https://github.com/kimiyoung/planetoid/raw/master/data"
_GEOM_GCN_URL = "https://raw.githubusercontent.com/graphdml-uiuc-jlu/geom-gcn/master"
_SHCHUR_URL = "https://github.com/shchur/gnn-benchmark/raw/master/data/npz"
_TU_URL = "https://www.chrsmrrs.com/graphkerneldatasets"
_SEAL_URL = "https://raw.githubusercontent.com/muhanzhang/SEAL/master/Python/data"
_MOLECULES_URL = "https://deepchemdata.s3-us-west-1.amazonaws.com/datasets"
_YANDEX_URL = "https://github.com/yandex-research/heterophilous-graphs/raw/main/data"


@dataclass(frozen=True)
class DataSet:
    """One data set: its files in the raw layout of PyTorch Geometric, its counts after loading, its splits (the first is the default).

    ``folder`` is where PyTorch Geometric puts it below its usual root; ``stem`` is what its file names begin with.
    ``edges`` counts directed edges, after loading. ``items`` are graphs of a set, or edges that can be predicted; 0: the nodes are.
    """

    name: str
    family: Family
    folder: str
    stem: str
    nodes: int
    edges: int
    features: int
    classes: int
    splits: tuple[str, ...]
    metric: Literal["accuracy", "roc_auc", "rmse"] = "accuracy"
    items: int = 0
    files: tuple[str, ...] = ()

    @property
    def kind(self) -> Literal["node", "graph", "link"]:
        """What is predicted: something of nodes, of graphs, or of pairs of nodes."""
        if self.splits == ("links",):
            return "link"
        return "graph" if self.family in ("tu", "molecules") else "node"


@dataclass(frozen=True)
class RemoteFile:
    """A raw file: its name in the raw folder and the address that it is hosted at; ``archive.zip#member``: inside of that archive."""

    name: str
    url: str


def _graphs(name: str, stem: str, nodes: int, edges: int, features: int, classes: int, items: int, *more: str) -> DataSet:
    files = tuple(f"{stem}_{part}.txt" for part in ("A", "graph_indicator", "graph_labels", *more))
    return DataSet(name, "tu", f"TUDataset/{stem}", stem, nodes, edges, features, classes, ("folds",), "accuracy", items, files)


def _links(name: str, family: Family, folder: str, stem: str, nodes: int, edges: int, features: int) -> DataSet:
    return DataSet(name, family, folder, stem, nodes, edges, features, 1, ("links",), "roc_auc", edges // 2)


def _molecules(name: str, stem: str, nodes: int, edges: int, items: int) -> DataSet:
    return DataSet(name, "molecules", f"MoleculeNet/{name}", stem, nodes, edges, 51, 1, ("random", "scaffold"), "rmse", items)


_CITATION = ("public", "random", "geom-gcn")
_GEOM = ("geom-gcn", "random")

DATA_SETS: dict[str, DataSet] = {
    data.name: data
    for data in (
        DataSet("cora", "planetoid", "Planetoid/Cora", "cora", 2708, 10556, 1433, 7, _CITATION),
        DataSet("citeseer", "planetoid", "Planetoid/CiteSeer", "citeseer", 3327, 9104, 3703, 6, _CITATION),
        DataSet("pubmed", "planetoid", "Planetoid/PubMed", "pubmed", 19717, 88648, 500, 3, _CITATION),
        DataSet("photo", "npz", "Amazon/Photo", "amazon_electronics_photo", 7650, 238162, 745, 8, ("random",)),
        DataSet("cs", "npz", "Coauthor/CS", "ms_academic_cs", 18333, 163788, 6805, 15, ("random",)),
        DataSet("texas", "webkb", "WebKB/texas", "texas", 183, 325, 1703, 5, _GEOM),
        DataSet("wisconsin", "webkb", "WebKB/wisconsin", "wisconsin", 251, 515, 1703, 5, _GEOM),
        DataSet("actor", "actor", "Actor", "film", 7600, 30019, 932, 5, _GEOM),
        DataSet(
            "minesweeper",
            "heterophilous",
            "HeterophilousGraphDataset/minesweeper",
            "minesweeper",
            *(10000, 78804, 7, 2),
            splits=("own", "random"),
            metric="roc_auc",
        ),
        DataSet("digits", "digits", "", "digits", 1797, 12618, 64, 10, ("random",)),
        _graphs("mutag", "MUTAG", 3371, 7442, 7, 2, 188, "edge_labels", "node_labels"),
        _graphs("proteins", "PROTEINS", 43471, 162088, 4, 2, 1113, "node_attributes", "node_labels"),
        _graphs("enzymes", "ENZYMES", 19580, 74564, 21, 6, 600, "node_attributes", "node_labels"),
        _graphs("imdb-binary", "IMDB-BINARY", 19773, 193062, 136, 2, 1000),
        _molecules("esol", "delaney-processed", 14991, 30856, 1128),
        _molecules("freesolv", "SAMPL", 5600, 10770, 642),
        _links("cora-links", "planetoid", "Planetoid/Cora", "cora", 2708, 10556, 1433),
        _links("citeseer-links", "planetoid", "Planetoid/CiteSeer", "citeseer", 3327, 9104, 3703),
        _links("pubmed-links", "planetoid", "Planetoid/PubMed", "pubmed", 19717, 88648, 500),
        _links("usair", "seal", "SEAL", "USAir", 332, 4252, 332),
        _links("ns", "seal", "SEAL", "NS", 1589, 5484, 1589),
    )
}

# First 16 digits of the fingerprint of the data that the counts above were taken from.
FINGERPRINTS = {
    "cora": "70b0bb3d354eb701",
    "citeseer": "939db262eecfffb4",
    "photo": "e3793e17927dd6b9",
    "cs": "fe12369ddf1b4aff",
    "texas": "329b66853991f743",
    "wisconsin": "b7ddffd592d282fe",
    "actor": "4111e602a9312e34",
    "minesweeper": "b19425e912cf259f",
    "digits": "0d7fca94038a6146",
    "cora-links": "16bf03ef7aa54d91",
    "citeseer-links": "8afda18e38d19a01",
    "usair": "00480ad7dabc81d8",
    "ns": "d6add2a3ee0f2871",
    "mutag": "8ea7eb535843d944",
    "proteins": "64084aaa0f651a11",
    "enzymes": "aeb1a54c62599a72",
    "imdb-binary": "bdc2d345e8458afb",
    "esol": "6e3c7458b8737537",
    "freesolv": "9b2e382e21a534a7",
}


def task_names() -> tuple[str, ...]:
    """The names of data sets, then of table tasks. ``load_task`` also knows ``powerlaw:`` and ``generated:`` names, which are countless."""
    return (*DATA_SETS, *(TABLE_PREFIX + name for name in TABLES))


def is_task_file(name: str) -> bool:
    """Whether a task's name is the path of a task file, which need not exist."""
    return name.lower().endswith((".yaml", ".yml"))


def data_set(name: str) -> DataSet:
    """The data set of that name; UsageError names the nearest ones, or what is wrong with the settings in the name."""
    if name.startswith(powerlaw.PREFIX):
        made = powerlaw.parse(name)
        return DataSet(made.name, "powerlaw", "", "powerlaw", made.nodes, 2 * made.pairs, made.features, made.classes, ("random",))
    if name.startswith(generated.PREFIX):
        one = generated.parse(name)
        _, score, outputs = generated.FAMILIES[one.family]
        width = one.features if one.family != "hetero" else 2 * one.features + 2
        return DataSet(one.name, "generated", "", "generated", one.nodes, one.edges, width, outputs, ("random",), score)
    if name not in DATA_SETS:
        raise UsageError(f"task {name!r} does not exist; {suggest(name, task_names())}{_as_file(name)}")
    return DATA_SETS[name]


def _as_file(name: str) -> str:
    """What to say of a name that is a folder, or looks like a path."""
    if os.path.isdir(name):  # unlike a Path's, it answers to a name of any length
        inside = os.path.join(name, "task.yaml")
        return f", and it is a folder: {f'give {inside}' if os.path.isfile(inside) else f'agentnas tasks init {name} writes a task file'}"
    return "; data of your own are a task file, which ends with .yaml" if "/" in name or "\\" in name or "." in name else ""


def raw_folders(data: DataSet, split: str) -> tuple[str, ...]:
    """Folders, relative to a data root, that may hold the raw files: PyG's usual root first, then the data set's own root."""
    tail = "/geom-gcn/raw" if data.family == "planetoid" and split == "geom-gcn" else "/raw"
    own = data.folder.rsplit("/", 1)[-1]
    if data.family == "seal":
        return (data.folder, data.folder + "/raw")
    return tuple(dict.fromkeys((data.folder + tail, own + tail)))


def raw_files(data: DataSet, split: str) -> tuple[RemoteFile, ...]:
    """The files that one data set and split need."""
    if data.family == "planetoid":
        parts = tuple(RemoteFile(f"ind.{data.stem}.{part}", f"{_PLANETOID_URL}/ind.{data.stem}.{part}") for part in PLANETOID_PARTS)
        return parts + (_split_files(data) if split == "geom-gcn" else ())
    if data.family == "npz":
        return (RemoteFile(f"{data.stem}.npz", f"{_SHCHUR_URL}/{data.stem}.npz"),)
    if data.family == "heterophilous":
        return (RemoteFile(f"{data.stem}.npz", f"{_YANDEX_URL}/{data.stem}.npz"),)
    if data.family == "tu":
        return tuple(RemoteFile(name, f"{_TU_URL}/{data.stem}.zip#{data.stem}/{name}") for name in data.files)
    if data.family == "seal":
        return (RemoteFile(f"{data.stem}.mat", f"{_SEAL_URL}/{data.stem}.mat"),)
    if data.family == "molecules":
        return (RemoteFile(f"{data.stem}.csv", f"{_MOLECULES_URL}/{data.stem}.csv"),)
    if data.family in ("webkb", "actor"):
        texts = ("out1_node_feature_label.txt", "out1_graph_edges.txt")
        return tuple(RemoteFile(name, f"{_GEOM_GCN_URL}/new_data/{data.stem}/{name}") for name in texts) + _split_files(data)
    return ()


def split_file(data: DataSet, number: int) -> str:
    """File name of one of the ten geom-gcn splits."""
    return f"{data.stem}_split_0.6_0.2_{number}.npz"


def _split_files(data: DataSet) -> tuple[RemoteFile, ...]:
    names = (split_file(data, number) for number in range(10))
    return tuple(RemoteFile(name, f"{_GEOM_GCN_URL}/splits/{name}") for name in names)
