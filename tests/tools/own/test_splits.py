"""Splits of people's items: shares, classes, folds and time are as the task file says, and no item is in two parts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentnas.tools.errors import DataError, UsageError
from agentnas.tools.own.schema import SplitPlan
from agentnas.tools.own.splits import make, shares
from agentnas.tools.tasks import load_task
from agentnas.tools.tasks.base import Split
from tests.tools.own.making import TASK, arrays, graphs, people, write


def whole(split: Split) -> list[int]:
    return sorted([*split.train, *split.val, *split.test])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(5, 60), min_size=2, max_size=8), st.floats(0.1, 0.4), st.floats(0.1, 0.4), st.integers(0, 1000), st.booleans())
def test_random_parts_hold_each_item_once_and_each_class_by_its_share(
    sizes: list[int], val: float, test: float, seed: int, some_unknown: bool
) -> None:
    y = np.repeat(np.arange(len(sizes)), sizes)
    y[:1] = -1 if some_unknown else y[:1]
    plan = SplitPlan(kind="random", val=val, test=test, count=3, seed=seed)
    splits, protocol = make(plan, y, y >= 0, None, "task.yaml")
    assert protocol.startswith("3 random splits, ")
    assert splits[0].sizes == splits[1].sizes == splits[2].sizes
    for split in splits:
        assert whole(split) == np.flatnonzero(y >= 0).tolist()
        assert set(y[split.train]) == set(range(len(sizes)))
        for part, share in ((split.val, val), (split.test, test)):
            counts = np.bincount(y[part], minlength=len(sizes))
            assert np.abs(counts - share * np.bincount(y[y >= 0])).max() <= 2
    again, _ = make(plan, y, y >= 0, None, "task.yaml")
    assert all(np.array_equal(one.test, other.test) for one, other in zip(splits, again, strict=True))


@pytest.mark.parametrize(
    ("said", "val", "test"),
    [
        ({}, 0.2, 0.2),
        ({"train": 0.8}, 0.1, 0.1),
        ({"train": 0.7, "val": 0.1}, 0.1, 0.2),
        ({"train": 0.7, "test": 0.1}, 0.2, 0.1),
        ({"val": 0.3}, 0.3, 0.2),
        ({"train": 0.5, "val": 0.3, "test": 0.2}, 0.3, 0.2),
    ],
)
def test_shares_that_are_not_said_follow(said: dict[str, float], val: float, test: float) -> None:
    assert np.allclose(shares(SplitPlan(**said)), (val, test))


def test_by_time_the_newest_are_tested_on(tmp_path: Path) -> None:
    task = load_task(str(write(tmp_path, people() | {"task.yaml": TASK + "split: {kind: time, column: since, test: 0.3}\n"})))
    since = pd.to_datetime(pd.read_csv(tmp_path / "people.csv").since)
    train, val, test = (since[part] for part in (task.split(0).train, task.split(0).val, task.split(0).test))
    assert train.max() <= val.min()
    assert val.max() <= test.min()
    assert len(test) == 18
    assert "since" not in " ".join(task.data.feature_names if task.data else ())


def test_each_item_is_tested_once_by_folds(tmp_path: Path) -> None:
    task = load_task(str(write(tmp_path, people() | {"task.yaml": TASK + "split: {kind: folds, count: 5}\n"})))
    assert sorted(np.concatenate([split.test for split in task.splits])) == list(range(60))
    assert task.protocol.startswith("5 stratified folds")


@pytest.mark.parametrize(("asked", "splits"), [("random", 10), ("folds", 10), ("folds:4", 4), (None, 1)])
def test_a_split_that_is_asked_for_replaces_the_files(asked: str | None, splits: int, tmp_path: Path) -> None:
    assert load_task(str(write(tmp_path, people())), split=asked).num_splits == splits


@pytest.mark.parametrize("asked", ["public", "folds:2", "folds:x", "random:20/30"])
def test_a_split_that_does_not_exist_is_one_line(asked: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as told:
        load_task(str(write(tmp_path, people())), split=asked)
    assert "\n" not in str(told.value)


def test_several_columns_are_several_splits(tmp_path: Path) -> None:
    table = pd.read_csv(write(tmp_path, people()).parent / "people.csv")
    table["other"] = table.part.map({"train": "test", "test": "training", "val": "dev"})
    table.to_csv(tmp_path / "people.csv", index=False)
    (tmp_path / "task.yaml").write_text(TASK + "split: {column: [part, other]}\n")
    task = load_task(str(tmp_path / "task.yaml"))
    assert task.split(0).train.tolist() == task.split(1).test.tolist()
    assert not {"part", "other"} & {name.split("=")[0] for name in (task.data.feature_names if task.data else ())}


def test_the_fingerprint_tells_splits_and_metrics_apart(tmp_path: Path) -> None:
    says = ("", "metric: macro_f1\n", "split: {seed: 1}\n", "split: {column: part}\n")
    told = {load_task(str(write(tmp_path, people() | {"task.yaml": TASK + more}))).fingerprint for more in says}
    assert len(told) == len(says)


SEEDED = {  # what else a file says -> the files
    "random": people() | {"task.yaml": TASK},
    "folds": people() | {"task.yaml": TASK},
    "links": people() | {"task.yaml": "edges: {file: knows.csv}\n"},
    "": graphs() | {"task.yaml": graphs()["task.yaml"].split("split:")[0]},  # folds, for the graphs are few
}


@pytest.mark.parametrize("kind", SEEDED)
def test_a_seed_changes_the_splits_and_the_same_seed_does_not(kind: str, tmp_path: Path) -> None:
    said = f"kind: {kind}, " if kind else ""

    def tested(seed: int) -> list[list[int]]:
        files = SEEDED[kind] | {"task.yaml": f"{SEEDED[kind]['task.yaml']}split: {{{said}seed: {seed}}}\n"}
        task = load_task(str(write(tmp_path, files)))
        return [split.test.tolist() for split in task.splits]

    assert tested(3) == tested(3) != tested(0)


def test_links_without_a_kind_of_split_take_a_seed(tmp_path: Path) -> None:
    told = {
        load_task(str(write(tmp_path, SEEDED["links"] | {"task.yaml": "edges: {file: knows.csv}\n" + more}))).fingerprint
        for more in ("", "split: {seed: 3}\n")
    }
    assert len(told) == 2


def masked(folder: Path, split: str) -> Path:
    path = write(folder, {"task.yaml": f"source: graph.npz\n{split}"})
    np.savez(folder / "graph.npz", **arrays())
    return path


def test_a_seed_alone_does_not_replace_the_masks_of_a_source(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        load_task(str(masked(tmp_path, "split: {seed: 3}\n")))
    assert str(caught.value) == (
        "task.yaml: split: seed has nothing to draw, for the source has its own split; leave seed out to keep that, or give split:"
        " {kind: random, seed: 3} for random splits in its place"
    )


@pytest.mark.parametrize(
    ("said", "asked", "splits"),
    [("", None, 1), ("split: {kind: given}\n", None, 1), ("split: {kind: random, seed: 3}\n", None, 10),
     ("split: {seed: 3}\n", "random", 10), ("split: {seed: 3}\n", "folds:4", 4), ("split: {count: 2, seed: 3}\n", None, 2)],
)  # fmt: skip
def test_masks_are_kept_unless_other_splits_are_asked_for(said: str, asked: str | None, splits: int, tmp_path: Path) -> None:
    task = load_task(str(masked(tmp_path, said)), split=asked)
    kept = np.array_equal(task.split(0).test, np.flatnonzero(arrays()["test_mask"]))
    assert (task.num_splits, kept) == (splits, splits == 1)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (TASK + "split: {negatives: 2}\n", "split negatives does not fit kind node; allowed: random, folds, column, time"),
        (TASK + "split: {kind: links}\n", "split kind links does not fit kind node; allowed: random, folds, column, time"),
        ("edges: {file: knows.csv}\nsplit: {kind: folds}\n", "split kind folds does not fit kind link; allowed: links"),
        (TASK + "split: {column: part, seed: 2}\n", "kind column takes no seed"),
    ],
)
def test_splits_that_do_not_fit_what_is_predicted_are_refused_where_that_follows_from_the_label(
    text: str, line: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=line):
        load_task(str(write(tmp_path, people() | {"task.yaml": text})))


def test_a_metric_that_a_part_cannot_be_scored_by_is_refused(tmp_path: Path) -> None:
    table = pd.read_csv(write(tmp_path, people()).parent / "people.csv")
    table = table[(table.part != "val") | (table.club == "a")]
    table.to_csv(tmp_path / "people.csv", index=False)
    known = set(table.id)
    edges = pd.read_csv(tmp_path / "knows.csv")
    edges[edges["from"].isin(known) & edges.to.isin(known)].to_csv(tmp_path / "knows.csv", index=False)
    (tmp_path / "task.yaml").write_text(TASK + "metric: roc_auc\nsplit: {column: part}\n")
    with pytest.raises(DataError, match="val of split 1 cannot be scored: roc_auc needs two classes, both present"):
        load_task(str(tmp_path / "task.yaml"))
