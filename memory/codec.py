"""How records lie in the store: whole, as JSON, with the few fields that are searched by; and their vectors.

A trial's vector says what it is (text), where it was tried (task) and how good it was there, so that one search finds good trials of
similar tasks near a question.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from pydantic import BaseModel, ValidationError

from agentnas.memory.cards import PaperCard
from agentnas.memory.embedding import Embedder, Vectors
from agentnas.memory.kin import SLOTS, task_block
from agentnas.memory.records import Record, TrialRecord
from agentnas.memory.shelf import Data, Layout, Name
from agentnas.tools.errors import StoreError

# What a difference in each part of a trial's vector counts; texts differ by 1.4 at most, tasks usually by 0.3 to 1, goodness by 1.
TEXT_WEIGHT, TASK_WEIGHT, GOODNESS_WEIGHT = 0.5, 1.5, 0.7
M = TypeVar("M", bound=BaseModel)
RUN_VECTOR = 2  # runs are looked up by name alone


class TaskRecord(Record):
    """A task that was tried; ``text`` is its card, its id the task with its protocol."""


def layout(embedder: Embedder) -> Layout:
    """How the records of a store with this embedder become vectors."""
    text = embedder.dimension
    dimensions: Mapping[Name, int] = {
        "trials": text + SLOTS + 1, "findings": text + SLOTS, "papers": text, "tasks": SLOTS, "runs": RUN_VECTOR,
    }  # fmt: skip
    return Layout(embedder.name, dimensions, lambda name, rows: _vectors(embedder, name, rows))


def data_of(record: Record) -> Data:
    """What is kept with a record."""
    kept = {"record": record.model_dump_json(exclude_defaults=True), "run": record.run, "task": record.task, "key": record.key}
    if not isinstance(record, TrialRecord) or not record.design or record.val is None:
        return kept
    return kept | {"pair": pair_of(record.key, record.design), "score": record.val if record.higher_is_better else -record.val}


def pair_of(key: str, design: str) -> str:
    """By what trials of one design on one task are found: one field, which is ten times faster to search than two."""
    return f"{design} {key}"


def card_data(card: PaperCard, shipped: bool) -> Data:
    """What is kept with a paper card."""
    return {"record": card.model_dump_json(), "shipped": shipped}


def read(data: Data, kind: type[M]) -> M:
    """The record or card that was kept; raises StoreError for one that another program wrote."""
    try:
        return kind.model_validate_json(data["record"])
    except (KeyError, ValidationError):
        what = f"a {kind.__name__} that cannot be read: {str(dict(data))[:80]!r}"
        raise StoreError(f"the memory holds {what}; agentnas memory reindex leaves it out") from None


def trial_query(text: Vectors, task_vector: Sequence[float]) -> Vectors:
    """Where the best trials near a text on a task lie."""
    return _joined(text, task_vector, 1.0)


def finding_query(text: Vectors, task_vector: Sequence[float]) -> Vectors:
    """Where findings near a text on a task lie."""
    return _joined(text, task_vector)


def _joined(text: Vectors, task_vector: Sequence[float], *goodness: float) -> Vectors:
    parts = [TEXT_WEIGHT * text, TASK_WEIGHT * task_block(task_vector), np.array(goodness) * GOODNESS_WEIGHT]
    return np.concatenate(parts).astype(np.float32)


def _vectors(embedder: Embedder, name: Name, rows: Sequence[Data]) -> Vectors:
    if name == "runs":
        return np.zeros((len(rows), RUN_VECTOR), dtype=np.float32)
    if name == "papers":
        cards = [read(row, PaperCard) for row in rows]
        return embedder.embed([f"{card.title} {card.text()}" for card in cards])
    records = [json.loads(row["record"]) for row in rows]
    if name == "tasks":
        return np.stack([task_block(record.get("task_vector", ())) for record in records])
    texts = embedder.embed([record["text"] for record in records])
    if name == "findings":
        return np.stack([_joined(text, record.get("task_vector", ())) for text, record in zip(texts, records, strict=True)])
    goodness = [TrialRecord.model_construct(**_ranks(record)).goodness for record in records]
    return np.stack([_joined(t, r.get("task_vector", ()), g) for t, r, g in zip(texts, records, goodness, strict=True)])


def _ranks(record: Mapping[str, Any]) -> dict[str, Any]:
    return {"rank": record.get("rank"), "ranked": record.get("ranked")}
