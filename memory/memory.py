"""The contract of memory, and the maker that lives as long as one run: its trials and findings, and the paper cards.

``recall`` answers a question about a task with evidence of three kinds, each with an id that a proposal can cite and ``get`` can check:
``trial:<id>``, ``finding:<id>``, ``card:<id>``. Retrieved text is data: one line, without control characters, to be quoted as a source.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from heapq import nlargest
from itertools import islice, zip_longest
from typing import Any, Protocol, TypeVar, runtime_checkable

from agentnas.memory.diversity import jaccard, overlap, spread_out
from agentnas.memory.events import EvaluationFinished, FindingsMade
from agentnas.memory.library import Library, recall_cards, shipped_library
from agentnas.memory.records import (
    LONGEST_TEXT,
    Evidence,
    FindingRecord,
    Kind,
    Record,
    TaskCardLike,
    TaskTrials,
    TrialRecord,
    aim_of,
    card_evidence,
    one_line,
    record_evidence,
    same_aim,
    task_similarity,
)
from agentnas.memory.stems import words
from agentnas.memory.view import JournalView, Standing, named_findings
from agentnas.tools.evaluate.base import PLANNED

__all__ = [
    "LONGEST_TEXT", "Evidence", "FindingRecord", "InMemory", "Kind", "Memory", "Record", "TaskCardLike", "TaskTrials", "TrialRecord",
    "finding_records", "global_id", "one_line", "task_similarity", "trainings_of", "trial_records",
]  # fmt: skip
POOL = 50  # trials from the head of the leaderboard that a recall looks at: keeps recall fast in a run of 10,000 trials
FAILURES = 5
R = TypeVar("R", TrialRecord, FindingRecord)
T = TypeVar("T")


@runtime_checkable
class Memory(Protocol):
    """What remembers. Every maker passes ``tests.memory.conformance.MemoryConformance``."""

    def recall(self, card: TaskCardLike | None, question: str, k: int = 8) -> list[Evidence]:
        """At most ``k`` pieces of evidence, most useful first, no id twice, kinds interleaved while they last.

        The same memory and question give the same answer. A question that matches nothing gives less, or nothing; never an error.
        """
        ...

    def get(self, id: str) -> Evidence | None:  # noqa: A002  # the field's own name
        """The evidence with this id, or None: how a citation is checked to exist."""
        ...

    def past_trials(self, card: TaskCardLike | None) -> list[TaskTrials]:
        """What other runs tried, by task, those most like the card's task first: all that a recall may show, up to a bound."""
        ...

    def add_trials(self, trials: Iterable[TrialRecord]) -> None:
        """Remember trials; a trial whose id is known replaces the old one."""
        ...

    def add_findings(self, findings: Iterable[FindingRecord]) -> None:
        """Remember findings; a finding whose id is known replaces the old one."""
        ...

    def keep(self) -> None:
        """The run ends: what is to outlive it is written, or will be at a later start. Never an error."""
        ...


class InMemory:
    """Memory over a run's journal view, records that were added, and the cards that ship. Reads the view live: nothing is added to it.

    ``run`` is the name of the view's run: records ``<run>/...`` are its own trials and findings, told once and under their ids in the run.
    """

    def __init__(self, view: JournalView | None = None, run: str = "") -> None:
        self.view, self.run = view or JournalView(), run
        self._trials: dict[str, TrialRecord] = {}
        self._findings: dict[str, FindingRecord] = {}

    def recall(self, card: TaskCardLike | None, question: str, k: int = 8) -> list[Evidence]:
        """Evidence from this run, from added records and from the cards, as ``Memory.recall`` says."""
        if k <= 0:
            return []
        asked = frozenset(words(question))
        kinds = (
            islice(recall_cards(self._library(), card, question), k),
            islice(_in_turn(self._run_trials(asked), self._other_trials(card, question)), k),
            islice(_in_turn(self._run_findings(asked), self._other_findings(card, question)), k),
        )
        mixed = (evidence for row in zip_longest(*kinds) for evidence in row if evidence is not None)
        return list(islice(mixed, k))

    def get(self, id: str) -> Evidence | None:  # noqa: A002  # the field's own name
        """The evidence with this id, or None; a trial of this run counts once it was evaluated, failed or was rejected."""
        kind, _, name = id.partition(":")
        local = self._own(name) or name
        if kind == "card":
            card = self._library().cards.get(name)
            return card_evidence(card, 1.0, "asked for by its id") if card else self._recalled(id)
        if kind == "trial":
            if self.view.state(local) != "proposed":
                return self._trial_evidence(local)
            return record_evidence(self._trials[name], 1.0) if name in self._trials else self._recalled(id)
        if kind == "finding":
            if local in self.view.named:
                return _finding_evidence(local, *self.view.named[local])
            return record_evidence(self._findings[name], 1.0) if name in self._findings else self._recalled(id)
        return None

    def past_trials(self, card: TaskCardLike | None) -> list[TaskTrials]:
        """The added records of other runs, as ``Memory.past_trials`` says."""
        vector, tasks = tuple(card.vector()) if card is not None else (), dict[str, list[TrialRecord]]()
        for id_, record in sorted(self._trials.items()):
            if self._own(id_) is None and same_aim(aim_of(card), record):
                tasks.setdefault(record.key, []).append(record)
        told = [TaskTrials(key, trials[0].task_vector, tuple(trials)) for key, trials in tasks.items()]
        return sorted(told, key=lambda task: (-task_similarity(vector, task.task_vector), task.key))

    def _recalled(self, id: str) -> Evidence | None:  # noqa: A002  # the field's own name
        """What the journal holds of evidence from other runs that this run was told."""
        told = self.view.recalled.get(id)
        return None if told is None else Evidence.model_validate(told)

    def add_trials(self, trials: Iterable[TrialRecord]) -> None:
        """Remember trials of other runs; those of this run are in its view already."""
        self._trials.update((trial.id, trial) for trial in trials if not self._is_own(trial.id))

    def add_findings(self, findings: Iterable[FindingRecord]) -> None:
        """Remember findings of other runs; those of this run are in its view already."""
        self._findings.update((finding.id, finding) for finding in findings if not self._is_own(finding.id))

    def keep(self) -> None:
        """Nothing outlives the run."""

    def _own(self, name: str) -> str | None:
        """The id within this run of one of its trials or findings; None for another run's, or where this run has no such id."""
        if self.run:
            run, _, local = name.rpartition("/")
            if run == self.run:
                return local
            return None if run else name
        return name if self._holds(name) else None

    def _is_own(self, name: str) -> bool:
        """Whether it is one of the run's own by its name, and the view holds it."""
        local = self._own(name) if self.run else None
        return local is not None and self._holds(local)

    def _holds(self, local: str) -> bool:
        return self.view.state(local) != "proposed" or local in self.view.named

    def _library(self) -> Library:
        return shipped_library()

    def _other_trials(self, card: TaskCardLike | None, question: str) -> Iterator[Evidence]:
        return self._records(self._trials.values(), card, question)

    def _other_findings(self, card: TaskCardLike | None, question: str) -> Iterator[Evidence]:
        return self._records(self._findings.values(), card, question)

    def _run_trials(self, asked: frozenset[str]) -> Iterator[Evidence]:
        """The leaders of this run, those unlike each other and near the question first, and after every third a failure."""
        leaders = _diverse([standing.trial for standing in self.view.leaderboard(POOL)], self._text_of, asked)
        # By id and not as they ended: with several workers that order differs from run to run.
        failures = iter(nlargest(FAILURES, self.view.failed_trials(), key=drafting))
        for count, trial in enumerate(leaders, start=1):
            yield self._trial_evidence(trial)
            if count % 3 == 0 and (failed := next(failures, None)) is not None:
                yield self._trial_evidence(failed)
        yield from map(self._trial_evidence, failures)

    def _text_of(self, trial: str) -> str:
        proposal = self.view.proposals.get(trial)
        return proposal.text if proposal else trial

    def _trial_evidence(self, trial: str) -> Evidence:
        why = "; ".join(part for part in (self._result(trial), self._change(trial)) if part)
        return Evidence(id=f"trial:{trial}", kind="trial", similarity=1.0, text=one_line(self._text_of(trial)), why=one_line(why))

    def _result(self, trial: str) -> str:
        standing = self.view.standing(trial)
        if standing is not None:
            noise = "?" if standing.val_sd is None else f"{standing.val_sd:.2f}"
            rank = f"rank {self.view.rank(trial)} of {self.view.num_ranked} in this run"
            return f"validation {standing.val_mean:.2f} ± {noise} ({standing.rung}, seeds {standing.seeds}), {rank}"
        failures = self.view.failures(trial)
        if failures:
            return f"failed in this run: {failures[-1].kind}: {failures[-1].reason}"
        return f"rejected in this run: {self.view.rejected[trial]}"

    def _change(self, trial: str) -> str:
        proposal = self.view.proposals.get(trial)
        if proposal is None or proposal.factor is None:
            return ""
        return f"changed {proposal.factor} ({proposal.change or '?'}) against {proposal.parent or '?'}"

    def _run_findings(self, asked: frozenset[str]) -> Iterator[Evidence]:
        """Of the newest findings, those nearest to the question first."""
        newest = islice(self._findings_of_run(), POOL)
        near = sorted(newest, key=lambda item: -overlap(asked, _told(item[2])))
        return (_finding_evidence(*item) for item in near)

    def _findings_of_run(self) -> Iterator[tuple[str, FindingsMade, Mapping[str, Any]]]:
        """The findings of the newest round first."""
        for _, made in sorted(self.view.findings.items(), reverse=True):
            for name, finding in named_findings(made):
                yield name, made, finding

    def _records(self, records: Iterable[R], card: TaskCardLike | None, question: str) -> Iterator[Evidence]:
        """Records of the most similar tasks first, then those nearest to the question; those of this run are told by its view."""
        asked, vector = frozenset(words(question)), tuple(card.vector()) if card is not None else ()
        aim = aim_of(card)
        others = [record for record in records if self._own(record.id) is None and same_aim(aim, record)]
        scored = [(task_similarity(vector, record.task_vector), overlap(asked, record.text), record) for record in others]
        for similarity, _, record in sorted(scored, key=lambda item: (-item[0], -item[1], item[2].id)):
            yield record_evidence(record, similarity)


def trial_records(view: JournalView, trials: Iterable[str], vector: Sequence[float] = (), *, run: str = "") -> list[TrialRecord]:
    """Records of those of a run's trials that have a score; ids ``<run>/t0003``, without ``run`` those in the run, for that run alone."""
    standings = [standing for trial in trials if (standing := view.standing(trial)) is not None and trial in view.proposals]
    task, protocol = (view.started.task, view.started.protocol) if view.started else ("", "")
    return [
        TrialRecord(
            id=global_id(run, standing.trial), task=task, task_vector=tuple(vector), text=view.proposals[standing.trial].text,
            spec_hash=view.proposals[standing.trial].spec_hash, val=standing.val_mean, cut=was_cut(view, standing), protocol=protocol,
            aim=_aim(view),
        )
        for standing in standings
    ]  # fmt: skip


def finding_records(view: JournalView, round: int, vector: Sequence[float] = (), *, run: str = "") -> list[FindingRecord]:  # noqa: A002
    """Records of a round's findings; ids ``<run>/r2-1`` and trials ``<run>/t0003``, without ``run`` as in the run, for that run alone."""
    made, task = view.findings.get(round), view.started.task if view.started else ""
    return [
        FindingRecord(
            id=global_id(run, name), task=task, task_vector=tuple(vector), text=_told(finding),
            trials=tuple(global_id(run, trial) for trial in finding.get("trials", ())), aim=_aim(view),
        )
        for name, finding in (named_findings(made) if made else ())
    ]  # fmt: skip


def was_cut(view: JournalView, standing: Standing) -> bool:
    """Whether the time limit of a training ended one of those that a standing is the mean of."""
    return any(PLANNED in done.details for done in trainings_of(view, standing))


def trainings_of(view: JournalView, standing: Standing) -> list[EvaluationFinished]:
    """The trainings that a standing is the mean of."""
    full = view.started.full if view.started else ()
    rungs = full if standing.rung in full else (standing.rung,)
    return [done for rung in rungs for done in view.evaluations(standing.trial, rung)]


def _aim(view: JournalView) -> str:
    return str((view.card or {}).get("aim", ""))


def global_id(run: str, name: str) -> str:
    """The id of a run's trial or finding outside of the run."""
    return f"{run}/{name}" if run else name


def drafting(trial: str) -> tuple[int, str]:
    """The order of drafting: t10000 comes after t9999."""
    return len(trial), trial


def _diverse(trials: list[str], text_of: Callable[[str], str], asked: frozenset[str]) -> Iterator[str]:
    """The leaders, those near the question first and those unlike each other."""
    bags = {trial: frozenset(words(text_of(trial))) for trial in trials}
    worth = {trial: 1 - rank / POOL + jaccard(asked, bags[trial]) for rank, trial in enumerate(trials)}
    return spread_out(worth, bags)


def _in_turn(first: Iterator[T], second: Iterator[T]) -> Iterator[T]:
    """One of each while both last."""
    return (item for pair in zip_longest(first, second) for item in pair if item is not None)


def _finding_evidence(name: str, made: FindingsMade, finding: Mapping[str, Any]) -> Evidence:
    why = f"concluded in round {made.round} of this run by {finding.get('author') or made.author}"
    return Evidence(id=f"finding:{name}", kind="finding", similarity=1.0, text=one_line(_told(finding)), why=one_line(why))


def _told(finding: Mapping[str, Any]) -> str:
    return str(finding.get("text") or "; ".join(f"{key}: {value}" for key, value in finding.items()))
