"""A surrogate of validation scores: bagged gradient-boosted trees over structure vectors.

It pre-screens many children for the price of a few, and smooths single noisy scores where there is one seed alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agentnas.agents.situation import MANY, Record, Situation, drafted
from agentnas.agents.telling import known_until, taught, telling

if TYPE_CHECKING:
    import numpy as np

LEAST_TRIALS = 10
BAGS = 5


@dataclass
class Surrogate:
    """Predicts mean and spread (percent) of the score that a spec would get at full fidelity."""

    models: list[Any]

    def predict(self, vectors: Sequence[Sequence[float]]) -> list[tuple[float, float]]:
        """(mean, standard deviation over the bags) for each structure vector."""
        import numpy as np

        full = np.array([[*vector, 1.0] for vector in vectors])
        votes = np.stack([model.predict(full) for model in self.models])
        return [(float(mean), float(sd)) for mean, sd in zip(votes.mean(0), votes.std(0), strict=True)]


def fit(situation: Situation, vectors: dict[str, list[float]]) -> Surrogate | None:
    """Fit on the run's scores, low fidelity marked as such; None while there are too few. Of a long run those of its most telling trials.

    ``vectors`` by canonical hash are added to.
    """
    rows, targets = _training_set(situation, vectors)
    if len(rows) < LEAST_TRIALS:
        return None
    import numpy as np

    # Of a long run the model stays the same until the next fit, whatever the round.
    moment = situation.round if len(situation.records) <= MANY else known_until(situation)
    return Surrogate(_bagged(np.array(rows), np.array(targets), seed=situation.seed * 1000 + moment))


def _training_set(situation: Situation, vectors: dict[str, list[float]]) -> tuple[list[list[float]], list[float]]:
    rows: list[list[float]] = []
    targets: list[float] = []
    for record in taught(situation):
        vector = _vector(record, situation, vectors)
        score = situation.score(record)
        low = record.at(situation.rungs[0].name) if situation.rungs[0].epochs < 1.0 else None
        for fidelity, value in ((1.0, score), (0.0, low)):
            if value is not None:
                rows.append([*vector, fidelity])
                targets.append(value)
    return rows, targets


def _vector(record: Record, situation: Situation, vectors: dict[str, list[float]]) -> list[float]:
    key = record.proposal.spec_hash
    if key not in vectors:
        vectors[key] = situation.space.vector(record.spec)
    return vectors[key]


def _bagged(rows: np.ndarray[Any, Any], targets: np.ndarray[Any, Any], seed: int) -> list[Any]:
    import numpy as np
    from sklearn.ensemble import GradientBoostingRegressor

    # Scores have a long lower tail (diverged, oversmoothed): clipping it lets the trees spend their splits where choices are made.
    clipped = np.maximum(targets, np.median(targets) - 3 * max(1.0, float(np.subtract(*np.percentile(targets, [75, 25])))))
    models = []
    for bag in range(BAGS):
        rng = np.random.default_rng([seed, bag])
        drawn = rng.integers(0, len(rows), len(rows))
        model = GradientBoostingRegressor(n_estimators=80, max_depth=3, learning_rate=0.08, subsample=0.8, random_state=bag)
        models.append(model.fit(rows[drawn], clipped[drawn]))
    return models


def smoothed(situation: Situation, vectors: dict[str, list[float]], own: float = 0.75, folds: int = 5) -> dict[str, float]:
    """``own`` x a trial's score + (1 - ``own``) x what the surrogate, fitted without this trial, predicts for it; of a long run for
    its most telling trials, the best among them."""
    ranked = sorted(telling(situation), key=drafted)
    scores = [situation.score(record) or 0.0 for record in ranked]
    if len(ranked) < LEAST_TRIALS:
        return {record.trial: score for record, score in zip(ranked, scores, strict=True)}
    import numpy as np

    rows = np.array([_vector(record, situation, vectors) for record in ranked])
    targets = np.array(scores)
    predicted = np.zeros(len(rows))
    for fold in range(folds):
        held = np.arange(len(rows)) % folds == fold
        models = _bagged(rows[~held], targets[~held], seed=fold)
        predicted[held] = np.mean([model.predict(rows[held]) for model in models], axis=0)
    return {r.trial: float(own * s + (1 - own) * p) for r, s, p in zip(ranked, targets, predicted, strict=True)}
