"""Tools that plan a run and start it: its settings, what it would take, and the yes of a person before anything is spent."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from agentnas.chat import launch
from agentnas.chat.desk import Desk
from agentnas.chat.tool import AnyTool, Arguments, Result, Slash, Tool
from agentnas.config import FIELDS
from agentnas.tools.errors import UsageError, suggest

# Of a dry run, what a person decides by.
SHOWN = ("note", "task", "data", "time", "trials", "limits", "workers", "device", "confirm", "space", "locked", "llm", "estimate", "cost")
_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)\s*([kKM])")


def amount(value: Any) -> Any:
    """A whole number from ``50k``, ``50,000`` or ``1.5M``; anything else is left for the validator."""
    if not isinstance(value, str):
        return value
    text = value.strip().replace(",", "").replace("_", "")
    found = _AMOUNT.fullmatch(text)
    return round(float(found[1]) * {"k": 1e3, "K": 1e3, "M": 1e6}[found[2]]) if found else text


Amount = Annotated[int | None, BeforeValidator(amount)]


class Plan(Arguments):
    task: str | None = Field(None, description="name of a task")
    split: str | None = Field(None, description="split protocol")
    time: str | None = Field(None, description="most active time, such as 20m or 1h30m; none lifts the limit")
    trials: Amount = Field(None, description="most trials")
    max_params: Amount = Field(None, description="most parameters")
    max_latency_ms: float | None = Field(None, description="longest full-graph inference, median, in ms")
    max_memory_mb: float | None = Field(None, description="peak memory of inference, MiB")
    max_train_memory_mb: float | None = Field(None, description="peak memory of training, MiB")
    confirm_seeds: Amount = Field(None, description="seeds on which the finalists are trained")
    seed: Amount = Field(None, description="seed of search and training")
    workers: Amount = Field(None, description="worker processes")
    device: str | None = Field(None, description="auto, cpu, cuda or cuda:N")
    llm: str | None = Field(None, description="language model of the run's agents, only if the person asks for one; rules: none")
    max_cost: str | None = Field(None, description="most US dollars for the run's language models")
    trial_time: str | None = Field(None, description="most time for one training, such as 1m")
    space: str | None = Field(
        None,
        description="what is searched: small, default, large, deep, attention (only attention), nasbench, or the path of a YAML file; or"
        ' bounds in JSON, such as {"operators": ["gcn", "sage"], "max_depth": 4, "values": {"recipe.optimiser": ["adam"]}}',
    )
    lock: list[str] = Field(
        default_factory=list, description="what every design keeps, such as recipe.learning_rate=0.01, or input, body.n1 of the start"
    )
    start: list[str] = Field(default_factory=list, description="paths of JSON files of specs of the person's own that are tried first")
    clear: list[str] = Field(default_factory=list, description="settings to take back to their defaults, by name; all: every one")


class Start(Arguments):
    resume: str | None = Field(None, description="name of an interrupted run to go on with, or latest; else a new run is started")


def plan(desk: Desk, given: Plan) -> Result:
    """Change the settings of the next run; one that cannot be honoured changes nothing."""
    changed = {name: value for name, value in given.model_dump(exclude_none=True, exclude={"clear"}).items() if value != []}
    cleared = set(desk.settings) if "all" in given.clear else set(given.clear)
    for name in cleared:
        if name not in FIELDS:
            raise UsageError(f"clear: {name!r} is no setting; {suggest(name, FIELDS)}")
    settings = {name: value for name, value in desk.settings.items() if name not in cleared} | changed
    found = look_ahead(desk, settings)
    desk.settings = settings
    running = desk.follower is not None and desk.follower.is_running
    kept = ["", "The run that goes on keeps its own settings; these are for the next one."] if running and (changed or cleared) else []
    return Result("\n".join([*plan_lines(found), *kept]), gist(found))


def look_ahead(desk: Desk, settings: dict[str, Any]) -> dict[str, Any]:
    """What a run with these settings would be; raises AgentNASError for those that cannot be honoured. Nothing is written."""
    from agentnas.dry_run import dry_run

    return dry_run({**desk.flags, **settings})


def plan_lines(found: dict[str, Any]) -> list[str]:
    """The plan, a line a fact."""
    return [f"{name:9} {_shown(found[name])}" for name in SHOWN if name in found]


def gist(found: dict[str, Any]) -> str:
    """The plan in a line."""
    limits = "" if found["limits"] == "none" else f", {found['limits']}"
    bound = ", ".join(f"{found[name]} {name}" for name in ("trials", "time") if found[name] != "no limit") or "no limit"
    return f"{found['task'].split(' ')[0]}, {bound}{limits}"


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def start_run(desk: Desk, given: Start) -> Result:
    """Start a run in the background, or go on with one, once the person has said yes."""
    if desk.follower is not None and desk.follower.is_running:
        raise UsageError(f"run {desk.follower.directory.name} goes on; wait for its end, or stop it first")
    if given.resume is not None:
        directory = desk.found(None if given.resume in ("", "latest") else given.resume)
        words, question = launch.resume_words(directory, desk), f"Go on with run {directory.name}?"
    else:
        found = look_ahead(desk, desk.settings)
        words, question = launch.new_words(desk), "\n".join([*plan_lines(found), f"Start this run ({gist(found)}; {found['cost']})?"])
    if not desk.confirm(question):
        return Result("Not started: the person did not agree. Ask what to change.", "not started", ok=False)
    directory = launch.start(words, desk)
    desk.look_at(directory.path)
    return Result(
        f"run {directory.name} goes on in the background, whatever happens to this conversation; /status shows how it stands",
        f"started {directory.name}",
    )


TOOLS: tuple[AnyTool, ...] = (
    Tool(
        "plan",
        "Set or change the settings of the next run (task, limits, budgets), and see what it would do and is likely to take. Nothing is"
        " started. Without arguments: the plan as it stands.",
        "the next run: show it, or set NAME=VALUE ...",
        Plan,
        plan,
        Slash("plan", "[NAME=VALUE ...]", also=("set",)),
    ),
    Tool(
        "start_run",
        "Start the planned run in the background, or resume one. The person is asked first by the program itself, with the estimate.",
        "start the planned run, or /run resume",
        Start,
        start_run,
        Slash("run", "[resume [RUN]]", ("resume",)),
    ),
)
