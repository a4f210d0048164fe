"""``agentnas spaces``: what can be searched, what each space holds, and how large it is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from agentnas.cli.options import DataDir, Json, Split
from agentnas.cli.output import emit, emit_json, table
from agentnas.cli.shell import COMMANDS, group_app

app = group_app(COMMANDS["spaces"].help)
Name = Annotated[str, typer.Argument(help="Name of a space, or a YAML file of your own.", show_default=False)]
Task = Annotated[
    str | None, typer.Option(help="For which task; node classification where none is given.", metavar="TASK", show_default=False)
]
Lock = Annotated[list[str] | None, typer.Option(help="A part that stays, as for agentnas design.", show_default=False)]
Start = Annotated[Path | None, typer.Option(help="JSON file of the spec that the locks are read from.", show_default=False)]


@app.command("list")
def list_(json: Json = False) -> None:
    """The spaces that ship, and what each is good for."""
    from agentnas.looking_at_spaces import listed

    rows = listed()
    if json:
        emit_json(rows)
    else:
        emit(table(("space", "operators", "nodes", "depth", "designs at most", "good for"), ([*row.values()] for row in rows)))


@app.command()
def show(
    name: Name, task: Task = None, lock: Lock = None, start: Start = None, split: Split = None, data_dir: DataDir = None, json: Json = False
) -> None:
    """Everything that a space allows: operators and their parameters, sizes, values of each setting, what is locked."""
    from agentnas.looking_at_spaces import lines_of

    space = _space(name, task, lock, start, split, data_dir)
    if json:
        emit_json(space.as_dict())
    else:
        emit("\n".join(lines_of(space)))


@app.command()
def size(
    name: Name, task: Task = None, lock: Lock = None, start: Start = None, split: Split = None, data_dir: DataDir = None, json: Json = False
) -> None:
    """How many designs a space holds, and what that counts."""
    from agentnas.looking_at_spaces import counted

    found = counted(_space(name, task, lock, start, split, data_dir))
    if json:
        emit_json(found)
    else:
        emit("\n".join(f"{key:10} {value}" for key, value in found.items()))


def _space(name: str, task: str | None, lock: list[str] | None, start: Path | None, split: str | None, data_dir: Path | None) -> Any:
    from agentnas.looking_at_spaces import space_for

    return space_for(name, task, tuple(lock or ()), start, split, data_dir)
