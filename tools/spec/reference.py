"""The language as a page of Markdown, generated from the model and the operators that are registered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from agentnas.tools.operators.base import Operator, Param, operators
from agentnas.tools.spec.canonical import OFF_WHILE
from agentnas.tools.spec.fields import allowed
from agentnas.tools.spec.model import LANGUAGE_VERSION, Body, Encoding, Head, Input, Node, Part, Post, Recipe

PARTS: dict[str, type[Part]] = {
    "input": Input, "input.encodings": Encoding, "body": Body, "body.nodes": Node, "head": Head, "recipe": Recipe, "post": Post,
}  # fmt: skip
INTRODUCTION = f"""# The spec language, version {LANGUAGE_VERSION}

A spec is one candidate: a network and its training recipe, as JSON with the parts `input`, `body`, `head`, `recipe` and `post`. A field
that has a default may be left out. Two specs that build the same network with the same recipe have the same canonical form and hash,
whatever the names and the order of their nodes; a field that another one switches off is no part of a spec's identity.

This page is generated from the language itself (`make docs`).
"""


def language_reference() -> str:
    """All parts, fields, values and operators as Markdown."""
    return "\n".join([INTRODUCTION, *(line for name, model in PARTS.items() for line in _part(name, model)), *_operators()]) + "\n"


def _part(name: str, model: type[Part]) -> Iterator[str]:
    yield f"## {name}\n"
    yield f"{' '.join((model.__doc__ or '').split())}\n"
    yield "| field | default | allowed | meaning |"
    yield "| --- | --- | --- | --- |"
    for field_name, field in model.model_fields.items():
        yield f"| `{field_name}` | {_default(field)} | {_escaped(_allowed(field))} | {_escaped(_meaning(name, field_name, field))} |"
    yield ""


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined and field.default_factory is None:
        return "required"
    value: Any = {} if field.default_factory is not None else field.default
    return f"`{_json(value)}`"


def _json(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_json, value))}]"
    words = {None: "null", True: "true", False: "false"} if value is None or isinstance(value, bool) else {}
    return words.get(value, str(value)) if words else str(value)


def _allowed(field: FieldInfo) -> str:
    inner = get_args(field.annotation)[:1] if get_origin(field.annotation) is tuple else ()
    if inner and isinstance(inner[0], type) and issubclass(inner[0], Part):
        return "a list, see below"
    return allowed(field)


def _meaning(part: str, name: str, field: FieldInfo) -> str:
    governor, values = OFF_WHILE.get(f"{part}.{name}", ("", ()))
    off = f"; no effect while `{governor}` is {' or '.join(map(str, values))}" if governor else ""
    return f"{field.description or ''}{off}"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


def _operators() -> Iterator[str]:
    yield "## Operators\n"
    yield "A convolution transforms and aggregates, a propagation only spreads and keeps its input's width, a pointwise operator looks at"
    yield "each node alone. One file in `tools/operators`, or in the folder that `AGENTNAS_OPERATORS` names, adds an operator.\n"
    for described in operators().values():
        yield from _operator(described)


def _operator(described: Operator) -> Iterator[str]:
    yield f"### {described.name}\n"
    width = "" if described.has_width else "; keeps its input's width"
    yield f"{described.doc[:1].upper()}{described.doc[1:]}. A {described.kind}{width}. Source: {described.source}.\n"
    if described.params:
        yield "| parameter | default | allowed | searched | meaning |"
        yield "| --- | --- | --- | --- | --- |"
        for param in described.params:
            searched = ", ".join(_json(value) for value in param.search)
            cells = (f"`{param.name}`", f"`{_json(param.default)}`", _param_allowed(param), searched, _escaped(_param_meaning(param)))
            yield f"| {' | '.join(cells)} |"
        yield ""


def _param_allowed(param: Param) -> str:
    if isinstance(param.default, bool):
        return "true or false"
    if isinstance(param.default, str):
        return ", ".join(map(repr, param.search))
    low = "any" if param.low is None else f"{param.low:g}"
    return f"{low} to {'any' if param.high is None else f'{param.high:g}'}"


def _param_meaning(param: Param) -> str:
    if param.off_while is None:
        return param.doc
    governor, values = param.off_while
    return f"{param.doc}; no effect while `{governor}` is {' or '.join(map(_json, values))}"
