"""``agentnas bench retrieval``: a table of a file of judged queries, and one clear line for a file that is none."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from agentnas.memory.cards import shipped_cards
from tests.bench.judged import QUERIES, write_cards, write_lines
from tests.cli.conftest import Run

GOOD: dict[str, Any] = {"qid": "q1", "kind": "k", "query": "deep networks", "relevant": {"gcnii": 2}}


def test_queries_are_measured_and_told(run: Run, tmp_path: Path) -> None:
    file = write_lines(tmp_path / "q.jsonl", [*QUERIES, "", {**QUERIES[0], "qid": "useful", "relevant": {"hats": 1}}])
    words = ("bench", "retrieval", file, "--cards", write_cards(tmp_path / "cards.jsonl"))
    printed = run(*words, "--csv", "f.csv", "--markdown", "t.md")
    assert printed.code == 0
    assert printed.out == (tmp_path / "t.md").read_text()
    assert printed.out.splitlines()[:8] == [
        "12 judged queries (6 fancy, 6 plain) on 12 cards",
        "",
        "| ranking | queries | count | recall@5 | recall@10 | MRR |",
        "| --- | --- | --- | --- | --- | --- |",
        "| hybrid | fancy | 6 | 1.000 ± 0.000 | 1.000 ± 0.000 | 1.000 ± 0.000 |",
        "| hybrid | plain | 6 | 1.000 ± 0.000 | 1.000 ± 0.000 | 1.000 ± 0.000 |",
        "| hybrid | mean of kinds (macro) | 12 | 1.000 ± 0.000 | 1.000 ± 0.000 | 1.000 ± 0.000 |",
        "| hybrid | all queries | 12 | 1.000 ± 0.000 | 1.000 ± 0.000 | 1.000 ± 0.000 |",
    ]
    assert "Left out, since no card of grade 2 answers them: 1 (useful)." in printed.out
    lines = list(csv.DictReader((tmp_path / "f.csv").read_text().splitlines()))
    assert [line["qid"] for line in lines] == [query["qid"] for query in QUERIES]
    assert lines[0] | {"first": ""} == {
        "ranking": "hybrid", "qid": "q00", "kind": "fancy", "recall@5": "1.0000", "recall@10": "1.0000", "MRR": "1.0000", "first": "",
    }  # fmt: skip
    assert lines[0]["first"].split()[0] == "apples"


def test_what_is_not_found_lowers_the_figures(run: Run, tmp_path: Path) -> None:
    """The first query wants the card of another subject as well: half of its cards are found, and nothing is wrong with the rest."""
    wanting = [{**QUERIES[0], "relevant": {"apples": 2, "lamps": 2}}, *QUERIES[1:]]
    file = write_lines(tmp_path / "q.jsonl", wanting)
    data = run("bench", "retrieval", file, "--cards", write_cards(tmp_path / "cards.jsonl"), "--json").data
    found = {row["group"]: row["recall@5"]["value"] for row in data["rows"]}
    assert found == pytest.approx({"fancy": 11 / 12, "plain": 1.0, "mean of kinds (macro)": 23 / 24, "all queries": 23 / 24})
    assert data["left_out"] == []
    assert data["tuned"] is None


def test_the_cards_that_ship_are_searched_where_none_are_given(run: Run, tmp_path: Path) -> None:
    data = run("bench", "retrieval", write_lines(tmp_path / "q.jsonl", [GOOD]), "--json").data
    assert data["cards"] == len(shipped_cards())
    assert data["rows"][0]["MRR"]["se"] is None


def test_tuning_and_an_embedder_stand_beside(run: Run, tmp_path: Path) -> None:
    file = write_lines(tmp_path / "q.jsonl", QUERIES)
    words = ("bench", "retrieval", file, "--cards", write_cards(tmp_path / "cards.jsonl"), "--folds", "3", "--embedder", "lexical")
    data = run(*words, "--json").data
    assert list(dict.fromkeys(row["ranking"] for row in data["rows"])) == [
        "hybrid", "lexical vectors", "hybrid tuned, held out", "hybrid tuned, in sample",
    ]  # fmt: skip
    assert len(data["tuned"]["chosen"]) == 3
    printed = run(*words)
    assert "Held out: the weights are chosen on the other 2 of 3 folds. Chosen: words 0.67" in printed.out
    assert "36 of 36 blends of weights measured" in printed.err


def test_an_embedder_without_its_weights_is_said(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from chromadb.utils.embedding_functions.onnx_mini_lm_l6_v2 import ONNXMiniLM_L6_V2

    monkeypatch.setattr(ONNXMiniLM_L6_V2, "DOWNLOAD_PATH", tmp_path)
    printed = run("bench", "retrieval", write_lines(tmp_path / "q.jsonl", [GOOD]), "--embedder", "minilm")
    assert (printed.code, printed.out) == (4, "")
    assert printed.err.count("\n") == 1
    assert "--embedder minilm needs its weights in" in printed.err


BROKEN: list[tuple[Any, str]] = [
    ("{", "q.jsonl:2: not JSON: Expecting property name"),
    ("[1, 2]", "q.jsonl:2: '[1, 2]' is no JSON object; give one object a line"),
    ('{"qid": "b", "query": "x"}', "q.jsonl:2: no kind, relevant; a query has qid, kind, query, relevant"),
    (GOOD, "q.jsonl:2: qid 'q1' is used twice; give each query its own"),
    (GOOD | {"qid": 7}, "q.jsonl:2: qid is 7; give a text that is not empty"),
    (GOOD | {"qid": "b", "query": " "}, 'q.jsonl:2: query is " "; give a text that is not empty'),
    (GOOD | {"qid": "b", "relevant": ["gat"]}, 'q.jsonl:2: relevant is ["gat"]; give an object of card ids and grades'),
    (GOOD | {"qid": "b", "relevant": {"gcni": 2}}, "q.jsonl:2: card 'gcni' does not exist; did you mean gcnii"),
    (GOOD | {"qid": "b", "relevant": {"qqqqqq": 2}}, "q.jsonl:2: card 'qqqqqq' does not exist; the ids are those of the cards that are"),
    (GOOD | {"qid": "b", "relevant": {"gat": "2"}}, 'q.jsonl:2: the grade of gat is "2"; allowed: numbers from 0, 2 for a card that'),
    (GOOD | {"qid": "b", "relevant": {"gat": True}}, "q.jsonl:2: the grade of gat is true; allowed: numbers from 0"),
    (GOOD | {"qid": "b", "relevant": {"gat": -1}}, "q.jsonl:2: the grade of gat is -1; allowed: numbers from 0"),
    (GOOD | {"qid": "b", "relevant": {"gat": float("nan")}}, "q.jsonl:2: the grade of gat is NaN; allowed: numbers from 0"),
]


@pytest.mark.parametrize(("second", "said"), BROKEN, ids=[said.split(":2: ")[1][:25] for _, said in BROKEN])
def test_a_broken_line_is_named(run: Run, tmp_path: Path, second: Any, said: str) -> None:
    printed = run("bench", "retrieval", write_lines(tmp_path / "q.jsonl", [GOOD, second]))
    assert (printed.code, printed.out) == (2, "")
    assert said in printed.err
    assert printed.err.count("\n") == 1


@pytest.mark.parametrize(
    ("content", "words", "said"),
    [
        (b"", (), "holds no query; give one JSON object a line with qid, kind, query, relevant"),
        (b"\n \n", (), "holds no query"),
        (b"\xff\xfe", (), "cannot read"),
        (None, (), "cannot read"),
        (json.dumps(GOOD | {"relevant": {"gat": 1}}).encode(), (), "no query has a card of grade 2, and recall is that of those cards"),
        (json.dumps(GOOD).encode(), ("--folds", "2"), "--folds 2 needs as many queries; the file has 1 that a card answers"),
        (json.dumps(GOOD).encode(), ("--cards", "gone.jsonl"), "cannot read cards: gone.jsonl"),
        (json.dumps(GOOD).encode(), ("--cards", "empty.jsonl"), "empty.jsonl holds no card"),
        (json.dumps(GOOD).encode(), ("--embedder", "bert"), "embedder 'bert' does not exist; allowed: lexical, minilm, openai:MODEL"),
        (json.dumps(GOOD).encode(), ("--csv", "no/f.csv"), "no/f.csv: the folder no does not exist; create it"),
    ],
)
def test_what_cannot_be_measured_is_said(run: Run, tmp_path: Path, content: bytes | None, words: tuple[str, ...], said: str) -> None:
    (tmp_path / "empty.jsonl").touch()
    if content is not None:
        (tmp_path / "q.jsonl").write_bytes(content)
    printed = run("bench", "retrieval", "q.jsonl", *words)
    assert (printed.code, printed.out) == (2, "")
    assert said in printed.err
    assert printed.err.count("\n") == 1
