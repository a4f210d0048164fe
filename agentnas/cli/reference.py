"""Pages of the documentation that are written from the code: ``make docs`` writes them, a test holds them current."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from agentnas.cli.shell import COMMANDS, load, root

WIDTH = 100


def pages() -> dict[str, str]:
    """File name in ``docs/`` -> text."""
    from agentnas.tools.spec.reference import language_reference

    return {"cli.md": cli_reference(), "spec.md": language_reference().rstrip() + "\n"}


def cli_reference() -> str:
    """The help of every command, as Markdown."""
    top = root()
    context = typer.Context(top, info_name="agentnas", terminal_width=WIDTH, max_content_width=WIDTH, **top.context_settings)
    parts = ["# The command line\n\nWritten from the commands' own help by `make docs`.\n", _section(top, context)]
    for name in COMMANDS:
        parts += _sections(load(name), name, context)
    return "\n".join(parts)


def _sections(command: Any, name: str, parent: Any) -> Iterator[str]:
    context = typer.Context(command, info_name=name, parent=parent)
    yield _section(command, context)
    if isinstance(command, TyperGroup):
        for inner, found in command.commands.items():
            yield from _sections(found, inner, context)


def _section(command: Any, context: Any) -> str:
    text = "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
    return f"## {context.command_path}\n\n```text\n{text}\n```\n"


def main(folder: str) -> None:
    """Write all pages into a folder."""
    for name, text in pages().items():
        path = Path(folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        typer.echo(path)


if __name__ == "__main__":
    main(sys.argv[1])
