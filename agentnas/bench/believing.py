"""The agents' transfer on rows that are no specs of a space: the same belief orders them and chooses among them, without a coder."""

from __future__ import annotations

import random

import numpy as np

from agentnas.agents.transfer import Belief, Options, Past, PastTask, Points
from agentnas.agents.transfer_drafts import OPTIMISM
from agentnas.agents.transfer_posterior import Posterior
from agentnas.bench.problem import Lookup, Problem
from agentnas.bench.searchers import BATCH, Choice, Memory, gbdt
from agentnas.tools.spec.model import ArchitectureSpec


def believe(problem: Problem, memory: Memory, lookup: Lookup, rng: random.Random, options: Options) -> Choice | None:
    """Spend the budget in batches on what the belief likes best; without memory, on what boosted trees like best."""
    if not memory.sources:
        gbdt(problem, memory, lookup, rng)
        return None
    past, rows = past_of(problem, memory)
    belief = Belief(past, problem.task, options)
    points = belief.designs.at(rows)
    while lookup.left > 0:
        posterior = _posterior(belief, points, lookup.order, lookup.rewards())
        for row in posterior.best(points, min(BATCH, lookup.left), OPTIMISM, lookup.order):
            lookup.ask(row)
    order, rewards = lookup.order, lookup.rewards()
    return lambda count: order[int(np.argmax(_posterior(belief, points, order[:count], rewards[:count]).smoothed))]


def _posterior(belief: Belief, points: Points, order: list[int], rewards: list[float]) -> Posterior:
    return Posterior(belief, points.at(order), np.array(rewards))


def past_of(problem: Problem, memory: Memory) -> tuple[Past, list[int]]:
    """Every design of the problem and its sources, each once, and which of them the problem's rows are."""
    held: dict[object, np.ndarray] = {}
    for each in (problem, *memory.sources):
        held |= dict(zip(each.rows.names, each.rows.vectors, strict=True))
    place = {name: number for number, name in enumerate(held)}
    tasks = []
    for source in memory.sources:
        for scores in (source.validation, source.test) if memory.published else (source.validation,):
            known = np.full(len(held), np.nan)
            known[[place[name] for name in source.rows.names]] = scores
            tasks.append(PastTask(source.name, source.task, known))
    return Past(np.array(list(held.values())), _no_spec, tuple(tasks), lambda design: ()), [place[name] for name in problem.rows.names]


def _no_spec(design: int) -> ArchitectureSpec:
    raise NotImplementedError(f"row {design} of a table is looked up, never built")
