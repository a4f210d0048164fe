"""What a field of the language allows, in words, and validation errors that name the field, the value seen and what is allowed."""

from __future__ import annotations

import re
import types
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from agentnas.tools.errors import suggest

MOST_PROBLEMS = 5
# What people call fields elsewhere.
ALIASES = {
    "lr": "learning_rate", "wd": "weight_decay", "l2": "weight_decay", "hidden": "width", "hidden_dim": "width", "hidden_channels": "width",
    "hidden_size": "width", "units": "width", "act": "activation", "normalization": "norm", "smoothing": "label_smoothing",
    "optimizer": "optimiser", "scheduler": "schedule", "clip": "gradient_clip", "ema": "ema_decay", "dropedge": "drop_edge",
    "layers": "nodes", "num_layers": "nodes", "depth": "nodes", "operator": "op", "type": "op", "name": "id", "parents": "inputs",
    "skip": "residual",
}  # fmt: skip


def allowed(field: FieldInfo) -> str:
    """The values of a field in words: ``1 to 4096, 'out' or null``."""
    return _words(field.annotation, field.metadata)


def bounds(metadata: Iterable[Any]) -> str:
    """Numeric constraints in words; empty where there are none."""
    found = {name: getattr(item, name) for item in metadata for name in ("ge", "gt", "le", "lt") if hasattr(item, name)}
    low = f"{found['ge']:g}" if "ge" in found else f"more than {found['gt']:g}" if "gt" in found else ""
    high = f"{found['le']:.10g}" if "le" in found else f"below {found['lt']:g}" if "lt" in found else ""
    if low and high:
        return f"{low} to {high}"
    return f"{low} or more" if low else high


def choices(annotation: Any) -> tuple[Any, ...]:
    """The values of a Literal, also inside unions; empty where there are none."""
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    return tuple(value for part in get_args(annotation) for value in choices(part)) if _is_union(annotation) else ()


def _is_union(annotation: Any) -> bool:
    return get_origin(annotation) in {Union, types.UnionType}


def _words(annotation: Any, metadata: Iterable[Any] = ()) -> str:
    if get_origin(annotation) is Annotated:
        base, *extra = get_args(annotation)
        return _words(base, [item for field in extra for item in getattr(field, "metadata", [field])])
    if _is_union(annotation):
        parts = [_words(part, metadata) for part in get_args(annotation)]
        return f"{', '.join(parts[:-1])} or {parts[-1]}"
    if get_origin(annotation) is Literal:
        return ", ".join(repr(value) if isinstance(value, str) else str(value) for value in get_args(annotation))
    if get_origin(annotation) is tuple:
        return f"a list of {_words(get_args(annotation)[0])}{_lengths(metadata)}"
    return _plain_words(annotation, metadata)


def _plain_words(annotation: Any, metadata: Iterable[Any]) -> str:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"an object with {', '.join(annotation.model_fields)}"
    if annotation in {int, float}:
        return bounds(metadata) or "a number"
    patterns = [item.pattern for item in metadata if getattr(item, "pattern", None)]
    words = {bool: "true or false", str: "text", types.NoneType: "null"}
    return f"text like {patterns[0]}" if patterns else words.get(annotation, "an object of names and values")


def _lengths(metadata: Iterable[Any]) -> str:
    found = {name: getattr(item, name) for item in metadata for name in ("min_length", "max_length") if hasattr(item, name)}
    limits = [f"at least {found['min_length']}"] if "min_length" in found else []
    limits += [f"at most {found['max_length']}"] if "max_length" in found else []
    return f" ({' and '.join(limits)})" if limits else ""


def explain(error: ValidationError, root: type[BaseModel], data: Any) -> str:
    """All problems of a validation error as ``field is value; allowed: ...``, joined by semicolons; nodes are named by their id."""
    lines: dict[str, str] = {}
    for problem in error.errors(include_url=False):
        where, field = _locate(problem["loc"], root, data)
        lines.setdefault(where, _explain_one(problem, where, field, root))
    shown = list(lines.values())[:MOST_PROBLEMS]
    more = len(lines) - len(shown)
    return "; ".join(shown) + (f"; and {more} more" if more > 0 else "")


def _explain_one(problem: Any, where: str, field: FieldInfo | None, root: type[BaseModel]) -> str:
    message = re.sub(r"^Value error, ", "", problem["msg"])
    kind = problem["type"]
    if kind == "value_error":
        return f"{where}: {message}"
    if kind == "json_invalid":
        return f"spec is not JSON: {message.removeprefix('Invalid JSON: ')}"
    if kind == "extra_forbidden":
        return f"{where}: unknown field; {_meant(str(problem['loc'][-1]), _siblings(problem['loc'], root))}"
    hint = _hint(problem["input"], field, root)
    return f"{where} is missing; {hint}" if kind == "missing" else f"{where} is {short(problem['input'])}; {hint}"


def _meant(name: str, fields: list[str]) -> str:
    alias = ALIASES.get(name.lower())
    return f"did you mean {alias}?" if alias in fields else suggest(name, fields)


def _hint(value: Any, field: FieldInfo | None, root: type[BaseModel]) -> str:
    if field is None:
        return f"allowed: {_words(root)}"
    known = [str(choice) for choice in choices(field.annotation)]
    if isinstance(value, str) and get_origin(field.annotation) is Literal:
        return suggest(value, known)
    return f"allowed: {allowed(field)}"


def short(value: Any, most: int = 60) -> str:
    """``repr`` of a value, cut where it is long."""
    if isinstance(value, int) and abs(value) > 10**30:
        return f"a whole number of about {value.bit_length() * 0.30103:.0f} digits"
    text = repr(value)
    return text if len(text) <= most else f"{text[: most - 3]}..."


def _steps(location: tuple[Any, ...], root: type[BaseModel]) -> Iterator[tuple[Any, FieldInfo | None, type[BaseModel] | None]]:
    """Each step of a location with its field and the model that it leads into; union tags at the end are left out."""
    model: type[BaseModel] | None = root
    field: FieldInfo | None = None
    for step in location:
        if isinstance(step, int) and field is not None and get_origin(field.annotation) is tuple:
            model = _model_of(get_args(field.annotation)[0])
            yield step, field, model
        elif model is not None:
            field = model.model_fields.get(str(step))
            model = _model_of(field.annotation) if field is not None else None
            yield step, field, model
        elif field is not None and get_origin(field.annotation) is dict:
            yield step, FieldInfo(annotation=get_args(field.annotation)[1]), None
            return
        else:
            return


def _model_of(annotation: Any) -> type[BaseModel] | None:
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _locate(location: tuple[Any, ...], root: type[BaseModel], data: Any) -> tuple[str, FieldInfo | None]:
    words: list[str] = []
    found: FieldInfo | None = None
    for step, field, _ in _steps(location, root):
        data = _inside(data, step)
        found = field
        name = data.get("id") if isinstance(step, int) and isinstance(data, Mapping) else None
        words.append(name if isinstance(name, str) and len(name) <= 32 else str(step))
    return ".".join(words) or "spec", found


def _inside(data: Any, step: Any) -> Any:
    if isinstance(data, Mapping):
        return data.get(step)
    if isinstance(data, (list, tuple)) and isinstance(step, int) and step < len(data):
        return data[step]
    return getattr(data, str(step), None)


def _siblings(location: tuple[Any, ...], root: type[BaseModel]) -> list[str]:
    models = [root, *(model for _, _, model in _steps(location[:-1], root) if model is not None)]
    return list(models[-1].model_fields)
