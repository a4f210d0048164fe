"""The searchers by name, and the ablations of the agents' memory."""

from __future__ import annotations

from agentnas.agents.transfer import Options
from agentnas.bench import searchers
from agentnas.bench.agents import Agents
from agentnas.bench.searchers import Searcher
from agentnas.tools.errors import UsageError, suggest

AGENTS = "agentnas"
# The same agents with language models; asked in runs of their own, see bench.llm_agents.
LLM = f"{AGENTS}-llm"
SEARCHERS: dict[str, Searcher] = {
    "random": searchers.random_search,
    "evolution": searchers.evolution,
    "local": searchers.local_search,
    "tpe": searchers.tpe,
    "gbdt": searchers.gbdt,
    "transfer-mean-rank": searchers.mean_rank,
    AGENTS: Agents(),
}
ABLATIONS = {
    "memory": Agents(remember=False),
    "similarity": Agents(Options(similarity=False)),
    "smoothing": Agents(Options(smoothing=False)),
}
# These draw nothing: one seed says all. The agents without memory draw.
DETERMINISTIC = ("transfer-mean-rank", AGENTS, f"{AGENTS} without similarity", f"{AGENTS} without smoothing")


def searcher(name: str) -> Searcher:
    """The searcher of that name, ``agentnas without smoothing`` among them; raises UsageError for others."""
    every = SEARCHERS | {f"{AGENTS} without {what}": agents for what, agents in ABLATIONS.items()}
    if name not in every:
        raise UsageError(f"searcher {name!r} does not exist; {suggest(name, every)}")
    return every[name]
