"""The searchers that are compared. Each spends a lookup's budget on rows of one problem; those that remember also read the other ones."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Protocol

import numpy as np
from scipy.stats import rankdata

from agentnas.bench.problem import Array, Lookup, Problem
from agentnas.tools.errors import ConfigError

POPULATION = 10
SAMPLE = 3
WARM_UP = 10
POOL = 2000
BATCH = 5
# Proposals in a row that stand for rows already evaluated, after which a searcher that models combinations takes a random row.
REPEATS = 20


@dataclass(frozen=True)
class Memory:
    """What the other data sets taught: their tables, and what of them may be known (``strict``: validation; ``published``: test too)."""

    sources: tuple[Problem, ...]
    published: bool = False


Choice = Callable[[int], int]


class Searcher(Protocol):
    def __call__(self, problem: Problem, memory: Memory, lookup: Lookup, rng: random.Random) -> Choice | None:
        """Spend the budget. Returns which row it would choose after each number of evaluations; None is the highest reward."""


def random_search(problem: Problem, memory: Memory, lookup: Lookup, rng: random.Random) -> None:
    """Rows without repetition, each with the same probability."""
    for row in rng.sample(range(len(problem.rows)), min(lookup.budget, len(problem.rows))):
        lookup.ask(row)


def evolution(problem: Problem, memory: Memory, lookup: Lookup, rng: random.Random) -> None:
    """Regularised evolution (Real et al., 2019): population 10, the best of 3 has a child, the oldest dies."""
    population = rng.sample(range(len(problem.rows)), min(POPULATION, len(problem.rows)))
    for row in population[: lookup.budget]:
        lookup.ask(row)
    while lookup.left > 0 and len(lookup.order) < len(problem.rows):
        parent = max(rng.sample(population, min(SAMPLE, len(population))), key=lookup.ask)
        child = int(rng.choice(problem.rows.neighbours(parent)))
        if child in lookup:
            child = _unseen(problem, lookup, rng) if all(int(n) in lookup for n in problem.rows.neighbours(parent)) else child
        if child not in lookup:
            lookup.ask(child)
            population = [*population[1:], child]


def local_search(problem: Problem, memory: Memory, lookup: Lookup, rng: random.Random) -> None:
    """From a random row to the first neighbour that is better, in random order; from another random row where none is."""
    while lookup.left > 0 and len(lookup.order) < len(problem.rows):
        here: int | None = _unseen(problem, lookup, rng)
        while here is not None and lookup.left > 0:
            here = _better_neighbour(here, problem, lookup, rng)


def _better_neighbour(here: int, problem: Problem, lookup: Lookup, rng: random.Random) -> int | None:
    value = lookup.ask(here)
    around = [int(row) for row in problem.rows.neighbours(here)]
    for row in rng.sample(around, len(around)):
        if lookup.left <= 0:
            return None
        if lookup.ask(row) > value:
            return row
    return None


def tpe(problem: Problem, memory: Memory, lookup: Lookup, rng: random.Random) -> None:
    """Tree-structured Parzen estimator (Bergstra et al., 2011) as Optuna has it, over the axes' values as categories."""
    optuna = _optuna()
    sampler = optuna.samplers.TPESampler(seed=rng.randrange(2**31), n_startup_trials=WARM_UP, multivariate=True)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    repeated = 0
    while lookup.left > 0 and len(lookup.order) < len(problem.rows):
        trial = study.ask()
        code = [trial.suggest_categorical(str(axis), list(range(count))) for axis, count in enumerate(problem.rows.values)]
        row = problem.rows.row(code)
        repeated = repeated + 1 if row is None or row in lookup else 0
        if row is None:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            study.tell(trial, lookup.ask(row))
        if repeated == REPEATS:
            lookup.ask(_unseen(problem, lookup, rng))
            repeated = 0


def _optuna() -> ModuleType:
    try:
        import optuna
    except ImportError:
        raise ConfigError("the searcher tpe needs Optuna, which is not installed; run: pip install 'agentnas[bench]'") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def gbdt(problem: Problem, memory: Memory, lookup: Lookup, rng: random.Random) -> None:
    """Boosted trees on this problem's own trials: after 10 random rows, batches of the 4 of a pool that they like best and a random one."""
    for row in rng.sample(range(len(problem.rows)), min(WARM_UP, lookup.budget, len(problem.rows))):
        lookup.ask(row)
    while lookup.left > 0 and len(lookup.order) < len(problem.rows):
        pool = [row for row in rng.sample(range(len(problem.rows)), min(POOL, len(problem.rows))) if row not in lookup]
        liked = sorted(pool, key=dict(zip(pool, _liking(problem, lookup, pool), strict=True)).__getitem__, reverse=True)
        for row in [*liked[: BATCH - 1], _unseen(problem, lookup, rng)][: lookup.left]:
            lookup.ask(row)


def _liking(problem: Problem, lookup: Lookup, pool: Sequence[int]) -> Array:
    from sklearn.ensemble import GradientBoostingRegressor

    model = GradientBoostingRegressor(n_estimators=40, max_depth=3, learning_rate=0.15, subsample=0.8, random_state=len(lookup.order))
    model.fit(problem.rows.vectors[lookup.order], lookup.rewards())
    return np.asarray(model.predict(problem.rows.vectors[list(pool)]))


def mean_rank(problem: Problem, memory: Memory, lookup: Lookup, rng: random.Random) -> None:
    """The rows in the order of their mean rank on the other data sets, whatever this one answers; the highest reward is chosen."""
    for row in np.argsort(-_mean_rank(problem, memory), kind="stable")[: lookup.budget]:
        lookup.ask(int(row))


def _mean_rank(problem: Problem, memory: Memory) -> Array:
    """Mean over the other data sets of the rank (0..1, high is good) of each row; rows that one does not hold are its median there."""
    total = np.zeros(len(problem.rows))
    for source in memory.sources:
        scores = source.test if memory.published else source.validation
        ranks = dict(zip(source.rows.names, rankdata(scores) / len(scores), strict=True))
        total += [ranks.get(name, 0.5) for name in problem.rows.names]
    return total


def _unseen(problem: Problem, lookup: Lookup, rng: random.Random) -> int:
    """A row that was not evaluated yet; there must be one."""
    while (row := rng.randrange(len(problem.rows))) in lookup:
        continue
    return row
