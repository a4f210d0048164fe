"""``agentnas tasks``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from agentnas.tools.metrics import metric
from agentnas.tools.tasks import GraphData, Split, Task, load_task, make_card, task_names
from agentnas.tools.tasks.generated import EXAMPLES as GENERATED
from agentnas.tools.tasks.powerlaw import EXAMPLES
from tests.cli.conftest import Run


def test_list_has_every_task_and_where_its_data_is(run: Run, data_dir: Path) -> None:
    rows = {row["task"]: row for row in run("tasks", "list", "--data-dir", data_dir, "--json").data}
    assert tuple(rows) == (*task_names(), *EXAMPLES, *GENERATED)
    assert rows["cora"] == {
        "task": "cora", "kind": "node", "nodes": 2708, "edges": 10556, "features": 1433, "classes": 7, "metric": "accuracy",
        "splits": ["public", "random", "geom-gcn"], "data": str(data_dir / "Planetoid/Cora/raw"),
    }  # fmt: skip
    assert rows["nasbench:cora"]["kind"] == "table"


@pytest.mark.parametrize("name", [name for name in task_names() if name.startswith("nasbench:")])
def test_list_names_the_metric_of_a_table(run: Run, name: str) -> None:
    row = next(row for row in run("tasks", "list", "--json").data if row["task"] == name)
    assert row["metric"] == load_task(name).metric.name


def test_list_says_what_is_not_here(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AGENTNAS_DATA_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    lines = {line.split()[0]: line for line in run("tasks", "list").out.splitlines()}
    assert lines["cora"].endswith("to download")
    assert lines["digits"].endswith("package scikit-learn")


def test_show_is_the_card(run: Run) -> None:
    card = make_card(load_task("digits"))
    assert run("tasks", "show", "digits") == (0, card.text().rstrip("\n") + "\ndata: package scikit-learn\n", "")
    shown = run("tasks", "show", "digits", "--json").data
    assert (shown["nodes"], shown["protocol"]) == (card.nodes, card.protocol)


def test_show_takes_a_split_from_the_settings(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTNAS_SPLIT", "random:5/10")
    assert run("tasks", "show", "digits", "--json").data["split_sizes"][:2] == [50, 100]
    assert run("tasks", "show", "digits", "--json", "--split", "random:3/4").data["split_sizes"][:2] == [30, 40]


def test_check_of_sound_data_talks_and_ends_well(run: Run) -> None:
    printed = run("tasks", "check", "digits")
    assert printed.code == 0
    assert printed.err.startswith("digits, ")
    assert printed.out == (
        "note     constant-features  3 of 64 features are the same for every node\n"
        "                            A column that never changes says nothing and costs weights.\n"
        "                            → Leave it out: ignore: [COLUMN] in the task file. Columns that stand for atoms,\n"
        "                              degrees or rare categories may stay.\n"
    )


def test_check_of_a_table(run: Run) -> None:
    assert run("tasks", "check", "nasbench:cora") == (0, "", "nasbench:cora is a table: there is no data to check\n")


def test_check_fails_where_scores_would_be_wrong(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    nodes = np.arange(6, dtype=np.int64)
    edges = np.stack([nodes, np.roll(nodes, 1)])
    data = GraphData(np.eye(6, dtype=np.float32), np.concatenate([edges, edges[::-1]], axis=1), nodes % 2, 2)
    leaking = Split(nodes[:4], nodes[3:5], nodes[4:])
    task = Task("mine", metric("accuracy"), "own split", 1, data.fingerprint(), "own", data, (leaking,))
    monkeypatch.setattr("agentnas.cli.tasks.load_task", lambda *_, **__: task)
    printed = run("tasks", "check", "mine")
    assert printed.code == 1
    assert printed.out.startswith("error    leak")
    assert "agentnas: error: mine has " in printed.err
    tally = printed.err.splitlines()[0].removeprefix("mine, own split: ").split(", ")
    for severity, told in zip(("error", "warning", "note"), tally, strict=True):
        count = sum(line.startswith(f"{severity} ") for line in printed.out.splitlines())
        assert told == f"{count or 'no'} {severity}{'' if count == 1 else 's'}"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("show", "coro"), "task 'coro' does not exist; did you mean cora"),
        (("check", "cora", "--split", "randum"), "split 'randum' does not exist for cora; did you mean random?"),
        (("show", "cora", "--data-dir", "/nonexistent"), "--data-dir /nonexistent is not a folder"),
    ],
)
def test_bad_input_is_one_line_and_2(run: Run, words: tuple[str, ...], line: str) -> None:
    printed = run("tasks", *words)
    assert (printed.code, printed.out) == (2, "")
    assert printed.err.startswith(f"agentnas: error: {line}")
    assert printed.err.count("\n") == 1


def test_show_says_where_the_data_is(run: Run, data_dir: Path) -> None:
    folder = data_dir / "WebKB/texas/raw"
    assert run("tasks", "show", "texas", "--data-dir", data_dir).out.splitlines()[-1] == f"data: {folder}"
    assert run("tasks", "show", "texas", "--json").data["data"] == str(folder)


@pytest.mark.parametrize("words", [("tasks", "show", "cora"), ("tasks", "check", "cora"), ("design", "--dry-run", "--task", "cora")])
def test_a_given_folder_without_the_data_is_not_passed_over(run: Run, data_dir: Path, tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "mine").mkdir()
    printed = run(*words, "--data-dir", "mine")
    assert (printed.code, printed.out) == (2, "")
    assert printed.err == (
        "agentnas: error: --data-dir mine lacks cora: no mine/Planetoid/Cora/raw/ind.cora.x; "
        f"{data_dir / 'Planetoid/Cora/raw'} has it: leave --data-dir out\n"
    )


def test_a_folder_from_a_file_of_settings_is_one_place_among_others(run: Run, data_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "agentnas.toml").write_text('data_dir = "mine"', encoding="utf-8")
    assert run("tasks", "show", "texas").out.splitlines()[-1] == f"data: {data_dir / 'WebKB/texas/raw'}"
