"""What the nodes of the graph work with: the journal, the evaluator, the memory, the three agents, the budget. The run's own state lies
in the journal; what the agents see of it is built here.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, wraps
from statistics import fmean
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

from agentnas.agents.baselines import Baselines, seconds_for
from agentnas.agents.history import Ledger
from agentnas.agents.llm.spending import Limits as LLMLimits
from agentnas.agents.people import messages
from agentnas.agents.roles import Analyst, Coder, Planner
from agentnas.agents.selection import FINALISTS, MOST_FINALISTS, Finalists, eligible, estimated, finalists, screened
from agentnas.agents.situation import Left, Record, Situation, bounds_before, turned_down
from agentnas.agents.transfer_drafts import Transfer
from agentnas.memory.events import FinalistsChosen
from agentnas.memory.inbox import Inbox
from agentnas.memory.journal import Journal
from agentnas.memory.memory import Evidence, Memory
from agentnas.memory.view import JournalView
from agentnas.tools.evaluate.base import Evaluator, Limits
from agentnas.tools.evaluate.fitting import Room
from agentnas.tools.tasks.card import TaskCard

if TYPE_CHECKING:
    from agentnas.agents.feeder import Feeder

P = ParamSpec("P")
R = TypeVar("R")

# Pieces of evidence a round: what is near the question, and designs of earlier tasks that promise most here.
RECALLED, SUGGESTED = 8, 4
# At most this share of a run's time goes into confirmation: fresh seeds for the finalists and the anchors they are compared with.
CONFIRM_SHARE = 0.45
# Active seconds kept for opening the test, export and report; of a short run, at most this share.
CLOSING_S = 8.0
CLOSING_SHARE = 0.1
# Confirmation is planned for this much more than it is expected to take: a seed that time cuts off is a seed less for everybody.
MARGIN = 1.35


def at_rest(method: Callable[Concatenate[House, P], R]) -> Callable[Concatenate[House, P], R]:
    """The view stands still while the method reads it: results may come in beside the graph."""

    @wraps(method)
    def reading(self: House, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with self.journal.reading():
            return method(self, *args, **kwargs)

    return reading


@dataclass(frozen=True)
class Budget:
    """Hard limits of a run. ``trials`` counts trials that reached the first training rung; ``seconds`` are active seconds, added up over
    resumes, confirmation included. None is no limit."""

    trials: int | None
    seconds: float | None


@dataclass
class House:
    """Everything that a run needs, wired by the caller. ``batch`` is the number of trials a round, ``workers`` how many run at a time;
    with ``review`` each plan waits until a person has left their decision in the ``inbox``; ``transfer`` is what earlier tasks teach;
    ``room`` is what a training may take of this machine's memory, None where that is not known; ``baselines`` need no network, None where
    they are not asked for."""

    journal: Journal
    evaluator: Evaluator
    memory: Memory
    planner: Planner
    coder: Coder
    analyst: Analyst
    budget: Budget
    limits: Limits
    seed: int
    batch: int
    workers: int
    make_card: Callable[[], TaskCard]
    export: Callable[[], tuple[str, ...]]
    report: Callable[[], None]
    stop_requested: threading.Event = field(default_factory=threading.Event)
    llm_limits: LLMLimits = field(default_factory=LLMLimits)
    inbox: Inbox | None = None
    review: bool = False
    transfer: Transfer | None = None
    room: Room | None = None
    baselines: Baselines | None = None
    goal: str = ""
    """What the owner wants searched, in their words."""
    trial_time_s: float = math.inf
    """Seconds after which a training ends with its best epoch."""
    _reserve: tuple[int, float] = (-1, 0.0)

    @property
    def name(self) -> str:
        """The run's name: that of its directory."""
        return self.journal.path.parent.name

    @property
    def view(self) -> JournalView:
        return self.journal.view

    @cached_property
    def feeder(self) -> Feeder:
        """Who hands work to the evaluator."""
        from agentnas.agents.feeder import Feeder

        return Feeder(self)

    @property
    def thinks_ahead(self) -> bool:
        """Whether agents think about the next round while this one's last trainings run.

        Not in a run that trials bound, which is the same on any machine; nor where a person reviews plans, where designs are timed (busy
        workers would lengthen that), or over a table, where nothing takes time.
        """
        bounded = self.budget.trials is None and self.budget.seconds is not None
        return bounded and not self.review and not self.limits.measured and self.evaluator.confirm_seeds > 0

    def card(self) -> TaskCard:
        return TaskCard.model_validate(self.view.card)

    @cached_property
    def _ledger(self) -> Ledger:
        return Ledger(self.view, self.evaluator.rungs)

    @at_rest
    def record(self, trial: str) -> Record:
        """What the journal holds of one trial."""
        return self._ledger.record(trial)

    @at_rest
    def situation(self, round_: int) -> Situation:
        """The snapshot that the agents of a round decide on."""
        recalled = self.view.evidence.get(round_)
        return Situation(
            round=round_,
            seed=self.seed,
            card_text=self.card().text(),
            records=self._ledger.history(),
            rungs=self.evaluator.rungs,
            space=self.evaluator.space,
            limits=self.limits,
            evidence=tuple(Evidence.model_validate(item) for item in recalled.evidence) if recalled else (),
            num_splits=self.evaluator.num_splits,
            metric=self.view.started.metric if self.view.started else "",
            unit=self.view.scale.unit,
            left=self.left(),
            told=messages(self.view, round_),
            plans=self.view.plans,
            findings=self.view.findings,
            correlations=tuple(self.view.correlations),
            batch=self.round_size(round_),
            turned_down=tuple(turned_down(self.view)),
            goal=self.goal,
            bounds=bounds_before(self.view, round_),
        )

    def recalled(self, round_: int, question: str) -> list[Evidence]:
        """Designs of earlier tasks that promise most here, then what is near the question; each piece once."""
        promising = self.transfer.suggestions(self.situation(round_), SUGGESTED) if self.transfer else []
        known = {evidence.id for evidence in promising}
        return promising + [found for found in self.memory.recall(self.card(), question, RECALLED) if found.id not in known]

    @at_rest
    def left(self) -> Left:
        """What is left of every limit."""
        seconds, spent, limits = self.seconds_left(), self.view.calls.total, self.llm_limits
        return Left(
            trials=self.trials_left(),
            seconds=None if seconds is None else max(0.0, seconds),
            cost=None if limits.cost is None else max(0.0, limits.cost - spent.cost),
            tokens=None if limits.tokens is None else max(0, limits.tokens - spent.tokens),
            calls=None if limits.calls is None else max(0, limits.calls - spent.calls),
        )

    def trials_left(self) -> int | None:
        return None if self.budget.trials is None else max(0, self.budget.trials - self.view.num_tried)

    def round_size(self, round_: int) -> int:
        """Trials that a round may propose, or proposed."""
        if round_ in self.view.rounds:
            return len(self.view.rounds[round_])
        left = self.trials_left()
        return self.batch if left is None else min(self.batch, left)

    def seconds_left(self) -> float | None:
        return None if self.budget.seconds is None else self.budget.seconds - self.journal.active_seconds

    @at_rest
    def search_over(self) -> bool:
        """True once nothing new may begin in the search: asked to stop, or only the time for confirmation is left."""
        left = self.seconds_left()
        return self.stop_requested.is_set() or (left is not None and left <= self.confirm_reserve())

    @at_rest
    def confirm_over(self) -> bool:
        """True once no further training of the confirmation is expected to end in time; the first one begins all the same."""
        left = self.seconds_left()
        return self.stop_requested.is_set() or (left is not None and left <= self.closing_s() + self._one_more_s())

    def _one_more_s(self) -> float:
        """Expected seconds of a training of the confirmation; 0 before one has ended."""
        records = [self.record(trial) for trial in self.chosen_finalists().all()]
        known = [seconds for r in records if (seconds := r.full_seconds(self.evaluator.rungs) or r.confirmation_seconds())]
        return fmean(known) if known and any(r.confirmed() for r in records) else 0.0

    def closing_s(self) -> float:
        """Seconds to keep for what comes after the confirmation."""
        assert self.budget.seconds is not None
        baselines = seconds_for(self.budget.seconds) if self.baselines else 0.0
        return min(CLOSING_S, CLOSING_SHARE * self.budget.seconds) + baselines

    def confirm_reserve(self) -> float:
        """Seconds to keep for confirming the finalists and the best anchor of either kind, or before anything was trained in full for
        one such training; bounded by a share of the budget."""
        assert self.budget.seconds is not None
        if self._reserve[0] != self.view.num_events:  # asked several times a second, changes with events alone
            situation = self.situation_of_scores()
            wanted = finalists(situation, MOST_FINALISTS)
            cost = self.confirm_cost(wanted.all()) if wanted.finalists else self._first_s(screened(situation))
            seconds = min(cost + self.closing_s(), CONFIRM_SHARE * self.budget.seconds)
            self._reserve = (self.view.num_events, seconds)
        return self._reserve[1]

    def _first_s(self, shown: Sequence[Record]) -> float:
        """Expected seconds of the first training in full, of the best that short trainings have shown; 0 before any has."""
        return min(shown[0].foreseen_seconds(), self.trial_time_s) if shown else 0.0

    @at_rest
    def situation_of_scores(self) -> Situation:
        """The records alone: enough to rank them."""
        return Situation(
            0,
            self.seed,
            "",
            self._ledger.history(),
            self.evaluator.rungs,
            self.evaluator.space,
            self.limits,
            num_splits=self.evaluator.num_splits,
            metric=self.view.scale.metric,
            unit=self.view.scale.unit,
        )

    def confirm_cost(self, trials: Sequence[str]) -> float:
        """Expected seconds to train the trials with all confirmation seeds on all workers, with a margin."""
        seconds = sum(self.record(trial).full_seconds(self.evaluator.rungs) for trial in trials)
        return MARGIN * seconds * self.evaluator.confirm_seeds / self.workers

    @at_rest
    def pick_finalists(self) -> Finalists:
        """Finalists as many as time allows; a run bounded by trials alone always confirms the same number. Where nothing was trained in
        full, those that short trainings showed best, and nothing to compare them with."""
        if not eligible(self.situation_of_scores()):
            return Finalists(tuple(record.trial for record in screened(self.situation_of_scores())[:FINALISTS]), None, None)
        situation, left = self.situation_of_scores(), self.seconds_left()
        estimates, count = estimated(situation, self.transfer)[0], FINALISTS if left is None else MOST_FINALISTS
        while left is not None and count > 1 and self.confirm_cost(finalists(situation, count, estimates).all()) > left - self.closing_s():
            count -= 1
        return finalists(situation, count, estimates)

    def chosen_finalists(self) -> Finalists:
        event = self.view.finalists
        assert isinstance(event, FinalistsChosen)
        return Finalists(event.finalists, event.plain_anchor, event.strong_anchor, event.start)
