"""Adding papers and cards to the memory: read files, drop what is known, make cards by rule or by a model, write them batch by batch.

What one file has wrong keeps no other from being added. A title that the memory holds is skipped before a model is asked, so that a command
that was interrupted goes on where it was when it is called again; with a model, cards that the rule made are made anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from agentnas.memory.cards import PaperCard, shipped_cards
from agentnas.memory.papers.instructions import addressed_to_models
from agentnas.memory.papers.paper import Paper, Reading, card_id, normal_title
from agentnas.memory.papers.reading import read_file
from agentnas.memory.papers.rules import BY_RULE, card_by_rule
from agentnas.memory.portable import add_cards, forget_id
from agentnas.memory.records import one_line
from agentnas.tools.errors import AgentNASError, DataError

if TYPE_CHECKING:
    from agentnas.memory.store import Store

LONGEST_EXCERPT = 100


@dataclass(frozen=True)
class Duplicate:
    """A paper that is not added, because ``of`` has its title."""

    title: str
    where: str
    of: str


@dataclass
class Plan:
    """What is to be added: ``cards`` as they are, ``papers`` to be made into cards. ``superseded`` are ids of cards that give way."""

    papers: list[Paper] = field(default_factory=list)
    cards: list[PaperCard] = field(default_factory=list)
    superseded: list[str] = field(default_factory=list)
    duplicates: list[Duplicate] = field(default_factory=list)
    problems: list[AgentNASError] = field(default_factory=list)


def read_files(paths: Sequence[Path]) -> tuple[list[tuple[Path, Reading]], list[AgentNASError]]:
    """What the files hold, and what is wrong with those that cannot be read, and with parts of the others."""
    readings, problems = list[tuple[Path, Reading]](), list[AgentNASError]()
    for path in paths:
        try:
            reading = read_file(path)
        except AgentNASError as error:
            problems.append(error)
            continue
        readings.append((path, reading))
        problems += map(DataError, reading.problems)
    return readings, problems


def planned(readings: Iterable[tuple[Path, Reading]], known: Mapping[str, PaperCard], *, with_model: bool) -> Plan:
    """What of the readings is new beside the ``known`` cards, by normalised title; the first of several alike counts."""
    plan, held = Plan(), {normal_title(card.title): card for card in known.values()}
    taken: dict[str, str] = {}
    for path, reading in readings:
        for card in reading.cards:
            _plan_card(plan, card, path, held, taken)
        for paper in reading.papers:
            _plan_paper(plan, paper, held, taken, with_model)
    return plan


def _plan_card(plan: Plan, card: PaperCard, path: Path, held: Mapping[str, PaperCard], taken: dict[str, str]) -> None:
    title, where = normal_title(card.title), f"{path.name}: {card.id}"
    same = held.get(title)
    if title in taken:
        plan.duplicates.append(Duplicate(card.title, where, taken[title]))
    elif same is not None and (same.id in shipped_cards() or (same.id != card.id and same.reviewed >= card.reviewed)):
        plan.duplicates.append(Duplicate(card.title, where, _of(same)))
    elif card.id in shipped_cards():
        plan.problems.append(DataError(f"{path}: card id {card.id!r} is that of a card that ships with AgentNAS; give yours another id"))
    else:
        plan.cards.append(card)
        plan.superseded += [same.id] if same is not None and same.id != card.id else []
        taken[title] = where


def _plan_paper(plan: Plan, paper: Paper, held: Mapping[str, PaperCard], taken: dict[str, str], with_model: bool) -> None:
    title = normal_title(paper.title)
    same = held.get(title)
    if title in taken:
        plan.duplicates.append(Duplicate(paper.title, paper.where, taken[title]))
    elif same is not None and not (with_model and not same.reviewed and same.by == BY_RULE):
        plan.duplicates.append(Duplicate(paper.title, paper.where, _of(same)))
    else:
        plan.papers.append(paper)
        plan.superseded += [same.id] if same is not None and same.id != card_id(paper.title) else []
        taken[title] = paper.where


def _of(card: PaperCard) -> str:
    return f"card:{card.id}, which {'ships' if card.id in shipped_cards() else 'was added before'}"


def spoken_lines(papers: Iterable[Paper]) -> Iterator[str]:
    """One line for each paper whose text speaks to a language model."""
    for paper in papers:
        if spoken := addressed_to_models(f"{paper.title}\n{paper.text}"):
            seen = one_line(spoken[0], LONGEST_EXCERPT)
            yield f"{paper.where}: the text gives instructions to a language model ({seen!r}); they are left out, look at its card"


def add_planned(store: Store, plan: Plan, made: Iterable[Sequence[PaperCard]], known: Iterable[str]) -> tuple[int, int]:
    """Write the plan's cards, then each batch as it is made; how many cards were added, and how many of the ``known`` ids replaced."""
    written, before = set[str](), set(known)
    for batch in chain([plan.cards], made):
        if batch:
            add_cards(store, batch)
        written |= {card.id for card in batch}
    for id_ in plan.superseded:
        forget_id(store, f"card:{id_}")
    return len(written - before), len(written & before)


def by_rule(papers: Sequence[Paper]) -> Iterator[list[PaperCard]]:
    """Their cards without a model, in one batch."""
    if papers:
        yield [card_by_rule(paper) for paper in papers]
