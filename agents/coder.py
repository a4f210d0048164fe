"""The rule-based coder: anchors first, then evolution whose children are screened by a surrogate.

Parents are drawn by tournament among the best trials (regularised evolution, Real et al., 2019, but without ageing: runs are short);
children change one named factor, or join two parents, or are fresh samples. For each trial that may be spent, a pool of children is
priced and scored by the surrogate, and the one with the highest upper confidence bound is proposed. Where earlier tasks are remembered,
the anchors, the children and what those tasks tried are screened together by the transfer's belief, from the first round on.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from agentnas.agents import surrogate
from agentnas.agents.roles import Direction, Draft, Plan
from agentnas.agents.situation import MANY, Record, Situation
from agentnas.agents.statistics import Effect, early_effects, effects
from agentnas.agents.telling import known_until
from agentnas.agents.transfer_drafts import Transfer
from agentnas.tools.anchors import Anchor
from agentnas.tools.errors import SpecError
from agentnas.tools.operators.base import operator
from agentnas.tools.scale import Scale
from agentnas.tools.spec.canonical import spec_hash
from agentnas.tools.spec.diff import describe, written
from agentnas.tools.spec.model import ArchitectureSpec

AUTHOR = "coder/evolution"
ELITES = 12
TOURNAMENT = 3
POOL = 24
ATTEMPTS = 6
# Fresh samples that are priced before a limit is called too tight for the space.
LAST_ATTEMPTS = 1000
OPTIMISM = 0.5
# Of the first round that memory orders, and of each later one until all anchors were tried.
FIRST_ANCHORS, ANCHOR_SHARE = 0.5, 0.25

Price = Callable[[ArchitectureSpec], dict[str, Any]]


@dataclass
class RuleCoder:
    """See the module's docstring. ``price`` gives static figures of a spec, so that children outside the limits are never proposed."""

    anchors: tuple[Anchor, ...]
    price: Price
    vectors: dict[str, list[float]] = field(default_factory=dict)
    transfer: Transfer | None = None
    _fitted: tuple[tuple[str, int, int], surrogate.Surrogate | None] | None = None

    def draft(self, situation: Situation, plan: Plan, count: int) -> list[Draft]:
        if self.transfer and self.transfer.belief(situation.space):
            return self._transferred(self.transfer, situation, plan, count)
        untried = _with_room(self.untried_anchors(situation), count)
        if not situation.records and any(not draft.reference for draft in untried):  # the first round is the anchors alone
            return untried
        return untried + self.evolve(situation, plan, count - len(untried), untried)

    def evolve(self, situation: Situation, plan: Plan, count: int, beside: Sequence[Draft]) -> list[Draft]:
        """Children of the best trials, unlike each other, everything before, and the drafts ``beside`` them."""
        if count <= 0:
            return []
        rng = random.Random(f"coder:{situation.seed}:{situation.round}")
        model = self._model(situation)
        taken = set(situation.hashes()) | _hashes(beside)
        seen = _seen(situation)
        drafts: list[Draft] = []
        for direction, number in slots(plan, count):
            pool = self._pool(situation, direction, number * POOL if model else number, rng, taken)
            chosen = self._screen(pool, number, model, situation)
            taken |= {spec_hash(draft.spec) for draft in chosen}
            drafts += [_explained(replace(draft, direction=direction.name), seen, situation.scale) for draft in chosen]
        return drafts + self._fill(situation, count - len(drafts), rng, taken)

    def _model(self, situation: Situation) -> surrogate.Surrogate | None:
        """The surrogate of what is known; of a long run the same for several rounds."""
        about = (situation.space.name, situation.seed, known_until(situation))
        if len(situation.records) <= MANY or self._fitted is None or self._fitted[0] != about:
            self._fitted = about, surrogate.fit(situation, self.vectors)
        return self._fitted[1]

    def untried_anchors(self, situation: Situation) -> list[Draft]:
        """Drafts of the anchors that this run has not tried yet."""
        tried = situation.hashes()
        fitting = [anchor for anchor in self.anchors if spec_hash(anchor.spec) not in tried]
        return [_anchor_draft(anchor) for anchor in fitting]

    def _transferred(self, transfer: Transfer, situation: Situation, plan: Plan, count: int) -> list[Draft]:
        """What the past, the anchors and children of this run's best promise most. A share of every round goes to anchors, the most
        promising first: without them there is nothing to compare a winner with."""
        rng = random.Random(f"coder:{situation.seed}:{situation.round}")
        anchors = transfer.by_promise(situation, self.untried_anchors(situation))
        due = _due(anchors, situation, count)
        taken = situation.hashes() | _hashes(due)
        belief = transfer.belief(situation.space)
        others = [] if belief and belief.past.complete else anchors + self._children(situation, plan, count, rng, taken | _hashes(anchors))
        drafts = transfer.drafts(situation, others, count - len(due), lambda spec: not self._outside(spec, situation), taken)
        named = {spec_hash(draft.spec): draft for draft in anchors}
        made = [_as_anchor(draft, named.get(spec_hash(draft.spec))) for draft in drafts] + due
        return made + self._fill(situation, count - len(made), rng, taken | _hashes(drafts))

    def _children(self, situation: Situation, plan: Plan, count: int, rng: random.Random, taken: Set[str]) -> list[Draft]:
        """Children of this run's best, as many as a screening takes: what the transfer weighs against what it remembers."""
        seen = _seen(situation)
        children: list[Draft] = []
        for direction, number in slots(plan, count) if situation.records else ():
            pool = self._pool(situation, direction, number * POOL, rng, taken | _hashes(children))
            children += [_explained(replace(draft, direction=direction.name), seen, situation.scale) for draft in pool]
        return children

    def _pool(
        self, situation: Situation, direction: Direction, size: int, rng: random.Random, taken: Set[str], attempts: int | None = None
    ) -> list[Draft]:
        """Distinct children that are new and inside the limits; fewer than ``size`` where the space runs dry."""
        pool: dict[str, Draft] = {}
        for draft in _children(situation, direction, attempts or size * ATTEMPTS, rng):
            key = spec_hash(draft.spec)
            if key in taken or key in pool or self._outside(draft.spec, situation):
                continue
            pool[key] = draft
            if len(pool) == size:
                break
        return list(pool.values())

    def _outside(self, spec: ArchitectureSpec, situation: Situation) -> bool:
        if situation.space.refuses(spec) is not None:
            return True
        if situation.limits.max_params is None:
            return False
        try:
            return bool(situation.limits.violations(self.price(spec)))
        except SpecError:
            return True

    def _screen(self, pool: list[Draft], slots: int, model: surrogate.Surrogate | None, situation: Situation) -> list[Draft]:
        if model is None or not pool:
            return pool[:slots]
        guesses = model.predict([situation.space.vector(draft.spec) for draft in pool])
        bound = [mean + OPTIMISM * sd for mean, sd in guesses]
        order = sorted(range(len(pool)), key=lambda i: (-bound[i], i))
        return [_with_expectation(pool[i], guesses[i][0], situation) for i in order[:slots]]

    def _fill(self, situation: Situation, missing: int, rng: random.Random, taken: Set[str]) -> list[Draft]:
        """Directions that ran dry are filled from the whole space, so that a round is never short without need."""
        if missing <= 0:
            return []
        anything = Direction("fill", (), 1.0, "a direction held no further candidate", None, (), "explore")
        tight = situation.limits.max_params is not None
        return self._pool(situation, anything, missing, rng, taken, LAST_ATTEMPTS if tight else missing * ATTEMPTS)


def _with_room(anchors: Sequence[Draft], count: int) -> list[Draft]:
    """Of the untried anchors those of a round: what is only compared with takes at most half of it where nothing else is tried yet."""
    inside = [draft for draft in anchors if not draft.reference][:count]
    return inside + [draft for draft in anchors if draft.reference][: (count - len(inside)) // (1 if inside else 2)]


def _due(anchors: Sequence[Draft], situation: Situation, count: int) -> list[Draft]:
    """Of the untried anchors, most promising first, those of this round: the best of either kind in the first, and a share of each."""
    first = [next((draft for draft in anchors if draft.anchor == kind), None) for kind in ("plain", "strong")]
    own = [draft for draft in anchors if draft.anchor == "start"]
    due = [] if situation.records else _once([*own, *(draft for draft in first if draft is not None)])[:count]
    due += [draft for draft in anchors if draft not in due]
    share = ANCHOR_SHARE if situation.records else FIRST_ANCHORS
    return due[: max(int(count > 1), int(share * count))]


def _once(drafts: Sequence[Draft]) -> list[Draft]:
    """Each draft once, in their order; drafts hold specs, which have no hash of their own."""
    return [draft for place, draft in enumerate(drafts) if draft not in drafts[:place]]


def _as_anchor(draft: Draft, anchor: Draft | None) -> Draft:
    """A design of the past that is also one of this run's anchors."""
    return draft if anchor is None else replace(draft, anchor=anchor.anchor, name=anchor.name, reference=anchor.reference)


def _hashes(drafts: Sequence[Draft]) -> set[str]:
    return {spec_hash(draft.spec) for draft in drafts}


def slots(plan: Plan, count: int) -> list[tuple[Direction, int]]:
    """Whole trials for each direction by largest remainders; their sum is ``count``. Directions that get none are left out."""
    shares = [direction.share * count for direction in plan.directions]
    numbers = [int(share) for share in shares]
    by_remainder = sorted(range(len(shares)), key=lambda i: (numbers[i] - shares[i], i))
    for i in by_remainder[: count - sum(numbers)]:
        numbers[i] += 1
    return [(direction, n) for direction, n in zip(plan.directions, numbers, strict=True) if n]


def _children(situation: Situation, direction: Direction, attempts: int, rng: random.Random) -> Iterator[Draft]:
    """Children of the trials that the direction names as parents, as far as they have a score; else of the best."""
    ranked = enumerate(situation.ranked() if direction.parents else (), start=1)
    named = [(rank, record) for rank, record in ranked if record.trial in direction.parents]
    chosen = [(rank, record) for rank, record in named if situation.space.refuses(record.spec) is None] or _elites(situation)
    elites, ranks = [record for _, record in chosen], {record.trial: rank for rank, record in chosen}
    if situation.space.guarded:
        yield from _adopted(situation)
    for _ in range(attempts):
        if direction.mode == "explore" or not elites:
            yield _sampled(situation, direction, rng)
        elif direction.mode == "recombine" and len(elites) > 1:
            yield _crossed(situation, ranks, elites, rng)
        else:
            yield from _mutated(situation, direction, ranks, elites, rng)


def _elites(situation: Situation) -> list[tuple[int, Record]]:
    """The best trials that the space does not refuse, with their ranks; where it refuses none, none is looked at for that."""
    if not situation.space.guarded:
        return list(enumerate(situation.best(ELITES), start=1))
    inside = (found for found in enumerate(situation.ranked(), start=1) if situation.space.refuses(found[1].spec) is None)
    return list(islice(inside, ELITES))


def _adopted(situation: Situation) -> Iterator[Draft]:
    """Designs that were scored outside of the space and can be said inside, with what is locked written into them; the best first."""
    for record in situation.ranked():
        spec = situation.space.adopt(record.spec) if record.proposal.reference else None
        if spec is not None and spec_hash(spec) not in situation.hashes():
            text = f"{record.trial} with what is locked in this space"
            change = describe(written(record.spec, spec))
            yield Draft(spec, AUTHOR, text, (f"trial:{record.trial}",), parent=record.trial, change=change)


def _sampled(situation: Situation, direction: Direction, rng: random.Random) -> Draft:
    spec = situation.space.sample(rng)
    return Draft(spec, AUTHOR, direction.hypothesis, _cards_of(spec))


def _cards_of(spec: ArchitectureSpec) -> tuple[str, ...]:
    """The papers behind a spec's operators."""
    cards = dict.fromkeys(operator(node.op).card for node in spec.body.nodes)
    return tuple(f"card:{card}" for card in cards if card)


def _crossed(situation: Situation, ranks: Mapping[str, int], elites: list[Record], rng: random.Random) -> Draft:
    first, second = rng.sample(elites, 2)
    better, other = sorted((first, second), key=elites.index)
    evidence = (f"trial:{better.trial}", f"trial:{other.trial}")
    text = f"{better.trial} and {other.trial} rank {ranks[better.trial]} and {ranks[other.trial]}; their parts may add up"
    child = situation.space.crossover(better.spec, other.spec, rng)
    return Draft(child, AUTHOR, text, evidence, parent=better.trial, change=f"crossover with {other.trial}")


def _mutated(
    situation: Situation, direction: Direction, ranks: Mapping[str, int], elites: list[Record], rng: random.Random
) -> Iterator[Draft]:
    parent = min(rng.sample(elites, min(TOURNAMENT, len(elites))), key=elites.index)
    mutation = situation.space.mutate(parent.spec, rng, direction.factors or None)
    if mutation is None:
        return
    new = set(_cards_of(mutation.spec)) - set(_cards_of(parent.spec))
    evidence = (f"trial:{parent.trial}", *direction.evidence, *sorted(new))
    text = f"{parent.trial} ranks {ranks[parent.trial]}"
    yield Draft(mutation.spec, AUTHOR, text, evidence, parent.trial, mutation.factor, mutation.change)


def _seen(situation: Situation) -> dict[str, Effect]:
    """What is known of each factor: from pairs trained in full where there are any."""
    return {effect.factor: effect for effect in (*early_effects(situation), *effects(situation))}


def _explained(draft: Draft, seen: Mapping[str, Effect], scale: Scale) -> Draft:
    """The draft with what is known of the factor that it changes."""
    if draft.factor is None:
        return draft
    effect = seen.get(draft.factor)
    if effect is None:
        return replace(draft, hypothesis=f"{draft.hypothesis}; {draft.factor} was not varied yet")
    known = f"changing {draft.factor} gave {scale.named_change(effect.raw, effect.se)} over {effect.count} pair{'s' * (effect.count > 1)}"
    known += " before full training" * effect.early
    return replace(draft, hypothesis=f"{draft.hypothesis}; {known}")


def _with_expectation(draft: Draft, predicted: float, situation: Situation) -> Draft:
    parent = situation.find(draft.parent)
    base = situation.score(parent) if parent else None
    return draft if base is None else replace(draft, expected_gain=round(predicted - base, 2))


def _anchor_draft(anchor: Anchor) -> Draft:
    evidence = (f"card:{anchor.card}",) if anchor.card else ()
    text = f"{anchor.name} with usual settings: a {anchor.kind} anchor that any design has to beat"
    if anchor.kind == "start":
        text = f"{anchor.name}: the design that the owner of this run starts from, which any other has to beat"
    if anchor.reference:
        text += "; outside of the space that is searched, to compare with alone"
    author = "person" if anchor.kind == "start" else "coder/anchors"
    return Draft(anchor.spec, author, text, evidence, anchor=anchor.kind, name=anchor.name, reference=anchor.reference)
