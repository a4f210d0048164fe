"""What the providers' documentation says of schemas for structured outputs, as a lint: OpenAI's "Structured Outputs, supported schemas"
and Anthropic's "Structured outputs, JSON Schema limitations"."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

# Both sets are narrower than what either provider takes: what neither lists is not sent.
KEYWORDS = {"type", "properties", "required", "additionalProperties", "items", "enum", "anyOf", "description"}
TYPES = {"object", "array", "string", "integer", "number", "boolean", "null"}
DEEPEST, MOST_PROPERTIES, MOST_ENUM_VALUES, MOST_CHARACTERS = 10, 5_000, 1_000, 120_000
LONG_ENUM, MOST_IN_LONG_ENUM = 250, 15_000
MOST_UNIONS = 16  # Anthropic: parameters with a union, all together


def lint(schema: dict[str, Any]) -> list[str]:
    """Every breach of a documented limit; empty where both providers take the schema."""
    parts = list(_walk(schema, "$", 0))
    found = [breach for where, part, depth in parts for breach in _breaches(where, part, depth)]
    if schema.get("type") != "object":
        found.append("$: the root is no object")
    names = [name for _, part, _ in parts for name in part.get("properties", {})]
    values = [str(value) for _, part, _ in parts for value in part.get("enum", ())]
    counted = (("properties", len(names), MOST_PROPERTIES), ("enum values", len(values), MOST_ENUM_VALUES),
               ("characters of names and values", sum(map(len, names + values)), MOST_CHARACTERS),
               ("unions", sum("anyOf" in part for _, part, _ in parts), MOST_UNIONS))  # fmt: skip
    return found + [f"$: {count} {what}, at most {most}" for what, count, most in counted if count > most]


def _walk(schema: Any, where: str, depth: int) -> Iterator[tuple[str, dict[str, Any], int]]:
    """Each schema inside a schema, with the number of objects and lists around it."""
    if not isinstance(schema, dict):
        return
    yield where, schema, depth
    for name, part in schema.get("properties", {}).items():
        yield from _walk(part, f"{where}.{name}", depth + 1)
    yield from _walk(schema.get("items"), f"{where}[]", depth + 1)
    for part in schema.get("anyOf", ()):
        yield from _walk(part, f"{where}|", depth)


def _breaches(where: str, part: dict[str, Any], depth: int) -> Iterator[str]:
    for keyword in sorted(part.keys() - KEYWORDS):
        yield f"{where}: keyword {keyword}"
    if depth > DEEPEST:
        yield f"{where}: nested {depth} deep, at most {DEEPEST}"
    if part.get("type", "union") not in TYPES | {"union"} or not {"type", "anyOf"} & part.keys():
        yield f"{where}: type {part.get('type')}"
    if part.get("type") == "object":
        if part.get("additionalProperties") is not False:
            yield f"{where}: additionalProperties is not false"
        if part.get("required") != list(part.get("properties", {})):
            yield f"{where}: not every property is required"
    if any("properties" in option for option in part.get("anyOf", ())):
        yield f"{where}: a union of objects"
    values = part.get("enum", ())
    if len(values) > LONG_ENUM and sum(len(str(value)) for value in values) > MOST_IN_LONG_ENUM:
        yield f"{where}: an enum of {len(values)} values is too long"
