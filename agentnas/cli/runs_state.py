"""How a run stands, told apart further than its files say: which of those that have no end were interrupted, and which never began."""

from __future__ import annotations

from agentnas.memory.rundir import RunDirectory
from agentnas.memory.runs import RunListing
from agentnas.memory.view import JournalView
from agentnas.tools.errors import RunError


def stage(view: JournalView, *, is_running: bool) -> str:
    """``running``, ``finished``, ``no design`` (it ended without one), ``failed``, ``interrupted``, ``broken off`` or ``not begun``."""
    if is_running:
        return "running"
    if view.finished is not None:
        return _ended(view.finished.outcome)
    if view.interrupted is not None:
        return "interrupted"
    return "broken off" if view.proposals else "not begun"


def stage_of(run: RunListing) -> str:
    """The same of a listed run; only the journal of one that is unfinished is read."""
    if run.state == "finished":
        return _ended(run.outcome)
    if run.state != "unfinished":
        return run.state
    try:
        return stage(RunDirectory.open(run.path).view(), is_running=False)
    except RunError:
        return run.state


def _ended(outcome: str | None) -> str:
    return {"designed": "finished", "failed": "failed"}.get(str(outcome), "no design")
