"""What models may cost: prices, limits that hold before a call is made, warnings, and a "?" for what nobody knows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentnas.agents.llm.base import Usage
from agentnas.agents.llm.spending import Limits, Price, Spending, load_prices, price_of, shipped_prices
from agentnas.memory import events as ev
from agentnas.memory.calls import Calls
from agentnas.tools.errors import ConfigError

PRICES = {"openai:m": Price(input=2.0, output=8.0, cached=0.5), "openai:family*": Price(input=1.0, output=1.0)}


def asked(
    call: str, *, role: str = "coder", tokens: int = 1_000, most: int = 500, worst: float | None = 0.006, step: int = 0
) -> ev.LLMAsked:
    return ev.LLMAsked(call=call, role=role, round=1, step=step, attempt=0, model="openai:m", prompt_hash="x", messages=(),
                       input_tokens=tokens, max_tokens=most, worst_cost=worst)  # fmt: skip


def answered(call: str, read: int | None = 800, written: int | None = 100, cost: float | None = 0.0024, text: str = "{}") -> ev.LLMAnswered:
    return ev.LLMAnswered(call=call, outcome="answered", text=text, input_tokens=read, output_tokens=written, cost=cost, seconds=2.0)


def spent(*events: ev.LLMAsked | ev.LLMAnswered) -> Calls:
    calls = Calls()
    for event in events:
        calls.apply(event)
    return calls


def test_a_price_is_for_a_million_tokens_and_the_cached_ones_are_part_of_the_input() -> None:
    assert PRICES["openai:m"].of(1_000_000, 500_000) == 6.0
    assert PRICES["openai:m"].of(1_000_000, 0, 400_000) == pytest.approx(1.2 + 0.2)
    assert Price(input=2.0, output=8.0).of(1_000_000, 0, 400_000) == 2.0


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("openai:m", "openai:m"), ("openai:m-2026-01-02", "openai:m"), ("openai:m-20260102", "openai:m"), ("openai:m-latest", "openai:m"),
        ("openai-chat:m", "openai:m"), ("openai-responses:m-20260102", "openai:m"),
        ("openai:family-7b", "openai:family*"), ("openai:m-mini", None), ("openai:m@http://127.0.0.1:1/v1", None),
        ("openai:family@http://127.0.0.1:1/v1", None), ("anthropic:m", None),
    ],
)  # fmt: skip
def test_a_model_is_priced_by_its_own_name_alone(name: str, known: str | None) -> None:
    assert price_of(name, PRICES) == (PRICES[known] if known else None)


def test_unknown_is_none_and_never_nothing() -> None:
    spending = Spending(Calls(), Limits(), PRICES)
    assert spending.cost("openai:m", Usage(1_000_000, 0)) == 2.0
    assert spending.cost("openai:other", Usage(1_000_000, 0)) is None
    assert spending.cost("openai:m", Usage(None, 5)) is None
    calls = spent(asked("c0001"), answered("c0001"), asked("c0002"), answered("c0002", cost=None))
    assert (calls.total.known_cost, round(calls.total.cost, 6), calls.total.unpriced) == (None, 0.0024, 1)


def test_a_call_in_flight_counts_at_its_worst() -> None:
    calls = spent(asked("c0001"), answered("c0001"), asked("c0002"))
    assert (calls.total.calls, calls.total.tokens, round(calls.total.cost, 6)) == (2, 900 + 1_500, 0.0084)
    calls.apply(answered("c0002", 10, 20, 0.001))
    assert (calls.total.tokens, round(calls.total.cost, 6), calls.total.seconds) == (930, 0.0034, 4.0)
    assert calls.by_role["coder"].calls == 2


def test_tokens_that_a_server_does_not_count_are_taken_from_above() -> None:
    total = spent(asked("c0001"), answered("c0001", None, None, None, text="x" * 70)).total
    assert (total.input_tokens, total.output_tokens) == (1_000, 70)


@pytest.mark.parametrize(
    ("limits", "refusal"),
    [
        (Limits(), None),
        (Limits(cost=0.01, tokens=3_000, calls=2), None),
        (Limits(calls=1), "1 calls made, --max-llm-calls is 1"),
        (Limits(tokens=2_000), "900 tokens used and the next call may take 1,500, --max-tokens is 2,000"),
        (Limits(cost=0.005), "$0.0024 spent and the next call may cost $0.0060, --max-cost is 0.005"),
        (Limits(cost=0.0), "$0.0024 spent and the next call may cost $0.0060, --max-cost is 0"),
    ],
)
def test_every_limit_holds_even_if_the_call_takes_all_it_may(limits: Limits, refusal: str | None) -> None:
    assert Spending(spent(asked("c0001"), answered("c0001")), limits, PRICES).refusal("openai:m", 1_000, 500) == refusal


def test_warnings_come_once_at_half_and_at_four_fifths() -> None:
    calls, limits = Calls(), Limits(calls=5)
    said = []
    for number in range(1, 6):
        before = Spending(calls, limits, PRICES).shares()
        calls.apply(asked(f"c{number:04d}"))
        said.append(Spending(calls, limits, PRICES).crossed(before))
    assert said == [[], [], ["60% of --max-llm-calls is used"], ["80% of --max-llm-calls is used"], []]


def test_a_file_of_prices_adds_to_those_shipped(tmp_path: Path) -> None:
    file = tmp_path / "prices.json"
    file.write_text(json.dumps({"openai:mine@http://127.0.0.1:8000/v1": {"input": 0, "output": 0}}))
    prices = load_prices(file)
    free = price_of("openai:mine@http://127.0.0.1:8000/v1", prices)
    assert free is not None
    assert free.of(10**6, 10**6) == 0
    assert set(shipped_prices()) < set(prices)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (None, "cannot be read: No such file or directory"),
        ("{", "not JSON: "),
        ('{"m": {"input": -1, "output": 2}}', "m.input: Input should be greater than or equal to 0; allowed: "),
        ('{"m": {"input": 1}}', "m.output: Field required; allowed: "),
        ("[]", "the file: Input should be a valid dictionary; allowed: "),
    ],
)
def test_a_broken_file_of_prices_is_one_clear_line(tmp_path: Path, text: str | None, problem: str) -> None:
    file = tmp_path / "prices.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_prices(file)
    assert str(caught.value).startswith(f"--prices {file}: {problem}")
    assert "\n" not in str(caught.value)
