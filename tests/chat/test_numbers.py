"""Which numbers an answer may hold."""

from __future__ import annotations

import pytest

from agentnas.chat.numbers import Known

TOOL = """t0003  run x, round 1: 81.24 ± 0.31 on validation (full, 3 seeds), rank 1; 49,543 parameters; time 20m of 1h; cost $0.0410
edges 0.81; learning rate 0.005; size: 2708 nodes, 10556 edges; latency 1.87 ms; share 0.256; 5e-4"""


@pytest.fixture
def known() -> Known:
    held = Known()
    held.learn(TOOL)
    return held


@pytest.mark.parametrize(
    "text",
    [
        "t0003 reaches 81.24 ± 0.31 %.",
        "It reaches 81.2, about 81.",
        "49,543 parameters, or 49543, or 49.5k, or about 50,000.",
        "2,708 nodes, some 2,700, roughly 10,600 edges",
        "It costs $0.041, or $0.04.",
        "81 % of the edges; 25.6 percent",
        "1,200 seconds, 20 minutes, an hour (60 minutes)",
        "1. first\n2. second\n12) twelfth",
        "2 layers of GCN2 with 8 heads, 3 seeds, top-1, NAS-Bench-201",
        "under 2 ms? it took 1.87 ms",
        "weight decay 0.0005",
        "none at all",
    ],
)
def test_verified(known: Known, text: str) -> None:
    assert known.unverified(text) == [], text


@pytest.mark.parametrize(
    ("text", "made_up"),
    [
        ("It reaches 91.2.", ["91.2"]),
        ("It reaches 81.4 ± 0.3", ["81.4"]),
        ("It reaches 81.3, or 81.27", ["81.3", "81.27"]),
        ("a gain of 3 %", ["3"]),
        ("a gain of 0.7 points over 80.54", ["0.7", "80.54"]),
        ("50,001 parameters", ["50001"]),
        ("It costs $5.", ["5"]),
        ("t0042 is better than t0003", ["t0042"]),
        ("It has 7 ms latency and 12 layers.", ["7", "12"]),
        ("between 70 and 75, 91.2 and 91.2", ["70", "75", "91.2"]),
        ("12. It reaches 99.9", ["99.9"]),
    ],
)
def test_made_up(known: Known, text: str, made_up: list[str]) -> None:
    assert known.unverified(text) == made_up


def test_a_number_that_was_learnt_is_known_from_then_on(known: Known) -> None:
    assert known.unverified("93.1") == ["93.1"]
    known.learn("I want at least 93.1")
    assert known.unverified("93.1") == []
