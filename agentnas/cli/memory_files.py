"""``agentnas memory add``: what it says of each file, what it adds, and how it ends where a file could not be read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from agentnas import adding
from agentnas.cli.output import counted, emit, emit_json, say
from agentnas.config import Resolved
from agentnas.memory.papers.paper import Reading
from agentnas.remembering import open_store
from agentnas.thinking import RULES
from agentnas.tools.errors import AgentNASError, DataError

# Lines of one kind that are said; the rest is counted. ``--json`` holds all.
MOST_UNREAD, MOST_KNOWN = 10, 3


def add_files(paths: Sequence[Path], resolved: Resolved, *, dry_run: bool, json: bool) -> None:
    """Add all that can be read, then raise what is wrong with the rest: the one problem there is, or a line that counts them."""
    readings, problems = adding.read_files(paths)
    done: dict[str, Any] = {}
    if readings:
        done, late = _added(readings, resolved, dry_run)
        problems += late
    if json:
        emit_json({**(done or _facts(0, 0, adding.Plan(), [])), "problems": list(map(str, problems))})
    elif done:
        emit(_line(done))
    _raise(problems, bool(done))


def _added(readings: list[tuple[Path, Reading]], resolved: Resolved, dry_run: bool) -> tuple[dict[str, Any], list[AgentNASError]]:
    with ExitStack() as stack:
        store = open_store(resolved.config)
        stack.callback(store.close)
        with_model = resolved.config.llm not in (None, RULES)
        known = store.library().cards
        plan = adding.planned(readings, known, with_model=with_model)
        _tell(readings, plan)
        added = replaced = 0
        if with_model and plan.papers:
            from agentnas.reading_papers import opened

            reader = stack.enter_context(opened(resolved, say))
            say(f"estimate: {reader.estimate(plan.papers)}")
            if not dry_run:
                added, replaced = adding.add_planned(store, plan, reader.read(plan.papers), known)
                say(f"spent: {reader.told()}")
        elif not dry_run:
            added, replaced = adding.add_planned(store, plan, adding.by_rule(plan.papers), known)
    done = _facts(added, replaced, plan, readings)
    return (done | {"would_add": len(plan.papers) + len(plan.cards)} if dry_run else done), plan.problems


def _facts(added: int, replaced: int, plan: adding.Plan, readings: Sequence[tuple[Path, Reading]]) -> dict[str, Any]:
    unread = [line for _, reading in readings for line in reading.unread]
    return {
        "added": added,
        "replaced": replaced,
        "duplicates": [{"title": each.title, "where": each.where, "of": each.of} for each in plan.duplicates],
        "unread": unread,
        "files": [
            {"file": str(path), "kind": reading.kind, "papers": len(reading.papers), "cards": len(reading.cards)}
            for path, reading in readings
        ],
    }


def _tell(readings: Iterable[tuple[Path, Reading]], plan: adding.Plan) -> None:
    """What each file holds, what is left out and why, and which texts speak to a model."""
    for path, reading in readings:
        held = [counted(len(found), word) for found, word in ((reading.papers, "paper"), (reading.cards, "card")) if found]
        say(f"{path}: {reading.kind}, {', '.join(held)}{f', {len(reading.unread)} not readable' if reading.unread else ''}")
        _say_some(reading.unread, MOST_UNREAD)
    _say_some([f"{each.where}: {each.title!r} is known, as {each.of}" for each in plan.duplicates], MOST_KNOWN)
    for line in adding.spoken_lines(plan.papers):
        say(line)


def _say_some(lines: Sequence[str], most: int) -> None:
    for line in lines[:most]:
        say(f"  {line}")
    if len(lines) > most:
        say(f"  and {len(lines) - most} more; --json lists all")


def _line(done: dict[str, Any]) -> str:
    if "would_add" in done:
        parts = [f"{counted(done['would_add'], 'card')} would be added"]
    else:
        parts = [f"{counted(done['added'], 'card')} added, {done['replaced'] or 'none'} replaced"]
    duplicates, unread = len(done["duplicates"]), len(done["unread"])
    parts += [f"{counted(duplicates, 'duplicate')} left out"] if duplicates else []
    parts += [f"{counted(unread, 'block')} not readable"] if unread else []
    return ", ".join(parts)


def _raise(problems: Sequence[AgentNASError], others: bool) -> None:
    if len(problems) == 1:
        raise problems[0]
    for problem in problems:
        say(str(problem))
    if problems:
        raise DataError(f"{len(problems)} problems in the files, named above" + ("; all else was added" if others else ""))
