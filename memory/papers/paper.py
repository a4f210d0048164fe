"""A paper as it was read from a file, what a file gave, and how titles are compared."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass

from agentnas.memory.cards import PaperCard
from agentnas.memory.names import slug
from agentnas.memory.records import one_line

LONGEST_TITLE = 300
LONGEST_SLUG = 48
# A hyphen at the end of a line before a small letter parts a word; before anything else it belongs there.
_PARTED = re.compile(r"(?<=[a-z])-\n\s*(?=[a-z])")
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]”’]*\s+(?=[\"'(\[“‘]*[A-Z0-9])")
# After these a full stop ends no sentence.
_ABBREVIATED = re.compile(r"(?:\b(?:et al|e\.g|i\.e|cf|vs|resp|approx|Fig|Figs|Eq|Eqs|Sec|Tab|Ref|No|Dr|Prof|St)|\b[A-Z])\.$")


@dataclass(frozen=True)
class Paper:
    """Title and text of one paper; ``where`` is its file and line (``list.txt:17``), ``file`` the file's name without its folder."""

    title: str
    text: str
    file: str
    where: str
    year: int | None = None


@dataclass(frozen=True)
class Reading:
    """What one file gave. ``problems`` name what was asked for and could not be read; ``unread`` what a listing holds beside papers."""

    kind: str
    papers: tuple[Paper, ...] = ()
    cards: tuple[PaperCard, ...] = ()
    problems: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()


def normal_title(title: str) -> str:
    """What two spellings of one title share: letters and digits, without case, accents, punctuation and spaces."""
    decomposed = unicodedata.normalize("NFKD", title).casefold()
    return "".join(letter for letter in decomposed if letter.isalnum())


def card_id(title: str) -> str:
    """The id of the card of a paper with this title: readable, and unlike that of any other title."""
    normal = normal_title(title)
    words = slug(unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode() or "paper", LONGEST_SLUG)
    return f"{words}-{hashlib.sha256(normal.encode()).hexdigest()[:6]}"


def plain_text(text: str) -> str:
    """Text without ligatures, control characters and words parted at the end of a line; its lines stay."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n").replace("\u00ad\n", "")
    whole = unicodedata.normalize("NFKC", lines)
    kept = "".join(letter for letter in whole if letter == "\n" or unicodedata.category(letter) not in {"Cf", "Cs", "Co", "Cn"})
    return _PARTED.sub("", re.sub(r"[^\S\n]+", " ", kept))


def sentences(text: str) -> list[str]:
    """The sentences of a text, each on one line."""
    found: list[str] = []
    for piece in _SENTENCE_END.split(" ".join(text.split())):
        if found and _ABBREVIATED.search(found[-1]):
            found[-1] = f"{found[-1]} {piece}"
        else:
            found.append(piece)
    return [line for line in map(one_sentence, found) if line]


def one_sentence(text: str) -> str:
    """Text as one line, as long as it is."""
    return one_line(text, max(4, len(text)))
