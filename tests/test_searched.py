"""What a run searches and begins from: files become settings, a design of your own is trial one, a run repeats from what it holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import agentnas
from agentnas.config import Config, resolve
from agentnas.report import command_of
from agentnas.searched import file_names, searched, settled
from agentnas.tools.anchors import Anchor, plain_anchors, strong_anchors
from agentnas.tools.errors import AgentNASError, ConfigError, SpecError, UsageError
from agentnas.tools.metrics import metric
from agentnas.tools.spec.bounded import BoundedSpace
from agentnas.tools.spec.canonical import spec_hash
from agentnas.tools.spec.model import parse_spec
from agentnas.tools.tasks import Task, load_task
from agentnas.tools.tasks.base import GraphData, Split
from tests import quick

GAT = {"id": "enc", "op": "gat", "width": 16, "params": {"heads": 2}, "activation": "elu"}
START = {"body": {"nodes": [GAT], "outputs": ["enc"]}, "recipe": {"epochs": 15, "patience": 15}}
SPACE = (
    "name: mine\noperators: [gat, gcn, mlp]\nmax_nodes: 4\nmax_depth: 4\nvalues:\n  recipe.epochs: 15\nlock:\n  recipe.optimiser: adam\n"
)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "gat.json").write_text(json.dumps(START))
    (tmp_path / "mine.yaml").write_text(SPACE)
    return tmp_path


def config(**settings: Any) -> Config:
    return resolve(settings, environment={}, folder=Path("/nowhere")).config


def test_files_become_settings(files: Path) -> None:
    read = settled(config(space=str(files / "mine.yaml"), start=(str(files / "gat.json"),)))
    (files / "mine.yaml").unlink()
    assert read.space == {
        "name": "mine", "operators": ["gat", "gcn", "mlp"], "max_nodes": 4, "max_depth": 4, "values": {"recipe.epochs": 15},
        "lock": {"recipe.optimiser": "adam"},
    }  # fmt: skip
    assert [start["name"] for start in read.start if isinstance(start, dict)] == ["start"]
    assert settled(Config.model_validate(json.loads(read.model_dump_json()))) == read
    assert list(file_names(read.model_dump(mode="json"))) == ["space.yaml", "start.json"]


def test_several_starts_have_names_of_their_own(files: Path) -> None:
    (files / "other").mkdir()
    for name in ("gat.json", "mlp.json", "other/gat.json"):
        (files / name).write_text(json.dumps(START))
    read = settled(config(start=[str(files / name) for name in ("gat.json", "mlp.json", "other/gat.json")]))
    assert [start["name"] for start in read.start if isinstance(start, dict)] == ["start gat 1", "start mlp", "start gat 3"]


@pytest.mark.parametrize(("text", "told"), [
    ("operator: [gat]\n", "mine.yaml:1:1: the space: unknown key 'operator'; did you mean operators?"),
    ("name: a\noperators: [gatt]\n", "mine.yaml:2:1: space a: operators: unknown operator 'gatt'; did you mean gat"),
    ("values:\n  recipe.epochs: []\n", "values: recipe.epochs has none; give at least one"),
    ("", "the file is empty"),
    ("- gat\n", "the space is a list; allowed: keys and values"),
    ("operators: !!python/name:os.system [gat]\n", "is not allowed"),
])  # fmt: skip
def test_a_wrong_file_is_told_with_its_place(files: Path, text: str, told: str) -> None:
    (files / "mine.yaml").write_text(text)
    with pytest.raises(UsageError) as caught:
        settled(config(space=str(files / "mine.yaml")))
    assert told in str(caught.value)
    assert str(caught.value).startswith(str(files))
    assert "\n" not in str(caught.value)


def test_a_file_of_a_start_that_is_none_is_told(files: Path) -> None:
    (files / "gat.json").write_text('{"body": {"nodes": [{"id": "a", "op": "gatt"}]}}')
    with pytest.raises(SpecError, match=r"gat.json: body.nodes.a.op: unknown operator 'gatt'"):
        settled(config(start=(str(files / "gat.json"),)))
    with pytest.raises(UsageError, match=r"none.json: cannot be read"):
        settled(config(start=(str(files / "none.json"),)))


def test_settings_of_files_begin_at_the_files_folder(files: Path) -> None:
    (files / "agentnas.toml").write_text('space = "mine.yaml"\nstart = ["gat.json"]\nlock = "recipe.momentum=0.5, input"\n')
    read = resolve({}, environment={}, folder=files).config
    assert read.space == str(files / "mine.yaml")
    assert read.start == (str(files / "gat.json"),)
    assert read.lock == ("recipe.momentum=0.5", "input")
    (files / "agentnas.toml").write_text('space = "attention"\n')
    assert resolve({}, environment={}, folder=files).config.space == "attention"
    (files / "agentnas.toml").write_text("""space = '{"name": "4/8 heads", "operators": ["gat"]}'\n""")
    assert resolve({}, environment={}, folder=files).config.space == {"name": "4/8 heads", "operators": ["gat"]}


def test_bounds_may_be_written_in_place() -> None:
    assert config(space='{"operators": ["gat"]}').space == {"operators": ["gat"]}
    with pytest.raises(UsageError, match=r"--space is .*no JSON"):
        config(space='{"operators": ')


def test_what_is_tried_first(files: Path) -> None:
    task = load_task("digits")
    found = searched(config(start=(str(files / "gat.json"),), lock=("body.enc",)), task, ())
    assert [(anchor.name, anchor.kind, anchor.reference) for anchor in found.first] == [("start", "start", False)]
    assert found.space.contains(found.first[0].spec) is None, "a start brings its own values along"
    assert found.as_dict()["space"]["lock"]["body.enc"]["op"] == "gat"


@pytest.mark.parametrize(("kind", "x", "scales"), [
    ("graph", np.eye(4, 3), ("none", "standard")),
    ("graph", 2 * np.eye(4, 3), ("none", "row", "standard")),
    ("node", np.eye(4, 3), ("none", "standard")),
])  # fmt: skip
def test_scaling_of_rows_is_not_searched_where_it_changes_nothing(kind: str, x: np.ndarray, scales: tuple[str, ...]) -> None:
    graphs: dict[str, Any] = {"graph_of": np.array([0, 0, 1, 1])} if kind == "graph" else {}
    y = np.arange(4 if kind == "node" else 2) % 2
    data = GraphData(x.astype(np.float32), np.array([[0, 1], [1, 0]]), y, 2, **graphs)
    first, second = np.array([0]), np.array([1])
    task = Task("own", metric("accuracy"), "", 1, "", "random", data, (Split(first, second, second),))
    space = searched(config(), task, ()).space
    assert isinstance(space, BoundedSpace)
    assert space.values_of("input.scale") == scales


@pytest.mark.parametrize(("settings", "told"), [
    ({"space": "atention"}, "unknown space 'atention'; did you mean attention?"),
    ({"lock": ("body.enc",)}, "give --start SPEC too"),
    ({"space": "nasbench", "lock": ("recipe",)}, "cells have no parts to lock"),
    ({"goal": "only attention"}, "--goal: only a planner's language model reads words; give --llm MODEL"),
    ({"task": "nasbench:cora", "space": "small"}, "--space: nasbench:cora is a table of cells"),
    ({"task": "nasbench:cora", "lock": ("recipe.epochs=3",)}, "--lock: nasbench:cora is a table of cells"),
])  # fmt: skip
def test_what_does_not_fit_ends_before_anything_is_written(tmp_path: Path, settings: dict[str, Any], told: str) -> None:
    with pytest.raises(AgentNASError) as caught:
        agentnas.design(**{"task": "digits", "runs_dir": tmp_path, **settings})
    assert told in str(caught.value)
    assert isinstance(caught.value, (UsageError, ConfigError))
    assert not list(tmp_path.iterdir())


def test_a_start_of_another_kind_is_adapted_where_that_is_asked(files: Path) -> None:
    graphs = json.dumps({**START, "head": {"kind": "graph"}})
    (files / "graphs.json").write_text(graphs)
    task = load_task("digits")
    with pytest.raises(UsageError, match="predicts for each graph, digits for each node; give --adapt-start"):
        searched(config(start=(str(files / "graphs.json"),)), task, ())
    found = searched(config(start=(str(files / "graphs.json"),), adapt_start=True), task, ())
    assert found.first[0].spec.head.kind == "node"


def test_a_run_keeps_what_is_locked_and_tells_what_it_searched(
    files: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick.shorten(monkeypatch)
    runs_dir = tmp_path_factory.mktemp("runs")
    asked: dict[str, Any] = {**quick.LIVE, "trials": 8, "space": str(files / "mine.yaml"), "start": (str(files / "gat.json"),)}
    run = agentnas.design(**asked, lock=("body.enc",), runs_dir=runs_dir, memory_dir="none", without_anchor=("dagnn",))
    view = run.view
    assert view.started is not None
    proposals = list(view.proposals.values())
    first = proposals[0]
    assert (first.trial, first.name, first.anchor, first.spec_hash) == ("t0001", "start", "start", spec_hash(parse_spec(START)))
    assert {proposal.name for proposal in proposals if proposal.reference} == {"gcn", "mlp"}
    searched_ = [parse_spec(proposal.spec) for proposal in proposals if not proposal.reference]
    assert len(searched_) > 3
    assert all(any(node.op == "gat" and node.width == 16 and "input" in node.inputs for node in spec.body.nodes) for spec in searched_)
    assert all(spec.recipe.optimiser == "adam" for spec in searched_)
    assert run.winner is not None
    assert not view.proposals[run.winner].reference
    assert view.test is not None
    assert "start" in view.test.comparison

    report = run.report()
    assert "- space: mine, 10^" in report
    assert "- locked: recipe.optimiser adam, body.enc (gat)" in report
    assert "outside the space, to compare with and not to choose: mlp, gcn" in report
    assert "your own start" in report
    assert "--space space.yaml --lock body.enc --start start.json" in report
    again = settled(config(space=str(run.path / "space.yaml"), start=(str(run.path / "start.json"),), lock=("body.enc",)))
    assert (again.space, again.start) == (view.started.config["space"], tuple(view.started.config["start"]))

    resumed: dict[str, Any] = {"resume": run.name, "runs_dir": runs_dir, "memory_dir": "none"}
    assert agentnas.design(**resumed, space=str(files / "mine.yaml")).winner == run.winner
    with pytest.raises(UsageError, match=r"--space says something else than run .* has"):
        agentnas.design(**resumed, space="attention")
    with pytest.raises(UsageError, match="--lock is"):
        agentnas.design(**resumed, lock=("body.enc", "input"))


def test_the_command_again_names_what_was_asked_for() -> None:
    held = config(task="digits", space="attention", lock=("recipe.epochs=50",), trials=5, time="none").model_dump(mode="json")
    assert command_of(held) == "agentnas design --task digits --trials 5 --seed 0 --space attention --lock recipe.epochs=50"


def test_a_space_that_ships_takes_in_anchors_that_differ_by_numbers_alone(files: Path) -> None:
    task = load_task("digits")
    for asked, inside in (("small", {"gcn", "mlp"}), (str(files / "mine.yaml"), set[str]())):
        chosen = Config(space=asked)
        found = searched(chosen, task, anchors_of("gcn", "mlp", "gcnii"))
        assert {anchor.name for anchor in found.first if not anchor.reference} == inside


def anchors_of(*names: str) -> tuple[Anchor, ...]:
    return tuple(anchor for anchor in (*plain_anchors(), *strong_anchors()) if anchor.name in names)
