"""Small records and situations for the tests of the agents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentnas.agents.situation import Record, Situation
from agentnas.memory.events import Proposal
from agentnas.tools.evaluate.base import Limits
from agentnas.tools.evaluate.ladder import ONE_SPLIT
from agentnas.tools.spec.canonical import spec_hash
from agentnas.tools.spec.model import ArchitectureSpec, parse_spec
from agentnas.tools.spec.space import SearchSpace


def spec_of_width(width: int) -> ArchitectureSpec:
    """A one-layer GCN; different widths are different specs."""
    node = {"id": "a", "op": "gcn", "width": width, "activation": "relu"}
    return parse_spec({"body": {"nodes": [node], "outputs": ["a"]}})


def record(number: int, scores: Mapping[str, Mapping[int, float]], *, round_: int = 0, profile: Mapping[str, Any] | None = None,
           failures: Mapping[tuple[str, int], str] | None = None, **fields: Any) -> Record:  # fmt: skip
    """Trial ``t<number>`` with these scores by rung and seed."""
    spec = spec_of_width(number)
    proposal = Proposal(
        trial=f"t{number:04d}", spec=spec.model_dump(mode="json"), spec_hash=spec_hash(spec), text="gcn", author="test", **fields
    )
    return Record(proposal, spec, scores, round_, profile or {}, None, failures or {})


def situation(*records: Record, round_: int = 1, limits: Limits | None = None) -> Situation:
    """A situation over the default space with the ladder of one split."""
    return Situation(round_, 0, "a task", records, ONE_SPLIT, SearchSpace.default(), limits or Limits())
