"""A task file guessed from data files: what each table and column is, by which evidence, and what is not sure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentnas.tools.errors import UsageError
from agentnas.tools.metrics import Target, fitting
from agentnas.tools.own.answers import FEW_CLASSES, metric_of, says_label, target_of, told
from agentnas.tools.own.arrays import Arrays, data_of
from agentnas.tools.own.columns import has_commas
from agentnas.tools.own.guessing import Guess, Line, Wishes, some
from agentnas.tools.own.looking import PARTS, Column, Seen
from agentnas.tools.own.predicted import answers_of, check_level, items_of
from agentnas.tools.own.roles import DIRECTED, Roles, find_roles, no_edges
from agentnas.tools.yaml_file import nearest

SMALL_SET = 500  # labelled items up to which every item should be tested once
TYPE_NAMES = {"type", "edge_type", "node_type", "relation", "relation_type", "rel", "edgetype", "nodetype"}
MOST_TYPES = 20
CODES = {
    "code",
    "zip",
    "postcode",
    "country",
    "category",
    "cluster",
    "type",
    "region",
    "branch",
    "channel",
    "sector",
    "group",
    "month",
    "plan",
}
MOST_CODES = 60
HIDDEN = "some edges are hidden, to be predicted: 5 % to choose by, 10 % to test on"


def guess_tables(tables: Sequence[Seen], wishes: Wishes) -> Guess:
    """The task that these tables seem to hold; UsageError where no edges, and no molecules, are found in them."""
    _known(tables, wishes)
    given = {"id": wishes.id, "source": wishes.source, "target": wishes.target, "owner": wishes.graph, "smiles": wishes.smiles}
    roles = find_roles(tables, given)
    if roles.edges is None and roles.smiles is None:
        raise UsageError(no_edges(tables))
    guess = Guess()
    items = items_of(roles, wishes)
    answers = answers_of(guess, roles, items, wishes)
    kind = wishes.kind or (("graph" if items is roles.graphs else "node") if answers else "link")
    _check_kind(kind, answers, roles)
    check_level(roles, items, answers, wishes)
    guess.say("kind", kind, _why_kind(kind, roles), "--kind")
    columns = answers if kind != "link" else []
    target = _target(guess, columns, kind, wishes)
    _metric(guess, kind, target, list(columns[0].counts.values()) if columns else (), wishes)
    _nodes(guess, roles, items, columns, wishes)
    _edges(guess, roles, wishes)
    _graphs(guess, roles, items, columns, wishes)
    _split(guess, items, columns, kind, wishes)
    _leftovers(guess, roles)
    return guess


def guess_arrays(file: Path, arrays: Arrays, wishes: Wishes) -> Guess:
    """The task that arrays under known names hold; DataError where they do not fit together."""
    if wishes.label or wishes.id or wishes.source or wishes.smiles or wishes.graph:
        raise UsageError(f"{file.name} holds arrays without columns; --label and other options of columns do not fit it")
    data = data_of(arrays, "link" if wishes.kind == "link" else None, wishes.predict, wishes.directed, file.name)
    kind = "link" if wishes.kind == "link" or "y" not in arrays else data.kind
    if wishes.kind and wishes.kind != kind:
        raise UsageError(f"--kind {wishes.kind} does not fit {file.name}, whose y says {kind}; allowed: {kind}, link")
    target, guess = data.target, Guess()
    told = ", ".join(f"{name} {list(np.shape(value))}" for name, value in arrays.items() if np.ndim(value))
    guess.say("source", str(file), told)
    guess.say("kind", kind, "there is no y" if "y" not in arrays else f"y holds {data.num_items} labels", "--kind")
    if kind != "link":
        guess.say("target", target, "you said so" if wishes.predict else f"y is of {np.asarray(arrays['y']).dtype}", "--predict")
        _other_target(guess, target, np.asarray(arrays["y"]), wishes)
    counts = np.bincount(data.y[data.y >= 0]).tolist() if target == "classes" and kind != "link" else ()
    _metric(guess, kind, target, [count for count in counts if count], wishes)
    if kind == "link":
        guess.say("directed", False, "links are predicted whatever their direction")
    else:
        guess.say("directed", data.directed, "as the edges stand" if wishes.directed is None else "you said so", "--directed")
    _split_of_arrays(guess, arrays, int(data.labelled.sum()), kind, wishes)
    return guess


def _other_target(guess: Guess, target: Target, y: NDArray[Any], wishes: Wishes) -> None:
    """Say so where the type of numbers and what they are do not agree: 0.0 and 1.0, or a thousand whole amounts."""
    if wishes.predict or target == "labels":
        return
    values = np.unique(y[np.isfinite(y)])
    few = len(values) <= FEW_CLASSES and bool((values == np.round(values)).all())
    if target == "value" and few:
        text = f"y holds {len(values)} different whole numbers; value is taken, as they are of {y.dtype}, classes fits if they are names"
        guess.doubt("target", text, "--predict classes", ("value", "classes"))
    elif target == "classes" and len(values) > 5 * FEW_CLASSES:
        text = f"y holds {len(values)} different whole numbers; classes is taken, value fits if they are amounts"
        guess.doubt("target", text, "--predict value", ("classes", "value"))


def _metric(guess: Guess, kind: str, target: Target, counts: Sequence[int], wishes: Wishes) -> None:
    allowed = fitting(target, pairs=kind == "link")
    if wishes.metric is None:
        guess.say("metric", *metric_of(kind, target, counts), "--metric")
    elif wishes.metric not in allowed:
        raise UsageError(f"--metric {wishes.metric} does not fit {'links' if kind == 'link' else target}; allowed: {', '.join(allowed)}")
    else:
        guess.say("metric", wishes.metric, "you said so", "--metric")


def _split_of_arrays(guess: Guess, arrays: Arrays, labelled: int, kind: str, wishes: Wishes) -> None:
    if kind == "link":
        guess.say("split.kind", "links", HIDDEN, "--split")
    elif wishes.split is not None:
        guess.say("split.kind", wishes.split, "you said so", "--split")
    elif "train_mask" in arrays:
        guess.say("split.kind", "given", "there are train_mask, val_mask and test_mask", "--split")
    else:
        guess.say("split.kind", *_by_size(labelled), "--split")


def _known(tables: Sequence[Seen], wishes: Wishes) -> None:
    """Raise UsageError for a column that no table has."""
    names = {name for seen in tables for name in seen.columns}
    said = {"--label": wishes.label, "--ignore": wishes.ignore, **{
        f"--{key}": (value,) if (value := getattr(wishes, key)) else () for key in ("id", "source", "target", "graph", "smiles")
    }}  # fmt: skip
    for option, columns in said.items():
        for column in columns:
            if column not in names:
                raise UsageError(f"{option} {column}: no file has such a column; {nearest(column, names)}")
    if (wishes.source is None) != (wishes.target is None):
        raise UsageError("--source and --target belong together: give both columns of the edges")


def _check_kind(kind: str, answers: list[Column], roles: Roles) -> None:
    if kind not in ("node", "graph", "link"):
        raise UsageError(f"--kind {kind} does not exist; {nearest(kind, ('node', 'graph', 'link'))}")
    if kind in ("node", "graph") and not answers:
        raise UsageError(f"--kind {kind} needs a label; say which column: --label COLUMN")
    if kind == "link" and roles.smiles:
        raise UsageError("--kind link does not fit molecules; allowed: graph")


def _why_kind(kind: str, roles: Roles) -> str:
    if kind == "graph":
        return "each molecule is a graph" if roles.smiles else f"the label stands with the graphs, in {_name(roles.graphs)}"
    return f"the label stands with the nodes, in {_name(roles.nodes)}" if kind == "node" else "no column is a label: which nodes are joined"


def _name(seen: Seen | None) -> str:
    return seen.file.name if seen is not None else "no file"


def _target(guess: Guess, columns: list[Column], kind: str, wishes: Wishes) -> Target:
    if not columns:
        return "classes"
    if wishes.predict:
        guess.say("target", wishes.predict, "you said so", "--predict")
        return wishes.predict
    if len(columns) > 1:
        guess.say("target", "labels", f"{len(columns)} columns of 0 and 1", "--predict")
        return "labels"
    target, clear = target_of(columns[0])
    guess.say("target", target, told(columns[0]), "--predict")
    if not clear:
        other: Target = "value" if target == "classes" else "classes"
        text = f"{columns[0].name} holds whole numbers ({len(columns[0].values)} different); {target} is taken, {other} fits if they are "
        text += "amounts" if other == "value" else "names"
        guess.doubt("target", text, f"--predict {other}", (target, other))
    return target


def _nodes(guess: Guess, roles: Roles, items: Seen | None, columns: list[Column], wishes: Wishes) -> None:
    seen = roles.nodes
    if seen is None:
        if roles.edges is not None:
            guess.doubt("nodes", "no file of nodes: nodes are what edges name, and have no features", "another FILE")
        return
    _file(guess, "nodes", seen, "node")
    if roles.id:
        share = f"{100 * roles.found:.0f} % of the ends of edges are among them"
        differ = f"all values differ within a {roles.owner}" if roles.within else "all values differ"
        guess.say("nodes.id", roles.id, "you said so" if wishes.id else f"{differ}; {share}", "--id")
    if roles.found < 1 and roles.id:
        guess.doubt("nodes", f"{100 * (1 - roles.found):.1f} % of the ends of edges are no {roles.id} of {seen.file.name}", "--id COLUMN")
    if roles.owner:
        why = f"its cells are ids of {_name(roles.graphs)}" if roles.graphs else "edges have it too, and nodes are numbered within it"
        guess.say("nodes.graph", roles.owner, "you said so" if wishes.graph else why, "--graph")
    if columns and items is seen:
        _label(guess, "nodes", columns, wishes)
    taken = {roles.id, roles.owner, *(column.name for column in columns if items is seen), *_split_columns(seen, wishes)}
    _typed(guess, "nodes", seen, taken)
    _features(guess, "nodes", seen, taken, wishes)


def _file(guess: Guess, part: str, seen: Seen, what: str) -> None:
    if not seen.whole:
        guess.say(f"{part}.file", str(seen.file), f"{seen.rows:,} rows, one a{'n' if what == 'edge' else ''} {what}")
    elif "source" not in guess.plan:
        guess.say("source", str(seen.file), "holds nodes and edges")


def _label(guess: Guess, part: str, columns: list[Column], wishes: Wishes) -> None:
    names = [column.name for column in columns]
    if wishes.label:
        why = "you said so"
    elif len(names) > 1:
        why = "their names say so"
    else:
        why = "its name says so" if says_label(columns[0]) else "no other column can be one"
    guess.say(f"{part}.label", names[0] if len(names) == 1 else names, f"{why}; {told(columns[0])}", "--label")
    for column in columns:
        for word, rows in column.blanks.items():
            text = f"{word!r} is read as empty, in {rows:,} rows of {column.name}; if it is a class, it needs another name"
            guess.doubt("blank", text, f"write another word than {word!r}")


def _typed(guess: Guess, part: str, seen: Seen, taken: set[str | None]) -> None:
    """A column that says the type of a row, for operators that have weights for each."""
    for name, column in seen.columns.items():
        if name not in taken and "_".join(column.words) in TYPE_NAMES and 2 <= len(column.values) <= MOST_TYPES and not column.empty:
            guess.say(f"{part}.type", name, told(column), "--ignore")
            taken.add(name)
            return


def _features(guess: Guess, part: str, seen: Seen, taken: set[str | None], wishes: Wishes) -> None:
    """Columns that are left: numbers speak for themselves; codes are categories; what differs in every row is left out."""
    left = {name: column for name, column in seen.columns.items() if name not in taken}
    ignored = {name: _why_not(column) for name, column in left.items() if name in wishes.ignore or _why_not(column)}
    codes = [name for name, column in left.items() if name not in ignored and _is_code(column)]
    used = [name for name in left if name not in ignored]
    if used:
        guess.lines.append(Line(f"{part} features", some(used), _kinds([left[name] for name in used], codes), "--ignore"))
    if codes:
        guess.say(f"{part}.categories", codes, "whole numbers that are codes, not amounts")
    if ignored:
        whys = sorted({"you said so" if name in wishes.ignore else why for name, why in ignored.items()})
        guess.say(f"{part}.ignore", list(ignored), "; ".join(whys))


def _why_not(column: Column) -> str:
    if column.name in column.table.several:
        return "several values in a cell"
    if column.holds == "nothing":
        return "empty in every row"
    if column.holds == "names" and has_commas(column.values):
        return "numbers with a comma before decimals: write a point, or separate cells by ;"
    if column.holds == "names":
        return "nearly every row has a text of its own: a name, not a feature"
    if len(column.values) == 1 and not column.empty:
        return "the same in every row"
    if column.is_number_of_row or (column.unique and column.whole and column.words[-1:] == ("id",)):
        return "an identifier, or the number of the row"
    return "parts of a split" if column.is_parts else ""


def _is_code(column: Column) -> bool:
    return column.whole and column.holds == "numbers" and bool(set(column.words) & CODES) and 2 < len(column.values) <= MOST_CODES


def _kinds(columns: Sequence[Column], codes: Sequence[str]) -> str:
    kinds = [("categories" if column.name in codes else column.holds) for column in columns]
    counted = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
    gaps = sum(column.empty > 0 for column in columns)
    return counted + (f"; {gaps} with empty cells, which are filled and marked" if gaps else "")


def _edges(guess: Guess, roles: Roles, wishes: Wishes) -> None:
    seen, ends = roles.edges, roles.ends
    if seen is None or ends is None:
        return
    _file(guess, "edges", seen, "edge")
    guess.say("edges.source", ends.source, ends.why, "--source")
    guess.say("edges.target", ends.target, ends.why, "--target")
    taken: set[str | None] = {ends.source, ends.target, *_split_columns(seen, wishes)}
    if roles.owner and roles.owner in seen.columns:
        guess.say("edges.graph", roles.owner, f"as in {_name(roles.nodes)}")
        taken.add(roles.owner)
    if guess.plan["kind"] != "link":
        _typed(guess, "edges", seen, taken)
    _features(guess, "edges", seen, taken, wishes)
    _direction(guess, seen, wishes)


def _direction(guess: Guess, seen: Seen, wishes: Wishes) -> None:
    if wishes.directed is not None:
        guess.say("directed", wishes.directed, "you said so", "--directed")
        return
    source, target = guess.plan["edges"]["source"], guess.plan["edges"]["target"]
    pairs = set(zip(seen.columns[source].texts, seen.columns[target].texts, strict=True))
    back = sum((other, one) in pairs for one, other in pairs if one != other) / max(1, len(pairs))
    guess.say(
        "directed", False, f"messages run both ways along an edge; {100 * back:.0f} % of edges stand in the file both ways", "--directed"
    )
    if set(seen.columns[source].words) & DIRECTED and back < 0.5 and guess.plan["kind"] != "link":
        text = f"{source} and {target} say that edges have a direction; it is not used"
        guess.doubt("direction", text, "--directed", ("both ways", "as given"))


def _graphs(guess: Guess, roles: Roles, items: Seen | None, columns: list[Column], wishes: Wishes) -> None:
    seen = roles.graphs
    if seen is None or items is not seen:
        return
    _file(guess, "graphs", seen, "molecule" if roles.smiles else "graph")
    if roles.graph_id:
        guess.say("graphs.id", roles.graph_id, "all values differ", "" if roles.smiles is None else "--id")
    if roles.smiles:
        guess.say("graphs.smiles", roles.smiles, "its cells are molecules as SMILES", "--smiles")
    if columns:
        _label(guess, "graphs", columns, wishes)
    names = [column.name for column in columns]
    taken = {roles.graph_id, roles.smiles, *names, *_split_columns(seen, wishes)}
    _features(guess, "graphs", seen, taken, wishes)


def _split_columns(seen: Seen, wishes: Wishes) -> set[str]:
    """The column that says train, val and test."""
    if wishes.split in seen.columns:
        return {str(wishes.split)}
    named = [name for name, column in seen.columns.items() if column.is_parts and len(column.values) >= 3]
    return set(named[:1]) if wishes.split is None else set()


def _split(guess: Guess, items: Seen | None, columns: list[Column], kind: str, wishes: Wishes) -> None:
    if kind == "link" or items is None:
        guess.say("split.kind", "links", HIDDEN, "--split")
        return
    found = _split_columns(items, wishes)
    if found:
        name = next(iter(found))
        guess.say("split.column", name, _parts_told(items.columns[name]), "--split")
        return
    if wishes.split is not None:
        if wishes.split not in ("random", "folds"):
            raise UsageError(f"--split {wishes.split}: no such column; {nearest(wishes.split, ('random', 'folds', *items.columns))}")
        guess.say("split.kind", wishes.split, "you said so", "--split")
        return
    _usual_split(guess, items, columns)


def _usual_split(guess: Guess, items: Seen, columns: list[Column]) -> None:
    halves = [name for name, column in items.columns.items() if column.is_parts]
    if halves:
        parts = " and ".join(sorted(items.columns[halves[0]].values))
        guess.doubt(
            "split", f"{halves[0]} says {parts} only; validation is missing, so a new split is made", "a column with train, val and test"
        )
    labelled = items.rows - (columns[0].empty if columns else 0)
    guess.say("split.kind", *_by_size(labelled), "--split")
    answers = [column.name for column in columns]
    if times := [name for name, column in items.columns.items() if name not in answers and _is_time(column)]:
        what = "is a date" if items.columns[times[0]].holds == "dates" else "says a year"
        text = f"{times[0]} {what}: if the future is to be predicted, split by time"
        guess.doubt("split", text, f"split: {{kind: time, column: {times[0]}}}")


def _is_time(column: Column) -> bool:
    return column.holds == "dates" or (column.whole and "year" in column.words and len(column.values) > 2)


def _by_size(labelled: int) -> tuple[str, str]:
    if labelled <= SMALL_SET:
        return "folds", f"{labelled} labels are few: in ten folds each is tested once"
    return "random", "ten random splits, 60/20/20 %, with the same shares of each class"


def _parts_told(column: Column) -> str:
    words = {part: [value for value in column.values if value.lower() in known] for part, known in PARTS.items()}
    return ", ".join(f"{sum(column.counts[value] for value in values)} {part}" for part, values in words.items() if values)


def _leftovers(guess: Guess, roles: Roles) -> None:
    for seen in roles.others:
        guess.doubt(
            "files", f"{seen.file.name} is not used; join its columns to those of another table if they matter", "name the FILES to use"
        )
