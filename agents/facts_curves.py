"""Training curves in words and numbers: over-fitting, under-training, instability. Live trainings have curves, tables none."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import ceil, isfinite

from agentnas.agents.situation import Record, Situation
from agentnas.agents.statistics import noise_floor
from agentnas.memory.events import EvaluationFinished

# Trials whose curves are told: leaders, and the worst of the newest round.
LEADERS, LOSERS = 5, 3
# Points that a score must move by to be called a fall or a swing where the noise is unknown or tiny.
LEAST_MOVE = 1.0
# A fall after the best epoch must be clearer: the best of many epochs is partly lucky.
LEAST_FALL = 2.0
# A training score this much above validation has learnt its training nodes by heart; this little, it has not even learnt them.
WIDE_GAP, NARROW_GAP = 10.0, 2.0
UNLEARNT = 95.0
# A best epoch in the last or first part of what was planned.
LATE, EARLY = 0.95, 0.1


@dataclass(frozen=True)
class Curve:
    """One training: ``points`` are (epoch, training loss, validation score), at most 60 of them; ``planned`` the epochs it might take."""

    points: tuple[tuple[float, float, float], ...]
    val: float
    train: float | None
    best_epoch: int
    epochs: int
    planned: int

    @property
    def fall(self) -> float:
        """Points that validation lost between the best epoch and the last."""
        return self.val - self.points[-1][2]

    @property
    def gap(self) -> float | None:
        """Training score minus validation score at the best epoch."""
        return None if self.train is None else self.train - self.val

    @property
    def swing(self) -> float:
        """Mean change of the validation score from point to point in the second half."""
        scores = [score for _, _, score in self.points[len(self.points) // 2 :]]
        steps = [abs(b - a) for a, b in pairwise(scores)]
        return sum(steps) / len(steps) if steps else 0.0


def curve_lines(situation: Situation) -> list[str]:
    """A line for each notable trial that has a curve."""
    noise = noise_floor(situation) or 0.0
    found = [(record, curve_of(record, situation)) for record in _notable(situation)]
    lines = [f"{record.trial} ({_scored(record, situation)}): {in_words(curve, noise)}" for record, curve in found if curve is not None]
    return lines or ["There are no curves: nothing was trained here, scores were looked up in a table."]


def _notable(situation: Situation) -> list[Record]:
    """The leaders, and the worst of the newest round, those first that a lower rung stopped."""
    ranked = situation.ranked()
    lowest = situation.rungs[0].name
    stopped = [(at, r.trial, r) for r in situation.records if situation.score(r) is None and (at := r.at(lowest)) is not None]
    losers = [record for record in (*(r for _, _, r in sorted(stopped)), *ranked[::-1]) if record.round == situation.round]
    return list({record.trial: record for record in (*ranked[:LEADERS], *losers[:LOSERS])}.values())


def _scored(record: Record, situation: Situation) -> str:
    score = situation.score(record)
    return f"{record.at(situation.rungs[0].name):.2f} at rung {situation.rungs[0].name}" if score is None else f"{score:.2f}"


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
    return Curve(points, training.val, None if train is None else float(train), training.best_epoch or epochs, epochs, planned)


def in_words(curve: Curve, noise: float) -> str:
    """Numbers first, then what they look like."""
    train = "?" if curve.train is None else f"{curve.train:.1f}"
    stopped = "" if curve.epochs >= curve.planned else f", stopped at {curve.epochs}"
    numbers = f"train {train}, validation {curve.val:.1f}, best epoch {curve.best_epoch} of {curve.planned}{stopped}"
    losses = [loss for _, loss, _ in curve.points if isfinite(loss)]
    fitted = f", training loss {losses[0]:.2f} -> {losses[-1]:.2f}" if losses else ""
    signs = [sign for sign in (_fitting(curve, noise), _timing(curve), _steadiness(curve, noise)) if sign]
    return f"{numbers}{fitted}; {'; '.join(signs) or 'nothing unusual'}"


def _fitting(curve: Curve, noise: float) -> str:
    if curve.fall > max(2 * noise, LEAST_FALL) and not _is_late(curve):
        return f"over-fits: validation falls by {curve.fall:.1f} after the best epoch"
    if curve.gap is None or curve.train is None:
        return ""
    if curve.gap > WIDE_GAP:
        return f"knows its training nodes by heart (gap {curve.gap:.1f}), yet validation holds"
    if curve.gap < NARROW_GAP and curve.train < UNLEARNT:
        return "under-fits: trains no better than it validates"
    return ""


def _timing(curve: Curve) -> str:
    if _is_late(curve):
        return "under-trained: best at the very end, still rising"
    if curve.best_epoch <= EARLY * curve.planned:
        return "peaks very early"
    return ""


def _is_late(curve: Curve) -> bool:
    return curve.best_epoch >= LATE * curve.planned


def _steadiness(curve: Curve, noise: float) -> str:
    return f"unstable: swings of {curve.swing:.1f} points" if curve.swing > max(3 * noise, 2 * LEAST_MOVE) else ""
