"""What a person sees while a run works: one live line on a terminal, plain lines elsewhere. Fed by the journal's events."""

from __future__ import annotations

import contextlib
import shutil
import sys
import threading
import time
from typing import IO

from agentnas.config import format_duration
from agentnas.memory import events as ev
from agentnas.memory.memory import one_line
from agentnas.memory.view import JournalView
from agentnas.report_baselines import told
from agentnas.report_verdicts import verdict
from agentnas.scores import task_line
from agentnas.tools.spec.render import shortened
from agentnas.words import money, plural

# Without a terminal a line every so often shows that the run lives; every round and every ending gets its line anyway.
QUIET_S = 15.0
# A live line's clock goes on between events.
TICK_S = 1.0
# Characters of a sentence that a model wrote, and findings of a round, that are shown; the whole is in the report.
LONGEST = 160
MOST_FINDINGS = 3
RULES_ANALYST = "analyst/rules"


class Progress:
    """A journal listener that tells what happens. ``seconds`` and ``trials`` are the budget; None is no limit. ``review`` is the command
    with which a person answers a plan that waits for them.

    On a terminal its last line lives, redrawn every second by a thread of its own until ``close``.
    """

    def __init__(self, view: JournalView, seconds: float | None, trials: int | None, stream: IO[str] | None = None,
                 review: str = "agentnas runs review") -> None:  # fmt: skip
        self._view = view
        self._seconds = seconds
        self._trials = trials
        self._review = review
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty()
        self._last = 0.0
        self._shown = ""
        self._guard = threading.RLock()  # a second Ctrl-C may come while it is held
        self._closed = threading.Event()
        self._remember()
        if self._live:
            threading.Thread(target=self._tick, name="progress", daemon=True).start()

    def __call__(self, event: ev.AnyEvent) -> None:
        """Show the event if it is worth a line of its own, and the state of the run."""
        with self._guard:
            self._remember()
            line = self._waits if isinstance(event, ev.ReviewAwaited) else tell(event, self._view)
            if line:
                self._print(line)
            if self._live:
                self._redraw()
            elif isinstance(event, ev.EvaluationFinished) and time.monotonic() - self._last > QUIET_S:
                self._print(self.state())

    def _remember(self) -> None:
        """What the view says now, so that the clock's thread never reads it while the run's own thread changes it."""
        view, best = self._view, self._view.best
        score = f"best {view.scale.told(best.val_mean, best.val_sd)} ({best.trial})" if best else "no score yet"
        limit = "" if self._trials is None else f"/{self._trials}"
        self._counts = [f"{view.num_tried}{limit} {_plural('trial', self._trials or view.num_tried)}"]
        self._details = [f"{view.num_evaluations} {_plural('evaluation', view.num_evaluations)}"]
        self._spent = [spending(view)] if view.calls.total.calls else []
        self._thinking = [f"{asking} thinks"] if (asking := view.calls.waiting) else []
        self._score = [f"{score} on validation"]
        self._waits = "" if view.awaiting is None else f"round {view.awaiting}: the plan waits for you: {self._review}"
        self._active, self._at = view.active_seconds, time.monotonic()

    def state(self, width: int | None = None) -> str:
        """Trials, evaluations, best so far ± noise, cost, who thinks, time left: one line; what matters least gives way to ``width``."""
        if self._waits:
            return self._waits[:width]
        clock = [self._time()]
        lines = [
            " · ".join(self._counts + self._details + self._score + self._spent + self._thinking + clock),
            " · ".join(self._counts + self._score + self._spent + self._thinking + clock),
            " · ".join(self._counts + self._score + self._thinking + clock),
            " · ".join(self._score + clock),
            *clock,
        ]
        return next((line for line in lines if width is None or len(line) <= width), lines[-1][:width])

    def _time(self) -> str:
        active = self._active + time.monotonic() - self._at if self._live else self._active
        if self._seconds is None:
            return f"{format_duration(round(active))} so far"
        return f"{format_duration(max(0, round(self._seconds - active)))} left"

    def _tick(self) -> None:
        # OSError: the terminal is gone; ValueError: its stream is closed. Nobody is there to be told.
        with contextlib.suppress(OSError, ValueError):
            while not self._closed.wait(TICK_S):
                with self._guard:
                    if not self._closed.is_set():
                        self._redraw()

    def _print(self, line: str) -> None:
        self._clear()
        self._stream.write(line + "\n")
        self._stream.flush()
        self._last = time.monotonic()

    def _redraw(self) -> None:
        self._clear()
        self._shown = self.state(shutil.get_terminal_size().columns - 1)
        self._stream.write(self._shown)
        self._stream.flush()

    def _clear(self) -> None:
        if self._shown:
            self._stream.write("\r\x1b[2K")
            self._shown = ""

    def close(self) -> None:
        """Stop the clock and leave the terminal with a clean line; calling it twice is fine."""
        self._closed.set()
        with self._guard, contextlib.suppress(OSError):
            self._clear()
            self._stream.flush()


def spending(view: JournalView) -> str:
    """``12 calls, cost $0.0410``; the cost is ``?`` where that of a call is unknown."""
    total = view.calls.total
    return f"{plural(total.calls, 'call')}, cost {money(total.known_cost)}"


def _plan(event: ev.PlanMade) -> str:
    """The plan's reason, and, where a model made it, what each direction expects."""
    from agentnas.tools.spec.narrowing import in_words

    lines = [f"round {event.round}: {event.reason}"]
    lines += [f"  searched, as the owner asked: only {in_words(event.bounds)}"] if event.bounds else []
    if not event.author.endswith("/rules"):
        lines += [f"  {d['share']:.0%} {d['name']}: {one_line(d['hypothesis'], LONGEST)}" for d in event.directions]
    return "\n".join(lines)


def _found(event: ev.FindingsMade) -> str | None:
    """The leader, then what a model concluded, and its verdict where that is not simply to go on."""
    said = [f for i, f in enumerate(event.findings) if i == 0 or f.get("author", event.author) != RULES_ANALYST]
    lines = [f"  found: {one_line(finding['text'], LONGEST)}" for finding in said[:MOST_FINDINGS]]
    if event.verdict != "go_on" and event.reason:
        lines.append(f"  verdict {event.verdict.replace('_', ' ')}: {one_line(event.reason, LONGEST)}")
    return "\n".join(lines) or None


def _plural(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"


def tell(event: ev.AnyEvent, view: JournalView) -> str | None:
    """One line for events that a person wants to see, None for the others."""
    match event:
        case ev.PlanMade():
            return _plan(event) if event.round else None
        case ev.ProposalsDrafted():
            return _proposals(event)
        case ev.TrialRejected():
            return f"  {event.trial} rejected: {event.reason}"
        case ev.EvaluationFailed():
            return f"  {event.trial} failed ({event.kind}): {event.reason}"
        case ev.Noted() if event.level == "warning":
            return f"  warning: {event.message}"
        case ev.Noted() if event.message.startswith(ev.MEMORY_NOTE):
            return event.message
        case _:
            return _milestone(event, view)


def _milestone(event: ev.AnyEvent, view: JournalView) -> str | None:
    match event:
        case ev.TaskCarded():
            return _task(view) if view.started else None
        case ev.RunResumed():
            kept = f"{view.num_evaluations} {_plural('evaluation', view.num_evaluations)} kept"
            return f"resumed after {format_duration(round(event.t))} of work, {kept}"
        case ev.Told():
            return f"  told: {event.text}"
        case ev.PlanReviewed():
            return f"  the plan of round {event.round} was {event.decision}{f': {event.reason}' if event.reason else ''}"
        case ev.FindingsMade():
            return _found(event)
        case ev.LLMJudged() if event.problems:
            role = view.calls.by_id[event.call].asked.role if event.call in view.calls.by_id else "model"
            return f"  {role}: {event.taken} of {event.items} taken; {one_line(event.problems[0], LONGEST)}"
        case ev.FinalistsChosen():
            return f"confirming {', '.join(dict.fromkeys([*event.finalists, *_anchors(event)]))} with fresh seeds"
        case ev.WinnerChosen():
            return f"winner: {event.trial}, {event.reason}"
        case ev.BaselineMeasured():
            return told(event, view)
        case ev.TestOpened():
            return "\n".join(f"test: {verdict(kind, pair, view)}" for kind, pair in event.comparison.items()) or None
        case _:
            return None


def _task(view: JournalView) -> str:
    from agentnas.searched import told_space

    assert view.started is not None
    return "\n".join([f"task: {task_line(view)}", *told_space(view.started.searched)])


def _anchors(event: ev.FinalistsChosen) -> list[str]:
    return [anchor for anchor in (event.start, event.plain_anchor, event.strong_anchor) if anchor]


def _proposals(event: ev.ProposalsDrafted) -> str:
    lines = [f"  {p.trial} {_what(p)}" for p in event.proposals]
    return "\n".join(lines) if lines else "  nothing new could be proposed"


def _what(proposal: ev.Proposal) -> str:
    if proposal.name:
        outside = ", outside the space: to compare with" if proposal.reference else ""
        return f"{'your' if proposal.anchor == 'start' else 'anchor'} {proposal.name}{outside}"
    origin = f"from {proposal.parent}: " if proposal.parent else ""
    whole = f"{proposal.change or 'fresh'}: {shortened(proposal.text)}"
    change = f"{proposal.factor} {proposal.change}" if proposal.factor else str(proposal.change) if proposal.parent else whole
    why = f" · {one_line(proposal.hypothesis, LONGEST)}" if ":" in proposal.author and proposal.hypothesis else ""
    return f"{origin}{change}{why}"
