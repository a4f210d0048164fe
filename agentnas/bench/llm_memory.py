"""What the language models of a benchmark may remember: designs of the other data sets' tables, as past trials, and the paper cards.

Each search has a store of its own in a folder that is thrown away, so that nothing of its data set, or of another search, is in it.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import rankdata

from agentnas.bench.cells_problem import CellRows
from agentnas.bench.problem import Array, Problem
from agentnas.bench.searchers import Memory
from agentnas.config import Config
from agentnas.memory.cards import shipped_cards
from agentnas.memory.codec import TaskRecord
from agentnas.memory.journal import Journal
from agentnas.memory.kin import design_key, graph_of
from agentnas.memory.layered import Layered
from agentnas.memory.names import slug
from agentnas.memory.records import TrialRecord
from agentnas.memory.rundir import RunDirectory
from agentnas.memory.store import Store
from agentnas.remembering import noting
from agentnas.tools.evaluate.ladder import TABLE
from agentnas.tools.spec.canonical import spec_hash
from agentnas.tools.spec.cells import cell_to_spec
from agentnas.tools.spec.render import one_line
from agentnas.tools.tasks import load_task, make_card
from agentnas.tools.tasks.catalog import TABLE_PREFIX

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

# Told of each table: its own best designs, and those that are best over all tables, and some from the whole of that order. The last two
# are told of every table: by designs that a run and the memory have both tried it is recognised which tasks are alike.
OWN_BEST, BEST, SPREAD = 6, 10, 12


def remember(memory: Memory, cards: bool) -> Callable[[Config, RunDirectory, Journal], AbstractContextManager[Layered]]:
    """What opens the memory of a run: the tables of ``memory``, and the paper cards where ``cards`` says so."""

    @contextmanager
    def opened(config: Config, directory: RunDirectory, journal: Journal) -> Iterator[Layered]:
        with tempfile.TemporaryDirectory(prefix="agentnas-") as folder, closing(Store(folder, forget_task=True)) as store:
            fill(store, memory, cards)
            yield Layered(journal.view, directory.name, store, noting(journal))

    return opened


def fill(store: Store, memory: Memory, cards: bool) -> None:
    """Write the tables' designs to an empty store, and take the cards out where there are to be none."""
    common = _common(memory)
    for source in memory.sources:
        for kind in _kinds(memory):
            store.put(_records(source, kind, common), (), [_task_record(source.name, kind)])
    if not cards:
        with store.shelf.writing():
            store.shelf.delete("papers", sorted(shipped_cards()))


def _kinds(memory: Memory) -> tuple[str, ...]:
    return ("validation", "test") if memory.published else ("validation",)


def _common(memory: Memory) -> set[Any]:
    """The names of the designs that every table tells."""
    totals: dict[Any, float] = defaultdict(float)
    for source in memory.sources:
        for kind in _kinds(memory):
            for name, rank in zip(source.rows.names, rankdata(getattr(source, kind)) / len(source.rows), strict=True):
                totals[name] += rank
    order = sorted(totals, key=lambda name: (-totals[name], name))
    return {*order[:BEST], *(order[place] for place in np.linspace(0, len(order) - 1, SPREAD).round().astype(int))}


def _records(source: Problem, kind: str, common: set[Any]) -> list[TrialRecord]:
    scores: Array = getattr(source, kind)
    order = np.argsort(-scores, kind="stable")
    place = {int(row): number for number, row in enumerate(order, start=1)}
    rows = [int(row) for row in order if place[int(row)] <= OWN_BEST or source.rows.names[row] in common]
    return [_record(source, kind, row, float(scores[row]), place[row]) for row in rows]


def _record(source: Problem, kind: str, row: int, score: float, rank: int) -> TrialRecord:
    assert isinstance(source.rows, CellRows)
    spec = cell_to_spec(*source.rows.cells[row], source.name)
    return TrialRecord(
        **_about(source.name, kind), id=f"{_run(source.name, kind)}/t{source.rows.names[row]}", text=one_line(spec),
        spec_hash=spec_hash(spec), design=design_key(spec), val=score, seeds=1, rung=TABLE[0].name, rank=rank, ranked=len(source.rows),
        spec=spec.model_dump(mode="json", exclude_defaults=True),
    )  # fmt: skip


def _run(name: str, kind: str) -> str:
    """A name as runs have it, of the year of the tables: prompts show no evidence of runs whose names they cannot read."""
    return f"20221128-000000-{slug(TABLE_PREFIX + name)}-{'whole' if kind == 'validation' else kind}-table"


def _task_record(name: str, kind: str) -> TaskRecord:
    record = TaskRecord(id="task", text=_facts(name)["text"], **_about(name, kind))
    return record.model_copy(update={"id": record.key})


def _about(name: str, kind: str) -> dict[str, Any]:
    """The task of a table's column; test scores are a task of their own, as they are to the belief of the rules."""
    facts = {field: value for field, value in _facts(name).items() if field != "text"}
    return facts if kind == "validation" else facts | {"protocol": f"{kind} scores of the {facts['protocol']}"}


@lru_cache(maxsize=16)
def _facts(name: str) -> dict[str, Any]:
    task = load_task(TABLE_PREFIX + name)
    card = make_card(task)
    return {
        "task": task.name, "protocol": task.protocol, "task_vector": tuple(card.vector()), "graph": graph_of(card), "text": card.text(),
    }  # fmt: skip
