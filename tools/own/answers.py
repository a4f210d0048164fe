"""Which column is to be predicted, as what, and by which score it is judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from agentnas.tools.metrics import Target
from agentnas.tools.own.looking import Column, Seen

FEW_CLASSES = 20
RARE, UNEVEN, OFTEN = 0.1, 1 / 3, 0.8  # shares of the smallest class, of the smaller of two, of the largest
CLEAR = 2.0  # points that the first must be ahead of the second, to be sure
LEAST = 2.0  # points below which a column looks like no label at all
_EXACT = {
    "label": 10, "y": 9, "target": 9, "class": 9, "outcome": 8, "labels": 9, "groundtruth": 9, "answer": 6, "category": 5, "community": 6,
    "club": 6, "subject": 5, "measured": 6, "expt": 7, "activity": 6, "fraud": 8, "churn": 8, "churned": 8, "default": 4, "spam": 8,
    "toxic": 8, "toxicity": 8, "party": 5, "topic": 5, "field": 4, "solubility": 7, "logs": 6, "logp": 5, "affinity": 7, "pic50": 7,
    "price": 4, "rating": 4, "status": 2, "segment": 3, "role": 4, "group": 3, "faction": 6, "suspicious": 6, "fraudulent": 8, "bot": 6,
}  # fmt: skip
_WORDS = {
    "label": 8, "target": 7, "class": 6, "fraud": 7, "churn": 7, "churned": 7, "spam": 7, "toxic": 7, "outcome": 6, "measured": 6, "y": 6,
    "bot": 5, "solubility": 6, "activity": 5, "affinity": 6, "expt": 6, "property": 2,
}  # fmt: skip
_ASKS = ("is", "has", "was", "will")
_NEVER = {"id", "date", "time", "name", "score", "predicted", "prediction", "probability", "file", "path", "url", "index", "amount"}


@dataclass(frozen=True, eq=False)
class Answer:
    """A column that may be the label. ``score`` in points; ``why`` in words."""

    column: Column
    score: float
    why: str


def candidates(seen: Seen, taken: Sequence[str | None]) -> list[Answer]:
    """Columns that could be the label, the likeliest first; those with no points are left out."""
    last = list(seen.columns)[-1]
    found = [_scored(column, column.name == last) for name, column in seen.columns.items() if name not in taken and not column.is_parts]
    return sorted((answer for answer in found if answer.score > 0), key=lambda answer: -answer.score)


def says_label(column: Column) -> bool:
    """Whether the name of a column speaks for a label."""
    return _scored(column, last=False).score > 0


def _scored(column: Column, last: bool) -> Answer:
    if column.holds in ("nothing", "text", "dates", "names") or len(column.values) < 2:
        return Answer(column, 0.0, "")
    if column.is_number_of_row or (column.unique and column.holds == "categories"):
        return Answer(column, 0.0, "")
    whole = "".join(column.words)
    exact = _EXACT.get(whole, 0)
    within = max((_WORDS.get(word, 0) for word in column.words), default=0)
    asks = 4.0 if column.words[:1] and column.words[0] in _ASKS and len(column.values) == 2 else 0.0
    named = max(exact, within) + asks - (6.0 if set(column.words) & _NEVER else 0.0)
    few = 1.0 if len(column.values) <= FEW_CLASSES else 0.0
    return Answer(column, named + (0.5 * few + 0.5 * last if named > 0 else 0.0), f"its name says so; {told(column)}")


def several(answers: Sequence[Answer]) -> list[str]:
    """Columns of 0 and 1 that share a first word such as ``label``: several labels an item."""
    for stem in ("label", "labels", "y", "target", "task", "class"):
        alike = [answer.column for answer in answers if answer.column.words[0] == stem and len(answer.column.words) > 1]
        if len(alike) > 1 and all(column.values <= {"0", "1", "0.0", "1.0"} for column in alike):
            return [column.name for column in alike]
    return []


def told(column: Column) -> str:
    """What a column holds, in a few words: ``2 values: 0 in 95 %, 1 in 5 %``."""
    count = len(column.values)
    gaps = f", empty in {column.empty} rows" if column.empty else ""
    if target_of(column)[0] == "value" and len(column.numbers):
        return f"numbers from {column.numbers.min():.3g} to {column.numbers.max():.3g}{gaps}"
    total = sum(column.counts.values())
    most = ", ".join(f"{value} in {100 * rows / total:.1f} %" for value, rows in list(column.counts.items())[:3])
    return f"{count} values: {most}{', ...' if count > 3 else ''}{gaps}"


def target_of(column: Column) -> tuple[Target, bool]:
    """Classes or a value, and whether that is clear."""
    if column.holds != "numbers":
        return "classes", True
    count = len(column.values)
    if not column.whole:
        return "value", True
    if count <= FEW_CLASSES and count < len(column.table) / 5:
        return "classes", count <= 2 or set(column.values) <= {str(number) for number in range(FEW_CLASSES + 1)}
    return "value", count > 100


Judged = tuple[Literal["accuracy", "macro_f1", "roc_auc", "ap", "rmse"], str]


def metric_of(kind: str, target: Target, counts: Sequence[int]) -> Judged:
    """The score and why it fits. ``counts``: items of each class, where classes are predicted."""
    if kind == "link":
        return "roc_auc", "usual for links; ap, mrr and hits@20, 50, 100 fit too"
    if target == "value":
        return "rmse", "a number is predicted; mae forgives outliers, r2 is a share"
    if target == "labels":
        return "roc_auc", "several labels, each yes or no; the mean over labels"
    share = min(counts) / sum(counts)
    if len(counts) == 2 and share < RARE:
        return "roc_auc", f"one of two classes is rare ({100 * share:.1f} %): accuracy says little, ap looks at the rare one"
    if len(counts) == 2:
        return ("roc_auc", "two classes of unequal size") if share < UNEVEN else ("accuracy", "two classes of about equal size")
    if max(counts) > OFTEN * sum(counts):
        return "macro_f1", "one class is far more frequent than the others, so accuracy says little"
    return "accuracy", f"{len(counts)} classes"
