"""Events as a run would write them, and hypothesis strategies for any event."""

from __future__ import annotations

import types
import typing
from typing import Any, Literal

from hypothesis import strategies as st
from pydantic import BaseModel

from agentnas.memory import events as ev

EVENT_TYPES: tuple[type[ev.Event], ...] = tuple(
    kind for kind in vars(ev).values() if isinstance(kind, type) and issubclass(kind, ev.Event) and kind is not ev.Event
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
LEAVES: st.SearchStrategy[Any] = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | FLOATS | TEXTS
JSON: st.SearchStrategy[Any] = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=6
)


def started(**changes: Any) -> ev.RunStarted:
    """The first event of a run with the rungs short, full and confirm."""
    data = {"task": "cora", "protocol": "public", "config": {}, "environment": {}, "rungs": ("short", "full", "confirm"), **changes}
    return ev.RunStarted.model_validate(data)


def proposal(trial: str, **changes: Any) -> ev.Proposal:
    """A proposal whose hash is derived from its id."""
    data = {"trial": trial, "spec": {"op": "gcn"}, "spec_hash": f"hash-{trial}", "text": f"gcn {trial}", "author": "rules", **changes}
    return ev.Proposal.model_validate(data)


def drafted(*trials: str, round: int = 0) -> ev.ProposalsDrafted:  # noqa: A002  # the field's own name
    """Proposals of a round."""
    return ev.ProposalsDrafted(round=round, proposals=tuple(proposal(trial) for trial in trials))


def finished(trial: str, rung: str = "full", seed: int = 0, val: float = 80.0) -> ev.EvaluationFinished:
    """A finished evaluation on the split 0."""
    return ev.EvaluationFinished(trial=trial, rung=rung, seed=seed, split=0, val=val, seconds=1.0)


def failed(trial: str, rung: str = "full", seed: int = 0) -> ev.EvaluationFailed:
    """An evaluation that ran out of memory."""
    return ev.EvaluationFailed(trial=trial, rung=rung, seed=seed, split=0, kind="memory", reason="over 100 MiB", seconds=1.0)


def events() -> st.SearchStrategy[ev.Event]:
    """Any event with any values that its fields allow."""
    return st.one_of([models(kind) for kind in EVENT_TYPES if kind is not ev.RunStarted])


def models(kind: type[BaseModel]) -> Any:
    """Instances of a pydantic model, every field drawn."""
    hints = typing.get_type_hints(kind)
    skipped = {"type", "schema_version"}
    return st.builds(kind, **{name: values(hints[name]) for name in kind.model_fields if name not in skipped})


def values(hint: Any) -> st.SearchStrategy[Any]:
    """Values of an annotation that occurs in events."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin is dict:
        return st.dictionaries(values(arguments[0]), values(arguments[1]), max_size=3)
    if origin is tuple:
        return st.lists(values(arguments[0]), max_size=3).map(tuple)
    if origin in (typing.Union, types.UnionType):
        return st.one_of([values(argument) for argument in arguments])
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return typing.cast("st.SearchStrategy[Any]", models(hint))
    plain = {str: TEXTS, int: st.integers(0, 2**40), float: FLOATS, bool: st.booleans(), type(None): st.none(), Any: JSON}
    return plain[hint]
