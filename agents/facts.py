"""What the numbers of a run say, in lines for prompts: noise, effects, failures, score against size, correlations, forecasts.

Computed by code from a Situation, never by a model. Every function returns a bounded number of lines, however long the run was.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from agentnas.agents.briefing_quote import quoted, scrubbed
from agentnas.agents.claims import one_pair
from agentnas.agents.planner import group_of, groups_of
from agentnas.agents.situation import Record, Situation
from agentnas.agents.statistics import (
    DECIDED_AT,
    TIE,
    Effect,
    beyond_noise,
    early_effects,
    effects,
    held,
    noise_floor,
    paired_difference,
    rounds_without_progress,
)
from agentnas.tools.evaluate.base import PLANNED, Rung
from agentnas.tools.evaluate.ladder import TABLE
from agentnas.tools.evaluate.pareto import pareto_front
from agentnas.tools.spec.bounded import BoundedSpace

# Lines of each kind at most; of effects the best, then the worst.
BEST_EFFECTS, WORST_EFFECTS = 10, 6
MOST_EARLY = 6
MOST_FRONT = 8
# Fewer pairs say too little to be held against the usual change.
LEAST_PAIRS = 3
MOST_TRIALS = 4
MOST_TURNED_DOWN = 6
LONGEST_REASON = 160
# Kinds of failures whose reason is written by our own code; what a library says may hold anything.
OWN_WORDS = ("timeout", "memory", "diverged")


def noise_lines(situation: Situation) -> list[str]:
    """The noise floor, and from which difference on two designs differ."""
    noise = noise_floor(situation)
    if situation.rungs == TABLE:
        return [
            "Each score is one look-up of a table: asking again gives the same. The trainings behind it were noisy, though: as evidence"
            f" about designs a gap is decided above {TIE:.1f} points, and a tie up to there."
        ]
    rungs = f"Rungs, each for the best of the one before: {'; '.join(map(_rung, situation.rungs))}."
    if noise is None:
        return [f"Noise floor unknown: no design has two seeds yet. A gap is decided above {TIE:.1f} points, and a tie up to there.", rungs]
    one, three = (DECIDED_AT * math.sqrt(2 / seeds) * noise for seeds in (1, 3))
    return [f"Noise floor {noise:.2f} points (standard deviation between seeds of one design). Two designs differ beyond it from about"
            f" {one:.1f} points with one seed each, from about {three:.1f} with three seeds each.",
            rungs, *_leader_lines(situation, noise)]  # fmt: skip


def _rung(rung: Rung) -> str:
    return f"{rung.name} is {epochs_of(rung)}, {rung.seeds} seed{'s' * (rung.seeds > 1)}"


def epochs_of(rung: Rung) -> str:
    """How long a rung trains."""
    return "all epochs" if rung.epochs >= 1.0 else f"{100 * rung.epochs:.0f} % of the epochs"


def _leader_lines(situation: Situation, noise: float) -> list[str]:
    """The leader against the best anchor over the seeds that both have, and who else is near."""
    if not situation.ranked():
        return []
    best, *others = situation.ranked()
    top = situation.score(best) or 0.0
    near = [record.trial for record in others if (situation.score(record) or 0.0) > top - 2 * noise]
    lines = [f"Within twice the noise floor of the leader {best.trial}: {listed(near)}."] if near else []
    anchor = next((record for record in others if record.proposal.anchor), None)
    if anchor is None or best.proposal.anchor:
        return lines
    ours, theirs = (record.full_scores(situation.rungs) for record in (best, anchor))
    if len(set(ours) & set(theirs)) < 2:
        return lines
    found = paired_difference(ours, theirs)
    words = f"{found['difference']:+.2f}, standard error {found['se']:.2f} over {found['seeds']} seeds, {held(found)}"
    return [*lines, f"The leader {best.trial} over the best anchor {anchor.trial}: {words}; being picked as the best flatters it."]


def effect_lines(situation: Situation) -> list[str]:
    """Each factor that was changed alone: gain over the parents and against the usual change, standard error, pairs, trials.

    What short trainings alone have compared is told apart.
    """
    found, early = effects(situation), _early_lines(situation)
    if not found:
        return early or ["No factor was changed alone yet."]
    shown, hidden = found, 0
    if len(found) > BEST_EFFECTS + WORST_EFFECTS:
        shown, hidden = found[:BEST_EFFECTS] + found[-WORST_EFFECTS:], len(found) - BEST_EFFECTS - WORST_EFFECTS
    noise = noise_floor(situation)
    lines = [_effect_line(effect, situation, noise) for effect in shown]
    return [*lines, *([f"({hidden} factors between these are left out)"] if hidden else []), *early]


def _early_lines(situation: Situation) -> list[str]:
    """One line on the children that a lower rung cut: most pairs first."""
    found = sorted(early_effects(situation), key=lambda effect: (-effect.count, effect.factor))
    told = [f"{e.factor} {e.raw:+.2f} ({e.count}: {listed(e.trials, 2)})" for e in found[:MOST_EARLY]]
    more = f" and {len(found) - MOST_EARLY} factors more" if len(found) > MOST_EARLY else ""
    lead = "cut before full training, so gains of short trainings (pairs), which decide nothing: "
    return [lead + "; ".join(told) + more] if told else []


def _effect_line(effect: Effect, situation: Situation, noise: float | None) -> str:
    if effect.se is None:
        return f"{effect.factor}: gain {effect.raw:+.2f} ± ?, one pair, {one_pair(effect, situation, noise)} ({listed(effect.trials)})"
    usual = f", against the usual change {effect.mean:+.2f}" if effect.count >= LEAST_PAIRS else ""
    decided = "decided" if beyond_noise(effect.mean, effect.se, effect.count) else "undecided"
    return f"{effect.factor}: gain {effect.raw:+.2f} ± {effect.se:.2f}{usual}, {effect.count} pairs, {decided} ({listed(effect.trials)})"


def unvaried_lines(situation: Situation) -> list[str]:
    """What no trial has: operators of the space, groups of factors of which none was changed alone. Cells have lines of their own."""
    space = situation.space
    if not isinstance(space, BoundedSpace) or not situation.records:
        return []
    used = {node.op for record in situation.records for node in record.spec.body.nodes}
    varied = {group_of(record.proposal.factor) for record in situation.records if record.proposal.factor}
    told = {
        "operators in no trial": [name for name in space.allowed_operators() if name not in used],
        "groups of which no factor was changed alone": [group for group in groups_of(space.factors()) if group not in varied],
    }
    return [f"{what}: {', '.join(names)}" for what, names in told.items() if names]


def trouble_lines(situation: Situation) -> list[str]:
    """What was rejected, failed or repeated: counts first, then the newest reasons."""
    rejected = [record for record in situation.records if record.rejected]
    lines = [f"rejected before any score: {len(rejected)} of {len(situation.records)} trials"] if rejected else []
    lines += [*failure_lines(situation), *cut_lines(situation)]
    lines += [f"turned down: {quoted(scrubbed(line), LONGEST_REASON)}" for line in situation.turned_down[-MOST_TURNED_DOWN:]]
    return lines or ["Nothing so far."]


def failure_lines(situation: Situation) -> list[str]:
    """Failures by kind, with a few trials and the newest reason."""
    by_kind: dict[str, list[Record]] = {}
    for record in situation.records:
        for kind in sorted({reason.split(":", 1)[0] for reason in record.failures.values()}):
            by_kind.setdefault(kind, []).append(record)
    return [_failure_line(kind, records) for kind, records in sorted(by_kind.items())]


def cut_lines(situation: Situation) -> list[str]:
    """Trials whose trainings the time limit ended before their last epoch, and how far the newest came."""
    cut = [(record, done) for record in situation.records for done in record.trainings if PLANNED in done.details]
    if not cut:
        return []
    trials, (record, last) = list(dict.fromkeys(record.trial for record, _ in cut)), cut[-1]
    ended = f"the last, {record.trial}, after {last.epochs} of {last.details[PLANNED]} epochs"
    return [f"ended by the time limit of a training, with the best epoch until then: {len(trials)} ({listed(trials)}), {ended}"]


def _failure_line(kind: str, records: Sequence[Record]) -> str:
    last = next(reason for reason in records[-1].failures.values() if reason.startswith(kind))
    why = f", the last: {quoted(scrubbed(last.partition(':')[2]), LONGEST_REASON)}" if kind in OWN_WORDS else ""
    return f"failed by {kind}: {len(records)} ({listed([record.trial for record in records])}){why}"


def tradeoff_lines(situation: Situation) -> list[str]:
    """Trials that no other beats in both score and parameters, smallest first; the best end where there are many."""
    points = [(r, score, float(r.profile["parameters"])) for r in situation.ranked() if r.profile.get("parameters")
              if (score := situation.score(r)) is not None]  # fmt: skip
    front = pareto_front(points)
    lines = [f"{r.trial}: {situation.score(r):.2f} with {r.profile['parameters']:,.0f} parameters" for r in front[-MOST_FRONT:]]
    left_out = len(front) - len(lines)
    return ([f"({left_out} smaller ones are left out)"] if left_out > 0 else []) + lines or ["Nothing was measured yet."]


def correlation_lines(situation: Situation) -> list[str]:
    """How well each rung ranks the trials as the next does: the newest figure of each pair."""
    newest = {(c.lower, c.upper): c for c in situation.correlations}
    return [
        f"Rung {c.lower} ranks trials as rung {c.upper} does with Spearman {c.spearman:.2f} ({c.trials} trials)"
        for c in newest.values()
        if c.spearman is not None
    ]


def progress_line(situation: Situation) -> str:
    """Since when nothing better was found."""
    noise = noise_floor(situation)
    stalled = rounds_without_progress(situation, noise or 0.0)
    return f"Rounds since the best score last rose{'' if noise is None else ' by more than its standard error'}: {stalled}."


def listed(names: Iterable[str], most: int = MOST_TRIALS) -> str:
    """``t0001 t0002 and 3 more``."""
    found = list(dict.fromkeys(names))
    more = len(found) - most
    return " ".join(found[:most]) + (f" and {more} more" if more > 0 else "")
