"""The rule-based planner: spends each round's trials on the groups of factors that paid, and keeps trying the others.

Each group of factors is an arm of a bandit (UCB1, Auer et al., 2002): its value is the mean paired gain of the children that changed one
of its factors, its bonus shrinks with the number of children seen. A plateau moves trials from the best arms to fresh samples. The first
round belongs to the anchors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from agentnas.agents.roles import Direction, Plan
from agentnas.agents.situation import Situation
from agentnas.agents.statistics import Effect, early_effects, effects, noise_floor, rounds_without_progress
from agentnas.tools.scale import Scale

AUTHOR = "planner/rules"
# The one direction of a run's first round.
ANCHORS = "anchors"
GROUPS: dict[str, tuple[str, ...]] = {
    "regularisation": ("dropout", "weight_decay", "norm", "label_smoothing", "gradient_clip", "ema_decay"),
    "augmentation": ("drop_edge", "drop_node", "feature_dropout", "consistency", "self_training"),
    "optimisation": ("optimiser", "learning_rate", "momentum", "epochs", "patience", "schedule", "warmup", "batch", "fanout", "clusters"),
    "capacity": ("width", "layers", "depth"),
    "input": ("input.",),
    "post-processing": ("post.",),
    "propagation": ("params.",),
}
DEFAULT_GROUP = "structure"
# What a card's text says when its advice is about a group whose factors have other names.
SPOKEN = {
    "structure": ("residual", "merge", "layers", "jump", "body"),
    "propagation": ("hops", "propagation", "alpha"),
    "input": ("encod",),
}
EXPLOITED = 3
PLATEAU_ROUNDS = 2
SHARES = {"calm": (0.35, 0.25, 0.2), "plateau": (0.25, 0.2, 0.15)}
EXPLORATION = 1.0
# Points that a score is taken to be uncertain by where no spec has two seeds yet: scales the bonus of what was seldom tried, nothing else.
ASSUMED_NOISE = 0.5


def group_of(factor: str) -> str:
    """The group that a factor belongs to; factors that no rule names are structure."""
    for group, marks in GROUPS.items():
        if any(factor.startswith(mark) if mark.endswith(".") and mark != "params." else mark in factor for mark in marks):
            return group
    return DEFAULT_GROUP


def groups_of(factors: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The space's factors by group, in a fixed order."""
    grouped: dict[str, list[str]] = {}
    for factor in sorted(factors):
        grouped.setdefault(group_of(factor), []).append(factor)
    return {group: tuple(names) for group, names in sorted(grouped.items())}


class RulePlanner:
    """See the module's docstring. Deterministic given the situation."""

    def plan(self, situation: Situation) -> Plan:
        if not situation.records:
            return _anchors_first(situation)
        return replace(self._planned(situation), bounds=situation.bounds)

    def _planned(self, situation: Situation) -> Plan:
        grouped = groups_of(situation.space.factors())
        seen = [*effects(situation), *early_effects(situation)]
        known = noise_floor(situation)
        noise = ASSUMED_NOISE if known is None else known
        still = rounds_without_progress(situation, known or 0.0)
        stalled = still >= PLATEAU_ROUNDS
        ranked = sorted(grouped, key=lambda group: (-_value(group, seen, noise), group))
        shares = SHARES["plateau" if stalled else "calm"]
        arms = [self._exploit(group, grouped[group], share, seen, situation) for group, share in zip(ranked, shares, strict=False)]
        return Plan(AUTHOR, (*arms, *_wider(situation, 1.0 - sum(arm.share for arm in arms), stalled)), _reason(still, known, ranked, seen))

    def _exploit(self, group: str, factors: tuple[str, ...], share: float, seen: list[Effect], situation: Situation) -> Direction:
        own = [effect for effect in seen if group_of(effect.factor) == group]
        cards = tuple(e.id for e in situation.evidence if e.kind == "card" and _speaks_of(group, e.text))[:2]
        trials = tuple(f"trial:{t}" for effect in own[:1] for t in effect.trials[:3])
        return Direction(group, factors, share, _hypothesis(group, own, situation.scale), own[0].raw if own else None, trials + cards)


def _anchors_first(situation: Situation) -> Plan:
    """What a first round does, whoever drafts it: there is nothing yet that could be varied."""
    remembered = any(item.kind == "trial" and "/" in item.id for item in situation.evidence)
    first = "established designs" + (" and what did well on other tasks" if remembered else "")
    why = f"{first} come first: they show what any later design has to beat"
    return Plan(AUTHOR, (Direction(ANCHORS, (), 1.0, why, None, (), "explore"),), f"{first} first")


def _value(group: str, seen: list[Effect], noise: float) -> float:
    own = [effect for effect in seen if group_of(effect.factor) == group]
    count = sum(effect.count for effect in own)
    total = sum(effect.count for effect in seen)
    if count == 0:
        return math.inf
    mean = sum(effect.mean * effect.count for effect in own) / count
    return mean + EXPLORATION * noise * math.sqrt(2 * math.log(max(total, 2)) / count)


def _hypothesis(group: str, own: list[Effect], scale: Scale) -> str:
    if not own:
        return f"{group} has not been varied yet; its effect on this task is unknown"
    best, worst = own[0], [effect for effect in own if effect.early == own[0].early][-1]
    pairs = f"{best.count} pair{'s' * (best.count > 1)}{' before full training' * best.early}"
    text = f"{best.factor} changed the score by {scale.named_change(best.raw, best.se)} over {pairs}, the best of {group} so far"
    return text if best is worst else f"{text}; {worst.factor} ({scale.gap(worst.raw)}) did worst"


def _speaks_of(group: str, text: str) -> bool:
    """Whether a card's advice is about the factors of this group."""
    words = SPOKEN.get(group) or [mark.strip(".").replace("_", " ") for mark in GROUPS[group]]
    return any(word in text.lower().replace("-", " ") for word in words)


def _wider(situation: Situation, share: float, stalled: bool) -> tuple[Direction, ...]:
    """What is left goes to crossover of the best, and to fresh samples of the whole space (more of them on a plateau)."""
    best = tuple(f"trial:{record.trial}" for record in situation.best(2))
    fresh = share * (0.6 if stalled else 0.4)
    return (
        Direction("recombine", (), share - fresh, "parts of the best trials may add up", None, best, "recombine"),
        Direction("explore", (), fresh, "the space holds designs that no trial is near to", None, (), "explore"),
    )


def _reason(still: int, noise: float | None, ranked: list[str], seen: list[Effect]) -> str:
    gain = "no gain (noise unknown)" if noise is None else "no gain beyond the noise"
    lead = f"{gain} for {still} rounds, so more is spent on exploring; " if still >= PLATEAU_ROUNDS else ""
    tried = {group_of(effect.factor) for effect in seen}
    paid = [group for group in ranked[:EXPLOITED] if group in tried]
    new = [group for group in ranked[:EXPLOITED] if group not in tried]
    parts = [f"{words} {', '.join(groups)}" for words, groups in (("most promising:", paid), ("not varied yet:", new)) if groups]
    return lead + "; ".join(parts)
