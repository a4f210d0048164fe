"""Which agents think with a language model, which by rules, and what they share: the models, their budget, the prompts."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentnas.agents.llm.base import is_free
from agentnas.agents.llm.spending import Limits, Spending, load_prices, price_of
from agentnas.config import Config, Resolved
from agentnas.tools.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from agentnas.agents.analyst import RuleAnalyst
    from agentnas.agents.checking import Weigh
    from agentnas.agents.coder import RuleCoder
    from agentnas.agents.llm.base import LLM
    from agentnas.agents.planner import RulePlanner
    from agentnas.agents.roles import Analyst, Coder, Planner
    from agentnas.memory.journal import Journal
    from agentnas.memory.memory import Memory
    from agentnas.memory.view import JournalView

ROLES = ("planner", "coder", "analyst")
RULES = "rules"
# Most tokens of one answer. Models that reason before they answer need room for it: these are limits, not expectations.
MAX_TOKENS = {"planner": 8_000, "coder": 16_000, "analyst": 8_000}
# Trials a round where a model drafts them: each call reads the whole briefing, so more proposals share its cost.
BATCH = 10
# Seconds of the first wait before a call is tried again; doubled each time.
FIRST_WAIT_S = 1.0
KEYS = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY"}


def named(config: Config) -> dict[str, str]:
    """The model of each role that has one: its own, else that of all; ``rules`` is none."""
    chosen = {role: getattr(config, f"{role}_llm") or config.llm for role in ROLES}
    return {role: name for role, name in chosen.items() if name and name != RULES}


def make_models(config: Config, resolved: Resolved, view: JournalView | None = None) -> dict[str, LLM]:
    """The models by role, one object a name, checked to be there before anything is spent; empty where all think by rules.

    Raises UsageError for a name that is none; ConfigError (exit code 4) for no key, a wrong key, an unknown model, a server that does not
    answer, an unknown price under a --max-cost that somebody asked for.
    """
    from agentnas.agents.llm.names import make_llm
    from agentnas.prompts import Prompts

    names = named(config)
    # What is broken in these files is said before a run begins.
    load_prices(config.prices)
    Prompts(config.prompts_dir)
    used = {role: view.calls.received(role) for role in ROLES} if view else {}
    made = {name: make_llm(name, skip=used) for name in dict.fromkeys(names.values())}
    require_prices(made, config, resolved)
    if config.record is not None:
        from agentnas.agents.llm.recording import Recording

        if view is None and names and config.record.exists() and config.record.stat().st_size:
            raise UsageError(f"--record {config.record}: the file exists, and a recording holds one run; name another file")
        made = {name: Recording(model, config.record, task=str(config.task)) for name, model in made.items()}
    for model in made.values():
        require_there(model)
    return {role: made[name] for role, name in names.items()}


def require_there(model: LLM) -> None:
    """Raise ConfigError where no call could succeed: what passes in mid-run is for a person to mend before a start."""
    from agentnas.agents.llm.base import LLMError

    try:
        model.check()
    except ConfigError:
        raise
    except LLMError as error:
        raise ConfigError(f"{error}; start the server, or check the address and the network") from None


def require_prices(models: Mapping[str, LLM], config: Config, resolved: Resolved) -> None:
    """Raise ConfigError where a --max-cost that somebody asked for cannot be kept, because a model's price is unknown."""
    if config.max_cost is None or resolved.origins["max_cost"] == "default":
        return
    prices = load_prices(config.prices)
    for model in models.values():
        if price_of(model.name, prices) is None and not is_free(model):
            raise ConfigError(
                f"--max-cost {config.max_cost:g} cannot be kept: the price of {model.name} is unknown; name it in a --prices file, or"
                " leave --max-cost out and limit --max-tokens or --max-llm-calls"
            )


@dataclass(frozen=True)
class Minds:
    """The three agents of a run."""

    planner: Planner
    coder: Coder
    analyst: Analyst


def think(
    models: Mapping[str, LLM], rules: tuple[RulePlanner, RuleCoder, RuleAnalyst], journal: Journal, memory: Memory, config: Config,
    stop: threading.Event, weigh: Weigh | None = None,
) -> Minds:  # fmt: skip
    """Agents that think with their models, each with its rule-based twin to fall back on."""
    planner, coder, analyst = rules
    if not models:
        return Minds(planner, coder, analyst)
    from agentnas.agents.briefing import Briefing
    from agentnas.agents.llm.consult import Consultant
    from agentnas.agents.llm_analyst import LLMAnalyst
    from agentnas.agents.llm_coder import LLMCoder
    from agentnas.agents.llm_planner import LLMPlanner
    from agentnas.prompts import Prompts

    def seconds_left() -> float | None:
        return None if config.time_s is None else config.time_s - journal.active_seconds

    spending = Spending(journal.view.calls, llm_limits(config), load_prices(config.prices))
    prompts = Prompts(config.prompts_dir)
    consultant = Consultant(
        journal, models, spending, MAX_TOKENS, config.llm_timeout_s, stop, seconds_left, FIRST_WAIT_S, prompts.versions()
    )
    briefing = Briefing(prompts)
    return Minds(
        LLMPlanner(consultant, briefing, planner, memory) if "planner" in models else planner,
        LLMCoder(consultant, briefing, coder, memory, coder.price, config.proposals, weigh) if "coder" in models else coder,
        LLMAnalyst(consultant, briefing, analyst) if "analyst" in models else analyst,
    )


def llm_limits(config: Config) -> Limits:
    """The hard limits on language models."""
    return Limits(config.max_cost, config.max_tokens, config.max_llm_calls)


def recorded_memory(models: Mapping[str, LLM]) -> tuple[str, ...] | None:
    """What a recorded run remembered of others; None where no recording is replayed."""
    from agentnas.agents.llm.recording import Replay

    return next((model.memory for model in models.values() if isinstance(model, Replay)), None)


def closing(models: Mapping[str, LLM], stack: ExitStack) -> None:
    """Close every model, each once, when the stack unwinds."""
    for model in {id(model): model for model in models.values()}.values():
        stack.callback(model.close)


def notes(models: Mapping[str, LLM], config: Config) -> list[str]:
    """What a person should know before models are asked: unknown prices, a recording in their place."""
    prices = load_prices(config.prices)
    distinct = {model.name: model for model in models.values()}.values()
    lines = [f"{m.name}: demonstration recording, not a measure of any model" for m in distinct if getattr(m, "demonstration", False)]
    unpriced = [m.name for m in distinct if not is_free(m) and price_of(m.name, prices) is None]
    if unpriced and config.max_cost is not None:
        lines.append(
            f"the price of {', '.join(unpriced)} is unknown: its cost is shown as ?, and --max-cost cannot bound it (see --prices)"
        )
    return lines


def hint(config: Config) -> str | None:
    """How to turn models on, where a key lies ready and none is used: a key alone spends nothing."""
    if named(config):
        return None
    found = next((provider for provider, variable in KEYS.items() if os.environ.get(variable)), None)
    return found and f"a key for {found} is in the environment; no model is asked without --llm {found}:MODEL"
