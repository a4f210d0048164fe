"""A guess in the making: what the person said, what was guessed and why, what is not sure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from agentnas.tools.metrics import Target


@dataclass(frozen=True)
class Wishes:
    """What the person said; None or nothing: to be guessed. ``target`` is the column of edges, ``predict`` what a label is."""

    label: tuple[str, ...] = ()
    id: str | None = None
    source: str | None = None
    target: str | None = None
    graph: str | None = None
    smiles: str | None = None
    kind: str | None = None
    predict: Target | None = None
    metric: str | None = None
    split: str | None = None
    ignore: tuple[str, ...] = ()
    directed: bool | None = None


@dataclass(frozen=True)
class Line:
    """One thing that was guessed: its key in the task file, the value, why, and the option that changes it."""

    key: str
    value: str
    why: str
    option: str = ""


@dataclass(frozen=True)
class Doubt:
    """Something that the files do not settle, the option that does, and the values that could be meant, the taken one first."""

    about: str
    text: str
    option: str
    choices: tuple[str, ...] = ()


@dataclass
class Guess:
    """A task file in the making. ``plan``: its keys and values, paths as they were given; ``reasons``: key path -> comment."""

    plan: dict[str, Any] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)

    def say(self, key: str, value: Any, why: str, option: str = "") -> None:
        """Put a value in the plan (``nodes.label``), and why."""
        at, parts = self.plan, key.split(".")
        for part in parts[:-1]:
            at = at.setdefault(part, {})
        at[parts[-1]] = value
        shown = (
            ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value).lower() if isinstance(value, bool) else str(value)
        )
        self.lines.append(Line(key.replace(".", " "), shown, why, option))
        self.reasons[key] = why

    def doubt(self, about: str, text: str, option: str, choices: Sequence[str] = ()) -> None:
        self.doubts.append(Doubt(about, text, option, tuple(choices)))


def some(names: Sequence[str], most: int = 5) -> str:
    """A few names, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
