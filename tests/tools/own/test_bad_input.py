"""Whatever is wrong with people's files, one line says where: file, row, column, what was seen and what to do. Nothing is executed."""

from __future__ import annotations

import io
import os
import pickle
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from agentnas.tools.errors import AgentNASError, DataError
from agentnas.tools.own import tables
from agentnas.tools.own.looking import look
from agentnas.tools.tasks import load_task
from tests.tools.own.making import FORMATS, TASK, arrays, graphs, people, write


def told(path: Path) -> str:
    """The one line that loading ends with."""
    with pytest.raises(AgentNASError) as caught:
        load_task(str(path))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def with_cell(text: str, row: int, column: str, cell: str) -> str:
    """A table with another cell; rows are counted from 1, below the header."""
    lines = [line.split(",") for line in text.splitlines()]
    lines[row][lines[0].index(column)] = cell
    return "\n".join(map(",".join, lines)) + "\n"


Files = dict[str, str]
CASES: dict[str, tuple[Callable[[Files], Files], str]] = {
    "an edge to an unknown node": (
        lambda f: f | {"knows.csv": with_cell(f["knows.csv"], 7, "to", "p999")},
        r"knows.csv: row 7, column 'to': node 'p999' is none of the 60 nodes, such as 'p000'",
    ),
    "two columns of one name": (
        lambda f: f | {"people.csv": f["people.csv"].replace("age,city", "city,city", 1)},
        r"people.csv: columns 2 and 3 are both named 'city'; rename one",
    ),
    "a column without a name": (lambda f: f | {"people.csv": f["people.csv"].replace("age", "", 1)}, r"people.csv: column 2 has no name"),
    "too many classes": (
        lambda f: (
            f
            | {
                "people.csv": "id,club\n" + "\n".join(f"{i},c{i}" for i in range(10_000)) + "\n",
                "knows.csv": "a,b\n1,2\n",
            }
        ),
        r"people.csv: column 'club' holds 10,000 classes in 10,000 rows; allowed: 1,000; .*target: value",
    ),
    "one class": (
        lambda f: f | {"people.csv": re.sub(r",[ab]\n", ",a\n", f["people.csv"])},
        r"people.csv: column 'club' holds one class, 'a'",
    ),
    "a class absent from training": (
        lambda f: f | {"task.yaml": TASK + "split: {column: part}\n", "people.csv": with_cell(f["people.csv"], 4, "club", "c")},
        r"task.yaml: class 'c' has no item in train of split 1, but in val or test",
    ),
    "a column without values": (
        lambda f: f | {"people.csv": re.sub(r"(p\d+),\d*,", r"\1,,", f["people.csv"])},
        r"people.csv: column 'age' is empty in all 60 rows; add nodes: ignore: \[age\]",
    ),
    "a column of names": (
        lambda f: f | {"people.csv": re.sub(r"(p\d+),\d*,", r"\1,x\1@mail,", f["people.csv"])},
        r"people.csv: column 'age' holds 60 different texts in 60 rows; say what it is in nodes: text, categories or ignore",
    ),
    "a word among numbers": (
        lambda f: f | {"people.csv": with_cell(f["people.csv"], 12, "age", "old")},
        r"people.csv: row 12, column 'age': 'old' is no finite number",
    ),
    "an infinite number": (
        lambda f: f | {"people.csv": with_cell(f["people.csv"], 2, "age", "inf")},
        r"people.csv: row 2, column 'age': 'inf' is no finite",
    ),
    "a number beyond single precision": (
        lambda f: f | {"people.csv": with_cell(f["people.csv"], 3, "age", "1e300")},
        r"people.csv: row 3, column 'age': '1e\+300' is no",
    ),
    "a date that is none": (
        lambda f: (
            f | {"task.yaml": TASK.replace("club}", "club, dates: since}"), "people.csv": with_cell(f["people.csv"], 5, "since", "soon")}
        ),
        r"people.csv: row 5, column 'since': 'soon' is no date",
    ),
    "no rows": (lambda f: f | {"people.csv": f["people.csv"].splitlines()[0]}, r"people.csv: holds no rows below its header"),
    "no edges": (lambda f: f | {"knows.csv": "from,to\n"}, r"knows.csv: holds no rows below its header"),
    "an empty file": (lambda f: f | {"people.csv": ""}, r"people.csv: the file is empty"),
    "a short row": (
        lambda f: f | {"people.csv": f["people.csv"] + "p100,3\n"},
        r"people.csv: line 62 has 2 cells, the header 8; the file may be truncated",
    ),
    "a long row": (lambda f: f | {"knows.csv": f["knows.csv"] + "p000,p001,1,home,x\n"}, r"knows.csv: line \d+ has 5 cells, the header 4"),
    "an open quote": (lambda f: f | {"knows.csv": f["knows.csv"] + 'p000,"p001,1,home\n'}, r"knows.csv: line \d+: unexpected end"),
    "a node twice": (
        lambda f: f | {"people.csv": with_cell(f["people.csv"], 9, "id", "p003")},
        r"people.csv: row 9, column 'id': 'p003' stands twice, first in row 4",
    ),
    "a node without a name": (lambda f: f | {"people.csv": with_cell(f["people.csv"], 9, "id", "")}, r"row 9, column 'id': is empty"),
    "an unknown part": (
        lambda f: f | {"task.yaml": TASK + "split: {column: part}\n", "people.csv": with_cell(f["people.csv"], 6, "part", "tset")},
        r"people.csv: row 6, column 'part': 'tset' is no part; allowed: train, val, test",
    ),
    "a part without items": (
        lambda f: f | {"task.yaml": TASK + "split: {column: part}\n", "people.csv": f["people.csv"].replace(",val,", ",train,")},
        r"task.yaml: val of split 1 holds no item with a label",
    ),
    "an unknown column": (
        lambda f: f | {"task.yaml": TASK.replace("club}", "clubb}")},
        r"people.csv: no column 'clubb', which nodes: label names; did you mean club",
    ),
    "a missing file": (lambda f: f | {"task.yaml": TASK.replace("people", "poeple")}, r"poeple.csv: no such file; did you mean people.csv"),
    "a metric that does not fit the labels": (
        lambda f: f | {"task.yaml": TASK + "metric: rmse\n"},
        r"'[ab]' is no finite number; nodes: label",
    ),
    "a metric that does not fit the kind": (
        lambda f: f | {"task.yaml": TASK + "kind: node\nmetric: mrr\n"},
        r"metric mrr does not fit kind node",
    ),
    "a value of words": (
        lambda f: f | {"task.yaml": TASK + "target: value\n"},
        r"people.csv: row 1, column 'club': '[ab]' is no finite number",
    ),
    "labels that are neither 0 nor 1": (
        lambda f: f | {"task.yaml": TASK + "target: labels\n"},
        r"people.csv: row 1, column 'club': '[ab]'; nodes: label takes 0 and 1, or yes",
    ),
    "directed links": (
        lambda f: f | {"task.yaml": "kind: link\ndirected: true\nedges: {file: knows.csv}\n"},
        r"directed does not fit kind link",
    ),
    "few links": (lambda f: f | {"task.yaml": "edges: {file: knows.csv}\n", "knows.csv": "a,b\n1,2\n"}, r"link prediction needs 40 edges"),
    "another's name": (lambda f: f | {"task.yaml": "name: cora\n" + TASK}, r"name 'cora' is that of a task which comes with AgentNAS"),
    "too few items for folds": (
        lambda f: f | {"task.yaml": TASK + "split: {kind: folds, count: 40}\n"},
        r"task.yaml: 40 folds need at least 80 labelled items; there are 60",
    ),
    "an unknown encoding": (
        lambda f: f | {"task.yaml": TASK.replace("club}", "club, encoding: zlib}")},
        r"people.csv: encoding 'zlib' is not known",
    ),
    "an ending that is not known": (
        lambda f: f | {"task.yaml": TASK.replace("people.csv", "people.xlsx"), "people.xlsx": "PK"},
        r"people.xlsx: .xlsx ending is not known",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_wrong_is_named(name: str, tmp_path: Path) -> None:
    change, expected = CASES[name]
    assert re.search(expected, line := told(write(tmp_path, change(people() | {"task.yaml": TASK})))), line


GRAPH_CASES: dict[str, tuple[Callable[[Files], Files], str]] = {
    "an edge of one graph into another": (
        lambda f: {
            "task.yaml": "graphs: {file: graphs.csv, label: energy}\nnodes: {file: atoms.csv, graph: graph}\nedges: {file: bonds.csv}\n",
            "graphs.csv": "id,energy\ng,1\nh,2\n",
            "atoms.csv": "id,graph\na,g\nb,g\nc,h\n",
            "bonds.csv": "s,t\na,b\nb,c\n",
        },
        r"bonds.csv: row 2, column 't': the edge leads from graph 'g' into graph 'h'; edges stay within one",
    ),
    "a graph without nodes": (
        lambda f: f | {"graphs.csv": f["graphs.csv"] + "void,1.0,ring\n"},
        r"graphs.csv: row 25: graph 'void' has no node",
    ),
    "a node of an unknown graph": (
        lambda f: f | {"atoms.csv": with_cell(f["atoms.csv"], 5, "graph", "g99")},
        r"atoms.csv: row 5, column 'graph': graph 'g99' is none of",
    ),
    "an edge to a node that its graph lacks": (
        lambda f: f | {"bonds.csv": with_cell(f["bonds.csv"], 1, "b", "77")},
        r"bonds.csv: row 1, column 'b': node '77' in graph 'g0' is none",
    ),
    "no label": (
        lambda f: f | {"task.yaml": f["task.yaml"].replace(", label: energy", "") + "kind: graph\n"},
        r"kind graph needs graphs: .*label",
    ),
    "a value that never changes": (
        lambda f: f | {"graphs.csv": re.sub(r",[\d.]+,", ",1.5,", f["graphs.csv"]), "task.yaml": f["task.yaml"] + "target: value\n"},
        r"graphs.csv: column 'energy' is 1.5 in every row",
    ),
}


@pytest.mark.parametrize("name", GRAPH_CASES)
def test_what_is_wrong_with_graphs_is_named(name: str, tmp_path: Path) -> None:
    change, expected = GRAPH_CASES[name]
    assert re.search(expected, line := told(write(tmp_path, change(graphs())))), line


YAML_CASES = {
    "nodes: {file: a.csv, labl: x}": r"task.yaml:1:22: nodes: unknown key 'labl'; did you mean label\?",
    "knd: node\nnodes: {file: a.csv}": r"task.yaml:1:1: the file: unknown key 'knd'; did you mean kind\?",
    "kind: nod\nnodes: {file: a.csv}": r"task.yaml:1:7: kind is 'nod'; allowed: 'node', 'graph' or 'link'",
    "nodes: 3": r"task.yaml:1:8: nodes is 3; allowed: keys and values",
    "nodes: {file: a.csv}\nsplit: {train: 2}": r"task.yaml:2:16: split: train is 2; allowed: less than 1",
    "nodes: {file: a.csv}\nsplit: {kind: folds, val: .1}": r"task.yaml:2:8: split: kind folds takes no shares",
    "nodes: {file: a.csv}\nsplit: {train: .5, val: .4, test: .4}": r"2:8: split: train, val and test are 1.3 together; allowed: 1",
    "nodes: {file: a.csv}\nmetric: acuracy": r"metric is 'acuracy'; did you mean accuracy\?",
    "kind: node": r"task.yaml:1:1: no file is named",
    "source: a.npz\nnodes: {file: b.csv}": r"source and file say where data is; leave one out",
    "nodes: {file: [a]}": r"task.yaml:1:15: nodes: file is a list; allowed: a text",
    "directed: maybe\nnodes: {file: a}": r"task.yaml:1:11: directed is 'maybe'; allowed: true or false",
    "nodes: {file: a}\nnodes: {file: b}": r"task.yaml:2:1: key 'nodes' stands twice",
    "nodes: !!python/object/apply:os.system [touch executed]": r"tag 'tag:yaml.org,2002:python/object/apply:os.system' is not allowed",
    "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nnodes: {file: *c}": r"task.yaml:1:1: the file: unknown key 'a'",
    "nodes: &n {file: a, ignore: [*n]}": r"an alias leads to itself",
    "[": r"task.yaml:\d:\d: not YAML",
    "": r"task.yaml: the file is empty; it needs keys such as nodes and edges",
    "source: ../data.exe": r"source: ../data.exe: .exe ending is not known",
    "source: graph.pkl": r"graph.pkl: a pickle runs code when it is read, so it is refused",
    "source: ogb:ogbq-ppa": r"allowed: ogb:ogbn-NAME",
    "source: 'python:os.system(1)'": r"allowed: python:MODULE:FUNCTION",
}


@pytest.mark.parametrize("text", YAML_CASES)
def test_what_is_wrong_with_a_task_file_is_named(text: str, tmp_path: Path) -> None:
    assert re.search(YAML_CASES[text], line := told(write(tmp_path, {"task.yaml": text}))), line


def test_a_bomb_of_aliases_is_refused(tmp_path: Path) -> None:
    names = "abcdefghijk"
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"] + [f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in pairwise(names)]
    assert re.search(r"more values than a task file can hold", told(write(tmp_path, {"task.yaml": "\n".join(lines)})))


def test_bytes_that_are_not_utf8_are_located(tmp_path: Path) -> None:
    text = people()["people.csv"].replace("Oslo", "Zürich").encode("latin-1")
    row = next(number for number, line in enumerate(text.splitlines(), start=1) if b"\xfc" in line)
    line = told(write(tmp_path, people() | {"people.csv": text, "task.yaml": TASK}))
    assert f"people.csv: line {row} is not UTF-8 (byte 0xfc); save it as UTF-8, or give its encoding" in line


def grown(path: Path, gib: float) -> None:
    """The file with zeros behind it, of which a disk holds none: it is sparse."""
    with path.open("ab") as file:
        file.truncate(int(gib * 2**30))


def test_a_text_file_of_gigabytes_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = write(tmp_path, people() | {"task.yaml": TASK})
    grown(tmp_path / "people.csv", 5)
    line = "people.csv: 5 GiB; allowed for text: 1 GiB; save it as Parquet (pip install 'agentnas[parquet]'), or leave columns out"
    assert told(path) == line
    with pytest.raises(DataError, match=re.escape(line)):
        look(tmp_path / "people.csv")


def test_a_file_that_is_too_large_is_met_before_another_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, people() | {"task.yaml": TASK})
    grown(tmp_path / "knows.csv", 5)
    monkeypatch.setattr(tables, "_csv", lambda *_: pytest.fail("was read"))
    assert told(path).startswith("knows.csv: 5 GiB; allowed for text: 1 GiB")


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("club.graphml", "club.graphml: 20480 MiB; allowed: 256 MiB; save nodes and edges as CSV"),
        ("club.gml", "club.gml: 20480 MiB; allowed: 256 MiB; save nodes and edges as CSV"),
        ("club.pt", "club.pt: 20 GiB; allowed: 16 GiB; keep fewer features, or in a smaller type such as float32"),
    ],
)
def test_a_source_of_gigabytes_is_refused_before_it_is_read(name: str, line: str, tmp_path: Path) -> None:
    path = write(tmp_path, {"task.yaml": f"source: {name}\n"})
    grown(tmp_path / name, 20)
    assert told(path) == line


def test_a_parquet_file_that_unpacks_to_gigabytes_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = FORMATS["parquet"](tmp_path)
    monkeypatch.setattr(tables, "LARGEST_PARQUET", 2**10)
    monkeypatch.setattr(tables, "_by_column", lambda *_: pytest.fail("was read"))
    line = told(path)
    assert re.fullmatch(
        r"people\.parquet: \S+ GiB unpacked; allowed for Parquet: 9\.54e-07 GiB; leave columns or rows out of the file", line
    ), line


def test_a_table_of_too_many_cells_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MOST_CELLS", 300)
    assert "people.csv: 60 rows of 8 columns; allowed: 300 cells" in told(write(tmp_path, people() | {"task.yaml": TASK}))


class _Executed:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("executed",)


DISGUISES = {
    "people.csv": TASK,
    "people.parquet": TASK.replace("people.csv", "people.parquet"),
    "graph.npz": "source: graph.npz\n",
    "graph.pt": "source: graph.pt\n",
    "graph.graphml": "source: graph.graphml\nnodes: {label: club}\n",
    "graph.gml": "source: graph.gml\nnodes: {label: club}\n",
    "graph.gpickle": "source: graph.gpickle\n",
}


@pytest.mark.parametrize("name", DISGUISES)
def test_a_pickle_in_disguise_is_refused_and_not_executed(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    line = told(write(tmp_path, people() | {name: pickle.dumps(_Executed()), "task.yaml": DISGUISES[name]}))
    assert name in line
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("suffix", ["npz", "pt"])
def test_objects_inside_an_archive_are_refused_and_not_executed(suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.chdir(tmp_path)
    if suffix == "npz":
        np.savez(tmp_path / "graph.npz", x=np.array([_Executed()], dtype=object), edge_index=np.zeros((2, 1), int))
    else:
        torch.save({"x": _Executed()}, tmp_path / "graph.pt")
    line = told(write(tmp_path, {"task.yaml": f"source: graph.{suffix}\n"}))
    assert re.search(r"Python objects|is not plain data", line), line
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("layout", ["to_sparse_coo", "to_sparse_csr"])
@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta:UserWarning")
def test_a_sparse_tensor_is_refused_and_the_way_out_is_told(layout: str, tmp_path: Path) -> None:
    import torch

    torch.save({"x": getattr(torch.eye(3), layout)(), "edge_index": torch.tensor([[0, 1], [1, 2]])}, tmp_path / "graph.pt")
    line = told(write(tmp_path, {"task.yaml": "source: graph.pt\n"}))
    assert re.search(r"graph\.pt: damaged: can't convert Sparse.* layout tensor to numpy", line), line
    assert "to_dense()" in line


def test_entities_of_a_document_are_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hidden")
    bomb = f'<?xml version="1.0"?><!DOCTYPE g [<!ENTITY e SYSTEM "file://{tmp_path}/secret">]><graphml>&e;</graphml>'
    line = told(write(tmp_path, {"g.graphml": bomb, "task.yaml": "source: g.graphml\nnodes: {label: club}\n"}))
    assert "declares a document type or entities" in line
    assert "hidden" not in line


def test_an_archive_that_claims_more_than_fits_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from agentnas.tools.own import sources

    monkeypatch.setattr(sources, "LARGEST_ARRAYS", 1000)
    np.savez_compressed(tmp_path / "graph.npz", x=np.zeros(10**6), edge_index=np.zeros((2, 1), int))
    assert "graph.npz: claims 0.00745 GiB; allowed: 16 GiB; keep fewer features" in told(
        write(tmp_path, {"task.yaml": "source: graph.npz\n"})
    )


ARRAY_CASES: dict[str, tuple[dict[str, object], str]] = {
    "no edges named": ({"edge_index": None}, r"holds no edge_index"),
    "an empty graph": ({"edge_index": np.zeros((2, 0), int)}, r"edge_index holds no edges"),
    "a node beyond": ({"edge_index": np.array([[0, 1], [1, 99]])}, r"edge_index: edge 1 names node 99; there are 60"),
    "labels too few": ({"y": np.arange(7) % 2}, r"y holds 7 labels for 60 nodes"),
    "features that are not finite": ({"x": np.full((60, 2), np.nan)}, r"x: row 0, column 0 \(counted from 0\) is nan"),
    "features of too few nodes": ({"x": np.zeros((3, 2))}, r"names node \d+; there are 3"),
    "masks that overlap": ({"val_mask": np.ones(60, bool), "test_mask": np.ones(60, bool)}, r"an item is in two of train_mask"),
    "a mask too short": ({"test_mask": np.ones(3, bool)}, r"test_mask is \[3\]"),
    "too many classes": ({"y": np.arange(60) * 1000}, r"y holds 59,001 classes"),
    "attributes of too few edges": ({"edge_attr": np.zeros((3, 2))}, r"edge_attr is \[3, 2\] of float64; expected \[480, columns\]"),
}


@pytest.mark.parametrize("name", ARRAY_CASES)
def test_what_is_wrong_with_arrays_is_named(name: str, tmp_path: Path) -> None:
    change, expected = ARRAY_CASES[name]
    content = io.BytesIO()
    np.savez(content, **{key: value for key, value in (arrays() | change).items() if value is not None})
    line = told(write(tmp_path, {"graph.npz": content.getvalue(), "task.yaml": "source: graph.npz\n"}))
    assert line.startswith("graph.npz: ")
    assert re.search(expected, line), line
