"""Situations as a search leaves them: anchors, then mutations of the best; scores, curves, plans and findings are made up by rule."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from agentnas.agents.analyst import RuleAnalyst
from agentnas.agents.planner import RulePlanner
from agentnas.agents.situation import Left, Record, Situation
from agentnas.memory import events as ev
from agentnas.memory.memory import InMemory
from agentnas.tools.anchors import Anchor, cell_anchors, plain_anchors, strong_anchors
from agentnas.tools.evaluate.base import Limits, Rung
from agentnas.tools.evaluate.ladder import ONE_SPLIT, TABLE
from agentnas.tools.spec.canonical import canonical, spec_hash
from agentnas.tools.spec.model import ArchitectureSpec
from agentnas.tools.spec.render import one_line
from agentnas.tools.spec.space import SearchSpace
from agentnas.tools.tasks.card import TaskCard

A_ROUND = 8
CARD = TaskCard(
    name="cora", source="computed", metric="accuracy", protocol="public split, 140/500/1000", num_splits=1, split_sizes=(140, 500, 1000),
    nodes=2708, edges=10556, features=1433, classes=7, mean_degree=3.9, median_degree=3.0, max_degree=168, edge_homophily=0.81,
    node_homophily=0.82, adjusted_homophily=0.78, label_rate=0.0517, class_balance=0.96,
)  # fmt: skip


def searched(count: int = 30, *, table: bool = False, seed: int = 0, card: TaskCard = CARD, **fields: Any) -> Situation:
    """A situation after ``count`` trials; ``fields`` replace those of the situation."""
    rng = random.Random(seed)
    space = SearchSpace.nasbench("cora") if table else SearchSpace.default()
    anchors = cell_anchors("cora") if table else (*plain_anchors(), *strong_anchors())
    rungs = TABLE if table else ONE_SPLIT
    records: list[Record] = []
    for number in range(1, count + 1):
        records.append(_trial(number, records, anchors, space, rungs, rng))
    recalled = InMemory().recall(card, "low homophily, few labels: which changes pay?", 8)
    found = Situation(
        records[-1].round, seed, card.text(), tuple(records), rungs, space, Limits(max_params=None if table else 200_000), tuple(recalled),
        metric="accuracy", left=Left(trials=20, seconds=412.0, cost=0.83),
    )  # fmt: skip
    return replace(_told(found), **fields)


def many(situation: Situation, count: int) -> Situation:
    """The situation with its last trials repeated under new ids until there are ``count``."""
    held = situation.records
    more = [_renamed(held[len(held) // 2 + i % (len(held) // 2)], len(held) + i + 1) for i in range(count - len(held))]
    return replace(situation, records=(*held, *more))


def _renamed(record: Record, number: int) -> Record:
    trial = f"t{number:04d}"
    proposal = record.proposal.model_copy(update={"trial": trial, "anchor": None, "name": None})
    # Scores of their own, so that the best of many differ from the best of few.
    scores = {rung: {seed: score + math.sin(number) for seed, score in by_seed.items()} for rung, by_seed in record.scores.items()}
    return replace(record, proposal=proposal, scores=scores)


def _trial(
    number: int, before: Sequence[Record], anchors: Sequence[Anchor], space: SearchSpace, rungs: Sequence[Rung], rng: random.Random
) -> Record:  # fmt: skip
    trial, round_ = f"t{number:04d}", 0 if number <= len(anchors) else 1 + (number - len(anchors) - 1) // A_ROUND
    if number <= len(anchors):
        anchor = anchors[number - 1]
        return _record(trial, anchor.spec, round_, rungs, rng, anchor=anchor.kind, name=anchor.name)
    parent = max(rng.sample(list(before), min(4, len(before))), key=lambda record: record.at(rungs[0].name) or 0.0)
    mutation = space.mutate(parent.spec, rng)
    assert mutation is not None
    return _record(
        trial, mutation.spec, round_, rungs, rng, parent=parent.trial, factor=mutation.factor, change=mutation.change,
        expected_gain=round(rng.uniform(0.0, 1.5), 2), hypothesis=f"{mutation.factor} pays here", evidence=(f"trial:{parent.trial}",),
    )  # fmt: skip


def _record(trial: str, spec: ArchitectureSpec, round_: int, rungs: Sequence[Rung], rng: random.Random, **fields: Any) -> Record:
    spec = canonical(spec)
    proposal = ev.Proposal(
        trial=trial, spec=spec.model_dump(mode="json", exclude_defaults=True), spec_hash=spec_hash(spec), text=one_line(spec),
        author="coder/evolution", **fields,
    )  # fmt: skip
    profile = {"parameters": rng.randrange(10_000, 190_000)}
    luck = rng.random()
    if not proposal.anchor and luck < 0.05:
        return Record(proposal, spec, {}, round_, profile, rejected="parameters 301,003 > 200,000")
    if not proposal.anchor and luck < 0.1:
        return Record(proposal, spec, {}, round_, profile, failures={(rungs[0].name, 0): "diverged: the loss is not finite in epoch 7"})
    level = len(rungs) if proposal.anchor or luck > 0.5 else 1
    base = 78.0 + 4.0 * rng.random()
    scores = {rung.name: {seed: base + rng.gauss(0, 0.4) for seed in range(rung.seeds)} for rung in rungs[:level]}
    return Record(proposal, spec, scores, round_, profile, trainings=_trainings(trial, scores, rungs))


def _trainings(trial: str, scores: dict[str, dict[int, float]], rungs: Sequence[Rung]) -> tuple[ev.EvaluationFinished, ...]:
    if len(rungs) == 1:
        return ()
    return tuple(_training(trial, rung, seed, val) for rung, by_seed in scores.items() for seed, val in by_seed.items())


def _training(trial: str, rung: str, seed: int, val: float) -> ev.EvaluationFinished:
    """A training that peaks at epoch 60 of 200 and loses 4 points afterwards."""
    curve = [[epoch, 2.0 / epoch, val - abs(epoch - 60) * (0.5 if epoch < 60 else 4 / 140)] for epoch in range(1, 201, 20)]
    details = {"train_score": 100.0, "curve": curve, "val_loss": 0.7}
    return ev.EvaluationFinished(
        trial=trial, rung=rung, seed=seed, split=0, val=val, seconds=3.0, epochs=200, best_epoch=60, details=details
    )  # fmt: skip


def _told(situation: Situation) -> Situation:
    """The situation with a plan and findings of the rules for each of its rounds but the last, which has a plan alone."""
    plans, findings = {}, {}
    for round_ in range(situation.round + 1):
        then = replace(situation, round=round_, records=tuple(r for r in situation.records if r.round < round_))
        plan = RulePlanner().plan(then)
        plans[round_] = ev.PlanMade(
            round=round_, author=plan.author, directions=tuple(d.as_dict() for d in plan.directions), reason=plan.reason
        )
        if round_ < situation.round:
            made = RuleAnalyst().analyse(replace(then, records=tuple(r for r in situation.records if r.round <= round_)))
            findings[round_] = ev.FindingsMade(
                round=round_, author=made.author, findings=tuple(f.as_dict() for f in made.findings), verdict=made.verdict
            )
    correlation = ev.RungCorrelation(round=situation.round, lower="short", upper="full", trials=12, spearman=0.61)
    return replace(situation, plans=plans, findings=findings, correlations=(correlation,) if len(situation.rungs) > 1 else ())
