"""A question to a model and its repairs: what the tools find wrong with an answer is told exactly, and asked again at most twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import BaseModel

from agentnas.agents.llm.base import Message, Reply
from agentnas.agents.llm.consult import Consultant

A = TypeVar("A", bound=BaseModel)
R = TypeVar("R")

REPAIRS = 2
# Of an answer that cannot be read, the model is shown this much again: enough to recognise it, cheap where it ran on and on.
LONGEST_ECHO = 1500
# Problems of one answer that are told; who errs more often than that has misread the question, not a detail.
MOST_PROBLEMS = 12


@dataclass(frozen=True)
class Checked(Generic[R]):
    """What the tools' checks made of one answer. ``problems`` are told to the model, ``notes`` to the journal alone."""

    result: R
    items: int
    taken: int
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def converse(
    consultant: Consultant, role: str, round_: int, opening: Sequence[Message], answer: type[A],
    check: Callable[[A], Checked[R]], again: str | Callable[[Sequence[str]], str],
) -> list[Checked[R]]:  # fmt: skip
    """What the checks made of each readable answer, in order; the last is without problems unless all repairs were used up.

    ``again`` tells the model what to return once it has read the problems, or says both in its own words. Every answer is judged in the
    journal.
    """
    turns, found = list(opening), list[Checked[R]]()
    for step in range(1 + REPAIRS):
        reply = consultant.ask(role, round_, step, turns, answer)
        if reply is None:
            break
        if reply.value is None:
            problems: tuple[str, ...] = (reply.problem or "it is no answer of the form asked for",)
            consultant.judge(role, round_, step, 0, 0, problems)
        else:
            checked = check(reply.value)
            found.append(checked)
            problems = _bounded(checked.problems)
            consultant.judge(role, round_, step, checked.items, checked.taken, problems + checked.notes)
        if not problems:
            break
        turns += [Message("assistant", _echo(reply)), Message("user", again(problems) if callable(again) else _repair(problems, again))]
    return found


def was_answered(consultant: Consultant, role: str, round_: int) -> bool:
    """Whether the model said anything to the first question of the round, readable or not."""
    return consultant.journal.view.calls.answer(role, round_, 0) is not None


def author_of(consultant: Consultant, role: str, round_: int) -> str:
    """``planner/openai:gpt-5``: the role, and the model whose answer to its first question of the round is in the journal."""
    call = consultant.journal.view.calls.answer(role, round_, 0)
    return f"{role}/{call.asked.model if call else consultant.models[role].name}"


def _bounded(problems: tuple[str, ...]) -> tuple[str, ...]:
    more = len(problems) - MOST_PROBLEMS
    return (*problems[:MOST_PROBLEMS], f"and {more} more of this kind") if more > 0 else problems


def _echo(reply: Reply[A]) -> str:
    """The model's own turn, never empty: providers refuse a turn without text."""
    text = reply.text if reply.value is not None else reply.text[:LONGEST_ECHO]
    return text.strip() or "(no text)"


def _repair(problems: Sequence[str], again: str) -> str:
    return "\n".join(["Your answer cannot be used as it is:", *(f"- {problem}" for problem in problems), again])
