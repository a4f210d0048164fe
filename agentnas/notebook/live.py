"""Progress of ``design`` in a notebook: one output that is updated in place, and the kernel's interrupt as a wish to stop."""

from __future__ import annotations

import io
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple

from agentnas.memory import events as ev
from agentnas.page.markup import tag
from agentnas.tools.errors import ConfigError

if TYPE_CHECKING:
    from agentnas.api import Listener, Started

EVERY_S = 0.25  # a browser that is told more often shows no more
LINES = 6
STOPPING = "stopping after the evaluations that are under way; another interrupt stops at once"


class Watching(NamedTuple):
    """Who hears of a run's events and start, and what asks it to stop."""

    on_event: Listener | None
    on_start: Callable[[Started], None] | None
    stop: threading.Event | None


def in_notebook() -> bool:
    """Whether a notebook's kernel runs this code; imports nothing."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and getattr(shell, "kernel", None) is not None


@contextmanager
def showing(progress: bool | None, watching: Watching) -> Iterator[Watching]:
    """``watching`` with a display beside it: None shows one in a notebook only, True also where there is none (lines on stderr)."""
    notebook = in_notebook()
    if progress is False or not (notebook or progress):
        yield watching
        return
    if not notebook:
        with _told(watching) as told:
            yield told
        return
    display = Display()
    stop = watching.stop or threading.Event()
    with _interruptible(stop, display):
        try:
            yield Watching(_both(display, watching.on_event), _both(display.begin, watching.on_start), stop)
        finally:
            display.close()


def _both(first: Callable[[Any], None], second: Callable[[Any], None] | None) -> Callable[[Any], None]:
    def call(seen: Any) -> None:
        first(seen)
        if second is not None:
            second(seen)

    return call


@contextmanager
def _told(watching: Watching) -> Iterator[Watching]:
    """The lines that the command line shows."""
    from agentnas.progress import Progress

    shown: list[Progress] = []

    def begin(start: Started) -> None:
        shown.append(Progress(start.view, start.config.time_s, start.config.trials))

    try:
        yield Watching(_both(lambda event: shown[0](event), watching.on_event), _both(begin, watching.on_start), watching.stop)
    finally:
        for progress in shown:
            progress.close()


@contextmanager
def _interruptible(stop: threading.Event, display: Display) -> Iterator[None]:
    """The first interrupt sets ``stop``, the second is a KeyboardInterrupt; outside of the main thread signals are left alone."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def asked(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        display.stopping = True
        # A thread of its own: the interrupt may have come while this one was sending.
        threading.Thread(target=display.show, name="stopping", daemon=True).start()

    before = signal.signal(signal.SIGINT, asked)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class Display:
    """One output of a cell: how far the run is, its best score ± noise, and the last lines of what happened."""

    def __init__(self) -> None:
        try:
            from IPython.display import HTML, display
        except ImportError:
            raise ConfigError("progress in a notebook needs IPython; pip install 'agentnas[notebook]', or progress=False") from None
        self._html: Callable[[str], Any] = HTML
        self._display: Callable[..., Any] = display
        self._handle: Any = None
        self._lines: deque[str] = deque(maxlen=LINES)
        self._shown_at = 0.0
        self._start: Started | None = None
        self._guard = threading.Lock()  # an interrupt shows itself by a thread of its own
        self._closed = False
        self.stopping = False

    def begin(self, start: Started) -> None:
        """The run has a journal: show its name."""
        from agentnas.progress import Progress

        self._start = start
        self._progress = Progress(start.view, start.config.time_s, start.config.trials, stream=io.StringIO())
        self._handle = self._display(self._html(self._text()), display_id=True)

    def __call__(self, event: ev.AnyEvent) -> None:
        from agentnas.progress import tell

        if self._start is None:
            return
        self._progress(event)
        if line := tell(event, self._start.view):
            self._lines += line.splitlines()
        if time.monotonic() - self._shown_at >= EVERY_S:
            self.show()

    def close(self) -> None:
        """Leave one line, or what is needed to go on."""
        with self._guard:
            self._closed = True
            if self._handle is not None:
                self._progress.close()
                self._handle.update(self._html(self._ended()))

    def show(self) -> None:
        """Update the output; before the run has begun there is none, and after its end its last line stays."""
        self._shown_at = time.monotonic()
        with self._guard:
            if self._handle is not None and not self._closed:
                self._handle.update(self._html(self._text()))

    def _text(self) -> str:
        from agentnas.notebook.shown import boxed

        assert self._start is not None
        bar = tag("progress", value=f"{self._share():.3f}", max="1", aria_label="share of the budget that is spent")
        said = STOPPING if self.stopping else self._progress.state()
        lines = tag("pre", "\n".join(self._lines)) if self._lines else ""
        return boxed(tag("p", f"run {self._start.run.name}"), bar, tag("p", said), lines)

    def _share(self) -> float:
        """The larger of the shares of time and of trials that are spent; 0..1."""
        assert self._start is not None
        view, config = self._start.view, self._start.config
        shares = [view.num_tried / config.trials] if config.trials else []
        shares += [view.active_seconds / config.time_s] if config.time_s else []
        return min(1.0, max(shares, default=0.0))

    def _ended(self) -> str:
        from agentnas.notebook.shown import boxed

        assert self._start is not None
        line = f"run {self._start.run.name}: {self._progress.state()}".replace(" so far", "")
        view = self._start.view
        if view.finished is not None:
            return boxed(tag("p", line, class_="quiet"))
        again = f"agentnas.design(resume={self._start.run.name!r})"
        return boxed(tag("p", line, class_="quiet"), tag("p", "stopped; to go on: ", tag("code", again)))
