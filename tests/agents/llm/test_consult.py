"""Asking on behalf of a role: journalled before and after, retried with patience, inside the budget, never twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from agentnas.agents.llm.base import (
    BadRequestError,
    ConnectionFailedError,
    CredentialsError,
    Finish,
    LLMError,
    Message,
    RateLimitedError,
    Reply,
    ServerError,
    Usage,
)  # fmt: skip
from agentnas.agents.llm.consult import Consultant
from agentnas.agents.llm.reading import read_reply
from agentnas.agents.llm.spending import Limits, Price, Spending
from agentnas.memory import events as ev
from agentnas.memory.journal import Journal

ASK = (Message("system", "Answer with JSON."), Message("user", "How wide?"))
PRICES = {"fake:m": Price(input=1.0, output=10.0)}


class Width(BaseModel):
    width: int


class Widths(BaseModel):
    widths: list[int]


class Fake:
    """A model whose outcomes are queued: a text, or an error."""

    name = "fake:m"

    def __init__(self, *outcomes: str | LLMError, finish: Finish = "stop") -> None:
        self.finish = finish
        self.outcomes, self.timeouts = list(outcomes), list[float]()

    def ask(self, role: str, messages: Sequence[Message], answer: type[Any], *, max_tokens: int, timeout_s: float) -> Reply[Any]:
        del role, messages, max_tokens
        self.timeouts.append(timeout_s)
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, LLMError):
            raise outcome
        return read_reply(outcome, answer, self.finish, Usage(100, 20, 0), "m")

    def stream(self, role: str, messages: Sequence[Message], *, max_tokens: int, timeout_s: float) -> Iterator[str]:
        raise NotImplementedError

    def check(self, timeout_s: float = 10.0) -> None:
        raise NotImplementedError

    def close(self) -> None:
        pass


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal.create(tmp_path / "events.jsonl") as made:
        made.append(ev.RunStarted(task="t", protocol="p", config={}, environment={}))
        yield made


@pytest.fixture
def consultant(journal: Journal) -> Callable[..., Consultant]:
    def make(model: Fake, limits: Limits | None = None, **settings: Any) -> Consultant:
        spending = Spending(journal.view.calls, limits or Limits(), PRICES)
        return Consultant(journal, {"coder": model}, spending, {"coder": 1_000}, first_wait_s=0.001, **settings)

    return make


def told(journal: Journal) -> list[str]:
    return [event.type if not isinstance(event, ev.LLMAnswered) else event.outcome for event in Journal.read(journal.path)[1:]]


def test_a_call_is_journalled_before_it_is_made_and_before_its_answer_is_used(
    journal: Journal, consultant: Callable[..., Consultant]
) -> None:
    reply = consultant(Fake('{"width": 64}')).ask("coder", 1, 0, ASK, Width)
    assert reply is not None
    assert reply.value == Width(width=64)
    asked, answered = Journal.read(journal.path)[1:]
    assert isinstance(asked, ev.LLMAsked)
    assert asked.messages == tuple(message.as_dict() for message in ASK)
    assert (asked.call, asked.role, asked.round, asked.step, asked.attempt, asked.model) == ("c0001", "coder", 1, 0, 0, "fake:m")
    assert asked.worst_cost == pytest.approx((asked.input_tokens + 10 * 1_000) / 1e6)
    assert isinstance(answered, ev.LLMAnswered)
    assert (answered.outcome, answered.text, answered.input_tokens, answered.output_tokens) == ("answered", '{"width": 64}', 100, 20)
    assert answered.cost == pytest.approx(0.0003)


def test_the_complete_items_of_a_cut_answer_are_the_same_when_a_run_goes_on(
    journal: Journal, consultant: Callable[..., Consultant]
) -> None:
    replies = [consultant(model).ask("coder", 1, 0, ASK, Widths) for model in (Fake('{"widths": [64, 32, 1', finish="length"), Fake())]
    assert [(reply.value, reply.finish) for reply in replies if reply] == [(Widths(widths=[64, 32]), "length")] * 2
    assert told(journal) == ["llm_asked", "truncated"]


def test_an_answer_that_was_received_is_never_asked_for_again(journal: Journal, consultant: Callable[..., Consultant]) -> None:
    first = consultant(Fake('{"width": 64}')).ask("coder", 1, 0, ASK, Width)
    silent = Fake()
    assert (
        consultant(silent).ask("coder", 1, 0, ASK, Width) == Reply(first.text, first.value, None, Usage(100, 20, 0), "stop", "fake:m")
        if first
        else None
    )
    assert silent.timeouts == []
    assert told(journal) == ["llm_asked", "answered"]


def test_an_unreadable_answer_is_received_too(journal: Journal, consultant: Callable[..., Consultant]) -> None:
    reply = consultant(Fake("I would take 64.")).ask("coder", 1, 0, ASK, Width)
    again = consultant(Fake()).ask("coder", 1, 0, ASK, Width)
    assert reply is not None
    assert again is not None
    assert (again.value, again.problem) == (None, reply.problem)
    assert told(journal) == ["llm_asked", "unreadable"]


def test_what_may_pass_is_tried_again(journal: Journal, consultant: Callable[..., Consultant]) -> None:
    model = Fake(RateLimitedError("429", 0.001), ServerError("529"), ConnectionFailedError("cut"), '{"width": 8}')
    reply = consultant(model).ask("coder", 2, 1, ASK, Width)
    assert reply is not None
    assert reply.value == Width(width=8)
    assert told(journal) == ["llm_asked", "rate_limited", "llm_asked", "server_error", "llm_asked", "connection", "llm_asked", "answered"]
    spent = journal.view.calls.total
    lost = journal.view.calls.by_id["c0003"].asked
    assert spent.tokens == 120 + lost.input_tokens + lost.max_tokens, "an answer lost on the way counts at its worst case"


def test_after_so_many_tries_the_rules_take_the_turn(journal: Journal, consultant: Callable[..., Consultant]) -> None:
    asking = consultant(Fake(*[ServerError("500: broken")] * 12))
    assert [asking.ask("coder", round_, 0, ASK, Width) for round_ in (1, 2, 3, 4)] == [None] * 4
    assert len(journal.view.calls.by_id) == 12, "the fourth question is not asked"
    assert [note.message for note in journal.view.notes] == [
        "coder: fake:m gave no answer (500: broken); the rule-based coder takes this turn",
        "coder: fake:m gave no answer (500: broken); the rule-based coder takes this turn",
        "coder: fake:m gave no answer (500: broken); the rule-based coder takes this turn; it is not asked again in this run",
    ]


@pytest.mark.parametrize("error", [CredentialsError("401"), BadRequestError("400"), RateLimitedError("429", 600.0)])
def test_what_does_not_pass_is_not_tried_again(error: LLMError, journal: Journal, consultant: Callable[..., Consultant]) -> None:
    assert consultant(Fake(error)).ask("coder", 1, 0, ASK, Width) is None
    assert told(journal) == ["llm_asked", error.kind, "noted"]


def test_when_the_money_ends_nothing_is_asked(journal: Journal, consultant: Callable[..., Consultant]) -> None:
    asking = consultant(Fake(*['{"width": 64}'] * 9), Limits(calls=2))
    replies = [asking.ask("coder", round_, 0, ASK, Width) for round_ in (1, 2, 3, 4)]
    assert [reply is not None for reply in replies] == [True, True, False, False]
    assert [note.message for note in journal.view.notes] == [
        "50% of --max-llm-calls is used",
        "100% of --max-llm-calls is used",
        "coder: no further call to fake:m: 2 calls made, --max-llm-calls is 2; the rule-based agents go on",
    ]


def test_a_question_takes_a_share_of_the_time_that_is_left(consultant: Callable[..., Consultant]) -> None:
    model = Fake('{"width": 64}')
    consultant(model, seconds_left=lambda: 100.0).ask("coder", 1, 0, ASK, Width)
    assert model.timeouts[0] == pytest.approx(15.0, abs=0.5)


def test_a_verdict_is_journalled_once(journal: Journal, consultant: Callable[..., Consultant]) -> None:
    asking = consultant(Fake('{"width": 64}'))
    asking.ask("coder", 1, 0, ASK, Width)
    for _ in range(2):
        asking.judge("coder", 1, 0, 3, 2, ["proposal 2: width 9999 > 4096"])
    judged = journal.view.calls.by_id["c0001"].judged
    assert judged is not None
    assert (judged.items, judged.taken, judged.problems) == (3, 2, ("proposal 2: width 9999 > 4096",))
    assert told(journal).count("llm_judged") == 1
