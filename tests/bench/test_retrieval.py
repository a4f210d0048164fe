"""Recall, reciprocal rank, their means and errors are those of their definitions; the ranking is that of a run's recall."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from agentnas.bench.retrieval import ALL, HYBRID, MACRO, Finding, by_embedder, by_recall, measure, rows
from agentnas.bench.retrieval_queries import JudgedQuery
from agentnas.bench.retrieval_tuning import BLENDS, folds_of, tune
from agentnas.memory.embedding import Vectors
from agentnas.memory.lexical import DEFAULT_BLEND, Blend
from agentnas.memory.library import Library, library_of, shipped_library
from agentnas.memory.memory import InMemory
from agentnas.tools.errors import UsageError
from tests.bench.judged import QUERIES, cards

LIBRARY = library_of(cards())
JUDGED = [JudgedQuery(**query) for query in QUERIES]


def judged(qid: str = "q", kind: str = "k", **relevant: float) -> JudgedQuery:
    return JudgedQuery(qid, kind, "anything", relevant)


@pytest.mark.parametrize(
    ("order", "values"),
    [
        ("a b c d e f g h i j k", (1.0, 1.0, 1.0)),
        ("x a y z w b", (0.5, 1.0, 0.5)),
        ("1 2 3 4 5 6 7 8 9 a b", (0.0, 0.5, 0.1)),
        ("1 2 3 4 5 6 7 8 9 10 a b", (0.0, 0.0, 1 / 11)),
        ("c", (0.0, 0.0, 0.0)),
    ],
)
def test_only_cards_that_answer_count(order: str, values: tuple[float, ...]) -> None:
    (found,) = measure("r", lambda query: order.split(), [judged(a=2, b=3, c=1, d=0)])
    assert found == Finding("r", "q", "k", found.values, tuple(order.split()[:5]))
    assert found.values == pytest.approx(values)


def test_every_kind_counts_the_same_in_the_mean_of_kinds() -> None:
    shares = {"one": [1.0, 0.0], "two": [1.0, 0.5, 0.0, 0.5]}
    findings = [
        Finding("r", f"{kind}{at}", kind, (share,) * 3, ()) for kind, values in shares.items() for at, share in enumerate(values)
    ]  # fmt: skip
    table = {row.group: row for row in rows(findings)}
    assert {name: row.values[0] for name, row in table.items()} == {"one": 0.5, "two": 0.5, MACRO: 0.5, ALL: 0.5}
    assert table["one"].errors[0] == pytest.approx(0.5)  # sample deviation over the root of the count
    assert table["two"].errors[0] == pytest.approx(math.sqrt(1 / 6) / 2)
    assert table[MACRO].errors[0] == pytest.approx(math.sqrt(0.5**2 + 1 / 24) / 2)
    assert [row.queries for row in table.values()] == [2, 4, 6, 6]


def test_the_error_is_unknown_where_a_kind_has_one_query() -> None:
    findings = [Finding("r", "a", "one", (1.0,) * 3, ()), *(Finding("r", f"b{at}", "two", (0.0,) * 3, ()) for at in range(3))]
    table = {row.group: row for row in rows(findings)}
    assert table[MACRO].values[0] == 0.5
    assert table[MACRO].errors[0] is None
    assert table[ALL].values[0] == 0.25
    assert table[ALL].errors[0] == pytest.approx(0.25)


@pytest.mark.parametrize("query", ["Every layer makes my nodes look the same", "edge homophily 0.11", "few labels", "Über 2-hop?"])
def test_cards_are_ranked_as_a_run_recalls_them(query: str) -> None:
    """Order and membership, over the cards that ship."""
    recalled = [found.id.removeprefix("card:") for found in InMemory().recall(None, query, k=1000) if found.kind == "card"]
    assert by_recall(shipped_library())(query) == recalled
    assert len(recalled) > 10


class Letters:
    """An embedder that knows a text by its first letter."""

    name, dimension = "letters", 26

    def embed(self, texts: Sequence[str]) -> Vectors:
        return np.array([[text[:1].lower() == chr(97 + at) for at in range(26)] for text in texts], dtype=np.float32)


def test_an_embedder_alone_ranks_all_cards_by_its_cosine() -> None:
    order = by_embedder(LIBRARY, Letters())("drumming")
    assert order[0] == "drums"
    assert sorted(order) == sorted(LIBRARY.cards)


def test_folds_share_every_kind_and_ignore_the_order_of_the_file() -> None:
    folds = folds_of(JUDGED, 3)
    assert folds == folds_of(JUDGED[::-1], 3)
    shares = {(kind, fold): sum(folds[q.qid] == fold for q in JUDGED if q.kind == kind) for kind in ("plain", "fancy") for fold in range(3)}
    assert set(shares.values()) == {2}


def test_weights_are_never_chosen_on_the_queries_that_measure_them() -> None:
    """Each of two folds wants cards that only one blend of weights finds: under the weights of the other fold none is found."""
    queries = _opposed(BLENDS[0], BLENDS[-1])
    tuned = tune(shipped_library(), queries, 2)
    fold_of = folds_of(queries, 2)
    for fold, blend in enumerate(tuned.chosen):
        own, other = ([query for query in queries if (fold_of[query.qid] == fold) is mine] for mine in (True, False))
        assert _recall(shipped_library(), blend, other) == 1
        assert _recall(shipped_library(), blend, own) < 0.5
    assert {finding.qid for finding in tuned.held_out} == {query.qid for query in queries}
    assert _mean(tuned.held_out) < 0.5
    assert _mean(tuned.in_sample) >= 0.5


def _opposed(one: Blend, other: Blend) -> list[JudgedQuery]:
    """Questions whose answer is among the first five under one blend and not under the other, which one: by their fold."""
    fold_of = folds_of(JUDGED, 2)
    rank = [by_recall(replace(shipped_library(), blend=blend)) for blend in (one, other)]
    texts = [card.trigger.split(",")[0] for card in list(shipped_library().cards.values())[:90]]
    only = [[(text, _first_only(rank[at](text), rank[1 - at](text))) for text in texts] for at in (0, 1)]
    found = [iter([(text, name) for text, name in pairs if name]) for pairs in only]
    return [replace(query, query=text, relevant={name: 2}) for query in JUDGED for text, name in [next(found[fold_of[query.qid]])]]


def _first_only(order: Sequence[str], other: Sequence[str]) -> str:
    return next((name for name in order[:5] if name not in other[:5]), "")


def _recall(library: Library, blend: Blend, queries: Sequence[JudgedQuery]) -> float:
    return _mean(measure("r", by_recall(replace(library, blend=blend)), queries))


def _mean(findings: Sequence[Finding]) -> float:
    """The mean of kinds, of recall@5."""
    return next(row.values[0] for row in rows(findings) if row.group == MACRO)


def test_ties_are_broken_for_the_weights_that_ship() -> None:
    tuned = tune(LIBRARY, JUDGED, 2)  # any weights find all
    assert [finding.values for finding in tuned.held_out] == [(1.0, 1.0, 1.0)] * len(JUDGED)
    assert {*tuned.chosen, tuned.best} == {DEFAULT_BLEND}


def test_folds_need_as_many_queries() -> None:
    with pytest.raises(UsageError, match="--folds 5 needs as many queries; the file has 3"):
        tune(LIBRARY, JUDGED[:3], 5)


def test_the_blend_that_ships_is_among_those_tried() -> None:
    assert DEFAULT_BLEND in BLENDS
    assert len(set(BLENDS)) == len(BLENDS)
    assert HYBRID not in {f.ranker for f in tune(LIBRARY, JUDGED, 2).held_out}
