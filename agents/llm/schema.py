"""The JSON schema of an answer, as strict structured outputs take it: one tree of required fields, nothing that a provider refuses."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from pydantic import BaseModel

from agentnas.tools.spec.fields import short

Schema = dict[str, Any]
# No type that people write by hand is this deep; one that refers to itself is.
DEEPEST = 32
SCALARS = {"string", "number", "integer", "boolean", "null"}
# What a schema may hold without meaning anything to the model.
IGNORED = {"title", "default", "examples", "deprecated", "search", "discriminator", "$defs"}
STRUCTURE = {"type", "description", "properties", "required", "additionalProperties", "items", "anyOf", "const", "enum"}
# Constraints that providers refuse; they are told in words instead, and checked when the answer is read.
WORDS = {
    "minimum": "at least {}", "exclusiveMinimum": "more than {}", "maximum": "at most {}", "exclusiveMaximum": "less than {}",
    "multipleOf": "a multiple of {}", "minLength": "at least {} characters", "maxLength": "at most {} characters",
    "minItems": "at least {} items", "maxItems": "at most {} items", "pattern": "matches {}", "format": "a {}",
}  # fmt: skip


@lru_cache(maxsize=64)
def strict_schema(answer: type[BaseModel]) -> Schema:
    """The schema to send: references inlined, every field required, no defaults, titles, bounds or unions of objects.

    Raises TypeError for a type that cannot be said that way: recursion, free-form objects, unions of objects, tuples of fixed length.
    """
    held = answer.model_json_schema()
    found = _strict(held, held.get("$defs", {}), (answer.__name__,))
    if found.get("type") != "object":
        raise TypeError(f"{answer.__name__}: an answer is an object, not {found.get('type', 'a union')}; wrap it in a model with one field")
    return found


def _strict(schema: Mapping[str, Any], defs: Mapping[str, Any], path: tuple[str, ...]) -> Schema:
    where = ".".join(path)
    if len(path) > DEEPEST:
        raise TypeError(f"{path[0]}: the schema is recursive, which providers refuse; flatten it into a list")
    if "$ref" in schema:
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        return _strict({**defs[schema["$ref"].rsplit("/", 1)[-1]], **beside}, defs, path)
    if "anyOf" in schema:
        return _described({"anyOf": [_scalar(part, defs, path) for part in schema["anyOf"]]}, schema, where)
    if "const" in schema or "enum" in schema:
        values = schema.get("enum", [schema.get("const")])
        return _described({"type": schema.get("type", "string"), "enum": list(values)}, schema, where)
    kind = schema.get("type")
    if kind == "object":
        return _object(schema, defs, path)
    if kind == "array":
        return _array(schema, defs, path)
    if kind not in SCALARS:
        raise TypeError(f"{where}: providers refuse {short(dict(schema))}; allowed: objects, lists, text, numbers, true or false")
    return _described({"type": kind}, schema, where)


def _object(schema: Mapping[str, Any], defs: Mapping[str, Any], path: tuple[str, ...]) -> Schema:
    if "properties" not in schema or isinstance(schema.get("additionalProperties"), Mapping):
        raise TypeError(f"{'.'.join(path)}: providers refuse objects with free names; use a list of objects with name and value")
    properties = {name: _strict(part, defs, (*path, name)) for name, part in schema["properties"].items()}
    found = _described({"type": "object"}, schema, ".".join(path))
    return {**found, "properties": properties, "required": list(properties), "additionalProperties": False}


def _array(schema: Mapping[str, Any], defs: Mapping[str, Any], path: tuple[str, ...]) -> Schema:
    if not isinstance(schema.get("items"), Mapping):
        raise TypeError(f"{'.'.join(path)}: providers refuse lists of fixed length; use an object, or a list of one type")
    found = _described({"type": "array"}, schema, ".".join(path))
    return {**found, "items": _strict(schema["items"], defs, (*path, "[]"))}


def _scalar(schema: Mapping[str, Any], defs: Mapping[str, Any], path: tuple[str, ...]) -> Schema:
    """One part of a union: text, a number, true, false or null."""
    found = _strict(schema, defs, path)
    if found.get("type") not in SCALARS:
        raise TypeError(f"{'.'.join(path)}: providers refuse unions of objects and lists; use one flat type, with a field that says which")
    return found


def _described(found: Schema, schema: Mapping[str, Any], where: str) -> Schema:
    """The found schema with its description, and every constraint as words in it."""
    strange = sorted(schema.keys() - IGNORED - WORDS.keys() - STRUCTURE)
    if strange:
        raise TypeError(f"{where}: providers refuse the keyword {strange[0]!r}")
    words = [text.format(schema[keyword]) for keyword, text in WORDS.items() if keyword in schema]
    parts = [part for part in (" ".join(schema.get("description", "").split()), ", ".join(words)) if part]
    return {**found, "description": "; ".join(parts)} if parts else found
