"""What the retrieval benchmark says, in Markdown, in CSV and as plain data."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from agentnas.bench.retrieval import MEASURES, Finding, Row, rows
from agentnas.bench.retrieval_queries import ANSWERS, JudgedQuery
from agentnas.bench.retrieval_tuning import Tuned
from agentnas.memory.lexical import Blend
from agentnas.words import markdown_table, plural


@dataclass(frozen=True)
class Retrieval:
    """All findings of one benchmark; ``unanswered`` are the queries that no card answers: they measure nothing."""

    cards: int
    queries: tuple[JudgedQuery, ...]
    unanswered: tuple[JudgedQuery, ...]
    findings: tuple[Finding, ...]
    tuned: Tuned | None = None

    def every(self) -> list[Finding]:
        """The findings, those under tuning last."""
        return [*self.findings, *((*self.tuned.held_out, *self.tuned.in_sample) if self.tuned else ())]

    def rows(self) -> list[Row]:
        return rows(self.every())


def markdown(result: Retrieval) -> str:
    """A table of all rankings and groups, and what its figures are."""
    table = [[row.ranker, row.group, str(row.queries), *map(_figure, row.values, row.errors)] for row in result.rows()]
    return "\n\n".join([_heading(result), markdown_table(["ranking", "queries", "count", *MEASURES], table), *_notes(result)])


def _heading(result: Retrieval) -> str:
    kinds = Counter(query.kind for query in result.queries)
    shares = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    count = len(result.queries)
    return f"{count} judged {'query' if count == 1 else 'queries'} ({shares}) on {plural(result.cards, 'card')}"


def _figure(value: float, error: float | None) -> str:
    return f"{value:.3f} ± {'?' if error is None else f'{error:.3f}'}"


def _notes(result: Retrieval) -> list[str]:
    lines = [
        f"Recall is that of the cards that answer a query (grade {ANSWERS}); MRR is the mean of 1 / rank of the first of them. ± is the "
        "standard error over queries. The hybrid is how a run ranks its cards, whatever embedder its memory has."
    ]
    if result.unanswered:
        names = ", ".join(query.qid for query in result.unanswered[:5]) + (", ..." if len(result.unanswered) > 5 else "")
        lines.append(f"Left out, since no card of grade {ANSWERS} answers them: {len(result.unanswered)} ({names}).")
    return lines + (_tuning(result.tuned) if result.tuned else [])


def _tuning(tuned: Tuned) -> list[str]:
    counts = Counter(tuned.chosen).most_common()
    folds = "; ".join(f"{_told(blend)} ({count} of {len(tuned.chosen)} folds)" for blend, count in counts)
    return [
        f"Held out: the weights are chosen on the other {len(tuned.chosen) - 1} of {len(tuned.chosen)} folds. Chosen: {folds}. On all: "
        f"{_told(tuned.best)}. What ships: {_told(Blend())}."
    ]


def _told(blend: Blend) -> str:
    return f"words {blend.words:.2f}, n-grams {blend.ngrams:.2f}, latent {blend.latent:.2f}, hints {blend.hints:.3g}"


def as_csv(findings: Sequence[Finding]) -> str:
    """A line a ranking and query: ranking, qid, kind, the measures, and the first five cards."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["ranking", "qid", "kind", *MEASURES, "first"])
    writer.writerows([f.ranker, f.qid, f.kind, *(f"{value:.4f}" for value in f.values), " ".join(f.first)] for f in findings)
    return text.getvalue()


def as_dict(result: Retrieval) -> dict[str, Any]:
    """The table as plain data; values are 0 to 1, unknown errors None."""
    return {
        "cards": result.cards,
        "queries": len(result.queries),
        "left_out": [query.qid for query in result.unanswered],
        "rows": [_plain(row) for row in result.rows()],
        "tuned": None if result.tuned is None else {"chosen": [asdict(b) for b in result.tuned.chosen], "best": asdict(result.tuned.best)},
    }


def _plain(row: Row) -> dict[str, Any]:
    named = zip(MEASURES, row.values, row.errors, strict=True)
    return {
        "ranking": row.ranker,
        "group": row.group,
        "queries": row.queries,
        **{name: {"value": value, "se": error} for name, value, error in named},
    }
