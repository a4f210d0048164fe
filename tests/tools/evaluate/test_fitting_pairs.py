"""Memory of trainings on pairs: what is foreseen grows with what a step scores, and batches are made smaller where that helps."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agentnas.tools.evaluate.fitting import Room
from agentnas.tools.spec.model import ArchitectureSpec, parse_spec
from agentnas.tools.tasks import Task
from agentnas.tools.train.resident import Resident, Scale, resident
from tests.tools.train.test_pairs import blocks

LARGE = Scale(
    100_000, 4_000_000, 64, 1, labelled=3_400_000, num_splits=10, pairs=3_400_000, validated=200_000, items=42_000_000, looked_at=60.0
)


def spec(decoder: str = "mlp", structure: str = "none", **recipe: object) -> ArchitectureSpec:
    node = {"id": "a", "op": "gcn", "width": 64}
    head = {"kind": "link", "decoder": decoder, "pair_features": structure}
    return parse_spec({"body": {"nodes": [node], "outputs": ["a"]}, "head": head, "recipe": recipe})


def small(size: int, structure: str = "none") -> ArchitectureSpec:
    return spec(structure=structure, batching="minibatch", batch_size=size)


def room(task: Task, mib: float) -> Room:
    found = Room(mib, "are available", task)
    found.__dict__.update(scale=LARGE, certain=False)
    return found


@pytest.fixture(scope="module")
def task() -> Task:
    return blocks()


def test_a_small_task_is_not_weighed(task: Task) -> None:
    assert Room(8192.0, "are available", task).certain
    assert not Room(512.0, "are available", task).certain


def test_scales_know_pairs(task: Task) -> None:
    scale = Scale.of(task)
    data = task.data
    assert data is not None
    assert (scale.pairs, scale.validated, scale.items) == (len(task.split(0).train), len(task.split(0).val), data.num_items)
    assert 1 < scale.looked_at < data.num_edges / data.num_nodes + 5


def test_a_step_grows_with_its_pairs_and_a_pass_does_not() -> None:
    steps = [resident(small(size), LARGE).step for size in (256, 4096, 65536)]
    assert steps[0] <= steps[1] < steps[2], "a step takes what it holds at its highest, which few pairs may not move"
    many = replace(LARGE, validated=4_000_000)
    assert resident(small(256), many).inference == resident(small(256), replace(LARGE, validated=70_000)).inference
    heads = [resident(spec(decoder), LARGE) for decoder in ("mlp", "common_neighbour")]
    assert heads[0].step < heads[1].step
    beside = resident(small(256, "structure"), LARGE)
    assert steps[0] + 64 < beside.step < steps[0] + 300, "walks are counted for few pairs at a time"


def test_what_does_not_fit_at_once_learns_in_minibatches_and_says_so(task: Task) -> None:
    whole, part = (resident(design, LARGE).total for design in (spec("common_neighbour"), small(4096)))
    fitted, why = room(task, (whole + part) / 2).fitted(spec("common_neighbour"))
    assert (fitted.recipe.batching, fitted.recipe.batch_size) == ("minibatch", 4096)
    assert why is not None
    assert why.startswith("batching full -> minibatches of 4096: on the whole graph it needs ")
    tight = room(task, 1000.0)
    assert tight.fitted(spec()) == (spec(), None)
    refusal = tight.refusal(spec())
    assert refusal is not None
    assert "\n" not in refusal


def test_what_is_foreseen_is_not_less_than_a_training_on_photo_took() -> None:
    """Measured as the largest resident size of a process: 726 MiB in steps of 4,096 edges, 969 MiB with half of all edges at once."""
    photo = Scale(7650, 238_162, 745, 1, labelled=202_438, num_splits=10, pairs=202_438, validated=11_908, items=1_309_891, looked_at=27.5)
    nodes = [{"id": "a", "op": "gcn", "width": 128, "dropout": 0.3, "activation": "relu"}, {"id": "b", "op": "gcn", "inputs": ["a"]}]
    base = {"input": {"encoder": "linear"}, "body": {"nodes": nodes, "outputs": ["b"]}}
    head = {"kind": "link", "decoder": "common_neighbour"}

    def needs(**recipe: object) -> Resident:
        return resident(parse_spec({**base, "head": head, "recipe": recipe}), photo)

    assert 726 < needs(batching="minibatch", batch_size=4096).total < 2 * 726
    assert 969 < needs(batching="full").total < 3.5 * 969
