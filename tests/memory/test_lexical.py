"""The lexical index agrees with a plain reading of its formulas, and never fails on odd text."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentnas.memory.lexical import GRAM_TERMS, Blend, LexicalIndex, Postings, ngrams
from agentnas.memory.stems import fold, words

DOCUMENTS = [
    {"title": "graph attention", "text": "Attention weighs the neighbours of a node."},
    {"title": "deep propagation", "text": "Propagation over many hops smooths features; labels are few."},
    {"title": "pooling", "text": "Whole graphs need a readout."},
]
INDEX = LexicalIndex(DOCUMENTS, {"title": 2.0, "text": 1.0})


@pytest.mark.parametrize("group", ["label labels labelled labelling", "feature features", "node nodes", "propagation propagations"])
def test_inflections_share_a_stem(group: str) -> None:
    assert len(set(words(group))) == 1


def test_text_is_folded() -> None:
    assert fold("Erdős–Rényi, 2-hop\n GRAPHS!") == "erdos renyi 2 hop graphs"
    assert words("What is the Laplacian of a graph?") == ["laplacian", "graph"]


def test_ngrams_are_those_of_the_text_and_distinct() -> None:
    text = " graph 2 "
    expected = [text[i : i + n] for n in (3, 4, 5) for i in range(len(text) - n + 1)]
    codes = ngrams("Graph-2")
    assert len(codes) == len(expected)
    assert len(set(codes.tolist())) == len(set(expected))
    assert set(ngrams("graph").tolist()) & set(codes.tolist())


def test_cosines_are_those_of_tf_idf_vectors() -> None:
    bags = [["a", "a", "b"], ["b", "c"], ["c", "c", "d"]]
    code = {"a": 5, "b": 7, "c": 11, "d": 13}
    terms = np.array([code[t] for bag in bags for t in bag])
    documents = np.array([i for i, bag in enumerate(bags) for _ in bag])
    postings = Postings(terms, documents, np.ones(len(terms)), 3)

    def vector(bag: list[str]) -> dict[str, float]:
        idf = {t: math.log(4 / (1 + sum(t in other for other in bags))) + 1 for t in code}
        raw = {t: math.log2(1 + n) * idf[t] for t, n in Counter(bag).items()}
        norm = math.sqrt(sum(v * v for v in raw.values()))
        return {t: v / norm for t, v in raw.items()}

    query = ["a", "b", "b"]
    expected = [sum(v * vector(bag).get(t, 0) for t, v in vector(query).items()) for bag in bags]
    assert postings.cosines(np.array([code[t] for t in query] + [99])) == pytest.approx(expected)
    gram = [[sum(v * vector(b).get(t, 0) for t, v in vector(a).items()) for b in bags] for a in bags]
    assert postings.gram() == pytest.approx(np.array(gram))


def test_cosines_of_many_terms_are_added_block_by_block() -> None:
    rng = np.random.default_rng(0)
    count = 3 * GRAM_TERMS
    postings = Postings(rng.integers(0, 2 * GRAM_TERMS, count), rng.integers(0, 4, count), np.ones(count), 4)
    vectors = np.zeros((4, len(postings.terms)))
    vectors[postings.documents, postings.term_of] = postings.values
    assert len(postings.terms) > GRAM_TERMS
    assert postings.gram() == pytest.approx(vectors @ vectors.T, rel=1e-5)


@given(st.text(max_size=60), st.text(max_size=60))
def test_scores_are_similarities_for_any_text(query: str, extra: str) -> None:
    scores = INDEX.scores(query, extra)
    assert scores.shape == (3,)
    assert np.all((scores >= 0) & (scores <= 1))


def test_a_document_is_most_similar_to_itself() -> None:
    for i, document in enumerate(DOCUMENTS):
        scores = INDEX.scores(f"{document['title']} {document['text']}")
        assert scores.argmax() == i
        assert scores[i] > 0.85
    assert INDEX.scores("").tolist() == INDEX.scores("量子").tolist() == [0, 0, 0]


def test_hints_help_without_ruling() -> None:
    assert INDEX.scores("pooling", "attention").argmax() == 2
    assert INDEX.scores("zzzz", "attention").argmax() == 0


def test_hints_are_whole_words() -> None:
    """A hint that merely looks like a word of a document adds nothing; typed by a person it is taken for that word."""
    assert INDEX.scores("", "attentive").tolist() == [0, 0, 0]
    assert INDEX.scores("attentive").argmax() == 0


@pytest.mark.parametrize(("part", "best"), [("words", 1), ("ngrams", 0)])
def test_a_blend_says_which_cosine_orders(part: str, best: int) -> None:
    """The query shares its one whole word with the second document and most of its letters with the first."""
    alone = Blend(**{"words": 0.0, "ngrams": 0.0, "latent": 0.0, part: 1.0})
    assert INDEX.scores("attentively neighbourhoods, smooths", blend=alone).argmax() == best


def test_order_of_documents_does_not_matter() -> None:
    turned = LexicalIndex(DOCUMENTS[::-1], {"title": 2.0, "text": 1.0})
    query = "few labels on graphs"
    assert turned.scores(query)[::-1] == pytest.approx(INDEX.scores(query))


def test_shared_words_are_shown_as_they_were_typed() -> None:
    assert set(INDEX.shared("Which features have few labels on graphs", 1)) == {"features", "few", "labels"}
    assert len(INDEX.shared("Which features have few labels on graphs", 1, limit=2)) == 2
    assert INDEX.shared("nothing in common", 0) == []
