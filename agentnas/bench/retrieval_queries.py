"""Judged queries: what people ask, and which cards answer it. JSON Lines with ``qid``, ``kind``, ``query``, ``relevant`` (id -> grade)."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentnas.tools.errors import DataError, suggest

ANSWERS = 2  # the grade of a card that answers a query; 1 is a useful one, 0 one of no use
FIELDS = ("qid", "kind", "query", "relevant")


@dataclass(frozen=True)
class JudgedQuery:
    """A query, and the grade of every card that was found relevant to it."""

    qid: str
    kind: str
    query: str
    relevant: Mapping[str, float]

    @property
    def answers(self) -> frozenset[str]:
        """The cards that answer it: grade 2 or more."""
        return frozenset(name for name, grade in self.relevant.items() if grade >= ANSWERS)


def load_queries(path: Path, known: Collection[str]) -> list[JudgedQuery]:
    """The queries of a file in its order, blank lines left out; ``known`` are the ids of the cards.

    Raises DataError, naming file and line, for what is no judged query, a qid used twice or a card that does not exist; and for a file
    without a query that a card answers.
    """
    queries: dict[str, JudgedQuery] = {}
    for where, line in _lines(path):
        query = _query(line, where, known)
        if query.qid in queries:
            raise DataError(f"{where}: qid {query.qid!r} is used twice; give each query its own")
        queries[query.qid] = query
    if not queries:
        raise DataError(f"{path} holds no query; give one JSON object a line with {', '.join(FIELDS)}")
    if not any(query.answers for query in queries.values()):
        raise DataError(
            f"{path}: no query has a card of grade {ANSWERS}, and recall is that of those cards; grade what answers a query {ANSWERS}"
        )
    return list(queries.values())


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {path}: {error}") from None
    return ((f"{path}:{number}", line) for number, line in enumerate(lines, start=1) if line.strip())


def _query(line: str, where: str, known: Collection[str]) -> JudgedQuery:
    data = _object(line, where)
    if missing := [field for field in FIELDS if field not in data]:
        raise DataError(f"{where}: no {', '.join(missing)}; a query has {', '.join(FIELDS)}")
    qid, kind, query = (_text(data[field], field, where) for field in FIELDS[:3])
    return JudgedQuery(qid, kind, query, _relevant(data["relevant"], where, known))


def _object(line: str, where: str) -> dict[str, Any]:
    try:
        data = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: not JSON: {error}; give one object a line") from None
    if not isinstance(data, dict):
        raise DataError(f"{where}: {line.strip()[:60]!r} is no JSON object; give one object a line")
    return data


def _text(value: object, field: str, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise DataError(f"{where}: {field} is {_shown(value)}; give a text that is not empty")
    return value.strip()


def _relevant(value: object, where: str, known: Collection[str]) -> dict[str, float]:
    if not isinstance(value, dict):
        raise DataError(f'{where}: relevant is {_shown(value)}; give an object of card ids and grades, such as {{"gcnii": 2}}')
    for name, grade in value.items():
        if name not in known:
            raise DataError(f"{where}: card {name!r} does not exist; {_near(name, known)}")
        if isinstance(grade, bool) or not isinstance(grade, int | float) or not math.isfinite(grade) or grade < 0:
            raise DataError(f"{where}: the grade of {name} is {_shown(grade)}; allowed: numbers from 0, {ANSWERS} for a card that answers")
    return value


def _near(name: str, known: Collection[str]) -> str:
    """Names that look like it, or where to look; all of them would be no help."""
    hint = suggest(name, known)
    return hint if hint.startswith("did you mean") else "the ids are those of the cards that are searched; --cards FILE searches others"


def _shown(value: object) -> str:
    return json.dumps(value)[:60]
