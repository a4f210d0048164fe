"""An answer as the agents ask for it, and one that fits."""

from __future__ import annotations

import json
from typing import Literal

from pydantic import BaseModel, Field

from agentnas.agents.llm.base import Message


class Direction(BaseModel):
    """Where to look next."""

    name: str
    share: float = Field(gt=0, le=1, description="share of the round's trials")
    mode: Literal["explore", "exploit"]
    evidence: list[str] = Field(description="ids that it rests on")


class Plan(BaseModel):
    directions: list[Direction] = Field(min_length=1, max_length=4)


class Verdict(BaseModel):
    verdict: Literal["go_on", "stop"]
    reason: str
    trials: int = Field(ge=0)


DATA = {"directions": [
    {"name": "depth", "share": 0.6, "mode": "exploit", "evidence": ["trial:t0001"]},
    {"name": 'read"outs', "share": 0.4, "mode": "explore", "evidence": []},
]}  # fmt: skip
TEXT = json.dumps(DATA)
PLAN = Plan.model_validate(DATA)
QUESTION = (Message("system", "You plan."), Message("user", "Plan the next round."))
