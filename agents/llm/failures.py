"""What went wrong with a call, as an error that says who must act: one line, with no key in it."""

from __future__ import annotations

import email.utils
import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from agentnas.agents.llm.base import (
    BadRequestError,
    ConnectionFailedError,
    CredentialsError,
    LLMError,
    RateLimitedError,
    ServerError,
    UnknownModelError,
)

LONGEST_MESSAGE = 240
# A shorter key is a word that stands in for one, and words are left alone.
SHORTEST_KEY = 6
_KEYISH = re.compile(r"\b(?:sk|pk|rk|gsk|xai|hf|pplx)[-_][\w*.-]*\w|\bBearer\s+\S+|\*{3,}\S*", re.IGNORECASE)
_NO_MONEY = re.compile(r"insufficient_quota|credit balance", re.IGNORECASE)
_BAD_KEY = re.compile(r"api.?key", re.IGNORECASE)


@dataclass(frozen=True)
class Address:
    """A model as errors speak of it. ``variable`` is where its key is looked for, ``key`` the key that is sent, if any."""

    name: str
    model: str
    variable: str
    key: str | None = field(default=None, repr=False)

    def scrubbed(self, text: str) -> str:
        """The text as one line without the key, whole or in part, that a server may have sent back."""
        if self.key and len(self.key) >= SHORTEST_KEY:
            text = text.replace(self.key, "[key]")
        line = " ".join(_KEYISH.sub("[key]", text).split())
        return line if len(line) <= LONGEST_MESSAGE else f"{line[: LONGEST_MESSAGE - 3]}..."


def without_keys(text: str) -> str:
    """The text without what looks like a key, its lines as they are."""
    return _KEYISH.sub("[key]", text)


def from_status(where: Address, status: int, body: Any, headers: Mapping[str, str]) -> LLMError:
    """The error behind a response with this status and body."""
    said = where.scrubbed(message_of(body))
    line = f"{where.name}: {status}{f': {said}' if said else ''}"
    broke = status == 402 or (status in (400, 429) and _NO_MONEY.search(str(body)))
    if broke or status in (401, 403) or (status == 400 and _BAD_KEY.search(said)):
        return CredentialsError(f"{line}; {_remedy(where, bool(broke))}")
    if status == 404 and "model" in said.lower():
        return UnknownModelError(f"{line}; check the name of the model, {where.model!r}")
    if status == 404:
        return BadRequestError(f"{line}; check the address, which usually ends in /v1")
    if status == 429:
        return RateLimitedError(line, retry_after(headers))
    if status == 408:
        return ConnectionFailedError(line)
    if status == 409 or status < 400 or (status >= 500 and status != 501):
        return ServerError(line, retry_after(headers))
    return BadRequestError(line)


def _remedy(where: Address, broke: bool) -> str:
    if broke:
        return "the account has no credit left: add some, or name another model"
    if where.key is None:
        return f"the server wants a key: set {where.variable} (over plain http it is sent to this machine alone)"
    return f"set {where.variable} to a key that may use this model"


def from_stream(where: Address, body: Any) -> LLMError:
    """The error that a provider reports inside an answer whose status was 200."""
    said, text = where.scrubbed(message_of(body)), str(body)
    line = f"{where.name}: {said or 'the server reports an error'}"
    return RateLimitedError(line) if "rate_limit" in text else ServerError(line)


def unreachable(where: Address, reason: str) -> ConnectionFailedError:
    """No answer, or half of one."""
    return ConnectionFailedError(f"{where.name}: {where.scrubbed(reason)}")


def message_of(body: Any) -> str:
    """The sentence in an error's body, in any of the forms that servers give it."""
    if isinstance(body, Mapping):
        inner = next((body[name] for name in ("error", "message", "detail", "msg") if body.get(name)), None)
        return message_of(inner) if inner is not None else ""
    if isinstance(body, list):
        return "; ".join(filter(None, map(message_of, body[:3])))
    text = "" if body is None else str(body)
    return re.sub(r"<[^>]*>", " ", text) if text.lstrip().startswith("<") else text


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait as the server says: ``retry-after-ms``, or ``retry-after`` in seconds or as an HTTP date; None where it does not."""
    for name, divisor in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) / divisor
        except ValueError:
            continue
        if math.isfinite(seconds):
            return max(0.0, seconds)
    date = email.utils.parsedate_tz(headers.get("retry-after", ""))
    return None if date is None else max(0.0, email.utils.mktime_tz(date) - time.time())
