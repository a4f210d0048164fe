"""A mind for the tests' model server: valid answers of the three roles for runs over a table, each a function of the prompt alone."""

from __future__ import annotations

import random
import re
from typing import Any

from agentnas.tools.spec.cells import sample_cell
from tests.llm_server_shapes import Asked

OPENINGS = {"You plan the next round": "planner", "You write the designs": "coder", "You read what the last round": "analyst"}


def role_of(request: Asked) -> str:
    """Which agent asks, by how its prompt begins."""
    return next(role for opening, role in OPENINGS.items() if opening in request.messages[0][1])


def think(request: Asked) -> dict[str, Any]:
    """The answer of a model that follows the rules; equal prompts get equal answers."""
    rng = random.Random(request.text)
    trials = sorted(set(re.findall(r"\bt\d{4}\b", request.text)))
    answer = {"planner": _plan, "coder": _draft, "analyst": _analyse}[role_of(request)]
    return answer(rng, trials, request.text)


def _plan(rng: random.Random, trials: list[str], text: str) -> dict[str, Any]:
    del text
    share = rng.choice((0.4, 0.6))
    directions = [
        {"name": "other operators", "mode": "exploit", "factors": ["cell.op"], "share": share},
        {"name": "fresh cells", "mode": "explore", "factors": [], "share": 1 - share},
    ]
    said = {"hypothesis": "another operator suits the task better", "expected_gain": 0.3, "evidence": [f"trial:{trials[0]}"]}
    return {"reason": "operators matter most in cells", "directions": [direction | said for direction in directions]}


def _draft(rng: random.Random, trials: list[str], text: str) -> dict[str, Any]:
    found = re.findall(r"(?:Write|Give) (\d+) proposal", text)
    return {"proposals": [_proposal(rng, trials[0]) for _ in range(int(found[-1]))]}


def _proposal(rng: random.Random, cited: str) -> dict[str, Any]:
    links, ops = sample_cell(rng)
    edits = [{"path": "cell.links", "value": ",".join(map(str, links))}, {"path": "cell.ops", "value": ",".join(ops)}]
    return {"parent": "", "evidence": [f"trial:{cited}"], "hypothesis": "unlike what was tried", "factor": "cell.ops",
            "expected_gain": 0.2, "edits": edits}  # fmt: skip


def _analyse(rng: random.Random, trials: list[str], text: str) -> dict[str, Any]:
    del rng, trials, text
    return {"findings": [], "verdict": "go_on", "reason": "too little is known", "falsify": "train the leader again"}
