"""The conversation as a whole: lines come in, slash commands and the model answer them, everything is kept in the session."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agentnas.agents.llm.base import LLMError
from agentnas.agents.llm.failures import without_keys
from agentnas.chat import plain, slash
from agentnas.chat import session as se
from agentnas.chat.conversation import Conversation, restored
from agentnas.chat.desk import Desk
from agentnas.chat.screen import Screen
from agentnas.chat.session import Session
from agentnas.tools.errors import AgentNASError

KEY_SEEN = "what looks like a key was taken out of your words: keys belong into the environment or a .env file"


@dataclass
class App:
    """``conversation`` is None where no model is asked. ``failed`` is whether the last input could not be done."""

    desk: Desk
    screen: Screen
    session: Session
    conversation: Conversation | None
    failed: bool = False

    def take(self, line: str) -> bool:
        """One input; False when the person leaves. Ctrl-C interrupts the answer, and no run."""
        text = without_keys(line.strip())
        if text != line.strip():
            self.screen.warn(KEY_SEEN)
        if not text:
            return True
        if text.split()[0] in {f"/{word}" for word in slash.LEAVE}:
            return False
        try:
            self.failed = not (self._command(text) if text.startswith("/") else self._words(text))
        except KeyboardInterrupt:
            self.failed = True
            self.screen.end()
            goes_on = self.desk.follower is not None and self.desk.follower.is_running
            self.screen.note(f"interrupted{'; the run goes on' if goes_on else ''}")
        except (LLMError, AgentNASError) as error:
            self.failed = True
            self.screen.end()
            self.screen.warn(f"error: {' '.join(str(error).split())}")
        self._keep_desk()
        return True

    def _command(self, text: str) -> bool:
        result = slash.call(self.desk, text)
        if result.ok:
            self.screen.text(result.text)
        else:
            self.screen.warn(result.text)
        self.session.append(se.Called(command=text, text=result.text, ok=result.ok))
        if self.conversation is not None and result.ok and not text.startswith("/help"):
            self.conversation.overhear(text, result.text)
        return result.ok

    def _words(self, text: str) -> bool:
        if self.conversation is not None:
            self.conversation.hear(text)
            return True
        from agentnas.tools.tasks import task_names

        answer = plain.answer(text, task_names())
        self.screen.text(answer)
        self.session.append(se.Called(command=text, text=answer))
        return True

    def news(self) -> None:
        """Tell what happened to the run meanwhile."""
        self.desk.reap()
        if self.desk.follower is not None:
            for line in self.desk.follower.news():
                self.screen.note(line, "36")
                if self.conversation is not None:
                    self.conversation.known.learn(line)

    def toolbar(self) -> str:
        """Run state and cost for the bottom of the screen."""
        parts = []
        if self.desk.follower is not None:
            self.desk.follower.refresh()
            parts.append(self.desk.follower.line())
        if self.conversation is not None:
            parts.append(self.desk.spent())
        return " | ".join(parts) or "no run yet; /help lists the commands"

    def restore(self) -> None:
        """Take up plan, run and turns of the entries that the session already has."""
        if planned := self.session.last(se.Planned):
            self.desk.settings = dict(planned.settings)
        if linked := self.session.last(se.Linked):
            self.desk.look_at(Path(linked.path))
        if self.conversation is not None:
            self.conversation.turns = list(restored(self.session.entries, self.conversation.known))
            self.conversation.complete()

    def recap(self) -> str | None:
        """Which conversation is continued, and where it stood; None for a new one."""
        said = se.inputs(self.session.entries)
        return f"session {self.session.name} goes on; last you said: {said[-1]}" if said else None

    def _keep_desk(self) -> None:
        """Write plan and run where they changed."""
        planned, linked = self.session.last(se.Planned), self.session.last(se.Linked)
        if self.desk.settings != (planned.settings if planned else {}):
            self.session.append(se.Planned(settings=dict(self.desk.settings)))
        if self.desk.follower is None:
            return
        path = str(self.desk.follower.directory.path.resolve())
        if linked is None or linked.path != path:
            self.session.append(se.Linked(path=path))


def asker(screen: Screen, yes: bool, ask: Callable[[str], str] | None) -> Callable[[str], bool]:
    """Asks y or n; where nobody sits at a terminal the answer is no, unless ``yes`` was given beforehand."""

    def confirm(question: str) -> bool:
        screen.end()
        *facts, last = question.splitlines()
        if facts:
            screen.text("\n".join(facts))
        if yes:
            screen.note(f"{last} yes (--yes)")
            return True
        if ask is None:
            screen.warn(f"{last} nobody is there to be asked; agentnas chat --yes says yes beforehand")
            return False
        *above, asked = screen.folded(f"{last} [y/N]")
        screen.text("\n".join(above))
        return ask(f"{asked} ").strip().lower() in ("y", "yes")

    return confirm
