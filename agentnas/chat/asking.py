"""Asking the model of a conversation: inside its limits, each call written down before and after, tried again where that may help."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from agentnas.agents.llm.base import LLMError, Message, is_free
from agentnas.agents.llm.consult import estimated_tokens, prompt_hash
from agentnas.agents.llm.spending import Spending
from agentnas.agents.llm.talk import Ended, Part, Talker, ToolForm, Turn
from agentnas.memory.calls import Calls
from agentnas.memory.events import LLMAnswered, LLMAsked
from agentnas.tools.errors import BudgetEndedError
from agentnas.words import money, plural

ROLE = "chat"
MAX_TOKENS = 4_000
TRIES = 3
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 15.0
OUTCOMES = {"refusal": "refused", "length": "truncated"}


@dataclass
class Asking:
    """``write`` keeps each call's two entries; ``calls`` are the sums that limits look at."""

    model: Talker
    spending: Spending
    calls: Calls
    write: Callable[[LLMAsked | LLMAnswered], None]
    note: Callable[[str], None]
    timeout_s: float = 180.0
    first_wait_s: float = FIRST_WAIT_S
    version: str = ""
    _told: set[str] = field(default_factory=set)

    def answer(self, turns: Sequence[Turn], tools: Sequence[ToolForm]) -> Iterator[Part]:
        """The parts of one answer. Raises LLMError where none came after some tries, BudgetEndedError where none may be asked for.

        An answer that broke off after its first words is not asked for again: the person has read them.
        """
        for attempt in range(TRIES):
            begun = False
            try:
                for part in self._once(turns, tools, attempt):
                    begun = True
                    yield part
                return
            except LLMError as error:
                wait = error.retry_after if error.retry_after is not None else self.first_wait_s * 2**attempt
                if begun or not error.retryable or attempt == TRIES - 1 or wait > LONGEST_WAIT_S:
                    raise
                self.note(f"{error}; trying again in {wait:.0f} s")
            time.sleep(wait)

    def _once(self, turns: Sequence[Turn], tools: Sequence[ToolForm], attempt: int) -> Iterator[Part]:
        asked = self._asked(turns, tools, attempt)
        refusal = self.spending.refusal(asked.model, asked.input_tokens, asked.max_tokens)
        if refusal:
            raise BudgetEndedError(f"the model is not asked: {refusal}; slash commands go on, /help lists them")
        before, start = self.spending.shares(), time.monotonic()
        self._keep(asked)
        try:
            for part in self.model.converse(ROLE, turns, tools, max_tokens=MAX_TOKENS, timeout_s=self.timeout_s):
                if isinstance(part, Ended):
                    self._keep(self._answered(asked, part, time.monotonic() - start))
                yield part
        except LLMError as error:
            if error.kind != "connection":  # what was lost on the way counts at its worst: it stays unanswered
                held = {"call": asked.call, "outcome": error.kind, "error": str(error), "cost": 0.0, "input_tokens": 0, "output_tokens": 0}
                self._keep(LLMAnswered.model_validate(held))
            raise
        for line in [*self.spending.crossed(before), *getattr(self.model, "warnings", ())]:
            if line not in self._told:
                self._told.add(line)
                self.note(line)

    def _keep(self, entry: LLMAsked | LLMAnswered) -> None:
        self.calls.apply(entry)
        self.write(entry)

    def _asked(self, turns: Sequence[Turn], tools: Sequence[ToolForm], attempt: int) -> LLMAsked:
        sent = "".join(turn.text + "".join(call.arguments for call in turn.calls) for turn in turns)
        size = estimated_tokens(sent + "".join(f"{tool.description}{tool.schema()}" for tool in tools))
        name, number = self.model.name, len(self.calls.by_id) + 1
        hashed = prompt_hash([Message("user", turn.text) for turn in turns])
        worst = 0.0 if is_free(self.model) else self.spending.worst(name, size, MAX_TOKENS)
        return LLMAsked(
            call=f"c{number:04d}", role=ROLE, round=0, step=number, attempt=attempt, model=name, prompt_hash=hashed, messages=(),
            input_tokens=size, max_tokens=MAX_TOKENS, worst_cost=worst, prompt_version=self.version,
        )  # fmt: skip

    def _answered(self, asked: LLMAsked, end: Ended, seconds: float) -> LLMAnswered:
        usage = end.usage
        return LLMAnswered.model_validate({
            "call": asked.call, "outcome": OUTCOMES.get(end.finish, "answered"), "finish": end.finish, "seconds": seconds,
            "input_tokens": usage.input, "output_tokens": usage.output or 0, "cached_tokens": usage.cached,
            "cost": 0.0 if is_free(self.model) else self.spending.cost(asked.model, usage),
        })  # fmt: skip

    def spent(self) -> str:
        """Calls, tokens and dollars in a line."""
        total = self.calls.total
        return f"{plural(total.calls, 'call')} to {self.model.name}, {total.tokens:,} tokens, {money(total.known_cost)}"
