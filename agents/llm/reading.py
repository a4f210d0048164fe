"""Reading answers: JSON found in text, its spelling mended, checked against the type; what is wrong is told to the model in its own words.

Mending changes how an answer is written, never what it says: fences, prose, trailing commas, a number as text. An answer whose end is
missing keeps the items that are complete.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from agentnas.agents.llm.base import Finish, Reply, Usage
from agentnas.agents.llm.schema import Schema, strict_schema
from agentnas.tools.errors import suggest
from agentnas.tools.spec.fields import short

T = TypeVar("T", bound=BaseModel)

MOST_PROBLEMS = 8
# Places in a text at which JSON may begin that are tried; text that is full of brackets is no answer.
MOST_STARTS = 64
# Characters that are repaired at most: repairing guesses, and takes long on text that is no JSON at all.
MOST_REPAIRED = 200_000
UNFINISHED = {
    "refusal": "You refused to answer. The question is about designing a graph neural network; answer it.",
    "length": "The answer was cut off: it is longer than the limit. Answer with fewer items and shorter texts.",
}
# The opening tag is often part of the prompt, so that an answer holds the closing one alone.
_THOUGHT = re.compile(r"\A.*</(?:think|thinking|thought|reasoning|reflection)>", re.DOTALL | re.IGNORECASE)
_OPEN_THOUGHT = re.compile(r"<(?:think|thinking|thought|reasoning|reflection)>", re.IGNORECASE)
_FENCE = re.compile(r"```[\w-]*[ \t]*\n(.*?)```", re.DOTALL)
# A string (perhaps torn), a bracket or a comma.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*(?:"|(?P<torn>\Z))|[\[\]{},]', re.DOTALL)
_TORN_NUMBER = re.compile(r"[-+.\deE]+\s*\Z")
_START_RUN = re.compile(r"(?:[{\[]\s*){12}")
_START = re.compile(r"[{\[]")


def read_reply(text: str, answer: type[T], finish: Finish, usage: Usage, model: str) -> Reply[T]:
    """What a model answered, read. An answer that was refused has no value; one that was cut off has the items that are complete."""
    if finish in UNFINISHED:
        return Reply(text, read_cut(text, answer) if finish == "length" else None, UNFINISHED[finish], usage, finish, model)
    value, problem = read_answer(text, answer)
    return Reply(text, value, problem, usage, finish, model)


def read_answer(text: str, answer: type[T]) -> tuple[T | None, str | None]:
    """The value in a text, or None and what is wrong with it, addressed to the model: each wrong field, the value seen, what is allowed."""
    if not text.strip():
        return None, "The answer is empty. Answer with one JSON object."
    schema, problems = strict_schema(answer), dict[int, str]()
    for data in _candidates(_THOUGHT.sub("", text)):
        try:
            return answer.model_validate(_shaped(data, schema)), None
        except ValidationError as error:
            problems.setdefault(len(repr(data)), _explain(error, schema))
    if problems:  # of the largest: the others are parts of it, or asides
        return None, problems[max(problems)]
    return None, f"The answer holds no JSON object; it begins {short(text.strip())}. Answer with one JSON object and nothing else."


def read_cut(text: str, answer: type[T]) -> T | None:
    """The complete items of an answer whose end is missing; None where there are none, or where it was cut while it was still thinking."""
    if _OPEN_THOUGHT.search(_THOUGHT.sub("", text)):
        return None
    value, _ = read_answer(text, answer)
    return value if value is not None and any(held for held in vars(value).values() if isinstance(held, list)) else None


def _candidates(text: str) -> Iterator[Any]:
    """Objects and lists in a text, the most likely answer first; a model that writes several means the last."""
    blocks = [block for block in _FENCE.findall(text) if _START.search(block)]
    for block in [text, *reversed(blocks)]:
        yield from _loaded(block)
    yield from reversed(list(_embedded(text)))
    start = _START.search(text)
    if start is not None:
        yield from _mended(text[start.start() :])


def _loaded(text: str) -> Iterator[Any]:
    """The text as JSON, if all of it is."""
    try:
        found = from_json(text, allow_inf_nan=False)
    except ValueError:
        return
    if isinstance(found, (dict, list)):
        yield found


def _embedded(text: str) -> Iterator[Any]:
    """JSON between prose: every object or list that is complete and not inside another."""
    decoder, at = json.JSONDecoder(parse_constant=_no_number), 0
    for _ in range(MOST_STARTS):
        start = _START.search(text, at)
        if start is None:
            return
        try:
            found, at = decoder.raw_decode(text, start.start())
        except (ValueError, RecursionError):
            at = start.end()
            continue
        if found:
            yield found


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number")


def _mended(text: str) -> Iterator[Any]:
    """The text without its torn end, its spelling repaired where that is not enough."""
    closed = _closed(text)
    found = list(_loaded(closed)) or _repaired(closed)
    yield from found


def _closed(text: str) -> str:
    """Text that ends in the middle, cut back to the last complete item of its outermost open list, or without a number that may go on."""
    open_, cut = "", 0
    outer = 0  # depth of the outermost open list, 0 where none is open
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if mark in ("{", "["):
            open_ += mark
            if mark == "[" and not outer:
                outer, cut = len(open_), token.end()
            continue
        if mark in ("}", "]"):
            open_ = open_[:-1]
            outer = outer if len(open_) >= outer else 0
        if outer and len(open_) == outer:
            cut = cut if token["torn"] is not None else token.start() if mark == "," else token.end()
    if not open_:
        return text
    if outer:
        return text[:cut] + "".join("]" if mark == "[" else "}" for mark in reversed(open_[:outer]))
    try:
        return json.dumps(from_json(_TORN_NUMBER.sub("", text), allow_inf_nan=False, allow_partial=True))
    except ValueError:
        return text


def _repaired(text: str) -> list[Any]:
    """The text with quotes, commas, comments and brackets put right, if that gives anything."""
    if len(text) > MOST_REPAIRED or _START_RUN.search(text):
        return []
    import json_repair

    try:
        found = json_repair.loads(text, skip_json_loads=True)
    except (ValueError, RecursionError):
        return []
    return [found] if isinstance(found, (dict, list)) and found else []


def _shaped(data: Any, schema: Schema) -> Any:
    """The data as the schema spells it, where only the spelling differs; what means something else is left for the validator."""
    kind = schema.get("type")
    if kind in ("object", "array") and isinstance(data, str):
        data = next(_loaded(data), data)
    if kind == "object":
        return _as_object(data, schema["properties"])
    if kind == "array":
        items = data if isinstance(data, list) else [] if data in (None, "") else [data] if isinstance(data, (str, dict)) else data
        return [_shaped(item, schema["items"]) for item in items] if isinstance(items, list) else items
    if kind == "string" and isinstance(data, (bool, int, float)):
        return json.dumps(data)
    if kind == "string" and isinstance(data, str) and "enum" in schema:
        return next((value for value in schema["enum"] if value.casefold() == data.strip().casefold()), data)
    return data


def _as_object(data: Any, properties: Mapping[str, Schema]) -> Any:
    """A list in place of an object that has one list is that list; an object around the object is taken off."""
    lists = [name for name, part in properties.items() if part.get("type") == "array"]
    if isinstance(data, list) and len(data) == 1 and isinstance(data[0], dict) and data[0].keys() & properties.keys():
        data = data[0]
    elif isinstance(data, list) and len(lists) == 1:
        data = {lists[0]: data}
    if not isinstance(data, dict):
        return data
    if len(data) == 1 and not data.keys() & properties.keys():
        inner = next(iter(data.values()))
        data = inner if isinstance(inner, dict) and inner.keys() & properties.keys() else data
    return {name: _shaped(value, properties[name]) if name in properties else value for name, value in data.items()}


def _explain(error: ValidationError, schema: Schema) -> str:
    problems = error.errors(include_url=False)
    lines = list(dict.fromkeys(_line(problem, schema) for problem in problems))
    more = [f"- and {len(lines) - MOST_PROBLEMS} more like these"] if len(lines) > MOST_PROBLEMS else []
    return "\n".join(["The answer does not fit:", *lines[:MOST_PROBLEMS], *more])


def _line(problem: Any, schema: Schema) -> str:
    where, part = _place(problem["loc"], schema)
    if problem["type"] == "missing":
        return f"- {where} is missing; allowed: {_allowed(part)}"
    if problem["type"] == "extra_forbidden":
        known = _place(problem["loc"][:-1], schema)[1].get("properties", {})
        return f"- {where} is no field; {suggest(str(problem['loc'][-1]), known)}"
    if problem["type"] in ("value_error", "assertion_error"):
        return f"- {where} is {short(problem['input'])}: {problem['msg'].split(', ', 1)[-1]}"
    return f"- {where} is {short(problem['input'])}; allowed: {_allowed(part)}"


def _place(steps: Iterable[Any], schema: Schema) -> tuple[str, Schema]:
    """A location as people write it (``directions[1].share``), and the schema of what should stand there."""
    where, part = "", schema
    for step in steps:
        where += f"[{step}]" if isinstance(step, int) else f".{step}" if where else str(step)
        part = part.get("items", {}) if isinstance(step, int) else part.get("properties", {}).get(step, {})
    return where or "the answer", part


def _allowed(schema: Schema) -> str:
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    if schema.get("type") == "object":
        return f"an object with {', '.join(schema['properties'])}"
    of = "objects" if schema.get("items", {}).get("type") == "object" else "values"
    words = {"string": "text", "number": "a number", "integer": "a whole number", "boolean": "true or false", "array": f"a list of {of}"}
    kind = words.get(str(schema.get("type")), "another value")
    return f"{kind} ({short(schema['description'], 160)[1:-1]})" if "description" in schema else kind
