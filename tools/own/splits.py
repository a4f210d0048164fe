"""Splits of people's own items: by a column, at random, by folds, by time."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentnas.tools.errors import DataError, UsageError, suggest
from agentnas.tools.own.columns import days
from agentnas.tools.own.schema import SplitKind, SplitPlan
from agentnas.tools.own.tables import MISSING, Table
from agentnas.tools.tasks.base import Index, Split
from agentnas.tools.tasks.folds import FOLDS, folds
from agentnas.tools.tasks.splits import sizes_text

RANDOM_SPLITS = 10
VAL, TEST = 0.2, 0.2
SMALL_SET = 2000  # graphs up to which ten folds are the usual protocol
PARTS = ("train", "val", "test")
_WORDS = {
    **dict.fromkeys(("train", "training", "tr"), "train"), **dict.fromkeys(("val", "valid", "validation", "dev", "va"), "val"),
    **dict.fromkeys(("test", "testing", "te", "holdout"), "test"),
}  # fmt: skip
_ASKED = re.compile(r"folds:(\d{1,3})")
Made = tuple[tuple[Split, ...], str]


def asked(plan: SplitPlan, text: str | None) -> SplitPlan:
    """The plan with what ``--split`` asks for in its place: random, folds or folds:N."""
    if text is None:
        return plan
    match = _ASKED.fullmatch(text)
    if text not in ("random", "folds") and not match:
        raise UsageError(
            f"split {text!r} does not exist for a task file; {suggest(text, ('random', 'folds', 'folds:N'))}; the file says more"
        )
    if plan.rule == text:
        return plan
    return SplitPlan(kind="folds" if match else text, count=int(match[1]) if match else None, seed=plan.seed)


def check_drawn(plan: SplitPlan, where: str, kind: SplitKind = "random") -> None:
    """Raise UsageError for a seed alone beside a source that has its own split, which no seed changes. ``kind``: what could be drawn."""
    if plan.model_fields_set == {"seed"}:
        raise UsageError(
            f"{where}: split: seed has nothing to draw, for the source has its own split; leave seed out to keep that, or give split:"
            f" {{kind: {kind}, seed: {plan.seed}}} for random splits in its place"
        )


def usual(kind: str, items: int) -> SplitPlan:
    """What is done where a task file says nothing."""
    return SplitPlan(kind="folds" if kind == "graph" and items <= SMALL_SET else "random")


def make(plan: SplitPlan, y: NDArray[Any], labelled: NDArray[np.bool_], table: Table | None, where: str) -> Made:
    """The splits of the labelled items, and the line that describes them; DataError where a part would be empty."""
    if plan.rule in ("column", "time") and table is None:
        raise UsageError(f"{where}: split: column needs a table of the items; the source has none")
    if plan.rule == "column":
        assert table is not None
        splits = tuple(_by_column(table, name, labelled) for name in plan.column)
        made = splits, f"split{'s' if len(splits) > 1 else ''} of the data, column {', '.join(plan.column)}"
    elif plan.rule == "time":
        assert table is not None
        made = (_by_time(table, plan, labelled),), f"by time, column {plan.column[0]}, oldest first, {_shares_text(plan)} %"
    elif plan.rule == "folds":
        count = plan.count or FOLDS
        made = _folds(y, labelled, count, plan.seed, where), f"{count} stratified folds, one to choose by and one to test on"
    else:
        count = plan.count or RANDOM_SPLITS
        splits = tuple(_random(y, labelled, plan, plan.seed + number) for number in range(count))
        made = splits, f"{count} random split{'s' if count > 1 else ''}, {_shares_text(plan)} %"
    check(made[0], where)
    return made[0], f"{made[1]}, {sizes_text(made[0])}"


def check(splits: tuple[Split, ...], where: str) -> None:
    for number, split in enumerate(splits, start=1):
        for name, size in zip(PARTS, split.sizes, strict=True):
            if not size:
                raise DataError(f"{where}: {name} of split {number} holds no item with a label; every part needs some")


def shares(plan: SplitPlan, val: float = VAL, test: float = TEST) -> tuple[float, float]:
    """Shares of validation and test: as said, else what the others leave, else the usual ones."""
    if plan.train is not None and plan.val is None and plan.test is None:
        return (1 - plan.train) * val / (val + test), (1 - plan.train) * test / (val + test)
    if plan.train is not None and plan.val is None:
        return 1 - plan.train - (plan.test or 0), plan.test or 0
    if plan.train is not None and plan.test is None:
        return plan.val or 0, 1 - plan.train - (plan.val or 0)
    return plan.val or val, plan.test or test


def _shares_text(plan: SplitPlan) -> str:
    val, test = shares(plan)
    return "/".join(f"{100 * share:.3g}" for share in (1 - val - test, val, test))


def _by_column(table: Table, name: str, labelled: NDArray[np.bool_]) -> Split:
    cells = table.texts(name, "split: column")
    found = np.array([_part(cell) for cell in cells], dtype=object)
    wrong = found == "?"
    if wrong.any():
        row = int(wrong.argmax())
        raise DataError(f"{table.at(row, name)}: {cells[row][:40]!r} is no part; allowed: train, val, test, or empty for none")
    return Split(*(np.flatnonzero((found == part) & labelled) for part in PARTS))


def _part(cell: str) -> str:
    return "" if cell in MISSING else _WORDS.get(cell.lower(), "?")


def _by_time(table: Table, plan: SplitPlan, labelled: NDArray[np.bool_]) -> Split:
    times = days(table, plan.column[0], "split: column")
    empty = np.isnan(times) & labelled
    if empty.any():
        raise DataError(f"{table.at(int(empty.argmax()), plan.column[0])}: is empty; every row with a label needs a time")
    items = np.flatnonzero(labelled)
    order = items[np.argsort(times[items], kind="stable")]
    val, test = shares(plan)
    first, second = round((1 - val - test) * len(order)), round((1 - test) * len(order))
    return Split(*(np.sort(part) for part in (order[:first], order[first:second], order[second:])))


def _folds(y: NDArray[Any], labelled: NDArray[np.bool_], count: int, seed: int, where: str) -> tuple[Split, ...]:
    if count < 3:
        raise UsageError(f"{where}: split: count is {count}; allowed for folds: 3 or more, one to choose by and one to test on")
    try:
        return folds(y, labelled, count, seed)
    except UsageError as error:
        raise DataError(f"{where}: {error}; give split: kind: random") from None


def _random(y: NDArray[Any], labelled: NDArray[np.bool_], plan: SplitPlan, seed: int) -> Split:
    """Items dealt out so that each part has its share of each class; a class too small for that is trained on first.

    Parts are as large in every split. The same seed gives the same split on every machine (PCG64).
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    parts: list[list[Index]] = [[], [], []]
    groups = _groups(y, np.flatnonzero(labelled))
    for group, (chosen, tested) in zip(groups, _counts([len(group) for group in groups], *shares(plan), y.dtype.kind in "iu"), strict=True):
        shuffled = rng.permutation(group)
        for part, items in zip(parts, np.split(shuffled, [len(group) - tested - chosen, len(group) - tested]), strict=True):
            part.append(items)
    return Split(*(np.sort(np.concatenate(part)) for part in parts))


def _counts(sizes: list[int], val: float, test: float, classes: bool) -> list[tuple[int, int]]:
    """Items of each group for validation and test: what is rounded off of one group is made up for by the next."""
    made, owed_val, owed_test = [], 0.0, 0.0
    for size in sizes:
        owed_val, owed_test = owed_val + val * size, owed_test + test * size
        most = max(0, size - 1) if classes else size
        tested = min(most, round(owed_test))
        chosen = min(most - tested, round(owed_val))
        owed_val, owed_test = owed_val - chosen, owed_test - tested
        made.append((chosen, tested))
    return made


def _groups(y: NDArray[Any], items: Index) -> list[Index]:
    if y.ndim == 2 or y.dtype.kind not in "iu":
        return [items]
    return [items[y[items] == label] for label in np.unique(y[items])]


def check_classes(splits: tuple[Split, ...], y: NDArray[Any], names: tuple[str, ...], where: str) -> None:
    """Raise DataError for a class that is to be predicted and never trained on."""
    if y.dtype.kind not in "iu":
        return
    for number, split in enumerate(splits, start=1):
        absent = np.setdiff1d(y[np.concatenate([split.val, split.test])], y[split.train])
        if len(absent):
            name = names[absent[0]] if names else str(absent[0])
            raise DataError(
                f"{where}: class {name[:40]!r} has no item in train of split {number}, but in val or test; add some, or leave its items out"
            )
