"""The run that a conversation speaks of, read along while its journal grows: its state in a line, and its news."""

from __future__ import annotations

from collections.abc import Iterator

from agentnas.following import Tail
from agentnas.memory import events as ev
from agentnas.memory.rundir import RunDirectory
from agentnas.memory.view import JournalView
from agentnas.tools.errors import RunError
from agentnas.words import money, plural

# What a person wants to be told without asking.
NEWS = (ev.FinalistsChosen, ev.WinnerChosen, ev.TestOpened)


class Follower:
    """Reads new events when it is asked to; never waits for the run."""

    def __init__(self, directory: RunDirectory) -> None:
        from agentnas.watching import Watched

        self.directory = directory
        self.watched = Watched(directory.name)
        self._tail = Tail(directory)
        self._news: list[str] = []
        self._was_running = False
        self.problem = ""

    @property
    def is_running(self) -> bool:
        """Whether a process writes the run now."""
        return self.directory.writer() is not None

    def refresh(self) -> None:
        """Fold new events in; a journal that cannot be read is remembered as the problem."""
        try:
            events = self._tail.read()
        except RunError as error:
            self.problem = str(error)
            return
        for event in events:
            self.watched.apply(event)
            self._news += _news(event, self.watched.view)

    def news(self) -> list[str]:
        """What happened since it was last asked, a line each."""
        self.refresh()
        told, self._news = self._news, []
        if self.is_running or self._was_running:
            self._was_running = self.is_running
            if not self.is_running and self.watched.view.finished is None and self.watched.view.interrupted is None:
                told.append("its process ended in the middle; /run resume goes on with it")
        return [f"run {self.directory.name}: {line}" for line in told]

    def line(self) -> str:
        """Run, state, trials, best, cost: for the bottom of the screen."""
        from agentnas.cli.runs_state import stage
        from agentnas.config import format_duration

        view = self.watched.view
        running = self.is_running
        active = format_duration(round(self._tail.active() if running else view.active_seconds))
        parts = [stage(view, is_running=running), active, plural(view.num_tried, "trial")]
        if best := view.best:
            parts.append(f"best {view.scale.told(best.val_mean, best.val_sd)} ({best.trial})")
        if view.calls.total.calls:
            parts.append(f"cost {money(view.calls.total.known_cost)}")
        return " · ".join(parts)

    def lines(self, width: int, events: int = 5) -> list[str]:
        """The head of the live screen and the last events."""
        from agentnas.cli.runs_state import stage
        from agentnas.config import format_duration
        from agentnas.watching import Moment, header

        self.refresh()
        running = self.is_running
        active = self._tail.active() if running else self.watched.view.active_seconds
        moment = Moment(stage(self.watched.view, is_running=running), active, f"agentnas runs review {self.directory.name}")
        view = self.watched.view
        best = view.best
        leader = [f"best so far {best.trial}: validation {view.scale.told(best.val_mean, best.val_sd)}"] if best and running else []
        told = list(self.watched.told)[-events:] if events else []
        last = [f"{format_duration(round(t)):>7}  {text}" for t, text in told]
        return [*(line.plain for line in header(self.watched, moment, width)), *leader, *([""] if last else []), *last]


def _news(event: ev.AnyEvent, view: JournalView) -> Iterator[str]:
    from agentnas.progress import tell

    if isinstance(event, NEWS) and (told := tell(event, view)):
        yield from told.splitlines()
    elif isinstance(event, ev.RunFinished):
        yield f"ended: {event.outcome.replace('_', ' ')}{f': {event.message}' if event.message else ''}"
    elif isinstance(event, ev.RunInterrupted):
        yield f"interrupted ({event.reason}); /run resume goes on with it"
    elif isinstance(event, ev.ReviewAwaited):
        yield f"the plan of round {event.round} waits for you: agentnas runs review"
