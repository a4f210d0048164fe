"""One search of the language models: the product's own graph on one table, in a run directory, with a memory of the other tables.

The anchors are left out, as the search by rules leaves them out: what is remembered orders everything. What was found is read from the
run's journal, so that a finished run need not be paid for twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentnas import api, thinking
from agentnas.agents.llm.spending import Limits
from agentnas.agents.selection import choose_smoothed
from agentnas.agents.situation import Record, Situation
from agentnas.agents.transfer_drafts import Transfer
from agentnas.bench.agents import TablePast
from agentnas.bench.cells_problem import CellRows
from agentnas.bench.llm_memory import remember
from agentnas.bench.measure import CHECKPOINTS, Score
from agentnas.bench.problem import Problem
from agentnas.bench.searchers import Memory
from agentnas.config import Config, Resolved
from agentnas.memory.calls import RECEIVED
from agentnas.memory.rundir import RunDirectory
from agentnas.memory.view import JournalView
from agentnas.prompts import Prompts
from agentnas.tools.anchors import cell_anchors
from agentnas.tools.errors import RunError
from agentnas.tools.evaluate.base import Limits as DesignLimits
from agentnas.tools.evaluate.ladder import TABLE
from agentnas.tools.spec.cells import cell_key, spec_to_cell
from agentnas.tools.spec.model import parse_spec
from agentnas.tools.spec.space import SearchSpace
from agentnas.tools.tasks import Task, load_task
from agentnas.tools.tasks.catalog import TABLE_PREFIX

BENCH_FILE = "bench.json"
# The settings of a person that a search takes over; all others are those of any run.
TAKEN_OVER = (
    "llm", "planner_llm", "coder_llm", "analyst_llm", "proposals", "max_cost", "max_tokens", "max_llm_calls", "llm_timeout_s", "prices",
    "prompts_dir",
)  # fmt: skip


@dataclass(frozen=True)
class Search:
    """A searcher's name, the new data set with what is remembered, and the search's seed."""

    name: str
    problem: Problem
    memory: Memory
    cards: bool
    seed: int
    evaluations: int

    def identity(self, config: Config) -> dict[str, Any]:
        """What a run must have been made with to be this search's."""
        return {
            "data_set": self.problem.name, "sources": [source.name for source in self.memory.sources], "published": self.memory.published,
            "cards": self.cards, "seed": self.seed, "evaluations": self.evaluations, "models": thinking.named(config),
            "proposals": config.proposals, "prompts": dict(Prompts(config.prompts_dir).versions()),
        }  # fmt: skip


@dataclass(frozen=True)
class Found:
    """What a run's journal says of a search: its evaluated designs in their order, up to the last round that the models took part in.

    ``trouble`` says why they left it before its end.
    """

    view: JournalView
    records: tuple[Record, ...]
    trouble: str | None

    def written(self) -> tuple[int, int]:
        """Designs after the first round, which is the rules': those that a model wrote, and all."""
        later = [record for record in self.records if record.round > 0]
        models = {call.asked.model for call in self.view.calls.of("coder")}
        return sum(record.proposal.author.removeprefix("coder/") in models for record in later), len(later)


def settings(resolved: Resolved, task: str, seed: int, evaluations: int, runs_dir: Path, left: Limits | None = None) -> Config:
    """The settings of a search's run; ``left`` is what is left of the benchmark's limits."""
    taken = {name: getattr(resolved.config, name) for name in TAKEN_OVER}
    bounds = {"max_cost": left.cost, "max_tokens": left.tokens, "max_llm_calls": left.calls} if left else {}
    anchors = tuple(anchor.name for anchor in cell_anchors(task))
    own = {
        "task": TABLE_PREFIX + task, "seed": seed, "trials": evaluations, "time_s": None, "without_anchor": anchors, "runs_dir": runs_dir,
        "memory_dir": None,
    }  # fmt: skip
    return Config().model_copy(update=taken | bounds | own)


def search(asked: Search, resolved: Resolved, runs_dir: Path, left: Limits) -> Found:
    """Make the search, go on with one that was killed, or read a finished one; raises AgentNASError as a run does."""
    config = settings(resolved, asked.problem.name, asked.seed, asked.evaluations, runs_dir, left)
    identity = asked.identity(config)
    known = _known(runs_dir, identity)
    if known is not None and known.view().finished is not None:
        return found(known.view())
    task = load_task(str(config.task))
    directory = known or _begun(runs_dir, task, config, identity)
    models = thinking.make_models(config, resolved, directory.view())
    run = api.work(directory, config, task, models, remember=remember(asked.memory, asked.cards), transfer=transfer(asked))
    return found(run.view)


def transfer(asked: Search) -> Transfer:
    """What the rules know of the other tables: all of their rows, as the search by rules does."""
    return Transfer(TablePast(asked.problem, asked.memory), lambda: asked.problem.task)


def _begun(runs_dir: Path, task: Task, config: Config, identity: Mapping[str, Any]) -> RunDirectory:
    directory = RunDirectory.create(runs_dir, task.name)
    directory.write_json("config.json", {**config.model_dump(mode="json"), "data_fingerprint": task.fingerprint})
    directory.write_json(BENCH_FILE, dict(identity))
    return directory


def _known(runs_dir: Path, identity: Mapping[str, Any]) -> RunDirectory | None:
    """A run of this very search that its models took to its end, else one that was killed and can go on."""
    same = [directory for directory in _benched(runs_dir) if directory.read_json(BENCH_FILE) == identity and not directory.writer()]
    open_ = [directory for directory in same if directory.view().finished is None]
    ended = [directory for directory in same if directory not in open_]
    whole = [directory for directory in ended if found(directory.view()).trouble is None]
    return next(iter([*whole, *open_]), None)


def _benched(runs_dir: Path) -> Iterator[RunDirectory]:
    for file in sorted(runs_dir.glob(f"*/{BENCH_FILE}")):
        try:
            directory = RunDirectory.open(file.parent)
            directory.view()
        except RunError:
            continue  # half-written or damaged: such a run counts for nothing
        yield directory


def found(view: JournalView) -> Found:
    """What a finished run found."""
    last, until = max(view.rounds, default=0), _last_round(view)
    records = tuple(_record(view, trial) for trial in sorted(view.proposals) if view.evaluations(trial))
    if until >= last:
        return Found(view, records, None)
    kept = tuple(record for record in records if record.round <= until) if until > 0 else ()
    return Found(view, kept, _trouble(view))


def _last_round(view: JournalView) -> int:
    """The last round in which every role that has a model was answered; what the analyst says of a round counts for the next."""
    answered = dict.fromkeys(thinking.named(Config.model_validate(view.started.config if view.started else {})), -1)
    for call in view.calls.of():
        if call.answered is not None and call.answered.outcome in RECEIVED:
            ahead = int(call.asked.role == "analyst")
            answered[call.asked.role] = max(answered.get(call.asked.role, -1), call.asked.round + ahead)
    return min(answered.values(), default=-1)


def _trouble(view: JournalView) -> str:
    models = {call.asked.model for call in view.calls.of()}
    told = [note.message for note in view.notes if "no further call to" in note.message or any(model in note.message for model in models)]
    return told[-1] if told else "its questions were not answered"


def _record(view: JournalView, trial: str) -> Record:
    proposal = view.proposals[trial]
    scores: dict[str, dict[int, float]] = {}
    for evaluation in view.evaluations(trial):
        scores.setdefault(evaluation.rung, {})[evaluation.seed] = evaluation.val
    return Record(proposal, parse_spec(proposal.spec), scores, view.round_of[trial])


def scores(asked: Search, what: Found) -> Iterator[Score]:
    """What the search had at each checkpoint that it got to; one that ended by itself keeps what it had until its evaluations are up.

    honest: the row that the choice of a run would fall on, had it ended then. oracle: the best test score so far.
    """
    rows, remembered = _rows(asked.problem, what), transfer(asked)
    limit = asked.evaluations if what.trouble is None else len(rows)
    space = SearchSpace.nasbench(asked.problem.name)
    for count in [count for count in CHECKPOINTS if count <= limit and rows]:
        records = what.records[:count]
        then = Situation(0, asked.seed, "", records, TABLE, space, DesignLimits())
        chosen = choose_smoothed(then, remembered).trial
        best = max(float(asked.problem.test[row]) for row in list(rows.values())[:count])
        yield Score(asked.name, asked.problem.name, "oracle", asked.seed, count, best)
        yield Score(asked.name, asked.problem.name, "honest", asked.seed, count, float(asked.problem.test[rows[chosen]]))


def _rows(problem: Problem, what: Found) -> dict[str, int]:
    """The row of each evaluated design, by its trial."""
    assert isinstance(problem.rows, CellRows)
    place = {name: row for row, name in enumerate(problem.rows.names)}
    return {record.trial: place[cell_key(*spec_to_cell(record.spec))] for record in what.records}
