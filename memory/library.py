"""Paper cards and the index over them; which cards answer a question about a task."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

import numpy as np

from agentnas.memory.cards import FIELD_WEIGHTS, PaperCard, shipped_cards, shipped_index
from agentnas.memory.lexical import LexicalIndex
from agentnas.memory.query import conditions, hints
from agentnas.memory.records import Evidence, TaskCardLike, card_evidence


@dataclass(frozen=True)
class Library:
    """Cards by id, and the index over them in their order."""

    cards: Mapping[str, PaperCard]
    index: LexicalIndex


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


def recall_cards(library: Library, card: TaskCardLike | None, question: str) -> Iterator[Evidence]:
    """Cards near the question, nearest first; with no question, the conditions that the task meets are the question."""
    about_task = card.text() if card is not None else ""
    facts = " ".join(conditions(about_task))
    query, extra = (question, f"{hints(question)} {facts}") if question.strip() else (facts or about_task, "")
    scores = library.index.scores(query, extra)
    cards = list(library.cards.values())
    for index in np.argsort(-scores, kind="stable").tolist():
        if scores[index] <= 0:
            return
        shared = library.index.shared(f"{query} {extra}", index)
        yield card_evidence(cards[index], float(scores[index]), f"shares {', '.join(shared)}" if shared else "similar spelling")
