"""check_task on graphs, pairs, values and several labels; leaks through features; advice for every finding."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

import agentnas.tools.tasks.checks as checks
from agentnas.tools.metrics import metric
from agentnas.tools.tasks import GraphData, Split, Task, check_task
from agentnas.tools.tasks.base import sorted_edges
from agentnas.tools.tasks.checks.advice import ADVICE
from agentnas.tools.tasks.checks.sameness import ceiling, graph_colours, node_colours, row_codes
from agentnas.tools.tasks.folds import folds
from agentnas.tools.tasks.pairs import link_task

N = 400
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, 5)).astype(np.float32)
Y = RNG.integers(3, size=N)
THIRDS = Split(np.arange(150), np.arange(150, 275), np.arange(275, N))

MIXED = Split(np.arange(0, N, 2), np.arange(1, N, 4), np.arange(3, N, 4))


def ring(n: int, start: int = 0) -> np.ndarray:
    nodes = np.arange(n)
    return start + sorted_edges(np.stack([nodes, (nodes + 1) % n]), n, undirected=True)


def nodes(name: str = "accuracy", split: Split = THIRDS, **changes: object) -> Task:
    data = dataclasses.replace(GraphData(X, ring(N), Y, 3), **changes)  # type: ignore[arg-type]
    return Task("mine", metric(name), "one split", 1, data.fingerprint(), "own", data, (split,))


def graphs(sizes: list[int], y: np.ndarray, split: Split | None = None, **changes: object) -> Task:
    """Rings of these sizes, each node with a number of its own."""
    starts = np.cumsum([0, *sizes[:-1]])
    edges = np.concatenate([ring(size, start) for size, start in zip(sizes, starts, strict=True)], axis=1)
    x = np.random.default_rng(1).normal(size=(sum(sizes), 3)).astype(np.float32)
    data = GraphData(x, edges, y, int(y.max()) + 1 if y.dtype.kind == "i" else 1, graph_of=np.repeat(np.arange(len(sizes)), sizes))
    data = dataclasses.replace(data, **changes)  # type: ignore[arg-type]
    made = (split,) if split else folds(data.y, data.labelled)
    return Task("mine", metric("accuracy" if y.dtype.kind == "i" else "rmse"), "folds", len(made), data.fingerprint(), "own", data, made)


def pairs(edges: int = 600, n: int = 100, x: object = None) -> Task:
    drawn = np.random.default_rng(3).choice(n * n, edges, replace=False)
    x = np.random.default_rng(4).normal(size=(n, 4)).astype(np.float32) if x is None else x
    data = GraphData(x, sorted_edges(np.stack([drawn // n, drawn % n]), n, undirected=True, self_loops=False), np.full(n, -1), 1)
    data, splits = link_task(data, 3)
    return Task("mine", metric("roc_auc"), "links", 3, data.fingerprint(), "links", data, splits)


def codes(task: Task) -> dict[str, str]:
    return {problem.code: problem.severity for problem in check_task(task)}


def columns(*more: np.ndarray) -> np.ndarray:
    return np.column_stack([X, *more]).astype(np.float32)


SIZES = [int(size) for size in RNG.integers(4, 9, 60)]
RINGS = np.concatenate([ring(10, start) for start in range(0, N, 10)], axis=1)
OWNER = np.repeat(np.arange(60), SIZES)
LABELS = RNG.integers(2, size=60)
NOISE = RNG.normal(size=N)


def test_sound_tasks_of_every_kind_have_no_errors_or_warnings() -> None:
    value = (X[:, 0] + NOISE).astype(np.float32)
    several = RNG.integers(2, size=(N, 3)).astype(np.float32)
    assert check_task(nodes("rmse", y=value, num_classes=1)) == []
    assert check_task(nodes("roc_auc", y=several)) == []
    assert codes(graphs(SIZES, LABELS)) == {"small-folds": "note"}
    assert "error" not in codes(pairs()).values()


@pytest.mark.parametrize(
    ("task", "code", "severity"),
    [
        (nodes(x=columns(Y)), "label-in-features", "error"),
        (nodes(x=columns(10 - Y * 2)), "label-in-features", "error"),
        (nodes(x=columns(np.where(np.arange(N) < 3, (Y + 1) % 3, Y))), "too-good-feature", "warning"),
        (nodes("rmse", y=NOISE.astype(np.float32), x=columns(NOISE + 0.01 * X[:, 0]), num_classes=1), "too-good-feature", "warning"),
        (nodes("roc_auc", y=np.eye(3, dtype=np.float32)[Y], x=columns(Y)), "too-good-feature", "warning"),
        (nodes(x=columns(np.random.default_rng(9).permutation(N))), "id-as-feature", "warning"),
        (nodes(x=sp.identity(N, dtype=np.float32, format="csr")), "identity-features", "note"),
        (nodes(x=columns(NOISE * 1e8)), "feature-scales", "warning"),
        (nodes(x=np.concatenate([X[:390], X[:10]])), "same-features", "warning"),
        (nodes(x=np.concatenate([X[:390], X[:10] + 1e-6])), "duplicate-rows", "note"),
        (nodes(x=np.zeros((N, 0), np.float32)), "no-features", "warning"),
        (nodes(y=np.arange(N) % 90, num_classes=90), "many-classes", "warning"),
        (nodes("roc_auc", y=(np.arange(N) % 50 == 0).astype(np.int64), num_classes=2), "few-in-val", "warning"),
        (nodes("roc_auc", y=(np.arange(N) % 50 == 0).astype(np.int64), num_classes=2), "rare-class", "note"),
        (nodes(y=np.zeros(N, np.int64), num_classes=2), "one-class", "error"),
        (nodes(y=np.full(N, -1)), "no-labels", "error"),
        (nodes(y=Y[:-1]), "label-count", "error"),
        (nodes("roc_auc", y=2.0 * np.eye(3, dtype=np.float32)[Y]), "label-range", "error"),
        (nodes("roc_auc", y=np.eye(4, dtype=np.float32)[Y], num_classes=4), "empty-class", "warning"),
        (nodes("rmse", y=np.where(np.arange(N) == 5, 1e4, NOISE).astype(np.float32), num_classes=1), "outliers", "warning"),
        (nodes("rmse", y=(Y * 1.0).astype(np.float32), num_classes=1), "values-like-classes", "note"),
        (nodes("rmse", y=np.ones(N, np.float32), num_classes=1), "one-class", "error"),
        (nodes("rmse", y=np.where(np.arange(N) < 275, NOISE, 2).astype(np.float32), num_classes=1), "constant-test", "warning"),
        (nodes(edge_attr=np.full((2 * N, 1), np.nan, np.float32)), "edge-attributes", "error"),
        (nodes(edge_attr=np.ones((7, 1), np.float32)), "edge-attributes", "error"),
        (nodes(edge_attr=np.ones((2 * N, 1), np.float32)), "constant-edge-attributes", "note"),
        (nodes(split=MIXED, edge_index=RINGS), "train-nodes-in-test-graphs", "note"),
        (graphs([5] * 60, LABELS, x=np.ones((300, 1), np.float32)), "same-graph", "warning"),
        (graphs([5] * 60, LABELS, x=np.ones((300, 1), np.float32)), "undecided", "note"),
        (graphs(SIZES, LABELS, graph_of=np.where(OWNER == 7, 6, OWNER)), "empty-graphs", "error"),
        (graphs(SIZES, LABELS, graph_of=OWNER[::-1]), "graph-range", "error"),
        (graphs(SIZES, LABELS, edge_index=np.array([[0, 30], [30, 0]])), "crossing-edges", "error"),
        (graphs(SIZES, LABELS, edge_index=np.array([[0, 1], [1, 0]])), "graphs-without-edges", "warning"),
        (graphs([4] * 59 + [300], LABELS), "graph-sizes", "note"),
        (graphs([*SIZES[:-1], SIZES[-1]], LABELS, Split(np.arange(30), np.arange(30, 45), np.arange(45, 60))), "small-val", "warning"),
        (pairs(edges=1300, n=70), "near-complete", "warning"),
        (pairs(edges=60, n=200), "isolated-after-split", "warning"),
        (pairs(x=np.repeat(np.arange(100.0)[:, None], 2, axis=1).astype(np.float32)), "id-as-feature", "warning"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_each_problem_is_found(task: Task, code: str, severity: str) -> None:
    assert codes(task)[code] == severity


def with_pairs(task: Task, **changes: object) -> Task:
    assert task.data is not None
    return dataclasses.replace(task, data=dataclasses.replace(task.data, **changes))  # type: ignore[arg-type]


def test_a_target_in_the_messages_is_found_whichever_way_round() -> None:
    task = pairs()
    data, split = task.data, task.splits[0]
    assert data is not None
    assert data.pairs is not None
    hidden, seen = split.test[data.y[split.test] == 1][0], split.train[data.y[split.train] == 1][0]
    changed = data.pairs.copy()
    changed[:, seen] = changed[::-1, hidden]
    found = {problem.code: problem.text for problem in check_task(with_pairs(task, pairs=changed))}
    assert found["target-in-messages"].startswith("1 of 58 edges of test are edges of training too")


def test_a_negative_that_is_an_edge_is_found() -> None:
    task = pairs()
    data, split = task.data, task.splits[0]
    assert data is not None
    assert data.pairs is not None
    changed = data.pairs.copy()
    changed[:, split.val[data.y[split.val] == 0][0]] = data.edge_index[:, 0]
    assert codes(with_pairs(task, pairs=changed))["negative-is-edge"] == "error"
    assert codes(with_pairs(task, pairs=data.pairs + 100))["pair-range"] == "error"


def test_features_that_are_the_adjacency_give_the_links_away() -> None:
    task = pairs()
    data = task.data
    assert data is not None
    x = np.zeros((data.num_nodes, data.num_nodes), np.float32)
    x[tuple(data.edge_index)] = 1
    assert codes(with_pairs(task, x=x))["edges-in-features"] == "error"


def test_a_column_that_names_the_group_of_links_is_too_good() -> None:
    group = np.repeat(np.arange(20), 5)
    n = len(group)
    ends = np.array([(a, b) for a in range(n) for b in range(a) if group[a] == group[b]]).T
    edges = sorted_edges(ends, n, undirected=True)
    data, splits = link_task(GraphData(np.column_stack([group, X[:n, 0]]).astype(np.float32), edges, np.full(n, -1), 1), 2)
    found = check_task(Task("mine", metric("roc_auc"), "links", 2, data.fingerprint(), "links", data, splits))
    assert [problem.text[:28] for problem in found if problem.code == "too-good-feature"] == ["two nodes are alike in featu"]


def test_equal_rows_of_few_values_are_no_chance_and_no_finding() -> None:
    few = np.random.default_rng(5).integers(30, size=(N, 2)).astype(np.float32)
    assert "same-features" not in codes(nodes(x=few))


def test_test_labels_are_not_looked_at_for_what_gives_them_away() -> None:
    told = np.where(np.arange(N) >= 275, Y, NOISE)
    assert not {"label-in-features", "too-good-feature"} & codes(nodes(x=columns(told))).keys()


def test_columns_and_classes_are_called_by_name() -> None:
    task = nodes(
        x=columns(Y), feature_names=("a", "b", "c", "d", "e", "verdict"), class_names=("low", "mid", "high"), y=np.where(Y == 2, 1, Y)
    )
    texts = {problem.code: problem.text for problem in check_task(task)}
    assert texts["empty-class"] == "class high has no node at all"
    assert texts["too-good-feature"].startswith("'verdict' alone tells 100.0 %")


def test_colours_see_what_message_passing_sees() -> None:
    """Two triangles and a ring of six have the same colours; other features, attributes or edges give others."""
    triangles, hexagon = np.concatenate([ring(3), ring(3, 3)], axis=1), ring(6)
    x = np.ones((12, 1), np.float32)
    both = GraphData(x, np.concatenate([triangles, 6 + hexagon], axis=1), np.array([0, 1]), 2, graph_of=np.repeat([0, 1], 6))
    assert len(set(graph_colours(both, node_colours(both, row_codes(both))).tolist())) == 1
    for changed in (
        dataclasses.replace(both, x=np.arange(12.0, dtype=np.float32)[:, None]),
        dataclasses.replace(both, edge_attr=np.repeat([[1.0], [2.0]], 12, axis=0).astype(np.float32)),
        dataclasses.replace(both, edge_index=both.edge_index[:, 2:]),
    ):
        assert len(set(graph_colours(changed, node_colours(changed, row_codes(changed))).tolist())) == 2
    assert ceiling(np.array([1, 1, 1, 2], np.uint64), np.array([0, 0, 1, 1])) == 0.75


def test_colours_do_not_hang_on_the_order_of_nodes() -> None:
    order = np.random.default_rng(6).permutation(N)
    place = np.argsort(order)
    data = nodes().data
    assert data is not None
    moved = dataclasses.replace(data, x=X[order], edge_index=place[data.edge_index])
    assert np.array_equal(node_colours(moved, row_codes(moved)), node_colours(data, row_codes(data))[order])


def test_dense_and_sparse_features_have_the_same_twins() -> None:
    x = np.concatenate([X[:390], X[:10]])
    data = nodes().data
    assert data is not None
    for features in (x, sp.csr_matrix(x)):
        rows = row_codes(dataclasses.replace(data, x=features))
        assert np.array_equal(rows[390:], rows[:10])
        assert len(np.unique(rows)) == 390


def test_every_code_has_advice_and_no_advice_is_unused() -> None:
    folder = Path(checks.__file__).parent
    source = "\n".join(
        path.read_text(encoding="utf-8") for path in (*folder.glob("*.py"), folder.parent / "check.py") if path.name != "advice.py"
    )
    written = set(re.findall(r'"([a-z]+(?:-[a-z]+)+)"', source)) | {
        "leak",
        "undecided",
        "outliers",
        "imbalance",
        "unlabelled",
        "directed",
        "fingerprint",
    }
    made = {f"{stem}-{part}" for stem in ("class-absent-from", "constant") for part in ("train", "val", "test")}
    made |= {f"{stem}-{part}" for stem in ("small", "few-in") for part in ("val", "test")}
    assert ADVICE.keys() <= written | made
    assert all(means and todo for means, todo in ADVICE.values())


def advice_table() -> str:
    """All advice as the page has it; codes with one text share a row."""
    rows: dict[tuple[str, str], list[str]] = {}
    for code, told in ADVICE.items():
        rows.setdefault(told, []).append(f"`{code}`")
    lines = [f"| {', '.join(named)} | {means} | {todo} |" for (means, todo), named in rows.items()]
    return "\n".join(["| finding | what it means | what to do |", "| --- | --- | --- |", *lines])


def test_the_page_lists_all_findings() -> None:
    page = Path(__file__).resolve().parents[3] / "docs/tasks-check.md"
    assert page.read_text(encoding="utf-8").endswith(f"## All findings\n\n{advice_table()}\n")
