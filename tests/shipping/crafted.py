"""Runs with a winner that was not searched for: any spec, untrained weights, the digits' graph. Seconds become milliseconds."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch

from agentnas.memory.rundir import RunDirectory
from agentnas.run import Run
from agentnas.tools.nn.network import build_network
from agentnas.tools.spec.canonical import canonical, canonical_data, spec_hash
from agentnas.tools.spec.model import parse_spec

FEATURES, CLASSES = 64, 10


def with_winner(live: Run, folder: Path, data: dict[str, Any]) -> Run:
    """A copy of a live run on digits whose winner is this spec, with weights that nobody trained (their norms not trivial)."""
    path = Path(shutil.copytree(live.path, folder / live.name))
    spec = canonical(parse_spec(data))
    lines = (path / "events.jsonl").read_text(encoding="utf-8").splitlines()
    (path / "events.jsonl").write_text("".join(f"{_changed(line, str(live.winner), spec)}\n" for line in lines), encoding="utf-8")
    torch.manual_seed(0)
    network = build_network(spec, in_channels=FEATURES, out_channels=CLASSES, encoding_channels=spec.input.encoding_channels)
    for name, value in network.state_dict().items():
        if name.endswith("running_mean"):
            value.normal_()
    torch.save(network.state_dict(), path / "winner" / "weights.pt")
    (path / "winner" / "spec.json").write_text(json.dumps(canonical_data(spec)), encoding="utf-8")
    return Run(RunDirectory.open(path))


def _changed(line: str, winner: str, spec: Any) -> str:
    event = json.loads(line)
    for proposal in event.get("proposals", []) if event.get("type") == "proposals_drafted" else []:
        if proposal["trial"] == winner:
            proposal |= {"spec": canonical_data(spec), "spec_hash": spec_hash(spec)}
    return json.dumps(event)
