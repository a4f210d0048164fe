"""Optimisers without the wrappers of torch.compile: the same numbers, and nothing imported for them."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop

from agentnas.tools.train.eager import eager

KINDS: list[tuple[type[Optimizer], dict[str, Any]]] = [
    (Adam, {"fused": True, "weight_decay": 0.01}),
    (AdamW, {"fused": True}),
    (SGD, {"fused": True, "momentum": 0.9}),
    (RMSprop, {"momentum": 0.9}),
]


def steps(kind: type[Optimizer], settings: dict[str, Any]) -> torch.Tensor:
    weight = torch.nn.Parameter(torch.linspace(-1, 1, 12).reshape(3, 4))
    optimiser = kind([{"params": [weight], "lr": 0.1}], **settings)
    for _ in range(5):
        optimiser.zero_grad()
        (weight.tanh() ** 2).sum().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return weight.detach()


@pytest.mark.parametrize(("kind", "settings"), KINDS)
def test_steps_are_the_same_to_the_bit(kind: type[Optimizer], settings: dict[str, Any]) -> None:
    moved = steps(eager(kind), settings)
    assert torch.equal(moved, steps(kind, settings))
    assert not torch.equal(moved, torch.linspace(-1, 1, 12).reshape(3, 4))


TRAINING = """
import sys
from agentnas.tools.spec.model import parse_spec
from agentnas.tools.tasks import load_task
from agentnas.tools.train.data import PreparedTask
from agentnas.tools.train.trainer import train
spec = {"body": {"nodes": [{"id": "a", "op": "gcn"}], "outputs": ["a"]}, "recipe": {"optimiser": sys.argv[1], "epochs": 2}}
train(parse_spec(spec), PreparedTask.from_task(load_task("digits"), "cpu"), split=0, seed=0)
print(*sorted({"torch._dynamo", "sympy", "torch_geometric"} & set(sys.modules)))
"""


@pytest.mark.parametrize("optimiser", ["adam", "rmsprop"])
def test_a_training_imports_no_compiler(optimiser: str) -> None:
    done = subprocess.run([sys.executable, "-c", TRAINING, optimiser], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
