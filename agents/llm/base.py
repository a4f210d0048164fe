"""What a language model is to the agents: messages and a pydantic type in; a parsed value, tokens and a finish reason out.

An answer that is wrong (refused, cut short, no JSON, not of the type) is a ``Reply`` that says so; a call that failed is an exception:

    LLMError                       the call failed; ``retryable`` says whether waiting helps
    ├── CredentialsError           no key, a wrong key, no permission: the person must act
    ├── UnknownModelError          the model does not exist there: the person must act
    ├── BadRequestError            the server refuses the request itself: asking again does not help
    ├── RateLimitedError           too many requests: wait, ``retry_after`` seconds where the server says so
    ├── ServerError                the server failed (5xx, overloaded): wait
    └── ConnectionFailedError      unreachable, timed out, or cut in mid-answer: wait
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, Literal, Protocol, TypeVar

from pydantic import BaseModel

from agentnas.tools.errors import AgentNASError, ConfigError

T = TypeVar("T", bound=BaseModel)
Finish = Literal["stop", "length", "refusal"]


@dataclass(frozen=True)
class Message:
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str

    def as_dict(self) -> dict[str, str]:
        return {"role": self.role, "content": self.content}


@dataclass(frozen=True)
class Usage:
    """Tokens of one call as the provider counted them; None is unknown. ``cached`` are those of ``input`` that were read from a cache."""

    input: int | None = None
    output: int | None = None
    cached: int | None = None


@dataclass(frozen=True)
class Reply(Generic[T]):
    """What a model answered. ``value`` is None where the text is no answer of the type asked for; ``problem`` tells the model why.

    An answer that was cut off (finish ``length``) has a problem, and beside it the items that were complete, if there are any.
    """

    text: str
    value: T | None
    problem: str | None
    usage: Usage
    finish: Finish
    model: str


class LLM(Protocol):
    """A language model. Makers: OpenAI, Anthropic, anything compatible by URL, ``scripted`` and ``replay``.

    Safe to call from several threads. Nothing is retried here: who calls journals each failure and decides.
    """

    name: str
    """How people name it: ``openai:gpt-5``, with the address where it is not the provider's own; never a key."""

    def ask(self, role: str, messages: Sequence[Message], answer: type[T], *, max_tokens: int, timeout_s: float) -> Reply[T]:
        """One call. ``role`` is the agent that asks (``planner``); ``timeout_s`` bounds the whole call. Raises LLMError."""

    def stream(self, role: str, messages: Sequence[Message], *, max_tokens: int, timeout_s: float) -> Iterator[str]:
        """Pieces of free text as they come, for conversations. Raises LLMError, also in the middle."""

    def check(self, timeout_s: float = 10.0) -> None:
        """Raise CredentialsError, UnknownModelError or ConnectionFailedError where no call could succeed; costs no tokens."""

    def close(self) -> None:
        """Free connections. Safe to call twice."""


def is_free(model: LLM) -> bool:
    """Whether a model's answers come from a file and cost nothing: scripts and recordings."""
    return bool(getattr(model, "free", False))


class LLMError(AgentNASError):
    """A call failed. ``kind`` is its name in journals."""

    kind: ClassVar[str] = "failed"
    retryable: ClassVar[bool] = False
    retry_after: float | None = None


class CredentialsError(LLMError, ConfigError):
    """The key is missing, wrong, or not allowed to do this."""

    kind = "credentials"
    exit_code = 4


class UnknownModelError(LLMError, ConfigError):
    """The server does not know this model."""

    kind = "unknown_model"
    exit_code = 4


class BadRequestError(LLMError):
    """The server does not take this request."""

    kind = "bad_request"


class RateLimitedError(LLMError):
    """Too many requests, or too many tokens a minute. ``retry_after`` is in seconds."""

    kind = "rate_limited"
    retryable = True

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ServerError(LLMError):
    """The server failed."""

    kind = "server_error"
    retryable = True

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ConnectionFailedError(LLMError):
    """No answer came: unreachable, timed out, or the connection was cut."""

    kind = "connection"
    retryable = True
