"""Running the graph of agents from its checkpoint, and what to do where the checkpoint's file or disk does not play along."""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING

from agentnas.memory import events as ev
from agentnas.tools.errors import RunError

if TYPE_CHECKING:
    from agentnas.agents.graph import State
    from agentnas.agents.house import House
    from agentnas.memory.rundir import RunDirectory

CHECKPOINT = "checkpoint.sqlite"


def run_graph(house: House, directory: RunDirectory, ended_before: bool) -> None:
    """Run the graph; a damaged checkpoint is set aside, because the journal knows all that it knew."""
    try:
        _enter(house, directory, ended_before)
    except sqlite3.DatabaseError as error:
        if not _is_damaged(error):
            raise _cannot_write(error, directory) from None
        aside = directory.set_aside(CHECKPOINT)
        message = f"{CHECKPOINT} was damaged ({error}); it is kept as {aside.name}, and the run goes on from the journal"
        house.journal.append(ev.Noted(level="warning", message=message))
        try:
            _enter(house, directory, ended_before=True)
        except sqlite3.DatabaseError as again:
            raise _cannot_write(again, directory) from None


def _is_damaged(error: sqlite3.DatabaseError) -> bool:
    return _code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _cannot_write(error: sqlite3.DatabaseError, directory: RunDirectory) -> Exception:
    """What the disk did, as an error that a person can act on; a mistake in a statement stays what it is."""
    disk = (
        sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB,
    )  # fmt: skip
    if _code(error) not in disk:
        return error
    return RunError(f"cannot write {directory.path / CHECKPOINT}: {error}; make room or mend the disk, then resume the run")


def _code(error: sqlite3.DatabaseError) -> int:
    """SQLite's primary result code; the higher bits of an extended one say more than is asked here."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF


def _enter(house: House, directory: RunDirectory, ended_before: bool) -> None:
    """Run the graph from its checkpoint, or from its start with the round that the journal says; at each review, wait for the person."""
    # The graph's library can send traces to a service; this product sends nothing that nobody asked for.
    os.environ["LANGSMITH_TRACING"] = os.environ["LANGCHAIN_TRACING_V2"] = "false"
    from langgraph.checkpoint.sqlite import SqliteSaver
    from langgraph.types import Command

    from agentnas.agents.graph import build_graph
    from agentnas.agents.people import await_review

    with SqliteSaver.from_conn_string(str(directory.path / CHECKPOINT)) as saver, house.feeder:
        graph = build_graph(house).compile(checkpointer=saver)
        thread = {"configurable": {"thread_id": directory.name}, "recursion_limit": 1_000_000}
        round_, findings = round_to_enter(house), house.view.findings
        start: State | None = {"round": round_, "verdict": findings[round_ - 1].verdict if findings else "go_on"}
        if graph.get_state(thread).next and not ended_before:
            start = None  # a checkpoint with work to do: go on there
        state = graph.invoke(start, thread, durability="sync")
        while "__interrupt__" in state:
            review = await_review(house, state["__interrupt__"][0].value)
            if review is None:
                return  # asked to stop: the plan still waits when the run is resumed
            state = graph.invoke(Command(resume=review), thread, durability="sync")


def round_to_enter(house: House) -> int:
    """The first round that the analyst has not closed."""
    return max(house.view.findings, default=-1) + 1
