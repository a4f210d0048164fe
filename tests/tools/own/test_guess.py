"""Guesses from data files: right on what people have, said where unsure, changed by what the person says, loadable as written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.data import Data

from agentnas.tools.errors import AgentNASError, DataError, UsageError
from agentnas.tools.own.looking import files_of, look
from agentnas.tools.own.writing import relative, task_yaml
from agentnas.tools.tasks import Task
from tests.newcomers import fraud, molecules, social
from tests.tools.own.guesses import RNG, frames, guessed, loaded, some, ties


def test_fraud(tmp_path: Path) -> None:
    fraud(tmp_path)
    guess = guessed(tmp_path)
    assert relative(guess.plan, tmp_path) == {
        "kind": "node", "target": "classes", "metric": "roc_auc", "directed": False, "split": {"kind": "random"},
        "nodes": {"file": "accounts.csv", "id": "account_id", "label": "is_fraud"},
        "edges": {"file": "transfers.csv", "source": "payer", "target": "payee"},
    }  # fmt: skip
    assert [doubt.about for doubt in guess.doubts] == ["direction", "split"]
    task = loaded(tmp_path, guess)
    assert (task.kind, task.target, task.metric.name, task.data and task.data.num_nodes) == ("node", "classes", "roc_auc", 600)
    assert "'blocked' alone tells" in str([str(problem) for problem in check(task)])


def check(task: Task) -> list[Any]:
    from agentnas.tools.tasks import check_task

    return check_task(task)


def test_molecules(tmp_path: Path) -> None:
    pytest.importorskip("rdkit")
    molecules(tmp_path)
    guess = guessed(tmp_path)
    assert relative(guess.plan, tmp_path) == {
        "kind": "graph", "target": "value", "metric": "rmse", "split": {"kind": "folds"},
        "graphs": {"file": "compounds.csv", "smiles": "smiles", "label": "log_solubility", "ignore": ["compound"]},
    }  # fmt: skip
    assert guess.doubts == []
    assert loaded(tmp_path, guess).num_splits == 10


def test_a_social_network(tmp_path: Path) -> None:
    social(tmp_path)
    guess = guessed(tmp_path)
    assert relative(guess.plan, tmp_path) == {
        "kind": "node", "target": "classes", "metric": "accuracy", "directed": False, "source": "members.graphml",
        "nodes": {"id": "id", "label": "party"}, "edges": {"source": "source", "target": "target"}, "split": {"kind": "folds"},
    }  # fmt: skip
    task = loaded(tmp_path, guess)
    assert task.data is not None
    assert task.data.class_names == ("blue", "green", "red")


def test_many_graphs_in_three_tables(tmp_path: Path) -> None:
    sizes = RNG.integers(3, 7, 40)
    owner = np.repeat(np.arange(40), sizes)
    nodes = np.arange(len(owner))
    chain = nodes[:-1][owner[:-1] == owner[1:]]
    frames(
        tmp_path,
        graphs={"graph_id": [f"g{i}" for i in range(40)], "toxic": some(40, 0, 1)},
        atoms={"atom_id": nodes, "graph_id": [f"g{i}" for i in owner], "element": some(len(owner), "C", "N", "O")},
        bonds={"u": chain, "v": chain + 1, "order": some(len(chain), 1, 2)},
    )
    guess = guessed(tmp_path)
    assert guess.plan["nodes"] | {"file": ""} == {"file": "", "id": "atom_id", "graph": "graph_id"}
    assert guess.plan["graphs"] | {"file": ""} == {"file": "", "id": "graph_id", "label": "toxic"}
    task = loaded(tmp_path, guess)
    assert (task.kind, task.data and task.data.num_items) == ("graph", 40)


def test_parquet_types_and_a_split_column(tmp_path: Path) -> None:
    users = {
        "user": range(300),
        "age": RNG.integers(18, 90, 300),
        "churn": some(300, "yes", "no"),
        "part": some(300, "train", "val", "test"),
    }
    pd.DataFrame(users).to_parquet(tmp_path / "users.parquet")
    calls = {"from_user": RNG.integers(300, size=900), "to_user": RNG.integers(300, size=900), "relation": some(900, "calls", "pays")}
    pd.DataFrame(calls).to_csv(tmp_path / "calls.tsv", sep="\t", index=False)
    guess = guessed(tmp_path)
    assert guess.plan["split"] == {"column": "part"}
    assert guess.plan["edges"]["type"] == "relation"
    task = loaded(tmp_path, guess)
    assert task.data is not None
    assert task.data.edge_types == ("calls", "pays")
    assert task.num_splits == 1


def test_edges_alone_are_links_to_predict(tmp_path: Path) -> None:
    frames(tmp_path, friends=ties())
    guess = guessed(tmp_path)
    assert (guess.plan["kind"], guess.plan["metric"], guess.plan["split"]) == ("link", "roc_auc", {"kind": "links"})
    assert "nodes are what edges name" in guess.doubts[0].text
    assert loaded(tmp_path, guess).kind == "link"


def test_without_a_label_links_are_predicted_and_what_could_be_one_is_named(tmp_path: Path) -> None:
    frames(tmp_path, edges=ties(), people={"id": range(60), "colour": some(60, "red", "blue"), "height": RNG.normal(size=60)})
    guess = guessed(tmp_path)
    assert guess.plan["kind"] == "link"
    assert guess.doubts[0].choices == ("", "colour")
    assert "those that could be: colour" in guess.doubts[0].text
    said = guessed(tmp_path, label=("colour",))
    assert (said.plan["kind"], said.plan["nodes"]["label"], said.doubts) == ("node", "colour", [])


def test_two_possible_labels_are_said_and_either_can_be_taken(tmp_path: Path) -> None:
    frames(tmp_path, edges=ties(), people={"id": range(60), "label": some(60, "a", "b"), "is_bot": some(60, 0, 1)})
    guess = guessed(tmp_path)
    assert guess.plan["nodes"]["label"] == "label"
    assert guess.doubts[0].choices == ("label", "is_bot")
    assert guess.doubts[0].option == "--label is_bot"
    other = guessed(tmp_path, label=("is_bot",))
    assert other.plan["nodes"]["label"] == "is_bot"
    assert "label" not in [doubt.about for doubt in other.doubts]


def test_several_columns_of_one_stem_are_labels(tmp_path: Path) -> None:
    people = {"id": range(60), "label_a": some(60, 0, 1), "label_b": some(60, 0, 1), "age": RNG.normal(size=60)}
    frames(tmp_path, edges=ties(), people=people)
    guess = guessed(tmp_path)
    assert (guess.plan["target"], guess.plan["nodes"]["label"]) == ("labels", ["label_a", "label_b"])
    assert loaded(tmp_path, guess).target == "labels"


def test_numbers_that_may_be_classes_are_a_doubt(tmp_path: Path) -> None:
    frames(tmp_path, edges=ties(200), people={"id": range(200), "label": RNG.integers(100, 140, 200), "age": RNG.normal(size=200)})
    guess = guessed(tmp_path)
    assert guess.plan["target"] == "value"
    assert [(doubt.about, doubt.choices) for doubt in guess.doubts] == [("target", ("value", "classes"))]
    assert guessed(tmp_path, predict="classes").plan["target"] == "classes"


def test_columns_that_cannot_be_features_are_left_out_and_codes_are_categories(tmp_path: Path) -> None:
    people = {
        "id": range(60), "name": [f"person {i}" for i in range(60)], "nothing": [None] * 60, "planet": ["earth"] * 60,
        "zip": some(60, 1000, 2000, 3000), "label": some(60, "a", "b"), "age": RNG.normal(size=60),
    }  # fmt: skip
    frames(tmp_path, edges=ties(), people=people)
    guess = guessed(tmp_path)
    assert guess.plan["nodes"]["ignore"] == ["name", "nothing", "planet"]
    assert guess.plan["nodes"]["categories"] == ["zip"]
    assert loaded(tmp_path, guess).data is not None


def test_what_the_person_says_goes_before_every_guess(tmp_path: Path) -> None:
    fraud(tmp_path)
    guess = guessed(
        tmp_path, label=("plan",), metric="macro_f1", split="folds", directed=True, ignore=("blocked",), source="payee", target="payer"
    )
    assert (guess.plan["nodes"]["label"], guess.plan["metric"], guess.plan["split"]) == ("plan", "macro_f1", {"kind": "folds"})
    assert (guess.plan["directed"], guess.plan["nodes"]["ignore"]) == (True, ["blocked"])
    assert (guess.plan["edges"]["source"], guess.plan["edges"]["target"]) == ("payee", "payer")
    task = loaded(tmp_path, guess)
    assert task.data is not None
    assert task.data.directed


def saved(path: Path) -> None:
    torch.save(Data(x=torch.randn(50, 3), edge_index=torch.randint(0, 50, (2, 200)), y=torch.randn(50)), path)


@pytest.mark.parametrize(
    ("name", "write", "told"),
    [
        ("a.npz", lambda path: np.savez(path, x=RNG.normal(size=(60, 4)), edge_index=RNG.integers(60, size=(2, 300)), y=np.arange(60) % 3),
         ("node", "classes", "accuracy", "folds")),
        ("a.pt", saved, ("node", "value", "rmse", "folds")),
        ("a.npz", lambda path: np.savez(path, edge_index=RNG.integers(60, size=(2, 300))), ("link", None, "roc_auc", "links")),
    ],
)  # fmt: skip
def test_arrays(tmp_path: Path, name: str, write: Callable[[Path], None], told: tuple[str | None, ...]) -> None:
    write(tmp_path / name)
    guess = guessed(tmp_path)
    assert (guess.plan["kind"], guess.plan.get("target"), guess.plan["metric"], guess.plan["split"]["kind"]) == told
    assert loaded(tmp_path, guess).kind == told[0]


PEOPLE = {"id": range(60), "label": some(60, "a", "b")}
BOTH = {"people": PEOPLE, "edges": ties()}


@pytest.mark.parametrize(
    ("tables", "said", "line"),
    [
        ({"people": PEOPLE}, {}, "people.csv seems to hold one thing a row and no edges between them (columns id, label); give the file"),
        ({"people": PEOPLE, "more": {"size": [0.5, 0.25]}}, {}, "no two columns of more.csv (size), people.csv (id, label) name nodes"),
        (BOTH, {"label": ("lable",)}, "--label lable: no file has such a column; did you mean label?"),
        (BOTH, {"label": ("source",)}, "--label source: people.csv, whose rows are predicted, has no such column"),
        (BOTH, {"metric": "rmse"}, "--metric rmse does not fit classes; allowed: accuracy, macro_f1, roc_auc, ap"),
        (BOTH, {"split": "fold"}, "--split fold: no such column; did you mean folds?"),
        (BOTH, {"source": "source"}, "--source and --target belong together"),
        ({"edges": ties()}, {"kind": "graph"}, "--kind graph needs a label; say which column: --label COLUMN"),
    ],
)  # fmt: skip
def test_bad_wishes_are_one_line(tmp_path: Path, tables: dict[str, Any], said: dict[str, Any], line: str) -> None:
    frames(tmp_path, **tables)
    with pytest.raises(UsageError) as caught:
        guessed(tmp_path, **said)
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("edges.csv", b"0,1\n1,2\n", "the first line is 0,1: no header; put one above it, such as source,target"),
        ("edges.txt", b"0 1\n1 2\n", "the first line is '0 1', one column of 2 words; --separator ' ' parts them"),
        ("graph.pkl", b"\x80\x04", "a pickle runs code when it is read, so it is refused"),
        ("edges.csv", b"a,b\n\xff,1\n", "line 2 is not UTF-8"),
    ],
)
def test_bad_files_are_one_line(tmp_path: Path, name: str, content: bytes, line: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        look(path)
    assert line in str(caught.value)


def test_files_and_folders(tmp_path: Path) -> None:
    for name in ("edges.csv", "README.txt", "model.bin", "task.yaml"):
        (tmp_path / name).touch()
    assert files_of([tmp_path]) == ([tmp_path / "edges.csv"], [tmp_path / "README.txt", tmp_path / "model.bin"])
    with pytest.raises(UsageError, match=r"nothing.csv: no such file or folder; beside it: README.txt, edges.csv"):
        files_of([tmp_path / "nothing.csv"])
    (tmp_path / "edges.csv").unlink()
    with pytest.raises(UsageError, match=r"holds no data file; known endings: \.csv"):
        files_of([tmp_path])


CELL = st.sampled_from(
    ["", "0", "1", "2", "-7", "3.5", "yes", "a b c d", "train", "CCO", "c1ccccc1", "2020-01-01", "é", "#", "'", '"', "NaN", "1e9"]
)
NAME = st.text(min_size=1, max_size=8).filter(lambda text: bool(text.strip()))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.lists(NAME, min_size=1, max_size=4, unique=True), st.lists(st.lists(CELL, min_size=4, max_size=4), max_size=6)),
        max_size=3,
    )
)
def test_whatever_the_files_hold_errors_are_our_own_and_what_is_written_is_yaml(
    tmp_path_factory: pytest.TempPathFactory, tables: Any
) -> None:
    from agentnas.tools.own.schema import read_task_file

    folder = tmp_path_factory.mktemp("any")
    for number, (header, rows) in enumerate(tables):
        pd.DataFrame([row[: len(header)] for row in rows], columns=header).to_csv(folder / f"t{number}.csv", index=False, encoding="utf-8")
    try:
        guess = guessed(folder)
    except AgentNASError:
        return
    path = folder / "task.yaml"
    path.write_text(task_yaml({"name": "mine", **relative(guess.plan, folder)}, guess, "check"), encoding="utf-8")
    read = read_task_file(path)
    assert read.kind == guess.plan["kind"]
