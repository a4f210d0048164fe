"""Slash commands: a line becomes the call of a tool, its words checked like a model's arguments."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Sequence
from typing import Any, get_args, get_origin

from pydantic import ValidationError

from agentnas.chat.desk import Desk
from agentnas.chat.tool import AnyTool, Result
from agentnas.chat.tools_look import TOOLS as LOOK
from agentnas.chat.tools_plan import TOOLS as PLAN
from agentnas.chat.tools_run import TOOLS as RUN
from agentnas.tools.errors import UsageError, suggest

TOOLS: tuple[AnyTool, ...] = (*LOOK, *PLAN, *RUN)
LEAVE = ("exit", "quit")


def commands() -> dict[str, AnyTool]:
    """The tools by the names of their slash commands."""
    return {name: tool for tool in TOOLS for name in (tool.slash.name, *tool.slash.also)}


def names() -> list[str]:
    """All slash commands, in the order of the help."""
    return [*commands(), "help", *LEAVE]


def help_text() -> str:
    """What can be typed."""
    rows = [(f"/{t.slash.name} {t.slash.usage}".strip(), t.help) for t in TOOLS]
    rows += [("/help", "this list"), ("/exit", "leave; a run goes on")]
    width = max(len(left) for left, _ in rows)
    return "\n".join(f"{left:<{width}}  {line}" for left, line in rows)


def call(desk: Desk, line: str) -> Result:
    """Run the command of a line that begins with a slash; what is wrong with it is a result that says so."""
    name, _, rest = line.removeprefix("/").partition(" ")
    known = commands()
    if name == "help" or not name:
        return Result(help_text())
    if name not in known:
        near = difflib.get_close_matches(name, names(), n=1, cutoff=0.5)
        hint = f"did you mean /{near[0]}?" if near else "/help lists what there is"
        return Result(f"error: /{name} is no command; {hint}", ok=False)
    tool = known[name]
    try:
        given = tool.arguments.model_validate(arguments(tool, rest.strip()))
    except ValidationError as error:
        return Result(f"error: {_wrong(tool, error)}", ok=False)
    except UsageError as error:
        return Result(f"error: {error}", ok=False)
    return tool.apply(desk, given)


def arguments(tool: AnyTool, rest: str) -> dict[str, Any]:
    """The words of a line as arguments: ``name=value`` by name, ``name value`` of a setting, the others in their order."""
    fields = tool.arguments.model_fields
    if tool.slash.tail is not None:
        return {tool.slash.tail: rest} if rest or fields[tool.slash.tail].is_required() else {}
    given: dict[str, Any] = {}
    loose = []
    for word in _words(rest):
        key, equals, value = word.partition("=")
        name = key.lstrip("-").replace("-", "_")
        if not equals:
            loose.append(word)
        elif name not in fields:
            raise UsageError(f"/{tool.slash.name} {word}: {name!r} is no setting here; {suggest(name, fields)}")
        else:
            given[name] = value.split(",") if _is_list(tool, name) else None if value == "" else value
    return given | _in_order(tool, loose)


def _in_order(tool: AnyTool, words: Sequence[str]) -> dict[str, Any]:
    places = tool.slash.words
    if places and _is_list(tool, places[0]):
        return {places[0]: list(words)} if words else {}
    if not places and words and tool.name == "plan":
        return _pairs(tool, words)
    if tool.name == "start_run" and words:
        return _resumed(words)
    if tool.slash.first is not None and words and words[0] in get_args(tool.arguments.model_fields[tool.slash.first].annotation):
        return {tool.slash.first: words[0]} | _in_order(tool, words[1:])
    if len(words) > len(places):
        usage = f"/{tool.slash.name} {tool.slash.usage}".strip()
        raise UsageError(f"/{tool.slash.name}: {words[len(places)]!r} is one word too many; write {usage}")
    return dict(zip(places, words, strict=False))


def _resumed(words: Sequence[str]) -> dict[str, Any]:
    """``/run resume``, ``/run resume NAME``."""
    if words[0] != "resume" or len(words) > 2:
        raise UsageError(f"/run {' '.join(words)}: allowed: /run for what /plan shows, /run resume [RUN]")
    return {"resume": words[1] if len(words) == 2 else "latest"}


def _pairs(tool: AnyTool, words: Sequence[str]) -> dict[str, Any]:
    """``/set time 20m``."""
    names = [word.lstrip("-").replace("-", "_") for word in words[::2]]
    for name in names:
        if name not in tool.arguments.model_fields:
            raise UsageError(f"{name!r} is no setting; {suggest(name, tool.arguments.model_fields)}")
    if len(words) % 2:
        raise UsageError(f"{words[-1]} has no value; write /plan {words[-1]}=VALUE")
    return {name: [value] if _is_list(tool, name) else value for name, value in zip(names, words[1::2], strict=True)}


def _is_list(tool: AnyTool, name: str) -> bool:
    return get_origin(tool.arguments.model_fields[name].annotation) is list


def _words(rest: str) -> list[str]:
    try:
        return shlex.split(rest)
    except ValueError:
        return rest.split()


def _wrong(tool: AnyTool, error: ValidationError) -> str:
    problem = error.errors(include_url=False)[0]
    name = str(problem["loc"][0]) if problem["loc"] else ""
    usage = f"/{tool.slash.name} {tool.slash.usage}".strip()
    empty = problem["type"] in ("missing", "string_too_short", "too_short")
    message = problem["msg"].removeprefix("Value error, ")
    return f"/{tool.slash.name} needs {name}; write {usage}" if empty else f"{name} is {problem['input']!r}: {message}"
