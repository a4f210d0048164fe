"""What the test predictions of the winner are like beside their score: class by class, calibration, and the errors of values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agentnas.agents.statistics import mean_and_sd
from agentnas.memory.view import JournalView
from agentnas.scores import item_of, items_of, repeat_of, repeats
from agentnas.tools.quality import QUANTILES
from agentnas.words import markdown_table, spread

MOST_ROWS = 60
CERTAIN = 0.005  # difference of what is said and what is so below which nothing is made of it
EDGE_NAMES = ("no edge", "edge")
CLASS_HEAD = ("class", "items", "precision", "recall", "F1")
BIN_HEAD = ("probability said", "cases", "said on average", "was so")
ERROR_HEAD = ("of the test", "mean ± sd over")


@dataclass(frozen=True)
class Table:
    """A table with what stands above it."""

    title: str
    head: Sequence[str]
    rows: list[list[str]]
    lines: Sequence[str] = ()


def quality_tables(view: JournalView) -> list[Table]:
    """The tables for the winner, as far as the journal holds what they are made of; runs of earlier versions and tables have none."""
    found = list(view.test.quality.values()) if view.test else []
    if not found:
        return []
    made = [_classes(view, found), _calibration(view, found), _errors(view, found)]
    return [table for table in made if table is not None]


def quality_section(view: JournalView) -> str:
    """The same as Markdown."""
    tables = quality_tables(view)
    parts = ["\n\n".join([f"### {t.title}", *t.lines, markdown_table(t.head, t.rows)]) for t in tables]
    return "\n\n".join(["## Predictions of the test", *parts]) if parts else ""


def _classes(view: JournalView, found: list[dict[str, Any]]) -> Table | None:
    if any("classes" not in one for one in found):
        return None
    counts = [[one["classes"][number] for one in found] for number in range(len(found[0]["classes"]))]
    rows = [[_name(view, number), *_class_cells(of_class)] for number, of_class in enumerate(counts)]
    meaning = "precision: of those that were given the class, how many have it; recall: of those that have it, how many were given it."
    lines = [f"Means over {repeats(view, len(found))}, in percent; {meaning}"]
    if len(rows) > MOST_ROWS:
        lines.append(f"The {MOST_ROWS} largest of {len(rows)} classes.")
        rows = sorted(rows, key=lambda row: -float(row[1].replace(",", "")))[:MOST_ROWS]
    what = "Label by label" if view.started and view.started.target == "labels" else "Class by class"
    return Table(what, (CLASS_HEAD[0] if what[0] == "C" else "label", f"test {items_of(view)}", *CLASS_HEAD[2:]), rows, lines)


def _name(view: JournalView, number: int) -> str:
    names = view.started.class_names if view.started else ()
    if not names and view.started and view.started.kind == "link":
        names = EDGE_NAMES
    return names[number] if number < len(names) else str(number)


def _class_cells(of_class: list[list[int]]) -> list[str]:
    """Items, precision, recall and F1 of a class, from (right, given, held) of each seed."""
    held = sum(count[2] for count in of_class) / len(of_class)
    shares = [
        (_percent(right, given), _percent(right, labelled), _percent(2 * right, given + labelled)) for right, given, labelled in of_class
    ]
    return [f"{held:,.0f}", *(_mean(column) for column in zip(*shares, strict=True))]


def _percent(part: float, whole: float) -> float | None:
    return 100.0 * part / whole if whole else None


def _mean(values: Sequence[float | None], digits: int = 1) -> str:
    known = [value for value in values if value is not None]
    return spread(*mean_and_sd(known), digits) if known else "never"


def calibration_error(bins: Sequence[Sequence[float]]) -> float:
    """Expected calibration error: by how much what was said differs from what was so, mean over cases (Guo et al., 2017); 0..1."""
    total = sum(number for number, _, _ in bins)
    return math.fsum(abs(said - so) for _, said, so in bins) / total if total else 0.0


def pooled_bins(view: JournalView) -> list[list[float]]:
    """Number, summed probability and number that was so, by tenths of the probability, over all seeds."""
    found = [one["bins"] for one in (view.test.quality.values() if view.test else ()) if "bins" in one]
    return [[math.fsum(one[place][part] for one in found) for part in range(3)] for place in range(len(found[0]))] if found else []


def _calibration(view: JournalView, found: list[dict[str, Any]]) -> Table | None:
    bins = pooled_bins(view)
    if not bins:
        return None
    edges = [f"{place / len(bins):.1f} to {(place + 1) / len(bins):.1f}" for place in range(len(bins))]
    rows = [
        [edge, f"{number:,.0f}", f"{100 * said / number:.1f} %", f"{100 * so / number:.1f} %"]
        for edge, (number, said, so) in zip(edges, bins, strict=True)
        if number
    ]
    return Table("Can the probabilities be believed?", BIN_HEAD, rows, [_believed(view, found, bins)])


def _believed(view: JournalView, found: list[dict[str, Any]], bins: list[list[float]]) -> str:
    errors = [100 * calibration_error(one["bins"]) for one in found]
    total = sum(number for number, _, _ in bins)
    said, so = (sum(row[part] for row in bins) / total for part in (1, 2))
    lean = "about right on the whole" if abs(said - so) < CERTAIN else "too sure of itself" if said > so else "less sure than it could be"
    labels = view.started is not None and view.started.target == "labels"
    whom = "of each label that it is there" if labels else f"of the class it gives to a {item_of(view)}"
    error = f"Expected calibration error {spread(*mean_and_sd(errors))} points over {repeats(view, len(found))}, {len(bins)} bins"
    return f"{error}: the model says {100 * said:.1f} % on average {whom}, and it is so in {100 * so:.1f} %: {lean}."


def _errors(view: JournalView, found: list[dict[str, Any]]) -> Table | None:
    errors = [one["errors"] for one in found if "errors" in one]
    if not errors:
        return None
    digits = view.scale.digits if view.scale.is_error else 3
    shown = [
        ("mean error (predicted minus true)", [e["sum"] / e["count"] for e in errors]),
        ("mean absolute error", [e["absolute"] / e["count"] for e in errors]),
        ("root of the mean squared error", [math.sqrt(e["squares"] / e["count"]) for e in errors]),
        ("explained variance (R2), %", [100 * (1 - e["squares"] / e["around_mean"]) if e["around_mean"] else None for e in errors]),
        *((f"{100 * share:.0f} % of the errors are below", [e["quantiles"][i] for e in errors]) for i, share in enumerate(QUANTILES)),
        ("largest error, in either direction", [abs(e["largest"]) for e in errors]),
    ]  # fmt: skip
    rows = [[words, _mean(values, 1 if words.endswith("%") else digits)] for words, values in shown]
    count, each = sum(e["count"] for e in errors) / len(errors), repeat_of(view, len(errors))
    line = f"In the unit of the target; {count:,.0f} test {items_of(view)} a {each}, {repeats(view, len(errors))}."
    return Table("Errors of the values", (ERROR_HEAD[0], f"{ERROR_HEAD[1]} {each}s"), rows, [line])
