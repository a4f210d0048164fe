"""Predictions: on the run's own graph, on new graphs, and what is said of graphs that are wrong."""

from __future__ import annotations

import csv
import io
import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agentnas.run import Run
from agentnas.shipping.graphs import read_graph
from agentnas.shipping.predicting import chosen, predict
from agentnas.shipping.trained import Trained
from agentnas.tools.errors import DataError, UsageError
from tests.cli.conftest import Run as Command
from tests.cli.conftest import run  # noqa: F401  # a fixture
from tests.shipping.crafted import with_winner

GCN = {"body": {"nodes": [{"id": "a", "op": "gcn", "width": "out"}], "outputs": ["a"]}, "head": {"decoder": "none"}}


def save(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


def small(features: int = 3) -> dict[str, Any]:
    return {"x": np.ones((4, features), dtype=np.float32), "edge_index": np.array([[0, 1, 2], [1, 0, 3]])}


def test_the_runs_own_graph_is_predicted_as_the_exported_code_does(live_run: Run, tmp_path: Path) -> None:
    import torch

    from agentnas.tools.codegen import model_source

    trained = Trained(live_run)
    namespace: dict[str, Any] = {"__name__": "exported"}
    exec(model_source(trained.spec, 64, 10), namespace)
    data = torch.load(live_run.path / "winner" / "data.pt", weights_only=True)
    wanted = namespace["predict"](namespace["load"](str(live_run.path / "winner" / "weights.pt")), data)
    got = predict(live_run)
    assert np.allclose([row.probabilities for row in got.rows], wanted.numpy(), atol=1e-6)
    assert [row.label for row in got.rows] == wanted.argmax(1).tolist()
    assert got.notes == ("the graph of digits itself: 200 of its 1797 nodes were trained on",)


@pytest.mark.parametrize("kind", ["none", "correct_and_smooth", "label_propagation"])
@pytest.mark.parametrize("scale", ["none", "row", "standard"])
def test_the_same_graph_from_a_file_gives_the_same(live_run: Run, tmp_path: Path, kind: str, scale: str) -> None:
    made = with_winner(live_run, tmp_path, {**GCN, "input": {"scale": scale}, "post": {"kind": kind}})
    trained = Trained(made)
    assert trained.task.data is not None
    path = save(tmp_path / "graph.npz", x=trained.own_features(), edge_index=trained.task.data.edge_index)
    got = predict(made, str(path))
    wanted = trained.probabilities(trained.own_features(), trained.task.data.edge_index, None).numpy()
    assert np.allclose([row.probabilities for row in got.rows], wanted, atol=1e-6)
    assert any("without known labels" in note for note in got.notes) == (kind != "none")


def test_two_csv_files_are_the_graph_of_an_npz(live_run: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.random((3, 64)).round(3)
    rows = [f"{name},{','.join(map(str, row))}" for name, row in zip(("ann", "bob", "cy"), x, strict=True)]
    (tmp_path / "nodes.csv").write_text("id," + ",".join(f"f{i}" for i in range(64)) + "\n" + "\n".join(rows) + "\n", encoding="utf-8-sig")
    (tmp_path / "edges.csv").write_text("source,target,year\nann,bob,1\nbob,ann,2\n\ncy,ann,3\n", encoding="utf-8")
    npz = save(tmp_path / "g.npz", x=x, edge_index=np.array([[0, 1, 2], [1, 0, 0]]))
    wanted = [row.probabilities for row in predict(live_run, str(npz)).rows]
    for data, edges in ((tmp_path, None), (tmp_path / "nodes.csv", tmp_path / "edges.csv")):
        got = predict(live_run, str(data), edges)
        assert [row.node for row in got.rows] == ["ann", "bob", "cy"]
        assert np.allclose([row.probabilities for row in got.rows], wanted, atol=1e-6)
    assert [row.node for row in predict(live_run, str(tmp_path), nodes="cy, ann").rows] == ["cy", "ann"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"x": np.ones((4, 2))}, "2 features a node, but the model was trained on 3"),
        ({"x": np.array([[1, 2, 3], [4, np.nan, 6]])}, "x[1, 1] is nan; features are finite numbers"),
        ({"x": np.array([[1, 2, 1e300]])}, "x[0, 2] is inf; features are finite numbers"),
        ({"x": np.array([["a", "b", "c"]])}, "x is <U1 [1, 3]; it must be numbers [nodes, features]"),
        ({"edge_index": np.array([[0, 1], [1, 9]])}, "edge_index[1, 1] is 9, but the graph has 4 nodes (0 to 3)"),
        ({"edge_index": np.array([[0, -1], [1, 0]])}, "edge_index[0, 1] is -1, but"),
        ({"edge_index": np.array([[0.0, 1.0]])}, "edge_index is float64 [1, 2]; it must be whole numbers [2, edges]"),
        ({"edge_index": None}, "lacks edge_index; it holds x"),
        ({"x": np.array([[object()]])}, "it holds pickled Python objects, which are never loaded"),
    ],
)
def test_a_wrong_npz_is_one_line_with_its_place(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    arrays = {name: array for name, array in {**small(), **change}.items() if array is not None}
    path = save(tmp_path / "g.npz", **arrays)
    with pytest.raises(DataError) as caught:
        read_graph(path, None, 3)
    assert str(path) in str(caught.value)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


class Evil:
    def __reduce__(self) -> Any:
        return (Path.touch, (Path("/tmp/agentnas-was-executed"),))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"not a file of arrays", pickle.dumps(Evil())])
def test_a_file_that_is_no_npz_is_refused_and_not_executed(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "g.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"g\.npz"):
        read_graph(tmp_path / "g.npz", None, 3)
    assert not Path("/tmp/agentnas-was-executed").exists()


@pytest.mark.parametrize(
    ("nodes", "edges", "words"),
    [
        (b"id,a,b\nx,1,2\nx,3,4\n", b"source,target\n", "nodes.csv, row 3, column id: node 'x' occurs twice"),
        (b"id,a,b\nx,1,two\n", b"source,target\n", "nodes.csv, row 2, column b: 'two' is no number"),
        (b"id,a,b\nx,1,nan\n", b"source,target\n", "nodes.csv, row 2, column b: nan; features are finite numbers"),
        (b"id,a,b\nx,1\n", b"source,target\n", "nodes.csv, row 2: 2 cells, but the header has 3"),
        (b"id,a\nx,1\n", b"source,target\n", "nodes.csv: 1 features a node, but the model was trained on 2"),
        (b"id,a,b\n", b"source,target\n", "nodes.csv has no nodes"),
        (b"", b"source,target\n", "nodes.csv: 0 features a node"),
        (b"id,a,b\nx,1,2\ncaf\xe9,1,2\n", b"source,target\n", "nodes.csv, row 3: byte 0xe9 is not UTF-8"),
        (b'id,a,b\nx,1,"2\n', b"source,target\n", "nodes.csv, row 2: unexpected end of data"),
        (b"id,a,b\nx,1,2\n", b"source,target\nx,y\n", "edges.csv, row 2, column target: node 'y' is not in"),
        (b"id,a,b\nx,1,2\n", b"from,to\nx,x\n", "edges.csv, row 1: the columns are from, to; they must begin with source, target"),
        (b"id,a,b\nx,1,2\n", None, "edges.csv cannot be read: No such file"),
    ],
)
def test_a_wrong_table_is_one_line_with_its_place(tmp_path: Path, nodes: bytes, edges: bytes | None, words: str) -> None:
    (tmp_path / "nodes.csv").write_bytes(nodes)
    if edges is not None:
        (tmp_path / "edges.csv").write_bytes(edges)
    with pytest.raises(DataError) as caught:
        read_graph(tmp_path, None, 2)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_edges_of_one_direction_are_told(tmp_path: Path) -> None:
    one = read_graph(save(tmp_path / "a.npz", **{**small(), "edge_index": np.array([[0, 1], [1, 2]])}), None, 3)
    assert one.notes[0].startswith("edges go one way only")
    both = read_graph(save(tmp_path / "b.npz", **small(), edge_attr=np.ones((3, 1))), None, 3)
    assert both.notes == ("edge_attr was not used: the model was trained without features of edges",)


@pytest.mark.parametrize(("wanted", "words"), [("7", "there is no node '7'"), ("2-0", "2-0 is no range"), (" , ", "names no node")])
def test_nodes_that_do_not_exist_are_named(wanted: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        chosen(wanted, ["0", "1", "2"])


def test_ranges_and_names_are_chosen_in_their_order() -> None:
    assert chosen("4,0-2", [str(i) for i in range(5)]) == [4, 0, 1, 2]
    assert chosen("a-b", ["a", "a-b"]) == [1]


def test_the_command_prints_data_and_writes_files(run: Command, live_run: Run, tmp_path: Path) -> None:  # noqa: F811
    printed = run("predict", live_run.path, "--nodes", "3,8-9")
    rows = list(csv.reader(io.StringIO(printed.out)))
    assert rows[0] == ["node", "class", "probability", *(f"p{label}" for label in range(10))]
    assert [row[0] for row in rows[1:]] == ["3", "8", "9"]
    assert printed.err == "the graph of digits itself: 200 of its 1797 nodes were trained on\n"
    data = run("predict", live_run.path, "--nodes", "3", "--json").data
    assert data["predictions"][0]["class"] == int(rows[1][1])
    assert sum(data["predictions"][0]["probabilities"]) == pytest.approx(1, abs=1e-5)
    assert run("predict", live_run.path, "--nodes", "3", "--out", "p.json").out == "p.json\n"
    assert json.loads(Path("p.json").read_text(encoding="utf-8")) == data["predictions"]
    again = run("predict", live_run.path, "--out", "p.json")
    assert (again.code, again.err) == (2, "agentnas: error: --out p.json exists; --force overwrites it\n")
    assert run("predict", live_run.path, "--nodes", "3", "--out", "p.csv").code == 0
    assert Path("p.csv").read_text(encoding="utf-8").splitlines()[1].split(",")[0] == "3"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--out", "p.parquet"), "--out p.parquet: predictions are written as .csv or .json"),
        (("--data", "nowhere.npz"), "nowhere.npz: no such file"),
        (("--data", "nowhere"), "--data nowhere is no file, and as a task: "),
        (("--data", "nodes.txt"), "--data nodes.txt is no graph that can be read"),
        (("--data", "nodes.csv"), "needs its edges too; give --edges FILE"),
        (("--edges", "e.csv"), "--edges e.csv needs --data with the nodes"),
        (("--data", "nasbench:cora"), "--data nasbench:cora is a table and holds no graph"),
    ],
)
def test_wrong_words_are_one_line(run: Command, live_run: Run, words: tuple[str, ...], said: str) -> None:  # noqa: F811
    printed = run("predict", live_run.path, *words)
    assert (printed.code, printed.out) == (2, "")
    assert said in printed.err
    assert len(printed.err.splitlines()) == 1


def test_a_table_run_cannot_predict(run: Command, table_run: Run, tmp_path: Path) -> None:  # noqa: F811
    printed = run("predict", table_run.path)
    assert printed.code == 2
    assert "looked nasbench:cora up in a table and trained nothing, so there are no weights" in printed.err


def test_a_run_on_other_data_is_refused(run: Command, live_run: Run, tmp_path: Path) -> None:  # noqa: F811
    made = Path(shutil.copytree(live_run.path, tmp_path / "copy"))
    config = json.loads((made / "config.json").read_text(encoding="utf-8"))
    (made / "config.json").write_text(json.dumps({**config, "data_fingerprint": "0" * 64}), encoding="utf-8")
    printed = run("predict", made)
    assert (printed.code, printed.out) == (1, "")
    assert "was made on other data: digits is" in printed.err


def test_the_command_exports(run: Command, live_run: Run) -> None:  # noqa: F811
    printed = run("export", live_run.path, "--to", "pt2", "--out", "model")
    assert printed.code == 0
    assert "model/model.pt2" in printed.out.splitlines()
    assert "largest difference from the trained model: " in printed.err
    old = run("export", live_run.path, "--to", "model")
    assert (old.code, old.out) == (2, "")
    assert "and the folder to write is --out model" in old.err
    assert run("export", live_run.path, "--out", "copy", "--json").data["form"] == "python"
