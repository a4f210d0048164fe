"""Blocks of epochs choose as epochs one at a time do; on the CPU, where both are the same arithmetic."""

from __future__ import annotations

import time
import warnings
from typing import Any

import pytest
import torch
from torch import nn

from agentnas.tools.evaluate.base import PLANNED
from agentnas.tools.spec.model import ArchitectureSpec, parse_spec
from agentnas.tools.train import pace, trainer
from agentnas.tools.train.data import PreparedTask
from agentnas.tools.train.outcome import Diverged, TimedOut, TrainResult
from agentnas.tools.train.pace import Blocks, Ring
from agentnas.tools.train.trainer import train
from tests.tools.train.conftest import make_task


def spec(post: str = "none", **recipe: Any) -> ArchitectureSpec:
    first = {"id": "a", "op": "gcn", "width": 8, "activation": "relu", "dropout": 0.3, "norm": "batch"}
    settings = {"epochs": 60, "patience": 0, "learning_rate": 0.02, **recipe}
    return parse_spec({"body": {"nodes": [first], "outputs": ["a"]}, "recipe": settings, "post": {"kind": post}})


def in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer, "EachEpoch", lambda session: Blocks(session, capture=True))


def essence(result: TrainResult) -> tuple[Any, ...]:
    return result.val, result.best_epoch, result.epochs, result.curve, result.train_score, result.details["val_loss"]


RECIPES: list[dict[str, Any]] = [
    {},
    {"patience": 4, "epochs": 300, "learning_rate": 0.1},
    {"schedule": "plateau", "epochs": 150},
    {"schedule": "cosine", "warmup": 5, "optimiser": "adamw"},
    {"self_training_rounds": 2, "patience": 10},
    {"drop_edge": 0.3, "drop_node": 0.2, "feature_dropout": 0.1, "consistency_samples": 2},
    {"optimiser": "sgd", "momentum": 0.9, "gradient_clip": 0.5},
    {"optimiser": "rmsprop", "post": "label_propagation"},
    {"ema_decay": 0.9, "epochs": 40},
    {"epochs": 1},
]


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: "-".join(map(str, recipe.values())) or "usual")
@pytest.mark.parametrize("metric", ["accuracy", "macro_f1"])
def test_blocks_are_byte_for_byte_the_ordinary_loop(monkeypatch: pytest.MonkeyPatch, recipe: dict[str, Any], metric: str) -> None:
    prepared = PreparedTask.from_task(make_task(metric_name=metric))
    wanted = train(spec(**recipe), prepared, split=0, seed=1)
    in_blocks(monkeypatch)
    found = train(spec(**recipe), prepared, split=0, seed=1)
    assert found.details["steps"] == "eager"
    assert essence(found) == essence(wanted)
    assert found.state_dict.keys() == wanted.state_dict.keys()
    assert all(torch.equal(found.state_dict[name], value) for name, value in wanted.state_dict.items())


def test_a_block_is_read_at_once(monkeypatch: pytest.MonkeyPatch, prepared: PreparedTask) -> None:
    """Else nothing would be gained on a device."""
    counts: list[int] = []
    ordinary = Blocks._read

    def read(self: Blocks, count: int) -> None:
        counts.append(count)
        ordinary(self, count)

    monkeypatch.setattr(Blocks, "_read", read)
    monkeypatch.setattr(pace, "BLOCK_S", 1000.0)
    in_blocks(monkeypatch)
    train(spec(epochs=100), prepared, split=0, seed=0)
    assert counts == [1, 1, 32, 32, 32, 2]


def test_a_block_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch, prepared: PreparedTask) -> None:
    in_blocks(monkeypatch)
    with pytest.raises(TimedOut, match="time limit reached in epoch 1 of 60"):
        train(spec(), prepared, split=0, seed=0, deadline=time.monotonic() - 1)


def test_blocks_that_were_read_count_when_time_is_up(monkeypatch: pytest.MonkeyPatch, prepared: PreparedTask) -> None:
    in_blocks(monkeypatch)
    cut = train(spec(), prepared, split=0, seed=0, cut_at=time.monotonic() - 1)
    assert (cut.epochs, cut.best_epoch, cut.details[PLANNED]) == (1, 1, 60)


def test_a_block_tells_the_epoch_that_diverged(monkeypatch: pytest.MonkeyPatch, prepared: PreparedTask) -> None:
    wild = spec(optimiser="sgd", learning_rate=10.0, weight_decay=1.0, epochs=200)
    told = []
    for change in (lambda: None, lambda: in_blocks(monkeypatch)):
        change()  # type: ignore[no-untyped-call]
        with pytest.raises(Diverged) as raised:
            train(wild, prepared, split=0, seed=0)
        told.append(str(raised.value))
    assert told[0] == told[1]


def test_a_ring_keeps_the_weights_of_each_epoch() -> None:
    linear = nn.Linear(3, 5)
    network = nn.Sequential(linear, nn.BatchNorm1d(5))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    ring = Ring(network, 4, 2**20)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    seen = []
    for _ in range(3):
        network(torch.randn(8, 3))
        with torch.no_grad():
            linear.weight.mul_(2)
        ring.take()
        seen.append({name: value.clone() for name, value in network.state_dict().items()})
    for slot, state in enumerate(seen):
        kept = ring.state(slot)
        assert list(kept) == list(state)
        assert all(torch.equal(kept[name], value) for name, value in state.items())


def test_a_ring_is_shorter_for_large_networks() -> None:
    network = nn.Linear(1000, 1000)
    assert Ring(network, 32, 10 * 4 * 1_001_024).slots == 10
    assert Ring(network, 32, 1).slots == 1


@pytest.mark.parametrize(("message", "waits"), [("called a synchronizing CUDA operation", 1), ("something else", 0)])
def test_the_first_request_for_sync_warnings_is_no_wait(monkeypatch: pytest.MonkeyPatch, message: str, waits: int) -> None:
    """torch warns once a process that this mode is a prototype which does not detect all synchronizing operations."""
    prototype = "Synchronization debug mode is a prototype feature and does not yet detect all synchronizing operations"
    monkeypatch.setattr(torch.cuda, "get_sync_debug_mode", lambda: 0)
    monkeypatch.setattr(torch.cuda, "set_sync_debug_mode", lambda mode: warnings.warn(prototype, stacklevel=2))
    found = pace._waits(lambda: warnings.warn(message, stacklevel=2), torch.device("cpu"))
    assert len(found) == waits
    assert all(text.startswith("waits for the device at ") for text in found)
