"""Who feeds the workers: hands out what is due on the ladders of the open rounds, and journals each result as it comes in.

A run bounded by trials is fed in the graph's own thread, round by round: agents see whole rounds, and the run is the same on any machine.
A run bounded by time alone is fed in a thread beside the graph. It lets the graph go on while the last trainings of a round still run, as
soon as they take no longer than the agents took to think last time, or leave a worker without work: the next round is there when it is
needed. Trainings that end meanwhile are in the journal at once, and with the agents in the round after. A kill takes what was in the
workers and nothing else: ladders are built anew from the journal.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import asdict
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from agentnas.agents import climbing
from agentnas.agents.analyst import RuleAnalyst
from agentnas.agents.coder import RuleCoder
from agentnas.agents.outcomes import record_outcome
from agentnas.agents.planner import RulePlanner
from agentnas.memory import events as ev
from agentnas.tools.evaluate.base import Outcome, Request
from agentnas.tools.evaluate.ladder import Ladder
from agentnas.tools.evaluate.race import Stopped

if TYPE_CHECKING:
    from agentnas.agents.house import House

# Seconds that agents are expected to think before they have thought once: by rules, and with a model.
RULES_S, MODEL_S = 0.5, 20.0
# Seconds between two looks of the graph at its feeder, and for an abandoned one to leave.
LOOK_S, LEAVE_S = 0.5, 10.0


class Source(Protocol):
    """Results in, requests out: a ladder, or a confirmation. Nothing is due where ``next`` is None, nor ever once it is ``over``."""

    @property
    def stopped(self) -> Mapping[str, Stopped]: ...

    def tell(self, trial: str, rung: str, seed: int, val: float | None) -> None: ...

    def next(self) -> Request | None: ...

    @property
    def over(self) -> bool: ...


class Feeder:
    """See the module's docstring. As a context: no training outlives it, and what a training brought is in the journal."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._rounds = _Rounds()
        self._fed: Future[None] | None = None
        self._changed = threading.Condition()
        self._ending = self._abandoned = False
        self._thinking_s = RULES_S if _thinks_by_rules(house) else MODEL_S
        self._let_go: float | None = None

    def climb(self, round_: int) -> None:
        """Train what the round is entitled to; returns once it has all its results or, in a run that thinks ahead, once it is time to."""
        if not self._house.thinks_ahead:
            self.run(climbing.ladder(self._house.situation_of_scores(), round_), self._house.search_over)
            return
        if self._let_go is not None:
            self._thinking_s = time.monotonic() - self._let_go
        self._begin(round_)
        with self._changed:
            while self._feeding and not self._rounds.leave_time(round_, self._thinking_s, self._house.workers):
                self._changed.wait(LOOK_S)
        self._let_go = time.monotonic()
        self._raise_fault()

    def run(self, source: Source, over: Callable[[], bool]) -> None:
        """Train what the source asks for until it is over, in this thread; once ``over()`` is true, nothing new begins."""
        for outcome in self._house.evaluator.evaluate(self._requests(source), over):
            self._keep(source, outcome)

    def finish(self) -> None:
        """Let all open rounds come to their end (where the search is over: what runs). Raises what went wrong beside the graph."""
        with self._changed:
            self._rounds.closing = True
        while self._feeding:
            wait([self._fed] if self._fed else [], LOOK_S)
        self._rounds.closing = False
        self._let_go = None
        self._raise_fault()

    def __enter__(self) -> Feeder:
        self._ending = self._abandoned = False
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Trainings are finished and journalled, unless the process is to end at once: then they are ended."""
        self._ending = True
        if self._fed is not None and kind is not None and not issubclass(kind, Exception):
            self._abandoned = True  # what ends because its worker is ended has not failed
            self._house.evaluator.close()
            wait([self._fed], LEAVE_S)
        elif self._fed is not None:
            wait([self._fed])
        if kind is None:
            self._raise_fault()

    @property
    def _feeding(self) -> bool:
        return self._fed is not None and not self._fed.done()

    def _begin(self, round_: int) -> None:
        """Open the round's ladder; where nothing is being fed, also those that an earlier process left open."""
        running = self._feeding
        situation = self._house.situation_of_scores()
        with self._changed:
            opened = [round_] if running else [known for known in sorted(self._house.view.rounds) if known <= round_]
            kept = self._rounds.open if running else {}
            ladders = kept | {known: climbing.ladder(situation, known, doubling=True) for known in opened}
            self._rounds.open = {known: ladder for known, ladder in ladders.items() if known == round_ or not ladder.over}
            self._changed.notify_all()
        if not self._feeding:
            thread = ThreadPoolExecutor(1, "feeder")
            self._fed = thread.submit(self.run, self._rounds, self._over)
            thread.shutdown(wait=False)

    def _over(self) -> bool:
        return self._ending or self._house.search_over()

    def _requests(self, source: Source) -> Iterator[Request | None]:
        while True:
            with self._changed:
                request = source.next()
                over = request is None and source.over
                stopped = list(source.stopped.values())
            self._tell_stopped(stopped)
            if over:
                return
            yield request

    def _keep(self, source: Source, outcome: Outcome) -> None:
        if self._abandoned:
            return
        self._house.journal.append(record_outcome(outcome))
        asked = outcome.request
        with self._changed:
            source.tell(asked.trial, asked.rung, asked.seed, outcome.val)
            self._rounds.seconds.append(outcome.seconds)
            self._changed.notify_all()

    def _tell_stopped(self, found: list[Stopped]) -> None:
        known = self._house.view.stopped
        for one in found:
            if one.rung not in known.get(one.trial, {}):
                self._house.journal.append(ev.SeedsStopped(**asdict(one), reason=one.reason))

    def _raise_fault(self) -> None:
        if self._fed is not None and self._fed.done():
            fed, self._fed = self._fed, None
            fed.result()


class _Rounds:
    """The ladders of all open rounds as one source, the earliest round first."""

    def __init__(self) -> None:
        self.open: dict[int, Ladder] = {}
        self.closing = False
        self.seconds: list[float] = []

    @property
    def stopped(self) -> dict[str, Stopped]:
        """Who was stopped on the ladders that are still open."""
        return {trial: stopped for ladder in self.open.values() for trial, stopped in ladder.stopped.items()}

    def tell(self, trial: str, rung: str, seed: int, val: float | None) -> None:
        for ladder in self.open.values():
            ladder.tell(trial, rung, seed, val)

    def next(self, eager: bool = True) -> Request | None:
        """What is due in any round; a worker that would have nothing to do takes what leads so far (Li et al., 2020)."""
        return self._first(eager=False) or (self._first(eager=True) if eager else None)

    def _first(self, eager: bool) -> Request | None:
        return next((request for _, ladder in sorted(self.open.items()) if (request := ladder.next(eager)) is not None), None)

    @property
    def over(self) -> bool:
        return self.closing and all(ladder.over for ladder in self.open.values())

    def leave_time(self, round_: int, thinking_s: float, workers: int) -> bool:
        """Whether the agents should think about the next round now; never before each trial of this one has shown something."""
        waiting = sum(ladder.due() for ladder in self.open.values())
        running = sum(ladder.pending for ladder in self.open.values())
        last = self.seconds[-2 * workers :]
        left_s = (waiting + running) * sum(last) / max(1, len(last)) / workers
        return self.open[round_].screened and (left_s <= thinking_s or (waiting == 0 and running < workers))


def _thinks_by_rules(house: House) -> bool:
    return isinstance(house.planner, RulePlanner) and isinstance(house.coder, RuleCoder) and isinstance(house.analyst, RuleAnalyst)
