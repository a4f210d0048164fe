"""A conversation in this process: what it printed, its session, and a server that answers."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from agentnas.agents.llm.names import make_llm
from agentnas.agents.llm.spending import Limits, Spending
from agentnas.agents.llm.talk import Talker
from agentnas.chat.app import App
from agentnas.chat.asking import Asking
from agentnas.chat.conversation import Conversation
from agentnas.chat.desk import Desk
from agentnas.chat.numbers import Known
from agentnas.chat.screen import Screen
from agentnas.chat.session import open_session
from agentnas.chat.state import state
from agentnas.memory.calls import Calls
from agentnas.prompts import Prompts
from tests.llm_server import LLMServer


@dataclass
class Talk:
    """An app and what it wrote to stdout and stderr."""

    app: App
    out: io.StringIO
    err: io.StringIO
    asked: list[str]

    def say(self, *lines: str) -> str:
        """Take inputs; what they printed on stdout."""
        begin = len(self.out.getvalue())
        for line in lines:
            assert self.app.take(line)
        return self.out.getvalue()[begin:]

    @property
    def turns(self) -> list[tuple[str, str]]:
        assert self.app.conversation is not None
        return [(turn.role, turn.text) for turn in self.app.conversation.turns]


@contextmanager
def talking(
    folder: Path, server: LLMServer | None = None, *, limits: Limits | None = None, yes: bool = False, session: str = "s",
    answer: Callable[[str], bool] | None = None,
) -> Iterator[Talk]:  # fmt: skip
    """A conversation in a folder; with a server there is a model, asked by chat completions."""
    out, err, asked = io.StringIO(), io.StringIO(), list[str]()

    def confirm(question: str) -> bool:
        asked.append(question)
        return yes if answer is None else answer(question)

    screen = Screen(out, err, utf8=True)
    opened = open_session(folder / "sessions", session)
    desk = Desk({"runs_dir": folder / "runs"}, confirm, screen.note, folder / "sessions" / f"{session}.log")
    app = App(desk, screen, opened, None)
    if server is not None:
        model = cast(Talker, make_llm(f"openai:m@{server.url}", environment={}))
        calls, prompts = Calls(), Prompts()
        spending = Spending(calls, limits or Limits(), {})
        asking = Asking(model, spending, calls, opened.append, screen.note, 10.0, first_wait_s=0.01)
        desk.spent = asking.spent
        app.conversation = Conversation(asking, prompts.roles["chat"], desk, screen, Known(), opened.append, lambda: state(desk))
    app.restore()
    try:
        yield Talk(app, out, err, asked)
    finally:
        opened.close()
        if app.conversation is not None:
            app.conversation.asking.model.close()
