"""The table of commands, and the group that loads a command's file only when it is called.

``agentnas --help`` needs each command's name and line and nothing else, so that it answers at once: importing torch takes seconds.
A command's file holds ``app``, made with ``command_app()`` (one command) or ``group_app(...)`` (several).
"""

from __future__ import annotations

import importlib
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from agentnas import __version__


class Entry(NamedTuple):
    """A command that is not loaded yet: the heading it stands under and the line of its help."""

    section: str
    help: str


COMMANDS = {
    "design": Entry("Design", "Design an architecture for a graph task and train it."),
    "chat": Entry("Design", "Design in conversation, with a model or by commands."),
    "batch": Entry("Design", "Many designs in one night, from a file of jobs."),
    "watch": Entry("Design", "Watch a run while it goes on, or replay one that ended."),
    "report": Entry("Design", "Write the report of a run."),
    "ablate": Entry("Design", "What each choice of a run's winner is worth: train it without."),
    "export": Entry("Design", "Write a run's winner as files that run without AgentNAS."),
    "predict": Entry("Design", "Predict classes, values or edges with a run's winner."),
    "train": Entry("One spec", "Train one architecture on a task."),
    "profile": Entry("One spec", "Measure one architecture: parameters, FLOPs, latency, memory."),
    "tasks": Entry("Look", "Tasks: list them, show what is known of one, check its data."),
    "spaces": Entry("Look", "Search spaces: list them, show what one holds, how large it is."),
    "runs": Entry("Look", "Runs: list, show, compare, trace, review, tell, find on disk."),
    "prompts": Entry("Look", "Prompts of the agents: which they are, what was sent or would be."),
    "memory": Entry("Look", "Memory that outlives runs: search, add, carry, forget, build anew."),
    "bench": Entry("Look", "Benchmarks: searchers on NAS-Bench-Graph, or on your own table."),
    "config": Entry("Look", "Settings and where each value comes from."),
    "doctor": Entry("Look", "Check that this machine has what AgentNAS needs."),
}
_SETTINGS = {"help_option_names": ["-h", "--help"]}


class Group(TyperGroup):
    """A group that answers a call without a command with its help, as a usage error."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args and not ctx.resilient_parsing:
            typer.echo(ctx.get_help(), err=True)
            raise typer.Exit(2)
        return super().parse_args(ctx, args)


class LazyGroup(Group):
    """The root: knows every command's name and line, and loads a command's file when that command is called."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = {name: TyperCommand(name, help=entry.help, rich_markup_mode=None) for name, entry in COMMANDS.items()}

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        if args[0] in COMMANDS:
            self.commands[args[0]] = load(args[0])
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        for section in dict.fromkeys(entry.section for entry in COMMANDS.values()):
            with formatter.section(section):
                formatter.write_dl([(name.ljust(8), entry.help) for name, entry in COMMANDS.items() if entry.section == section])


def load(name: str) -> Any:
    """The command of this name, with all of its options; imports its file."""
    command = typer.main.get_command(importlib.import_module(f"agentnas.cli.{name}").app)
    command.name = name
    return command


def command_app() -> typer.Typer:
    """An app for a file that holds one command."""
    return typer.Typer(add_completion=False, rich_markup_mode=None, context_settings=_SETTINGS)


def group_app(line: str, cls: type[Group] = Group) -> typer.Typer:
    """An app for a file that holds several commands of one subject."""
    app = typer.Typer(help=line, cls=cls, add_completion=False, rich_markup_mode=None, context_settings=_SETTINGS)
    # A callback keeps a group a group while it has a single command.
    app.callback()(_nothing)
    return app


def _nothing() -> None:
    pass


def root() -> Any:
    """The command ``agentnas``."""
    app = group_app("Agents that design graph neural networks.", LazyGroup)
    app.callback()(_root)
    return typer.main.get_command(app)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"agentnas {__version__}")
        raise typer.Exit


def _root(version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False) -> None:
    pass
