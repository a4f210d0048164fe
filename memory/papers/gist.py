"""What of a long text is read for a card: its abstract and its conclusion, else its beginning."""

from __future__ import annotations

import re

# Characters: an abstract is 1,000 to 2,000 long.
LONGEST_ABSTRACT, LONGEST_CONCLUSION = 4000, 1500
SHORTEST = 200
_NUMBER = r"(?:\d+(?:\.\d+)*\.?|[IVX]+\.)?[ \t]*"
_ABSTRACT = re.compile(rf"^[ \t]*{_NUMBER}abstract\b[ \t]*[.:—–-]*[ \t]*", re.IGNORECASE | re.MULTILINE)
_AFTER = re.compile(rf"^[ \t]*{_NUMBER}(?:introduction|keywords|index terms|ccs concepts|contents)\b", re.IGNORECASE | re.MULTILINE)
_CONCLUSION = re.compile(rf"^[ \t]*{_NUMBER}(?:conclusions?|concluding remarks)\b[^\n]{{0,40}}$", re.IGNORECASE | re.MULTILINE)
_END = re.compile(rf"^[ \t]*{_NUMBER}(?:references|bibliography|acknowledge?ments?|appendix)\b", re.IGNORECASE | re.MULTILINE)


def gist(text: str) -> str:
    """The abstract and the conclusion of a paper's text, cut to a few thousand characters; a short text whole."""
    if len(text) <= LONGEST_ABSTRACT:
        return text
    return "\n".join(part for part in (_abstract(text), _conclusion(text)) if part)


def _abstract(text: str) -> str:
    start = _ABSTRACT.search(text)
    rest = text[start.end() :] if start else text
    end = _AFTER.search(rest)
    found = rest[: end.start()] if end and end.start() >= SHORTEST else rest
    return _cut(found, LONGEST_ABSTRACT)


def _conclusion(text: str) -> str:
    starts = list(_CONCLUSION.finditer(text))
    if not starts:
        return ""
    rest = text[starts[-1].end() :]
    end = _END.search(rest)
    return _cut(rest[: end.start()] if end else rest, LONGEST_CONCLUSION)


def _cut(text: str, longest: int) -> str:
    """The text up to the last sentence that ends within ``longest`` characters."""
    text = text.strip()
    if len(text) <= longest:
        return text
    kept = text[:longest]
    return kept[: kept.rfind(". ") + 1] or kept
