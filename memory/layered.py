"""A run's memory: what it does itself, then what outlives it. The store may fail at any moment; the run goes on without it and says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from typing import TypeVar

from agentnas.memory import recalling
from agentnas.memory.keeping import keep_run
from agentnas.memory.kin import design_key
from agentnas.memory.library import Library, shipped_library
from agentnas.memory.memory import InMemory
from agentnas.memory.records import Evidence, TaskCardLike, TaskTrials
from agentnas.memory.store import Store
from agentnas.memory.view import JournalView
from agentnas.tools.errors import StoreError
from agentnas.tools.spec.model import parse_spec

T = TypeVar("T")


class Layered(InMemory):
    """This run's own trials and findings in turn with those of other runs; cards from the store, or those that ship.

    ``note`` is told once, in a line, that the store went away; it is asked again at the next recall, and told when it is back.
    """

    def __init__(self, view: JournalView, run: str, store: Store, note: Callable[[str], None]) -> None:
        super().__init__(view, run)
        self.store = store
        self._note = note
        self._away = False
        self._kept = False
        self._designs: dict[str, str] = {}
        self._alike: dict[str, list[str]] = {}

    def get(self, id: str) -> Evidence | None:  # noqa: A002  # the field's own name
        """The evidence with this id, of this run or another; what this run was told stays known while the store is away."""
        return super().get(id) or self._ask(lambda: self.store.get(id), None)

    def past_trials(self, card: TaskCardLike | None) -> list[TaskTrials]:
        """What the store knows of other runs; nothing while it is away."""
        return self._ask(lambda: self.store.past_trials(card, self.run), [])

    def keep(self) -> None:
        """Write the run's trials and findings to the store; while that is away, a later start does it from the journal."""
        self._kept = self._ask(lambda: keep_run(self.store, self.view, self.run), False)

    def settle(self, journal_bytes: int) -> None:
        """The journal has ended: where the run was kept, it need not be read again."""
        if self._kept:
            with suppress(StoreError):  # then a later start reads it once more, and writes the same
                self.store.mark(self.store.mark_of(self.run)._replace(journal_bytes=journal_bytes))

    def _library(self) -> Library:
        return self._ask(self.store.library, shipped_library())

    def _other_trials(self, card: TaskCardLike | None, question: str) -> Iterator[Evidence]:
        return self._ask(lambda: self.store.recall_trials(self._asked(card, question)), iter(()))

    def _other_findings(self, card: TaskCardLike | None, question: str) -> Iterator[Evidence]:
        return self._ask(lambda: self.store.recall_findings(self._asked(card, question)), iter(()))

    def _asked(self, card: TaskCardLike | None, question: str) -> recalling.Asked:
        return self.store.asked(card, question, self.run, self.own_scores())

    def own_scores(self) -> dict[str, float]:
        """This run's scores on its leaders' rung by design, higher being better: of the first designs that have one, in the order of
        drafting, as many as a recall compares."""
        best = self.view.best
        if best is None:
            return {}
        self._sort_by_design()
        scores: dict[str, float] = {}
        for trial in self.view.proposals:
            if len(scores) == recalling.MOST_SHARED:
                break
            standing = self.view.standing(trial)
            if standing is not None and standing.rung == best.rung and (design := self._designs[trial]) not in scores:
                scores[design] = max(self._scores_of(design, best.rung))
        return scores

    def _scores_of(self, design: str, rung: str) -> Iterator[float]:
        """Scores of all trials with this design on a rung, higher being better."""
        for trial in self._alike[design]:
            standing = self.view.standing(trial)
            if standing is not None and standing.rung == rung:
                yield standing.val_mean if self.view.higher_is_better else -standing.val_mean

    def _sort_by_design(self) -> None:
        """Put trials that were drafted since under their designs."""
        for trial, proposal in islice(self.view.proposals.items(), len(self._designs), None):
            self._designs[trial] = design_key(parse_spec(proposal.spec))
            self._alike.setdefault(self._designs[trial], []).append(trial)

    def _ask(self, question: Callable[[], T], otherwise: T) -> T:
        try:
            answer = question()
        except StoreError as error:
            if not self._away:
                self._note(f"{error}; the run goes on without it, and what it learns is written later")
            self._away = True
            return otherwise
        if self._away:
            self._note(f"the memory in {self.store.shelf.place} is back")
        self._away = False
        return answer
