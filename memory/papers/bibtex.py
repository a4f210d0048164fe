"""BibTeX files: entries with an abstract are papers; an entry that is broken is named with its line, and the others are kept."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentnas.memory.papers.document import FEWEST_LETTERS, quiet, read_text
from agentnas.memory.papers.paper import LONGEST_TITLE, Paper, Reading, one_sentence, plain_text
from agentnas.memory.records import one_line
from agentnas.tools.errors import DataError

if TYPE_CHECKING:
    from bibtexparser.library import Library
    from bibtexparser.model import Block, Entry

_YEAR = re.compile(r"\b(19[5-9]\d|20\d\d)\b")
_KEY = re.compile(r"@\w+\s*[{(]\s*([^,\s{}]+)")
_AT = re.compile(r"^\s*@\w+\s*[{(]", re.MULTILINE)


def read_bibtex(path: Path) -> Reading:
    """The entries of a BibTeX file that have an abstract. Raises DataError where none has."""
    text = read_text(path)
    if not _AT.search(text):
        raise DataError(f"{path} holds no BibTeX entry; allowed: @article{{key, title = {{...}}, abstract = {{...}}}} and the like")
    entries, failed = _parsed(text)
    read = [(line, entry, _paper(entry, line, path)) for line, entry in entries]
    papers = [paper for _, _, paper in read if paper]
    problems = tuple(_problem(block, path) for block in failed)
    if not papers:
        raise DataError(problems[0] if problems else f"{path}: no entry has both a title and an abstract; export it with abstracts")
    unread = tuple(f"{path.name}:{line}: entry {entry.key} has no title or no abstract" for line, entry, paper in read if paper is None)
    return Reading("bibtex", tuple(papers), problems=problems, unread=unread)


def _parsed(text: str) -> tuple[list[tuple[int, Entry]], list[Any]]:
    """Entries by line, those whose key another one has among them, and the blocks that could not be read."""
    from bibtexparser.model import Entry

    with quiet("bibtexparser"):
        library = _library(text)
        entries, failed = [(_line(entry), entry) for entry in library.entries], list[Any]()
        for block in library.failed_blocks:
            if isinstance(block.ignore_error_block, Entry):
                entries.append((_line(block), _alone(block)))
            else:
                failed.append(block)
    return sorted(entries, key=lambda found: found[0]), failed


def _library(text: str) -> Library:
    from bibtexparser.entrypoint import parse_string
    from bibtexparser.middlewares import LatexDecodingMiddleware

    return parse_string(text, append_middleware=[LatexDecodingMiddleware()])


def _alone(block: Any) -> Entry:
    """An entry whose key or field is there twice, which the library does not finish: read by itself where that helps."""
    found = _library(block.raw or "").entries
    return found[0] if found else block.ignore_error_block


def _line(block: Block) -> int:
    return (block.start_line or 0) + 1


def _paper(entry: Entry, line: int, path: Path) -> Paper | None:
    title, abstract = _field(entry, "title"), _field(entry, "abstract")
    if not any(letter.isalpha() for letter in title) or sum(letter.isalpha() for letter in abstract) < FEWEST_LETTERS:
        return None
    year = _YEAR.search(f"{_field(entry, 'year')} {_field(entry, 'date')}")
    return Paper(one_line(title, LONGEST_TITLE), abstract, path.name, f"{path.name}:{line}", int(year[1]) if year else None)


def _field(entry: Entry, name: str) -> str:
    """A field of this name, in whatever case; the last one where it is given twice."""
    found = [field.value for field in entry.fields if field.key.lower() == name]
    return one_sentence(plain_text(re.sub(r"[{}]", "", str(found[-1]).strip(' "')))) if found else ""


def _problem(block: Block, path: Path) -> str:
    key = _KEY.match((block.raw or "").strip())
    name = f"entry {key[1]}" if key else "an entry"
    return f"{path}:{_line(block)}: {name} is broken, a brace, quote or comma is missing; mend it and add the file again"
