"""The rule-based analyst: which factors gained or lost beyond their noise, what fails, and whether to go on.

Effects are paired differences between children and parents, against the usual change; one whose 95 % interval holds zero is reported as
undecided, never as progress.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import islice, takewhile

from agentnas.agents.roles import Analysis, Finding
from agentnas.agents.situation import MANY, Situation
from agentnas.agents.statistics import Effect, beyond_noise, effects, noise_floor, rounds_without_progress
from agentnas.tools.scale import Scale

AUTHOR = "analyst/rules"
LEAST_PAIRS = 3
PATIENCE_DIRECTION = 3
PATIENCE_STOP = 12


class RuleAnalyst:
    """See the module's docstring. Deterministic given the situation."""

    def analyse(self, situation: Situation) -> Analysis:
        noise = noise_floor(situation)
        findings = [*_leader(situation, noise), *_noise(situation, noise), *_factors(situation), *_failures(situation)]
        numbered = tuple(_numbered(finding, situation.round, i) for i, finding in enumerate(findings, start=1))
        verdict, reason = _verdict(situation, noise)
        return Analysis(AUTHOR, numbered, verdict, reason)


def _numbered(finding: Finding, round_: int, index: int) -> Finding:
    return replace(finding, id=f"r{round_}-{index}", author=AUTHOR)


def _leader(situation: Situation, noise: float | None) -> list[Finding]:
    leader = situation.best(1)
    if not leader:
        return []
    best = leader[0]
    score = situation.score(best) or 0.0
    scale = situation.scale
    spread = "?" if noise is None else scale.noise(noise)
    level = ", splits made comparable" * bool(situation.offsets)
    told = f"{scale.told(score)} on validation{level}"
    text = f"{best.trial} leads with {told} (noise floor {spread}): {best.proposal.name or best.proposal.text}"
    return [Finding("", text, (best.trial,))]


def _noise(situation: Situation, noise: float | None) -> list[Finding]:
    ranked = [] if noise is None else situation.ranked()
    if noise is None or not ranked:
        return []
    top = situation.score(ranked[0]) or 0.0
    others = islice(ranked, 1, None)
    inside = [record.trial for record in takewhile(lambda record: (situation.score(record) or 0.0) > top - 2 * noise, others)]
    if not inside:
        return []
    floor = situation.scale.noise(2 * noise)
    others_are = "1 other trial is" if len(inside) == 1 else f"{len(inside)} other trials are"
    text = f"{others_are} within twice the noise floor ({floor}) of the leader; more seeds must decide"
    return [Finding("", text, tuple(inside[:10]))]


def _factors(situation: Situation) -> list[Finding]:
    found = effects(situation)
    rival = "the usual change" if len(found) > 1 else "no change"
    return [_factor_finding(effect, rival, situation.scale) for effect in found if effect.count >= LEAST_PAIRS]


def _factor_finding(effect: Effect, rival: str, scale: Scale) -> Finding:
    assert effect.se is not None  # LEAST_PAIRS is above one
    decided = beyond_noise(effect.mean, effect.se, effect.count)
    words = ("does better" if effect.mean > 0 else "does worse") if decided else "is undecided"
    gain = scale.named_change(effect.mean, effect.se)
    text = f"against {rival}, changing {effect.factor} {words}: {gain} over {effect.count} parent-child pairs"
    return Finding("", text, effect.trials, effect.factor, effect.mean, effect.se)


def _failures(situation: Situation) -> list[Finding]:
    by_kind: dict[str, list[str]] = {}
    for record in situation.failed():
        for kind in sorted({reason.split(":", 1)[0] for reason in record.failures.values()}):
            by_kind.setdefault(kind, []).append(record.trial)
    return [Finding("", _failed(len(trials), kind), tuple(trials[-MANY:])) for kind, trials in sorted(by_kind.items())]


def _failed(count: int, kind: str) -> str:
    """``2 trials failed (diverged)``."""
    return f"{count} {'trial' if count == 1 else 'trials'} failed ({kind})"


def _verdict(situation: Situation, noise: float | None) -> tuple[str, str]:
    """What to do, and why where that is to stop."""
    stalled = rounds_without_progress(situation, noise or 0.0)
    if stalled >= PATIENCE_STOP:
        return "stop", f"no gain beyond the noise for {stalled} rounds"
    return "change_direction" if stalled >= PATIENCE_DIRECTION else "go_on", ""
