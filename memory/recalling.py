"""What the store answers to a question: good trials of tasks like this one, and findings, unlike each other, each with its reason.

Where a task is asked about, its likeness to every known task is a belief that starts from the cards and is updated by the designs that
this run and the memory have both tried.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from agentnas.memory.codec import TaskRecord, finding_query, pair_of, read, trial_query
from agentnas.memory.diversity import overlap, spread_out
from agentnas.memory.embedding import Vectors
from agentnas.memory.kin import Belief, belief, same_graph
from agentnas.memory.records import Evidence, FindingRecord, Record, TrialRecord, record_evidence, same_aim, task_similarity
from agentnas.memory.shelf import Data, Name, Shelf
from agentnas.memory.stems import words

R = TypeVar("R", TrialRecord, FindingRecord)
TARGETS = 3  # tasks whose trials are looked for
POOL = 50  # nearest records of each that are weighed
COMPARED = 6  # tasks, nearest by their cards, whose shared designs are compared
MOST_SHARED = 30  # designs of this run that are looked for on them
MOST_ROWS = 500
GOODNESS, NEARNESS = 0.3, 0.3  # against likeness of the task, which counts 1


@dataclass(frozen=True)
class Asked:
    """A question about a task.

    ``own`` holds this run's scores by design (``design_key``), higher being better; records of ``run``, its name, are left out; ``forget``
    leaves out every task on the same ``graph``; ``aim`` leaves out tasks that predict other things (``same_aim``).
    """

    question: str
    task_vector: tuple[float, ...] = ()
    graph: tuple[int, ...] = ()
    run: str = ""
    own: Mapping[str, float] = field(default_factory=dict)
    forget: bool = False
    aim: str | None = None

    def allows(self, record: Record) -> bool:
        """Whether a record may answer."""
        if self.run and record.run == self.run:
            return False
        return same_aim(self.aim, record) and not (self.forget and same_graph(self.graph, record.graph))


def beliefs(shelf: Shelf, tasks: Sequence[TaskRecord], asked: Asked) -> dict[str, Belief]:
    """By task, how far what was learnt there is to be trusted here; most trusted first. Inside ``reading``."""
    priors = {task.id: task_similarity(asked.task_vector, task.task_vector) for task in tasks if asked.allows(task)}
    nearest = sorted(priors, key=lambda key: (-priors[key], key))
    others = _shared_scores(shelf, nearest[:COMPARED], asked)
    found = {key: belief(priors[key], asked.own, others.get(key, {})) for key in nearest}
    return dict(sorted(found.items(), key=lambda item: (-item[1].value, item[0])))


def recall_trials(
    shelf: Shelf, text: Vectors, tasks: Mapping[str, TaskRecord], trusted: Mapping[str, Belief], asked: Asked
) -> Iterator[Evidence]:  # fmt: skip
    """Good trials of the most trusted tasks, near the question, whose vector is ``text``. Inside ``reading``, but for the iterator."""
    targets = list(trusted)[:TARGETS] if asked.task_vector else []
    points = [trial_query(text, tasks[key].task_vector) for key in targets] or [trial_query(text, ())]
    found = _nearest(shelf, "trials", points, TrialRecord, asked) if trusted else {}
    for key, point in zip(targets, points, strict=False):
        if not any(trial.key == key for trial in found.values()):  # what may not answer can lie between the question and its answer
            found |= _nearest(shelf, "trials", [point], TrialRecord, asked, {"key": key})
    best_last = sorted(found.values(), key=lambda trial: (trial.goodness, trial.id))
    once = {(trial.key, trial.spec_hash or trial.id): trial for trial in best_last}
    return _told(list(once.values()), trusted, asked)


def recall_findings(shelf: Shelf, text: Vectors, trusted: Mapping[str, Belief], asked: Asked) -> Iterator[Evidence]:
    """Findings near the question, whose vector is ``text``, those of trusted tasks first. Inside ``reading``, but for the iterator."""
    if not trusted:
        return iter(())
    point = finding_query(text, asked.task_vector)
    found = _nearest(shelf, "findings", [point], FindingRecord, asked)
    if not found:
        found = _nearest(shelf, "findings", [point], FindingRecord, asked, {"key": {"$in": list(trusted)[:TARGETS]}})
    return _told(list(found.values()), trusted, asked)


def _nearest(
    shelf: Shelf, name: Name, points: Sequence[Vectors], kind: type[R], asked: Asked, where: Data | None = None
) -> dict[str, R]:  # fmt: skip
    rows = shelf.nearest(name, np.stack(points), POOL, where)
    records = {id_: read(data, kind) for found in rows for id_, data in found}
    return {id_: record for id_, record in records.items() if asked.allows(record)}


def _shared_scores(shelf: Shelf, keys: Sequence[str], asked: Asked) -> dict[str, dict[str, float]]:
    """Scores of this run's designs on other tasks, by task and design: the best of each, higher being better."""
    if not keys or not asked.own:
        return {}
    wanted = {pair_of(key, design): (key, design) for design in list(asked.own)[:MOST_SHARED] for key in keys}
    rows = shelf.get("trials", where={"pair": {"$in": list(wanted)}}, limit=MOST_ROWS)
    scores: dict[str, dict[str, float]] = {}
    for data in rows.values():
        key, design = wanted[data["pair"]]
        if not asked.run or data["run"] != asked.run:
            known = scores.setdefault(key, {})
            known[design] = max(data["score"], known.get(design, data["score"]))
    return scores


def _told(records: Sequence[R], trusted: Mapping[str, Belief], asked: Asked) -> Iterator[Evidence]:
    """Records as evidence: trusted tasks, good designs and nearness to the question first, and no two alike in a row."""
    words_asked = frozenset(words(asked.question))
    by_id = {record.id: record for record in records if record.key in trusted}
    bags = {id_: frozenset(words(record.text)) for id_, record in by_id.items()}
    worth = {id_: trusted[record.key].value + _merit(record, words_asked) for id_, record in by_id.items()}
    for id_ in spread_out(worth, bags):
        record, shared = by_id[id_], sorted(bags[id_] & words_asked)
        found = trusted[record.key]
        near = f"shares {', '.join(shared[:5])}" if shared else ""
        yield record_evidence(record, found.value, "; ".join(part for part in (found.told(), near) if part))


def _merit(record: Record, asked: frozenset[str]) -> float:
    goodness = record.goodness if isinstance(record, TrialRecord) else 0.0
    return GOODNESS * goodness + NEARNESS * overlap(asked, record.text)
