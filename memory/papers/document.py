"""Text files: what is wrong with one is said in a line; a text is a listing of papers, or one paper of its own."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agentnas.memory.papers.listing import is_listing, read_listing
from agentnas.memory.papers.paper import LONGEST_TITLE, Paper, Reading, plain_text, sentences
from agentnas.memory.records import one_line
from agentnas.tools.errors import DataError

_FRONT = re.compile(r"---\n(?P<fields>.*?)\n---\n", re.DOTALL)
_FIELD = re.compile(r"^(?P<name>title|year|date):[ \t]*[\"']?(?P<value>.*?)[\"']?[ \t]*$", re.MULTILINE | re.IGNORECASE)
_HEADING = re.compile(r"^#{1,6}[ \t]+(?P<text>.+?)[ \t]*#*$", re.MULTILINE)
_UNDERLINED = re.compile(r"^(?P<text>\S.*)\n=+[ \t]*$", re.MULTILINE)
_FENCED = re.compile(r"^(```|~~~).*?^\1[ \t]*$", re.MULTILINE | re.DOTALL)
_PICTURE, _LINK = re.compile(r"!\[[^\]]*\]\([^)]*\)"), re.compile(r"\[([^\]]+)\]\([^)]*\)")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_LABEL = re.compile(r"title:[ \t]*", re.IGNORECASE)
_YEAR = re.compile(r"\b(19[5-9]\d|20\d\d)\b")
FEWEST_LETTERS = 40


def read_bytes(path: Path) -> bytes:
    """What a file holds; raises DataError for one that is missing, a folder, empty, or that may not be read."""
    if path.is_dir():
        raise DataError(f"{path} is a folder; name the files in it, such as {path / '*.pdf'}")
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path} does not exist; give the path of a file") from None
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from None
    if not data.strip():
        raise DataError(f"{path} is empty; give a file with text")
    return data


def read_text(path: Path) -> str:
    """The text of a UTF-8 file; raises DataError as ``read_bytes`` does, and for other encodings."""
    data = read_bytes(path)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        seen = f"byte {error.start} is 0x{data[error.start]:02x}"
        raise DataError(f"{path} is not UTF-8 text ({seen}); save it as UTF-8, such as with iconv -f latin1 -t utf-8") from None
    if "\0" in text:
        raise DataError(f"{path} is no text: it holds null bytes; give text, Markdown, BibTeX, PDF or cards")
    return text


@contextmanager
def quiet(library: str) -> Iterator[None]:
    """Inside, a library does not log what it could not read: that is told in a line of our own."""
    logger = logging.getLogger(library)
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(before)


def read_document(path: Path) -> Reading:
    """A listing's papers, else the one paper that a plain text or Markdown file is. Raises DataError for a listing without a paper."""
    text = read_text(path)
    listed = read_listing(text, path.name)
    if not is_listing(listed):
        return Reading("text", (paper_of(plain_text(text), path, is_markdown=path.suffix.lower() in (".md", ".markdown")),))
    if not listed.papers:
        raise DataError(f"{path} looks like a listing of papers, but no title with an abstract below it was found; copy the page again")
    return Reading("listing", listed.papers, unread=listed.unread)


def paper_of(text: str, path: Path, *, is_markdown: bool = False, title: str = "") -> Paper:
    """The paper that a whole text is; its title is the first heading or line. Raises DataError for a text without words."""
    front = _FRONT.match(text) if is_markdown else None
    fields = {found["name"].lower(): found["value"] for found in _FIELD.finditer(front["fields"])} if front else {}
    body = text[front.end() :] if front else text
    title = title or fields.get("title", "") or _title(body, is_markdown)
    body = _without_marks(body) if is_markdown else body
    body = _without_title(body, title)
    if sum(letter.isalpha() for letter in body) < FEWEST_LETTERS or not any(letter.isalpha() for letter in title):
        raise DataError(f"{path} holds a title at most, and no text; give its abstract, or more of it")
    year = _YEAR.search(f"{fields.get('year', '')} {fields.get('date', '')}")
    return Paper(one_line(title, LONGEST_TITLE), body, path.name, path.name, int(year[1]) if year else None)


def _title(body: str, is_markdown: bool) -> str:
    if is_markdown and (found := _HEADING.search(body) or _UNDERLINED.search(body)):
        return _without_marks(found["text"])
    first = next((line.strip() for line in body.splitlines() if any(letter.isalpha() for letter in line)), "")
    first = _LABEL.sub("", first, count=1) if _LABEL.match(first) else first
    return first if len(first) <= LONGEST_TITLE else sentences(first)[0]


def _without_title(body: str, title: str) -> str:
    """The text after its title, where the title leads it."""
    lines = body.strip().split("\n")
    while lines and (not lines[0].strip() or set(lines[0].strip()) <= {"="}):
        lines.pop(0)
    if lines and _LABEL.sub("", lines[0].strip(), count=1) == title.strip():
        lines.pop(0)
    return "\n".join(lines).strip()


def _without_marks(text: str) -> str:
    """Markdown as the words that a person reads."""
    plain = _LINK.sub(r"\1", _PICTURE.sub("", _COMMENT.sub("", _FENCED.sub("", text))))
    plain = _HEADING.sub(lambda found: f"\n{found['text']}\n", plain)
    return re.sub(r"(\*\*|__|`|(?<!\w)[*_](?=\S)|(?<=\S)[*_](?!\w))", "", plain)
