"""Who climbs the ladder: the requests that a round, or the confirmation, still has to make. Pure functions over the situation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import ceil

from agentnas.agents.situation import Record, Situation
from agentnas.tools.evaluate.base import CONFIRM, CONFIRM_SEED, Request, Rung
from agentnas.tools.evaluate.ladder import promoted

# Trials that may hold several seeds at a time: the head of the whole leaderboard, so that search noise is looked through where it matters.
HEAD = 6


def entitled(situation: Situation, round_: int, rung: Rung) -> list[Record]:
    """Trials of the round that may be evaluated on this rung. Decided by the rung below alone, so that a resumed run decides the same.

    Anchors always train in full.
    """
    level = [known.name for known in situation.rungs].index(rung.name)
    lower = {known.name for known in situation.rungs[:level]}
    alive = [r for r in situation.records if r.round == round_ and r.rejected is None and not {name for name, _ in r.failures} & lower]
    if level == 0:
        return alive
    below = situation.rungs[level - 1]
    # The most promising first: where time ends in the middle of a rung, it was spent on them.
    alive = sorted(alive, key=lambda record: (-(record.at(below.name) or 0.0), record.trial))
    if below.epochs >= 1.0:
        head = _head(situation, round_, below)
        return [record for record in alive if record.trial in head]
    scores = {record.trial: score for record in alive if (score := record.at(below.name)) is not None}
    climbing = set(promoted(scores, rung.promoted)) | {r.trial for r in alive if r.proposal.anchor}
    return [record for record in alive if record.trial in climbing]


def _head(situation: Situation, round_: int, below: Rung) -> set[str]:
    """The best trials of the whole run, and the best anchor of either kind.

    Trials of closed rounds count with all their seeds, so that a lucky one gives its place up; those of this round with what the rung
    below said, which no longer changes while they climb.
    """
    closed = replace(situation, records=tuple(record for record in situation.records if record.round < round_))
    scores = {record.trial: score for record in closed.records if (score := closed.score(record)) is not None}
    scores |= {r.trial: score for r in situation.records if r.round == round_ and (score := r.at(below.name)) is not None}
    ranked = promoted(scores, 1.0)
    kinds = {record.trial: record.proposal.anchor for record in situation.records}
    anchors = {next((trial for trial in ranked if kinds[trial] == kind), "") for kind in ("plain", "strong")}
    return set(ranked[:HEAD]) | anchors


def requests(records: Sequence[Record], rung: Rung, rungs: Sequence[Rung], num_splits: int) -> list[Request]:
    """What is still missing on a rung, in the order of the proposals; a seed that a lower full rung trained is not trained again."""
    missing = []
    for record in records:
        done = record.full_scores(rungs) if rung.epochs >= 1.0 else record.scores.get(rung.name, {})
        for seed in range(rung.seeds):
            if seed not in done and (rung.name, seed) not in record.failures:
                epochs = ceil(rung.epochs * record.spec.recipe.epochs)
                missing.append(Request(record.trial, record.spec, rung.name, seed, seed % num_splits, epochs))
    return missing


def confirmation(records: Sequence[Record], seeds: int, num_splits: int) -> list[Request]:
    """Fresh seeds for each finalist, seed by seed, so that all have equally many if time ends; weights are kept."""
    missing = []
    for index in range(seeds):
        for record in records:
            seed = CONFIRM_SEED + index
            if seed not in record.scores.get(CONFIRM, {}) and (CONFIRM, seed) not in record.failures:
                weights = weights_file(record.trial, seed)
                missing.append(Request(record.trial, record.spec, CONFIRM, seed, index % num_splits, record.spec.recipe.epochs, weights))
    return missing


def weights_file(trial: str, seed: int) -> str:
    """Where a confirmation's weights lie, relative to the run directory."""
    return f"weights/{trial}-{seed}.pt"
