"""What is trained as it is, what on sampled batches, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from agentnas.sizing import SHARE, crew
from agentnas.tools.anchors import large_anchors
from agentnas.tools.errors import UsageError
from agentnas.tools.evaluate.fitting import Room
from agentnas.tools.spec.model import ArchitectureSpec, Recipe, parse_spec
from agentnas.tools.tasks import Task, load_task
from agentnas.tools.train.resident import Resident, Scale, resident
from agentnas.tools.workers import Job, TaskRef, WorkerPool

MILLION = Scale(1_000_000, 10_000_000, 64, 10, labelled=200, num_splits=10)


def spec(op: str = "gcn", width: int = 64, layers: int = 2, **recipe: Any) -> ArchitectureSpec:
    names = [f"n{i}" for i in range(layers)]
    nodes = [{"id": name, "op": op, "width": width, "inputs": [names[i - 1] if i else "input"]} for i, name in enumerate(names)]
    return parse_spec({"body": {"nodes": nodes, "outputs": [names[-1]]}, "recipe": recipe})


@pytest.fixture(scope="module")
def task() -> Task:
    return load_task("powerlaw:2000")


def room(task: Task, mib: float, scale: Scale = MILLION) -> Room:
    found = Room(mib, "are available", task)
    found.__dict__.update(scale=scale, certain=False)
    return found


def test_what_fits_stays_as_it_is(task: Task) -> None:
    large = room(task, 1e6)
    assert large.fitted(spec()) == (spec(), None)
    assert large.refusal(spec()) is None


def test_what_does_not_fit_whole_is_sampled_and_says_so(task: Task) -> None:
    design = spec("gat", 64)
    whole = resident(design, MILLION).total
    small = room(task, whole / 2)
    sampled, why = small.fitted(design)
    assert sampled.recipe.batching == "neighbour"
    assert sampled == design.model_copy(update={"recipe": design.recipe.model_copy(update={"batching": "neighbour"})})
    assert why is not None
    assert why.startswith(f"batching full -> neighbour: on the whole graph it needs {whole / 1024:.1f} GiB, ")
    assert small.refusal(sampled) is None
    assert small.fitted(sampled) == (sampled, why)


def test_what_needs_no_neighbours_is_trained_on_rows(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    body = {"nodes": [{"id": "a", "op": "sgc"}, {"id": "b", "op": "mlp", "width": 256, "inputs": ["a"]}], "outputs": ["b"]}
    design = parse_spec({"body": body, "recipe": {"epochs": 7}})
    whole = resident(design, MILLION).total
    rows, why = room(task, whole - 100).fitted(design)
    assert (rows.recipe.batching, rows.recipe.batch_size) == ("precomputed", len(task.split(0).train))
    assert why is not None
    assert why.startswith(f"batching full -> precomputed: on the whole graph it needs {whole / 1024:.1f} GiB, ")
    assert resident(rows, MILLION).total < whole - 100
    assert room(task, 1e6).fitted(design) == (design, None)
    monkeypatch.setattr("agentnas.tools.evaluate.fitting.LARGE_GRAPH", 3_000)
    large = room(task, 1e6)
    told = "batching full -> precomputed: its propagation has no weights and is computed once, so that a step needs labelled rows alone"
    assert large.fitted(design) == (rows, told)
    assert large.fitted(rows) == (rows, told)
    mlp = parse_spec({"body": {"nodes": [{"id": "b", "op": "mlp", "width": 8}], "outputs": ["b"]}})
    assert large.fitted(mlp)[1] == "batching full -> precomputed: it asks for no neighbours, so that a step needs labelled rows alone"
    assert large.fitted(spec("gcn")) == (spec("gcn"), None)


def test_rows_are_taken_some_at_a_time_where_all_labelled_ones_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentnas.tools.evaluate.fitting.LARGE_GRAPH", 3_000)
    monkeypatch.setattr("agentnas.tools.evaluate.fitting.ROWS", 50)
    labelled = load_task("powerlaw:2000,features=256", split="random:150/10")
    (sign,) = (anchor.spec for anchor in large_anchors() if anchor.name == "sign")
    design, scale = sign.model_copy(update={"recipe": Recipe()}), Scale.of(labelled)
    rows, _ = room(labelled, 1e6, scale).fitted(design)
    all_rows, whole = resident(rows, scale).total, resident(design, scale).total
    assert rows.recipe.batch_size == scale.labelled
    assert whole < all_rows
    assert room(labelled, (whole + all_rows) / 2, scale).fitted(design) == (design, None)
    some, why = room(labelled, whole - 1, scale).fitted(design)
    assert (some.recipe.batching, some.recipe.batch_size) == ("precomputed", 50)
    assert why is not None
    assert why.startswith("batching full -> precomputed: on the whole graph it needs")


def test_rows_of_later_rounds_go_into_the_same_step(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentnas.tools.evaluate.fitting.LARGE_GRAPH", 3_000)
    rows, _ = room(task, 1e6).fitted(spec("mlp", self_training_rounds=2, self_training_per_class=7))
    assert task.data is not None
    assert rows.recipe.batch_size == len(task.split(0).train) + 7 * task.data.num_classes


def test_deep_designs_are_cut_into_clusters(task: Task) -> None:
    design = spec("gat", 64, layers=4)
    sampled, why = room(task, resident(design, MILLION).total / 2, replace(MILLION, labelled=100_000)).fitted(design)
    assert sampled.recipe.batching == "cluster"
    assert why is not None
    assert f"cluster ({sampled.recipe.clusters} parts)" in why


def test_what_no_batching_makes_fit_is_refused(task: Task) -> None:
    small = room(task, 1000.0)
    assert small.fitted(spec("gat", 512)) == (spec("gat", 512), None)
    refusal = small.refusal(spec("gat", 512))
    assert refusal is not None
    assert "of memory, 1000 MiB are available: 440 MiB for the process, " in refusal
    assert "\n" not in refusal


def test_batching_that_a_proposal_asks_for_is_left_to_it(task: Task) -> None:
    clustered = spec("gat", 64, batching="cluster", clusters=2)
    assert room(task, 1000.0).fitted(clustered) == (clustered, None)


def test_a_small_task_is_not_weighed() -> None:
    small = Room(8192.0, "are available", load_task("digits"))
    assert small.certain
    assert small.needs(spec()) is None


def test_total_is_what_is_held_together() -> None:
    assert Resident(400, 50, 30, 1, 20, 10, 5).total == 480
    assert Resident(400, 50, 300, 1, 20, 10).total == 750


@pytest.mark.parametrize("axis", ["num_nodes", "num_edges", "in_channels"])
def test_predictions_grow_with_the_task(axis: str) -> None:
    assert resident(spec(), replace(MILLION, **{axis: 2 * getattr(MILLION, axis)})).total > resident(spec(), MILLION).total + 100


@pytest.mark.parametrize(("op", "less"), [("gcn", True), ("gat", True), ("gcnii", False)])
def test_passes_layer_by_layer_take_less_where_operators_allow_it(op: str, less: bool) -> None:
    body = {"nodes": [{"id": "a", "op": op}, {"id": "b", "op": op, "inputs": ["a"]}], "outputs": ["b"]}
    whole = parse_spec({"input": {"encoder": "linear", "width": 64}, "body": body})
    parts = whole.model_copy(update={"recipe": whole.recipe.model_copy(update={"batching": "neighbour"})})
    assert (resident(parts, MILLION).inference < 0.9 * resident(whole, MILLION).inference) == less
    small = replace(MILLION, num_nodes=20_000, num_edges=200_000)
    assert resident(parts, small).inference == resident(whole, small).inference


def test_as_many_workers_as_there_is_room_for() -> None:
    task = load_task("powerlaw:20000")
    needs = Room(1.0, "", task).needs
    usual = crew(task, 4, 8192.0, available=1e6)
    assert (usual.workers, usual.note) == (4, None)
    wanted = needs(spec("gcn"))
    assert wanted is not None
    tight = crew(task, 4, 8192.0, available=2.2 * wanted.total / SHARE)
    assert tight.workers == 2
    assert tight.note is not None
    assert tight.note.startswith("2 workers instead of 4: on powerlaw:2e4")
    assert tight.note.endswith("are available to each of 2 workers")


def test_a_task_without_room_for_one_worker_is_refused() -> None:
    with pytest.raises(UsageError, match=r"task powerlaw:2\S+ does not fit: .* 285 MiB are available: .*; choose a smaller task") as caught:
        crew(load_task("powerlaw:20000"), 2, 8192.0, available=300.0)
    assert "\n" not in str(caught.value)


def test_a_worker_stays_below_its_prediction() -> None:
    name = "powerlaw:20000"
    found = Room(1.0, "", load_task(name))
    designs = {op: spec(op, 32, epochs=2) for op in ("gcn", "gat")}
    with WorkerPool(TaskRef(name), 1) as pool:
        for result in pool.run([Job(op, design.model_dump(mode="json")) for op, design in designs.items()]):
            assert result.state == "done", result.reason
            needs = found.needs(designs[result.id])
            assert needs is not None
            assert result.peak_memory_mib is not None
            assert 0.2 * needs.total < result.peak_memory_mib < needs.total
