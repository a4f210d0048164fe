"""What a journal says of the calls to language models: each with its answer, and the sums that budgets and reports need."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from agentnas.memory import events as ev

# Outcomes of a call that brought an answer, good or bad: such a question is not asked again.
RECEIVED = ("answered", "refused", "truncated", "unreadable")


@dataclass
class Call:
    """One question to a model; ``answered`` is None while it is under way, or where the process died before the answer came."""

    asked: ev.LLMAsked
    answered: ev.LLMAnswered | None = None
    judged: ev.LLMJudged | None = None


@dataclass
class Spent:
    """Sums over calls. ``cost`` leaves out ``unpriced`` calls, those whose cost is unknown: with any, the true sum is "?".

    Calls without an answer count at their worst case, in tokens and in cost; tokens that a server did not count are estimated from above.
    """

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cost: float = 0.0
    unpriced: int = 0
    seconds: float = 0.0

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    @property
    def known_cost(self) -> float | None:
        """US dollars, or None where a call's cost is unknown."""
        return None if self.unpriced else self.cost

    def count(self, asked: ev.LLMAsked, answered: ev.LLMAnswered | None, sign: int = 1) -> None:
        """Add one call (or take it away again, with ``sign`` -1)."""
        if answered is None:
            read, written, cached, cost = asked.input_tokens, asked.max_tokens, 0, asked.worst_cost
        else:
            read = asked.input_tokens if answered.input_tokens is None else answered.input_tokens
            written = len(answered.text) if answered.output_tokens is None else answered.output_tokens
            cached, cost = answered.cached_tokens or 0, answered.cost
            self.seconds += sign * answered.seconds
        self.calls += sign
        self.input_tokens += sign * read
        self.output_tokens += sign * written
        self.cached_tokens += sign * cached
        self.cost += sign * (cost or 0.0)
        self.unpriced += sign * (cost is None)


@dataclass
class Calls:
    """All calls of a run, in order, by id; totals by role; the answer of each question."""

    by_id: dict[str, Call] = field(default_factory=dict)
    by_role: dict[str, Spent] = field(default_factory=lambda: defaultdict(Spent))
    total: Spent = field(default_factory=Spent)
    _answers: dict[tuple[str, int, int], Call] = field(default_factory=dict)
    _of_role: dict[str, list[Call]] = field(default_factory=lambda: defaultdict(list))
    _of_round: dict[int, list[Call]] = field(default_factory=lambda: defaultdict(list))
    _attempts: dict[tuple[str, int, int], int] = field(default_factory=lambda: defaultdict(int))

    def apply(self, event: ev.LLMAsked | ev.LLMAnswered | ev.LLMJudged) -> None:
        """Fold one event in; a call's answer comes after its question."""
        if isinstance(event, ev.LLMAsked):
            self.by_id[event.call] = Call(event)
            self._of_role[event.role].append(self.by_id[event.call])
            self._of_round[event.round].append(self.by_id[event.call])
            self._attempts[event.role, event.round, event.step] += 1
            self._count(event, None)
        elif (call := self.by_id.get(event.call)) is None:
            return  # of a journal that lost its beginning; there is nothing to fold it into
        elif isinstance(event, ev.LLMAnswered):
            self._count(call.asked, call.answered, sign=-1)
            call.answered = event
            self._count(call.asked, event)
            if event.outcome in RECEIVED:
                self._answers[call.asked.role, call.asked.round, call.asked.step] = call
        else:
            call.judged = event

    def _count(self, asked: ev.LLMAsked, answered: ev.LLMAnswered | None, sign: int = 1) -> None:
        for spent in (self.total, self.by_role[asked.role]):
            spent.count(asked, answered, sign)

    def answer(self, role: str, round_: int, step: int) -> Call | None:
        """The call that was answered for this question, if any."""
        return self._answers.get((role, round_, step))

    @property
    def waiting(self) -> str | None:
        """The role whose question was the last one asked, while it is not answered."""
        last = next(reversed(self.by_id.values()), None)
        return last.asked.role if last is not None and last.answered is None else None

    def ask_again(self, role: str, round_: int) -> None:
        """Forget the answers of a role in a round: what they led to was rejected, and the same questions mean something new."""
        for key in [key for key in self._answers if key[:2] == (role, round_)]:
            del self._answers[key]

    def received(self, role: str) -> int:
        """How many answers a role got."""
        return sum(call.answered is not None and call.answered.outcome in RECEIVED for call in self.of(role))

    def attempts(self, role: str, round_: int, step: int) -> int:
        """How often this question was asked."""
        return self._attempts.get((role, round_, step), 0)

    def newest(self, role: str, count: int) -> list[Call]:
        """The last ``count`` calls of a role, in order."""
        return self._of_role.get(role, [])[-count:]

    def of(self, role: str | None = None, round_: int | None = None) -> list[Call]:
        """Calls in order, of one role and one round where given."""
        calls = self.by_id.values() if round_ is None else self._of_round.get(round_, ())
        return [call for call in calls if role in (None, call.asked.role)]
