"""Answers are found in text and mended without a change of meaning; what is wrong is told to the model."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentnas.agents.llm.base import Finish, Usage
from agentnas.agents.llm.reading import read_answer, read_reply
from tests.agents.llm.answers import DATA, PLAN, TEXT, Plan, Verdict

INDENTED = json.dumps(DATA, indent=2)
LIST = json.dumps(DATA["directions"])


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        f"\ufeff {TEXT}\n",
        f"```json\n{INDENTED}\n```",
        f"Here is the plan:\n\n```\n{TEXT}\n```\nIt follows {{the evidence}} [1].",
        f"I looked at [t0001] and {{n1}}. {TEXT} That is all.",
        f"<think>Maybe {{'directions': []}}?</think>\n{TEXT}",
        f"so {{... first thoughts.\n</thinking>{TEXT}",
        f'Draft: {{"directions": []}}\n\nFinal:\n{TEXT}',
        LIST,
        json.dumps({"plan": DATA}),
        json.dumps({"directions": LIST}),
        json.dumps([DATA]),
        INDENTED.replace("]\n    }", "],\n    }"),
        INDENTED.replace('"name"', "name").replace('"share": 0.6', '"share": 0.6 // most of it'),
        TEXT.replace("0.6", '"0.6"').replace('"exploit"', '"Exploit"').replace('"evidence": []', '"evidence": null'),
        TEXT[:-1],
        TEXT[:-2],
    ],
)  # fmt: skip
def test_the_answer_is_found(text: str) -> None:
    assert read_answer(text, Plan) == (PLAN, None)


def test_the_last_of_several_answers_counts() -> None:
    first, last = ({"verdict": verdict, "reason": "r", "trials": 3} for verdict in ("stop", "go_on"))
    blocks = f"```json\n{json.dumps(first)}\n```\nOn second thought:\n```json\n{json.dumps(last)}\n```"
    prose = f"First {json.dumps(first)}, then {json.dumps(last)}."
    for text in (blocks, prose):
        value, _ = read_answer(text, Verdict)
        assert value == Verdict(verdict="go_on", reason="r", trials=3)


@pytest.mark.parametrize("cut", range(TEXT.index("}") + 1, len(TEXT) - 2))
def test_a_torn_end_costs_the_torn_item_alone(cut: int) -> None:
    assert read_answer(TEXT[:cut], Plan) == (Plan(directions=PLAN.directions[:1]), None)


def test_a_number_that_may_go_on_is_not_read() -> None:
    assert read_answer('{"verdict": "stop", "reason": "flat", "trials": 1', Verdict) == (
        None,
        "The answer does not fit:\n- trials is missing; allowed: a whole number (at least 0)",
    )


def test_numbers_and_truth_values_become_text_where_text_is_asked_for() -> None:
    value, _ = read_answer('{"verdict": "stop", "reason": 0.05, "trials": 2}', Verdict)
    assert value == Verdict(verdict="stop", reason="0.05", trials=2)


def test_each_wrong_field_is_named_with_what_is_allowed() -> None:
    text = '{"directions": [{"name": "a", "share": -0.5, "mode": "dig", "evidence": ["x", {"id": 3}]}, {"name": "b", "mode": "explore"}]}'
    assert read_answer(text, Plan) == (None, "\n".join([
        "The answer does not fit:",
        "- directions[0].share is -0.5; allowed: a number (share of the round's trials; more than 0, at most 1)",
        "- directions[0].mode is 'dig'; allowed: explore, exploit",
        "- directions[0].evidence[1] is {'id': 3}; allowed: text",
        "- directions[1].share is missing; allowed: a number (share of the round's trials; more than 0, at most 1)",
        "- directions[1].evidence is missing; allowed: a list of values (ids that it rests on)",
    ]))  # fmt: skip


def test_many_problems_are_summed_up() -> None:
    value, problem = read_answer(json.dumps({"directions": [{"name": str(n)} for n in range(4)]}), Plan)
    assert value is None
    assert problem is not None
    assert problem.splitlines()[-1] == "- and 4 more like these"
    assert len(problem.splitlines()) == 10


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "The answer is empty. Answer with one JSON object."),
        (" \n", "The answer is empty. Answer with one JSON object."),
        (
            "I would try GAT.",
            "The answer holds no JSON object; it begins 'I would try GAT.'. Answer with one JSON object and nothing else.",
        ),
        ("{}", "The answer does not fit:\n- directions is missing; allowed: a list of objects (at least 1 items, at most 4 items)"),
        (
            '{"directions": 7}',
            "The answer does not fit:\n- directions is 7; allowed: a list of objects (at least 1 items, at most 4 items)",
        ),
        (
            '{"directions": []}',
            "The answer does not fit:\n- directions is []; allowed: a list of objects (at least 1 items, at most 4 items)",
        ),
    ],
)
def test_no_answer(text: str, problem: str) -> None:
    value, said = read_answer(text, Plan)
    assert (value, said) == (None, problem)


@pytest.mark.parametrize("text", ["[" * 200_000, "{" * 200_000, '{"a":' * 100_000, "[{" * 50_000 + "x", '"' * 100_001, "\\" * 100_000])
def test_hostile_text_is_no_answer_and_takes_no_time(text: str) -> None:
    start = time.process_time()
    value, problem = read_answer(text, Plan)
    assert (value, problem is None) == (None, False)
    assert time.process_time() - start < 2


@given(st.text())
def test_no_text_breaks_the_reader(text: str) -> None:
    for tried in (text, f"{{{text}", f"[{text}]"):
        value, problem = read_answer(tried, Verdict)
        assert value is None
        assert problem


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_number_that_is_none_is_refused(number: str) -> None:
    assert read_answer(TEXT.replace("0.6", number), Plan)[0] is None


@pytest.mark.parametrize(
    ("finish", "text", "items", "word"),
    [
        ("refusal", TEXT, 0, "refused"),
        ("length", TEXT, 2, "cut off"),
        ("length", TEXT[: TEXT.index("}") + 10], 1, "cut off"),
        ("length", TEXT[: TEXT.index("}")], 0, "cut off"),
        ("length", f"<think>Such as {TEXT}, or", 0, "cut off"),
        ("length", f"<think>So.</think>{TEXT[:-20]}", 1, "cut off"),
    ],
)
def test_an_unfinished_answer_keeps_what_is_complete(finish: Finish, text: str, items: int, word: str) -> None:
    usage = Usage(10, 5)
    reply = read_reply(text, Plan, finish, usage, "m")
    assert (reply.text, reply.finish, reply.usage) == (text, finish, usage)
    assert reply.value == (Plan(directions=PLAN.directions[:items]) if items else None)
    assert word in str(reply.problem)


def test_a_finished_answer_has_no_problem() -> None:
    usage = Usage(10, 5)
    assert read_reply(TEXT, Plan, "stop", usage, "m").value == PLAN
