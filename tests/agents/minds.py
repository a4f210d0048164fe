"""A model whose answers are queued, and a consultant that asks it, over a real journal."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from agentnas.agents.llm.base import ConnectionFailedError, Finish, LLMError, Message, Reply, T, Usage
from agentnas.agents.llm.consult import Consultant
from agentnas.agents.llm.reading import read_reply
from agentnas.agents.llm.spending import Limits, Spending
from agentnas.agents.situation import Situation
from agentnas.memory import events as ev
from agentnas.memory.journal import Journal

Said = dict[str, Any] | str | Finish | LLMError
NAME = "test:mind"


class Mind:
    """Says what was queued: data as JSON, text as it is, ``refusal`` and ``length`` as such; raises errors. Keeps what it was asked."""

    name = NAME

    def __init__(self, *says: Said) -> None:
        self.says, self.asked = list(says), list[list[Message]]()

    def ask(self, role: str, messages: Sequence[Message], answer: type[T], *, max_tokens: int, timeout_s: float) -> Reply[T]:
        self.asked.append(list(messages))
        said = self.says.pop(0)
        if isinstance(said, LLMError):
            raise said
        finish: Finish = said if said in ("refusal", "length") else "stop"  # type: ignore[assignment]
        text = json.dumps(said) if isinstance(said, dict) else "" if finish != "stop" else said
        return read_reply(text, answer, finish, Usage(100, 50), self.name)

    def stream(self, role: str, messages: Sequence[Message], *, max_tokens: int, timeout_s: float) -> Iterator[str]:
        raise ConnectionFailedError("no conversation was queued")

    def check(self, timeout_s: float = 10.0) -> None:
        """Always there."""

    def close(self) -> None:
        """Holds nothing."""


class Brief:
    """Asks every role the same plain question."""

    def planner(self, situation: Situation) -> Sequence[Message]:
        return (Message("system", "You plan."), Message("user", f"Round {situation.round}?"))

    def analyst(self, situation: Situation) -> Sequence[Message]:
        return (Message("system", "You analyse."), Message("user", f"Round {situation.round}?"))


def new_journal(folder: Path) -> Journal:
    journal = Journal.create(folder / "events.jsonl")
    journal.append(ev.RunStarted(task="a task", protocol="p", config={}, environment={}))
    return journal


def consulting(journal: Journal, mind: Mind) -> Consultant:
    """A consultant that asks this mind for every role, without limits and without waiting."""
    roles = ("planner", "coder", "analyst")
    spending = Spending(journal.view.calls, Limits(), {})
    return Consultant(journal, dict.fromkeys(roles, mind), spending, dict.fromkeys(roles, 1000), first_wait_s=0.001)


def judged(journal: Journal) -> list[tuple[int, int, tuple[str, ...]]]:
    """Of each call: items, those taken, problems."""
    return [(j.items, j.taken, j.problems) for call in journal.view.calls.of() if (j := call.judged) is not None]
