"""A small library of made-up cards, and queries judged on it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from agentnas.memory.cards import PaperCard

SUBJECTS = {
    "apples": "red apples in an orchard",
    "boats": "wooden boats on a river",
    "clocks": "ticking clocks on a wall",
    "drums": "loud drums at a feast",
    "eagles": "soaring eagles over cliffs",
    "ferns": "green ferns under trees",
    "goats": "stubborn goats up a hill",
    "hats": "woollen hats in winter",
    "inks": "purple inks for letters",
    "jars": "jars of plum jam",
    "kites": "paper kites in wind",
    "lamps": "brass lamps at dusk",
}
QUERIES: list[dict[str, Any]] = [
    {"qid": f"q{place:02}", "kind": "plain" if place % 2 else "fancy", "query": text, "relevant": {name: 2}}
    for place, (name, text) in enumerate(SUBJECTS.items())
]


def cards() -> list[PaperCard]:
    """One card a subject; no two share a word that carries meaning."""
    return [_card(name, text) for name, text in SUBJECTS.items()]


def _card(name: str, text: str) -> PaperCard:
    said = {"trigger": text, "insight": text, "action": text, "evidence": "", "caveat": ""}
    return PaperCard(id=name, title=name.title(), year=None, topics=(name,), source="made up", **said)


def write_lines(path: Path, lines: Iterable[Mapping[str, Any] | str]) -> Path:
    """JSON Lines; a text stands as it is."""
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines), encoding="utf-8")
    return path


def write_cards(path: Path) -> Path:
    return write_lines(path, [card.model_dump(mode="json") for card in cards()])
