"""``agentnas chat``: design in conversation, with a language model or by slash commands."""

from __future__ import annotations

import signal
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agentnas.cli import llm_options as models
from agentnas.cli.options import DataDir, Embedder, Json, MemoryDir, RunsDir
from agentnas.cli.output import emit, emit_json, say, soon, table
from agentnas.cli.shell import COMMANDS, command_app
from agentnas.tools.errors import UsageError

if TYPE_CHECKING:
    from agentnas.chat.app import App
    from agentnas.chat.conversation import Conversation
    from agentnas.config import Resolved

app = command_app()

Llm = Annotated[
    str | None,
    typer.Option("--llm", help="Language model to talk with: openai:MODEL, anthropic:MODEL, openai:MODEL@URL, replay:FILE; else none.",
                 show_default=False),
]  # fmt: skip
Continue = Annotated[bool, typer.Option("--continue", help="Go on with the conversation that was the last.")]
SessionName = Annotated[
    str | None, typer.Option("--session", help="Name of a conversation to go on with, or to begin.", show_default=False)
]
SessionsDir = Annotated[Path | None, typer.Option(help="Folder of conversations.", show_default=False)]
Yes = Annotated[bool, typer.Option("--yes", help="Say yes to what would be asked before a run is started.")]
List = Annotated[bool, typer.Option("--list", help="List the conversations, and end.")]


@app.command(help=COMMANDS["chat"].help)
def chat(
    llm: Llm = None, continue_: Continue = False, session: SessionName = None, yes: Yes = False, list_: List = False,
    max_cost: models.MaxCost = None, max_tokens: models.MaxTokens = None, max_llm_calls: models.MaxCalls = None,
    llm_timeout: models.LlmTimeout = None, prices: models.Prices = None, prompts_dir: models.PromptsDir = None,
    record: models.Record = None, sessions_dir: SessionsDir = None, memory_dir: MemoryDir = None, embedder: Embedder = None,
    data_dir: DataDir = None, runs_dir: RunsDir = None, json: Json = False,
) -> None:  # fmt: skip
    from agentnas.chat.session import open_session, require_known, usual_folder
    from agentnas.config import resolve

    folder = sessions_dir or usual_folder()
    if list_:
        _list(folder, json)
        return
    if json:
        raise UsageError("--json goes with --list; the conversation itself is text")
    flags = {"data_dir": data_dir, "runs_dir": runs_dir, "memory_dir": memory_dir, "embedder": embedder}
    resolved = resolve({
        **flags, "llm": llm, "max_cost": max_cost, "max_tokens": max_tokens, "max_llm_calls": max_llm_calls, "llm_timeout": llm_timeout,
        "prices": prices, "prompts_dir": prompts_dir, "record": record,
    })  # fmt: skip
    with ExitStack() as stack:
        settled = stack.enter_context(soon("opening the conversation"))
        model = _model(resolved, stack)
        if continue_ and session is not None:
            require_known(folder, session)
        opened = open_session(folder, session, latest=continue_)
        stack.callback(opened.close)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        made = _made(opened, model, resolved, {name: value for name, value in flags.items() if value is not None}, yes)
        settled()
        done = _talk(made, folder)
    if not done:
        raise typer.Exit(1)


def _list(folder: Path, json: bool) -> None:
    from agentnas.chat.session import list_sessions

    listed = list_sessions(folder)
    if json:
        emit_json([row._asdict() for row in listed])
    elif listed:
        emit(table(("session", "changed", "inputs", "last"), ((*row[:3], row.last[:60]) for row in listed)))
    else:
        say(f"{folder} holds no conversations; agentnas chat begins one")


def _model(resolved: Resolved, stack: ExitStack) -> Any:
    """The model of the settings, checked to be there before anything is spent; None where none is asked."""
    from agentnas import thinking

    name = resolved.config.llm
    if name is None or name == thinking.RULES:
        return None
    from agentnas.agents.llm.names import make_llm
    from agentnas.agents.llm.recording import Recording

    model = make_llm(name)
    stack.callback(model.close)
    thinking.require_prices({"chat": model}, resolved.config, resolved)
    if resolved.config.record is not None:
        model = Recording(model, resolved.config.record, task="chat")
    thinking.require_there(model)
    for line in thinking.notes({"chat": model}, resolved.config):
        say(line)
    return model


def _made(opened: Any, model: Any, resolved: Resolved, flags: dict[str, Any], yes: bool) -> App:
    from agentnas.chat.app import App, asker
    from agentnas.chat.desk import Desk
    from agentnas.chat.screen import Screen
    from agentnas.chat.terminal import question

    screen = Screen()
    confirm = asker(screen, yes, question() if screen.is_live else None)
    desk = Desk(flags, confirm, screen.note, opened.path.with_name(f"{opened.name}.log"))
    talk = None if model is None else _conversation(opened, model, resolved, desk, screen)
    made = App(desk, screen, opened, talk)
    made.restore()
    return made


def _conversation(opened: Any, model: Any, resolved: Resolved, desk: Any, screen: Any) -> Conversation:
    from agentnas.agents.llm.spending import Spending, load_prices
    from agentnas.chat.asking import ROLE, Asking
    from agentnas.chat.conversation import Conversation
    from agentnas.chat.numbers import Known
    from agentnas.chat.state import state
    from agentnas.memory.calls import Calls
    from agentnas.memory.events import LLMAnswered, LLMAsked
    from agentnas.prompts import Prompts
    from agentnas.thinking import llm_limits

    config, calls, prompts = resolved.config, Calls(), Prompts(resolved.config.prompts_dir)
    for entry in opened.entries:
        if isinstance(entry, LLMAsked | LLMAnswered):
            calls.apply(entry)
    spending = Spending(calls, llm_limits(config), load_prices(config.prices))
    asking = Asking(model, spending, calls, opened.append, screen.note, config.llm_timeout_s, version=prompts.versions()[ROLE])
    desk.spent = asking.spent
    return Conversation(asking, prompts.roles[ROLE], desk, screen, Known(), opened.append, lambda: state(desk))


def _talk(made: App, folder: Path) -> bool:
    from agentnas.chat.terminal import live, read

    if not made.screen.is_live:
        return read(made)
    asked = made.conversation.asking.model.name if made.conversation else "no language model; --llm would ask one"
    made.screen.note(made.recap() or f"AgentNAS, {asked}. /help lists the commands, Ctrl-D leaves.")
    live(made, folder / ".history")
    running = made.desk.follower is not None and made.desk.follower.is_running
    made.screen.note(f"{'the run goes on; ' if running else ''}to go on: agentnas chat --session {made.session.name}")
    return True
