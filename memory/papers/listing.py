"""Listings: pages of titles and abstracts as they are copied from a site, in two layouts, with the site's own words around them.

In one layout titles and abstracts take turns, a line each; in the other each abstract is followed by the number of authors and a date.
Both are read alike: the site's words are taken out, and what is left is labelled as titles and abstracts in the likeliest way. A block
that fits nowhere is named, never dropped without a word.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from agentnas.memory.papers.paper import LONGEST_TITLE, Paper, one_sentence, plain_text
from agentnas.memory.records import one_line

_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\.?"
_AUTHORS = r"\d+ authors?\b"
# Number of authors, date and perhaps a number of comments, each on its line or together.
_FOOTER = re.compile(rf"[·•*\-\s]*(?:{_AUTHORS})?[·•\s]*(?P<date>{_MONTH}\s+\d{{1,2}}(?:,\s*(?P<year>\d{{4}}))?(?:\s+\d+)?)?(?<=\w)[·•\s]*")
_PAGE = re.compile(
    r"get trending papers in your email inbox.*|subscribe|daily papers|by ?ak and the research community|new"
    r"|submitted by.*|upvote|view arxiv page|view pdf|previous|next|load more|sign up|log ?in|page \d+(?: of \d+)?|[\W\d_]*",
    re.IGNORECASE,
)
_COUNTED = re.compile(rf"\s*[·•*\-]\s*{_AUTHORS}")
_HEAD = re.compile(r"daily papers|by ?ak and the research community", re.IGNORECASE)
_HEADER = re.compile(r"get trending papers in your email inbox", re.IGNORECASE)
# The button before the first title of a page, without a space between.
_GLUED = re.compile(r"^Subscribe(?=\w)(?!(?:d|rs?)\b)")
_SECTION = re.compile(
    r"(?:\d+\.?\d*\.?\s+)?(?:abstract|introduction|background|related work|preliminaries|methods?|methodology|experiments?|results?"
    r"|discussion|conclusions?|references|acknowledge?ments?|appendix.*)[.:]?",
    re.IGNORECASE,
)
_NEW_SENTENCE = re.compile(r"[a-z\d)][.!?]\s+[A-Z]")
_ENDED = (".", "!", "?", ":", ")", '"', "”")
# Lines of at most this width may have been broken by hand.
WRAPPED = 140
LONGEST_SITE_LINE = 80
# A listing without the site's own words is one from so many papers on.
FEWEST = 3
USUAL_ABSTRACT = 250
# A second abstract in a row from this length on is another paper's, whose title is lost.
ANOTHER = 400
LONGEST_EXCERPT = 60


@dataclass(frozen=True)
class Block:
    """One line of a listing, or several that were one; a ``break`` after it where the site's words end a paper."""

    text: str
    line: int
    ends: bool = False
    year: int | None = None


@dataclass(frozen=True)
class Listed:
    """What was found; ``by_site`` where the site's own words are in it, which only listings have."""

    papers: tuple[Paper, ...]
    unread: tuple[str, ...]
    by_site: bool


def read_listing(text: str, file: str) -> Listed:
    """Papers and unread blocks of a text that may be a listing."""
    lines = plain_text(text).split("\n")
    by_site = any(_HEADER.search(line) or _COUNTED.match(line) for line in lines)
    blocks = list(_blocks(lines))
    papers, unread = _paired(blocks, _labels(blocks), file)
    return Listed(tuple(papers), tuple(unread), by_site)


def is_listing(listed: Listed) -> bool:
    """Whether a text is a listing: by the site's words, or by papers enough that look like it."""
    if listed.by_site:
        return True
    if len(listed.papers) < FEWEST or len(listed.unread) > len(listed.papers) // 2:
        return False
    if any(_SECTION.fullmatch(paper.title) or paper.title.startswith(("#", "@")) for paper in listed.papers):
        return False
    return statistics.median(len(paper.text) for paper in listed.papers) >= USUAL_ABSTRACT


def _blocks(lines: Sequence[str]) -> Iterator[Block]:
    """Blocks without the site's words. A footer ends the block before it, and may tell the year; the date of a page's head does not."""
    held: Block | None = None
    in_head = False
    for block in _joined(lines):
        footer = _FOOTER.fullmatch(block.text) if _is_site(block.text) else None
        if footer and not (in_head and footer["date"]):
            held = replace(held, ends=True, year=int(footer["year"]) if footer["year"] else held.year) if held else None
        elif not _is_site(block.text):
            if held:
                yield held
            held = replace(block, text=_GLUED.sub("", block.text))
        in_head = bool(not footer and _HEAD.fullmatch(block.text))
    if held:
        yield held


def _joined(lines: Sequence[str]) -> Iterator[Block]:
    """Lines as blocks; lines in a row that are all short were broken by hand, if empty lines part them from others."""
    numbered = [(line.strip(), number) for number, line in enumerate(lines, start=1)]
    parted = any(not line for line, _ in numbered)
    held: list[tuple[str, int]] = []
    for line, number in [*numbered, ("", 0)]:
        if line and not _is_site(line):
            held.append((line, number))
            continue
        if parted and all(len(part) <= WRAPPED for part, _ in held):
            yield from [Block(" ".join(part for part, _ in held), held[0][1])] if held else []
        else:
            yield from (Block(*each) for each in held)
        held = []
        if line:
            yield Block(line, number)


def _is_site(line: str) -> bool:
    """Whether a line is the site's; its lines are short, and long ones are slow to try."""
    return len(line) <= LONGEST_SITE_LINE and bool(_PAGE.fullmatch(line) or _FOOTER.fullmatch(line))


def _titleness(text: str) -> float:
    """How much a block looks like a title (above 0) or an abstract (below 0)."""
    size = 2.0 if len(text) <= 150 else 0.5 if len(text) <= 220 else -1.0 if len(text) <= LONGEST_TITLE else -4.0
    end = -1.5 if text.endswith((".", ";", ",")) else 0.5
    return size + end - min(3, len(_NEW_SENTENCE.findall(text)))


def _labels(blocks: Sequence[Block]) -> list[bool]:
    """For each block whether it is a title: the likeliest labels under which papers are a title, then an abstract (Viterbi, 1967)."""
    if not blocks:
        return []
    best: dict[bool, tuple[float, list[bool]]] = {True: (0.0, [True]), False: (-3.0, [False])}
    best = {label: (score + _fit(blocks[0], label), path) for label, (score, path) in best.items()}
    for before, block in pairwise(blocks):
        best = {label: _extended(best, before, block, label) for label in (True, False)}
    return max(best.values(), key=lambda found: found[0])[1]


def _extended(best: dict[bool, tuple[float, list[bool]]], before: Block, block: Block, label: bool) -> tuple[float, list[bool]]:
    ways = [(score + _step(before, was, label) + _fit(block, label), path) for was, (score, path) in best.items()]
    score, path = max(ways, key=lambda way: way[0])
    return score, [*path, label]


def _fit(block: Block, is_title: bool) -> float:
    looks = _titleness(block.text)
    return looks if is_title else -looks


def _step(before: Block, was_title: bool, is_title: bool) -> float:
    """What it costs that a block follows another: papers begin with a title and end with an abstract."""
    if before.ends:
        return (-3.0 if was_title else 0.0) + (0.0 if is_title else -3.0)
    if was_title == is_title:
        return -1.5 if is_title else -0.75
    return 0.0


def _paired(blocks: Sequence[Block], labels: Sequence[bool], file: str) -> tuple[list[Paper], list[str]]:
    papers, unread = list[Paper](), list[str]()
    title: Block | None = None
    body: list[Block] = []
    for block, is_title in zip([*blocks, Block("", 0)], [*labels, True], strict=True):
        if not is_title and title is not None and _goes_on(body, block):
            body.append(block)
            continue
        if title is not None and body:
            papers.append(_paper(title, body, file))
            title, body = None, []
        elif title is not None:
            unread.append(_unread(title, file, "a title without an abstract"))
            title = None
        if is_title:
            title = block
        else:
            unread.append(_unread(block, file, "an abstract without a title"))
    return papers, unread


def _goes_on(body: Sequence[Block], block: Block) -> bool:
    """Whether a further block belongs to the same abstract."""
    if not body:
        return True
    if body[-1].ends:
        return False
    unfinished = not body[-1].text.endswith(_ENDED) or block.text[:1].islower()
    return unfinished or len(block.text) < ANOTHER


def _paper(title: Block, body: Sequence[Block], file: str) -> Paper:
    text = one_sentence("\n".join(block.text for block in body).replace("\n", " "))
    year = next((block.year for block in (*body, title) if block.year), None)
    return Paper(one_line(title.text, LONGEST_TITLE), text, file, f"{file}:{title.line}", year)


def _unread(block: Block, file: str, what: str) -> str:
    return f"{file}:{block.line}: {what}: {one_line(block.text, LONGEST_EXCERPT)!r}"
