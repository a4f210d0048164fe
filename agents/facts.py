"""What the numbers of a run say, in lines for prompts: noise, effects, failures, score against size, correlations, forecasts.

Computed by code from a Situation, never by a model. Every function returns a bounded number of lines, however long the run was.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from agentnas.agents.briefing_quote import quoted, scrubbed
from agentnas.agents.situation import Record, Situation
from agentnas.agents.statistics import Effect, beyond_noise, effects, noise_floor, paired_gain, rounds_without_progress
from agentnas.tools.evaluate.ladder import TABLE
from agentnas.tools.evaluate.pareto import pareto_front

# Lines of each kind at most; of effects the best, then the worst.
BEST_EFFECTS, WORST_EFFECTS = 10, 6
MOST_FRONT = 8
MOST_FORECASTS = 12
MOST_TRIALS = 4
MOST_TURNED_DOWN = 6
LONGEST_REASON = 160
# Kinds of failures whose reason is written by our own code; what a library says may hold anything.
OWN_WORDS = ("timeout", "memory", "diverged")


def noise_lines(situation: Situation) -> list[str]:
    """The noise floor, and from which difference on two designs differ."""
    noise = noise_floor(situation)
    if situation.rungs == TABLE:
        return ["Each score is one look-up of a table: asking again gives the same, and the search ranks by every tenth. The trainings"
                " behind it were noisy, though: as a statement about designs, a gap below a point is a tie."]  # fmt: skip
    if noise is None:
        return ["Noise floor unknown: no design has two seeds yet. Read gaps below a point as ties."]
    one, three = (2 * math.sqrt(2 / seeds) * noise for seeds in (1, 3))
    return [f"Noise floor {noise:.2f} points (standard deviation between seeds of one design). Two designs differ beyond it from about"
            f" {one:.1f} points with one seed each, from about {three:.1f} with three seeds each."]  # fmt: skip


def effect_lines(situation: Situation) -> list[str]:
    """Each factor that was changed alone: gain against the average change, its standard error, gain over the parents, pairs, trials."""
    found = effects(situation)
    if not found:
        return ["No factor was changed alone yet."]
    shown, hidden = found, 0
    if len(found) > BEST_EFFECTS + WORST_EFFECTS:
        shown, hidden = found[:BEST_EFFECTS] + found[-WORST_EFFECTS:], len(found) - BEST_EFFECTS - WORST_EFFECTS
    lines = [_effect_line(effect) for effect in shown]
    return [*lines, f"({hidden} factors between these are left out)"] if hidden else lines


def _effect_line(effect: Effect) -> str:
    if effect.se is None:
        spread, decided = "?", "one pair, undecided"
    else:
        spread = f"{effect.se:.2f}"
        decided = f"{effect.count} pairs, {'decided' if beyond_noise(effect.mean, effect.se, effect.count) else 'undecided'}"
    trials = listed(effect.trials)
    return f"{effect.factor}: gain {effect.mean:+.2f} ± {spread}, over parents {effect.raw:+.2f}, {decided} ({trials})"


def trouble_lines(situation: Situation) -> list[str]:
    """What was rejected, failed or repeated: counts first, then the newest reasons."""
    rejected = [record for record in situation.records if record.rejected]
    lines = [f"rejected before training: {len(rejected)} of {len(situation.records)} trials"] if rejected else []
    lines += failure_lines(situation)
    lines += [f"turned down: {quoted(scrubbed(line), LONGEST_REASON)}" for line in situation.turned_down[-MOST_TURNED_DOWN:]]
    return lines or ["Nothing so far."]


def failure_lines(situation: Situation) -> list[str]:
    """Failures by kind, with a few trials and the newest reason."""
    by_kind: dict[str, list[Record]] = {}
    for record in situation.records:
        for kind in sorted({reason.split(":", 1)[0] for reason in record.failures.values()}):
            by_kind.setdefault(kind, []).append(record)
    return [_failure_line(kind, records) for kind, records in sorted(by_kind.items())]


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
    stalled = rounds_without_progress(situation, noise_floor(situation) or 0.0)
    return f"Rounds without a gain beyond the noise: {stalled}."


def forecast_lines(situation: Situation, round_: int) -> list[str]:
    """What the proposals of a round promised over their parents, and what came."""
    known = situation.by_trial()
    drafted = [record for record in situation.records if record.round == round_]
    pairs = [(record, _came(record, known.get(record.proposal.parent or ""), situation)) for record in drafted]
    measured = [(record, came) for record, came in pairs if came is not None]
    lines = [_forecast_line(record, came) for record, came in measured[:MOST_FORECASTS]]
    promised = [(r.proposal.expected_gain, came) for r, came in measured if r.proposal.expected_gain is not None]
    if promised:
        bias = sum(came - expected for expected, came in promised) / len(promised)
        lines.append(f"What came was {bias:+.2f} points from what was promised, on average over {len(promised)}.")
    return lines or ["No trial of this round has a parent to be compared with."]


def _came(record: Record, parent: Record | None, situation: Situation) -> float | None:
    return None if parent is None else paired_gain(record, parent, situation.rungs)


def _forecast_line(record: Record, came: float) -> str:
    proposal = record.proposal
    promised = "nothing" if proposal.expected_gain is None else f"{proposal.expected_gain:+.2f}"
    return f"{record.trial} <- {proposal.parent}, {proposal.factor or 'several factors'}: promised {promised}, came {came:+.2f}"


def listed(names: Iterable[str], most: int = MOST_TRIALS) -> str:
    """``t0001 t0002 and 3 more``."""
    found = list(dict.fromkeys(names))
    more = len(found) - most
    return " ".join(found[:most]) + (f" and {more} more" if more > 0 else "")
