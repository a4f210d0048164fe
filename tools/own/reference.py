"""The tables of ``docs/own-data.md``, written from the schema: ``python -m agentnas.tools.own.reference`` prints them."""

from __future__ import annotations

import sys
from typing import Any, Literal, get_args, get_origin

from agentnas.tools.own.schema import Column, Columns, Edges, Graphs, Nodes, SplitPlan, Table, TaskFile

PARTS: dict[str, Any] = {
    "The file": TaskFile, "Any table": Table, "nodes": Nodes, "edges": Edges, "graphs": Graphs, "split": SplitPlan,
}  # fmt: skip


def tables() -> str:
    """A table a part of a task file: each key, what it takes, and what it means."""
    return "\n".join(f"### {_heading(name)}\n\n{_table(model)}" for name, model in PARTS.items())


def _heading(name: str) -> str:
    return name if name[0].isupper() else f"`{name}`"


def _table(model: Any) -> str:
    common = {key: field.description for key, field in Table.model_fields.items()} if model in (Nodes, Edges, Graphs) else {}
    fields = {key: field for key, field in model.model_fields.items() if field.description != common.get(key)}
    rows = [f"| `{key}` | {_takes(field.annotation)} | {field.description} |" for key, field in fields.items()]
    return "\n".join(["| key | takes | meaning |", "| --- | --- | --- |", *rows, ""])


def _takes(annotation: Any) -> str:
    """What a key takes, in a word or two."""
    inner = next((kind for kind in get_args(annotation) if kind is not type(None)), annotation)
    if annotation == get_args(Columns)[0]:
        return "names"
    if get_origin(inner) is Literal:
        return ", ".join(f"`{word}`" for word in get_args(inner))
    words = {str: "text", int: "whole number", float: "number", bool: "`true` or `false`", Column: "name"}
    return words.get(inner) or words.get(annotation) or "keys and values"


if __name__ == "__main__":
    sys.stdout.write(tables())
