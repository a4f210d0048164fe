"""A plan as a person edits it: JSON, checked like any other plan before it counts."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agentnas.agents.roles import Direction
from agentnas.tools.errors import UsageError, suggest

MOST_DIRECTIONS = 8
# How far the sum of the shares may be from 1: people round.
ROUNDING = 0.02


class _Direction(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    name: str = Field(min_length=1, max_length=80)
    factors: tuple[str, ...] = ()
    share: float = Field(gt=0, le=1)
    hypothesis: str = Field("", max_length=1000)
    expected_gain: float | None = None
    evidence: tuple[str, ...] = ()
    mode: Literal["exploit", "explore", "recombine"] = "exploit"
    parents: tuple[str, ...] = ()


class _Directions(BaseModel):
    directions: tuple[_Direction, ...] = Field(min_length=1, max_length=MOST_DIRECTIONS)


def directions_in(text: bytes, round_: int) -> Any:
    """The directions in JSON: a list of them, or an object that holds one as ``agentnas runs review --json`` prints it.

    Raises UsageError for anything else, and for the plan of another round.
    """
    try:
        data = json.loads(text)
    except ValueError as error:
        raise UsageError(f"not JSON: {error}") from None
    if isinstance(data, dict):
        if data.get("round", round_) != round_:
            raise UsageError(f"this is the plan of round {data['round']}, the one that waits is of round {round_}; edit that one")
        data = data.get("directions")
    if not isinstance(data, list):
        raise UsageError('no directions; allowed: {"directions": [...]} as agentnas runs review --json prints it')
    return data


def checked_directions(data: Any, factors: Sequence[str], is_known: Callable[[str], bool]) -> tuple[Direction, ...]:
    """Directions whose shares sum to 1 exactly. ``factors`` are those of the space, ``is_known`` says whether an evidence id exists.

    Raises UsageError: which direction, which field, the value seen and what is allowed.
    """
    try:
        held = _Directions.model_validate({"directions": data}).directions
    except ValidationError as error:
        raise UsageError(_told(error)) from None
    for number, direction in enumerate(held, start=1):
        _check_names(f"direction {number} ({direction.name})", direction, factors, is_known)
    total = sum(direction.share for direction in held)
    if abs(total - 1) > ROUNDING:
        raise UsageError(f"the shares sum to {total:g}; they are parts of the round's trials and must sum to 1")
    return tuple(Direction(**(direction.model_dump() | {"share": direction.share / total})) for direction in held)


def _told(error: ValidationError) -> str:
    problem = error.errors(include_url=False)[0]
    path = problem["loc"][1:]
    where = "the directions" if not path else f"direction {int(path[0]) + 1}{''.join(f', {part}' for part in path[1:])}"
    seen = repr(problem["input"])
    return f"{where}: {problem['msg']}; seen {seen if len(seen) <= 60 else f'{seen[:57]}...'}"


def _check_names(where: str, direction: _Direction, factors: Sequence[str], is_known: Callable[[str], bool]) -> None:
    for factor in direction.factors:
        if factor not in factors:
            raise UsageError(f"{where}: no factor {factor!r} in this space; {suggest(factor, factors)}")
    for name in direction.evidence:
        if not is_known(name):
            raise UsageError(f"{where}: evidence {name!r} does not exist; allowed: trial:ID, finding:ID and card:ID that do")
    for name in direction.parents:
        if not is_known(f"trial:{name}"):
            raise UsageError(f"{where}: parent {name!r} does not exist; allowed: ids of this run's trials, such as t0003")
