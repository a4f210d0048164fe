"""What plots of a search show, from its journal: trainings in order, the leader's mean as it went, gains of factors, families."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import partial
from typing import NamedTuple

from agentnas.agents.situation import Record
from agentnas.agents.splits import levelled
from agentnas.agents.statistics import effects_of
from agentnas.memory.events import AnyEvent, EvaluationFinished
from agentnas.memory.view import JournalView
from agentnas.page.plots import Bar
from agentnas.scores import offsets_of
from agentnas.tools.evaluate.base import CONFIRM, Rung
from agentnas.tools.spec.model import ArchitectureSpec

NO_SPEC = ArchitectureSpec()  # what a gain is reckoned from are scores alone
LEAST_PAIRS = 2  # below, a gain has no standard error


class Training(NamedTuple):
    """One training in full: how many evaluations and active seconds the run had made at its end, its score, who led then, its mean."""

    trial: str
    seed: int
    evaluations: int
    seconds: float
    val: float
    leader: float
    ahead: str


def trainings(events: Iterable[AnyEvent], view: JournalView) -> list[Training]:
    """Trainings on the rungs that train all epochs, in the order in which they ended; each seed and split once. Means are of scores less
    what their splits make easier, as far as the whole run tells it."""
    full, better = set(view.started.full if view.started else ()) or set(view.rungs), max if view.higher_is_better else min
    seen: set[tuple[str, str, int, int]] = set()
    scores: dict[str, dict[int, float]] = defaultdict(dict)
    means: dict[str, float] = {}
    found, offsets = [], offsets_of(view)
    for event in events:
        if not isinstance(event, EvaluationFinished) or (key := (event.trial, event.rung, event.seed, event.split)) in seen:
            continue
        seen.add(key)
        if event.rung in full and math.isfinite(event.val):
            scores[event.trial][event.seed] = event.val
            means[event.trial] = levelled(scores[event.trial], offsets)
            ahead = better(means, key=means.__getitem__)
            found.append(Training(event.trial, event.seed, len(seen), event.t, event.val, means[ahead], ahead))
    return found


def leads(done: Sequence[Training]) -> list[Training]:
    """The first training, and those after which another trial led or the leader's mean was another."""
    return [now for before, now in zip([None, *done], done, strict=False) if before is None or before.leader != now.leader]


def factors(view: JournalView) -> list[Bar]:
    """Mean gain of children over their parents by the factor that was changed alone, as the agents reckon it, largest first.

    A pair is compared over the seeds that both were trained on in full, whole or to their time limit, against the usual change.
    """
    rungs = [Rung(name, 1.0 if view.started and name in view.started.full else 0.5, 1, 1.0) for name in view.rungs if name != CONFIRM]
    found = effects_of(map(partial(_record, view), view.proposals), rungs, higher_is_better=view.higher_is_better)
    return [Bar(effect.factor, effect.mean, effect.se, effect.count) for effect in found if effect.count >= LEAST_PAIRS]


def _record(view: JournalView, trial: str) -> Record:
    """The trial with those of its scores that are numbers."""
    scores: dict[str, dict[int, float]] = defaultdict(dict)
    done = [evaluation for evaluation in view.evaluations(trial) if math.isfinite(evaluation.val)]
    for evaluation in done:
        scores[evaluation.rung][evaluation.seed] = evaluation.val
    return Record(view.proposals[trial], NO_SPEC, scores, trainings=tuple(done))


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
