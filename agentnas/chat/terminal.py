"""How lines come in: from a person at a terminal, with history, completion and a bar that shows the run; or from a pipe, one line each."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentnas.agents.llm.failures import without_keys
from agentnas.chat import slash
from agentnas.chat.app import App
from agentnas.memory.runs import list_runs
from agentnas.tools.errors import RunError

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession

# Commands whose words are names of this kind.
TASKS, TRIALS, RUNS = ("task", "check"), ("why", "compare"), ("status", "best", "stop", "cost", "compare", "export")
MOST_RUNS = 20


def piped(lines: Iterable[str]) -> Iterator[str]:
    """Each line of a pipe, those that end in a backslash joined with the next."""
    held = ""
    for line in lines:
        text = line.rstrip("\n")
        if text.endswith("\\"):
            held += text[:-1] + "\n"
            continue
        yield held + text
        held = ""
    if held:
        yield held


def candidates(app: App, text: str) -> list[str]:
    """What the last word of a line may become."""
    head, _, word = text.rpartition(" ")
    if not head:
        return [f"/{name}" for name in slash.names() if f"/{name}".startswith(word)] if word.startswith("/") else []
    command = head.split()[0].removeprefix("/")
    return [name for name in _names(app, command) if name.startswith(word)] if head.startswith("/") else []


def _names(app: App, command: str) -> Iterator[str]:
    from agentnas.chat.tools_plan import Plan

    if command in TASKS:
        yield from _tasks()
    if command in TRIALS and app.desk.follower is not None:
        yield from app.desk.follower.watched.view.proposals
    if command in RUNS:
        yield from _runs(app)
    if command == "run":
        yield "resume"
    if command in ("plan", "set"):
        yield from (f"{name}=" for name in Plan.model_fields)
        yield from (f"task={name}" for name in _tasks())


def _tasks() -> list[str]:
    from agentnas.tools.tasks import task_names

    return list(task_names())


def _runs(app: App) -> list[str]:
    try:
        return [run.name for run in list_runs(app.desk.runs_dir)[:MOST_RUNS]]
    except RunError:
        return []


def prompt_session(app: App, history: Path) -> PromptSession[str]:
    """The prompt of a person. Enter sends; Alt-Enter, or a backslash at the end of a line, begins a new one."""
    from prompt_toolkit import PromptSession
    from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
    from prompt_toolkit.formatted_text import to_formatted_text

    def toolbar() -> Any:
        return to_formatted_text(app.screen.fitted(app.toolbar())[: app.screen.width])

    return PromptSession(
        history=_history(history), completer=_completer(app), complete_while_typing=False, auto_suggest=AutoSuggestFromHistory(),
        key_bindings=_keys(), bottom_toolbar=toolbar, refresh_interval=1.0, multiline=True, prompt_continuation="  ",
        erase_when_done=False,
    )  # fmt: skip


def _completer(app: App) -> Any:
    from prompt_toolkit.completion import Completer, Completion

    class Names(Completer):
        def get_completions(self, document: Any, complete_event: Any) -> Iterator[Completion]:
            text = document.text_before_cursor
            size = len(text.rpartition(" ")[2])
            yield from (Completion(name, start_position=-size) for name in candidates(app, text))

    return Names()


def _history(path: Path) -> Any:
    from prompt_toolkit.history import FileHistory

    class Scrubbed(FileHistory):
        def store_string(self, string: str) -> None:
            super().store_string(without_keys(string))

    path.touch(mode=0o600)
    return Scrubbed(str(path))


def _keys() -> Any:
    from prompt_toolkit.key_binding import KeyBindings

    keys = KeyBindings()

    @keys.add("enter")
    def _(event: Any) -> None:
        buffer = event.current_buffer
        if buffer.text.endswith("\\") and buffer.cursor_position == len(buffer.text):
            buffer.delete_before_cursor()
            buffer.insert_text("\n")
        else:
            buffer.validate_and_handle()

    @keys.add("escape", "enter")
    def _(event: Any) -> None:
        event.current_buffer.insert_text("\n")

    return keys


def live(app: App, history: Path) -> None:
    """Read and answer until the person leaves."""
    prompt = prompt_session(app, history)
    warned = False
    while True:
        app.news()
        try:
            line = prompt.prompt("> ")
        except KeyboardInterrupt:
            if not warned:
                app.screen.note("Ctrl-D or /exit leaves")
            warned = True
            continue
        except EOFError:
            return
        if not app.take(line):
            return


def read(app: App, stream: Iterable[str] | None = None) -> bool:
    """Answer the lines of a pipe; True if all could be done."""
    done = True
    for line in piped(sys.stdin if stream is None else stream):
        app.news()
        if not app.take(line):
            break
        done = done and not app.failed
    app.news()
    return done


def question() -> Callable[[str], str]:
    """Asks on the terminal; Ctrl-C and Ctrl-D are no answer, which is no."""

    def ask(text: str) -> str:
        try:
            return input(text)
        except EOFError:
            return ""

    return ask
