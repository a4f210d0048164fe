"""What the language models of a benchmark did and what they took."""

from __future__ import annotations

from dataclasses import dataclass

from agentnas.memory.calls import Spent


@dataclass(frozen=True)
class Account:
    """``searches`` of ``planned`` were finished, of ``evaluations`` designs each; ``written`` of the ``proposed`` designs after the first
    rounds, which are the rules', are the models' own. ``cost``: US dollars, None where a price is unknown. ``stopped``: why no more."""

    models: tuple[str, ...]
    planned: int
    evaluations: int
    searches: int = 0
    written: int = 0
    proposed: int = 0
    calls: int = 0
    tokens: int = 0
    cost: float | None = 0.0
    stopped: str | None = None

    def words(self) -> str:
        """For the notes below a table."""
        done = f"{self.searches} of {self.planned} searches, {self.evaluations} evaluations each, with {', '.join(self.models)}"
        spent = f"{self.calls:,} calls, {self.tokens:,} tokens, {money(self.cost)}"
        own = f"{self.written} of {self.proposed} designs after the first rounds are the models' own"
        end = f"; stopped: {self.stopped}" if self.stopped else ""
        return f"agentnas-llm: {done}; {spent}; {own}; searched by validation alone, oracle is the best test score among its designs{end}."


def money(cost: float | None) -> str:
    """``$0.0312``; ``$?`` where it is unknown."""
    return "$?" if cost is None else f"${cost:.4f}"


def plus(first: Spent, second: Spent) -> Spent:
    """The sum of what two runs spent."""
    return Spent(**{name: getattr(first, name) + getattr(second, name) for name in Spent.__dataclass_fields__})
