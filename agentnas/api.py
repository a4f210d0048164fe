"""``agentnas.design(...)``: the call behind the command of the same name. It wires a house of agents, runs their graph, returns the run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError

from agentnas import searched, thinking
from agentnas.checkpoint import run_graph
from agentnas.config import FIELDS, Config, Resolved, resolve, usual_trial_time
from agentnas.executing import check_ray, crew_of, device_of, importing
from agentnas.memory import events as ev
from agentnas.memory.view import JournalView
from agentnas.remembering import check_memory, noting, remembered
from agentnas.run import Run
from agentnas.tools.errors import AgentNASError, DataError, RunError, UsageError, suggest
from agentnas.tools.executors import LOCAL
from agentnas.wiring import anchors_of, baselines_of, evaluator_of, limits_of, usual_scale_of, weigh_of

if TYPE_CHECKING:
    from agentnas.agents.house import House
    from agentnas.agents.llm.base import LLM
    from agentnas.agents.transfer_drafts import Transfer
    from agentnas.memory.journal import Journal
    from agentnas.memory.memory import InMemory, Memory
    from agentnas.memory.rundir import RunDirectory
    from agentnas.tools.anchors import Anchor
    from agentnas.tools.fork_server import ForkServer
    from agentnas.tools.spec.space import SearchSpace
    from agentnas.tools.tasks import Task

Listener = Callable[[ev.AnyEvent], None]
Remember = Callable[[Config, "RunDirectory", "Journal"], AbstractContextManager["InMemory"]]


class Started(NamedTuple):
    """A run that has just begun, or been taken up again: its live view and its settings."""

    run: Run
    view: JournalView
    config: Config


# Trials a round: enough to keep the workers busy, few enough that each round learns from the one before.
BATCH_LIVE = 8
BATCH_TABLE = 5
# What a resumed run may be given anew; everything else decided what its trials mean.
RENEWABLE = frozenset({
    "time_s", "trials", "workers", "device", "executor", "data_dir", "runs_dir", "allow_code", "llm", "planner_llm", "coder_llm",
    "analyst_llm", "max_cost", "max_tokens", "max_llm_calls", "llm_timeout_s", "prices", "prompts_dir", "record", "review",
    "memory_dir", "embedder", "ablate",
})  # fmt: skip
DEFAULT_TASK, BUILT_IN_TASK = "cora", "digits"
FALLBACK = (
    f"the files of {DEFAULT_TASK} are not at hand and cannot be downloaded; designing for the built-in {BUILT_IN_TASK} (see --data-dir)"
)
OUTCOMES = {3: "no_design_fits", 5: "budget_ended"}


def design(
    task: str | None = None,
    *,
    resume: str | None = None,
    on_event: Listener | None = None,
    on_start: Callable[[Started], None] | None = None,
    stop: threading.Event | None = None,
    progress: bool | None = None,
    **settings: Any,
) -> Run:
    """Design an architecture for a task and return the finished (or interrupted) run.

    ``settings`` are those of ``agentnas config show`` (``trials=30``, ``time="10m"``, ``max_params=50_000`` ...). ``resume`` is a run's
    name or ``latest``. ``on_event`` sees each event once it is in the journal, ``on_start`` the run once its journal is open. Setting
    ``stop`` ends the run after the evaluations that are under way; it can be resumed. ``progress`` is shown in a notebook unless it is
    False, and as lines on stderr elsewhere if it is True; in a notebook the kernel's interrupt sets ``stop``, a second one stops at once.

    Raises AgentNASError: UsageError, ConfigError, ConstraintError, BudgetEndedError, RunError. What happened until then is in the journal.
    """
    from agentnas.notebook.live import Watching, showing

    check_names(settings)
    with showing(progress, Watching(on_event, on_start, stop)) as watching:
        return _design({"task": task, **settings}, resume, *watching)


def _design(
    given: dict[str, Any], resume: str | None, on_event: Listener | None, on_start: Callable[[Started], None] | None,
    stop: threading.Event | None,
) -> Run:  # fmt: skip
    resolved = resolve(given)
    if resume is not None:
        return _resume(resume, resolved, given, on_event, on_start, stop)
    from agentnas.memory.rundir import RunDirectory

    with importing(resolved.config) as server:
        chosen = choose_task(resolved)
        note = fallback(resolved, chosen)
        config = searched.settled(bounded(resolved.config.model_copy(update={"task": chosen.reference}), resolved))
        check(config, chosen)
        check_memory(config)
        models = thinking.make_models(config, resolved)
        directory = RunDirectory.create(config.runs_dir, chosen.name)
        directory.write_json("config.json", {**config.model_dump(mode="json"), "data_fingerprint": chosen.fingerprint})
        searched.write_files(config, directory)
        return work(directory, config, chosen, models, on_event, on_start, stop, note, server=server)


def check_names(settings: Mapping[str, Any]) -> None:
    """Raise UsageError for a setting that does not exist."""
    for name in settings:
        if name not in FIELDS and name not in FIELDS.values():
            raise UsageError(f"{name}=... (--{name.replace('_', '-')}) is no setting of a design; {suggest(name, [*FIELDS, 'resume'])}")


def choose_task(resolved: Resolved) -> Task:
    """The task of the configuration; without one, cora, or the built-in digits where cora's files are neither here nor to be had.

    Files that are here but damaged are an error: what is designed for never depends on the state of a file.
    """
    from agentnas.tools.tasks import find_data, load_task

    config = resolved.config
    require_data_dir(resolved, config.task or DEFAULT_TASK)
    if config.task is not None:
        return load_task(config.task, data_dir=config.data_dir, split=config.split, allow_code=config.allow_code)
    found = find_data(DEFAULT_TASK, config.data_dir, config.split)
    try:
        return load_task(DEFAULT_TASK, data_dir=config.data_dir, split=config.split)
    except DataError:
        if found or find_data(DEFAULT_TASK, config.data_dir, config.split):
            raise
        return load_task(BUILT_IN_TASK, data_dir=config.data_dir, split=config.split)


def fallback(resolved: Resolved, chosen: Task) -> str | None:
    """What to tell where nobody asked for a task and the usual one could not be had."""
    return FALLBACK if resolved.config.task is None and chosen.name != DEFAULT_TASK else None


def require_data_dir(resolved: Resolved, task: str) -> None:
    """Raise DataError for a --data-dir that lacks the task's data; a folder from the environment or a file is one place among others."""
    from agentnas.tools.tasks.locate import insist

    if resolved.origins["data_dir"].startswith("--") and resolved.config.data_dir is not None:
        insist(task, resolved.config.data_dir, resolved.config.split)


def check(config: Config, task: Task) -> None:
    """Raise UsageError or ConfigError for settings that this task or this machine cannot honour, before anything is written."""
    space_and_anchors(config, task)
    if config.goal and "planner" not in thinking.named(config):
        raise UsageError("--goal: only a planner's language model reads words; give --llm MODEL, or say it as --space, such as attention")
    crew_of(config, task)
    if task.table is None and config.executor != LOCAL:
        check_ray(config)
    elif task.table is None:
        device_of(config)
    for name in ("max_memory_mb", "max_train_memory_mb"):
        if task.table is not None and getattr(config, name) is not None:
            raise UsageError(f"--{name.replace('_', '-')}: {task.name} is a table that holds no memory figures; leave it out")


def bounded(config: Config, resolved: Resolved) -> Config:
    """Defaults that follow from what was asked for.

    A limit of trials replaces the default limit of time: such a run is the same on any machine. One training may take a tenth of the time,
    but a minute: a slow candidate must not hold up a whole round.
    """
    if config.trials is not None and resolved.origins["time"] == "default":
        config = config.model_copy(update={"time_s": None})
    if resolved.origins["trial_time"] == "default":
        config = config.model_copy(update={"trial_time_s": usual_trial_time(config.time_s)})
    return config


def _resume(
    reference: str, resolved: Resolved, given: Mapping[str, Any], on_event: Listener | None,
    on_start: Callable[[Started], None] | None, stop: threading.Event | None,
) -> Run:  # fmt: skip
    from agentnas.memory.runs import find
    from agentnas.report import write_report
    from agentnas.tools.tasks import load_task

    directory = find(resolved.config.runs_dir, reference)
    stored, fingerprint = stored_settings(directory)
    config = renewed(stored, resolved, given, directory.name)
    if directory.view().test is not None and (finished := Run(directory)).view.finished is not None:
        write_report(finished)  # a crash may have come between the last event and the report
        return finished
    require_data_dir(Resolved(config, resolved.origins), str(config.task))
    check_memory(config)
    with importing(config) as server:
        # What a run's folder says of code is not asked: the folder may have come from anywhere.
        task = load_task(str(config.task), data_dir=config.data_dir, split=config.split, allow_code=resolved.config.allow_code)
        if task.fingerprint != fingerprint:
            raise RunError(
                f"run {directory.name} was made on other data: data is {task.fingerprint[:12]}, was {fingerprint[:12]}; start a new run"
            )
        models = thinking.make_models(config, resolved, directory.view())
        directory.write_json("config.json", {**config.model_dump(mode="json"), "data_fingerprint": fingerprint})
        return work(directory, config, task, models, on_event, on_start, stop, server=server)


def stored_settings(directory: RunDirectory) -> tuple[Config, str]:
    """The settings that a run began with, and the fingerprint of its data; raises RunError where its config.json does not hold them."""
    stored = directory.read_json("config.json")
    try:
        return Config.model_validate({key: value for key, value in stored.items() if key != "data_fingerprint"}), stored["data_fingerprint"]
    except (ValidationError, KeyError) as error:
        what = f"lacks {error}" if isinstance(error, KeyError) else f"does not hold settings: {error.errors(include_url=False)[0]['msg']}"
        raise RunError(f"{directory.path / 'config.json'} {what}; start a new run") from None


def renewed(stored: Config, resolved: Resolved, given: Mapping[str, Any], name: str) -> Config:
    """The stored configuration with what a resume may change; raises UsageError that names a key which it may not."""
    changes: dict[str, Any] = {}
    for key, value in given.items():
        field = FIELDS.get(key, key)
        now = getattr(searched.settled(resolved.config) if field in ("space", "start") else resolved.config, field)
        if value is None or now == getattr(stored, field):
            continue
        if field not in RENEWABLE:
            held = getattr(stored, field)
            if field in ("space", "start"):  # what a file says is long
                raise UsageError(
                    f"--{key} says something else than run {name} has ({searched.named(held)}); leave it out, or start a new run"
                )
            raise UsageError(f"--{key.replace('_', '-')} is {now!r}, run {name} has {held!r}; leave it out, or start a new run")
        changes[field] = now
    return stored.model_copy(update=changes)


def work(
    directory: RunDirectory, config: Config, task: Task, models: Mapping[str, LLM], on_event: Listener | None = None,
    on_start: Callable[[Started], None] | None = None, stop: threading.Event | None = None, note: str | None = None, *,
    remember: Remember | None = None, transfer: Transfer | None = None, server: ForkServer | None = None,
) -> Run:  # fmt: skip
    """Run the graph to its end, and make every ending a stored state before an exception travels on.

    ``remember`` opens the run's memory; ``transfer`` is what earlier tasks teach, where that is not read from the memory; ``server`` makes
    the workers of a run that trains here.
    """
    with ExitStack() as stack:
        thinking.closing(models, stack)
        journal = stack.enter_context(directory.journal())
        ended_before = begin(journal, directory, config, task)
        if on_start:
            on_start(Started(Run(directory), journal.view, config))
        journal.listeners += [on_event] if on_event else []
        tell = noting(journal)
        for line in [*([note] if note else []), *thinking.notes(models, config)]:
            tell(line)
        opened = remember or partial(remembered, recorded=thinking.recorded_memory(models))
        memory = stack.enter_context(opened(config, directory, journal))
        house = wire(journal, directory, config, task, models, stop or threading.Event(), memory, transfer, server)
        stack.callback(house.evaluator.close)
        try:
            run_graph(house, directory, ended_before)
        except AgentNASError as error:
            memory.keep()
            outcome = OUTCOMES.get(error.exit_code, "failed")
            journal.append(ev.RunFinished.model_validate({"outcome": outcome, "exit_code": error.exit_code, "message": str(error)}))
            house.report()
            raise
        if house.stop_requested.is_set() and journal.view.finished is None:
            memory.keep()
            journal.append(ev.RunInterrupted(reason="asked to stop"))
            house.report()
        elif config.ablate and not task.table:
            _ablate(house, Run(directory), task)
    return Run(directory)


def _ablate(house: House, run: Run, task: Task) -> None:
    """What each choice of the winner is worth, in the report of the run that has just ended well, whatever comes of this."""
    from agentnas.ablation import ablate

    house.evaluator.close()  # its workers' memory is needed

    def tell(line: str) -> None:
        house.journal.append(ev.Noted(message=line))

    try:
        ablate(run, tell=tell, stop=house.stop_requested, task=task)
    except AgentNASError as error:
        tell(f"what each choice is worth could not be measured: {error}")
    house.report()


def begin(journal: Journal, directory: RunDirectory, config: Config, task: Task) -> bool:
    """Journal the start, or the resumption; true if the graph must be entered anew: the run had ended (interrupted, or without a
    result), or died before it did anything since."""
    from agentnas.memory.environment import environment
    from agentnas.tools.evaluate.base import CONFIRM
    from agentnas.tools.evaluate.ladder import TABLE, rungs_for

    facts = environment()
    if journal.view.started is not None:
        ended = journal.view.last in ("run_finished", "run_interrupted", "run_resumed")
        journal.append(ev.RunResumed(environment=facts, config=config.model_dump(mode="json")))
        return ended
    directory.write_json("environment.json", facts)
    rungs = TABLE if task.table else (*rungs_for(task.num_splits, task.fewest_val),)
    journal.append(ev.RunStarted(
        task=task.name, protocol=task.protocol, config=config.model_dump(mode="json"), environment=facts, metric=task.metric.name,
        higher_is_better=task.metric.higher_is_better, unit=task.metric.unit, kind=task.kind, target=task.target,
        searched=searched_of(config, task).as_dict(), sizes=sizes_of(task), class_names=task.data.class_names if task.data else (),
        rungs=(*(rung.name for rung in rungs), CONFIRM), full=tuple(rung.name for rung in rungs if rung.epochs >= 1.0),
        test_to_train=task.test_to_train,
    ))  # fmt: skip
    return False


def sizes_of(task: Task) -> dict[str, int]:
    """What a network for the task takes and gives; nothing for a table."""
    data = task.data
    if data is None:
        return {}
    node_types, edge_types = data.types
    return {
        "features": data.num_features, "outputs": data.num_classes, "edge_channels": data.edge_channels, "node_types": node_types,
        "edge_types": edge_types,
    }  # fmt: skip


def wire(
    journal: Journal, directory: RunDirectory, config: Config, task: Task, models: Mapping[str, LLM], stop: threading.Event,
    remembers: Memory | None = None, transfer: Transfer | None = None, server: ForkServer | None = None,
) -> House:  # fmt: skip
    """The house of a run; roles without a model think by rules. Without a memory of its own it remembers this run alone; ``transfer`` is
    read from the memory where it is not given."""
    from agentnas.agents.analyst import RuleAnalyst
    from agentnas.agents.coder import RuleCoder
    from agentnas.agents.house import Budget, House
    from agentnas.agents.planner import RulePlanner
    from agentnas.agents.transfer_memory import transfer_from
    from agentnas.memory.inbox import Inbox
    from agentnas.memory.memory import InMemory
    from agentnas.report import write_report
    from agentnas.tools.tasks import make_card
    from agentnas.winner import write_winner

    space, anchors, batch = space_and_anchors(config, task)
    fitting = crew_of(config, task)
    room = fitting.room if fitting else None
    if fitting and fitting.note:
        noting(journal)(fitting.note)
    if room:
        anchors = tuple(replace(anchor, spec=searched.fitted(room, space, anchor.spec)) for anchor in anchors)
    evaluator, workers = evaluator_of(directory, config, task, space, server, fitting)
    memory = remembers or InMemory(journal.view, directory.name)
    transfer = transfer or transfer_from(memory, journal.view, None if task.table else usual_scale_of(task))
    rules = RulePlanner(), RuleCoder(anchors, evaluator.price, transfer=transfer), RuleAnalyst()
    minds = thinking.think(models, rules, journal, memory, config, stop, weigh_of(task))
    return House(
        journal=journal,
        evaluator=evaluator,
        memory=memory,
        planner=minds.planner,
        coder=minds.coder,
        analyst=minds.analyst,
        budget=Budget(config.trials, config.time_s),
        limits=limits_of(config),
        seed=config.seed,
        batch=thinking.BATCH if "coder" in models else batch,
        workers=workers,
        make_card=lambda: make_card(task),
        export=lambda: write_winner(directory, journal.view, task),
        report=lambda: write_report(Run(directory)),
        stop_requested=stop,
        llm_limits=thinking.llm_limits(config),
        inbox=Inbox(journal, directory.inbox),
        review=config.review,
        transfer=transfer,
        room=room,
        baselines=None if config.without_baselines else baselines_of(task),
        goal=config.goal or "",
        trial_time_s=config.trial_time_s,
    )


def space_and_anchors(config: Config, task: Task) -> tuple[SearchSpace, tuple[Anchor, ...], int]:
    """What is searched, what is tried first (a person's own designs, then anchors), and how many trials a round has."""
    found = searched_of(config, task)
    return found.space, found.first, BATCH_LIVE if task.table is None else BATCH_TABLE


def searched_of(config: Config, task: Task) -> searched.Searched:
    """What is searched, and what is tried first; raises UsageError for a space, a lock or a start that does not fit the task."""
    return searched.searched(config, task, anchors_of(config, task))
