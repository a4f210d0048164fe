"""The searcher ``agentnas``: the product's own planner, coder and choice by rules, over situations made of a table's rows.

The graph of a run adds a journal and its files to these decisions and changes none of them; left out, twenty searches take a minute.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np

from agentnas.agents.coder import RuleCoder
from agentnas.agents.planner import RulePlanner
from agentnas.agents.roles import Draft
from agentnas.agents.selection import choose_smoothed
from agentnas.agents.situation import Record, Situation
from agentnas.agents.transfer import Options, Past, PastTask
from agentnas.agents.transfer_drafts import Transfer
from agentnas.bench.believing import believe
from agentnas.bench.cells_problem import CellRows
from agentnas.bench.problem import Lookup, Problem, Rows
from agentnas.bench.searchers import Choice, Memory
from agentnas.memory.events import Proposal
from agentnas.tools.anchors import cell_anchors
from agentnas.tools.evaluate.base import Limits
from agentnas.tools.evaluate.ladder import TABLE
from agentnas.tools.spec.canonical import spec_hash
from agentnas.tools.spec.cells import cell_key, cell_to_spec, spec_to_cell
from agentnas.tools.spec.render import one_line
from agentnas.tools.spec.space import SearchSpace

BATCH = 5


@dataclass(frozen=True)
class TablePast:
    """The other data sets' tables as past trials, over the rows of one problem."""

    problem: Problem
    memory: Memory

    def past(self, space: SearchSpace) -> Past | None:
        rows = self.problem.rows
        assert isinstance(rows, CellRows)
        if not self.memory.sources:
            return None
        tasks = past_tasks(self.problem, self.memory)
        return Past(rows.vectors, lambda row: cell_to_spec(*rows.cells[row], self.problem.name), tasks, lambda row: (), complete=True)


def past_tasks(problem: Problem, memory: Memory) -> tuple[PastTask, ...]:
    """What each source says of the problem's rows: validation, and as a task of its own the test scores where they are published."""
    kinds = ("validation", "test") if memory.published else ("validation",)
    return tuple(_past_task(source, kind, problem.rows) for source in memory.sources for kind in kinds)


@lru_cache(maxsize=64)
def _past_task(source: Problem, kind: str, rows: Rows) -> PastTask:
    """Kept, with the trees that are fitted to it, for all targets that have the same rows."""
    held = dict(zip(source.rows.names, getattr(source, kind), strict=True))
    name = source.name if kind == "validation" else f"{source.name} ({kind})"
    return PastTask(name, source.task, np.array([held.get(row, np.nan) for row in rows.names]))


@dataclass(frozen=True)
class Agents:
    """The searcher, with what it may use of its memory. Without any it works as a first run does: anchors, then evolution."""

    options: Options = field(default_factory=Options)
    remember: bool = True

    def __call__(self, problem: Problem, memory: Memory, lookup: Lookup, rng: random.Random) -> Choice | None:
        known = memory if self.remember else replace(memory, sources=())
        if not isinstance(problem.rows, CellRows):
            return believe(problem, known, lookup, rng, self.options)
        transfer = Transfer(TablePast(problem, known), lambda: problem.task, self.options)
        return _Search(problem, lookup, transfer, rng.randrange(1000)).run()


class _Search:
    def __init__(self, problem: Problem, lookup: Lookup, transfer: Transfer, seed: int) -> None:
        assert isinstance(problem.rows, CellRows)
        self.problem, self.lookup, self.transfer = problem, lookup, transfer
        self.rows = {name: row for row, name in enumerate(problem.rows.names)}
        space = SearchSpace.nasbench(problem.name)
        self.situation = Situation(0, seed, "", (), TABLE, space, Limits())
        remembers = transfer.belief(space) is not None
        # What is remembered orders everything, the anchors too; a search that remembers nothing begins with them.
        anchors = () if remembers else cell_anchors(problem.name)
        self.planner, self.coder = RulePlanner(), RuleCoder(anchors, lambda spec: {}, transfer=transfer)

    def run(self) -> Choice:
        while self.lookup.left > 0:
            drafts = self.coder.draft(self.situation, self.planner.plan(self.situation), min(BATCH, self.lookup.left))
            if not drafts:
                break
            first = len(self.situation.records) + 1
            records = [self._record(f"t{first + i:04d}", draft) for i, draft in enumerate(drafts)]
            self.situation = replace(self.situation, round=self.situation.round + 1, records=(*self.situation.records, *records))
        return self.choice()

    def choice(self) -> Callable[[int], int]:
        """The row that the choice of a run would fall on, had it ended after so many trials."""

        def chosen(count: int) -> int:
            then = replace(self.situation, records=self.situation.records[:count])
            trial = choose_smoothed(then, self.transfer).trial
            return self._row(then.by_trial()[trial])

        return chosen

    def _record(self, trial: str, draft: Draft) -> Record:
        proposal = Proposal(
            trial=trial, spec=draft.spec.model_dump(mode="json", exclude_defaults=True), spec_hash=spec_hash(draft.spec),
            text=one_line(draft.spec), author=draft.author, parent=draft.parent, factor=draft.factor, change=draft.change,
            hypothesis=draft.hypothesis, expected_gain=draft.expected_gain, anchor=draft.anchor, name=draft.name,
        )  # fmt: skip
        record = Record(proposal, draft.spec, {}, self.situation.round)
        return replace(record, scores={TABLE[0].name: {0: self.lookup.ask(self._row(record))}})

    def _row(self, record: Record) -> int:
        return self.rows[cell_key(*spec_to_cell(record.spec))]
