"""What a run with language models is likely to take: calls, tokens, dollars, time. Rough, and said to be."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any

from agentnas.agents.llm.spending import load_prices, price_of
from agentnas.config import Config, format_duration

CHARACTERS_A_TOKEN = 4
# Tokens of a usual answer, and seconds of a usual call.
ANSWER_TOKENS = {"planner": 700, "coder": 1_500, "analyst": 800, "reader": 1_000}
CALL_S = 15.0
# Share of questions that need a repair round.
REPAIRS = 0.3
# Seconds of a usual round of trainings, where time alone bounds a run.
ROUND_S = 90.0
# Kinds of models whose answers come from files.
FREE = ("replay", "scripted")


def estimate(names: Mapping[str, str], config: Config, prompt: int, batch: int) -> dict[str, Any]:
    """Calls, tokens, cost and time by the budget. ``prompt`` is the length of a usual prompt in characters."""
    rounds = _rounds(config, batch)
    if rounds is None:
        return {"estimate": "no limit of trials or time: no end of calls either"}
    calls = {role: ceil(rounds * (1 + REPAIRS)) for role in names}
    tokens_in = sum(calls.values()) * prompt // CHARACTERS_A_TOKEN
    tokens_out = sum(count * ANSWER_TOKENS[role] for role, count in calls.items())
    seconds = sum(calls.values()) * CALL_S
    return {
        "estimate": (
            f"{rounds} rounds, {sum(calls.values())} calls, {tokens_in:,} tokens in and {tokens_out:,} out,"
            f" {format_duration(round(seconds))} of thinking"
        ),
        "cost": cost_line(names, calls, prompt, config),
    }


def _rounds(config: Config, batch: int) -> int | None:
    """Rounds that a model takes part in; the first is the anchors'."""
    if config.trials is not None:
        return max(1, ceil(config.trials / batch))
    return None if config.time_s is None else max(1, round(config.time_s / ROUND_S))


def cost_line(names: Mapping[str, str], calls: Mapping[str, int], prompt: int, config: Config) -> str:
    """What calls cost at these models' prices, beside the limit; ``prompt`` is the length of one in characters."""
    prices = load_prices(config.prices)
    names = {role: name for role, name in names.items() if name.partition(":")[0] not in FREE}
    if not names:
        return "$0: no model is asked, answers come from a file"
    known = {role: price_of(name, prices) for role, name in names.items()}
    limit = "no --max-cost" if config.max_cost is None else f"--max-cost {config.max_cost:g}"
    if unknown := sorted({names[role] for role, price in known.items() if price is None}):
        return f"?: the price of {', '.join(unknown)} is unknown ({limit})"
    dollars = sum(
        calls[role] * price.of(prompt // CHARACTERS_A_TOKEN, ANSWER_TOKENS[role]) for role, price in known.items() if price is not None
    )
    return f"about ${dollars:.2f} ({limit})"
