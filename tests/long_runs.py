"""A run of many trials on a table, timed round by round: the house that ``agentnas design`` wires, with an analyst who never stops."""

from __future__ import annotations

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
from agentnas.tools.tasks import load_task

TASK = "nasbench:cora"


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


def timed_run(config: Config) -> Timed:
    """Run to the end and keep the time at which each trial was scored."""
    directory = RunDirectory.create(config.runs_dir, "growth")
    directory.write_json("config.json", {**config.model_dump(mode="json"), "data_fingerprint": ""})
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
