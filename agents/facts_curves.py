"""Training curves in words and numbers: what overfits, what still improves, what swings. Live trainings have curves, tables none."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import ceil, isfinite
from statistics import fmean

from agentnas.agents.situation import Record, Situation
from agentnas.agents.statistics import noise_floor
from agentnas.memory.events import EvaluationFinished
from agentnas.tools.evaluate.base import PLANNED

# Trials whose curves are told: leaders, and the worst of the newest round.
LEADERS, LOSERS = 5, 3
# Noise floors, and points where the noise is unknown or tiny, by which validation must end below its best epoch to overfit: the best
# of 60 points lies about two deviations above their mean by luck alone.
FALL_AT, LEAST_FALL = 3.0, 2.0
# The same for the mean step from point to point: without any trend, draws differ by 1.13 deviations on average.
SWING_AT, LEAST_SWING = 3.0, 2.0
# And for the rise from the last fifth but one to the last: means over a dozen points, so that one deviation is far beyond luck.
RISE_AT, LEAST_RISE = 1.0, 0.5
FIFTHS = 5
# On few training nodes a score of 100 beside a validation score of 80 is usual, so that a gap alone is no sign of overfitting. A model
# that does no better on its training nodes than on others, and does not get them right, has not fitted them.
LEAST_GAP, FITTED = 1.0, 95.0
# A best epoch in the last part of what was planned; epochs after which the weights have hardly moved, of many.
LATE = 0.95
FIRST_EPOCHS, OF_MANY = 10, 100


@dataclass(frozen=True)
class Curve:
    """One training: ``points`` are (epoch, training loss, validation score), at most 60 of them; ``planned`` the epochs it might take;
    ``cut``: its time limit ended it, and neither they nor its patience did."""

    points: tuple[tuple[float, float, float], ...]
    val: float
    train: float | None
    best_epoch: int
    epochs: int
    planned: int
    cut: bool = False

    @property
    def end(self) -> int:
        """Epochs that it could have had."""
        return self.epochs if self.cut else self.planned

    @property
    def fall(self) -> float:
        """Points that validation lost between the best epoch and the end, which is the last tenth of the points."""
        end = self._scores[-max(1, len(self.points) // 10) :]
        return self.val - sum(end) / len(end)

    @property
    def gap(self) -> float | None:
        """Training score minus validation score at the best epoch."""
        return None if self.train is None else self.train - self.val

    @property
    def swing(self) -> float:
        """Mean change of the validation score from point to point in the second half."""
        scores = self._scores[len(self.points) // 2 :]
        steps = [abs(b - a) for a, b in pairwise(scores)]
        return sum(steps) / len(steps) if steps else 0.0

    @property
    def rise(self) -> float:
        """Points by which the mean of the last fifth is above that of the fifth before; 0 for curves of fewer than ten points."""
        size = len(self.points) // FIFTHS
        return fmean(self._scores[-size:]) - fmean(self._scores[-2 * size : -size]) if size > 1 else 0.0

    @property
    def is_late(self) -> bool:
        """Whether the best epoch is at the end of what it could have."""
        return self.best_epoch >= LATE * self.end

    def is_rising(self, noise: float = 0.0) -> bool:
        """Whether the training ended while it still improved, beyond the noise."""
        return self.is_late and self.rise > max(RISE_AT * noise, LEAST_RISE)

    @property
    def _scores(self) -> list[float]:
        return [score for _, _, score in self.points]


def curve_lines(situation: Situation) -> list[str]:
    """A line for each notable trial that has a curve."""
    noise = noise_floor(situation) or 0.0
    found = [(record, curve_of(record, situation)) for record in _notable(situation)]
    lines = [f"{record.trial} ({_scored(record, situation)}): {in_words(curve, noise)}" for record, curve in found if curve is not None]
    return lines or ["There are no curves: nothing was trained here, scores were looked up in a table."]


def _notable(situation: Situation) -> list[Record]:
    """The leaders, and the worst of the newest round, those first that a lower rung cut."""
    ranked = situation.ranked()
    lowest = situation.rungs[0].name
    stopped = [(at, r.trial, r) for r in situation.records if situation.score(r) is None and (at := r.at(lowest)) is not None]
    losers = [record for record in (*(r for _, _, r in sorted(stopped)), *ranked[::-1]) if record.round == situation.round]
    return list({record.trial: record for record in (*ranked[:LEADERS], *losers[:LOSERS])}.values())


def _scored(record: Record, situation: Situation) -> str:
    score = situation.score(record)
    return f"{record.at(situation.rungs[0].name):.2f}, cut at rung {situation.rungs[0].name}" if score is None else f"{score:.2f}"


def curve_of(record: Record, situation: Situation) -> Curve | None:
    """The curve of a trial's first training on its highest rung; None where it has none."""
    order = {rung.name: i for i, rung in enumerate(situation.rungs)}
    held = [t for t in record.trainings if t.details.get("curve") and t.rung in order]
    if not held:
        return None
    training = max(held, key=lambda t: (order[t.rung], -t.seed))
    share = situation.rungs[order[training.rung]].epochs
    return _read(training, ceil(share * record.spec.recipe.epochs))


def _read(training: EvaluationFinished, planned: int) -> Curve:
    points = tuple((float(epoch), float(loss), float(score)) for epoch, loss, score in training.details["curve"])
    train = training.details.get("train_score")
    epochs = training.epochs or int(points[-1][0])
    train = None if train is None else float(train)
    return Curve(points, training.val, train, training.best_epoch or epochs, epochs, planned, PLANNED in training.details)


def in_words(curve: Curve, noise: float) -> str:
    """Numbers first, then what they look like."""
    train = "?" if curve.train is None else f"{curve.train:.1f}"
    stopped = "" if curve.epochs >= curve.planned else f", {'ended by the time limit' if curve.cut else 'stopped'} at {curve.epochs}"
    numbers = f"train {train}, validation {curve.val:.1f}, best epoch {curve.best_epoch} of {curve.planned}{stopped}"
    losses = [loss for _, loss, _ in curve.points if isfinite(loss)]
    fitted = f", training loss {losses[0]:.2f} -> {losses[-1]:.2f}" if losses else ""
    signs = [sign for sign in (_fitting(curve, noise), _timing(curve, noise), _steadiness(curve, noise)) if sign]
    return f"{numbers}{fitted}; {'; '.join(signs) or 'nothing unusual'}"


def _fitting(curve: Curve, noise: float) -> str:
    if curve.fall > max(FALL_AT * noise, LEAST_FALL) and not curve.is_late:
        return f"overfits: validation ends {curve.fall:.1f} below its best epoch"
    if curve.gap is not None and curve.train is not None and curve.gap < max(noise, LEAST_GAP) and curve.train < FITTED:
        return "underfits: no better on what it is trained on than on validation"
    return ""


def _timing(curve: Curve, noise: float) -> str:
    if curve.is_rising(noise):
        return f"still improving at the end: {curve.rise:+.1f} over its last fifth"
    if curve.best_epoch <= FIRST_EPOCHS and curve.end > OF_MANY:
        return f"best within its first {FIRST_EPOCHS} epochs"
    return ""


def _steadiness(curve: Curve, noise: float) -> str:
    return f"unstable: swings of {curve.swing:.1f} points" if curve.swing > max(SWING_AT * noise, LEAST_SWING) else ""
