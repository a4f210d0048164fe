"""Who climbs the ladder: the ladder of a round and the race of a confirmation, taken up where the journal left them. Pure functions over
the situation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from heapq import nsmallest

from agentnas.agents.situation import Record, Situation
from agentnas.agents.statistics import noise_floor
from agentnas.tools.evaluate.base import CONFIRM
from agentnas.tools.evaluate.ladder import Before, Ladder
from agentnas.tools.evaluate.race import Climber, Confirmation

# Trials that may hold several seeds at a time: the head of the whole leaderboard, so that search noise is looked through where it matters.
HEAD = 6


def ladder(situation: Situation, round_: int, *, doubling: bool = False) -> Ladder:
    """The ladder of a round with all results that are in; a resumed run goes on with the same one. ``doubling``: see ``Ladder``."""
    records = [record for record in situation.records if record.round == round_ and record.rejected is None]
    rungs = situation.rungs
    begun = before(situation, round_) if len(rungs) > 1 else Before()
    climbers = [_climber(record, situation) for record in records]
    made = Ladder(climbers, begun, rungs, situation.num_splits, HEAD, doubling=doubling)
    names = {rung.name for rung in rungs}
    for record in records:
        _tell(made, record, names)
    return made


def before(situation: Situation, round_: int) -> Before:
    """What the round begins from: the rounds before it, with all that their trials have shown."""
    closed = replace(situation, records=tuple(record for record in situation.records if record.round < round_))
    scores = {record.trial: score for record in closed.records if (score := closed.score(record)) is not None}
    kinds = {record.trial: record.proposal.anchor for record in closed.records if record.proposal.anchor}
    best = nsmallest(HEAD, scores, key=lambda trial: (-scores[trial], trial))
    for kind in sorted(set(kinds.values())):
        of_kind = [trial for trial in scores if kinds.get(trial) == kind]
        best += nsmallest(1, of_kind, key=lambda trial: (-scores[trial], trial))
    rival = next(iter(closed.trusted(1)), None)
    return Before(
        {trial: scores[trial] for trial in best},
        {trial: kinds[trial] for trial in best if trial in kinds},
        rival.trial if rival else "",
        rival.full_scores(situation.rungs) if rival else {},
        noise_floor(closed),
    )


def confirmation(situation: Situation, trials: Sequence[str], seeds: int) -> Confirmation:
    """The race of the finalists with all results that are in; its noise is that of the search, which no longer changes."""
    known = situation.by_trial()
    records = [known[trial] for trial in trials]
    climbers = [_climber(record, situation) for record in records]
    searched = replace(situation, records=tuple(replace(r, scores=_without_confirmation(r)) for r in situation.records))
    made = Confirmation(climbers, seeds, situation.num_splits, noise_floor(searched), weights_file)
    for record in records:
        _tell(made, record, {CONFIRM})
    return made


def weights_file(trial: str, seed: int) -> str:
    """Where a confirmation's weights lie, relative to the run directory."""
    return f"weights/{trial}-{seed}.pt"


def _without_confirmation(record: Record) -> dict[str, Mapping[int, float]]:
    return {rung: scores for rung, scores in record.scores.items() if rung != CONFIRM}


def _climber(record: Record, situation: Situation) -> Climber:
    proposal = record.proposal
    return Climber(record.trial, record.spec, proposal.anchor, record.full_seconds(situation.rungs), proposal.reference)


def _tell(made: Ladder | Confirmation, record: Record, rungs: set[str]) -> None:
    for rung, by_seed in record.scores.items():
        for seed, score in by_seed.items() if rung in rungs else ():
            made.tell(record.trial, rung, seed, score)
    for rung, seed in record.failures:
        if rung in rungs and seed not in record.scores.get(rung, {}):
            made.tell(record.trial, rung, seed, None)
