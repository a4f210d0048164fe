"""A tool: what a model may call, a slash command and the person's own use are one function with one kind of arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from agentnas.agents.llm.talk import ToolForm, read_arguments
from agentnas.chat.desk import Desk
from agentnas.tools.errors import AgentNASError

# Of a result, characters that a model reads.
LONGEST_RESULT = 8000


class Arguments(BaseModel):
    """Base of all arguments: a field that does not exist is an error, not ignored."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Nothing(Arguments):
    """For tools that take none."""


@dataclass(frozen=True)
class Result:
    """What a tool found: the text, and the gist for the line that shows the call. ``ok`` is False where it could not; ``is_run`` is
    False where the call was so wrong that no tool was run.
    """

    text: str
    short: str = ""
    ok: bool = True
    is_run: bool = True


@dataclass(frozen=True)
class Slash:
    """How a person calls it: ``/why N [RUN]``. ``words`` are the fields that words fill in order; ``tail`` takes the rest of the line."""

    name: str
    usage: str = ""
    words: Sequence[str] = ()
    tail: str | None = None
    also: Sequence[str] = ()
    first: str | None = None
    """A field that the first word fills if it is one of its values."""


A = TypeVar("A", bound=Arguments)


@dataclass(frozen=True)
class Tool(Generic[A]):
    """``about`` is for the model, ``help`` the line of /help."""

    name: str
    about: str
    help: str
    arguments: type[A]
    run: Callable[[Desk, A], Result]
    slash: Slash

    @property
    def form(self) -> ToolForm:
        """As a model is told of it."""
        return ToolForm(self.name, self.about, self.arguments)

    def call(self, desk: Desk, arguments: str) -> Result:
        """Run it with what a model wrote; whatever is wrong is a result that says so."""
        given, problem = read_arguments(arguments, self.arguments)
        if given is None:
            return Result(f"{problem}\nCall {self.name} again with arguments that fit.", "wrong arguments", ok=False, is_run=False)
        return self.apply(desk, given)

    def apply(self, desk: Desk, given: A) -> Result:
        """Run it; an error that a person can mend is a result."""
        try:
            return self.run(desk, given)
        except AgentNASError as error:
            return Result(f"error: {' '.join(str(error).split())}", "error", ok=False)


AnyTool = Tool[Any]


def shown_arguments(given: Mapping[str, Any] | str) -> str:
    """Arguments in a line: the values alone where there is one, else with their names."""
    if isinstance(given, str):
        return given
    held = {name: value for name, value in given.items() if value not in (None, [], "")}
    if len(held) == 1:
        return _value(next(iter(held.values())))
    return ", ".join(f"{name} {_value(value)}" for name, value in held.items())


def _value(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else ", ".join(map(str, value)) if isinstance(value, list) else str(value)
