"""The rule-based planner: spends each round's trials on the groups of factors that paid, and keeps trying the others.

Each group of factors is an arm of a bandit (UCB1, Auer et al., 2002): its value is the mean paired gain of the children that changed one
of its factors, its bonus shrinks with the number of children seen. A plateau moves trials from the best arms to fresh samples.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from agentnas.agents.roles import Direction, Plan
from agentnas.agents.situation import Situation
from agentnas.agents.statistics import Effect, effects, noise_floor, rounds_without_progress

AUTHOR = "planner/rules"
GROUPS: dict[str, tuple[str, ...]] = {
    "regularisation": ("dropout", "weight_decay", "norm", "label_smoothing", "gradient_clip"),
    "augmentation": ("drop_edge", "drop_node", "feature_dropout", "consistency", "self_training"),
    "optimisation": ("optimiser", "learning_rate", "momentum", "epochs", "patience", "schedule", "warmup", "batch", "fanout", "clusters"),
    "capacity": ("width", "layers", "depth"),
    "input": ("input.",),
    "post-processing": ("post.",),
    "propagation": ("params.",),
}
DEFAULT_GROUP = "structure"
EXPLOITED = 3
PLATEAU_ROUNDS = 2
SHARES = {"calm": (0.35, 0.25, 0.2), "plateau": (0.25, 0.2, 0.15)}
EXPLORATION = 1.0


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
        grouped = groups_of(situation.space.factors())
        seen = effects(situation)
        noise = noise_floor(situation) or 0.5
        stalled = rounds_without_progress(situation, noise) >= PLATEAU_ROUNDS
        ranked = sorted(grouped, key=lambda group: (-_value(group, seen, noise), group))
        shares = SHARES["plateau" if stalled else "calm"]
        arms = [self._exploit(group, grouped[group], share, seen, situation) for group, share in zip(ranked, shares, strict=False)]
        return Plan(AUTHOR, (*arms, *_wider(situation, 1.0 - sum(arm.share for arm in arms), stalled)), _reason(stalled, ranked))

    def _exploit(self, group: str, factors: tuple[str, ...], share: float, seen: list[Effect], situation: Situation) -> Direction:
        own = [effect for effect in seen if group_of(effect.factor) == group]
        cards = tuple(e.id for e in situation.evidence if e.kind == "card")[:2]
        trials = tuple(f"trial:{t}" for effect in own[:1] for t in effect.trials[:3])
        return Direction(group, factors, share, _hypothesis(group, own), own[0].raw if own else None, trials + cards)


def _value(group: str, seen: list[Effect], noise: float) -> float:
    own = [effect for effect in seen if group_of(effect.factor) == group]
    count = sum(effect.count for effect in own)
    total = sum(effect.count for effect in seen)
    if count == 0:
        return math.inf
    mean = sum(effect.mean * effect.count for effect in own) / count
    return mean + EXPLORATION * noise * math.sqrt(2 * math.log(max(total, 2)) / count)


def _hypothesis(group: str, own: list[Effect]) -> str:
    if not own:
        return f"{group} has not been varied yet; its effect on this task is unknown"
    best, worst = own[0], own[-1]
    spread = "" if best.se is None else f" ± {best.se:.2f}"
    text = f"{best.factor} changed the score by {best.raw:+.2f}{spread} in {best.count} trials; more of {group} may pay"
    return text if best is worst else f"{text}; {worst.factor} ({worst.raw:+.2f}) did worst"


def _wider(situation: Situation, share: float, stalled: bool) -> tuple[Direction, ...]:
    """What is left goes to crossover of the best, and to fresh samples of the whole space (more of them on a plateau)."""
    best = tuple(f"trial:{record.trial}" for record in situation.ranked()[:2])
    cards = tuple(e.id for e in situation.evidence if e.kind == "card")[:3]
    fresh = share * (0.6 if stalled else 0.4)
    return (
        Direction("recombine", (), share - fresh, "parts of the best trials may add up", None, best or cards, "recombine"),
        Direction("explore", (), fresh, "the space holds designs that no trial is near to", None, cards or best, "explore"),
    )


def _reason(stalled: bool, ranked: list[str]) -> str:
    lead = f"no gain beyond the noise for {PLATEAU_ROUNDS} rounds, so more is spent on exploring; " if stalled else ""
    return f"{lead}most promising: {', '.join(ranked[:EXPLOITED])}"
