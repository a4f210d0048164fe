"""How well cards are found: recall@5 and recall@10 of the cards that answer a query, and the reciprocal rank of the first of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agentnas.agents.statistics import mean_and_sd, standard_error
from agentnas.bench.retrieval_queries import JudgedQuery, load_queries
from agentnas.memory.cards import load_cards, shipped_cards
from agentnas.memory.embedding import Embedder, make_embedder
from agentnas.memory.library import Library, library_of, rank_cards
from agentnas.tools.errors import DataError

HYBRID = "hybrid"
MACRO, ALL = "mean of kinds (macro)", "all queries"
MEASURES = ("recall@5", "recall@10", "MRR")

Ranker = Callable[[str], list[str]]


@dataclass(frozen=True)
class Finding:
    """What one ranking did for one query: ``values`` in the order of ``MEASURES``, 0 to 1, and the first five cards."""

    ranker: str
    qid: str
    kind: str
    values: tuple[float, ...]
    first: tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """Means of one ranking over a group of queries, in the order of ``MEASURES``; ``errors``: standard errors, None for one query."""

    ranker: str
    group: str
    queries: int
    values: tuple[float, ...]
    errors: tuple[float | None, ...]


def load(queries: Path, cards: Path | None = None) -> tuple[Library, list[JudgedQuery], list[JudgedQuery]]:
    """The cards (those that ship, or a file's), the queries that some card answers, and those that none does: they measure nothing.

    Raises DataError for a file that holds no cards or no such queries, and for what is wrong in a line of either.
    """
    library = library_of(load_cards(cards) if cards else shipped_cards().values())
    if not library.cards:
        raise DataError(f"{cards} holds no card; give one JSON object a line, or leave --cards out for the cards that ship")
    found = load_queries(queries, library.cards.keys())
    return library, [query for query in found if query.answers], [query for query in found if not query.answers]


def by_recall(library: Library) -> Ranker:
    """The order in which a run's recall tells the cards for a question about no task: ``memory.library``, the same code.

    A run ranks its cards so whatever embedder its memory has: the embedder finds trials and findings.
    """
    return lambda query: [found.card.id for found in rank_cards(library, None, query)]


def by_embedder(library: Library, embedder: Embedder) -> Ranker:
    """Cards by the cosine of the embedder's vectors alone, as a memory keeps them (title and text); raises StoreError as it does."""
    names = list(library.cards)
    vectors = embedder.embed([f"{card.title} {card.text()}" for card in library.cards.values()])
    return lambda query: [names[at] for at in np.argsort(-(vectors @ embedder.embed([query])[0]), kind="stable")]


def rankers(library: Library, embedder: str | None = None) -> dict[str, Ranker]:
    """What a run does, and an embedder alone where one is named; raises as ``make_embedder`` does."""
    named = {f"{embedder} vectors": by_embedder(library, make_embedder(embedder))} if embedder else {}
    return {HYBRID: by_recall(library), **named}


def measure(name: str, ranker: Ranker, queries: Iterable[JudgedQuery]) -> list[Finding]:
    """One finding a query; cards that a ranking leaves out are not found."""
    return [_found(name, query, ranker(query.query)) for query in queries]


def _found(name: str, query: JudgedQuery, order: Sequence[str]) -> Finding:
    hits = [place for place, card in enumerate(order, start=1) if card in query.answers]
    recalls = (sum(place <= count for place in hits) / len(query.answers) for count in (5, 10))
    return Finding(name, query.qid, query.kind, (*recalls, 1 / hits[0] if hits else 0.0), tuple(order[:5]))


def rows(findings: Sequence[Finding]) -> list[Row]:
    """Of each ranking: each kind by its name, the mean of the kinds (each counts the same), and the mean of all queries."""
    found = []
    for name in dict.fromkeys(finding.ranker for finding in findings):
        own = [finding for finding in findings if finding.ranker == name]
        kinds = [_row(name, kind, [f for f in own if f.kind == kind]) for kind in sorted({f.kind for f in own})]
        found += [*kinds, _mean_of_kinds(name, kinds), _row(name, ALL, own)]
    return found


def macro(findings: Sequence[Finding]) -> tuple[float, ...]:
    """The mean of the kinds, by measure; the findings are those of one ranking."""
    return next(row.values for row in rows(findings) if row.group == MACRO)


def _row(name: str, group: str, findings: Sequence[Finding]) -> Row:
    columns = list(zip(*(finding.values for finding in findings), strict=True))
    values = tuple(mean_and_sd(column)[0] for column in columns)
    return Row(name, group, len(findings), values, tuple(standard_error(column) for column in columns))


def _mean_of_kinds(name: str, kinds: Sequence[Row]) -> Row:
    values = tuple(mean_and_sd(column)[0] for column in zip(*(row.values for row in kinds), strict=True))
    errors = tuple(_error_of_mean(column) for column in zip(*(row.errors for row in kinds), strict=True))
    return Row(name, MACRO, sum(row.queries for row in kinds), values, errors)


def _error_of_mean(errors: Sequence[float | None]) -> float | None:
    """Kinds are fixed and their queries drawn, so the variances of their means add; unknown where a kind has one query."""
    known = [error for error in errors if error is not None]
    return sum(error**2 for error in known) ** 0.5 / len(errors) if len(known) == len(errors) else None
