"""From many trials to one: finalists, the choice by validation, and the comparison with the anchors once the test is open."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from agentnas.agents import surrogate
from agentnas.agents.situation import Record, Situation, drafted
from agentnas.agents.statistics import held, mean_and_sd, noise_floor, paired_difference
from agentnas.agents.telling import telling
from agentnas.agents.transfer_drafts import Transfer
from agentnas.agents.validation_noise import gap_over_items
from agentnas.tools.errors import AgentNASError, BudgetEndedError, RunError
from agentnas.tools.evaluate import race
from agentnas.tools.evaluate.base import CONFIRM
from agentnas.tools.scale import Scale

# Confirmed by a run that trials bound, and at most by one that time bounds: the head is full of trials that differ by less than noise.
FINALISTS = 3
MOST_FINALISTS = 6


@dataclass(frozen=True)
class Finalists:
    """Trials to confirm with fresh seeds: the best of the search, and the best anchors of either kind."""

    finalists: tuple[str, ...]
    plain_anchor: str | None
    strong_anchor: str | None
    start: str | None = None
    """The best of the designs that a person started from."""

    def all(self) -> tuple[str, ...]:
        """Everything to confirm, each once, most important first."""
        return tuple(dict.fromkeys([*self.finalists[:1], *self.compared(), *self.finalists[1:]]))

    def compared(self) -> tuple[str, ...]:
        """What the winner is compared with."""
        return tuple(trial for trial in (self.start, self.plain_anchor, self.strong_anchor) if trial)


@dataclass(frozen=True)
class Choice:
    """The winner by validation. ``sd`` is None where there is one score a trial (tables)."""

    trial: str
    mean: float
    sd: float | None
    seeds: int
    reason: str


def finalists(situation: Situation, count: int = FINALISTS, estimates: Mapping[str, float] | None = None) -> Finalists:
    """The ``count`` best trials, and the best plain and strong anchor by validation. With ``estimates`` of the true scores (``estimated``)
    those order the trials that have the most seeds: the head of a raw leaderboard is there by luck as well. Who is behind the first for
    good is none of them. Where several trials are confirmed, a cheaper setting of the best strong anchor's method is among them, so that
    ``choose`` can prefer it."""
    ranked = [record for record in situation.trusted(None if estimates or situation.space.guarded else count) if may_win(record)]
    if estimates:
        seeds = {record.trial: len(record.full_scores(situation.rungs)) for record in ranked}
        ranked.sort(key=lambda record: (-seeds[record.trial], -estimates.get(record.trial, -math.inf)))
    best = tuple(record.trial for record in _within_reach(ranked, situation)[:count])
    plain, strong, start = (situation.anchors(kind) for kind in ("plain", "strong", "start"))
    cheaper = [r.trial for r in strong if may_win(r) and _is_cheaper_setting(r, strong[0])][: 1 if count > 1 else 0]
    first = [kind[0].trial if kind else None for kind in (plain, strong, start)]
    return Finalists(tuple(dict.fromkeys([*best, *cheaper])), *first)


def _within_reach(ranked: Sequence[Record], situation: Situation) -> list[Record]:
    """The first, and those that are not behind it for good by the rule of the race: what has most seeds need not be any good, and fresh
    ones of an anchor at 72 would not bring it to another's 90."""
    noise = noise_floor(situation)
    if not noise or not ranked:  # not known, or of seeds that say nothing
        return list(ranked)
    first = ranked[0].full_scores(situation.rungs)
    return [r for r in ranked if r is ranked[0] or not race.is_behind(race.gap(r.full_scores(situation.rungs), first, noise))]


def may_win(record: Record) -> bool:
    """Whether the trial lies in the space that is searched; what does not is only compared with."""
    return not record.proposal.reference


def eligible(situation: Situation) -> list[Record]:
    """Scored trials that may be chosen, best first."""
    return [record for record in situation.ranked() if may_win(record)]


def screened(situation: Situation) -> list[Record]:
    """What may be chosen where nothing was trained in full: trials without a failure that have a score on a lower rung, best first on
    the highest rung that any of them reached."""
    sound = [record for record in situation.records if may_win(record) and not record.failures]
    for rung in reversed(situation.rungs):
        scored = [(score, record) for record in sound if (score := record.at(rung.name)) is not None]
        if scored:
            return [record for _, record in sorted(scored, key=lambda pair: (-pair[0], drafted(pair[1])))]
    return []


def choose(situation: Situation, candidates: Sequence[str]) -> Choice:
    """The candidate with the best mean validation over the seeds that all confirmed candidates share; ties go to fewer parameters.

    A found design that leads the best anchor by no more than the noise gives way to it: among many candidates one leads by luck, and an
    anchor was not picked for its luck. Noise is what seeds vary by and, on one fixed split, what other validation items would have changed.
    An anchor gives way to the same method in a cheaper setting (fewer hops) that those items cannot tell from it.
    """
    records = situation.by_trial()
    candidates = [trial for trial in candidates if may_win(records[trial])]
    sound = [trial for trial in candidates if not records[trial].failures] or list(candidates)
    # Who was stopped in the race is behind; the others are compared over all their seeds.
    sound = [trial for trial in sound if CONFIRM not in records[trial].stopped] or sound
    confirmed = {trial: records[trial].confirmed() for trial in sound if records[trial].confirmed()}
    if not confirmed:
        raise _nothing_confirmed([reason for trial in candidates for reason in records[trial].failures.values()])
    common = _shared(confirmed)
    order = sorted(common, key=lambda trial: (-mean_and_sd(list(common[trial].values()))[0], _size(records[trial]), trial))
    chosen, why = _anchor_instead(order, common, records, situation.scale) or (order[0], _why(order, common, situation.scale))
    chosen, why = _cheaper_setting(chosen, order, common, records) or (chosen, why)
    mean, sd = mean_and_sd(list(common[chosen].values()))
    return Choice(chosen, mean, sd, len(common[chosen]), why)


def _anchor_instead(
    order: Sequence[str], common: Mapping[str, Mapping[int, float]], records: Mapping[str, Record], scale: Scale
) -> tuple[str, str] | None:
    """The best anchor and why it is chosen, where the leader is no anchor and its lead is inside the noise."""
    anchor = next((trial for trial in order if records[trial].proposal.anchor), None)
    if anchor is None or anchor == order[0]:
        return None
    gap = paired_difference(common[order[0]], common[anchor])
    items = gap_over_items(records[order[0]], records[anchor], common[anchor])
    if gap["inside_noise"]:
        lead = f"{scale.lead(gap['difference'], gap['se'])}, {held(gap)}"
    elif items and items.undecided:
        lead = f"{items}, less than one standard error"
    else:
        return None
    seeds = f"best anchor over {_many(len(common[anchor]), 'fresh seed')} among {_many(len(order), 'confirmed trial')}"
    return anchor, f"{seeds}; {order[0]} leads it by {lead}, which is no gain"


def _cheaper_setting(
    chosen: str, order: Sequence[str], common: Mapping[str, Mapping[int, float]], records: Mapping[str, Record]
) -> tuple[str, str] | None:
    """The cheapest setting of the chosen anchor's method that the validation items cannot tell from it, and why.

    Anchors alone: a found design was confirmed for its score, and among many that are cheap one scores by luck.
    """
    others = [t for t in order if records[chosen].proposal.anchor and _is_cheaper_setting(records[t], records[chosen])]
    gaps = {t: gap for t in others if (gap := gap_over_items(records[chosen], records[t], common[t])) and gap.undecided}
    if not gaps:
        return None
    cheapest = min(gaps, key=lambda trial: (_cost(records[trial]), order.index(trial)))
    why = f"the same method as {chosen} in a cheaper setting, {_many(len(common[cheapest]), 'fresh seed')} each"
    return cheapest, f"{why}; {chosen} leads it by {gaps[cheapest]}, less than one standard error"


def _is_cheaper_setting(record: Record, other: Record) -> bool:
    """Whether an anchor is the other anchor's operators with fewer operations an inference."""
    ours, theirs = (sorted(node.op for node in r.spec.body.nodes) for r in (record, other))
    return bool(record.proposal.anchor) and ours == theirs and _cost(record) < _cost(other)


def best_confirmed(situation: Situation, chosen: Finalists) -> Finalists:
    """The same finalists with the anchors that confirmation put first: fresh seeds may turn the order of the search round."""
    records = situation.by_trial()

    def best(kind: str, otherwise: str | None) -> str | None:
        scores = {t: records[t].confirmed() for t in chosen.all() if records[t].proposal.anchor == kind and not records[t].failures}
        common = _shared({trial: found for trial, found in scores.items() if found}) if any(scores.values()) else {}
        return max(common, key=lambda trial: (mean_and_sd(list(common[trial].values()))[0], trial == otherwise), default=otherwise)

    plain, strong = best("plain", chosen.plain_anchor), best("strong", chosen.strong_anchor)
    return replace(chosen, plain_anchor=plain, strong_anchor=strong, start=best("start", chosen.start))


def _shared(confirmed: Mapping[str, Mapping[int, float]]) -> dict[str, dict[int, float]]:
    """Scores over the seeds that all have; candidates with the fewest seeds are left out while there is no such seed."""
    kept = sorted(confirmed, key=lambda trial: -len(confirmed[trial]))
    while not (seeds := set.intersection(*(set(confirmed[trial]) for trial in kept))):
        kept.pop()
    return {trial: {seed: confirmed[trial][seed] for seed in sorted(seeds)} for trial in kept}


def _nothing_confirmed(reasons: Sequence[str]) -> AgentNASError:
    if reasons:
        return RunError(f"no finalist could be trained with a fresh seed, the first failed by {reasons[0]}")
    return BudgetEndedError("the budget ended before one finalist was confirmed; give more --time and resume")


def _size(record: Record) -> float:
    return float(record.profile.get("parameters") or 0)


def _cost(record: Record) -> float:
    """Operations of one inference; 0 where they were not counted."""
    return float(record.profile.get("flops") or 0)


def _many(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def _why(order: Sequence[str], common: Mapping[str, Mapping[int, float]], scale: Scale) -> str:
    seeds = _many(len(common[order[0]]), "fresh seed")
    if len(order) < 2:
        return f"the only trial that was confirmed to the end, over {seeds}"
    text = f"best mean validation over {seeds} among {_many(len(order), 'confirmed trial')}"
    gap = paired_difference(common[order[0]], common[order[1]])
    noise = f", {held(gap)}" if gap["inside_noise"] else ""
    return f"{text}; ahead of {order[1]} by {scale.lead(gap['difference'], gap['se'])}{noise}"


def choose_smoothed(situation: Situation, transfer: Transfer | None = None) -> Choice:
    """For tables with one score a trial: the best score after smoothing, by what earlier tasks say where any are remembered, else by the
    cross-fitted surrogate."""
    estimates, reason = estimated(situation, transfer)
    return _best_smoothed(situation, estimates, f"best {reason}")


def estimated(situation: Situation, transfer: Transfer | None = None) -> tuple[dict[str, float], str]:
    """The true score of each ranked trial as far as it can be told, and from what; of a long run for its most ``telling`` trials."""
    posterior = transfer.posterior(situation) if transfer else None
    if posterior is not None:
        trials = [record.trial for record in telling(situation)]
        return dict(zip(trials, map(float, posterior.smoothed), strict=True)), "estimate from validation, structure and earlier tasks"
    return surrogate.smoothed(situation, {}), "smoothed validation (0.75 own score, 0.25 surrogate fitted without it)"


def _best_smoothed(situation: Situation, estimates: Mapping[str, float], reason: str) -> Choice:
    best = max(sorted(estimates), key=lambda trial: estimates[trial])
    found = situation.find(best)
    raw = (situation.score(found) if found else None) or 0.0
    leader = situation.ranked()[0].trial
    return Choice(best, raw, None, 1, reason if best == leader else f"{reason}; the raw leader was {leader}")


def comparison(winner: str, chosen: Finalists, scores: Mapping[str, Mapping[int, float]], test_to_train: float = 0.0) -> dict[str, Any]:
    """Winner minus the design that a person started from, the best plain and the best strong anchor on the test, paired over seeds; one
    without a common seed is left out. ``test_to_train``: see ``paired_difference``."""
    compared: dict[str, Any] = {}
    for kind, anchor in (("start", chosen.start), ("plain", chosen.plain_anchor), ("strong", chosen.strong_anchor)):
        if anchor is None:
            continue
        if anchor == winner:
            compared[kind] = {"anchor": anchor, "is_winner": True}
            continue
        if set(scores[winner]) & set(scores.get(anchor, {})):
            compared[kind] = {"anchor": anchor, "is_winner": False, **paired_difference(scores[winner], scores[anchor], test_to_train)}
    return compared


def median_seed(scores: Mapping[int, float]) -> int:
    """The seed of median validation: its weights are shipped, so that the shipped model is neither lucky nor unlucky."""
    order = sorted(scores, key=lambda seed: (scores[seed], seed))
    return order[(len(order) - 1) // 2]
