"""Asking a model on behalf of a role: inside the budget, each call journalled before and after, retried with patience, never twice.

A question is named by role, round and step (0 is the first, 1 and 2 its repairs). Its answer is on disk before it is used: a run that was
killed finds it in the journal and does not ask again. Where no answer is to be had, the role goes on by its rules.
"""

from __future__ import annotations

import hashlib
import json
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from pydantic import BaseModel

from agentnas.agents.llm.base import LLM, Finish, LLMError, Message, Reply, Usage, is_free
from agentnas.agents.llm.reading import read_answer, read_cut
from agentnas.agents.llm.spending import Spending
from agentnas.memory import events as ev
from agentnas.memory.calls import Call
from agentnas.memory.journal import Journal

T = TypeVar("T", bound=BaseModel)

# Tries of one question where the failure may pass; seconds of the first wait, doubled each time, and the longest.
TRIES = 4
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 30.0
# Of a run's time, a question may take this share, all its tries together; but so many seconds at least.
SHARE_OF_TIME, LEAST_S = 0.15, 5.0
# Questions in a row that got no answer, after which a model is not asked any more in this process.
GIVE_UP_AFTER = 3
# Upper bounds on tokens without a tokenizer: text averages over 3 bytes a token, and no common tokenizer falls below 2 on it.
BYTES_A_TOKEN = 2
OVERHEAD_TOKENS = 200


@dataclass
class Consultant:
    """The models by role, their budget, and the journal that remembers every call. ``models`` lacks the roles that think by rules."""

    journal: Journal
    models: Mapping[str, LLM]
    spending: Spending
    max_tokens: Mapping[str, int]
    timeout_s: float = 180.0
    stop: threading.Event = field(default_factory=threading.Event)
    seconds_left: Callable[[], float | None] = lambda: None
    first_wait_s: float = FIRST_WAIT_S
    versions: Mapping[str, str] = field(default_factory=dict)
    _unanswered: dict[str, int] = field(default_factory=dict)
    _silent: dict[str, str] = field(default_factory=dict)
    _warned: set[str] = field(default_factory=set)

    def ask(self, role: str, round_: int, step: int, messages: Sequence[Message], answer: type[T]) -> Reply[T] | None:
        """The reply to this question, from the journal where it was received before; None where none can be had, which is journalled."""
        received = self.journal.view.calls.answer(role, round_, step)
        if received is not None:
            return _reply(received, answer)
        model = self.models[role]
        if model.name in self._silent:
            return None
        deadline = time.monotonic() + self._patience()
        for attempt in range(TRIES):
            asked = self._asked(role, round_, step, messages, answer)
            refusal = self.spending.refusal(model.name, asked.input_tokens, asked.max_tokens)
            if refusal:
                self._fall_silent(model.name, f"{role}: no further call to {model.name}: {refusal}; the rule-based agents go on")
                return None
            outcome = self._call(model, asked, messages, answer, max(1.0, deadline - time.monotonic()))
            if isinstance(outcome, Reply):
                self._unanswered[model.name] = 0
                return outcome
            if not self._may_retry(model, asked, outcome, attempt, deadline):
                return None
        return None

    def judge(self, role: str, round_: int, step: int, items: int, taken: int, problems: Sequence[str]) -> None:
        """Journal what the checks said of the answer to a question; once, however often the node runs."""
        call = self.journal.view.calls.answer(role, round_, step)
        if call is not None and call.judged is None:
            self.journal.append(ev.LLMJudged(call=call.asked.call, items=items, taken=taken, problems=tuple(problems)))

    def _asked(self, role: str, round_: int, step: int, messages: Sequence[Message], answer: type[BaseModel]) -> ev.LLMAsked:
        turns = tuple(message.as_dict() for message in messages)
        schema = json.dumps(answer.model_json_schema(), sort_keys=True)
        model, most = self.models[role], self.max_tokens[role]
        size = estimated_tokens("".join(turn["content"] for turn in turns) + schema)
        calls = self.journal.view.calls
        return ev.LLMAsked(
            call=f"c{len(calls.by_id) + 1:04d}", role=role, round=round_, step=step, attempt=calls.attempts(role, round_, step),
            model=model.name, prompt_hash=prompt_hash(messages, schema), messages=turns, input_tokens=size, max_tokens=most,
            worst_cost=0.0 if is_free(model) else self.spending.worst(model.name, size, most),
            prompt_version=self.versions.get(role, ""),
        )  # fmt: skip

    def _patience(self) -> float:
        """Seconds that a question may take, waiting between its tries included."""
        left = self.seconds_left()
        whole = self.timeout_s * 2
        return whole if left is None else min(whole, max(LEAST_S, SHARE_OF_TIME * left))

    def _call(self, model: LLM, asked: ev.LLMAsked, messages: Sequence[Message], answer: type[T], left: float) -> Reply[T] | LLMError:
        before = self.spending.shares()
        self.journal.append(asked)
        start = time.monotonic()
        try:
            reply = model.ask(asked.role, messages, answer, max_tokens=asked.max_tokens, timeout_s=min(self.timeout_s, left))
        except LLMError as error:
            self.journal.append(_failed(asked, error, time.monotonic() - start))
            return error
        usage = reply.usage
        self.journal.append(ev.LLMAnswered(
            call=asked.call, outcome=_outcome(reply), text=reply.text, error=reply.problem or "", finish=reply.finish,
            input_tokens=usage.input, output_tokens=usage.output, cached_tokens=usage.cached,
            cost=0.0 if is_free(model) else self.spending.cost(asked.model, usage), seconds=time.monotonic() - start,
        ))  # fmt: skip
        self._pass_on([*self.spending.crossed(before), *getattr(model, "warnings", ())])
        return reply

    def _pass_on(self, lines: Sequence[str]) -> None:
        """Journal warnings, each once: of the budget, and of models that are recorded or replayed."""
        for line in dict.fromkeys(lines):
            if line not in self._warned:
                self._warned.add(line)
                self.journal.append(ev.Noted(level="warning", message=line))

    def _may_retry(self, model: LLM, asked: ev.LLMAsked, error: LLMError, attempt: int, deadline: float) -> bool:
        """Wait before the next try; False where there is none."""
        if not error.retryable or attempt == TRIES - 1 or self.stop.is_set():
            self._note_unanswered(model.name, asked, error)
            return False
        wait = error.retry_after if error.retry_after is not None else self.first_wait_s * 2**attempt * random.uniform(0.75, 1.25)
        if wait > min(LONGEST_WAIT_S, deadline - time.monotonic()):
            self._note_unanswered(model.name, asked, error)
            return False
        self.stop.wait(wait)
        return not self.stop.is_set()

    def _note_unanswered(self, name: str, asked: ev.LLMAsked, error: LLMError) -> None:
        self._unanswered[name] = self._unanswered.get(name, 0) + 1
        role, what = asked.role, "no repair" if asked.step else "no answer"
        turn = "what was good of its answer counts, the rules do the rest" if asked.step else f"the rule-based {role} takes this turn"
        line = f"{role}: {name} gave {what} ({error}); {turn}"
        if not error.retryable or self._unanswered[name] >= GIVE_UP_AFTER:
            self._fall_silent(name, f"{line}; it is not asked again in this run")
        else:
            self.journal.append(ev.Noted(level="warning", message=line))

    def _fall_silent(self, name: str, line: str) -> None:
        self._silent[name] = line
        self.journal.append(ev.Noted(level="warning", message=line))


def _failed(asked: ev.LLMAsked, error: LLMError, seconds: float) -> ev.LLMAnswered:
    """A request that was turned away costs nothing; one whose answer was lost on the way counts at its worst case."""
    lost = error.kind == "connection"
    return ev.LLMAnswered.model_validate({
        "call": asked.call, "outcome": error.kind, "error": str(error), "seconds": seconds, "cost": asked.worst_cost if lost else 0.0,
        "input_tokens": asked.input_tokens if lost else 0, "output_tokens": asked.max_tokens if lost else 0,
    })  # fmt: skip


def _reply(call: Call, answer: type[T]) -> Reply[T]:
    """The reply as it was received, read from the journal."""
    assert call.answered is not None
    held = call.answered
    usage = Usage(held.input_tokens, held.output_tokens, held.cached_tokens)
    finish: Finish = "refusal" if held.outcome == "refused" else "length" if held.outcome == "truncated" else "stop"
    value, problem = read_answer(held.text, answer) if held.outcome == "answered" else (None, held.error)
    if finish == "length":
        value = read_cut(held.text, answer)
    return Reply(held.text, value, problem, usage, finish, call.asked.model)


def _outcome(reply: Reply[T]) -> Literal["answered", "refused", "truncated", "unreadable"]:
    if reply.finish == "refusal":
        return "refused"
    if reply.finish == "length":
        return "truncated"
    return "answered" if reply.value is not None else "unreadable"


def estimated_tokens(text: str) -> int:
    """Tokens of a text, from above."""
    return len(text.encode()) // BYTES_A_TOKEN + OVERHEAD_TOKENS


def prompt_hash(messages: Sequence[Message], schema: str = "") -> str:
    """Identity of what is sent: role and content of each turn, and the schema of the answer."""
    turns = [[message.role, message.content] for message in messages]
    return hashlib.sha256(json.dumps([turns, schema], ensure_ascii=False).encode()).hexdigest()[:16]
