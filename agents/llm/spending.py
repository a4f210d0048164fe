"""What language models may cost: prices, hard limits that are checked before each call with its worst case, and warnings on the way.

An unknown price makes a cost of None, shown as "?", never 0. Prices come from ``prices.json``; ``--prices FILE`` adds to them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from agentnas.agents.llm.base import Usage
from agentnas.memory.calls import Calls
from agentnas.tools.errors import ConfigError

WARN_AT = (0.5, 0.8)
MILLION = 1e6


class Price(BaseModel):
    """US dollars for a million tokens. Tokens read from a cache cost ``cached``; None takes the price of input."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: float = Field(ge=0)
    output: float = Field(ge=0)
    cached: float | None = Field(None, ge=0)

    def of(self, input_tokens: int, output_tokens: int, cached_tokens: int = 0) -> float:
        """US dollars for these tokens; the cached ones are part of the input."""
        cached = min(cached_tokens, input_tokens)
        rate = self.input if self.cached is None else self.cached
        return ((input_tokens - cached) * self.input + cached * rate + output_tokens * self.output) / MILLION


_TABLE = TypeAdapter(dict[str, Price])


@cache
def shipped_prices() -> Mapping[str, Price]:
    """The prices that ship with the product, by ``provider:model``; a name that ends in ``*`` is a family."""
    held = json.loads(resources.files("agentnas.agents.llm").joinpath("prices.json").read_text(encoding="utf-8"))
    return _TABLE.validate_python(held["prices"])


def load_prices(file: Path | None) -> Mapping[str, Price]:
    """Shipped prices, and those of the file over them; raises ConfigError for a file that is no table of prices."""
    if file is None:
        return shipped_prices()
    try:
        held = json.loads(file.read_text(encoding="utf-8"))
        own = _TABLE.validate_python(held["prices"] if isinstance(held, dict) and "prices" in held else held)
    except OSError as error:
        raise ConfigError(f"--prices {file}: cannot be read: {error.strerror}") from None
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = ".".join(map(str, problem["loc"])) or "the file"
        raise ConfigError(f"--prices {file}: {where}: {problem['msg']}; allowed: {_EXAMPLE}") from None
    except ValueError as error:
        raise ConfigError(f"--prices {file}: not JSON: {error}; allowed: {_EXAMPLE}") from None
    return {**shipped_prices(), **own}


_EXAMPLE = '{"openai:my-model": {"input": 1.0, "output": 4.0}} in US dollars for a million tokens'
# Dated snapshots (gpt-5-2025-08-07, claude-x-20250929) are priced as their model.
# The protocol that a provider is asked by is no part of its model.
_PROTOCOL = re.compile(r"-(chat|responses):")
_DATED = re.compile(r"[-@](\d{8}|\d{4}-\d{2}-\d{2}|latest)$")


def price_of(name: str, prices: Mapping[str, Price]) -> Price | None:
    """The price of a model by its full name (``openai:gpt-5``), its undated name, or the longest family that fits; None is unknown.

    A model at an address of its own (``openai:m@http://...``) has a price only where the table names it with that address: the same name
    elsewhere is another product.
    """
    usual = _PROTOCOL.sub(":", name, count=1)
    bare = _DATED.sub("", usual)
    for known in (name, usual, bare):
        if known in prices:
            return prices[known]
    families = [family for family in prices if family.endswith("*") and bare.startswith(family[:-1])]
    return prices[max(families, key=len)] if families and "@" not in bare else None


@dataclass(frozen=True)
class Limits:
    """Hard limits on language models; None is no limit. ``cost`` in US dollars."""

    cost: float | None = None
    tokens: int | None = None
    calls: int | None = None


@dataclass(frozen=True)
class Spending:
    """The limits, the prices, and what the journal says was spent."""

    calls: Calls
    limits: Limits
    prices: Mapping[str, Price]

    def cost(self, model: str, usage: Usage) -> float | None:
        """US dollars of a call; None where its price or its tokens are unknown."""
        price = price_of(model, self.prices)
        if price is None or usage.input is None or usage.output is None:
            return None
        return price.of(usage.input, usage.output, usage.cached or 0)

    def worst(self, model: str, input_tokens: int, max_tokens: int) -> float | None:
        """US dollars of a call that takes all it may; None where the price is unknown."""
        price = price_of(model, self.prices)
        return None if price is None else price.of(input_tokens, max_tokens)

    def refusal(self, model: str, input_tokens: int, max_tokens: int) -> str | None:
        """Why a call may not be made, or None: every limit must hold even if the call takes all it may."""
        spent, limits = self.calls.total, self.limits
        if limits.calls is not None and spent.calls + 1 > limits.calls:
            return f"{spent.calls} calls made, --max-llm-calls is {limits.calls}"
        most = input_tokens + max_tokens
        if limits.tokens is not None and spent.tokens + most > limits.tokens:
            return f"{spent.tokens:,} tokens used and the next call may take {most:,}, --max-tokens is {limits.tokens:,}"
        worst = self.worst(model, input_tokens, max_tokens)
        if limits.cost is not None and worst is not None and spent.cost + worst > limits.cost:
            return f"${spent.cost:.4f} spent and the next call may cost ${worst:.4f}, --max-cost is {limits.cost:g}"
        return None

    def shares(self) -> dict[str, float]:
        """How much of each limit is used, 0 to 1, by the limit's flag."""
        spent, limits = self.calls.total, self.limits
        used = (("--max-cost", spent.cost, limits.cost), ("--max-tokens", spent.tokens, limits.tokens),
                ("--max-llm-calls", spent.calls, limits.calls))  # fmt: skip
        return {flag: value / limit for flag, value, limit in used if limit}

    def crossed(self, before: Mapping[str, float]) -> list[str]:
        """One line for each limit of which a warning level was passed since ``before``."""
        lines = []
        for flag, share in self.shares().items():
            passed = [level for level in WARN_AT if before.get(flag, 0.0) < level <= share]
            if passed:
                lines.append(f"{share:.0%} of {flag} is used")
        return lines
