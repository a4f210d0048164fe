"""The memory that outlives runs: trials and findings of all runs and the paper cards, in Chroma, and which runs are in it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice, zip_longest
from typing import NamedTuple

from agentnas.memory import recalling
from agentnas.memory.cards import PaperCard, shipped_cards
from agentnas.memory.codec import TaskRecord, card_data, data_of, layout, read
from agentnas.memory.embedding import Embedder, Lexical, Vectors
from agentnas.memory.kin import Belief, graph_of
from agentnas.memory.library import Library, library_of, recall_cards
from agentnas.memory.recalling import Asked
from agentnas.memory.records import (
    Evidence,
    FindingRecord,
    Record,
    TaskCardLike,
    TaskTrials,
    TrialRecord,
    aim_of,
    card_evidence,
    record_evidence,
)
from agentnas.memory.shelf import Data, Item, Name, Shelf
from agentnas.tools.errors import DataError

EVERYTHING = "*"
# What a transfer learns from: tasks, most like the one that is asked about first, and trials of each.
PAST_TASKS, PAST_TRIALS = 6, 400


class RunMark(NamedTuple):
    """What the store knows of a run: the size of its journal when it was read, and the ids that a person made it forget (``*``: all)."""

    run: str
    journal_bytes: int = 0
    forgotten: frozenset[str] = frozenset()

    def forgetting(self, ids: Iterable[str]) -> RunMark:
        """The mark of a run that also forgets these."""
        return self._replace(forgotten=self.forgotten | frozenset(ids))

    def forgets(self, record: Record) -> bool:
        """Whether a record of this run must not come back."""
        return EVERYTHING in self.forgotten or record.id in self.forgotten


class Known(NamedTuple):
    """What is read once for each state of the store."""

    tasks: dict[str, TaskRecord]
    library: Library


class Store:
    """Memory in a folder, or on a Chroma server (``http://HOST:PORT``). Safe for many processes; see ``memory.shelf``.

    ``forget_task`` leaves the trials and findings of every task on the same graph out of what is recalled, whatever its name or split.
    Raises ConfigError for a store that another embedder filled; every method raises StoreError when the store cannot be used.
    """

    def __init__(self, place: str, embedder: Embedder | None = None, *, forget_task: bool = False) -> None:
        self.embedder = embedder or Lexical()
        self.forget_task = forget_task
        self.shelf = Shelf(place, layout(self.embedder))
        self._last: tuple[str, Vectors] | None = None
        self._stamp: tuple[int, ...] = ()
        self._known: Known | None = None
        self._believed: tuple[tuple[int, ...], Asked, dict[str, Belief]] | None = None
        self._put_shipped_cards()

    def recall(self, card: TaskCardLike | None, question: str, k: int = 8, aim: str | None = None) -> list[Evidence]:
        """Evidence from all runs and the cards, as ``Memory.recall`` says; with ``aim``, of tasks that predict this (``same_aim``)."""
        asked = self.asked(card, question, aim=aim)
        with self.shelf.reading():
            trials, findings, library = self.recall_trials(asked), self.recall_findings(asked), self._read_known().library
        kinds = (islice(kind, max(0, k)) for kind in (recall_cards(library, card, question), trials, findings))
        mixed = (evidence for row in zip_longest(*kinds) for evidence in row if evidence is not None)
        return list(islice(mixed, max(0, k)))

    def recall_trials(self, asked: Asked) -> Iterator[Evidence]:
        """Good trials of tasks like the one that is asked about, most useful first. The iterator itself reads nothing."""
        text = self._embedded(asked.question)
        with self.shelf.reading():
            return recalling.recall_trials(self.shelf, text, self._read_known().tasks, self._trusted(asked), asked)

    def recall_findings(self, asked: Asked) -> Iterator[Evidence]:
        """Findings and edits near the question, most useful first. The iterator itself reads nothing."""
        text = self._embedded(asked.question)
        with self.shelf.reading():
            return recalling.recall_findings(self.shelf, text, self._trusted(asked), asked)

    def get(self, id: str) -> Evidence | None:  # noqa: A002  # the field's own name
        """The evidence with this id, or None."""
        kind, _, name = id.partition(":")
        with self.shelf.reading():
            if kind == "card":
                card = self._read_known().library.cards.get(name)
                return card_evidence(card, 1.0, "asked for by its id") if card else None
            if kind == "trial" and (found := self.shelf.get("trials", [name])):
                return record_evidence(read(found[name], TrialRecord), 1.0)
            if kind == "finding" and (found := self.shelf.get("findings", [name])):
                return record_evidence(read(found[name], FindingRecord), 1.0)
        return None

    def add_trials(self, trials: Iterable[TrialRecord]) -> None:
        """Remember trials; a trial whose id is known replaces the old one."""
        self.put(trials, ())

    def add_findings(self, findings: Iterable[FindingRecord]) -> None:
        """Remember findings; a finding whose id is known replaces the old one."""
        self.put((), findings)

    def put(
        self,
        trials: Iterable[TrialRecord],
        findings: Iterable[FindingRecord],
        tasks: Iterable[TaskRecord] = (),
        mark: RunMark | None = None,
    ) -> None:
        """Write what belongs together at once. A task that is not described gets what its records say of it."""
        trials, findings, described = list(trials), list(findings), {task.id: task for task in tasks}
        with self.shelf.writing():
            mentioned = {record.key: _task_of(record) for record in (*trials, *findings) if record.key not in described}
            new = mentioned.keys() - self.shelf.get("tasks", list(mentioned)).keys()
            self._upsert("tasks", {**described, **{key: mentioned[key] for key in sorted(new)}}.values())
            self._upsert("findings", findings)
            self._upsert("trials", trials)
            if mark is not None:
                self._mark(mark)

    def put_rows(self, name: Name, rows: Mapping[str, Data]) -> None:
        """Write records as another store of the same schema kept them."""
        with self.shelf.writing():
            self._upsert_rows(name, rows)

    def keep(self) -> None:
        """Nothing to do: what was added is written already."""

    def add_cards(self, cards: Sequence[PaperCard]) -> None:
        """Remember paper cards; one whose id is known replaces the old one. Raises DataError for the id of a card that ships."""
        if taken := [card.id for card in cards if card.id in shipped_cards()]:
            raise DataError(f"card id {taken[0]!r} is that of a card that ships with AgentNAS; give yours another id")
        with self.shelf.writing():
            self._put_cards(cards, shipped=False)

    def beliefs(self, asked: Asked) -> dict[str, Belief]:
        """By task, how far what was learnt there can be trusted here; most trusted first."""
        with self.shelf.reading():
            return dict(self._trusted(asked))

    def trials_of(self, key: str, most: int | None = None) -> list[TrialRecord]:
        """The trials of a task (``Record.key``), by id; some of them where there are more than ``most``."""
        with self.shelf.reading():
            return [read(data, TrialRecord) for data in self.shelf.get("trials", where={"key": key}, limit=most).values()]

    def past_trials(self, card: TaskCardLike | None, run: str = "") -> list[TaskTrials]:
        """What runs but ``run`` tried, as ``Memory.past_trials`` says."""
        asked, found = self.asked(card, "", run), list[TaskTrials]()
        with self.shelf.reading():
            tasks = self._read_known().tasks
            for key in self._trusted(asked):
                trials = tuple(trial for trial in self.trials_of(key, PAST_TRIALS) if asked.allows(trial))
                found += [TaskTrials(key, tasks[key].task_vector, trials)] if trials else []
                if len(found) == PAST_TASKS:
                    break
        return found

    def size(self) -> tuple[int, int]:
        """How many trials, and of how many tasks."""
        with self.shelf.reading():
            return self.shelf.count("trials"), len(self._read_known().tasks)

    def tasks(self) -> dict[str, TaskRecord]:
        """The tasks that were tried, by ``Record.key``."""
        with self.shelf.reading():
            return dict(self._read_known().tasks)

    def library(self) -> Library:
        """The paper cards, shipped and added."""
        with self.shelf.reading():
            return self._read_known().library

    def marks(self) -> dict[str, RunMark]:
        """The runs that the store knows, by name."""
        with self.shelf.reading():
            return {name: _mark_of(name, data) for name, data in self.shelf.get("runs").items()}

    def mark_of(self, run: str) -> RunMark:
        """What the store knows of one run."""
        with self.shelf.reading():
            found = self.shelf.get("runs", [run])
        return _mark_of(run, found[run]) if found else RunMark(run)

    def mark(self, mark: RunMark) -> None:
        """Note what is known of a run."""
        with self.shelf.writing():
            self._mark(mark)

    def asked(
        self, card: TaskCardLike | None, question: str, run: str = "", own: Mapping[str, float] | None = None, aim: str | None = None
    ) -> Asked:  # fmt: skip
        """A question about a task as this store answers it."""
        vector = tuple(card.vector()) if card is not None else ()
        return Asked(question, vector, graph_of(card), run, own or {}, self.forget_task, aim or aim_of(card))

    def close(self) -> None:
        """Free the store's files or its connection."""
        self.shelf.close()

    def _embedded(self, question: str) -> Vectors:
        """The question's vector, made once for both kinds of records: it may cost money."""
        if self._last is None or self._last[0] != question:
            self._last = question, self.embedder.embed([question])[0]
        return self._last[1]

    def _trusted(self, asked: Asked) -> dict[str, Belief]:
        """Inside ``reading``; the same for all questions of a round."""
        about, known = replace(asked, question=""), self._read_known()
        if self._believed is None or self._believed[:2] != (self._stamp, about):
            self._believed = self._stamp, about, recalling.beliefs(self.shelf, list(known.tasks.values()), asked)
        return self._believed[2]

    def _read_known(self) -> Known:
        """Inside ``reading``. Of a server nobody knows who writes: its counts tell most changes."""
        stamp: tuple[int, ...] = (self.shelf.generation,)
        if self.shelf.is_server:
            stamp += tuple(self.shelf.count(name) for name in ("papers", "tasks", "trials"))
        if self._known is None or self._stamp != stamp:
            tasks = {key: read(data, TaskRecord) for key, data in self.shelf.get("tasks").items()}
            self._known = Known(tasks, library_of(read(data, PaperCard) for data in self.shelf.get("papers").values()))
            self._stamp = stamp
        return self._known

    def _put_shipped_cards(self) -> None:
        """The cards of this version, once; those that an older version shipped go."""
        with self.shelf.reading():
            stored = {id_: read(data, PaperCard) for id_, data in self.shelf.get("papers", where={"shipped": True}).items()}
        if stored == dict(shipped_cards()):
            return
        with self.shelf.writing():
            self.shelf.delete("papers", sorted(stored.keys() - shipped_cards().keys()))
            self._put_cards([card for id_, card in shipped_cards().items() if stored.get(id_) != card], shipped=True)

    def _put_cards(self, cards: Sequence[PaperCard], *, shipped: bool) -> None:
        self._upsert_rows("papers", {card.id: card_data(card, shipped) for card in cards})

    def _upsert(self, name: Name, records: Iterable[Record]) -> None:
        self._upsert_rows(name, {record.id: data_of(record) for record in records})

    def _upsert_rows(self, name: Name, rows: Mapping[str, Data]) -> None:
        if rows:
            vectors = self.shelf.layout.vectors(name, list(rows.values()))
            self.shelf.upsert(name, [Item(id_, vector, data) for (id_, data), vector in zip(rows.items(), vectors, strict=True)])

    def _mark(self, mark: RunMark) -> None:
        data = {"journal_bytes": mark.journal_bytes, "forgotten": json.dumps(sorted(mark.forgotten))}
        self._upsert_rows("runs", {mark.run: data})


def _mark_of(run: str, data: Data) -> RunMark:
    return RunMark(run, int(data.get("journal_bytes", 0)), frozenset(json.loads(data.get("forgotten", "[]"))))


def _task_of(record: Record) -> TaskRecord:
    return TaskRecord(
        id=record.key,
        task=record.task,
        task_vector=record.task_vector,
        protocol=record.protocol,
        graph=record.graph,
        aim=record.aim,
        text="",
    )
