"""``agentnas prompts``: what the agents' models are told, word for word."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agentnas.cli.llm_options import PromptsDir
from agentnas.cli.options import DataDir, Json, RunsDir
from agentnas.cli.output import emit, emit_json, say, table
from agentnas.cli.shell import COMMANDS, group_app
from agentnas.config import resolve
from agentnas.memory.calls import Call
from agentnas.memory.rundir import RunDirectory
from agentnas.memory.runs import find
from agentnas.prompts import Prompts
from agentnas.tools.errors import UsageError, suggest

if TYPE_CHECKING:
    from agentnas.agents.llm.base import Message

# Needs no data: its anchors are looked up.
USUAL_TASK = "nasbench:cora"
CHARACTERS_A_TOKEN = 4
CHAT = "chat"

app = group_app(COMMANDS["prompts"].help)
Role = Annotated[str, typer.Argument(help="planner, coder, analyst or chat.", show_default=False)]
RunOf = Annotated[str | None, typer.Option("--run", help="A run: what was sent in it, or would be sent next.", show_default=False)]
Round = Annotated[
    int | None, typer.Option("--round", min=0, help="Round of the run; else the last in which it was asked.", show_default=False)
]
TaskOf = Annotated[str | None, typer.Option("--task", help=f"Task of a new run. [default: {USUAL_TASK}]", show_default=False)]


@app.command("list")
def list_(prompts_dir: PromptsDir = None, json: Json = False) -> None:
    """The prompt of each role: version, file, and the facts that it is filled with."""
    prompts = Prompts(resolve({"prompts_dir": prompts_dir}).config.prompts_dir)
    versions = prompts.versions()
    rows = [
        {"role": role, "version": versions[role], "source": prompt.source, "partials": list(prompt.included),
         "placeholders": sorted(prompt.placeholders)}
        for role, prompt in prompts.roles.items()
    ]  # fmt: skip
    if json:
        emit_json(rows)
        return
    emit(table(("role", "version", "source", "partials"), ((r["role"], r["version"], r["source"], ", ".join(r["partials"])) for r in rows)))
    for row in rows:
        emit(f"\n{row['role']} is filled with: {', '.join(row['placeholders'])}")


@app.command()
def show(
    role: Role,
    run: RunOf = None,
    round_: Round = None,
    task: TaskOf = None,
    prompts_dir: PromptsDir = None,
    data_dir: DataDir = None,
    runs_dir: RunsDir = None,
    json: Json = False,
) -> None:
    """What a role's model was sent in a run, repairs included; or what it would be sent next, or in a new run.

    Nothing is sent, and no run is changed.
    """
    if role not in Prompts().roles:
        raise UsageError(f"no role {role!r}; {suggest(role, Prompts().roles)}")
    if role == CHAT:
        _show_chat(run, round_, task, prompts_dir, json)
        return
    if run is None:
        if round_ is not None:
            raise UsageError(f"--round {round_} needs a run; name one with --run")
        _show_next(role, _first(role, task, prompts_dir, data_dir), None, json)
        return
    for flag, value in (("--task", task), ("--prompts-dir", prompts_dir), ("--data-dir", data_dir)):
        if value is not None:
            raise UsageError(f"{flag} {value} is for a new run; a run has its own, so leave it out, or leave --run out")
    directory = find(resolve({"runs_dir": runs_dir}).config.runs_dir, run)
    calls = sent(directory, role, round_)
    if calls:
        _show_sent(directory, calls, json)
    else:
        _show_next(role, _next(role, directory), directory, json)


def _show_chat(run: str | None, round_: int | None, task: str | None, prompts_dir: Path | None, json: bool) -> None:
    """Conversations belong to no run and no task: agentnas chat --list shows where they lie."""
    from agentnas.chat.state import first_turns

    for flag, value in (("--run", run), ("--round", round_), ("--task", task)):
        if value is not None:
            raise UsageError(f"{flag} {value} is for the agents of a run; a conversation has none, so leave it out")
    _show_next(CHAT, first_turns(Prompts(resolve({"prompts_dir": prompts_dir}).config.prompts_dir).roles[CHAT]), None, json)


def sent(directory: RunDirectory, role: str, round_: int | None) -> list[Call]:
    """The calls to a role in one round of a run, by default the last with any; empty where the run never asked it.

    Raises UsageError for a round in which it was not asked.
    """
    rounds = directory.view().calls
    asked = sorted({call.asked.round for call in rounds.of(role)})
    if round_ is not None and round_ not in asked:
        known = (
            f"it was asked in round {', '.join(map(str, asked))}"
            if asked
            else "it was never asked; leave --round out for what would be sent"
        )
        raise UsageError(f"run {directory.name} asked the {role} nothing in round {round_}; {known}")
    return rounds.of(role, asked[-1] if round_ is None else round_) if asked else []


def _first(role: str, name: str | None, prompts_dir: Path | None, data_dir: Path | None) -> Sequence[Message]:
    from agentnas import api
    from agentnas.first_prompt import first_prompt

    resolved = resolve({"task": name, "prompts_dir": prompts_dir, "data_dir": data_dir})
    if resolved.config.task is None:
        resolved = resolved._replace(config=resolved.config.model_copy(update={"task": USUAL_TASK}))
    task = api.choose_task(resolved)
    config = api.bounded(resolved.config, resolved)
    api.check(config, task)
    return first_prompt(role, config, task)


def _next(role: str, directory: RunDirectory) -> Sequence[Message]:
    from agentnas import api
    from agentnas.first_prompt import next_prompt
    from agentnas.tools.tasks import load_task

    config, _ = api.stored_settings(directory)
    task = load_task(str(config.task), data_dir=config.data_dir, split=config.split, allow_code=resolve().config.allow_code)
    return next_prompt(role, directory, config, task)


def _show_next(role: str, messages: Sequence[Message], directory: RunDirectory | None, json: bool) -> None:
    turns = [message.as_dict() for message in messages]
    if json:
        emit_json({"role": role, "run": directory.name if directory else None, "sent": False, "messages": turns})
        return
    for turn in turns:
        emit(_turn(turn))
    size = sum(len(turn["content"]) for turn in turns) // CHARACTERS_A_TOKEN
    where = f"run {directory.name} asked the {role} nothing; this is what it would be sent next" if directory else "nothing was sent"
    say(f"{where} (about {size:,} tokens, and the schema of the answer)")


def _show_sent(directory: RunDirectory, calls: Sequence[Call], json: bool) -> None:
    if json:
        fields = {"call", "role", "round", "step", "attempt", "model", "prompt_hash", "messages"}
        emit_json([{"run": directory.name, "sent": True, **call.asked.model_dump(include=fields)} for call in calls])
        return
    for text in _in_turn(calls):
        emit(text)


def _in_turn(calls: Sequence[Call]) -> Iterator[str]:
    """Every call with what it sent; turns that the call before has sent already are named, not repeated."""
    before: Sequence[dict[str, str]] = ()
    name = ""
    for call in calls:
        asked = call.asked
        yield _heading(call)
        turns = asked.messages
        if name and turns[: len(before)] == before:
            yield f"(the {len(before)} turns of {name}{', then' if len(turns) > len(before) else ' again'})\n"
            turns = turns[len(before) :]
        yield from map(_turn, turns)
        before, name = asked.messages, asked.call


def _heading(call: Call) -> str:
    asked = call.asked
    what = "question" if asked.step == 0 else f"repair {asked.step}"
    again = f", try {asked.attempt + 1}" if asked.attempt else ""
    outcome = call.answered.outcome.replace("_", " ") if call.answered else "no answer yet"
    return f"==== {asked.call}: {asked.role}, round {asked.round}, {what}{again}, {asked.model}, prompt {asked.prompt_hash}: {outcome}"


def _turn(turn: dict[str, Any]) -> str:
    return f"---- {turn['role']}\n{turn['content'].rstrip()}\n"
