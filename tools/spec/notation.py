"""Reading what ``render`` prints of a node: ``gcn(…) 64 <- n1 + n2; dropout 0.5, batch norm, residual, relu``.

Forgiving in spelling (spaces, commas for plus signs, ``hops=10``, ``norm batch``), strict in meaning: what is not understood raises
SpecError. Values stay texts where the language's own validation reads and checks them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, get_args

from pydantic.fields import FieldInfo

from agentnas.tools.errors import SpecError, UsageError, suggest
from agentnas.tools.operators.base import Value, operator
from agentnas.tools.spec.fields import choices, short
from agentnas.tools.spec.model import Activation, Norm
from agentnas.tools.spec.wire import typed

EXAMPLE = "gcn 64 <- n2; dropout 0.5, relu"
DEFAULT = "default"
INHERITED = ("none", "null", "inherit", "inherited")
_NODE = re.compile(
    r"(?:(?P<name>\w+)\s*=\s*)?(?P<op>[a-z][\w-]*)\s*(?:\((?P<params>[^)]*)\))?\s*(?P<width>\w+)?\s*(?:<-|←)\s*(?P<inputs>[^;]+)(?:;(?P<looks>.*))?"
)
_MERGED = re.compile(r"(?P<merge>\w+)\s*\((?P<names>.*)\)")
_ITEM = re.compile(r"\s*[\s=:]\s*")
_SIGNS = {"|": "concat", "+": "sum", ",": None}


def plain(text: str) -> str:
    """The text in small letters, without quotes and spaces around it."""
    return " ".join(text.strip().strip("\"'`").lower().split())


def items(text: str) -> list[str]:
    """The parts of a list as people write it: ``n1, n2``, ``[n1, n2]``."""
    return [item for item in (part.strip(" \"'") for part in text.strip(" []").split(",")) if item]


def read_node(name: str, text: str) -> dict[str, Any]:
    """Plain data of node ``name`` from its text, with or without ``name =`` in front. Raises SpecError."""
    found = _NODE.fullmatch(plain(text))
    if found is None or found["name"] not in (None, name):
        raise SpecError(f"{name} is {short(text)}; allowed: operator, width, inputs and looks, such as '{name} = {EXAMPLE}'")
    names, merge = read_inputs(found["inputs"], f"{name}.inputs")
    node: dict[str, Any] = {"id": name, "op": found["op"], "inputs": names, "merge": merge or "sum"}
    node["params"] = read_params(found["op"], found["params"] or "", name)
    node["width"] = None if found["width"] in (None, *INHERITED) else found["width"]
    return node | _looks(found["looks"] or "", name)


def read_inputs(text: str, where: str) -> tuple[list[str], str | None]:
    """Names and how they are merged (None where it is not said): ``n1 + n2``, ``n1 | n2``, ``mean(n1, n2)``, ``[n1, n2]``."""
    text = plain(text).removeprefix("<-").strip()
    called = _MERGED.fullmatch(text)
    if called is not None:
        return items(called["names"]), called["merge"]
    signs = [sign for sign in _SIGNS if sign in text]
    if len(signs) > 1:
        raise SpecError(f"{where} is {short(text)}; allowed: one way to merge: n1 + n2, n1 | n2 or mean(n1, n2); use a node for each other")
    sign = signs[0] if signs else ","
    return items(text.replace(sign, ",")), _SIGNS[sign]


def read_params(op: str, text: str, where: str) -> dict[str, Value]:
    """Parameters of an operator from ``hops 10, teleport 0.1``."""
    found: dict[str, Value] = {}
    for item in items(text):
        name, *value = _ITEM.split(item, maxsplit=1)
        if not value:
            raise SpecError(f"{where}: {op}({short(item)}); allowed: a name and a value, such as {op}(hops 10)")
        found[name] = read_param(op, name, value[0], where)
    return found


def read_param(op: str, name: str, text: str, where: str) -> Value:
    """One parameter's value in its type; raises SpecError for an unknown one and for what is no such value."""
    try:
        described = operator(op).params
    except UsageError as error:
        raise SpecError(f"{where}: {error}") from None
    known = {param.name: param for param in described}
    if name not in known:
        raise SpecError(f"{where}: operator {op} has no parameter {name!r}; {suggest(name, known) if known else 'it has none'}")
    value: Value = typed(known[name], plain(text), where)
    return value


def _looks(text: str, where: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for item in items(text):
        name, value = _look(item, where)
        if name in found:
            raise SpecError(f"{where}: {name} is given twice, {found[name]} and {value}; give it once")
        found[name] = value
    return found


def _look(item: str, where: str) -> tuple[str, str]:
    activations, norms = get_args(Activation), get_args(Norm)
    words = _ITEM.split(item)
    match words:
        case ["dropout" | "norm" | "residual" | "activation" as name, value]:
            return name, value
        case [value, "norm"]:
            return "norm", value
        case ["residual"]:
            return "residual", "yes"
        case [*_] if (value := "_".join(words)) in activations:
            return "activation", value
    allowed: Mapping[str, Any] = {"dropout 0.5": 0, "residual": 0, **{f"{norm} norm": 0 for norm in norms}, **dict.fromkeys(activations)}
    raise SpecError(f"{where}: {short(item)} is no look of a node; {suggest(item, allowed)}")


def read_setting(field: FieldInfo, text: str) -> Any:
    """What a field's validation takes for the text: its default, None for ``inherit`` where it may be None, a word, a number as text."""
    text = plain(text)
    known = choices(field.annotation)
    if text == DEFAULT:
        return field.get_default(call_default_factory=True)
    if text in INHERITED and text not in known and type(None) in get_args(field.annotation):
        return None
    word = text.replace(" ", "_").replace("-", "_")
    return word if word in known else text


def read_encodings(text: str) -> list[dict[str, Any]]:
    """``laplacian 8, degree 4``; ``none`` for none at all."""
    found = []
    for item in items(plain(text)):
        *kind, last = item.split()
        words, dim = (kind, {"dim": last}) if kind and last.isdigit() else ([*kind, last], {})
        found.append({"kind": "_".join(words), **dim})
    return [] if found in ([{"kind": "none"}], [{"kind": DEFAULT}]) else found
