"""The transfer at work in a run: what earlier tasks tried, as drafts, and the posterior that screens and chooses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from agentnas.agents.roles import Draft
from agentnas.agents.situation import Record, Situation
from agentnas.agents.transfer import Belief, Options, PastTrials, Points
from agentnas.agents.transfer_posterior import Posterior
from agentnas.tools.spec.canonical import spec_hash
from agentnas.tools.spec.model import ArchitectureSpec
from agentnas.tools.spec.space import SearchSpace

AUTHOR = "coder/transfer"
OPTIMISM = 0.5
# Batches that may be turned down for the limits, after which others have to fill the round.
ATTEMPTS = 20
NAMED = 2


@dataclass
class Transfer:
    """Past trials in use for one task. ``card`` gives the vector of its card; asked when the first proposals are."""

    trials: PastTrials
    card: Callable[[], Sequence[float]]
    options: Options = field(default_factory=Options)
    _beliefs: dict[str, Belief | None] = field(default_factory=dict)
    _vectors: dict[str, list[float]] = field(default_factory=dict)

    def belief(self, space: SearchSpace) -> Belief | None:
        """What the past says of this space; None where it says nothing. Made once."""
        if space.name not in self._beliefs:
            past = self.trials.past(space)
            told = past is not None and past.tasks and len(past.vectors)
            self._beliefs[space.name] = Belief(past, tuple(self.card()), self.options) if past is not None and told else None
        return self._beliefs[space.name]

    def posterior(self, situation: Situation) -> Posterior | None:
        """The belief after the situation's scored trials, in the order of ``situation.ranked()``."""
        import numpy as np

        belief, ranked = self.belief(situation.space), situation.ranked()
        if belief is None:
            return None
        scores = np.array([situation.score(record) for record in ranked], dtype=np.float64)
        return Posterior(belief, self._points(belief, ranked, situation.space), scores)

    def drafts(self, situation: Situation, others: Sequence[Draft], count: int, fits: Callable[[ArchitectureSpec], bool]) -> list[Draft]:
        """The ``count`` most promising of the past's designs and ``others``: new ones that ``fits`` lets pass; fewer where few are left."""
        posterior = self.posterior(situation)
        if posterior is None:
            return list(others[:count])
        belief, size = posterior.belief, len(posterior.belief.past.vectors)
        points = self._with(belief, others, situation.space)
        taken, seen = situation.hashes(), self._tried(belief, situation)
        drafts: list[Draft] = []
        for _ in range(ATTEMPTS):
            for point in posterior.best(points, count - len(drafts), OPTIMISM, sorted(seen)):
                seen.add(point)
                draft = others[point - size] if point >= size else self._remembered(belief, point)
                if spec_hash(draft.spec) not in taken and fits(draft.spec):
                    taken.add(spec_hash(draft.spec))
                    drafts.append(draft)
            if len(drafts) == count or len(seen) == len(points.told):
                break
        return drafts

    def _with(self, belief: Belief, others: Sequence[Draft], space: SearchSpace) -> Points:
        """The past's designs, then the others."""
        import numpy as np

        if not others:
            return belief.designs
        more = belief.points(np.array([space.vector(draft.spec) for draft in others], dtype=np.float32))
        held = belief.designs
        return Points(np.vstack([held.structure, more.structure]), np.vstack([held.told, more.told]))

    def _points(self, belief: Belief, records: Sequence[Record], space: SearchSpace) -> Points:
        import numpy as np

        vectors = [self._vector(record, space) for record in records]
        return belief.points(np.array(vectors, dtype=np.float32)) if vectors else belief.designs.at(slice(0, 0))

    def _tried(self, belief: Belief, situation: Situation) -> set[int]:
        import numpy as np

        found = {belief.number(np.array(self._vector(record, situation.space))) for record in situation.records}
        return {number for number in found if number is not None}

    def _vector(self, record: Record, space: SearchSpace) -> list[float]:
        key = record.proposal.spec_hash
        if key not in self._vectors:
            self._vectors[key] = space.vector(record.spec)
        return self._vectors[key]

    def _remembered(self, belief: Belief, design: int) -> Draft:
        """A design of the past, with what the tasks that count most say of it."""
        told, weights = belief.designs.told[design], belief.weights
        heaviest = sorted(range(len(weights)), key=lambda task: -weights[task])[:NAMED]
        words = ", ".join(f"{told[task]:+.1f} on {belief.past.tasks[task].name}" for task in heaviest)
        text = f"standard deviations above the average design: {words}, the tasks most like this one"
        return Draft(belief.past.spec(design), AUTHOR, text, belief.past.evidence(design))
