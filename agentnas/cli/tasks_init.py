"""``agentnas tasks init``: from data files to a task file, with every guess shown and every doubt said."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import typer

from agentnas.cli.findings import findings_text, tallied
from agentnas.cli.options import Json
from agentnas.cli.output import emit, emit_json, say, soon, table
from agentnas.tools.errors import AgentNASError, UsageError

if TYPE_CHECKING:
    from agentnas.tools.own.guessing import Doubt, Guess, Wishes

Kinds = Literal["node", "graph", "link"]
Predicts = Literal["classes", "labels", "value"]
Columns = Annotated[list[str] | None, typer.Option(help="Column that is predicted; several times for several labels.", show_default=False)]
WIDE, VALUE = 115, 40  # columns from which reasons stand beside; columns of a value at most


def init(
    files: Annotated[list[Path], typer.Argument(help="Data files, or a folder of them.", show_default=False, metavar="FILE...")],
    out: Annotated[Path | None, typer.Option(help="Task file to write. [default: task.yaml beside the data]", show_default=False)] = None,
    label: Columns = None,
    kind: Annotated[
        Kinds | None, typer.Option(help="What is predicted: something of nodes, of graphs, or links.", show_default=False)
    ] = None,
    predict: Annotated[
        Predicts | None, typer.Option(help="What a label is: one of several classes, several labels, a number.", show_default=False)
    ] = None,
    metric: Annotated[
        str | None, typer.Option(help="Score of the task, such as accuracy, roc_auc, ap or rmse.", show_default=False)
    ] = None,
    split: Annotated[str | None, typer.Option(help="random, folds, or a column of train, val and test.", show_default=False)] = None,
    id_: Annotated[str | None, typer.Option("--id", help="Column that names nodes, as edges do.", show_default=False)] = None,
    source: Annotated[str | None, typer.Option(help="Column of the node an edge starts at.", show_default=False)] = None,
    target: Annotated[str | None, typer.Option(help="Column of the node it ends at.", show_default=False)] = None,
    graph: Annotated[str | None, typer.Option(help="Column that says which graph a node belongs to.", show_default=False)] = None,
    smiles: Annotated[str | None, typer.Option(help="Column of molecules as SMILES.", show_default=False)] = None,
    ignore: Annotated[list[str] | None, typer.Option(help="Column to leave out; may be given several times.", show_default=False)] = None,
    directed: Annotated[
        bool | None, typer.Option("--directed/--undirected", help="Whether edges have a direction that messages keep.", show_default=False)
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the task. [default: the folder's]", show_default=False)] = None,
    separator: Annotated[str | None, typer.Option(help="What separates columns of text files; tab for a tab.", show_default=False)] = None,
    encoding: Annotated[str, typer.Option(help="Encoding of text files.")] = "utf-8",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing: take the likeliest.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Write over a task file that exists.")] = False,
    json: Json = False,
) -> None:
    """Write a task file for data of your own.

    Looks at the files (CSV, TSV, Parquet, GraphML, GML, .npz, .pt), guesses what they hold, shows each guess with its evidence and what it
    was not sure of, writes task.yaml, checks the task, and says how to go on. In a terminal it asks what the files do not settle.
    """
    from agentnas.tools.own.guessing import Wishes
    from agentnas.tools.own.tables import separator_of

    separator = separator_of(separator, "--separator")
    wishes = Wishes(tuple(label or ()), id_, source, target, graph, smiles, kind, predict, metric, split, tuple(ignore or ()), directed)
    written = _place(files, out, force)
    with soon("reading..."):
        looked = _looked_at(files, separator, encoding)
        guess = _guessed(looked, wishes)
    if not (json or yes) and sys.stdin.isatty() and sys.stderr.isatty():
        guess = _asked(guess, looked, wishes)
    if not json:
        emit(_shown(guess, looked))
    _written(guess, written, name, separator, encoding)
    problems, protocol = _checked(written, json)
    if json:
        emit_json(_plain(guess, written, protocol, problems))
    else:
        _told(written, protocol, problems)
    if any(problem.severity == "error" for problem in problems):
        raise AgentNASError(f"{written} loads, but its scores would be wrong: mend what is called an error above, or the task file")


def _place(files: Sequence[Path], out: Path | None, force: bool) -> Path:
    """Where the task file goes: beside the data; raises UsageError where one is already."""
    first = files[0]
    path = out or (first if first.is_dir() else first.parent) / "task.yaml"
    if path.suffix.lower() not in (".yaml", ".yml"):
        raise UsageError(f"--out {path}: a task file ends in .yaml or .yml")
    if path.exists() and not force:
        raise UsageError(f"{path} exists; --force writes over it, --out writes elsewhere")
    if path.parent.name and not path.parent.is_dir():
        raise UsageError(f"--out {path}: {path.parent} is no folder")
    return path


class Looked(NamedTuple):
    """What was found: tables, or the arrays of one file; and files that are passed over."""

    tables: list[Any]
    arrays: tuple[Path, dict[str, Any]] | None
    passed: list[Path]


def _looked_at(files: Sequence[Path], separator: str | None, encoding: str) -> Looked:
    from agentnas.tools.own.looking import SOURCES, files_of, look, look_whole
    from agentnas.tools.own.tables import check_text_size

    found, passed = files_of(files)
    for file in found:
        check_text_size(file, str(file))
    whole = [file for file in found if file.suffix.lower() in SOURCES]
    if not whole:
        return Looked([look(file, separator, encoding) for file in found], None, passed)
    if len(found) > 1:
        raise UsageError(
            f"{whole[0].name} holds a graph of its own; name it alone, without {', '.join(f.name for f in found if f != whole[0])}"
        )
    seen = look_whole(whole[0])
    return Looked([], (whole[0], seen), passed) if isinstance(seen, dict) else Looked(list(seen), None, passed)


def _guessed(looked: Looked, wishes: Wishes) -> Guess:
    from agentnas.tools.own.guess import guess_arrays, guess_tables

    return guess_tables(looked.tables, wishes) if looked.arrays is None else guess_arrays(*looked.arrays, wishes)


def _asked(guess: Guess, looked: Looked, wishes: Wishes) -> Guess:
    """The guess after the person has said which of several labels is meant, what their numbers are, or that links are."""
    for about in ("label", "target"):
        doubt = next((doubt for doubt in guess.doubts if doubt.about == about and len(doubt.choices) > 1), None)
        if doubt is None:
            continue
        answer = _choice(doubt)
        said: dict[str, Any] = {"label": (answer,)} if about == "label" else {"predict": answer}
        wishes = replace(wishes, **said) if answer else replace(wishes, kind="link")
        guess = _guessed(looked, wishes)
    return guess


def _choice(doubt: Doubt) -> str:
    say(doubt.text)
    for number, choice in enumerate(doubt.choices, start=1):
        say(f"  {number}  {choice or 'none: predict links'}")
    chosen: int = typer.prompt("Which", default="1", value_proc=lambda text: _numbered(text, len(doubt.choices)), err=True)
    return doubt.choices[chosen - 1]


def _numbered(text: str, most: int) -> int:
    """The number that was typed; another answer is asked for where it is none of those that were shown."""
    if text.strip().isdecimal() and 1 <= int(text) <= most:
        return int(text)
    raise typer.BadParameter(f"{text!r}; allowed: 1 to {most}")


def _shown(guess: Guess, looked: Looked) -> str:
    """What was looked at, guessed and left open."""
    files = [(str(one.file), one.rows, len(one.columns)) for one in looked.tables]
    parts = [table(("file", "rows", "columns"), files), ""] if files else []
    parts.append(_guesses(guess, _room()))
    if looked.passed:
        parts += ["", f"passed over: {', '.join(path.name for path in looked.passed)}"]
    if guess.doubts:
        parts += ["", typer.style("not sure", bold=True), *(f"  {doubt.text}\n    → {doubt.option}" for doubt in guess.doubts)]
    return "\n".join(parts)


def _guesses(guess: Guess, room: int) -> str:
    """Every guess with its reason; where there is little room, the reason stands below."""
    rows = [(line.key, _cut(line.value, VALUE), line.option or "-") for line in guess.lines]
    if room >= WIDE:
        left = room - sum(max(map(len, column)) + 2 for column in zip(*rows, ("guessed", "as", "change by"), strict=True))
        return table(
            ("guessed", "as", "change by", "because"), [(*row, _cut(line.why, left)) for row, line in zip(rows, guess.lines, strict=True)]
        )
    lines = table(("guessed", "as", "change by"), rows).splitlines()
    below = (f"    {_cut(line.why, room - 4)}" for line in guess.lines)
    return "\n".join([lines[0], *(part for pair in zip(lines[1:], below, strict=True) for part in pair)])


def _room() -> int:
    """Columns of the terminal; plenty where there is none."""
    return shutil.get_terminal_size((140, 24)).columns if sys.stdout.isatty() else 140


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 3].rstrip() + "..."


def _written(guess: Guess, path: Path, name: str | None, separator: str | None, encoding: str) -> None:
    """Write the task file."""
    from agentnas.tools.own.writing import relative, task_yaml

    plan = relative(guess.plan, path.parent or Path())
    for part in ("nodes", "edges", "graphs"):
        if "file" in plan.get(part, {}):
            plan[part] |= ({"separator": separator} if separator else {}) | ({"encoding": encoding} if encoding != "utf-8" else {})
    plan["name"] = _free(name) if name else _named(path)
    try:
        path.write_text(task_yaml(plan, guess, f"agentnas tasks check {shlex.quote(str(path))}"), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror}); --out writes elsewhere") from None


def _named(path: Path) -> str:
    """The folder's name, or the file's where it says more, as the name of a task."""
    from agentnas.tools.own.schema import name_from
    from agentnas.tools.tasks.catalog import task_names

    found = name_from(path.stem if path.stem not in ("task", "tasks") else path.resolve().parent.name) or "task"
    return f"my-{found}" if found in task_names() else found


def _free(name: str) -> str:
    """The name that was given; UsageError where a task of the catalog has it."""
    from agentnas.tools.tasks.catalog import task_names

    if name in task_names():
        raise UsageError(f"--name {name} is that of a task which comes with AgentNAS; give another, such as --name my-{name}")
    return name


def _checked(path: Path, quiet: bool) -> tuple[list[Any], str]:
    """Load what was written as every command does, and look for what hurts."""
    from agentnas.tools.tasks import check_task, load_task

    if not quiet:
        say(f"wrote {path}")
    task = load_task(os.fspath(path) if path.parent.name else f"./{path}")
    return check_task(task), task.protocol


def _plain(guess: Guess, path: Path, protocol: str, problems: list[Any]) -> dict[str, Any]:
    return {
        "wrote": str(path), "protocol": protocol, "task": guess.plan, "guessed": [vars(line) for line in guess.lines],
        "unsure": [vars(doubt) for doubt in guess.doubts], "problems": [vars(problem) for problem in problems],
    }  # fmt: skip


def _told(path: Path, protocol: str, problems: list[Any]) -> None:
    if problems:
        emit("\n" + findings_text(problems))
    say(f"{path}: {protocol}: {tallied(problems)}")
    say(f"next: agentnas design --task {shlex.quote(str(path))} --time 10m")
