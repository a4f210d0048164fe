"""Candidates that misbehave, as operators in a folder, and small jobs on digits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from agentnas.tools.workers import Job

# Operators that do in forward what candidates must not be able to do to a run.
MISBEHAVIOURS = {
    "sleeper": "time.sleep(3600)",
    "hoarder": "self.kept = [torch.ones(4_000_000) for _ in iter(lambda: time.sleep(0.01), 1)]",
    "leaver": "os._exit(3)",
    "crasher": "ctypes.string_at(0)",
    "raiser": "raise ValueError('no such luck')",
    "exploder": "return x * float('nan')",
    "stubborn": "ctypes.PyDLL(None).sleep(3600)",
    "greedy": "torch.empty(2**50)",
    "glutton": "return x + torch.empty(2**40, device=x.device)[0]",
    "parrot": "sys.stdout.write('candidate says hello\\n')",
}

MODULE = """
import ctypes, os, sys, time
import torch
from torch import nn
from agentnas.tools.operators.base import Operator

OPERATOR = Operator(name="{name}", kind="pointwise", module="Misbehaving", doc="misbehaves", source="a test", has_width=False)


class Misbehaving(nn.Module):
    def __init__(self, in_channels, out_channels):
        super().__init__()

    def forward(self, x, graph):
        if "MARK" in os.environ:
            open(os.environ["MARK"], "w").close()
        {action}
        return x
"""


def write_operators(folder: Path) -> None:
    """What AGENTNAS_OPERATORS is to name."""
    for name, action in MISBEHAVIOURS.items():
        (folder / f"{name}.py").write_text(MODULE.format(name=name, action=action))


def spec(op: str = "mlp", epochs: int = 3) -> dict[str, Any]:
    width = {"width": 8} if op == "mlp" else {}
    nodes = [{"id": "a", "op": op, **width}]
    return {"input": {"encoder": "linear", "width": 8}, "body": {"nodes": nodes, "outputs": ["a"]}, "recipe": {"epochs": epochs}}


def job(name: str = "good", op: str = "mlp", **fields: Any) -> Job:
    return Job(id=name, spec=spec(op), **{"time_limit_s": 60.0, **fields})
