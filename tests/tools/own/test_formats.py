"""Every format becomes the same kind of task, and the data in it are those that were written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from agentnas.tools import packed
from agentnas.tools.errors import AgentNASError, UsageError
from agentnas.tools.own.looking import look
from agentnas.tools.tasks import load_task, make_card
from agentnas.tools.tasks.base import Task
from tests.tools.own.making import FORMATS, arrays, graphs, karate, people, write


def loaded(path: Path, **more: object) -> Task:
    return load_task(str(path), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_is_a_task_that_can_be_trained_on_packed_and_described(name: str, tmp_path: Path) -> None:
    task = loaded(FORMATS[name](tmp_path / "mine"))
    assert task.data is not None
    assert task.name == "mine"
    assert task.reference == str(tmp_path / "mine" / "task.yaml")
    again = packed.task_from(*packed.arrays_of(task))
    assert (again.file, again.data.class_names) == (task.file, task.data.class_names)  # type: ignore[union-attr]
    assert again.fingerprint == task.fingerprint
    assert again.data.fingerprint() == task.data.fingerprint()  # type: ignore[union-attr]
    assert "mine" in make_card(task).text()


def test_a_table_of_nodes_and_one_of_edges(tmp_path: Path) -> None:
    task = loaded(write(tmp_path, people()))
    data = task.data
    assert data is not None
    table = pd.read_csv(tmp_path / "people.csv")
    assert (task.kind, task.target, task.metric.name) == ("node", "classes", "accuracy")
    assert data.class_names == ("a", "b")
    assert data.y.tolist() == [("a", "b").index(club) for club in table.club]
    for part in ("train", "val", "test"):
        assert getattr(task.split(0), part).tolist() == np.flatnonzero(table.part == part).tolist()
    dense = data.x.toarray() if hasattr(data.x, "toarray") else data.x
    known = table.age.notna()
    assert np.allclose(dense[:, 0], table.age.fillna(table.age.median()))
    assert dense[:, 1].tolist() == (~known).astype(float).tolist()
    edges = pd.read_csv(tmp_path / "knows.csv")
    ends = {frozenset((int(a[1:]), int(b[1:]))) for a, b in zip(edges["from"], edges.to, strict=True)}
    assert {frozenset(pair) for pair in data.edge_index.T.tolist()} == ends
    assert not data.directed
    assert data.edge_channels == 3


def test_an_edge_keeps_its_own_attributes_beside_the_way_back_of_another(tmp_path: Path) -> None:
    files = people() | {"knows.csv": "source,target,strength\np000,p001,1\np001,p000,2\np002,p001,3\np002,p001,4\n"}
    for directed, rows in ((True, {(0, 1): 1, (1, 0): 2, (2, 1): 3}), (False, {(0, 1): 1, (1, 0): 2, (1, 2): 3, (2, 1): 3})):
        data = loaded(write(tmp_path, files | {"task.yaml": files["task.yaml"] + f"directed: {str(directed).lower()}\n"})).data
        assert data is not None
        assert data.edge_attr is not None
        assert dict(zip(map(tuple, data.edge_index.T.tolist()), data.edge_attr[:, 0].tolist(), strict=True)) == rows


def test_graphs_with_nodes_numbered_within_each(tmp_path: Path) -> None:
    task = loaded(write(tmp_path, graphs()))
    data, table = task.data, pd.read_csv(tmp_path / "graphs.csv")
    assert data is not None
    assert (task.kind, task.target, task.metric.name, task.num_splits) == ("graph", "value", "rmse", 3)
    assert np.allclose(data.y, table.energy)
    atoms = pd.read_csv(tmp_path / "atoms.csv")
    assert data.graph_of is not None
    assert np.bincount(data.graph_of).tolist() == [int((atoms.graph == name).sum()) for name in table.name]
    assert (data.graph_of[data.edge_index[0]] == data.graph_of[data.edge_index[1]]).all()
    assert data.num_edges == 2 * len(pd.read_csv(tmp_path / "bonds.csv"))
    assert 0.5 * task.metric.unit < np.std(table.energy) < 2 * task.metric.unit


def test_graphs_whose_nodes_only_their_edges_name(tmp_path: Path) -> None:
    whole = loaded(write(tmp_path / "a", graphs())).data
    task = "graphs: {file: graphs.csv, id: name, label: shape}\nedges: {file: bonds.csv, source: a, target: b, graph: graph}\n"
    data = loaded(write(tmp_path / "b", graphs() | {"task.yaml": task})).data
    assert data is not None
    assert whole is not None
    assert data.class_names == ("path", "ring")
    assert np.array_equal(data.graph_of, whole.graph_of)  # type: ignore[arg-type]
    assert np.array_equal(data.edge_index, whole.edge_index)


def test_rows_of_nodes_may_stand_in_any_order(tmp_path: Path) -> None:
    files = graphs()
    header, *rows = files["atoms.csv"].splitlines()
    shuffled = [rows[place] for place in np.random.default_rng(1).permutation(len(rows))]
    one = loaded(write(tmp_path / "a", files)).data
    other = loaded(write(tmp_path / "b", files | {"atoms.csv": "\n".join([header, *shuffled]) + "\n"})).data
    assert one is not None
    assert other is not None
    degrees = [
        sorted(
            zip(data.graph_of if data.graph_of is not None else [], np.bincount(data.edge_index[0], minlength=data.num_nodes), strict=True)
        )
        for data in (one, other)
    ]
    assert degrees[0] == degrees[1]


def test_links_are_predicted_where_nothing_is_labelled(tmp_path: Path) -> None:
    task = loaded(
        write(tmp_path, people() | {"task.yaml": "edges: {file: knows.csv, features: []}\nsplit: {val: 0.1, test: 0.2, count: 2}\n"})
    )
    assert (task.kind, task.metric.name, task.num_splits) == ("link", "roc_auc", 2)
    train, val, test = task.split(0).sizes
    assert (round(val / (train + val + test), 1), round(test / (train + val + test), 1)) == (0.1, 0.2)


@pytest.mark.parametrize("suffix", ["graphml", "gml"])
def test_markup_keeps_nodes_edges_and_labels(suffix: str, tmp_path: Path) -> None:
    data, graph = loaded(FORMATS[suffix](tmp_path)).data, karate()
    assert data is not None
    assert (data.num_nodes, data.num_edges) == (graph.number_of_nodes(), 2 * graph.number_of_edges())
    assert [data.class_names[label] for label in data.y] == [graph.nodes[node]["club"] for node in graph]
    dense = data.x.toarray() if hasattr(data.x, "toarray") else data.x
    assert dense[:, -1].tolist() == [graph.nodes[node]["years"] for node in graph]


@pytest.mark.parametrize("name", ["npz", "pt"])
def test_arrays_keep_features_labels_and_masks(name: str, tmp_path: Path) -> None:
    task, made = loaded(FORMATS[name](tmp_path)), arrays()
    assert task.data is not None
    assert np.array_equal(task.data.x, made["x"])
    assert np.array_equal(task.data.y, made["y"])
    assert task.split(0).val.tolist() == np.flatnonzero(made["val_mask"]).tolist()
    assert "of the source" in task.protocol


def test_a_list_of_graphs_in_a_pt_file(tmp_path: Path) -> None:
    import torch

    graph = {"x": torch.eye(3), "edge_index": torch.tensor([[0, 1], [1, 2]])}
    torch.save([{**graph, "y": torch.tensor([number % 2])} for number in range(30)], tmp_path / "many.pt")
    task = loaded(write(tmp_path, {"task.yaml": "source: many.pt\n"}))
    assert task.data is not None
    assert (task.kind, task.data.num_items, task.data.num_nodes, task.num_splits) == ("graph", 30, 90, 10)


def test_typed_nodes_and_edges(tmp_path: Path) -> None:
    files = people() | {"task.yaml": "nodes: {file: people.csv, label: club, type: city}\nedges: {file: knows.csv, type: how}\n"}
    data = loaded(write(tmp_path, files)).data
    assert data is not None
    assert (data.node_types, data.edge_types) == (("Kyoto", "Lima", "Oslo"), ("home", "work"))
    table = pd.read_csv(tmp_path / "people.csv")
    assert data.node_type is not None
    assert [data.node_types[number] for number in data.node_type] == table.city.tolist()


def test_several_labels_and_unknown_ones(tmp_path: Path) -> None:
    rows = "\n".join(f"{i},{i % 2},{'' if i % 5 == 0 else i // 2 % 2},{i}" for i in range(60))
    files = {"n.csv": "id,a,b,size\n" + rows + "\n", "e.csv": "s,t\n" + "\n".join(f"{i},{(i + 1) % 60}" for i in range(60)) + "\n"}
    task = loaded(write(tmp_path, files | {"task.yaml": "nodes: {file: n.csv, label: [a, b]}\nedges: {file: e.csv}\n"}))
    assert task.data is not None
    assert (task.target, task.data.class_names, task.metric.name) == ("labels", ("a", "b"), "roc_auc")
    assert np.isnan(task.data.y[::5, 1]).all()
    assert not np.isnan(task.data.y[:, 0]).any()


MODULE = "import networkx as nx\n\ndef load():\n    print('called')\n    return nx.karate_club_graph()\n"


def test_a_function_is_called_only_where_that_is_allowed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(
        tmp_path, {"own_module_of_the_test.py": MODULE, "task.yaml": "source: python:own_module_of_the_test:load\nnodes: {label: club}\n"}
    )
    with pytest.raises(UsageError, match="--allow-code"):
        loaded(path)
    assert capsys.readouterr().out == ""
    task = loaded(path, allow_code=True)
    assert task.data is not None
    assert (task.data.num_nodes, task.data.class_names, capsys.readouterr().out) == (34, ("Mr. Hi", "Officer"), "called\n")


@pytest.mark.parametrize("body", ["raise SystemError('no')", "return 3", "import no_such_module"])
def test_what_a_function_does_wrong_is_told_in_one_line(body: str, tmp_path: Path) -> None:
    name = f"own_wrong_{abs(hash(body))}"
    path = write(tmp_path, {f"{name}.py": f"def load():\n    {body}\n", "task.yaml": f"source: python:{name}:load\n"})
    with pytest.raises(AgentNASError) as caught:
        loaded(path, allow_code=True)
    assert "\n" not in str(caught.value)


def test_the_fingerprint_is_of_the_data_not_of_the_place(tmp_path: Path) -> None:
    one, other = (loaded(FORMATS["csv"](tmp_path / name)) for name in ("here", "there"))
    changed = loaded(write(tmp_path / "else", people(seed=1)))
    parquet = loaded(FORMATS["parquet"](tmp_path / "table"))
    assert one.fingerprint == other.fingerprint == parquet.fingerprint != changed.fingerprint


def test_a_parquet_column_whose_name_others_begin_with_is_read_as_itself(tmp_path: Path) -> None:
    made = pd.DataFrame({"a": ["x", "y"], "a.b": [1, 2], "b": [0.5, None]})
    made.to_parquet(tmp_path / "t.parquet")
    read = look(tmp_path / "t.parquet").table.frame
    pd.testing.assert_frame_equal(read, pd.read_parquet(tmp_path / "t.parquet"))


def test_names_with_zeros_in_front_stay_names(tmp_path: Path) -> None:
    rows = [f"{i:04},{i % 2}" for i in range(40)]
    edges = [f"{i:04},{(i + 1) % 40:04}" for i in range(40)]
    files = {
        "n.csv": "node,y\n" + "\n".join(rows) + "\n",
        "e.tsv": "a\tb\n" + "\n".join(edges).replace(",", "\t") + "\n",
    }
    data = loaded(write(tmp_path, files | {"task.yaml": "nodes: {file: n.csv, label: y}\nedges: {file: e.tsv}\n"})).data
    assert data is not None
    assert data.num_edges == 80


def test_another_encoding_separator_and_decimal_comma(tmp_path: Path) -> None:
    rows = "\n".join(f"{i};{i},5;{'Zürich' if i % 2 else 'Genève'}" for i in range(40))
    files: dict[str, str | bytes] = {
        "n.csv": ("id;größe;ort\n" + rows + "\n").encode("latin-1"),
        "e.csv": "a|b\n" + "\n".join(f"{i}|{(i + 1) % 40}" for i in range(40)),
    }
    task = "nodes: {file: n.csv, encoding: latin-1, label: ort}\nedges: {file: e.csv}\n"
    data = loaded(write(tmp_path, files | {"task.yaml": task})).data
    assert data is not None
    assert data.class_names == ("Genève", "Zürich")
    assert data.x.shape == (40, 1)
    assert data.x[3, 0] == 3.5
