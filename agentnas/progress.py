"""What a person sees while a run works: one live line on a terminal, plain lines elsewhere. Fed by the journal's events."""

from __future__ import annotations

import sys
import time
from typing import IO

from agentnas.config import format_duration
from agentnas.memory import events as ev
from agentnas.memory.view import JournalView
from agentnas.report import spread, verdict

# Without a terminal a line every so often shows that the run lives; every round and every ending gets its line anyway.
QUIET_S = 15.0


class Progress:
    """A journal listener that tells what happens. ``seconds`` and ``trials`` are the budget; None is no limit."""

    def __init__(self, view: JournalView, seconds: float | None, trials: int | None, stream: IO[str] | None = None) -> None:
        self._view = view
        self._seconds = seconds
        self._trials = trials
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty()
        self._last = 0.0
        self._shown = ""

    def __call__(self, event: ev.AnyEvent) -> None:
        """Show the event if it is worth a line of its own, and the state of the run."""
        line = tell(event, self._view)
        if line:
            self._print(line)
        if self._live:
            self._redraw()
        elif isinstance(event, ev.EvaluationFinished) and time.monotonic() - self._last > QUIET_S:
            self._print(self.state())

    def state(self) -> str:
        """Trials, best so far ± noise, cost, time left: one line."""
        view = self._view
        best = view.best
        score = f"best {spread(best.val_mean, best.val_sd)} ({best.trial})" if best else "no score yet"
        trials = f"{view.num_tried}" + (f"/{self._trials}" if self._trials else "")
        return f"{trials} trials · {view.num_evaluations} evaluations · {score} on validation · $0 · {self._time(view)}"

    def _time(self, view: JournalView) -> str:
        if self._seconds is None:
            return f"{format_duration(round(view.active_seconds))} so far"
        return f"{format_duration(max(0, round(self._seconds - view.active_seconds)))} left"

    def _print(self, line: str) -> None:
        self._clear()
        self._stream.write(line + "\n")
        self._stream.flush()
        self._last = time.monotonic()

    def _redraw(self) -> None:
        import shutil

        self._clear()
        self._shown = self.state()[: shutil.get_terminal_size().columns - 1]
        self._stream.write(self._shown)
        self._stream.flush()

    def _clear(self) -> None:
        if self._shown:
            self._stream.write("\r\x1b[2K")
            self._shown = ""

    def close(self) -> None:
        """Leave the terminal with a clean line."""
        self._clear()
        self._stream.flush()


def tell(event: ev.AnyEvent, view: JournalView) -> str | None:
    """One line for events that a person wants to see, None for the others."""
    match event:
        case ev.PlanMade():
            return f"round {event.round}: {event.reason}" if event.round else None
        case ev.ProposalsDrafted():
            return _proposals(event)
        case ev.TrialRejected():
            return f"  {event.trial} rejected: {event.reason}"
        case ev.EvaluationFailed():
            return f"  {event.trial} failed ({event.kind}): {event.reason}"
        case ev.Noted() if event.level == "warning":
            return f"  warning: {event.message}"
        case _:
            return _milestone(event, view)


def _milestone(event: ev.AnyEvent, view: JournalView) -> str | None:
    match event:
        case ev.TaskCarded():
            return f"task: {view.started.task}, {view.started.protocol}" if view.started else None
        case ev.RunResumed():
            return f"resumed after {format_duration(round(event.t))} of work, {view.num_evaluations} evaluations kept"
        case ev.FindingsMade() if event.findings:
            return f"  found: {event.findings[0]['text']}"
        case ev.FinalistsChosen():
            return f"confirming {', '.join(dict.fromkeys([*event.finalists, *_anchors(event)]))} with fresh seeds"
        case ev.WinnerChosen():
            return f"winner: {event.trial}, {event.reason}"
        case ev.TestOpened():
            return "\n".join(f"test: {verdict(kind, pair, view)}" for kind, pair in event.comparison.items()) or None
        case _:
            return None


def _anchors(event: ev.FinalistsChosen) -> list[str]:
    return [anchor for anchor in (event.plain_anchor, event.strong_anchor) if anchor]


def _proposals(event: ev.ProposalsDrafted) -> str:
    lines = [f"  {p.trial} {_what(p)}" for p in event.proposals]
    return "\n".join(lines) if lines else "  nothing new could be proposed"


def _what(proposal: ev.Proposal) -> str:
    if proposal.name:
        return f"anchor {proposal.name}"
    origin = f"from {proposal.parent}: " if proposal.parent else ""
    change = f"{proposal.factor} {proposal.change}" if proposal.factor else proposal.change or f"fresh: {proposal.text}"
    return f"{origin}{change}"
