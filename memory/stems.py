"""Words of a text as search sees them: folded to ASCII, without those that mean little, stemmed. Pure Python, and quick to import."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

SUFFIXES = ("ations", "ation", "ings", "ing", "edly", "ers", "ies", "es", "ed", "er", "ly", "s")
STOP_WORDS = """
a all an and are as at be been but by can did do does for from had has have how i if in is it its me more most my no not of on one or our so
than that the their them then they this to us was we were what when which who why will with you your
"""


def fold(text: str) -> str:
    """Lower-case ASCII letters and digits with single spaces between; accents are dropped."""
    lower = text.lower()
    plain = lower if lower.isascii() else re.sub(r"[^\x00-\x7f]", _without_accent, unicodedata.normalize("NFKD", lower))
    return re.sub(r"[^a-z0-9]+", " ", plain).strip()


def _without_accent(letter: re.Match[str]) -> str:
    return "" if unicodedata.combining(letter[0]) else letter[0]


def words(text: str) -> list[str]:
    """Stems of the words that carry meaning, in order."""
    return [stem(word) for word in fold(text).split() if len(word) > 1 and word not in _stop_words()]


@lru_cache(maxsize=1)
def _stop_words() -> frozenset[str]:
    return frozenset(STOP_WORDS.split())


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """The word without its commonest English endings."""
    suffix = next((s for s in SUFFIXES if word.endswith(s) and len(word) - len(s) >= 4), "")
    kept = word.removesuffix(suffix)
    if suffix and kept[-1] == kept[-2] and kept[-1] not in "aeious":  # labelled -> label
        kept = kept[:-1]
    return kept[:-1] if kept.endswith("e") and len(kept) > 4 else kept  # feature, features -> featur
