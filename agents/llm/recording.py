"""Calls of a run in a file, and a model that gives the same answers again: a run can be shown and tested with no key.

The file is JSON Lines: a header, what the run remembered of others before it began, then one line for each answer in the order in which it
came. It holds no prompts, only their hashes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any, Literal, TypeVar, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from agentnas.agents.llm.base import LLM, Finish, Message, Reply, Usage, is_free
from agentnas.agents.llm.consult import prompt_hash
from agentnas.agents.llm.reading import read_reply
from agentnas.agents.llm.scripted import NoAnswerLeftError, parts, pieces
from agentnas.agents.llm.talk import Ended, Part, Talker, ToolCall, ToolForm, Turn, as_text
from agentnas.tools.errors import ConfigError

T = TypeVar("T", bound=BaseModel)
VERSION = 2
MOST_REMEMBERED = 2000


class Header(BaseModel):
    """The first line of a recording."""

    model_config = ConfigDict(frozen=True)

    recording: Literal["agentnas"] = "agentnas"
    version: int = VERSION
    recorded: str
    task: str = ""


class Remembered(BaseModel):
    """One record of the memory, as ``agentnas memory export`` writes it."""

    model_config = ConfigDict(frozen=True)

    memory: dict[str, Any]


class Line(BaseModel):
    """One answer."""

    model_config = ConfigDict(frozen=True)

    role: str
    prompt_hash: str
    text: str
    finish: Finish = "stop"
    model: str
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None


class Recording:
    """A model whose answers are also written to a file, each before it is used; several models may share a file.

    Raises ConfigError for a file that cannot be written or is something else. One that fails later ends the recording, not the run:
    ``warnings`` says so.
    """

    def __init__(self, llm: LLM, file: Path, task: str = "") -> None:
        self.name = llm.name
        self.free = is_free(llm)
        self.demonstration: bool = getattr(llm, "demonstration", False)
        self.warnings: list[str] = []
        self._llm, self._file, self._lock = llm, file, Lock()
        self._start(task)

    def ask(self, role: str, messages: Sequence[Message], answer: type[T], *, max_tokens: int, timeout_s: float) -> Reply[T]:
        """The model's reply, recorded; a call that fails is not."""
        reply = self._llm.ask(role, messages, answer, max_tokens=max_tokens, timeout_s=timeout_s)
        usage = reply.usage
        self._append(Line(
            role=role, prompt_hash=prompt_hash(messages, _schema(answer)), text=reply.text, finish=reply.finish, model=reply.model,
            input_tokens=usage.input, output_tokens=usage.output, cached_tokens=usage.cached,
        ))  # fmt: skip
        return reply

    def stream(self, role: str, messages: Sequence[Message], *, max_tokens: int, timeout_s: float) -> Iterator[str]:
        """The model's pieces, recorded as one text when they are complete."""
        said = []
        for piece in self._llm.stream(role, messages, max_tokens=max_tokens, timeout_s=timeout_s):
            said.append(piece)
            yield piece
        self._append(Line(role=role, prompt_hash=prompt_hash(messages), text="".join(said), model=self.name))

    def converse(self, role: str, turns: Sequence[Turn], tools: Sequence[ToolForm], *, max_tokens: int, timeout_s: float) -> Iterator[Part]:
        """The model's answer, recorded when it is complete."""
        said, calls = "", []
        for part in cast(Talker, self._llm).converse(role, turns, tools, max_tokens=max_tokens, timeout_s=timeout_s):
            said += part if isinstance(part, str) else ""
            calls += [part] if isinstance(part, ToolCall) else []
            if isinstance(part, Ended):
                self._append(Line(
                    role=role, prompt_hash=turns_hash(turns), text=as_text(said, calls), finish=part.finish, model=self.name,
                    input_tokens=part.usage.input, output_tokens=part.usage.output, cached_tokens=part.usage.cached,
                ))  # fmt: skip
            yield part

    def check(self, timeout_s: float = 10.0) -> None:
        self._llm.check(timeout_s)

    def close(self) -> None:
        self._llm.close()

    def _start(self, task: str) -> None:
        """Write the header of a new file; a file that is no recording is left alone, and said so."""
        try:
            if self._file.exists() and self._file.stat().st_size:
                load_recording(self._file, f"--record {self._file}")
            else:
                self._write(Header(recorded=datetime.now(UTC).date().isoformat(), task=task))
        except OSError as error:
            raise ConfigError(f"--record {self._file}: cannot be written: {error.strerror}") from None

    def _append(self, line: BaseModel) -> None:
        if self.warnings:
            return
        try:
            self._write(line)
        except OSError as error:
            self.warnings.append(f"--record {self._file}: cannot be written: {error.strerror}; the recording ends here")

    def _write(self, line: BaseModel) -> None:
        data = (json.dumps(line.model_dump(exclude_none=True), ensure_ascii=False) + "\n").encode()
        with self._lock, self._file.open("ab") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())


def record_memory(file: Path, lines: Sequence[str]) -> str | None:
    """Add what the run remembers of others, exported lines, to a recording that holds no answer yet; a warning where that cannot be."""
    try:
        if len(file.read_bytes().splitlines()) != 1:
            return None  # of a run that is resumed
        if len(lines) > MOST_REMEMBERED:
            return (
                f"--record {file}: the memory holds {len(lines)} records, at most {MOST_REMEMBERED} are recorded; a replay goes without it"
            )
        with file.open("a", encoding="utf-8") as recording:
            recording.writelines(json.dumps({"memory": json.loads(line)}, ensure_ascii=False) + "\n" for line in lines)
    except OSError as error:
        return f"--record {file}: cannot be written: {error.strerror}"
    return None


class Replay:
    """The answers of a recording, matched by role and order; ``skip`` of each role were used before, by the run that is resumed.

    A prompt that differs from the recorded one is answered all the same; ``warnings`` says so once.
    """

    free = True
    demonstration = True

    def __init__(self, file: Path, name: str, skip: Mapping[str, int] | None = None) -> None:
        self.name = name
        self.header, self.memory, lines = load_recording(file, name)
        self.warnings: list[str] = []
        self._at = dict(skip or {})
        self._lines: dict[str, list[Line]] = {}
        self._lock = Lock()
        for line in lines:
            self._lines.setdefault(line.role, []).append(line)

    def ask(self, role: str, messages: Sequence[Message], answer: type[T], *, max_tokens: int, timeout_s: float) -> Reply[T]:
        """The next recorded answer of the role; raises NoAnswerLeftError after the last."""
        line = self._next(role, prompt_hash(messages, _schema(answer)))
        usage = Usage(line.input_tokens, line.output_tokens, line.cached_tokens)
        return read_reply(line.text, answer, line.finish, usage, line.model)

    def stream(self, role: str, messages: Sequence[Message], *, max_tokens: int, timeout_s: float) -> Iterator[str]:
        """The next recorded answer of the role in pieces."""
        yield from pieces(self._next(role, prompt_hash(messages)).text)

    def converse(self, role: str, turns: Sequence[Turn], tools: Sequence[ToolForm], *, max_tokens: int, timeout_s: float) -> Iterator[Part]:
        """The next recorded answer of a conversation."""
        line = self._next(role, turns_hash(turns))
        yield from parts(line.text, line.finish, Usage(line.input_tokens, line.output_tokens, line.cached_tokens))

    def check(self, timeout_s: float = 10.0) -> None:
        """The file was read when it was opened."""

    def close(self) -> None:
        """Nothing is open."""

    def _next(self, role: str, hash_: str) -> Line:
        with self._lock:
            at = self._at.get(role, 0)
            lines = self._lines.get(role, [])
            if at >= len(lines):
                raise NoAnswerLeftError(f"{self.name}: the recording has no further answer for {role}; it holds {len(lines)}")
            self._at[role] = at + 1
            if lines[at].prompt_hash != hash_ and not self.warnings:
                self.warnings.append(
                    f"{self.name}: the prompt of {role}'s question {at + 1} differs from the recorded one; the recorded answers may not fit"
                )
            return lines[at]


def load_recording(file: Path, name: str) -> tuple[Header, tuple[str, ...], list[Line]]:
    """Header, exported memory and answers of a recording; a torn last line is left out. Raises ConfigError for any other file."""
    try:
        texts = file.read_text(encoding="utf-8").splitlines(keepends=True)
    except OSError as error:
        raise ConfigError(f"{name}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{name}: is no recording; allowed: a file that --record wrote") from None
    if texts and not texts[-1].endswith("\n"):
        texts.pop()
    header = _parsed(Header, texts[0] if texts else "", f"{name}: is no recording; allowed: a file that --record wrote")
    if header.version > VERSION:
        raise ConfigError(f"{name}: is a recording of version {header.version}, allowed: 1 to {VERSION}; a newer AgentNAS may read it")
    parsed = [_line(text, f"{name}: line {number} is no answer") for number, text in enumerate(texts[1:], start=2)]
    memory = tuple(json.dumps(line.memory, ensure_ascii=False) for line in parsed if isinstance(line, Remembered))
    return header, memory, [line for line in parsed if isinstance(line, Line)]


def _line(text: str, otherwise: str) -> Line | Remembered:
    return _parsed(Remembered, text, otherwise) if text.startswith('{"memory": ') else _parsed(Line, text, otherwise)


M = TypeVar("M", bound=BaseModel)


def _parsed(kind: type[M], text: str, otherwise: str) -> M:
    try:
        return kind.model_validate_json(text)
    except ValidationError:
        raise ConfigError(otherwise) from None


def turns_hash(turns: Sequence[Turn]) -> str:
    """Identity of the turns of a conversation: what a person and a model said. What tools said differs each time."""
    return prompt_hash([Message(turn.role, turn.text) for turn in turns if turn.role in ("user", "assistant")])


def _schema(answer: type[BaseModel]) -> str:
    return json.dumps(answer.model_json_schema(), sort_keys=True)
