"""Lexical search over a few hundred short documents: words, character n-grams, and what documents have in common.

Three cosines are added. Words (stemmed, TF-IDF) say what is meant, character 3-5-grams forgive inflection and spelling, and a latent space
of both (latent semantic analysis: Deerwester et al., 1990) lets a document match by the company that its words keep. Fields are weighted
before term frequencies are damped. numpy only; an index of 270 cards takes about 0.3 s, a query a few milliseconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agentnas.memory.stems import fold, stem, words

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NGRAMS = (3, 4, 5)
ALPHABET = 37  # a-z, 0-9, and the gap between words
MOST_LATENT = 1000  # documents, above which the latent space is left out: its time grows with the square and the cube of their number
LATENT = 40  # dimensions; on the judged queries 40 beats 60 and 100 under every weighting that was tried
GRAM_TERMS = 4096  # columns of a dense block


@dataclass(frozen=True)
class Blend:
    """What each cosine counts in a score, and what hints count against the words of the query; measured by ``bench retrieval``."""

    words: float = 2 / 3
    ngrams: float = 1.0
    latent: float = 1.0
    hints: float = 0.25


DEFAULT_BLEND = Blend()


def ngrams(text: str) -> Ints:
    """Codes of all character n-grams of the folded text, across words; different n-grams have different codes."""
    letters = np.frombuffer(f" {fold(text)} ".encode(), dtype=np.uint8).astype(np.int64)
    codes = np.where(letters >= 97, letters - 86, np.where(letters >= 48, letters - 47, 0))  # a-z 11-36, 0-9 1-10, gap 0
    return np.concatenate([_windows(codes, n) for n in NGRAMS])


def _windows(codes: Ints, n: int) -> Ints:
    count = max(0, len(codes) - n + 1)
    code = np.full(count, n, dtype=np.int64)
    for offset in range(n):
        code = code * ALPHABET + codes[offset : offset + count]
    return code


class Postings:
    """TF-IDF vectors of documents, stored by term; a term is any integer code."""

    def __init__(self, terms: Ints, documents: Ints, weights: Floats, num_documents: int) -> None:
        """One entry an occurrence: ``terms``, ``documents`` and ``weights`` are [num_occurrences]."""
        self.num_documents = num_documents
        keys, inverse = np.unique(terms * num_documents + documents, return_inverse=True)
        frequency = np.bincount(inverse, weights, minlength=len(keys))
        codes, self.documents = np.divmod(keys, num_documents)
        self.terms, start, document_frequency = np.unique(codes, return_index=True, return_counts=True)
        self.start = np.append(start, len(codes))
        self.idf = np.log((1 + num_documents) / (1 + document_frequency)) + 1
        self.term_of = np.repeat(np.arange(len(self.terms)), document_frequency)
        raw = np.log2(1 + frequency) * self.idf[self.term_of]
        norms = np.sqrt(np.bincount(self.documents, raw**2, minlength=num_documents))
        self.values = raw / np.where(norms > 0, norms, 1)[self.documents]

    def cosines(self, terms: Ints) -> Floats:
        """Cosine of a query with every document, [num_documents], 0 to 1. Terms that no document has are left out."""
        index, value = self.vector(terms)
        scores = np.zeros(self.num_documents)
        for term, weight in zip(index.tolist(), value.tolist(), strict=True):
            at = slice(self.start[term], self.start[term + 1])
            scores[self.documents[at]] += weight * self.values[at]
        return scores

    def vector(self, terms: Ints) -> tuple[Ints, Floats]:
        """Positions of a query's known terms, and their weights with norm 1."""
        found, counts = np.unique(terms, return_counts=True)
        index = np.searchsorted(self.terms, found)
        known = self.terms[np.minimum(index, max(0, len(self.terms) - 1))] == found if len(self.terms) else np.zeros(len(found), bool)
        index = index[known]
        value = np.log2(1 + counts[known]) * self.idf[index]
        norm = np.sqrt((value**2).sum())
        return index, value / norm if norm else value

    def gram(self) -> Floats:
        """Cosines of all documents with each other, [num_documents, num_documents]."""
        counts = np.diff(self.start)
        shared = np.flatnonzero(counts > 1)  # the terms of one document alone add to the diagonal only, which is known
        column = np.full(len(counts), -1)
        column[shared] = np.arange(len(shared))
        at, keep = column[self.term_of], column[self.term_of] >= 0
        gram = np.zeros((self.num_documents, self.num_documents))
        for first in range(0, len(shared), GRAM_TERMS):
            block = keep & (at >= first) & (at < first + GRAM_TERMS)
            dense = np.zeros((self.num_documents, GRAM_TERMS), dtype=np.float32)
            dense[self.documents[block], at[block] - first] = self.values[block]
            gram += dense @ dense.T
        np.fill_diagonal(gram, np.bincount(self.documents, self.values**2, minlength=self.num_documents))
        return gram


class LexicalIndex:
    """An index over documents of named, weighted fields. Immutable; scores depend on the documents alone, not on their order."""

    def __init__(self, documents: Sequence[Mapping[str, str]], weights: Mapping[str, float]) -> None:
        self._vocabulary: dict[str, int] = {}
        parts = [(i, document[field], weight) for i, document in enumerate(documents) for field, weight in weights.items()]
        self._words = _postings([(i, self._codes(text, grow=True), weight) for i, text, weight in parts], len(documents))
        self._ngrams = _postings([(i, ngrams(text), weight) for i, text, weight in parts], len(documents))
        latent = 0 < len(documents) <= MOST_LATENT
        gram = self._words.gram() + self._ngrams.gram() if latent else np.zeros((0, 0))
        self._latent, self._to_latent = _latent_space(gram) if latent else _no_space(len(documents))

    def scores(self, query: str, hints: str = "", blend: Blend = DEFAULT_BLEND) -> Floats:
        """Similarity of every document to the query, [num_documents], 0 to 1.

        Hints are searched as words alone: spelled-out n-grams of words that nobody typed bring in what merely looks like them. The order
        is that of the three cosines, each relative to its best document; the level says how strong the best match is: 1 for a document's
        own text, 0 where no word or n-gram is shared.
        """
        by_words, by_ngrams = self._words.cosines(self._codes(query)), self._ngrams.cosines(ngrams(query))
        if hints:
            by_words = by_words + blend.hints * self._words.cosines(self._codes(hints))
        latent = np.maximum(self._latent @ _unit(self._to_latent @ (by_words + by_ngrams)), 0)
        level = min(1.0, (by_words.max(initial=0) + by_ngrams.max(initial=0)) / 2)
        total = blend.words * _relative(by_words) + blend.ngrams * _relative(by_ngrams) + blend.latent * _relative(latent)
        return np.asarray(np.clip(level * total / (blend.words + blend.ngrams + blend.latent), 0, 1))

    def shared(self, query: str, document: int, limit: int = 6) -> list[str]:
        """The query's words that speak most for a document, strongest first."""
        index, weights = self._words.vector(self._codes(query))
        gains = {}
        for term, weight in zip(index.tolist(), weights.tolist(), strict=True):
            at = slice(self._words.start[term], self._words.start[term + 1])
            hit = np.flatnonzero(self._words.documents[at] == document)
            if len(hit):
                gains[int(self._words.terms[term])] = weight * float(self._words.values[at][hit[0]])
        surface = {self._vocabulary[stem(word)]: word for word in fold(query).split() if stem(word) in self._vocabulary}
        return [surface[code] for code, _ in Counter(gains).most_common(limit)]

    def _codes(self, text: str, grow: bool = False) -> Ints:
        if grow:
            return np.array([self._vocabulary.setdefault(word, len(self._vocabulary)) for word in words(text)], dtype=np.int64)
        return np.array([self._vocabulary[word] for word in words(text) if word in self._vocabulary], dtype=np.int64)


def _postings(parts: Sequence[tuple[int, Ints, float]], num_documents: int) -> Postings:
    lengths = [len(codes) for _, codes, _ in parts]
    terms = np.concatenate([np.empty(0, np.int64), *(codes for _, codes, _ in parts)])
    documents = np.repeat(np.array([i for i, _, _ in parts], dtype=np.int64), lengths)
    weights = np.repeat(np.array([weight for _, _, weight in parts], dtype=np.float64), lengths)
    return Postings(terms, documents, weights, num_documents)


def _latent_space(gram: Floats) -> tuple[Floats, Floats]:
    """Unit document vectors [num_documents, k], and the map [k, num_documents] from a query's cosines to its latent vector."""
    values, vectors = np.linalg.eigh(gram)
    keep = values > 1e-9
    values, vectors = values[keep][-LATENT:], vectors[:, keep][:, -LATENT:]
    documents = vectors * np.sqrt(values)
    norms = np.linalg.norm(documents, axis=1, keepdims=True)
    return documents / np.where(norms > 0, norms, 1), (vectors / np.sqrt(values)).T


def _no_space(num_documents: int) -> tuple[Floats, Floats]:
    return np.zeros((num_documents, 0)), np.zeros((0, num_documents))


def _unit(vector: Floats) -> Floats:
    norm = float(np.linalg.norm(vector))
    return vector / norm if norm else vector


def _relative(scores: Floats) -> Floats:
    best = scores.max(initial=0)
    return scores / best if best else scores
