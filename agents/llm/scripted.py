"""A model whose answers were written beforehand: for tests, and for trying prompts without a key."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from pydantic import BaseModel

from agentnas.agents.llm.base import Finish, LLMError, Message, Reply, Usage
from agentnas.agents.llm.reading import read_reply
from agentnas.agents.llm.talk import Ended as TalkEnded
from agentnas.agents.llm.talk import Part, ToolForm, Turn, from_text
from agentnas.tools.errors import ConfigError
from agentnas.tools.spec.fields import short

T = TypeVar("T", bound=BaseModel)
STREAMED = 16
CHARACTERS_A_TOKEN = 4


class NoAnswerLeftError(LLMError):
    """The script or the recording has no further answer."""


@dataclass(frozen=True)
class Ended:
    """An answer that ends in a way of its own: cut off, refused."""

    text: str
    finish: Finish


# Text, data that is written as JSON, an answer with an end of its own, or the failure of a call.
Answer = str | Mapping[str, Any] | Sequence[Any] | Ended | LLMError
Script = Callable[[str, Sequence[Message]], Answer]


@dataclass(frozen=True)
class Question:
    """What was asked."""

    role: str
    messages: tuple[Message, ...]


class Scripted:
    """Answers from a queue, from a queue a role, or from a function of role and messages. ``history`` is what was asked, in order.

    Tokens are characters divided by 4. When a queue is empty, NoAnswerLeftError is raised.
    """

    free = True
    demonstration = False

    def __init__(self, answers: Script | Iterable[Answer] | Mapping[str, Iterable[Answer]], name: str = "scripted") -> None:
        self.name = name
        self.history: list[Question] = []
        self._script = answers if callable(answers) else None
        self._queues: dict[str, list[Answer]] = {}
        self._lock = Lock()
        if isinstance(answers, Mapping):
            self._queues = {role: list(queue) for role, queue in answers.items()}
        elif not callable(answers):
            self._queues = {"": list(answers)}

    def ask(self, role: str, messages: Sequence[Message], answer: type[T], *, max_tokens: int, timeout_s: float) -> Reply[T]:
        """The next answer, read as any other; one longer than ``max_tokens`` is cut off."""
        said = self._said(role, messages)
        most = max_tokens * CHARACTERS_A_TOKEN
        text, finish = (said.text, said.finish) if len(said.text) <= most else (said.text[:most], "length")
        asked = sum(len(message.content) for message in messages)
        usage = Usage(asked // CHARACTERS_A_TOKEN, len(text) // CHARACTERS_A_TOKEN, 0)
        return read_reply(text, answer, finish, usage, self.name)

    def stream(self, role: str, messages: Sequence[Message], *, max_tokens: int, timeout_s: float) -> Iterator[str]:
        """The next answer in pieces."""
        yield from pieces(self._said(role, messages).text)

    def converse(self, role: str, turns: Sequence[Turn], tools: Sequence[ToolForm], *, max_tokens: int, timeout_s: float) -> Iterator[Part]:
        """The next answer in pieces; one that calls tools is an object with ``say`` and ``calls``, each of ``name`` and ``arguments``."""
        said = self._said(role, [Message("assistant" if t.role == "assistant" else "user", t.text) for t in turns])
        asked = sum(len(turn.text) for turn in turns)
        yield from parts(said.text, said.finish, Usage(asked // CHARACTERS_A_TOKEN, len(said.text) // CHARACTERS_A_TOKEN, 0))

    def check(self, timeout_s: float = 10.0) -> None:
        """Nothing can be wrong."""

    def close(self) -> None:
        """Nothing is open."""

    def _said(self, role: str, messages: Sequence[Message]) -> Ended:
        with self._lock:
            self.history.append(Question(role, tuple(messages)))
            found = self._next(role) if self._script is None else self._script(role, messages)
        if isinstance(found, LLMError):
            raise found
        if isinstance(found, Ended):
            return found
        return Ended(found if isinstance(found, str) else json.dumps(found), "stop")

    def _next(self, role: str) -> Answer:
        queue = self._queues.get(role, self._queues.get("", []))
        if not queue:
            raise NoAnswerLeftError(f"{self.name}: the script has no further answer for {role}")
        return queue.pop(0)


def pieces(text: str) -> Iterator[str]:
    """A text as a stream brings it."""
    return (text[at : at + STREAMED] for at in range(0, len(text), STREAMED))


def parts(text: str, finish: Finish, usage: Usage) -> Iterator[Part]:
    """An answer of a conversation that was written down, as a stream brings it."""
    said, calls = from_text(text)
    yield from pieces(said)
    yield from calls
    yield TalkEnded(finish, usage)


def load_script(file: Path, name: str, skip: Mapping[str, int] | None = None) -> Scripted:
    """A script from a JSON file: a list of answers, or lists by role; ``skip`` answers of each role were used before.

    Raises ConfigError for a file that cannot be read or holds something else.
    """
    try:
        held = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{name}: cannot be read: {error.strerror}; {_EXAMPLE}") from None
    except ValueError as error:
        raise ConfigError(f"{name}: not JSON: {error}; {_EXAMPLE}") from None
    lists = held if isinstance(held, dict) else {"": held}
    wrong = next((answers for answers in lists.values() if not isinstance(answers, list)), None)
    if wrong is not None:
        raise ConfigError(f"{name}: holds {short(wrong)} where a list of answers belongs; {_EXAMPLE}")
    used = dict(skip or {})
    if "" in lists:  # one queue for all: what any role used is gone
        used[""] = sum(used.values())
    return Scripted({role: answers[used.get(role, 0) :] for role, answers in lists.items()}, name)


_EXAMPLE = 'allowed: {"planner": [answer, ...], "coder": [answer, ...]}, each answer a text or the JSON itself'
