"""The contract of a language model: what every maker must do. A new one is one fixture, ``made``."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from agentnas.agents.llm.base import LLM, LLMError, Reply
from tests.agents.llm.answers import DATA, PLAN, QUESTION, TEXT, Plan
from tests.llm_server import Answer, Finished

Maker = Callable[..., LLM]


def ask(model: LLM, timeout_s: float = 5.0) -> Reply[Plan]:
    return model.ask("planner", QUESTION, Plan, max_tokens=500, timeout_s=timeout_s)


class Conformance:
    """``made(*answers)`` is a model that gives these answers in order; text, data, or Finished."""

    def test_an_answer_is_parsed(self, made: Maker) -> None:
        model = made(TEXT)
        reply = ask(model)
        assert (reply.value, reply.problem, reply.finish) == (PLAN, None, "stop")
        assert reply.text.replace(" ", "") == TEXT.replace(" ", "")
        assert reply.model
        assert model.name

    def test_tokens_are_counted(self, made: Maker) -> None:
        usage = ask(made(TEXT)).usage
        assert usage.input is not None
        assert usage.output is not None
        assert usage.input > 0 < usage.output
        assert usage.cached is None or 0 <= usage.cached <= usage.input

    def test_answers_come_in_order(self, made: Maker) -> None:
        other = {"directions": [DATA["directions"][0]]}
        model = made(TEXT, other)
        assert [len(reply.value.directions) for reply in (ask(model), ask(model)) if reply.value] == [2, 1]

    @pytest.mark.parametrize("text", ["I would try attention.", "", '{"verdict": "stop"}', "[1, 2]"])
    def test_what_is_no_answer_has_a_problem(self, made: Maker, text: str) -> None:
        reply = ask(made(text))
        assert (reply.value, reply.finish) == (None, "stop")
        assert reply.problem

    @pytest.mark.parametrize(
        ("finish", "text", "items"), [("length", TEXT[:-20], 1), ("length", TEXT[:20], 0), ("refusal", "I cannot help.", 0)]
    )
    def test_an_answer_that_is_not_finished_has_its_complete_items(self, made: Maker, finish: str, text: str, items: int) -> None:
        reply = ask(made(Finished(text, finish)))
        assert reply.value == (Plan(directions=PLAN.directions[:items]) if items else None)
        assert reply.finish == finish
        assert reply.problem
        assert reply.text

    def test_text_streams(self, made: Maker) -> None:
        said = "Attention with fewer heads is worth a try: the leader has eight."
        pieces = list(made(said).stream("chat", QUESTION, max_tokens=100, timeout_s=5.0))
        assert "".join(pieces) == said
        assert len(pieces) > 1

    def test_a_check_finds_nothing_wrong_and_asks_nothing(self, made: Maker) -> None:
        model = made(TEXT)
        model.check()
        assert ask(model).value == PLAN

    def test_without_an_answer_it_raises(self, made: Maker) -> None:
        with pytest.raises(LLMError, match=r"\S"):
            ask(made())

    def test_it_is_safe_in_threads(self, made: Maker) -> None:
        answers: list[Answer] = [TEXT] * 6
        model, values = made(*answers), list[Plan | None]()
        threads = [threading.Thread(target=lambda: values.append(ask(model).value)) for _ in answers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert values == [PLAN] * 6

    def test_closing_twice_is_fine(self, made: Maker) -> None:
        model = made(TEXT)
        ask(model)
        model.close()
        model.close()
