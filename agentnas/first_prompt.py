"""What a model would be asked: in a new run once the anchors are tried, or next in a run that exists. Nothing is sent, no run is touched.

The nodes of the graph themselves run, by rules, over a journal in a folder that is thrown away: what is shown is what a run would send.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from agentnas import api, thinking
from agentnas.checkpoint import round_to_enter
from agentnas.config import Config
from agentnas.memory.rundir import RUN_FILE, RunDirectory
from agentnas.tools.errors import UsageError

if TYPE_CHECKING:
    from agentnas.agents.house import House
    from agentnas.agents.llm.base import Message
    from agentnas.tools.tasks import Task


def first_prompt(role: str, config: Config, task: Task) -> tuple[Message, ...]:
    """The first question of a new run to the planner or coder, or to the analyst after the anchors.

    A table's anchors are looked up on the spot; those of a task that trains are shown without scores.
    """
    from agentnas.agents import graph

    with _scratch() as folder, _house(RunDirectory.create(folder, task.name), config, task) as house:
        state = graph.State(round=0, verdict="go_on")
        nodes = [graph.card, graph.recall, graph.plan, graph.draft, graph.check]
        for node in [*nodes, graph.evaluate] if task.table is not None else nodes:
            node(house, state)
        if role == "analyst":
            return _asked(role, house, 0, config)
        if task.table is not None:
            graph.analyse(house, state)
        return _asked(role, house, 1, config)


def next_prompt(role: str, directory: RunDirectory, config: Config, task: Task) -> tuple[Message, ...]:
    """The next question to this role in a run, as if the run went on now; messages that wait in its inbox count."""
    with _scratch() as folder, _house(_copied(directory, folder), config, task) as house:
        if not house.view.proposals:
            raise UsageError(f"run {directory.name} has no trial yet, and no model is asked before the anchors are tried; leave --run out")
        return _asked(role, house, round_to_enter(house), config)


@contextmanager
def _scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="agentnas-") as folder:
        yield Path(folder)


def _copied(directory: RunDirectory, folder: Path) -> RunDirectory:
    """A run of the same name with the same journal and inbox."""
    copy = folder / directory.name
    copy.mkdir()
    for name in (RUN_FILE, directory.journal_file.name):
        shutil.copyfile(directory.path / name, copy / name)
    if directory.inbox.is_dir():
        shutil.copytree(directory.inbox, copy / directory.inbox.name)
    return RunDirectory.open(copy)


@contextmanager
def _house(directory: RunDirectory, config: Config, task: Task) -> Iterator[House]:
    """A house whose agents think by rules, on a directory that may be written to."""
    with directory.journal() as journal:
        api.begin(journal, directory, config, task)
        house = api.wire(journal, directory, config, task, {}, threading.Event())
        try:
            yield house
        finally:
            house.evaluator.close()


def _asked(role: str, house: House, round_: int, config: Config) -> tuple[Message, ...]:
    """The question to this role in a round; evidence is recalled, and for the coder a plan made, where that is still to come."""
    from agentnas.agents import graph
    from agentnas.agents.briefing import Briefing
    from agentnas.agents.people import hear
    from agentnas.agents.roles import Direction, Plan
    from agentnas.prompts import Prompts

    briefing, state = Briefing(Prompts(config.prompts_dir)), graph.State(round=round_, verdict="go_on")
    graph.recall(house, state)
    if role == "planner":
        hear(house, round_)
        return briefing.planner(house.situation(round_))
    if role == "analyst":
        return briefing.analyst(house.situation(round_))
    graph.plan(house, state)
    made, left = house.view.plans[round_], house.trials_left()
    plan = Plan(made.author, tuple(map(Direction.from_dict, made.directions)), made.reason)
    count = thinking.BATCH if left is None else max(1, min(thinking.BATCH, left))
    return briefing.coder(house.situation(round_), plan, count, config.proposals)
