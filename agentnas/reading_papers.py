"""Papers read by a language model: what that is likely to take, and the cards, a batch at a time, within the limits of the settings."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from agentnas import thinking
from agentnas.agents.llm.base import LLM
from agentnas.agents.llm.consult import Consultant
from agentnas.agents.llm.names import make_llm
from agentnas.agents.llm.spending import Spending, load_prices
from agentnas.agents.llm_reader import ROLE, LLMReader, batches, question
from agentnas.config import Config, Resolved
from agentnas.estimate import ANSWER_TOKENS, CHARACTERS_A_TOKEN, cost_line
from agentnas.memory import events as ev
from agentnas.memory.calls import Spent
from agentnas.memory.cards import PaperCard
from agentnas.memory.journal import Journal
from agentnas.memory.papers.paper import Paper
from agentnas.memory.papers.rules import BY_RULE
from agentnas.words import money, plural

Say = Callable[[str], None]
# Most tokens of one answer, and papers that are named in a line.
MAX_TOKENS = 8_000
MOST_NAMED = 5


@contextmanager
def opened(resolved: Resolved, say: Say) -> Iterator[ModelReader]:
    """The reader of the settings' model, checked to be there before anything is spent. Raises as ``thinking.make_models`` does."""
    config = resolved.config
    load_prices(config.prices)
    with ExitStack() as stack:
        model = make_llm(str(config.llm))
        stack.callback(model.close)
        thinking.require_prices({ROLE: model}, config, resolved)
        thinking.require_there(model)
        for line in thinking.notes({ROLE: model}, config):
            say(line)
        yield ModelReader(model, config, say)


class ModelReader:
    """Cards by a model. ``spent`` says what the calls took; None before the first."""

    def __init__(self, model: LLM, config: Config, say: Say) -> None:
        self.model, self.config, self.say = model, config, say
        self.spent: Spent | None = None

    def estimate(self, papers: Sequence[Paper]) -> str:
        """Calls, tokens and cost in a line, before any is spent."""
        sizes = [sum(len(message.content) for message in question(batch)) for batch in batches(papers)]
        tokens, written = sum(sizes) // CHARACTERS_A_TOKEN, len(sizes) * ANSWER_TOKENS[ROLE]
        cost = cost_line({ROLE: self.model.name}, {ROLE: len(sizes)}, sum(sizes) // max(1, len(sizes)), self.config)
        return f"{plural(len(sizes), 'call')} to {self.model.name}, about {tokens:,} tokens in and {written:,} out; cost {cost}"

    def told(self) -> str:
        """What was spent in a line."""
        spent = self.spent or Spent()
        tokens = f"{spent.input_tokens:,} tokens in and {spent.output_tokens:,} out"
        return f"{plural(spent.calls, 'call')} to {self.model.name}, {tokens}, {money(spent.known_cost)}"

    def read(self, papers: Sequence[Paper]) -> Iterator[list[PaperCard]]:
        """The cards of each batch as soon as they are there; where the model gives none that can be used, those of the rule."""
        ruled: list[Paper] = []
        with self._consultant() as consultant:
            consultant.journal.listeners.append(self._tell)
            reader = LLMReader(consultant)
            for number, batch in enumerate(batches(papers), start=1):
                cards = reader.read(batch, number)
                self.spent = consultant.journal.view.calls.total
                ruled += [paper for paper, card in zip(batch, cards, strict=True) if card.by == BY_RULE]
                yield cards
        if ruled:
            more = f" and {len(ruled) - MOST_NAMED} more" if len(ruled) > MOST_NAMED else ""
            where = ", ".join(paper.where for paper in ruled[:MOST_NAMED])
            self.say(f"no usable card from {self.model.name}, so the rule made it, of {where}{more}")

    def _tell(self, event: ev.AnyEvent) -> None:
        if isinstance(event, ev.Noted):
            self.say(event.message)

    @contextmanager
    def _consultant(self) -> Iterator[Consultant]:
        """Over a journal in a folder that is thrown away: what the calls brought is in the memory."""
        with tempfile.TemporaryDirectory(prefix="agentnas-") as folder, Journal.create(Path(folder) / "events.jsonl") as journal:
            journal.append(ev.RunStarted(task="papers", protocol="", config={}, environment={}))
            spending = Spending(journal.view.calls, thinking.llm_limits(self.config), load_prices(self.config.prices))
            yield Consultant(
                journal, {ROLE: self.model}, spending, {ROLE: MAX_TOKENS}, self.config.llm_timeout_s, first_wait_s=thinking.FIRST_WAIT_S
            )
