"""The language models' part of a benchmark: searches one after another, under limits that hold for all of them together."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from typing import Any

from agentnas import api, thinking
from agentnas.agents.llm.spending import Limits
from agentnas.bench.account import Account, money, plus
from agentnas.bench.llm_search import Found, Search, scores, search, settings
from agentnas.bench.measure import Score
from agentnas.bench.problem import Problem
from agentnas.bench.registry import LLM
from agentnas.bench.searchers import Memory
from agentnas.config import Resolved, resolve
from agentnas.memory.calls import Spent
from agentnas.tools.errors import AgentNASError, UsageError

Tell = Callable[[str], None]
WITHOUT_CARDS = f"{LLM} without cards"


@dataclass(frozen=True)
class LLMPart:
    """What was asked for. ``runs_dir`` keeps the runs, and those that it holds already are not made again; None: a folder that is thrown
    away. The limits of ``resolved`` are those of all searches together."""

    resolved: Resolved
    evaluations: int = 30
    seeds: int = 1
    runs_dir: Path | None = None
    without_cards: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The searchers."""
        return (LLM, WITHOUT_CARDS) if self.without_cards else (LLM,)

    @property
    def models(self) -> tuple[str, ...]:
        """The models, each once."""
        return tuple(dict.fromkeys(thinking.named(self.resolved.config).values()))

    @property
    def batch(self) -> int:
        """Designs of a round."""
        return thinking.BATCH if "coder" in thinking.named(self.resolved.config) else api.BATCH_TABLE


def llm_part(
    flags: Mapping[str, Any], *, evaluations: int = 30, seeds: int = 1, runs_dir: Path | None = None, without_cards: bool = False
) -> LLMPart:  # fmt: skip
    """The part that these settings of a design ask for; what they leave out comes from where a design takes it.

    Raises UsageError and ConfigError, before anything is spent, for what cannot work: no model, a wrong key, evaluations of which a model
    would propose none.
    """
    part = LLMPart(resolve(flags), evaluations, seeds, runs_dir, without_cards)
    if not part.models:
        raise UsageError("no language model is named; give --llm, for example --llm openai:gpt-5-mini")
    if evaluations <= part.batch:
        raise UsageError(
            f"--evaluations is {evaluations}; allowed: {part.batch + 1} or more, because rules propose the first {part.batch} designs"
        )
    for model in thinking.make_models(part.resolved.config, part.resolved).values():
        model.close()
    return part


def estimated(part: LLMPart, targets: Sequence[str]) -> str:
    """What the searches are likely to take, in a line."""
    from agentnas.estimate import estimate
    from agentnas.first_prompt import first_prompt
    from agentnas.tools.tasks import load_task
    from agentnas.tools.tasks.catalog import TABLE_PREFIX

    count = len(part.names) * len(targets) * part.seeds
    named, rounds = thinking.named(part.resolved.config), ceil((part.evaluations - part.batch) / part.batch)
    config = settings(part.resolved, targets[0], 0, rounds * part.batch * count, Path())
    prompt = first_prompt(next(iter(named)), config, load_task(TABLE_PREFIX + targets[0]))
    told = estimate(named, config, sum(len(message.content) for message in prompt), part.batch)
    return f"{LLM}: {count} searches of {part.evaluations} evaluations with {', '.join(part.models)}; {told['estimate']}; {told['cost']}"


def run_part(
    part: LLMPart, problems: Mapping[str, Problem], targets: Sequence[str], memory: Sequence[str], published: bool, tell: Tell
) -> tuple[list[Score], Account]:  # fmt: skip
    """All searches until the models leave; what was found until then counts. ``memory``: the data sets that others may remember."""
    wanted = list(_searches(part, problems, targets, memory, published))
    account, spent = Account(part.models, len(wanted), part.evaluations), Spent()
    measured: list[Score] = []
    with _folder(part.runs_dir) as folder:
        for asked in wanted:
            try:
                what = search(asked, part.resolved, folder, left(part, spent))
            except AgentNASError as error:
                account = replace(account, stopped=f"{_where(asked)}: {error}")
                break
            spent = plus(spent, what.view.calls.total)
            measured += scores(asked, what)
            account = _added(account, what, spent)
            tell(_line(asked, what))
            if what.trouble is not None:
                account = replace(account, stopped=f"{_where(asked)}: {what.trouble}")
                break
    return measured, account


def _searches(
    part: LLMPart, problems: Mapping[str, Problem], targets: Sequence[str], memory: Sequence[str], published: bool
) -> Iterator[Search]:
    """Data set by data set, so that a part that is stopped has all searchers on the same ones."""
    for seed in range(part.seeds):
        for target in targets:
            known = Memory(tuple(problems[name] for name in memory if name != target), published)
            for name in part.names:
                yield Search(name, problems[target], known, name != WITHOUT_CARDS, seed, part.evaluations)


@contextmanager
def _folder(runs_dir: Path | None) -> Iterator[Path]:
    if runs_dir is not None:
        yield runs_dir
        return
    with tempfile.TemporaryDirectory(prefix="agentnas-") as folder:
        yield Path(folder)


def left(part: LLMPart, spent: Spent) -> Limits:
    """What is left of the benchmark's limits."""
    config = part.resolved.config
    return Limits(
        None if config.max_cost is None else max(0.0, config.max_cost - spent.cost),
        None if config.max_tokens is None else max(0, config.max_tokens - spent.tokens),
        None if config.max_llm_calls is None else max(0, config.max_llm_calls - spent.calls),
    )


def _added(account: Account, what: Found, spent: Spent) -> Account:
    written, proposed = what.written()
    return replace(
        account, searches=account.searches + (what.trouble is None), written=account.written + written,
        proposed=account.proposed + proposed, calls=spent.calls, tokens=spent.tokens, cost=spent.known_cost,
    )  # fmt: skip


def _where(asked: Search) -> str:
    return f"{asked.name} on {asked.problem.name}, seed {asked.seed}"


def _line(asked: Search, what: Found) -> str:
    spent = what.view.calls.total
    return f"{_where(asked)}: {len(what.records)} designs, {spent.calls} calls, {money(spent.known_cost)}"
