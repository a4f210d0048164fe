"""The transfer at work in a run: what earlier tasks tried, as drafts, and the posterior that screens and chooses."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from agentnas.agents.roles import Draft
from agentnas.agents.situation import Record, Situation
from agentnas.agents.telling import telling
from agentnas.agents.transfer import Belief, Options, PastTask, PastTrials, Points
from agentnas.agents.transfer_posterior import Posterior
from agentnas.memory.kin import design_key
from agentnas.memory.records import Evidence, task_similarity
from agentnas.tools.spec.canonical import spec_hash
from agentnas.tools.spec.model import ArchitectureSpec
from agentnas.tools.spec.render import one_line
from agentnas.tools.spec.space import SearchSpace

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

AUTHOR = "coder/transfer"
OPTIMISM = 0.5
# Batches that may be turned down for the limits, after which others have to fill the round.
ATTEMPTS = 20
# Of designs whose operators are connected alike, at most so many a round: what is best elsewhere is often one design in many settings.
ALIKE = 2
NAMED = 2


@dataclass
class Transfer:
    """Past trials in use for one task. ``card`` gives the vector of its card; asked when the first proposals are."""

    trials: PastTrials
    card: Callable[[], Sequence[float]]
    options: Options = field(default_factory=Options)
    _beliefs: dict[str, Belief | None] = field(default_factory=dict)
    _vectors: dict[str, list[float]] = field(default_factory=dict)
    _numbers: dict[str, int | None] = field(default_factory=dict)
    _last: tuple[tuple[Any, ...], Posterior] | None = None

    def belief(self, space: SearchSpace) -> Belief | None:
        """What the past says of this space; None where it says nothing. Made once."""
        if space.name not in self._beliefs:
            past = self.trials.past(space)
            told = past is not None and past.tasks and len(past.vectors)
            self._beliefs[space.name] = Belief(past, tuple(self.card()), self.options) if past is not None and told else None
        return self._beliefs[space.name]

    def posterior(self, situation: Situation) -> Posterior | None:
        """The belief after the scored trials, in the order of ``telling(situation)``, which are all of them in a run of usual size:
        its cost grows with their cube. Made once for all nodes of a round."""
        import numpy as np

        belief = self.belief(situation.space)
        if belief is None:
            return None
        ranked = telling(situation)
        scores = [situation.score(record) for record in ranked]
        about = (situation.space.name, tuple(record.proposal.spec_hash for record in ranked), tuple(scores))
        if self._last is None or self._last[0] != about:
            told = np.array(scores, dtype=np.float64)
            self._last = about, Posterior(belief, self._points(belief, ranked, situation.space), told)
        return self._last[1]

    def drafts(
        self, situation: Situation, others: Sequence[Draft], count: int, fits: Callable[[ArchitectureSpec], bool], taken: Set[str]
    ) -> list[Draft]:  # fmt: skip
        """The ``count`` most promising of the past's designs and ``others``, unlike each other: those whose hash is not ``taken`` and
        that ``fits`` lets pass; fewer where few are left."""
        posterior = self.posterior(situation)
        if posterior is None:
            return list(others[:count])
        return [draft for _, draft in self._promising(posterior, situation, others, count, fits, taken)]

    def suggestions(self, situation: Situation, count: int) -> list[Evidence]:
        """The remembered designs that promise most here and were not tried yet, each as its trial elsewhere with what is expected."""
        posterior = self.posterior(situation)
        if posterior is None:
            return []
        found = self._promising(posterior, situation, (), count, lambda spec: True, situation.hashes())
        return [_suggestion(draft, design, posterior) for design, draft in found if draft.evidence]

    def _promising(
        self, posterior: Posterior, situation: Situation, others: Sequence[Draft], count: int,
        fits: Callable[[ArchitectureSpec], bool], taken: Set[str],
    ) -> list[tuple[int, Draft]]:  # fmt: skip
        """Numbers among the past's designs and the ``others`` after them, with their drafts, as ``drafts`` says."""
        belief, size = posterior.belief, len(posterior.belief.past.vectors)
        points = self._with(belief, others, situation.space)
        taken, seen, alike = set(taken), self._tried(belief, situation), Counter[str]()
        found: list[tuple[int, Draft]] = []
        for _ in range(ATTEMPTS):
            for point in posterior.best(points, count - len(found), OPTIMISM, sorted(seen)):
                seen.add(point)
                draft = others[point - size] if point >= size else self._remembered(belief, point, alike)
                if draft is not None and spec_hash(draft.spec) not in taken and fits(draft.spec):
                    taken.add(spec_hash(draft.spec))
                    found.append((point, draft))
            if len(found) == count or len(seen) == len(points.told):
                break
        return found

    def by_promise(self, situation: Situation, drafts: Sequence[Draft]) -> list[Draft]:
        """The drafts, most promising first; as they came where the past says nothing."""
        posterior = self.posterior(situation)
        if posterior is None or not drafts:
            return list(drafts)
        points = posterior.belief.points(self._vectors_of(drafts, situation.space))
        return [drafts[point] for point in posterior.best(points, len(drafts), OPTIMISM)]

    def _with(self, belief: Belief, others: Sequence[Draft], space: SearchSpace) -> Points:
        """The past's designs, then the others."""
        import numpy as np

        if not others:
            return belief.designs
        more = belief.points(self._vectors_of(others, space))
        held = belief.designs
        return Points(np.vstack([held.structure, more.structure]), np.vstack([held.told, more.told]))

    def _vectors_of(self, drafts: Sequence[Draft], space: SearchSpace) -> Array:
        import numpy as np

        return np.array([space.vector(draft.spec) for draft in drafts], dtype=np.float32)

    def _points(self, belief: Belief, records: Sequence[Record], space: SearchSpace) -> Points:
        import numpy as np

        vectors = [self._vector(record, space) for record in records]
        return belief.points(np.array(vectors, dtype=np.float32)) if vectors else belief.designs.at(slice(0, 0))

    def _tried(self, belief: Belief, situation: Situation) -> set[int]:
        import numpy as np

        for record in situation.records:
            if record.proposal.spec_hash not in self._numbers:
                self._numbers[record.proposal.spec_hash] = belief.number(np.array(self._vector(record, situation.space)))
        found = {self._numbers[key] for key in situation.hashes()}
        return {number for number in found if number is not None}

    def _vector(self, record: Record, space: SearchSpace) -> list[float]:
        key = record.proposal.spec_hash
        if key not in self._vectors:
            self._vectors[key] = space.vector(record.spec)
        return self._vectors[key]

    def _remembered(self, belief: Belief, design: int, alike: Counter[str]) -> Draft | None:
        """A design of the past, with what the tasks that count most say of it; None where it cannot be said here, or ``ALIKE`` were."""
        spec = belief.past.spec(design)
        if spec is None or alike[design_key(spec)] == ALIKE:
            return None
        alike[design_key(spec)] += 1
        told = belief.designs.told[design]
        heaviest_first = _heaviest_first(belief)
        words = ", ".join(_told(belief.past.tasks[task], design, told[task]) for task in heaviest_first[:NAMED])
        text = f"against the average design, in standard deviations, on the tasks most like this one: {words}"
        tried = [task for task in heaviest_first if _was_tried(belief.past.tasks[task], design)]
        change = f"remembered from {belief.past.tasks[tried[0]].name}" if tried else None
        return Draft(spec, AUTHOR, text, belief.past.evidence(design), change=change)


def _heaviest_first(belief: Belief) -> list[int]:
    return sorted(range(len(belief.weights)), key=lambda task: -belief.weights[task])


def _was_tried(task: PastTask, design: int) -> bool:
    return math.isfinite(task.scores[design])


def _told(task: PastTask, design: int, units: float) -> str:
    estimated = "" if _was_tried(task, design) else " (estimated)"
    return f"{units:+.1f} on {task.name}{estimated}"


def _suggestion(draft: Draft, design: int, posterior: Posterior) -> Evidence:
    """Tasks stand as recalled trials name them, so that a private one's name can be taken out."""
    belief = posterior.belief
    tried = [task for task in _heaviest_first(belief) if _was_tried(belief.past.tasks[task], design)][:NAMED]
    tasks = [(belief.past.tasks[task], belief.designs.told[design][task]) for task in tried]
    alike = [task_similarity(belief.card, task.card) for task, _ in tasks]
    told = [
        f"{units:+.1f} standard deviations from the average design of task {task.name}, similarity {near:.2f}"
        for (task, units), near in zip(tasks, alike, strict=True)
    ]
    if len(posterior.scores):
        mean, sd = (float(values[0]) for values in posterior.predict(belief.designs.at([design])))
        told.append(f"expected here {mean:.2f} ± {sd:.2f}")
    why = f"promising by what earlier tasks and this run's scores say: {'; '.join(told)}"
    return Evidence(id=draft.evidence[0], kind="trial", similarity=round(max(alike, default=0.0), 4), text=one_line(draft.spec), why=why)
