"""A run of many trials on a table, timed round by round: the house that ``agentnas design`` wires, with an analyst who never stops."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from agentnas import api
from agentnas.agents.analyst import RuleAnalyst
from agentnas.agents.house import House
from agentnas.agents.roles import Analysis
from agentnas.agents.situation import Situation
from agentnas.checkpoint import run_graph
from agentnas.config import Config, resolve
from agentnas.memory import events as ev
from agentnas.memory.rundir import RunDirectory
from agentnas.remembering import remembered
from agentnas.run import Run
from agentnas.tools.spec.canonical import spec_hash
from agentnas.tools.spec.cells import Cell, all_cells, cell_key, cell_to_spec
from agentnas.tools.spec.render import one_line
from agentnas.tools.tasks import Task, load_task, make_card

TASK = "nasbench:cora"
A_ROUND = api.BATCH_TABLE
FACTORS = ("cell.op", "cell.links")
NAMED = tuple(enumerate(FACTORS, start=1))


class Tireless:
    """The rule-based analyst, whose word to stop counts for nothing: a table's best is found long before its last cell is tried."""

    def __init__(self) -> None:
        self._rules = RuleAnalyst()

    def analyse(self, situation: Situation) -> Analysis:
        said = self._rules.analyse(situation)
        return replace(said, verdict="change_direction") if said.verdict == "stop" else said


@dataclass
class Timed:
    """A finished run, and the seconds of wall and of processor time since its start when each of its trials had its score."""

    run: Run
    trial_seconds: list[float] = field(default_factory=list)
    trial_busy: list[float] = field(default_factory=list)
    search_s: float = 0.0
    """Seconds from the start of the run to the choice of its winner."""
    close_s: float = 0.0
    """Seconds of what comes after: the test, the memory, the files of the winner, the reports."""

    def windows(self, size: int) -> list[float]:
        """Milliseconds per trial in consecutive windows of so many trials; what is left over at the end is not told."""
        return _windows(self.trial_seconds, size)

    def busy_windows(self, size: int) -> list[float]:
        """The same of processor time, which other work on the machine hardly changes."""
        return _windows(self.trial_busy, size)


def _windows(told: list[float], size: int) -> list[float]:
    marks = [0.0, *told]
    return [1000 * (marks[end] - marks[end - size]) / size for end in range(size, len(marks), size)]


def settings(folder: Path, trials: int, memory: Path | None, seed: int = 0) -> Config:
    """What such a run is started with; without a ``memory`` nothing outlives it."""
    asked = {"task": TASK, "trials": trials, "seed": seed, "runs_dir": str(folder), "memory_dir": "none" if memory is None else str(memory)}
    resolved = resolve(asked)
    return api.bounded(resolved.config, resolved)


@contextmanager
def wired(config: Config, directory: RunDirectory) -> Iterator[House]:
    """The house of a new or half-finished run, its journal and memory open."""
    task = load_task(str(config.task), data_dir=config.data_dir)
    with directory.journal() as journal:
        api.begin(journal, directory, config, task)
        with remembered(config, directory, journal) as memory:
            house = api.wire(journal, directory, config, task, {}, threading.Event(), memory)
            house.analyst = Tireless()
            yield house


def timed_run(config: Config, begun: int = 0) -> Timed:
    """Run to the end and keep the time at which each trial was scored; with ``begun``, so many trials are in the journal beforehand."""
    directory = RunDirectory.create(config.runs_dir, "growth")
    directory.write_json("config.json", {**config.model_dump(mode="json"), "data_fingerprint": ""})
    if begun:
        begin(directory, config, begun)
    timed = Timed(Run(directory))
    with wired(config, directory) as house:
        start, used = time.perf_counter(), time.process_time()

        def watch(event: ev.AnyEvent) -> None:
            if isinstance(event, ev.EvaluationFinished | ev.EvaluationFailed):
                timed.trial_seconds.append(time.perf_counter() - start)
                timed.trial_busy.append(time.process_time() - used)
            elif isinstance(event, ev.WinnerChosen):
                timed.search_s = time.perf_counter() - start

        house.journal.listeners.append(watch)
        run_graph(house, directory, ended_before=False)
        timed.close_s = time.perf_counter() - start - timed.search_s
    return timed


def begin(directory: RunDirectory, config: Config, trials: int) -> None:
    """Write a journal of so many trials, as a long search leaves it: cells of the space, each a child of one before, looked up."""
    task = load_task(str(config.task), data_dir=config.data_dir)
    with directory.journal() as journal:
        api.begin(journal, directory, config, task)
        journal.append(ev.TaskCarded(card=make_card(task).model_dump(mode="json")))
    told = [event.model_dump_json() for event in past_events(task, trials)]
    with directory.journal_file.open("a", encoding="utf-8") as file:
        file.write("\n".join(told) + "\n")


def past_events(task: Task, trials: int) -> Iterator[ev.AnyEvent]:
    """Rounds of five trials with their plans and findings; scores are the table's."""
    table, rng = task.table, random.Random(0)
    assert table is not None
    drawn = rng.sample(list(all_cells(table.name)), trials)
    for round_ in range(trials // A_ROUND):
        first = round_ * A_ROUND
        proposals = tuple(_past(first + i, drawn[first + i], table.name, rng) for i in range(A_ROUND))
        yield ev.PlanMade(round=round_, author="planner/rules", directions=(), reason="most promising: structure")
        yield ev.ProposalsDrafted(round=round_, proposals=proposals)
        for proposal, cell in zip(proposals, drawn[first:], strict=False):
            key = cell_key(*cell)
            yield ev.TrialPriced(trial=proposal.trial, profile=dict(table.profile(key)))
            yield ev.EvaluationFinished(trial=proposal.trial, rung="table", seed=0, split=0, val=table.validation(key), seconds=0.0)
        newest = tuple(f"t{trial:04d}" for trial in range(max(1, first - 145), first + 6))
        findings = tuple({"id": f"r{round_}-{i}", "text": f"changing {name} is undecided", "trials": newest} for i, name in NAMED)
        yield ev.FindingsMade(round=round_, author="analyst/rules", findings=findings, verdict="go_on")


def _past(number: int, cell: Cell, dataset: str, rng: random.Random) -> ev.Proposal:
    spec = cell_to_spec(*cell, dataset)
    plain = spec.model_dump(mode="json", exclude_defaults=True)
    return ev.Proposal(
        trial=f"t{number + 1:04d}", spec=plain, spec_hash=spec_hash(spec), text=one_line(spec),
        author="coder/evolution", parent=f"t{rng.randrange(number) + 1:04d}" if number else None, factor=rng.choice(FACTORS),
        change="cell a -> b", hypothesis="a parent that ranks high",
    )  # fmt: skip
