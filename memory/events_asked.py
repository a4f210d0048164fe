"""Events of what is asked for from outside: of language models, and of the people whose run it is."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from agentnas.memory.event import Event


class LLMAsked(Event):
    """A language model is about to be asked. Without an ``llm_answered`` of the same call, it counts at its worst-case cost.

    ``step`` numbers the questions of one role in one round: the first, then its repairs. ``attempt`` numbers the tries of one step.
    """

    durable: ClassVar[bool] = True
    type: Literal["llm_asked"] = "llm_asked"
    call: str = Field(description="id of the call, c0001")
    role: str
    round: int
    step: int
    attempt: int
    model: str
    prompt_hash: str = Field(description="of the messages and the schema of the answer")
    prompt_version: str = Field("", description="version and fingerprint of the role's templates")
    messages: tuple[dict[str, str], ...] = Field(description="what was sent: role and content of each turn")
    input_tokens: int = Field(description="estimate of the prompt's tokens, from above")
    max_tokens: int = Field(description="most tokens of the answer")
    worst_cost: float | None = Field(description="US dollars if the answer takes all of them; None where the price is unknown")


class LLMAnswered(Event):
    """How a call ended: with an answer, or with a failure. On disk before the answer is used, so that none is asked for twice."""

    durable: ClassVar[bool] = True
    type: Literal["llm_answered"] = "llm_answered"
    call: str
    outcome: Literal[
        "answered", "refused", "truncated", "unreadable", "credentials", "unknown_model", "bad_request", "rate_limited", "server_error",
        "connection", "failed",
    ]  # fmt: skip
    text: str = ""
    error: str = ""
    finish: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    cost: float | None = Field(None, description="US dollars; None is unknown")
    seconds: float = 0.0


class LLMJudged(Event):
    """What the tools' checks said of an answer: which of its items were taken, and what was told to the model about the others."""

    type: Literal["llm_judged"] = "llm_judged"
    call: str
    items: int = Field(description="proposals, directions or findings in the answer")
    taken: int = Field(description="those that passed every check")
    problems: tuple[str, ...] = ()


class Told(Event):
    """A message of a person to the planner."""

    durable: ClassVar[bool] = True
    type: Literal["told"] = "told"
    round: int = Field(description="the round whose planner reads it")
    text: str
    item: str = Field("", description="file of the inbox that it came from: no item counts twice")


class ReviewAwaited(Event):
    """The run stands still until a person has said what they think of the round's plan."""

    type: Literal["review_awaited"] = "review_awaited"
    round: int


class PlanReviewed(Event):
    """What a person said of a round's last plan before it was carried out.

    An edited plan is the ``plan_made`` before it; a rejected one is never carried out, and the planner plans the round again.
    """

    durable: ClassVar[bool] = True
    type: Literal["plan_reviewed"] = "plan_reviewed"
    round: int
    decision: Literal["accepted", "edited", "rejected"]
    reason: str = ""
    item: str = Field("", description="file of the inbox that it came from: no item counts twice")
