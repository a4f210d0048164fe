"""What plots of a search show, from its journal: trainings in order, the leader's mean as it went, gains of factors, families."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from agentnas.agents.statistics import mean_and_sd, standard_error, usual_gain
from agentnas.memory.events import AnyEvent, EvaluationFinished
from agentnas.memory.view import JournalView
from agentnas.page.plots import Bar

LEAST_PAIRS = 2  # below, a gain has no standard error


class Training(NamedTuple):
    """One training in full: how many evaluations and active seconds the run had made when it ended, its score, the leader's mean then."""

    trial: str
    seed: int
    evaluations: int
    seconds: float
    val: float
    leader: float


def trainings(events: Iterable[AnyEvent], view: JournalView) -> list[Training]:
    """Trainings on the rungs that train all epochs, in the order in which they ended; each seed and split once."""
    full, better = set(view.started.full if view.started else ()) or set(view.rungs), max if view.higher_is_better else min
    seen: set[tuple[str, str, int, int]] = set()
    scores: dict[str, list[float]] = defaultdict(list)
    means: dict[str, float] = {}
    found = []
    for event in events:
        if not isinstance(event, EvaluationFinished) or (key := (event.trial, event.rung, event.seed, event.split)) in seen:
            continue
        seen.add(key)
        if event.rung in full and math.isfinite(event.val):
            scores[event.trial].append(event.val)
            means[event.trial] = mean_and_sd(scores[event.trial])[0]
            found.append(Training(event.trial, event.seed, len(seen), event.t, event.val, better(means.values())))
    return found


def factors(view: JournalView) -> list[Bar]:
    """Mean gain of children over their parents by the factor that was changed alone, against the usual change, largest first.

    A pair is compared over the seeds that both were trained on in full; a parent is chosen for its score, which was partly luck, so the
    median over the factors is taken out.
    """
    gains: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for proposal in view.proposals.values():
        gain = _gain(view, proposal.trial, proposal.parent)
        if proposal.factor is not None and gain is not None:
            gains[proposal.factor].append((proposal.trial, gain))
    usual = usual_gain(gains)
    values = {factor: [gain for _, gain in pairs] for factor, pairs in gains.items() if len(pairs) >= LEAST_PAIRS}
    found = [Bar(factor, mean_and_sd(v)[0] - usual, standard_error(v), len(v)) for factor, v in values.items()]
    return sorted(found, key=lambda bar: (-bar.mean, bar.name))


def _gain(view: JournalView, child: str, parent: str | None) -> float | None:
    """In the direction of the metric; None where no seed is common."""
    if parent is None or view.started is None:
        return None
    ours, theirs = (_full_scores(view, trial) for trial in (child, parent))
    common = sorted(set(ours) & set(theirs))
    sign = 1 if view.higher_is_better else -1
    return sign * math.fsum(ours[key] - theirs[key] for key in common) / len(common) if common else None


def _full_scores(view: JournalView, trial: str) -> dict[tuple[int, int], float]:
    full = view.started.full if view.started else ()
    return {(e.seed, e.split): e.val for rung in full for e in view.evaluations(trial, rung) if math.isfinite(e.val)}


def family(view: JournalView, trial: str, limit: int) -> tuple[str, dict[str, list[str]]]:
    """The oldest shown of a trial's family, and the children of each member: ancestors as far as they fit, then the best, to ``limit``."""
    line = [trial]
    while (parent := view.proposals[line[-1]].parent) in view.proposals and len(line) < limit // 2:
        line.append(str(parent))
    children: dict[str, list[str]] = defaultdict(list)
    for proposal in view.proposals.values():
        children[proposal.parent or ""].append(proposal.trial)
    members = set(line) | set(sorted(_below(line[-1], children) - set(line), key=lambda t: view.rank(t) or 10**9)[: limit - len(line)])
    return line[-1], {name: [child for child in children[name] if child in members] for name in sorted(members)}


def _below(founder: str, children: dict[str, list[str]]) -> set[str]:
    found, waiting = {founder}, [founder]
    while waiting:
        new = [child for child in children[waiting.pop()] if child not in found]
        found.update(new)
        waiting += new
    return found
