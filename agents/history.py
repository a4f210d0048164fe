"""A run's records, kept from event to event: only trials that an event touched are built anew and move on the leaderboard.

``Ledger`` follows the journal; ``History`` is what it hands out: a tuple of all records, frozen, that knows its order by score. A snapshot
costs a few copies of lists, and questions about the whole run (leader, trials with most seeds, best of each round) no walk over it.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

from agentnas.agents.record import Record, full_mean
from agentnas.memory.view import JournalView
from agentnas.tools.spec.model import ArchitectureSpec, parse_spec

if TYPE_CHECKING:
    from agentnas.tools.evaluate.base import Rung

# (-score, place among the records): ascending is best first, ties go to the earlier trial.
Place = tuple[float, int]


class History(tuple[Record, ...]):
    """All records in the order of drafting, and the order by score of those that were trained in full and never failed.

    Scores are plain means: of a task with several splits, ``Situation`` makes the order itself.
    """

    board: tuple[Place, ...] = ()
    trusted_board: tuple[Place, ...] = ()
    """Of those on the board, the ones with the most seeds."""
    anchors: tuple[int, ...] = ()
    failed: tuple[int, ...] = ()
    repeated: tuple[int, ...] = ()
    """Those with several seeds, in training or in confirmation."""
    best_by_round: Mapping[int, tuple[float, int]] = {}
    """Best score of each round, with its number of seeds."""
    hashes: frozenset[str] = frozenset()
    """Canonical hashes of all that was proposed."""
    places: Mapping[str, int] = {}
    """Where each trial stands; also of trials that came later."""

    @cached_property
    def ranked(self) -> tuple[Record, ...]:
        """Records on the board, best first."""
        return tuple(self.best(len(self)))

    def best(self, count: int) -> list[Record]:
        """The best ``count`` on the board."""
        return [self[place] for _, place in self.board[:count]]

    def trusted(self, count: int) -> list[Record]:
        """The best ``count`` with the most seeds, then of all others."""
        most = [self[place] for _, place in self.trusted_board[:count]]
        known = set(self.trusted_board) if len(most) < count else set()
        others = (self[place] for score, place in self.board if (score, place) not in known)
        return most + list(islice(others, count - len(most)))

    def ranked_anchors(self) -> list[Record]:
        """The anchors on the board, best first."""
        return [self[place] for place in self.anchors]

    def find(self, trial: str) -> Record | None:
        """The record of a trial; None where there is none."""
        place = self.places.get(trial, len(self))
        return self[place] if place < len(self) else None


class Ledger:
    """Records of a journal's view; asking it brings it up to date."""

    def __init__(self, view: JournalView, rungs: Sequence[Rung]) -> None:
        self._view, self._rungs = view, rungs
        self._read = 0
        self._records: list[Record] = []
        self._places: dict[str, int] = {}
        self._specs: dict[str, ArchitectureSpec] = {}
        self._board: list[Place] = []
        self._by_seeds: dict[int, list[Place]] = {}
        self._stands: dict[int, tuple[Place, int]] = {}
        self._anchors: set[int] = set()
        self._failed: set[int] = set()
        self._repeated: set[int] = set()
        self._in_round: dict[int, list[int]] = {}
        self._best: dict[int, tuple[float, int]] = {}
        self._hashes: set[str] = set()
        self._all_hashes: frozenset[str] = frozenset()
        self._made: History | None = None

    def record(self, trial: str) -> Record:
        """What the journal holds of one trial."""
        self._catch_up()
        return self._records[self._places[trial]]

    def history(self) -> History:
        """All records; the same object while no event touched a trial."""
        self._catch_up()
        if self._made is None:
            self._made = self._snapshot()
        return self._made

    def _snapshot(self) -> History:
        made = History(self._records)
        made.board = tuple(self._board)
        made.trusted_board = tuple(self._by_seeds[max(self._by_seeds)]) if self._by_seeds else ()
        made.anchors = tuple(sorted((place for place in self._anchors if place in self._stands), key=lambda place: self._stands[place][0]))
        made.failed, made.repeated = tuple(sorted(self._failed)), tuple(sorted(self._repeated))
        made.best_by_round, made.places = dict(self._best), self._places
        if len(self._all_hashes) < len(self._hashes):
            self._all_hashes = frozenset(self._hashes)
        made.hashes = self._all_hashes
        return made

    def _catch_up(self) -> None:
        touched = self._view.touched[self._read :]
        if touched:
            self._read += len(touched)
            self._made = None
            for trial in dict.fromkeys(touched):
                if trial in self._view.proposals:
                    self._take(trial)

    def _take(self, trial: str) -> None:
        record = self._build(trial)
        place = self._places.setdefault(trial, len(self._records))
        if place == len(self._records):
            self._records.append(record)
            self._hashes.add(record.proposal.spec_hash)
            self._in_round.setdefault(record.round, []).append(place)
        self._records[place] = record
        self._stand(place, record)
        if record.proposal.anchor:
            self._anchors.add(place)
        if record.failures:
            self._failed.add(place)
        if record.is_repeated(self._rungs):
            self._repeated.add(place)
        self._rate_round(record.round)

    def _stand(self, place: int, record: Record) -> None:
        """Move the record to where its score belongs on the boards."""
        if place in self._stands:
            stood, seeds = self._stands.pop(place)
            _remove(self._board, stood)
            _remove(self._by_seeds[seeds], stood)
            if not self._by_seeds[seeds]:
                del self._by_seeds[seeds]
        score = full_mean(record, self._rungs)
        if score is None or record.failures:
            return
        stands, seeds = (-score if math.isfinite(score) else math.inf, place), len(record.full_scores(self._rungs))
        insort(self._board, stands)
        insort(self._by_seeds.setdefault(seeds, []), stands)
        self._stands[place] = stands, seeds

    def _rate_round(self, round_: int) -> None:
        """What the round's best is; ties go to more seeds."""
        found = max(self._rated(round_), default=None)
        if found is not None:
            self._best[round_] = found

    def _rated(self, round_: int) -> Iterator[tuple[float, int]]:
        for record in (self._records[place] for place in self._in_round[round_]):
            score = full_mean(record, self._rungs)
            if score is not None:
                yield score, len(record.full_scores(self._rungs))

    def _build(self, trial: str) -> Record:
        view, proposal = self._view, self._view.proposals[trial]
        if trial not in self._specs:
            self._specs[trial] = parse_spec(proposal.spec)
        scores: dict[str, dict[int, float]] = {}
        done = view.evaluations(trial)
        for evaluation in done:
            scores.setdefault(evaluation.rung, {})[evaluation.seed] = evaluation.val
        failed = {(f.rung, f.seed): f"{f.kind}: {f.reason}" for f in view.failures(trial)}
        return Record(
            proposal, self._specs[trial], scores, view.round_of[trial], view.profiles.get(trial, {}), view.rejected.get(trial),
            failed, sum(e.seconds for e in done), tuple(done), {rung: e.reason for rung, e in view.stopped.get(trial, {}).items()},
        )  # fmt: skip


def _remove(places: list[Place], place: Place) -> None:
    del places[bisect_left(places, place)]
