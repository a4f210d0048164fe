"""Files as people have them: what is mended without a word of theirs, what is said, and what is refused with the way out."""

from __future__ import annotations

import bz2
import gzip
import io
import pickle
import re
import zipfile
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from agentnas.tools.errors import AgentNASError, DataError
from agentnas.tools.own.guessing import Guess
from agentnas.tools.own.looking import look
from agentnas.tools.own.tables import separator_of
from agentnas.tools.spelling import alike, form, meant
from agentnas.tools.tasks import check_task, load_task
from tests.tools.own.guesses import RNG, frames, guessed, loaded, some, ties
from tests.tools.own.making import TASK, people, write
from tests.tools.own.test_bad_input import told, with_cell

COUNT = 60


def persons(**columns: Any) -> dict[str, Any]:
    return {"id": range(COUNT), "age": np.arange(COUNT) % 7 + 20, "label": some(COUNT, "a", "b"), **columns}


def refused(folder: Path, **said: Any) -> str:
    """The one line that a guess ends with."""
    with pytest.raises(AgentNASError) as caught:
        guessed(folder, **said)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def doubts(guess: Guess) -> str:
    return "\n".join(f"{doubt.text} -> {doubt.option}" for doubt in guess.doubts)


def packed() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("xl/workbook.xml", "<x/>")
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (gzip.compress(b"id,label\n1,a\n"), "is packed by gzip; unpack it first (gunzip)"),
        (bz2.compress(b"id,label\n1,a\n"), "is packed by bzip2"),
        (packed(), "is a zip archive or an Excel workbook; unpack it, or save its sheet as CSV"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99), "is an Excel workbook of the old format"),
        (b"PAR1\x15\x00\xff\xff", "is a Parquet file; let its name end in .parquet"),
        ("id,label\n1,a\n".encode("utf-16"), "is UTF-16; save it as UTF-8, or give encoding: utf-16 where it is a table"),
        (pickle.dumps({"id": 1}), "is a pickle, which runs code when it is read, so it is refused"),
        (b"SQLite format 3\x00" + bytes(99), "is an SQLite database"),
    ],
)
def test_what_a_file_is_in_truth_is_said(content: bytes, line: str, tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_bytes(content)
    with pytest.raises(DataError, match=re.escape(f"people.csv: {line}")):
        look(tmp_path / "people.csv")


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("people.csv.gz", r"\.gz ending is not known; .*; unpack it first"),
        ("people.xlsx", r"\.xlsx ending is not known; .*; save its sheet as CSV"),
        ("people.json", r"\.json ending is not known; .*; save its table as CSV or Parquet"),
        ("people.edges", r"\.edges ending is not known; .*; if it is a table of text, let its name end in \.csv"),
    ],
)
def test_an_ending_that_is_not_known_comes_with_a_way_out(name: str, line: str, tmp_path: Path) -> None:
    assert re.search(line, told(write(tmp_path, people() | {"task.yaml": TASK.replace("people.csv", name), name: "x"})))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("# a graph\n# From\tTo\n0\t1\n", "the first line is '# a graph', a comment? Leave such lines out"),
        ("# Nodes: 4, Edges: 5\n0\t1\n", "the header 2; the first line is '# Nodes: 4', a comment?"),
        (",id\n0,a\n", "column 1 has no name; name it in the header, or leave it out where it only counts the rows (pandas"),
        ("id,label,\na,b,\n", "column 3 has no name; name it in the header, or leave out the separators at the ends of lines"),
    ],
)
def test_a_header_that_is_none_is_told(text: str, line: str, tmp_path: Path) -> None:
    (tmp_path / "edges.csv").write_text(text)
    with pytest.raises(DataError, match=re.escape(line)):
        look(tmp_path / "edges.csv")


def test_separators_by_name_and_none_of_two_characters() -> None:
    assert [separator_of(said, "x") for said in (None, ";", "tab", r"\t", "\t")] == [None, ";", "\t", "\t", "\t"]
    for wrong in (", ", "", '"', "\n"):
        with pytest.raises(DataError, match="allowed: one character such as"):
            separator_of(wrong, "--separator")


def test_a_separator_that_does_not_part_the_header(tmp_path: Path) -> None:
    (tmp_path / "edges.csv").write_text("source,target\n1,2\n")
    with pytest.raises(DataError, match=re.escape("the first line is 'source,target', one column; --separator ',' parts it")):
        look(tmp_path / "edges.csv", separator="tab")


def test_a_pickle_in_place_of_tensors_is_refused_without_advice_to_run_it(tmp_path: Path) -> None:
    line = told(write(tmp_path, {"task.yaml": "source: graph.pt\n", "graph.pt": pickle.dumps({"x": 1})}))
    assert "weights_only" not in line


@pytest.mark.parametrize("suffix", ["gml", "graphml", "npz", "pt"])
def test_a_source_without_a_byte(suffix: str, tmp_path: Path) -> None:
    assert told(write(tmp_path, {"task.yaml": f"source: graph.{suffix}\n", f"graph.{suffix}": b""})) == f"graph.{suffix}: the file is empty"


@pytest.mark.filterwarnings("error")
def test_numbers_beyond_all_integers_are_checked_without_a_warning(tmp_path: Path) -> None:
    frames(tmp_path, edges=ties(), people=persons(big=[10**30 + i for i in range(COUNT)], vast=RNG.normal(size=COUNT) * 1e30))
    assert "constant-features" in {problem.code for problem in check_task(loaded(tmp_path, guessed(tmp_path)))}


def test_a_folder_in_the_place_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "club.gml").mkdir()
    assert told(write(tmp_path, {"task.yaml": "source: club.gml\nnodes: {label: club}\n"})) == "club.gml: a folder; give a file"


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda name: name.upper(), r"node 'P\d+' is none of the 60 nodes, .*; write names alike: there is 'p\d+'"),
        (lambda name: "", r"column 'to': is empty; an edge needs both its ends"),
    ],
)
def test_an_end_that_is_written_otherwise_or_not_at_all(change: Any, line: str, tmp_path: Path) -> None:
    files = people() | {"task.yaml": TASK}
    end = files["knows.csv"].splitlines()[3].split(",")[1]
    assert re.search(line, told(write(tmp_path, files | {"knows.csv": with_cell(files["knows.csv"], 3, "to", change(end))})))


def test_spelling() -> None:
    assert [form(name) for name in ("007", "7.0", "+7", "7.5", "-0", "-07", "A  b", "ﬁ")] == [
        *("7", "7", "7", "7.5", "0", "-7", "a b", "fi")
    ]
    assert meant("1", ["002", "001"]) == "001"
    assert meant("3", ["002", "001"]) is None
    assert alike(["Fraud", "ok", "fraud"]) == ("Fraud", "fraud")
    assert alike(["a", "b", "-1", "1"]) is None


def test_classes_that_differ_in_spelling_alone_are_found(tmp_path: Path) -> None:
    label = ["Fraud", "fraud", "ok"] * 20
    frames(tmp_path, edges=ties(), people=persons(label=label))
    found = {problem.code: problem.text for problem in check_task(loaded(tmp_path, guessed(tmp_path)))}
    assert found["alike-classes"] == "classes 'Fraud' and 'fraud' differ in nothing but how they are written"


@pytest.mark.parametrize("ids", [lambda i: f"{i:03}", lambda i: f"P{i}", lambda i: f"{i}.0"])
def test_ids_that_are_written_in_two_ways_are_no_reason_to_leave_the_nodes_out(ids: Any, tmp_path: Path) -> None:
    mine = [ids(i) for i in range(COUNT)]
    plain = [name.lower() if name[0] == "P" else str(int(float(name))) for name in mine]
    ends = RNG.integers(COUNT, size=(2, 240))
    frames(
        tmp_path,
        edges={"source": [plain[i] for i in ends[0]], "target": [plain[i] for i in ends[1]]},
        people=persons(id=mine),
    )
    assert re.search(r"write (names|ids) alike", told_of(tmp_path))


def told_of(folder: Path) -> str:
    """The one line that a guess, or the task that is made of it, ends with."""
    with pytest.raises(AgentNASError) as caught:
        loaded(folder, guessed(folder))
    return str(caught.value)


def test_numbers_with_a_comma_and_words_among_numbers_do_not_break_a_guess(tmp_path: Path) -> None:
    rows = ["id;age;price", *(f"{i};{20 + i},5;{'unknown' if i == 7 else f'{i},25'}" for i in range(COUNT))]
    (tmp_path / "houses.csv").write_text("\n".join(rows) + "\n")
    frames(tmp_path, edges=ties())
    guess = guessed(tmp_path)
    assert (guess.plan["nodes"]["label"], guess.plan["target"]) == ("price", "value")
    assert any("numbers from 0.25 to 59.2" in line.why for line in guess.lines)
    assert told_of(tmp_path).startswith("houses.csv: row 8, column 'price': 'unknown' is no finite number")


def test_numbers_with_a_comma_between_tabs_are_said(tmp_path: Path) -> None:
    rows = ["id\tage\tlabel", *(f"{i}\t{20 + i},5\t{'ab'[i % 2]}" for i in range(COUNT))]
    (tmp_path / "people.tsv").write_text("\n".join(rows) + "\n")
    frames(tmp_path, edges=ties())
    assert any("numbers with a comma before decimals" in line.why for line in guessed(tmp_path).lines)
    yaml = "nodes: {file: people.tsv, label: label}\nedges: {file: edges.csv}\n"
    assert "people.tsv: column 'age' holds numbers with a comma" in told(write(tmp_path, {"task.yaml": yaml}))


def test_names_of_a_letter_and_a_number_are_no_molecules(tmp_path: Path) -> None:
    names = [f"C{i}" for i in range(COUNT)]
    frames(tmp_path, edges={"source": some(200, *names), "target": some(200, *names)}, people=persons(id=names))
    assert guessed(tmp_path).plan["kind"] == "node"


def test_a_year_is_a_time_to_split_by(tmp_path: Path) -> None:
    frames(tmp_path, edges=ties(), people=persons(year=RNG.integers(1990, 2020, COUNT)))
    line = "year says a year: if the future is to be predicted, split by time -> split: {kind: time, column: year}"
    assert line in doubts(guessed(tmp_path))


def test_words_of_a_label_that_are_read_as_empty_are_said(tmp_path: Path) -> None:
    frames(tmp_path, edges=ties(), people=persons(label=["none", "low", "high"] * 20))
    assert "'none' is read as empty, in 20 rows of label; if it is a class, it needs another name" in doubts(guessed(tmp_path))


def test_names_alone_make_a_list_of_edges(tmp_path: Path) -> None:
    names = [f"n{i}" for i in range(COUNT)]
    frames(tmp_path, pairs={"person": some(240, *names), "contact": some(240, *names), "calls": RNG.integers(9, size=240)})
    guess = guessed(tmp_path)
    assert (guess.plan["edges"]["source"], guess.plan["edges"]["target"], guess.plan["kind"]) == ("person", "contact", "link")
    assert any(line.why == "both hold the same names" for line in guess.lines)


@pytest.mark.parametrize("ids", [("C{}", "I{}"), ("{}", "{}")])
def test_two_tables_of_nodes_are_refused_and_the_way_out_is_told(ids: tuple[str, str], tmp_path: Path) -> None:
    customers, items = ([text.format(i) for i in range(count)] for text, count in zip(ids, (COUNT, 20), strict=True))
    frames(
        tmp_path,
        customers={"customer_id": customers, "age": RNG.normal(size=COUNT), "churned": some(COUNT, 0, 1)},
        items={"item_id": items, "price": RNG.normal(size=20)},
        purchases={"customer_id": some(300, *customers), "item_id": some(300, *items), "quantity": RNG.integers(1, 5, 300)},
    )
    line = refused(tmp_path)
    assert line.startswith(
        "purchases.csv joins customer_id of customers.csv to item_id of items.csv, but all nodes stand in one table; put"
    )


def test_nodes_that_are_numbered_within_their_graph(tmp_path: Path) -> None:
    sizes = RNG.integers(4, 8, 50)
    owner = np.repeat(np.arange(50), sizes)
    within = np.concatenate([np.arange(size) for size in sizes])
    chain = np.flatnonzero(owner[:-1] == owner[1:])
    frames(
        tmp_path,
        gates={"circuit": [f"c{i}" for i in owner], "gate": within, "kind": some(len(owner), "AND", "OR"), "area": RNG.random(len(owner))},
        wires={"circuit": [f"c{i}" for i in owner[chain]], "from_gate": within[chain], "to_gate": within[chain] + 1},
        circuits={"circuit": [f"c{i}" for i in range(50)], "delay_ns": RNG.normal(size=50)},
    )
    guess = guessed(tmp_path)
    assert guess.plan["nodes"] | {"file": ""} == {"file": "", "id": "gate", "graph": "circuit"}
    assert guess.plan["edges"] | {"file": ""} == {"file": "", "source": "from_gate", "target": "to_gate", "graph": "circuit"}
    assert guess.plan["graphs"] | {"file": ""} == {"file": "", "id": "circuit", "label": "delay_ns"}
    task = loaded(tmp_path, guess)
    assert (task.kind, task.target, task.data and task.data.num_items) == ("graph", "value", 50)


def test_a_label_of_graphs_that_stands_with_nodes(tmp_path: Path) -> None:
    owner, within = np.repeat(np.arange(40), 6), np.tile(np.arange(6), 40)
    chain = np.flatnonzero(owner[:-1] == owner[1:])
    frames(
        tmp_path,
        nodes={"graph_id": owner, "node_id": within, "kind": some(240, "A", "B"), "target": owner / 2, "energy": owner / 3},
        edges={"graph_id": owner[chain], "source": within[chain], "target_node": within[chain] + 1},
    )
    ends = {"source": "source", "target": "target_node"}
    line = refused(tmp_path, **ends)
    assert line.startswith("target of nodes.csv is the same for all nodes of a graph_id, as a label of graphs is; put one row a graph in a")
    assert line.endswith("or say --kind node")
    assert guessed(tmp_path, **ends, kind="node").plan["kind"] == "node"
    assert refused(tmp_path, **ends, ignore=("target",)).endswith("(graph_id, energy), or say --kind link")


def test_attributes_of_several_values_are_left_out_and_say_so(tmp_path: Path) -> None:
    graph = nx.barabasi_albert_graph(COUNT, 2, seed=1)
    for node in graph:
        graph.nodes[node].update(lines=[1, 2], pos={"x": 1.5}, busy="yes" if node % 3 else "no")
    nx.write_gml(graph, tmp_path / "trains.gml")
    guess = guessed(tmp_path, label=("busy",))
    assert guess.plan["nodes"]["ignore"] == ["label", "lines", "pos"]  # its label is what NetworkX calls the node
    assert any("several values in a cell" in line.why for line in guess.lines)
    assert loaded(tmp_path, guess).kind == "node"
    assert guessed(tmp_path).plan["kind"] == "link"
    yaml = "source: trains.gml\nnodes: {label: busy}\n"
    line = told(write(tmp_path, {"task.yaml": yaml}))
    assert line == "trains.gml: nodes: row 1, column 'lines': holds several values, a feature takes one; add nodes: ignore: [lines]"
    label = told(write(tmp_path, {"task.yaml": yaml.replace("busy", "lines")}))
    assert label == "trains.gml: nodes: row 1, column 'lines': holds several values; nodes: label takes one a cell"


def test_vectors_in_parquet_are_left_out_and_say_so(tmp_path: Path) -> None:
    pd.DataFrame(persons(vector=[[0.5, 1.5]] * COUNT)).to_parquet(tmp_path / "people.parquet")
    frames(tmp_path, edges=ties())
    guess = guessed(tmp_path)
    assert guess.plan["nodes"]["ignore"] == ["vector"]
    assert loaded(tmp_path, guess).kind == "node"


def test_the_number_of_the_row_is_no_feature_and_no_label(tmp_path: Path) -> None:
    frames(tmp_path, edges=ties(), people={"Unnamed: 0": range(COUNT), **persons(target=range(COUNT))})
    guess = guessed(tmp_path, id="id")
    assert guess.plan["nodes"]["label"] == "label"
    assert guess.plan["nodes"]["ignore"] == ["Unnamed: 0", "target"]


@pytest.mark.parametrize(
    ("cells", "first"),
    [
        (["03.04.2020", "25.12.2020"], "2020-04-03"),
        (["03.04.2020", "05.06.2020"], "2020-04-03"),
        (["03/04/2020", "25/12/2020"], "2020-04-03"),
        (["03/04/2020", "12/25/2020"], "2020-03-04"),
    ],
)
def test_dates_are_read_in_one_order(cells: list[str], first: str, tmp_path: Path) -> None:
    from agentnas.tools.own.columns import days, holds
    from agentnas.tools.own.tables import Table

    table = Table("people.csv", pd.DataFrame({"joined": cells * 20}))
    assert holds(table, "joined") == "dates"
    assert np.datetime64("1970-01-01") + int(days(table, "joined", "nodes: dates")[0]) == np.datetime64(first)


@pytest.mark.parametrize(
    ("cells", "line"),
    [
        (
            ["03/04/2020", "05/06/2020"],
            "row 1, column 'joined': '03/04/2020' may begin with the day or the month; write dates as 2024-05-31",
        ),
        (["13/04/2020", "05/16/2020"], "row 1, column 'joined': '13/04/2020' is of a column where day and month change places"),
    ],
)
def test_dates_of_no_clear_order_are_refused(cells: list[str], line: str) -> None:
    from agentnas.tools.own.columns import days
    from agentnas.tools.own.tables import Table

    with pytest.raises(DataError, match=re.escape(line)):
        days(Table("people.csv", pd.DataFrame({"joined": cells})), "joined", "nodes: dates")


def test_a_full_adjacency_matrix(tmp_path: Path) -> None:
    adjacency = (RNG.random((COUNT, COUNT)) < 0.1).astype(float)
    np.savez(tmp_path / "graph.npz", adj=adjacency, features=RNG.normal(size=(COUNT, 3)), labels=np.arange(COUNT) % 2)
    task = load_task(str(write(tmp_path, {"task.yaml": "source: graph.npz\ndirected: true\n"})))
    assert task.data is not None
    assert task.data.edge_index.shape[1] == int(adjacency.sum() - np.trace(adjacency))


@pytest.mark.parametrize(
    ("y", "line"),
    [
        ((np.arange(600) % 3).astype(float), "y holds 3 different whole numbers; value is taken, as they are of float64, classes fits"),
        (np.arange(600) // 2, "y holds 300 different whole numbers; classes is taken, value fits if they are amounts -> --predict value"),
    ],
)
def test_numbers_of_arrays_whose_type_says_one_thing_and_their_values_another(y: Any, line: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "graph.npz", edge_index=RNG.integers(600, size=(2, 2000)), x=RNG.normal(size=(600, 2)), y=y)
    assert line in doubts(guessed(tmp_path))
