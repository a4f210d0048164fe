"""Files of paper cards, one as JSON a line: a line that is no card is named, and the others are kept."""

from __future__ import annotations

from pathlib import Path

from agentnas.memory.cards import PaperCard, parse_card
from agentnas.memory.papers.document import read_text
from agentnas.memory.papers.paper import Reading
from agentnas.tools.errors import DataError


def read_cards(path: Path) -> Reading:
    """The cards of a JSON Lines file. Raises DataError where no line is one."""
    cards, problems = dict[str, PaperCard](), list[str]()
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            card = parse_card(line, f"{path}:{number}")
        except DataError as error:
            problems.append(str(error))
            continue
        if card.id in cards:
            problems.append(f"{path}:{number}: id {card.id!r} is used twice; give each card its own id")
        else:
            cards[card.id] = card
    if not problems and not cards:
        raise DataError(f"{path} holds no cards; give one card as JSON a line")
    if not cards:
        raise DataError(problems[0] + (f" (and {len(problems) - 1} more lines)" if len(problems) > 1 else ""))
    return Reading("cards", cards=tuple(cards.values()), problems=tuple(problems))
