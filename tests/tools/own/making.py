"""Small folders of people's own data, one a format, made from a seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest

PEOPLE = 60
TASK = "nodes: {file: people.csv, label: club}\nedges: {file: knows.csv}\n"
MODULE = "import networkx as nx\n\ndef load():\n    return nx.karate_club_graph()\n"


def write(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write files into a folder; returns the path of its task file."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder / "task.yaml"


def people(seed: int = 0, count: int = PEOPLE) -> dict[str, str]:
    """People with numbers, empty cells, categories, dates, truths and text; whom they know; and which of two clubs they are in."""
    rng = np.random.default_rng(seed)
    club = rng.integers(2, size=count)
    rows = ["id,age,city,since,member,about,part,club"]
    parts = np.array(["train", "train", "train", "val", "test"])[np.arange(count) % 5]
    for i in range(count):
        age = "" if i % 9 == 4 else str(int(rng.integers(18, 90)) + 5 * club[i])
        city = ("Oslo", "Lima", "Kyoto")[int(rng.integers(3))]
        member = "yes" if rng.random() < 0.5 else "no"
        about = " ".join(rng.choice(["likes", "red", "blue", "cars", "trees", "old", "maps"], 5))
        rows.append(f"p{i:03},{age},{city},20{10 + i % 9}-0{1 + i % 8}-15,{member},{about},{parts[i]},{'ab'[club[i]]}")
    ends = rng.integers(count, size=(3 * count, 2))
    near = [(a, b) for a, b in ends if a != b and (club[a] == club[b] or rng.random() < 0.3)]
    edges = ["from,to,strength,how", *(f"p{a:03},p{b:03},{rng.random():.3f},{'work' if rng.random() < 0.5 else 'home'}" for a, b in near)]
    return {"task.yaml": TASK + "split: {column: part}\n", "people.csv": "\n".join(rows) + "\n", "knows.csv": "\n".join(edges) + "\n"}


def graphs(seed: int = 0, count: int = 24) -> dict[str, str]:
    """Rings and paths, a value for each; nodes are numbered within their graph."""
    rng = np.random.default_rng(seed)
    many, nodes, edges = ["name,energy,shape"], ["graph,atom,kind,charge"], ["graph,a,b,order"]
    for number in range(count):
        size, ring = int(rng.integers(3, 8)), number % 2
        many.append(f"g{number},{size + ring + rng.random() / 10:.3f},{'ring' if ring else 'path'}")
        nodes += [f"g{number},{i},{'CNO'[int(rng.integers(3))]},{rng.integers(-1, 2)}" for i in range(size)]
        edges += [f"g{number},{i},{(i + 1) % size},{1 + i % 2}" for i in range(size - 1 + ring)]
    task = (
        "graphs: {file: graphs.csv, id: name, label: energy}\nnodes: {file: atoms.csv, id: atom, graph: graph}\n"
        "edges: {file: bonds.csv, source: a, target: b, graph: graph, categories: order}\nsplit: {kind: random, count: 3}\n"
    )
    tables = {"graphs.csv": many, "atoms.csv": nodes, "bonds.csv": edges}
    return {"task.yaml": task, **{name: "\n".join(rows) + "\n" for name, rows in tables.items()}}


def karate() -> nx.Graph:
    """Zachary's club, with a number a member."""
    graph = nx.karate_club_graph()
    for node in graph:
        graph.nodes[node]["years"] = float(1 + node % 7)
    return graph


def arrays(seed: int = 0, count: int = PEOPLE) -> dict[str, Any]:
    """A graph of two classes as arrays, with masks."""
    rng = np.random.default_rng(seed)
    y = np.arange(count) % 2
    ends = rng.integers(count, size=(2, 4 * count))
    fifth = np.arange(count) // 2 % 5  # each holds both classes
    return {
        "x": rng.normal(size=(count, 4)).astype(np.float32) + y[:, None].astype(np.float32),
        "edge_index": np.concatenate([ends, ends[::-1]], 1),
        "y": y,
        "train_mask": fifth >= 2,
        "val_mask": fifth == 0,
        "test_mask": fifth == 1,
    }


def _markup(folder: Path, suffix: str) -> Path:
    writer = nx.write_graphml if suffix == "graphml" else nx.write_gml
    path = write(folder, {"task.yaml": f"source: club.{suffix}\nnodes: {{label: club}}\nsplit: {{count: 2}}\n"})
    writer(karate(), folder / f"club.{suffix}")
    return path


def _parquet(folder: Path) -> Path:
    import pandas as pd

    path = write(folder, {name: text.replace(".csv", ".parquet") for name, text in people().items()})
    for name in ("people", "knows"):
        pd.read_csv(folder / f"{name}.csv").to_parquet(folder / f"{name}.parquet")
        (folder / f"{name}.csv").unlink()
    return path


def _npz(folder: Path) -> Path:
    path = write(folder, {"task.yaml": "source: graph.npz\n"})
    np.savez(folder / "graph.npz", **arrays())
    return path


def _torch(folder: Path) -> Path:
    import torch
    from torch_geometric.data import Data

    path = write(folder, {"task.yaml": "source: graph.pt\n"})
    torch.save(Data(**{name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in arrays().items()}), folder / "graph.pt")
    return path


def molecules(count: int = 30) -> dict[str, str]:
    """Small molecules as SMILES with a value, a number and a category."""
    smiles = ("CCO", "c1ccccc1", "C/C=C/Cl", "N[C@@H](C)C(=O)O", "[NH4+].[Cl-]", "C#N", "CC(=O)Nc1ccc(O)cc1")
    rows = [f"m{i},{smiles[i % len(smiles)]},{i / 7 - 1:.3f},{i % 4},{('dry', 'wet')[i % 2]}" for i in range(count)]
    task = "graphs: {file: molecules.csv, id: name, smiles: smiles, label: solubility, features: [charge, state]}\n"
    return {"task.yaml": task, "molecules.csv": "\n".join(["name,smiles,solubility,charge,state", *rows]) + "\n"}


def _molecules(folder: Path) -> Path:
    pytest.importorskip("rdkit", reason="needs the extra molecules")
    return write(folder, molecules())


# Format -> what writes a folder of it and returns the path of its task file.
FORMATS: dict[str, Callable[[Path], Path]] = {
    "csv": lambda folder: write(folder, people()),
    "graphs": lambda folder: write(folder, graphs()),
    "parquet": _parquet,
    "graphml": lambda folder: _markup(folder, "graphml"),
    "gml": lambda folder: _markup(folder, "gml"),
    "npz": _npz,
    "pt": _torch,
    "smiles": _molecules,
}
