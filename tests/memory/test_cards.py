"""The cards that ship are complete, speak the spec language, and are found by people's questions."""

from __future__ import annotations

import json
import re
import statistics
import time
from pathlib import Path

import pytest

from agentnas.memory.cards import load_cards, shipped_cards, shipped_index
from agentnas.memory.query import hints
from agentnas.tools.errors import DataError

QUERIES = [json.loads(line) for line in (Path(__file__).parent / "queries.jsonl").read_text(encoding="utf-8").splitlines()]


def top(query: str, count: int = 5, with_hints: bool = True) -> list[str]:
    scores = shipped_index().scores(query, hints(query) if with_hints else "")
    return [list(shipped_cards())[i] for i in (-scores).argsort(kind="stable")[:count]]


def recall_at_5(with_hints: bool) -> float:
    """Mean share of the cards that answer a judged query (grade 2) among the first five."""
    wanted = [{name for name, grade in query["relevant"].items() if grade == 2} for query in QUERIES]
    found = [set(top(query["query"], with_hints=with_hints)) for query in QUERIES]
    return statistics.fmean(len(want & got) / len(want) for want, got in zip(wanted, found, strict=True))


def test_all_cards_ship() -> None:
    cards = shipped_cards()
    assert len(cards) == 270
    assert {"grand", "gcnii", "dagnn", "appnp", "gat"} <= set(cards)
    assert all(card.evidence == "" for card in cards.values() if card.source == "general knowledge")


def test_actions_use_the_names_of_the_language() -> None:
    foreign = re.compile(r"\b(graphsage|chebnet|skip-minus|fc|MLP|pairnorm|graphnorm)\b")
    assert [card.id for card in shipped_cards().values() if foreign.search(card.action)] == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"trigger": ""}, ":2: trigger: String should have at least 1 character: ''"),
        ({"year": "soon"}, ":2: year: "),
        ({"id": "Not A Slug"}, ":2: id: "),
        ({"topics": []}, ":2: topics: "),
        ({"colour": "red"}, ":2: colour: Extra inputs are not permitted: 'red'"),
        ({"id": "gat"}, ":2: id 'gat' is used twice"),
    ],
)
def test_a_broken_card_is_named_by_file_and_line(tmp_path: Path, change: dict[str, object], message: str) -> None:
    good = shipped_cards()["gat"].model_dump(mode="json")
    path = tmp_path / "cards.jsonl"
    path.write_text("\n".join(json.dumps(card) for card in (good, {**good, "id": "other", **change})) + "\n")
    with pytest.raises(DataError, match=f"cards.jsonl{re.escape(message)}") as caught:
        load_cards(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"{", b"\n", b"\xff\xfe"])
def test_what_is_no_card_is_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "cards.jsonl"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"cards\.jsonl"):
        load_cards(path)
    with pytest.raises(DataError, match="cannot read cards"):
        load_cards(tmp_path / "gone.jsonl")


def test_judged_queries_find_their_cards() -> None:
    """Word TF-IDF alone reaches .59, character n-grams .66, the two added .72."""
    assert recall_at_5(with_hints=False) > 0.74
    assert recall_at_5(with_hints=True) > 0.79


def test_every_card_finds_itself() -> None:
    misses = [card.id for card in shipped_cards().values() if top(f"{card.title} {card.trigger}", 1) != [card.id]]
    assert misses == []


def test_a_query_takes_milliseconds() -> None:
    times = []
    for query in QUERIES:
        began = time.perf_counter()
        top(query["query"])
        times.append(time.perf_counter() - began)
    assert statistics.median(times) < 0.02
