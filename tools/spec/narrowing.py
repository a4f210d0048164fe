"""Bounds that are put on a space for a while: what a planner makes of a person's words, read and checked."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from agentnas.tools.errors import SpecError, UsageError, suggest
from agentnas.tools.spec.bounded import BoundedSpace, parameters, searched_values
from agentnas.tools.spec.named import BOUNDS, bound_of, operators_of, values_of
from agentnas.tools.spec.space import SearchSpace

LIFTED = "all"
WHERE = "bounds"


def read_bounds(pairs: Iterable[tuple[str, str]], space: BoundedSpace) -> dict[str, Any]:
    """Plain data of bounds from texts: ``("operators", "gat, gatv2")``, ``("recipe.learning_rate", "0.001 to 0.01")``.

    Raises UsageError for a path that does not exist and a value that is not allowed; whether they fit the space is for ``narrowed``.
    """
    found: dict[str, Any] = {}
    for path, text in pairs:
        path = path.strip()
        if path == "operators":
            found[path] = _listed(text)
        elif path in BOUNDS:
            found[path] = _plain(text.strip())
        elif path in searched_values() or path in parameters():
            found.setdefault("values", {})[path] = _values(path, text, space)
        else:
            raise UsageError(f"{WHERE}: unknown path {path!r}; {suggest(path, ['operators', *BOUNDS, *searched_values(), LIFTED])}")
    return found


def narrowed(space: BoundedSpace, data: Mapping[str, Any]) -> BoundedSpace:
    """The space within bounds; raises UsageError for one that lies outside of it, or where nothing is left."""
    operators = operators_of(data["operators"], WHERE) if "operators" in data else space.operators
    for name in operators or ():
        if name not in space.allowed_operators():
            raise UsageError(
                f"{WHERE}: operator {name} lies outside of space {space.name}; allowed: {', '.join(space.allowed_operators())}"
            )
    values = values_of(data.get("values") or {}, WHERE)
    for factor, wanted in values.items():
        _inside(space, factor, wanted)
    sizes: dict[str, Any] = {bound: _tighter(space, bound, data[bound]) for bound in BOUNDS if bound in data}
    if "max_nodes" in sizes:
        sizes["max_depth"] = min(sizes["max_nodes"], sizes.get("max_depth", space.max_depth))
    found = replace(space, operators=operators, values={**space.values, **values}, strict=True, **sizes)
    try:
        found.sample(random.Random(0))
    except SpecError as error:
        raise UsageError(f"{WHERE}: nothing is left to search: {error}") from None
    return found


def within(space: SearchSpace, data: Mapping[str, Any]) -> SearchSpace:
    """The space within bounds that were checked when they were made; the space itself without any."""
    return narrowed(space, data) if data and isinstance(space, BoundedSpace) else space


def in_words(data: Mapping[str, Any]) -> str:
    """Bounds in a line: ``operators gat, gatv2; max_depth 4``; empty without any."""
    parts = [f"operators {', '.join(data['operators'])}"] if data.get("operators") else []
    parts += [f"{bound} {data[bound]}" for bound in BOUNDS if bound in data]
    parts += [f"{factor} {', '.join(map(str, values))}" for factor, values in (data.get("values") or {}).items()]
    return "; ".join(parts)


def _listed(text: str) -> list[str]:
    return [name for name in text.replace("|", ",").replace("[", "").replace("]", "").replace(" ", ",").split(",") if name]


def _plain(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text.strip("'\"")


def _values(factor: str, text: str, space: BoundedSpace) -> list[Any]:
    """Values with commas, or a range: the values of the space inside of it, and its ends."""
    low, found, high = text.partition(" to ")
    if not found:
        return [_plain(one.strip()) for one in text.strip(" []").replace("|", ",").split(",") if one.strip()]
    ends = [_plain(low.strip()), _plain(high.strip())]
    if not all(isinstance(end, (int, float)) and not isinstance(end, bool) for end in ends) or ends[0] > ends[1]:
        raise UsageError(f"{WHERE}: {factor} is {text!r}; allowed: two numbers, the smaller first, such as 0.001 to 0.01")
    held = space.values_of(factor) if factor in searched_values() else space.params_of(factor.partition(".")[0])[factor.partition(".")[2]]
    between = [v for v in held if isinstance(v, (int, float)) and not isinstance(v, bool) and ends[0] <= v <= ends[1]]
    return sorted({*between, *ends})


def _inside(space: BoundedSpace, factor: str, wanted: tuple[Any, ...]) -> None:
    if factor in space.locks.fields:
        raise UsageError(f"{WHERE}: {factor} is locked to {space.locks.fields[factor]}; leave it out")
    for value in wanted:
        if not space.allows(factor, value):
            held = space.values_of(factor) if factor in searched_values() else space.values[factor]
            raise UsageError(f"{WHERE}: {factor} {value} lies outside of space {space.name}; allowed: {', '.join(map(str, held))}")


def _tighter(space: BoundedSpace, bound: str, given: Any) -> int:
    value, held = bound_of(bound, given, WHERE), getattr(space, bound)
    if value > held if bound.startswith("max_") else value < held:
        raise UsageError(
            f"{WHERE}: {bound} is {value}; allowed: at {'most' if bound.startswith('max_') else 'least'} {held}, as in space {space.name}"
        )
    return value
