"""Paper cards and the index over them; which cards answer a question about a task."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from agentnas.memory.cards import FIELD_WEIGHTS, PaperCard, shipped_cards, shipped_index
from agentnas.memory.lexical import DEFAULT_BLEND, Blend, LexicalIndex
from agentnas.memory.query import conditions, hints
from agentnas.memory.records import Evidence, TaskCardLike, card_evidence


@dataclass(frozen=True)
class Library:
    """Cards by id, the index over them in their order, and how its cosines are blended into a rank."""

    cards: Mapping[str, PaperCard]
    index: LexicalIndex
    blend: Blend = DEFAULT_BLEND


@lru_cache(maxsize=1)
def shipped_library() -> Library:
    """The cards that ship."""
    return Library(shipped_cards(), shipped_index())


def library_of(cards: Iterable[PaperCard]) -> Library:
    """These cards; the index of the shipped ones is built once a process."""
    by_id = {card.id: card for card in cards}
    if by_id == dict(shipped_cards()):
        return shipped_library()
    return Library(MappingProxyType(by_id), LexicalIndex([card.fields() for card in by_id.values()], FIELD_WEIGHTS))


class Ranked(NamedTuple):
    """A card, its place in the library, and its similarity to what was searched for, 0 to 1."""

    card: PaperCard
    position: int
    similarity: float


def recall_cards(library: Library, card: TaskCardLike | None, question: str) -> Iterator[Evidence]:
    """Cards near the question, nearest first; with no question, the conditions that the task meets are the question."""
    query, extra = _searched(card, question)
    for found in rank_cards(library, card, question):
        shared = library.index.shared(f"{query} {extra}", found.position)
        yield card_evidence(found.card, found.similarity, f"shares {', '.join(shared)}" if shared else "similar spelling")


def rank_cards(library: Library, card: TaskCardLike | None, question: str) -> Iterator[Ranked]:
    """The order in which ``recall_cards`` tells the cards; those that share nothing with the question are left out."""
    scores = library.index.scores(*_searched(card, question), library.blend)
    cards = list(library.cards.values())
    order = np.argsort(-scores, kind="stable").tolist()
    return (Ranked(cards[position], position, float(scores[position])) for position in order if scores[position] > 0)


def _searched(card: TaskCardLike | None, question: str) -> tuple[str, str]:
    """The query, and the hints that come with it."""
    about_task = card.text() if card is not None else ""
    facts = " ".join(conditions(about_task))
    return (question, f"{hints(question)} {facts}") if question.strip() else (facts or about_task, "")
