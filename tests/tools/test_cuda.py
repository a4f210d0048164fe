"""The engine on a CUDA device; skipped where there is none. ``pytest -k cuda`` runs these and those of the same name elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from agentnas.tools.nn.network import build_network
from agentnas.tools.nn.pairs import pair_structure
from agentnas.tools.operators.base import operators
from agentnas.tools.spec.model import ArchitectureSpec, parse_spec
from agentnas.tools.tasks.base import Task
from agentnas.tools.train.data import PreparedTask
from agentnas.tools.train.outcome import Diverged
from agentnas.tools.train.trainer import Session, seeded, train
from agentnas.tools.workers import Job, TaskRef, WorkerPool
from tests.tools import candidates
from tests.tools.nn.making import FEATURES, NODES, features, graph, scores_and_gradients, sparse
from tests.tools.nn.test_pairs import EVERY, both_ways, looked_up
from tests.tools.train.conftest import make_task

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
CUDA = "cuda:0"


@pytest.fixture(scope="module")
def task() -> Task:
    return make_task()


@pytest.fixture(scope="module")
def prepared(task: Task) -> PreparedTask:
    return PreparedTask.from_task(task, CUDA)


def spec(op: str = "gcn", post: str = "none", **recipe: Any) -> ArchitectureSpec:
    width = {"width": 8} if operators()[op].has_width else {}
    nodes = [{"id": "a", "op": op, **width, "activation": "relu", "dropout": 0.2}, {"id": "b", "op": op, "inputs": ["a"]}]
    settings = {"epochs": 40, "patience": 0, "learning_rate": 0.02, **recipe}
    return parse_spec({"body": {"nodes": nodes, "outputs": ["b"]}, "recipe": settings, "post": {"kind": post}})


@pytest.mark.parametrize("op", list(operators()))
def test_operators_equal_those_of_the_cpu(op: str) -> None:
    torch.manual_seed(0)
    net, g = build_network(spec(op), in_channels=FEATURES, out_channels=3).eval(), graph(undirected=True)
    keep = torch.rand(g.num_edges) > 0.3
    there = g.to(CUDA)

    wanted = [scores_and_gradients(net, x, on) for x in (features(), sparse(features())) for on in (g, g._select(keep))]
    net.to(CUDA)
    found = [
        scores_and_gradients(net, x.to(CUDA), on) for x in (features(), sparse(features())) for on in (there, there._mask(keep.to(CUDA)))
    ]
    for ours, theirs in zip(found, wanted, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            assert float((a.cpu() - b).norm() / b.norm().clamp(min=1e-9)) < 1e-4


@pytest.mark.parametrize("always", [True, False])
def test_edges_around_a_pair_say_what_they_say_on_the_cpu(always: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_up(monkeypatch, always)
    g = graph(undirected=True)
    out = both_ways(g, torch.rand(NODES * NODES, generator=torch.Generator().manual_seed(0)) < 0.3)
    found = pair_structure(g.to(CUDA)._mask(~out.to(CUDA)), EVERY.to(CUDA))
    torch.testing.assert_close(found.cpu(), pair_structure(g._select(~out), EVERY))


@pytest.mark.parametrize("op", list(operators()))
def test_every_operator_is_recorded(prepared: PreparedTask, op: str) -> None:
    assert train(spec(op, drop_edge=0.2), prepared, split=0, seed=0).details["steps"] == "CUDA graph"


RECIPES: list[dict[str, Any]] = [
    {"consistency_samples": 2, "drop_node": 0.2, "feature_dropout": 0.2},
    {"schedule": "plateau"},
    {"schedule": "cosine", "warmup": 3},
    {"optimiser": "sgd", "momentum": 0.9, "learning_rate": 0.2},
    {"optimiser": "rmsprop"},
    {"optimiser": "adamw", "gradient_clip": 0.5},
    {"ema_decay": 0.9},
    {"post": "correct_and_smooth"},
    {"post": "label_propagation"},
    {"self_training_rounds": 1},
]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: "-".join(map(str, recipe.values())))
def test_every_recipe_is_recorded_and_learns(prepared: PreparedTask, recipe: dict[str, Any]) -> None:
    result = train(spec(**recipe), prepared, split=0, seed=0)
    assert result.details["steps"] == "CUDA graph"
    assert result.val > 50  # chance: 33


@pytest.mark.parametrize("batching", ["neighbour", "cluster"])
def test_sampled_batches_learn_without_being_recorded(prepared: PreparedTask, batching: str) -> None:
    result = train(spec(batching=batching, clusters=4, batch_size=6), prepared, split=0, seed=0)
    assert result.details["steps"] == "eager"
    assert result.val > 50


def test_recorded_steps_are_the_eager_ones(prepared: PreparedTask) -> None:
    """Without random draws both do the same arithmetic, up to the order of sums."""
    nodes = [{"id": "a", "op": "gcn", "width": 8, "activation": "tanh"}, {"id": "b", "op": "gcn", "inputs": ["a"], "width": "out"}]
    still = parse_spec({"body": {"nodes": nodes, "outputs": ["b"]}, "head": {"decoder": "none"}, "recipe": {"epochs": 40, "patience": 0}})
    recorded, eager = (train(still, prepared, split=0, seed=0, capture=capture) for capture in (True, False))
    assert (recorded.details["steps"], eager.details["steps"]) == ("CUDA graph", "eager")
    for (_, ours, _), (_, theirs, _) in zip(recorded.curve, eager.curve, strict=True):
        assert ours == pytest.approx(theirs, abs=2e-3)


def test_replays_draw_anew(prepared: PreparedTask) -> None:
    """A replayed dropout that drew the same mask each time would be no dropout."""
    still = spec(learning_rate=1e-9, weight_decay=0.0)
    result = train(still, prepared, split=0, seed=0)
    assert result.details["steps"] == "CUDA graph"
    assert len({loss for _, loss, _ in result.curve}) > 30


def test_patience_and_epochs_are_exact(prepared: PreparedTask) -> None:
    result = train(spec(epochs=400, learning_rate=0.1, patience=5), prepared, split=0, seed=0)
    last = [epoch for epoch, _, _ in result.curve][-1]
    assert result.epochs == last < 400


def test_divergence_is_seen(prepared: PreparedTask) -> None:
    with pytest.raises(Diverged, match="in epoch"):
        train(spec(optimiser="sgd", learning_rate=10.0, weight_decay=1.0, epochs=90), prepared, split=0, seed=0)


def test_the_first_weights_are_those_of_the_cpu(task: Task, prepared: PreparedTask) -> None:
    states = []
    for there in (prepared, PreparedTask.from_task(task)):
        with seeded(3, there.device):
            states.append(Session(spec(), there, 0, 1).network.state_dict())
    assert all(torch.equal(states[0][name].cpu(), states[1][name]) for name in states[0])


def test_the_random_state_is_left_as_it_was(prepared: PreparedTask) -> None:
    before = torch.cuda.get_rng_state(0), torch.get_rng_state()
    train(spec(), prepared, split=0, seed=0)
    assert torch.equal(torch.cuda.get_rng_state(0), before[0])
    assert torch.equal(torch.get_rng_state(), before[1])


@pytest.fixture
def glutton(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Asks for 4 TiB."""
    candidates.write_operators(tmp_path)
    monkeypatch.setenv("AGENTNAS_OPERATORS", str(tmp_path))
    return candidates.spec("glutton")


def test_workers_share_a_device_and_one_without_room_fails_alone(glutton: dict[str, Any]) -> None:
    good = spec().model_dump(mode="json")
    jobs = [Job("a", good, time_limit_s=60), Job("bad", glutton, time_limit_s=60), *(Job(name, good, time_limit_s=60) for name in "bcd")]
    with WorkerPool(TaskRef("digits"), 2, CUDA) as pool:
        done = {result.id: result for result in pool.run(jobs)}
    assert (done["bad"].state, done["bad"].kind) == ("failed", "memory")
    assert {done[name].state for name in "abcd"} == {"done"}
    assert done["a"].details["device_memory_mib"] > 0
